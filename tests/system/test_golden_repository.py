"""A repository of format 1, as the first Twinport made it, is read by this one: every snapshot
comes back as it was, owners and attributes included, and a check finds nothing."""

import json
import pathlib
import shutil
import sys
import unittest

import harness

GOLDEN = harness.ROOT / "tests" / "golden" / "repository-1"
sys.path.insert(0, str(harness.ROOT / "tests"))
import tree_manifest  # noqa: E402


@harness.needs_root
class GoldenRepository(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.repository = pathlib.Path(self.state, "golden")
        shutil.copytree(GOLDEN / "repository", self.repository)
        self.expected = json.loads((GOLDEN / "expected.json").read_text())

    def run_on_it(self, *words, secret=("--key-file", GOLDEN / "key")):
        answer = self.twinport(*words, "--repo", self.repository, *secret)
        self.assert_code(answer, 0)
        return answer

    def test_every_snapshot_comes_back_as_it_was(self):
        listed = self.run_on_it("snapshots", "--json").json()["snapshots"]
        self.assertEqual(len(listed), len(self.expected["trees"]))
        for number, tree in enumerate(self.expected["trees"]):
            self.assertEqual(listed[number]["tags"], [f"change {number}"])
            to = pathlib.Path(self.state, f"restored {number}")
            self.run_on_it("restore", listed[number]["name"], "--to", to)
            self.assertEqual(tree_manifest.manifest(to / self.expected["path"].lstrip("/")), tree)

    def test_a_check_finds_nothing(self):
        passphrase = ("--passphrase-file", GOLDEN / "passphrase")
        self.run_on_it("repo", "check", "--read-data", secret=passphrase)
        self.assertEqual(self.twinport("repo", "check", "--scrub", "--repo",
                                       self.repository).code, 0)


if __name__ == "__main__":
    unittest.main()
