"""A tree is backed up to a directory, changed, backed up again and restored; what is wrong is said,
by exit code and by name, and no secret ever shows."""

import os
import pathlib
import subprocess
import unittest

import harness

SECRET = "a passphrase that must not show"


class Backup(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.here = pathlib.Path(self.state)
        self.tree = self.here / "tree"
        (self.tree / "below").mkdir(parents=True)
        for i in range(50):
            (self.tree / "below" / f"file {i}").write_text(f"content {i}\n" * (i * 20))
        (self.tree / "link").symlink_to("below")
        self.secret = self.here / "passphrase"
        self.secret.write_text(SECRET + "\n")
        self.repository = self.here / "repository"
        self.environment["TWINPORT_REPO"] = str(self.repository)
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(self.secret)

    def run_ok(self, *words) -> harness.Answer:
        answer = self.twinport(*words)
        self.assert_code(answer, 0)
        self.assertNotIn(SECRET, answer.out + answer.err)
        return answer

    def assert_same_trees(self, restored: pathlib.Path) -> None:
        done = subprocess.run(["diff", "-r", "--no-dereference", self.tree, restored], check=False,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def packs(self) -> list[pathlib.Path]:
        return sorted((self.repository / "packs").glob("*/*"))

    def damage(self, file: pathlib.Path, at: int) -> None:
        data = bytearray(file.read_bytes())
        data[at] ^= 1
        file.chmod(0o600)
        file.write_bytes(data)

    def test_files_that_settled_are_not_read_again(self):
        self.run_ok("repo", "init")
        settled = "/usr/include/linux"
        first = self.run_ok("backup", settled, "--json").json()
        self.assertGreater(first["files"], 100)
        second = self.run_ok("backup", settled, "--json").json()
        self.assertEqual(second["unchanged_files"], first["files"])

    def test_there_and_back_twice(self):
        self.run_ok("repo", "init")
        first = self.run_ok("backup", self.tree, "--json").json()
        self.assertEqual(first["files"], 50)
        self.assert_same_trees_after_restore(first["snapshot"], "one")
        (self.tree / "below" / "file 7").write_text("changed\n")
        (self.tree / "below" / "file 8").unlink()
        second = self.run_ok("backup", self.tree, "--json").json()
        # Stamps this young prove nothing yet: all was read again, and only what is new was stored.
        self.assertEqual(second["unchanged_files"], 0)
        self.assertLess(second["stored_bytes"], 100_000)
        self.assert_same_trees_after_restore(second["snapshot"], "two")
        listed = self.run_ok("snapshots", "--json").json()["snapshots"]
        self.assertEqual([s["name"] for s in listed], [first["snapshot"], second["snapshot"]])
        self.assertEqual(listed[0]["paths"], [str(self.tree)])
        entries = self.run_ok("ls", "latest", self.tree, "--json").json()["entries"]
        self.assertEqual([e["path"] for e in entries],
                         [str(self.tree), f"{self.tree}/below", f"{self.tree}/link"])
        self.run_ok("repo", "check", "--read-data")

    def assert_same_trees_after_restore(self, snapshot: str, name: str) -> None:
        target = self.here / name
        self.run_ok("restore", snapshot[:10], "--to", target)
        self.assert_same_trees(target / str(self.tree).lstrip("/"))

    def test_the_wrong_passphrase_opens_nothing(self):
        self.run_ok("repo", "init")
        self.secret.write_text("another\n")
        answer = self.twinport("backup", self.tree)
        self.assert_code(answer, 3)
        self.assertIn("does not open", answer.err)
        self.assertEqual(self.packs(), [])

    def test_a_key_file_is_made_and_opens(self):
        key = self.here / "key"
        self.run_ok("repo", "init", "--key-file", key, "--passphrase-file", self.secret)
        self.assertEqual(key.stat().st_mode & 0o777, 0o400)
        self.run_ok("backup", self.tree, "--key-file", key)
        self.run_ok("snapshots")
        line = key.read_text().strip()
        stored = b"".join(f.read_bytes() for f in self.repository.rglob("*") if f.is_file())
        self.assertNotIn(line[-64:].encode(), stored)

    def test_a_repository_is_not_made_twice_nor_over_files(self):
        self.run_ok("repo", "init")
        self.assert_code(self.twinport("repo", "init"), 2)
        self.assert_code(self.twinport("repo", "init", "--repo", self.tree), 2)
        nothing = self.twinport("backup", self.tree, "--repo", self.here / "nothing")
        self.assert_code(nothing, 3)

    def test_nothing_in_clear_but_shapes(self):
        self.run_ok("repo", "init")
        self.run_ok("backup", self.tree, "--tag", "weekly-tag", "--host", "host-name")
        stored = b"".join(f.read_bytes() for f in self.repository.rglob("*") if f.is_file())
        for word in (b"content 7", b"file 7", b"below", b"weekly-tag", b"host-name"):
            self.assertNotIn(word, stored)

    def test_damage_is_found_without_a_key_and_named_with_one(self):
        self.run_ok("repo", "init")
        self.run_ok("backup", self.tree)
        (self.tree / "large").write_bytes(os.urandom(3 << 20))
        self.run_ok("backup", self.tree)  # so that a pack has this file alone
        largest = max(self.packs(), key=lambda f: f.stat().st_size)
        self.damage(largest, largest.stat().st_size - (1 << 20))
        quiet = dict(self.environment)
        del quiet["TWINPORT_PASSPHRASE_FILE"]
        scrub = self.twinport("repo", "check", "--scrub", env=quiet)
        self.assert_code(scrub, 1)
        self.assertIn(largest.name, scrub.out)
        read = self.twinport("repo", "check", "--read-data", "--json")
        self.assert_code(read, 1)
        self.assertEqual([f["path"] for f in read.json()["damaged_files"]],
                         [f"{self.tree}/large"], "the newer snapshot's, and no other file")
        restored = self.twinport("restore", "latest", "--to", self.here / "out")
        self.assert_code(restored, 1)
        self.assertIn(f"{self.tree}/large", restored.err)
        out = self.here / "out" / str(self.tree).lstrip("/")
        self.assertFalse((out / "large").exists())
        self.assertEqual((out / "below" / "file 7").read_text(), "content 7\n" * 140)

    def test_no_older_snapshot_stands_in_for_a_damaged_latest(self):
        self.run_ok("repo", "init")
        older = self.run_ok("backup", self.tree, "--json").json()["snapshot"]
        newer = self.run_ok("backup", self.tree, "--json").json()["snapshot"]
        snapshot = self.repository / "snapshots" / newer
        self.damage(snapshot, snapshot.stat().st_size - 20)
        latest = self.twinport("restore", "latest", "--to", self.here / "out")
        self.assert_code(latest, 3)
        self.assertIn(newer, latest.err)
        self.assertIn("give the name of", latest.err)
        self.run_ok("restore", older[:8], "--to", self.here / "out")

    def test_the_repository_does_not_back_itself_up(self):
        self.environment["TWINPORT_REPO"] = str(self.tree / "repository")
        self.run_ok("repo", "init")
        self.assertEqual(self.run_ok("backup", self.tree, "--json").json()["files"], 50)
        # Nor by another way to it.
        (self.here / "way").symlink_to(self.here)
        through_a_link = self.run_ok("backup", self.here / "way" / "tree", "--json").json()
        self.assertEqual(through_a_link["files"], 50)

    @harness.needs_root
    def test_what_the_kernel_makes_up_is_not_read(self):
        box = self.sandbox("mount")
        for kind in ("proc", "sysfs"):
            (self.tree / kind).mkdir()
            box.run("mount", "-t", kind, "none", self.tree / kind)
        self.run_ok("repo", "init")
        answer = self.twinport("backup", self.tree, "--json", box=box)
        self.assert_code(answer, 0)
        self.assertEqual(answer.json()["files"], 50)
        self.run_ok("restore", "latest", "--to", self.here / "out")
        restored = self.here / "out" / str(self.tree).lstrip("/")
        for kind in ("proc", "sysfs"):
            self.assertEqual(list((restored / kind).iterdir()), [])

    @harness.needs_root
    def test_what_cannot_be_read_is_named(self):
        os.mkfifo(self.tree / "fifo")
        (self.tree / "secret").write_text("x")
        (self.tree / "secret").chmod(0)
        self.tree.chmod(0o755)
        self.here.chmod(0o755)
        with harness.readable_by_everybody() as program:
            self.repository = self.here / "other"
            nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            self.repository.mkdir()
            os.chown(self.repository, 65534, 65534)
            os.chown(self.secret, 65534, 65534)
            self.environment["TWINPORT_REPO"] = str(self.repository)
            made = self.run_command([*nobody, str(program), "repo", "init"])
            self.assert_code(made, 0)
            answer = self.run_command([*nobody, str(program), "backup", str(self.tree)])
        self.assert_code(answer, 1)
        self.assertIn(f"{self.tree}/secret", answer.err)
        self.assertIn("Snapshot ", answer.out)


if __name__ == "__main__":
    unittest.main()
