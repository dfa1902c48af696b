"""The recorder names the process, the user and the peer of a connection that lived for less than a
millisecond, and of programs that are gone; it ends cleanly, is refused beside another one, and says
what rights it needs."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

import harness
from recorder import Recorder, short_connection

@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class Record(harness.SystemTest):
    def rows(self, where: str) -> list:
        path = os.path.join(self.environment["TWINPORT_STATE"], "timeline.db")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            database.row_factory = sqlite3.Row
            return database.execute(f"SELECT * FROM sockets WHERE {where}").fetchall()

    def test_names_who_made_a_connection_that_is_gone_at_once(self):
        box = self.sandbox("net")
        recorder = Recorder(self)
        made = short_connection(box, "setpriv", "--reuid", "65534")
        code, out, err = recorder.end()
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("Nothing was lost.", " ".join(out.split()))
        netns = box.netns
        client = self.rows(f"netns = {netns} AND role = 'outgoing'")
        self.assertEqual(len(client), 1)
        row = dict(client[0])
        self.assertEqual((row["local_port"], row["remote_port"]), (made["client"], made["server"]))
        self.assertEqual((row["pid"], row["uid"]), (made["pid"], 65534))
        self.assertEqual(row["command"], os.path.basename(sys.executable)[:15])
        self.assertEqual(row["owner_proof"], "acted")
        self.assertLessEqual(row["lasted_us"] * 1000, made["lived_ns"])
        incoming = self.rows(f"netns = {netns} AND role = 'incoming'")
        self.assertEqual([(r["local_port"], r["remote_port"]) for r in incoming],
                         [(made["server"], made["client"])])
        listener = self.rows(f"netns = {netns} AND role = 'listener'")
        self.assertEqual([(r["local_port"], r["pid"]) for r in listener],
                         [(made["server"], made["pid"])])

    def test_each_signal_that_asks_for_an_end_ends_it_cleanly(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            recorder = Recorder(self)
            code, out, err = recorder.end(number)
            self.assertEqual((code, err), (0, ""), out)
            self.assertIn("Recorded ", out)

    def test_a_second_recorder_is_told_who_is_there(self):
        recorder = Recorder(self)
        second = self.twinport("record", "--for", "1s")
        self.assert_code(second, 3)
        self.assertIn(f"another recorder (pid {recorder.process.pid}) is at work there", second.err)
        self.assertEqual(second.out, "")
        self.assertEqual(recorder.end()[0], 0)
        self.assert_code(self.twinport("record", "--for", "1s"), 0)

    def test_a_kill_leaves_a_gap_and_what_was_written(self):
        box = self.sandbox("net")
        recorder = Recorder(self)
        made = short_connection(box)
        wanted = f"netns = {box.netns} AND local_port = {made['client']}"
        deadline = time.monotonic() + harness.HANG_SECONDS
        while not self.rows(wanted):  # until the batch is written, two seconds at most
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        recorder.end(signal.SIGKILL)
        self.assert_code(self.twinport("record", "--for", "1s"), 0)
        self.assertEqual(len(self.rows(wanted)), 1)
        path = os.path.join(self.environment["TWINPORT_STATE"], "timeline.db")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            gaps = database.execute("SELECT kind, until_us - from_us FROM gaps").fetchall()
        self.assertEqual([kind for kind, _ in gaps], ["not-recording"])
        self.assertGreater(gaps[0][1], 0)

    def test_nothing_stays_open_that_closed_while_nobody_recorded(self):
        box = self.sandbox("net")
        listener = subprocess.Popen(  # pylint: disable=consider-using-with
            box.command(sys.executable, "-c", "import socket, sys\n"
                        "s = socket.create_server(('127.0.0.1', 4711))\n"
                        "print(flush=True)\nsys.stdin.read()"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        listener.stdout.readline()
        self.assert_code(self.twinport("record", "--for", "1s"), 0)
        listener.communicate()
        wanted = f"netns = {box.netns} AND local_port = 4711"
        self.assertEqual([r["closed_us"] for r in self.rows(wanted)], [None])
        self.assertEqual([r["pid"] for r in self.rows(wanted)], [listener.pid])
        self.assert_code(self.twinport("record", "--for", "1s"), 0)
        row = self.rows(wanted)[0]
        self.assertEqual((row["opened_before"], row["close_unseen"]), (1, 1))
        self.assertIsNotNone(row["closed_us"])

    def test_an_ordinary_user_is_told_what_is_missing(self):
        with harness.readable_by_everybody() as program:
            answer = self.run_command(
                ["setpriv", "--reuid", "65534", "--clear-groups", program, "record", "--state",
                 os.path.join(os.path.dirname(program), "none")],
                env={**self.environment, "TWINPORT_STATE": ""})
            self.assert_code(answer, 3)
            self.assertIn("none", answer.err)


if __name__ == "__main__":
    unittest.main()
