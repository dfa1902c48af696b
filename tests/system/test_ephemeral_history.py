"""`ephemeral` tells how the range was used, from what the recorder saw of real connections: the
kernel's own way of choosing source ports, who used them up, and how many were open at once."""

import json
import sys
import unittest

import harness
import recorder

# Connections that the kernel chooses ports for, one after another to one listener, each closed at
# once; then some that a program binds first; then some that are open together; then UDP. Prints the
# listener's ports.
TRAFFIC = """
import json, socket
def listen():
    return socket.create_server(("127.0.0.1", 0), backlog=200)
def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\x01\\0\\0\\0\\0\\0\\0\\0")
    sock.close()
one, two, three = listen(), listen(), listen()
for number in range(200):
    client = socket.create_connection(one.getsockname())
    served = one.accept()[0]
    reset(client)
    served.close()
for number in range(200):
    client = socket.socket()
    client.bind(("127.0.0.1", 0))
    client.connect(two.getsockname())
    served = two.accept()[0]
    reset(client)
    served.close()
together = []
for number in range(40):
    together.append(socket.create_connection(three.getsockname()))
    together.append(three.accept()[0])
for sock in together[::2]:
    reset(sock)
for number in range(60):
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.connect(("127.0.0.1", 9))
    asking.send(b"x")
    asking.close()
print(json.dumps([listener.getsockname()[1] for listener in (one, two, three)]))
"""


@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF programs cannot be loaded here")
class EphemeralHistory(harness.SystemTest):
    def test_tells_how_real_connections_used_the_range(self):
        box = self.sandbox()
        # Listeners would be strewn over the range that is measured.
        run = recorder.Recorder(self, "--no-alerts", box=box)
        ports = json.loads(box.run(sys.executable, "-c", TRAFFIC).stdout)
        run.end()
        answer = self.twinport("ephemeral", "--json", "--top", 100, box=box)
        self.assert_code(answer, 0, 1)  # 1: another test uses up a range of its own
        history = answer.json()["history"]
        self.assertEqual(history["events_lost"], 0)
        self.assertEqual(history["tcp_connections"], 440)
        self.assertEqual(history["udp_ports"], 60)
        by_port = {one["destination"]["port"]: one for one in history["destinations"]}
        self.assertEqual(sorted(by_port), sorted(ports))
        one, two, three = (by_port[port] for port in ports)
        self.assertEqual([d["connections"] for d in (one, two, three)], [200, 200, 40])
        self.assertEqual([d["peak_open"] for d in (one, two, three)], [1, 1, 40])
        for destination in (one, two, three):
            # All of it took less than the minute that ports count as resting.
            self.assertLessEqual(destination["peak"], destination["connections"])
            self.assertGreater(destination["peak"], destination["connections"] * 0.9)
            self.assertEqual(destination["forecast"]["trend"], "too-short")
            self.assertEqual(destination["now"], 0)
        # Linux counts up for each destination when connect() chooses, and bind() draws at random.
        self.assertEqual(one["steps"]["guessing"], "easy")
        self.assertEqual(one["steps"]["pairs"], 199)
        self.assertEqual(two["steps"]["guessing"], "random")
        self.assertEqual(history["guessing"]["udp"]["guessing"], "random")
        self.assertEqual(history["guessing"]["udp"]["pairs"], 59)
        self.assertNotEqual(history["guessing"]["pattern"], "one-counter")
        (burner,) = [b for b in history["burners"] if b["ports"] > 10]
        self.assertIn("python", burner["program"])
        self.assertEqual(burner["ports"], 500)
        self.assertGreater(burner["short_lived"], 400)

    def test_another_namespace_has_a_past_of_its_own(self):
        box, other = self.sandbox(), self.sandbox()
        run = recorder.Recorder(self, "--no-alerts", box=box)
        recorder.short_connection(other)
        run.end()
        history = self.twinport("ephemeral", "--json", box=box).json()["history"]
        self.assertEqual(history["tcp_connections"], 0)
        history = self.twinport("ephemeral", "--json", box=other).json()["history"]
        self.assertEqual(history["tcp_connections"], 1)


if __name__ == "__main__":
    unittest.main()
