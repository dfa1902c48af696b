"""Without BPF the recorder hears of closings and looks every second: what is open for longer is
named, what lived between two looks is recorded without an owner, never with a wrong one, and the
answer says that something may be missing."""

import os
import subprocess
import sys
import time
import unittest

import harness
from recorder import Recorder, short_connection

# Listens and holds a connection to itself until its input closes.
HOLDER = """
import json, os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
print(json.dumps({"client": client.getsockname()[1], "server": server.getsockname()[1],
                  "pid": os.getpid()}), flush=True)
sys.stdin.read()
"""


@harness.needs_root
class RecordWithoutBpf(harness.SystemTest):
    def rows(self, netns: int) -> list:
        answer = self.twinport("timeline", f"netns = {netns}", "--json")
        self.assert_code(answer, 0, 1)
        return answer.json()["rows"]

    def held_then_closed(self, collector: str) -> tuple:
        """Rows of a process that held sockets for some looks, and its truth."""
        recorder = Recorder(self, "--collector", collector)
        box = self.sandbox("net")
        made = box.start(sys.executable, "-c", HOLDER)
        deadline = time.monotonic() + harness.HANG_SECONDS
        while len(self.rows(box.netns)) < 3:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        box.stop_helpers()
        while not all(row["closed"] for row in self.rows(box.netns)):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertEqual(recorder.end()[0], 0)
        return self.rows(box.netns), made

    def test_what_is_open_for_longer_is_named(self):
        for collector in ("sock_diag", "proc"):
            with self.subTest(collector=collector):
                rows, made = self.held_then_closed(collector)
                by_role = {row["role"]: row for row in rows}
                self.assertEqual({role: row["local"]["port"] for role, row in by_role.items()},
                                 {"listener": made["server"], "incoming": made["server"],
                                  "outgoing": made["client"]})
                for row in rows:
                    self.assertEqual((row["owner"]["pid"], row["owner_proof"]),
                                     (made["pid"], "held"))
                    self.assertTrue(row["opened_before"])
                # The kernel told of their ends, unless a look came upon one first.
                found_gone = {row["close_unseen"] for row in rows}
                self.assertIn(collector == "proc", found_gone)
                if collector == "proc":
                    self.assertEqual(found_gone, {True})
                self.environment["TWINPORT_STATE"] += "-next"

    def test_what_lived_between_two_looks_has_no_owner(self):
        recorder = Recorder(self, "--collector", "sock_diag")
        box = self.sandbox("net")
        deadline = time.monotonic() + harness.HANG_SECONDS
        # A namespace is listened to once the recorder has come upon it.
        while True:
            made = short_connection(box)
            rows = [r for r in self.rows(box.netns) if r["role"] != "listener"]
            if rows:
                break
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        for row in rows:
            self.assertIsNone(row["owner"], row)
            self.assertEqual(row["owner_reason"], "between-looks")
        self.assertEqual(recorder.end()[0], 0)
        answer = self.twinport("who", made["client"], "--at", rows[0]["closed"], "--json")
        self.assert_code(answer, 1)
        self.assertIn("no-bpf", {part["reason"] for part in answer.json()["unrecorded"]})

    @harness.needs_tool("setpriv")
    def test_an_ordinary_user_records_his_own(self):
        with harness.readable_by_everybody() as program:
            state = os.path.join(os.path.dirname(program), "state")
            os.mkdir(state, 0o700)
            os.chown(state, 65534, 65534)
            self.environment["TWINPORT_STATE"] = state
            nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
            box = self.sandbox("net")
            holder = box.command(*nobody, sys.executable, "-c", HOLDER)
            with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
                held.stdout.readline()
                done = self.run_command(box.command(*nobody, program, "record", "--for", "1s"))
                held.stdin.close()
            self.assert_code(done, 1)
            self.assertIn("not bpf:", done.out.replace("\n", " "))
            pids = {row["owner"] and row["owner"]["pid"] for row in self.rows(box.netns)}
            self.assertEqual(pids, {held.pid})


if __name__ == "__main__":
    unittest.main()
