"""`twinport ephemeral` against the kernel: the ports it calls free are exactly those that connect()
still finds, and when it says none is left the kernel says so too."""

import sys
import unittest

from harness import SystemTest, needs_root

# Listens on two addresses outside the range, then connects as told on its input, one line each:
# "connect HOST COUNT" prints how many succeeded before EADDRNOTAVAIL.
CLIENT = """
import errno, json, socket, sys
servers = [socket.create_server((host, 9000), backlog=512) for host in ("127.0.0.1", "127.0.0.2")]
held = []
print(json.dumps({"pid": __import__("os").getpid()}), flush=True)
for line in sys.stdin:
    words = line.split()
    made = 0
    for _ in range(int(words[2])):
        one = socket.socket()
        try:
            if words[0] == "listen":
                one.bind((words[1], 0))
                one.listen(1)
            else:
                one.connect((words[1], 9000))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
                raise
            break
        held.append(one)
        made += 1
    print(made, flush=True)
"""


@needs_root
class EphemeralAndTheKernel(SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()
        self.box.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=20000 20099",
                     "net.ipv4.ip_local_reserved_ports=20010-20019")
        self.pid = self.box.start(sys.executable, "-c", CLIENT)["pid"]

    def tell(self, *words) -> int:
        process = self.box.helpers[-1].process
        process.stdin.write((" ".join(str(word) for word in words) + "\n").encode())
        process.stdin.flush()
        return int(process.stdout.readline())

    def measure(self, code) -> dict:
        answer = self.twinport("ephemeral", "--json", box=self.box)
        document = answer.json()
        own = document["namespaces"][0]
        self.assertTrue(own["own"])
        # Another namespace of the machine may be short of ports; ours decides here.
        if own["headroom"] == "nearly-out" or code == 0:
            self.assertIn(answer.code, (code, 1 if document["needs_attention"] else code))
        return own

    def destination(self, own, host) -> dict:
        found = [one for one in own["tcp"]["destinations"]
                 if one["destination"] == {"address": host, "port": 9000}]
        self.assertEqual(len(found), 1, own["tcp"])
        return found[0]

    def test_free_ports_are_those_that_connect_still_finds(self):
        self.assertEqual(self.measure(0)["size"], 90)
        self.assertEqual(self.tell("connect", "127.0.0.1", 40), 40)
        self.assertEqual(self.tell("listen", "127.0.0.1", 5), 5)
        own = self.measure(0)
        self.assertEqual(own["tcp"]["taken"], 5)
        self.assertEqual(len(own["listeners"]), 5)
        use = self.destination(own, "127.0.0.1")
        self.assertEqual((use["used"], use["free"]), (40, 45))
        self.assertEqual(use["programs"][0]["pids"], [self.pid])
        # The kernel finds as many as we said, and not one more.
        self.assertEqual(self.tell("connect", "127.0.0.1", 100), use["free"])
        own = self.measure(1)
        self.assertEqual(self.destination(own, "127.0.0.1")["free"], 0)
        self.assertEqual(own["headroom"], "nearly-out")
        self.assertTrue(own["advice"])

    def test_each_destination_has_its_own_pool(self):
        self.assertEqual(self.tell("connect", "127.0.0.1", 100), 90)
        own = self.measure(1)
        self.assertEqual(self.destination(own, "127.0.0.1")["free"], 0)
        self.assertEqual(self.tell("connect", "127.0.0.2", 30), 30)
        own = self.measure(1)
        self.assertEqual(self.destination(own, "127.0.0.2")["free"], 60)
        self.assertEqual(own["tcp"]["in_use"], 90)

    def test_the_page_says_so_in_words(self):
        self.tell("connect", "127.0.0.1", 88)
        answer = self.twinport("ephemeral", box=self.box)
        self.assertEqual(answer.code, 1)
        self.assertTrue(answer.out.startswith("Nearly out of ports"), answer.out)
        self.assertIn("only 2 of 90", " ".join(answer.out.split()))


if __name__ == "__main__":
    unittest.main()
