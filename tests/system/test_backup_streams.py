"""What a command writes, or standard input, becomes one file of a snapshot; a dump that failed
never becomes one that looks good."""

import os
import pathlib
import subprocess
import unittest

import harness


class BackupStreams(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.here = pathlib.Path(self.state)
        (self.here / "passphrase").write_text("x\n")
        self.environment["TWINPORT_REPO"] = str(self.here / "repository")
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(self.here / "passphrase")
        self.assert_code(self.twinport("repo", "init"), 0)

    def snapshots(self) -> list:
        answer = self.twinport("snapshots", "--json")
        self.assert_code(answer, 0)
        return answer.json()["snapshots"]

    def restored(self, path: str) -> bytes:
        target = self.here / f"restored-{len(list(self.here.iterdir()))}"
        self.assert_code(self.twinport("restore", "latest", "--to", target), 0)
        return (target / path).read_bytes()

    def pipe(self, data: bytes, *words) -> subprocess.CompletedProcess:
        return subprocess.run([harness.TWINPORT, "backup", *words], input=data, check=False,
                              capture_output=True, env=self.environment,
                              timeout=harness.HANG_SECONDS)

    def test_standard_input_is_a_file(self):
        data = os.urandom(5 << 20)
        done = self.pipe(data, "--stdin", "dumps/orders.sql")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.restored("dumps/orders.sql"), data)
        self.assertEqual(self.snapshots()[0]["paths"], ["/dumps/orders.sql"])

    def test_a_command_is_a_file(self):
        answer = self.twinport("backup", "--from-command", "numbers", "--json", "--",
                               "sh", "-c", "echo begun >&2; seq \"$1\"", "sh", "300000")
        self.assert_code(answer, 0)
        self.assertEqual(answer.err, "begun\n")
        expected = "".join(f"{i}\n" for i in range(1, 300001)).encode()
        self.assertEqual(answer.json()["data_bytes"], len(expected))
        self.assertEqual(self.restored("numbers"), expected)

    def test_a_command_that_fails_leaves_no_snapshot(self):
        for script, told in (("seq 900000; echo 'no such table' >&2; exit 7",
                              ("exit code 7", "no such table")),
                             ("seq 10; kill -9 $$", ("signal 9",)),
                             ("exit 1", ("exit code 1",))):
            with self.subTest(script=script):
                answer = self.twinport("backup", "--from-command", "dump", "--", "sh", "-c", script)
                self.assert_code(answer, 3)
                for words in ("no snapshot was made", *told):
                    self.assertIn(words, answer.err)
                self.assertEqual(answer.out, "")
        missing = self.twinport("backup", "--from-command", "dump", "--", "/nothing/here")
        self.assert_code(missing, 3)
        self.assertIn("cannot run /nothing/here", missing.err)
        self.assertEqual(self.snapshots(), [])

    def test_nothing_at_all_is_told_of(self):
        done = self.pipe(b"", "--stdin", "dump")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/dump: nothing came", done.stderr)
        self.assertEqual(self.restored("dump"), b"")

    def test_what_does_not_go_together_is_refused_before_anything_runs(self):
        ran = self.here / "ran"
        for words in ((), ("--stdin", "a", "--from-command", "b", "--", "touch", ran),
                      ("--stdin", "a", self.here), ("--from-command", "a"),
                      ("--from-command", "..", "--", "touch", ran),
                      ("--from-command", "a", "--exclude", "*.o", "--", "touch", ran),
                      ("--from-command", "a/", "--", "touch", ran)):
            with self.subTest(words=words):
                self.assert_code(self.twinport("backup", *words), 2)
        self.assertFalse(ran.exists())
        self.assertEqual(self.snapshots(), [])


if __name__ == "__main__":
    unittest.main()
