"""Who cannot read the timeline asks the recorder at its socket: an ordinary user sees his own
sockets and nobody else's, in `who --at`, `timeline` and `watch`; root sees all."""

import json
import os
import subprocess
import unittest

import harness
from recorder import Recorder, short_connection

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


@harness.needs_root
@harness.needs_tool("setpriv")
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class RecorderSocket(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.program = self.enterContext(harness.readable_by_everybody())
        # The socket must stand where others may come, the state where they may not.
        self.environment["TWINPORT_SOCKET"] = os.path.join(os.path.dirname(self.program),
                                                           "recorder.sock")
        self.recorder = Recorder(self)

    def as_nobody(self, *words) -> harness.Answer:
        return self.run_command([*NOBODY, str(self.program), *[str(word) for word in words]])

    def both(self):
        """A connection of nobody's and one of root's, in a namespace of their own."""
        box = self.sandbox("net")
        return box, short_connection(box, *NOBODY), short_connection(box)

    def until_written(self, made):
        """Root reads the directory itself."""
        while True:
            found = self.twinport("timeline", "--process", made["pid"], "--json").json()
            if found["rows"]:
                return

    def test_who_at_and_timeline_show_the_own_only(self):
        box, own, roots = self.both()
        self.until_written(roots)
        rows = self.as_nobody("timeline", f"netns = {box.netns}", "--json").json()["rows"]
        self.assertEqual({row["owner"]["pid"] for row in rows}, {own["pid"]})
        self.assertEqual({row["owner"]["uid"] for row in rows}, {65534})
        at = rows[0]["opened"]
        found = self.as_nobody("who", own["client"], "--at", at, "--json")
        self.assert_code(found, 1)
        self.assertFalse(found.json()["sees_all"])
        self.assertIn(own["pid"], {row["owner"]["pid"] for row in found.json()["rows"]})
        hidden = self.as_nobody("who", roots["client"], "--at", at, "--json").json()
        self.assertEqual([r for r in hidden["rows"] if r["netns"] == box.netns], [])
        everything = self.twinport("timeline", f"netns = {box.netns}", "--json").json()["rows"]
        self.assertEqual({row["owner"]["pid"] for row in everything}, {own["pid"], roots["pid"]})

    def watcher(self, *before):
        """A watch that the recorder has taken up: it has shown something already."""
        # pylint: disable=consider-using-with
        process = subprocess.Popen([*before, str(self.program), "watch", "--json"],
                                   env=self.environment, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.terminate)
        box = self.sandbox("net")
        os.set_blocking(process.stdout.fileno(), False)
        while not process.stdout.readline():
            self.assertIsNone(process.poll())
            short_connection(box, *before)
        os.set_blocking(process.stdout.fileno(), True)
        return process

    def owners_until(self, process, netns: int, port: int) -> set:
        """Pids of everything shown in that namespace, up to the closing of that port."""
        seen = set()
        for line in process.stdout:
            row = json.loads(line).get("row")
            if row is None or row["netns"] != netns:
                continue
            seen.add(row["owner"]["pid"])
            if row["local"]["port"] == port and row["closed"]:
                return seen
        raise AssertionError("the watch ended")

    def test_watch_shows_the_own_only(self):
        users, roots = self.watcher(*NOBODY), self.watcher()
        box = self.sandbox("net")
        made = short_connection(box)
        own = short_connection(box, *NOBODY)
        # Another namespace may have had this one's number until just now: its owners may be there.
        seen = self.owners_until(users, box.netns, own["server"])
        self.assertIn(own["pid"], seen)
        self.assertNotIn(made["pid"], seen)
        self.assertLessEqual({made["pid"], own["pid"]},
                             self.owners_until(roots, box.netns, own["server"]))

    def test_status_tells_everybody_how_it_stands(self):
        status = self.as_nobody("status", "--json")
        self.assert_code(status, 0)
        self.assertEqual(status.json()["recorder"]["pid"], self.recorder.process.pid)
        self.recorder.end()
        self.assertFalse(os.path.exists(self.environment["TWINPORT_SOCKET"]))
        self.assert_code(self.as_nobody("status"), 1)
        self.assert_code(self.twinport("status"), 1)
        # The timeline is there, but not for this user, and nobody answers for it.
        self.assert_code(self.as_nobody("who", "22", "--at", "now"), 3)


if __name__ == "__main__":
    unittest.main()
