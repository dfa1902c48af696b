"""`who --at` names the process, the user and the peer of a connection that lived for less than a
millisecond, from a time as a log has it; what was not recorded is never called "nobody"."""

import datetime
import os
import signal
import sys
import time
import unittest

import harness
from recorder import Recorder, short_connection


def log_time() -> str:
    """Now, as most logs write it: local time without a fraction."""
    return datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")


@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class WhoAt(harness.SystemTest):
    def asked(self, code: int, port, at: str, *words) -> dict:
        answer = self.twinport("who", port, "--at", at, "--json", *words)
        self.assert_code(answer, code)
        return answer.json()

    def beyond(self, moment: str):
        """Waits until that second and the one after it are over, give or take nothing."""
        end = datetime.datetime.fromisoformat(moment) + datetime.timedelta(seconds=2)
        while datetime.datetime.now() < end:
            time.sleep(0.05)

    def test_names_both_ends_of_a_connection_that_is_gone(self):
        before = log_time()
        self.beyond(before)
        recorder = Recorder(self)
        started = log_time()
        self.beyond(started)  # the second asked about is recorded from its first moment
        box = self.sandbox("net")
        at = log_time()
        made = short_connection(box, "setpriv", "--reuid", "65534")
        self.assertFalse(os.path.exists(f"/proc/{made['pid']}"))
        self.beyond(at)
        self.assertEqual(recorder.end()[0], 0)

        found = self.asked(0, made["client"], at)
        rows = [r for r in found["rows"] if r["netns"] == box.netns and r["relation"] == "held"]
        self.assertEqual(len(rows), 1, found)
        row = rows[0]
        self.assertEqual((row["owner"]["pid"], row["owner"]["uid"], row["owner"]["user"]),
                         (made["pid"], 65534, "nobody"))
        self.assertEqual(row["owner"]["command"], os.path.basename(sys.executable)[:15])
        self.assertIn(row["owner"]["exe"], (sys.executable, os.path.realpath(sys.executable)))
        self.assertEqual(row["remote"], {"address": "127.0.0.1", "port": made["server"]})
        self.assertLessEqual(row["lasted_us"] * 1000, made["lived_ns"])
        self.assertEqual(row["owner_proof"], "acted")

        text = self.twinport("who", f"127.0.0.1:{made['client']}", "--at", at, "--peer",
                             f"127.0.0.1:{made['server']}")
        self.assert_code(text, 0)
        lead = " ".join(text.out.split("\n\n")[0].split())
        self.assertIn(f"held port {made['client']} of 127.0.0.1", lead)
        # It was in the sandbox, and the question comes from outside.
        self.assertRegex(lead, rf"In another network namespace .* \(pid {made['pid']}\) held it\.")
        self.assertIn("nobody (uid 65534)", text.out)
        explained = self.twinport("explain", made["client"], "--at", at)
        self.assertIn(f"(pid {made['pid']}) was connected from port", explained.out)

        # The server's side: the listener held the port, the same process served.
        served = self.asked(0, made["server"], at)
        roles = {r["role"] for r in served["rows"] if r["netns"] == box.netns}
        self.assertLessEqual({"listener", "incoming", "outgoing"}, roles)

        not_then = self.asked(1, made["client"], before)
        self.assertEqual((not_then["recorded"], not_then["rows"]), ("none", []))
        self.assertIn("Not recorded", not_then["headline"])

    def test_a_killed_recorder_leaves_a_gap_that_is_not_nobody(self):
        recorder = Recorder(self)
        time.sleep(2.2)  # past a batch
        recorder.end(signal.SIGKILL)
        self.beyond(log_time())  # the second asked about lies after the last batch
        at = log_time()
        self.beyond(at)
        dark = self.asked(1, 1744, at)
        self.assertEqual(dark["recorded"], "none")
        self.assertEqual({part["reason"] for part in dark["unrecorded"]}, {"not-written-yet"})
        self.assert_code(self.twinport("record", "--for", "1s"), 0)
        dark = self.asked(1, 1744, at)
        self.assertEqual(dark["recorded"], "none")
        self.assertEqual({part["reason"] for part in dark["unrecorded"]}, {"not-recording"})

    def test_a_reader_beside_the_recorder_sees_what_is_written(self):
        recorder = Recorder(self)
        box = self.sandbox("net")
        made = short_connection(box)
        at = log_time()
        deadline = time.monotonic() + harness.HANG_SECONDS
        while True:
            answer = self.twinport("who", made["client"], "--at", at, "--json")
            rows = [r for r in answer.json()["rows"] if r["netns"] == box.netns]
            if rows:
                break
            self.assertLess(time.monotonic(), deadline, str(answer))
        self.assertEqual(rows[0]["owner"]["pid"], made["pid"])
        self.assertEqual(recorder.end()[0], 0)

    def test_without_a_timeline_nothing_is_known(self):
        found = self.asked(1, 56744, "-10m")
        self.assertEqual((found["recorded"], found["reaches_back_to"]), ("none", None))


if __name__ == "__main__":
    unittest.main()
