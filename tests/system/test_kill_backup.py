"""Backups are killed at random moments, two at a time in one repository: no lock stays behind, a
check finds nothing, what was acknowledged is restored bit for bit, and what was stored is used."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time
import unittest

import harness

ROUNDS = int(os.environ.get("TWINPORT_KILL_ROUNDS", "6"))  # tests/soak asks for many more
SEED = int(os.environ.get("TWINPORT_KILL_SEED", "20261123"))
FILES, FILE_BYTES = 60, 300_000


class KilledBackup(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.here = pathlib.Path(self.state)
        self.chosen = random.Random(SEED)
        (self.here / "passphrase").write_text("a passphrase\n")
        self.environment["TWINPORT_REPO"] = str(self.here / "repository")
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(self.here / "passphrase")
        self.assert_code(self.twinport("repo", "init"), 0)
        self.trees = [self.here / "tree 0", self.here / "tree 1"]
        for tree in self.trees:
            tree.mkdir()
            for number in range(FILES):
                (tree / str(number)).write_bytes(self.chosen.randbytes(FILE_BYTES))

    def change(self, tree: pathlib.Path) -> None:
        for number in self.chosen.sample(range(FILES), 10):
            (tree / str(number)).write_bytes(self.chosen.randbytes(FILE_BYTES))

    def start(self, tree: pathlib.Path) -> subprocess.Popen:
        # pylint: disable=consider-using-with
        return subprocess.Popen([harness.TWINPORT, "backup", tree, "--json"],
                                env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)

    def contents(self, tree: pathlib.Path) -> dict:
        return {file.name: file.read_bytes() for file in tree.iterdir()}

    def stored_bytes(self) -> int:
        return sum(file.stat().st_size
                   for file in (self.here / "repository" / "packs").glob("*/*"))

    def restored(self, snapshot: str, tree: pathlib.Path) -> dict:
        to = self.here / f"restored {snapshot}"
        self.assert_code(self.twinport("restore", snapshot, "--to", to), 0)
        return self.contents(to / str(tree).lstrip("/"))

    def test_loses_nothing_acknowledged_and_leaves_no_lock(self):
        began = time.monotonic()
        first = self.start(self.trees[0])
        first.wait(harness.HANG_SECONDS)
        whole_seconds = time.monotonic() - began
        first.stdout.close()
        acknowledged = {}
        killed = 0
        for number in range(ROUNDS):
            for tree in self.trees:
                self.change(tree)
            backups = [self.start(tree) for tree in self.trees]
            time.sleep(self.chosen.uniform(0, whole_seconds))  # the random moment, not a wait
            for tree, backup in zip(self.trees, backups):
                backup.send_signal(signal.SIGKILL)
                out, _ = backup.communicate(timeout=harness.HANG_SECONDS)
                if backup.returncode == 0:
                    acknowledged[json.loads(out)["snapshot"]] = (tree, self.contents(tree))
                killed += backup.returncode == -signal.SIGKILL
            with self.subTest(round=number, seed=SEED):
                # At once, with no unlocking by anybody.
                self.assert_code(self.twinport("repo", "check", "--read-data"), 0)
        self.assertGreater(killed, 0, "no backup was killed: nothing was tested")
        for tree in self.trees:
            answer = self.twinport("backup", tree, "--json")
            self.assert_code(answer, 0)
            acknowledged[answer.json()["snapshot"]] = (tree, self.contents(tree))
        listed = self.twinport("snapshots", "--json")
        self.assert_code(listed, 0)
        names = {snapshot["name"] for snapshot in listed.json()["snapshots"]}
        self.assertLessEqual(set(acknowledged), names)
        for snapshot, (tree, contents) in acknowledged.items():
            self.assertEqual(self.restored(snapshot, tree), contents, snapshot)

    def test_the_next_backup_uses_what_a_killed_one_stored(self):
        tree = self.trees[0]
        for number in range(FILES, 4 * FILES):
            (tree / str(number)).write_bytes(self.chosen.randbytes(FILE_BYTES))
        backup = self.start(tree)
        # Until a pack is there, however long that takes; then it dies.
        while self.stored_bytes() == 0 and backup.poll() is None:
            time.sleep(0.002)
        backup.send_signal(signal.SIGKILL)
        backup.communicate(timeout=harness.HANG_SECONDS)
        if backup.returncode != -signal.SIGKILL:
            self.skipTest("the backup was done before it could be killed")
        left = self.stored_bytes()
        self.assertGreater(left, 0)
        answer = self.twinport("backup", tree, "--json")
        self.assert_code(answer, 0)
        # Nothing compresses, so all that is stored is contents, once, and a little around them.
        self.assertLess(self.stored_bytes(), 4 * FILES * FILE_BYTES * 1.01)
        self.assertEqual(self.restored(answer.json()["snapshot"], tree), self.contents(tree))


if __name__ == "__main__":
    unittest.main()
