"""The demonstration answers for a port that is in use, then for 1744 and 56744, and then names the
program behind a connection that is already gone."""

import re
import sys
import unittest

import harness

LISTENER = """
import json, socket, sys
server = socket.create_server(("127.0.0.1", 8123))
print(json.dumps({"ready": True}), flush=True)
sys.stdin.read()  # until the test ends
"""


@harness.needs_root
class Demo(harness.SystemTest):
    def test_explains_a_port_in_use_and_the_two_of_the_tour(self):
        box = self.sandbox("net", "mount")
        box.start(sys.executable, "-c", LISTENER)
        done = self.run_command(box.command(harness.ROOT / "tools" / "demo"))
        self.assert_code(done, 0)
        self.assertIn("$ twinport explain 8123", done.out)
        self.assertIn("$ twinport explain 1744", done.out)
        self.assertIn("ncpm-ft", done.out)
        self.assertIn("$ twinport explain 56744", done.out)
        if not harness.bpf_works():
            return
        asked = re.search(r"accepted a connection from 127\.0\.0\.1:(\d+)", done.out)
        self.assertIsNotNone(asked, str(done))
        port = asked.group(1)
        if re.search(r"events\s+were\s+lost", done.out):
            # The machine was too busy to hear of every socket: then it says so, and this one may
            # be among the lost.
            return
        self.assertRegex(done.out, rf"\(pid \d+\) was connected from\s+port {port}/tcp")


if __name__ == "__main__":
    unittest.main()
