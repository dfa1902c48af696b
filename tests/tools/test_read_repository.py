"""tools/read_repository.py, which was written from docs/formats/repository.md alone, restores the
golden repository as it was backed up: so the document says all that a reader needs."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "repository-1"
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tools"))
import read_repository  # noqa: E402
import tree_manifest  # noqa: E402


class Blake3(unittest.TestCase):
    """The official test vectors: 0, 1, ..., 250, 0, 1, ..."""

    def test_is_blake3(self):
        data = bytes(i % 251 for i in range(102400))
        for size, digits in ((0, "af1349b9f5f9a1a6a0404dea36dcc949"),
                             (1025, "d00278ae47eb27b34faecf67b4fe263f"),
                             (102400, "bc3e3d41a1146b069abffad3c0d44860")):
            self.assertEqual(read_repository.blake3(data[:size]).hex()[:32], digits)
        keyed = read_repository.blake3(b"", b"whats the Elvish word for friend")
        self.assertEqual(keyed.hex()[:32], "92b2b75604ed3c761f9d6f62392c8a92")


class ReadRepository(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.here = pathlib.Path(self.directory.name)
        self.expected = json.loads((GOLDEN / "expected.json").read_text())

    def read(self, *words, secret="key-file", repository=GOLDEN / "repository"):
        file = GOLDEN / {"key-file": "key", "passphrase-file": "passphrase"}[secret]
        return subprocess.run([ROOT / "tools" / "read_repository.py", repository,
                               f"--{secret}", file, *words],
                              capture_output=True, text=True, check=False)

    def snapshots(self) -> list[str]:
        """By age."""
        listed = self.read("--list")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        return [line.split()[0] for line in listed.stdout.splitlines()
                if line.endswith(" at golden")]

    def assert_restored(self, to: pathlib.Path, tree: dict, but=()):
        found = tree_manifest.manifest(to / self.expected["path"].lstrip("/"))
        self.assertEqual(sorted(found), sorted(set(tree) - set(but)))
        for path, entry in found.items():
            # Who restores owns what is restored; attributes need a file system that keeps them.
            for kept_elsewhere in ("owner", "attributes"):
                entry.pop(kept_elsewhere, None)
            wanted = {key: value for key, value in tree[path].items()
                      if key not in ("owner", "attributes")}
            self.assertEqual(entry, wanted, path)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to look into directories of mode 0")
    def test_restores_every_snapshot_as_it_was(self):
        names = self.snapshots()
        self.assertEqual(len(names), len(self.expected["trees"]))
        for number, tree in enumerate(self.expected["trees"]):
            to = self.here / str(number)
            done = self.read("--snapshot", names[number], "--to", to)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assert_restored(to, tree)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to look into directories of mode 0")
    def test_needs_no_index_and_one_copy_of_config_and_keys(self):
        copy = self.here / "copy"
        shutil.copytree(GOLDEN / "repository", copy)
        shutil.rmtree(copy / "indexes")
        shutil.rmtree(copy / "keys")
        (copy / "config").unlink()
        done = self.read("--to", self.here / "out", secret="passphrase-file", repository=copy)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assert_restored(self.here / "out", self.expected["trees"][-1])

    def test_names_what_a_flipped_byte_damaged(self):
        copy = self.here / "copy"
        shutil.copytree(GOLDEN / "repository", copy)
        for pack in copy.glob("packs/*/*"):
            data = bytearray(pack.read_bytes())
            if data[10] == 1:  # of data
                data[100] ^= 1
                pack.chmod(0o600)
                pack.write_bytes(data)
        done = self.read("--to", self.here / "out", repository=copy)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("does not open", done.stderr)

    def test_refuses_a_newer_format(self):
        copy = self.here / "copy"
        shutil.copytree(GOLDEN / "repository", copy)
        for name in ("config", "config-copy"):
            data = bytearray((copy / name).read_bytes())
            data[8] = 2
            (copy / name).chmod(0o600)
            (copy / name).write_bytes(data)
        done = self.read("--list", repository=copy)
        self.assertIn("format 2 is newer", done.stderr)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
