"""`explain` on live sockets: it names who made them and nobody else, the commands that it tells
people to type really work, and the signs that ask for a look are seen."""

import os
import re
import shutil
import sys
import unittest

from harness import SystemTest, needs_root, needs_tool

# Holds sockets as the arguments say and prints what it made as JSON, until its input closes.
HOLDER = """
import json, socket, sys
held = []
truth = {"pid": __import__("os").getpid()}
for word in sys.argv[1:]:
    kind, host, port = word.split(",")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    one.bind((host, int(port)))
    if kind == "tcp":
        one.listen(5)
    if kind == "pair":
        server = one
        server.listen(5)
        client = socket.create_connection(server.getsockname()[:2])
        accepted = server.accept()[0]
        server.close()
        held += [client, accepted]
        truth["client_port"] = client.getsockname()[1]
        continue
    held.append(one)
print(json.dumps(truth), flush=True)
sys.stdin.read()
"""


def hold(box, *words) -> dict:
    return box.start(sys.executable, "-c", HOLDER, *words)


@needs_root
class Explain(SystemTest):
    def explain(self, *words, box=None, codes=(0, 1)) -> dict:
        answer = self.twinport("explain", "--json", *words, box=box)
        self.assert_code(answer, *codes)
        document = answer.json()
        self.assertEqual(document["needs_attention"], answer.code == 1)
        if box is not None and "holds" in document:  # other tests have namespaces, too
            document["holds"] = [hold for hold in document["holds"] if hold["netns"] == box.netns]
        return document

    def test_names_the_listener_and_its_reach(self):
        box = self.sandbox()
        truth = hold(box, "tcp,127.0.0.1,1744", "tcp,0.0.0.0,1745", "udp,::,1746")
        for port, reach, role in ((1744, "loopback", "listener"), (1745, "all", "listener"),
                                  (1746, "all", "listener")):
            document = self.explain(str(port), box=box)
            self.assertEqual([hold["role"] for hold in document["holds"]], [role])
            found = document["holds"][0]
            self.assertEqual(found["reach"], reach)
            self.assertTrue(found["own_namespace"])
            self.assertEqual([program["pids"] for program in found["programs"]], [[truth["pid"]]])
            self.assertIn(f"(pid {truth['pid']})", document["headline"])

    def test_both_ends_of_a_connection_are_the_same_program_and_nobody_else(self):
        box = self.sandbox()
        truth = hold(box, "pair,127.0.0.1,7007")
        document = self.explain(str(truth["client_port"]), box=box)
        self.assertEqual({hold["role"] for hold in document["holds"]}, {"connection", "remote"})
        pids = {pid for hold in document["holds"] for program in hold["programs"]
                for pid in program["pids"]}
        self.assertEqual(pids, {truth["pid"]})
        self.assertTrue(document["facts"]["own"]["ephemeral"])

    def test_a_port_in_another_namespace_is_not_called_ours(self):
        box = self.sandbox()
        truth = hold(box, "tcp,0.0.0.0,1744")
        document = self.explain("1744/tcp")
        found = [one for one in document["holds"] if one["netns"] == box.netns]
        self.assertEqual([one["own_namespace"] for one in found], [False])
        self.assertEqual(found[0]["programs"][0]["pids"], [truth["pid"]])

    def test_time_wait_belongs_to_nobody(self):
        box = self.sandbox()
        box.run(sys.executable, "-c", "import socket\n"
                "s = socket.create_server(('127.0.0.1', 1744))\n"
                "c = socket.create_connection(('127.0.0.1', 1744))\n"
                "a = s.accept()[0]; s.close(); a.close(); c.recv(1); c.close()\n")
        document = self.explain("1744/tcp", box=box)
        self.assertEqual([one["holding"] for one in document["holds"]], ["time-wait"])
        self.assertEqual(document["holds"][0]["programs"], [])
        self.assertEqual(document["holds"][0]["creator_uids"], [])

    @needs_tool("ss")
    @needs_tool("lsof")
    def test_the_commands_it_tells_people_to_type_find_the_same_holder(self):
        box = self.sandbox()
        truth = hold(box, "tcp,127.0.0.1,1744", "udp,127.0.0.1,1744")
        for port in ("1744", "1744/tcp", "1744/udp", "1743-1844"):
            checks = self.explain(port, box=box)["checks_by_hand"]
            # Those that enter another namespace lead to another test's holder.
            linux = [check["command"] for check in checks
                     if check["system"] == "Linux" and "nsenter" not in check["command"]]
            self.assertGreaterEqual(len(linux), 2)
            for command in linux:
                done = box.run("sh", "-c", re.sub(r"^sudo ", "", command))
                self.assertEqual(done.stderr, b"", command)
                self.assertIn(str(truth["pid"]).encode(), done.stdout, command)

    def test_a_program_in_an_open_folder_asks_for_action(self):
        box = self.sandbox()
        folder = os.path.join(self.state, "bin")
        os.mkdir(folder)
        program = os.path.join(folder, "holder")
        shutil.copy(os.path.realpath(shutil.which("perl")), program)
        box.start(program, "-MIO::Socket::INET", "-e",
                  '$s = IO::Socket::INET->new(Listen => 1, LocalPort => 5555); $| = 1;'
                  'print "{}\\n"; <STDIN>;')
        document = self.explain("5555", box=box)
        names = {one["name"]: one["asks"] for one in document["safety"]["evidence"]}
        self.assertEqual(document["safety"]["level"], "act", document["safety"])
        self.assertEqual(names.get("program-in-open-folder"), "act")

    def test_a_program_that_was_replaced_is_noticed(self):
        box = self.sandbox("net", "mount")
        folder = os.path.join("/opt", os.path.basename(self.state))
        box.run("mount", "-t", "tmpfs", "none", "/opt")
        box.run("mkdir", folder)
        program = os.path.join(folder, "holder")
        box.run("cp", os.path.realpath(shutil.which("perl")), program)
        box.start(program, "-MIO::Socket::INET", "-e",
                  '$s = IO::Socket::INET->new(Listen => 1, LocalPort => 5555); $| = 1;'
                  'print "{}\\n"; <STDIN>;')
        box.run("rm", program)
        document = self.explain("5555", box=box)
        self.assertTrue(document["holds"][0]["programs"][0]["process"]["exe_deleted"])
        self.assertIn("program-deleted", {one["name"] for one in document["safety"]["evidence"]})


if __name__ == "__main__":
    unittest.main()
