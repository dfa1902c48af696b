"""The recorder is killed at random moments under load: the store opens again, all that it says was
recorded is there with its true owner, what came after is a gap that is shown, and it is short."""

import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
import unittest
from datetime import datetime, timezone

import harness
from recorder import Recorder

sys.path.insert(0, str(harness.ROOT / "bench"))
import recorded_truth  # noqa: E402  pylint: disable=wrong-import-position

RUNS_ALONE = True  # a recorder that listens meanwhile would lose events
ROUNDS = int(os.environ.get("TWINPORT_KILL_ROUNDS", "5"))  # tests/soak asks for many more
SOAK = "TWINPORT_KILL_ROUNDS" in os.environ
SEED = int(os.environ.get("TWINPORT_KILL_SEED", "20261122"))
LOADS = (("connect-close", 2000), ("prefork-reset", 1000), ("udp-connect", 3000),
         ("udp-bind", 3000), ("program", 150), ("connect-close", 8000))
LONGEST_SECONDS = 4.5  # more than two batches
MISSING_SECONDS_MOST = 2.0


def time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class KilledRecorder(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox("net", "mount")
        self.state = pathlib.Path(self.environment["TWINPORT_STATE"])
        self.checked = self.missing = self.lossy = 0
        self.longest_missing_s = 0.0

    def timeline(self, since: float) -> dict:
        answer = self.twinport("timeline", "--json", "--limit", 200_000, "--since",
                               time_text(since))
        self.assert_code(answer, 0, 1)
        return answer.json()

    def load(self, kind: str, rate: int, seconds: float):
        """(process, file of the truth): traffic that goes on for so long."""
        truth = os.path.join(self.state, "truth")
        command = self.box.command(harness.BUILD / "traffic_gen", kind, "--rate", rate, "--count",
                                   max(1, int(rate * seconds)), "--truth", truth)
        # pylint: disable=consider-using-with
        return subprocess.Popen(command, stdout=subprocess.DEVNULL), truth

    def kill_under_load(self, chosen: random.Random) -> tuple[float, dict]:
        """(recorded until, the answer before anybody recorded again)."""
        began = time.time()
        recorder = Recorder(self)
        kind, rate = chosen.choice(LOADS)
        moment = chosen.uniform(0.02, LONGEST_SECONDS)
        traffic, path = self.load(kind, rate, moment + 0.3)
        time.sleep(moment)  # the random moment, not a wait for anything
        killed_us = time.time_ns() // 1000
        recorder.end(signal.SIGKILL)
        self.assertEqual(traffic.wait(harness.HANG_SECONDS), 0)
        truths = json.loads(pathlib.Path(path).read_text())
        answer = self.timeline(began - 1)
        self.check_recorded(truths, answer, killed_us)
        return recorded_truth.microseconds(answer["recorded_until"]), answer

    def check_recorded(self, truths: list, answer: dict, killed_us: int) -> None:
        until_us = recorded_truth.microseconds(answer["recorded_until"])
        if answer["gaps"] and any(gap["lost"] for gap in answer["gaps"]):
            self.lossy += 1  # the machine could not carry the load, and the timeline says so
            return
        sockets = [truth for truth in truths if truth["side"] != "standing"
                   and truth["ended_us"] <= killed_us]
        promised = [truth for truth in sockets
                    if truth["ended_us"] <= until_us - recorded_truth.CLOCK_SLACK_US]
        rows = recorded_truth.Rows(answer["rows"], self.box.netns)
        for tally in recorded_truth.compare(promised, rows).values():
            self.assertEqual([said for _, said in tally.missing], [])
            self.assertEqual([said for _, _, said in tally.wrong], [])
            self.assertEqual(tally.close_unseen, 0)
        self.checked += len(promised)
        rows = recorded_truth.Rows(answer["rows"], self.box.netns)
        for tally in recorded_truth.compare(sockets, rows).values():
            self.missing += len(tally.missing)
            for truth, _ in tally.missing:
                self.longest_missing_s = max(self.longest_missing_s,
                                             (killed_us - truth["ended_us"]) / 1e6)

    def kill_at_the_start(self, chosen: random.Random) -> None:
        # pylint: disable=consider-using-with
        process = subprocess.Popen([harness.TWINPORT, "record"], env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chosen.uniform(0, 0.4))  # the random moment
        process.kill()
        process.wait(harness.HANG_SECONDS)

    def check_store(self) -> None:
        self.assertEqual([path.name for path in self.state.glob("*.damaged-*")], [])
        with sqlite3.connect(f"file:{self.state}/timeline.db?mode=ro", uri=True) as database:
            self.assertEqual(database.execute("PRAGMA quick_check").fetchall(), [("ok",)])

    def test_loses_no_more_than_the_last_batch_and_says_so(self):
        for number in range(ROUNDS):
            with self.subTest(seed=SEED, round=number):
                chosen = random.Random(SEED + number)
                until_us, _ = self.kill_under_load(chosen)
                if chosen.random() < 0.3:
                    self.kill_at_the_start(chosen)
                began = time.time()
                self.assert_code(self.twinport("record", "--for", "100ms"), 0, 1)
                gaps = [gap for gap in self.timeline(until_us / 1e6 - 1)["gaps"]
                        if gap["kind"] == "not-recording"]
                # One that was killed while it began may have written a batch, and ends a gap.
                shown = [(recorded_truth.microseconds(gap["from"]),
                          recorded_truth.microseconds(gap["until"])) for gap in gaps]
                self.assertTrue(any(abs(begin - until_us) < recorded_truth.CLOCK_SLACK_US
                                    for begin, _ in shown), shown)
                self.assertGreater(max(end for _, end in shown) / 1e6, began - 0.1)
                if number % 20 == 0 or number == ROUNDS - 1:
                    self.check_store()
        if SOAK:
            print(f"killed {ROUNDS} times: {self.checked:,} sockets that were promised are there; "
                  f"{self.missing:,} of the last moments are missing, the oldest "
                  f"{self.longest_missing_s:.2f} s before the kill; "
                  f"{self.lossy} rounds lost events")
            self.assertLessEqual(self.longest_missing_s, MISSING_SECONDS_MOST)
            self.assertLess(self.lossy, ROUNDS / 10)
        self.assertGreater(self.checked, 0)


if __name__ == "__main__":
    unittest.main()
