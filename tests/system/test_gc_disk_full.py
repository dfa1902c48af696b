"""On a disk without a free byte, forget and gc free room all the same; all that is left is whole"""

import pathlib
import random
import unittest

import harness

MIB = 1 << 20


@harness.needs_root
class GcOnAFullDisk(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox("mount")
        self.here = pathlib.Path(self.state)
        self.disk = self.here / "disk"
        self.disk.mkdir()
        self.tree = self.here / "tree"
        self.tree.mkdir()
        (self.here / "passphrase").write_text("a passphrase\n")
        self.environment["TWINPORT_REPO"] = str(self.disk / "repository")
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(self.here / "passphrase")
        self.chosen = random.Random(3)

    def free_bytes(self) -> int:
        told = self.box.run("df", "--block-size=1", "--output=avail", self.disk)
        return int(told.stdout.split()[-1])

    def test_it_frees_what_was_forgotten(self):
        self.box.run("mount", "-t", "tmpfs", "-o", f"size={40 * MIB}", "none", self.disk)
        self.assert_code(self.twinport("repo", "init", box=self.box), 0)
        for _ in range(3):
            (self.tree / "file").write_bytes(self.chosen.randbytes(8 * MIB))
            self.assert_code(self.twinport("backup", self.tree, box=self.box), 0)
        filler = self.disk / "filler"
        self.box.run("sh", "-c", f"cat /dev/zero > '{filler}' 2>/dev/null; true")
        self.assertEqual(self.free_bytes(), 0)
        full = self.twinport("backup", self.here / "passphrase", box=self.box)
        self.assert_code(full, 3)
        self.assert_code(self.twinport("forget", "--keep-last", "1", "--force", box=self.box), 0)
        answer = self.twinport("repo", "gc", "--json", box=self.box)
        self.assert_code(answer, 0)
        self.assertGreater(answer.json()["removed_bytes"], 15 * MIB)
        self.assertGreater(self.free_bytes(), 14 * MIB)
        self.assert_code(self.twinport("repo", "check", "--read-data", box=self.box), 0)
        self.assert_code(self.twinport("restore", "latest", "--to", self.here / "back",
                                       box=self.box), 0)
        self.assertEqual((self.here / "back" / str(self.tree / "file").lstrip("/")).read_bytes(),
                         (self.tree / "file").read_bytes())
        self.assert_code(self.twinport("backup", self.tree, box=self.box), 0)


if __name__ == "__main__":
    unittest.main()
