"""A backup that fills the disk fails and says so, takes nothing away, and leaves no half-written
files; with more room the next one uses what was stored."""

import pathlib
import random
import unittest

import harness

MIB = 1 << 20
SMALL, LARGE = 8 * MIB, 64 * MIB


@harness.needs_root
class DiskFull(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox("mount")
        self.here = pathlib.Path(self.state)
        self.disk = self.here / "disk"
        self.disk.mkdir()
        (self.here / "passphrase").write_text("a passphrase\n")
        self.environment["TWINPORT_REPO"] = str(self.disk / "repository")
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(self.here / "passphrase")
        chosen = random.Random(1)
        for name, size in (("small", SMALL), ("large", LARGE)):
            (self.here / name).mkdir()
            (self.here / name / "file").write_bytes(chosen.randbytes(size))

    def in_box(self, *words):
        return self.twinport(*words, box=self.box)

    def files_in(self, folder: str) -> list[str]:
        listed = self.box.run("find", self.disk / "repository" / folder, "-type", "f")
        return listed.stdout.decode().split()

    def assert_restored(self, snapshot: str, name: str):
        to = self.here / f"restored {snapshot}"
        self.assert_code(self.in_box("restore", snapshot, "--to", to), 0)
        self.assertEqual((to / str(self.here / name / "file").lstrip("/")).read_bytes(),
                         (self.here / name / "file").read_bytes())

    def test_at_any_stage_it_fails_cleanly_and_goes_on_with_more_room(self):
        # From "no room for a pack" to "room for all but the last few objects". A MiB is gc's.
        for room in (SMALL + 3 * MIB, SMALL + LARGE // 2 + 4 * MIB,
                     SMALL + LARGE + MIB + 160 * 1024):
            with self.subTest(room=room):
                self.box.run("mount", "-t", "tmpfs", "-o", f"size={room}", "none", self.disk)
                self.assert_code(self.in_box("repo", "init"), 0)
                first = self.in_box("backup", self.here / "small", "--json")
                self.assert_code(first, 0)
                full = self.in_box("backup", self.here / "large", "--json")
                if full.code == 0:
                    self.fail(f"{room} bytes were enough: the test tests nothing")
                self.assert_code(full, 3)
                self.assertIn("No space left on device", full.err)
                self.assertEqual(self.files_in("incoming"), [])
                self.assert_code(self.in_box("repo", "check", "--read-data"), 0)
                self.assert_restored(first.json()["snapshot"], "small")
                left = set(self.files_in("packs"))
                self.box.run("mount", "-o", f"remount,size={4 * (SMALL + LARGE)}", self.disk)
                again = self.in_box("backup", self.here / "large", "--json")
                self.assert_code(again, 0)
                self.assertLessEqual(left, set(self.files_in("packs")))
                used = self.box.run("du", "-s", "--block-size=1", self.disk / "repository")
                self.assertLess(int(used.stdout.split()[0]), 1.02 * (SMALL + LARGE) + MIB)
                self.assert_restored(again.json()["snapshot"], "large")
                self.box.run("umount", self.disk)


if __name__ == "__main__":
    unittest.main()
