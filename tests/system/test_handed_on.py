"""A socket belongs to who holds it, not to who once opened it: a program that opens one for another
and ends is named for its own time only, and live answers agree."""

import json
import os
import sys
import time
import unittest

import harness
from recorder import Recorder

# Listens and connects to itself, hands both ends on to a program of another name, and ends.
LAUNCHER = """
import json, os, socket, subprocess
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
heir = subprocess.Popen(["/usr/bin/sleep", "60"], pass_fds=(server.fileno(), client.fileno()),
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
print(json.dumps({"server": server.getsockname()[1], "client": client.getsockname()[1],
                  "launcher": os.getpid(), "heir": heir.pid}))
"""


@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class HandedOn(harness.SystemTest):
    def rows(self, box, port: int, *filters: str) -> list:
        """Of one local port, oldest first."""
        answer = self.twinport("timeline", f"netns={box.netns} and lport={port}", "--json",
                               *filters)
        return answer.json()["rows"][::-1]

    def test_the_heir_is_named_and_the_launcher_for_its_own_time(self):
        box = self.sandbox("net")
        recorder = Recorder(self)
        made = json.loads(box.run(sys.executable, "-c", LAUNCHER).stdout)
        self.addCleanup(lambda: os.path.exists(f"/proc/{made['heir']}") and
                        os.kill(made["heir"], 9))
        deadline = time.monotonic() + harness.HANG_SECONDS
        while True:
            rows = {port: self.rows(box, made[port]) for port in ("server", "client")}
            named = [r for one in rows.values() for r in one
                     if r["owner"] and r["owner"]["pid"] == made["heir"]]
            if len(named) == 2:
                break
            self.assertLess(time.monotonic(), deadline, rows)
            time.sleep(0.2)
        for port, found in rows.items():
            found = [r for r in found if r["role"] in ("listener", "outgoing")]
            self.assertEqual([r["owner"]["pid"] for r in found], [made["launcher"], made["heir"]],
                             port)
            self.assertEqual([r["owner_reason"] for r in found], ["handed-on", "taken-over"])
            self.assertEqual(found[0]["closed"], found[1]["opened"])
            self.assertIsNone(found[1]["closed"])
        os.kill(made["heir"], 9)
        self.assertEqual(recorder.end()[0], 0)


if __name__ == "__main__":
    unittest.main()
