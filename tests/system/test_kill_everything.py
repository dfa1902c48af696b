"""Several writers, forget, gc and readers at work in one repository at once, all of them killed at
random moments: nothing acknowledged is lost, no reader sees damage, nothing has to be unlocked, and
in the end everything that is not needed can be freed."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time
import unittest

import harness

ROUNDS = int(os.environ.get("TWINPORT_CARE_ROUNDS", "5"))  # tests/soak asks for many more
SEED = int(os.environ.get("TWINPORT_KILL_SEED", "20261124"))
FILES, FILE_BYTES = 40, 100_000


class KilledCare(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.here = pathlib.Path(self.state)
        self.chosen = random.Random(SEED)
        (self.here / "passphrase").write_text("a passphrase\n")
        self.environment["TWINPORT_REPO"] = str(self.here / "repository")
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(self.here / "passphrase")
        self.assert_code(self.twinport("repo", "init"), 0)
        self.trees = [self.here / f"tree {number}" for number in range(3)]
        for tree in self.trees:
            tree.mkdir()
            for number in range(FILES):
                self.write(tree / str(number))
        self.acknowledged = {}  # snapshot: (tree, contents)
        self.killed = {}

    def write(self, path: pathlib.Path) -> None:
        # From a small stock of contents, so that what was forgotten comes back in other trees.
        path.write_bytes(random.Random(self.chosen.randrange(60)).randbytes(FILE_BYTES))

    def contents(self, tree: pathlib.Path) -> dict:
        return {file.name: file.read_bytes() for file in tree.iterdir()}

    def start(self, *words) -> subprocess.Popen:
        # pylint: disable=consider-using-with
        return subprocess.Popen([harness.TWINPORT, *words], env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, process: subprocess.Popen, kill: bool) -> bytes | None:
        """What it said, where it came to its end."""
        if kill:
            process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=harness.HANG_SECONDS)
        words = process.args[1:3]
        if process.returncode == -signal.SIGKILL:
            self.killed[words[0]] = self.killed.get(words[0], 0) + 1
            return None
        # A second gc finds the first at work, and says so.
        if words == ["repo", "gc"] and b"another gc" in err:
            return None
        if words[0] == "restore" and b"there is no snapshot" in err:
            return None
        self.assertEqual(process.returncode, 0, f"{words}: {err.decode()}")
        return out

    def one_round(self, number: int) -> None:
        for tree in self.trees:
            for file in self.chosen.sample(range(FILES), 8):
                self.write(tree / str(file))
        work = [(self.start("backup", tree, "--json"), tree) for tree in self.trees]
        work.append((self.start("repo", "gc", "--dead-share", "5"), None))
        work.append((self.start("forget", "--keep-last", "2", "--force", "--json"), "forget"))
        if self.acknowledged:
            snapshot = self.chosen.choice(sorted(self.acknowledged))
            to = self.here / f"restored {number}"
            work.append((self.start("restore", snapshot, "--to", to), (snapshot, to)))
        work.append((self.start("repo", "gc"), None))
        time.sleep(self.chosen.uniform(0, 0.6))  # the random moment, not a wait
        self.chosen.shuffle(work)
        for process, what in work:
            out = self.end(process, self.chosen.random() < 0.5)
            if out is None:
                continue
            if isinstance(what, pathlib.Path):
                self.acknowledged[json.loads(out)["snapshot"]] = (what, self.contents(what))
            elif isinstance(what, tuple):
                self.assert_restored(*what)

    def assert_restored(self, snapshot: str, to: pathlib.Path) -> None:
        tree, contents = self.acknowledged[snapshot]
        self.assertEqual(self.contents(to / str(tree).lstrip("/")), contents, snapshot)

    def note_forgotten(self) -> None:
        """Of each tree the newest that was acknowledged stays, whatever forget does."""
        listed = self.twinport("snapshots", "--json")
        self.assert_code(listed, 0)
        there = {snapshot["name"] for snapshot in listed.json()["snapshots"]}
        for tree in self.trees:
            of_tree = [name for name, (of, _) in self.acknowledged.items() if of == tree]
            newer = [snapshot["name"] for snapshot in listed.json()["snapshots"]
                     if snapshot["paths"] == [str(tree)]]
            self.assertGreaterEqual(len(newer), 1, tree)
            for snapshot in of_tree:
                if snapshot not in there:
                    # Two newer ones, acknowledged or not, stood in its place.
                    self.assertGreaterEqual(len(newer), 2, snapshot)
                    del self.acknowledged[snapshot]

    def test_nothing_acknowledged_is_lost(self):
        for tree in self.trees:
            out = self.end(self.start("backup", tree, "--json"), False)
            self.acknowledged[json.loads(out)["snapshot"]] = (tree, self.contents(tree))
        for number in range(ROUNDS):
            with self.subTest(round=number, seed=SEED):
                self.one_round(number)
                self.note_forgotten()
                # At once, with no unlocking by anybody.
                self.assert_code(self.twinport("repo", "check", "--read-data"), 0)
        self.assertGreater(sum(self.killed.values()), 0, "nothing was killed: nothing was tested")
        for _ in range(2):
            self.assert_code(self.twinport("repo", "gc", "--dead-share", "1"), 0)
        answer = self.twinport("repo", "gc", "--json").json()
        for field in ("waiting_packs", "dead_packs", "sessions", "leftover_files"):
            self.assertEqual(answer[field], 0, field)
        self.assert_code(self.twinport("repo", "check", "--read-data"), 0)
        for number, snapshot in enumerate(sorted(self.acknowledged)):
            to = self.here / f"at the end {number}"
            self.assert_code(self.twinport("restore", snapshot, "--to", to), 0)
            self.assert_restored(snapshot, to)


if __name__ == "__main__":
    unittest.main()
