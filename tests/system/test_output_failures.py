"""Output that cannot be delivered is an error that the exit code tells; a reader that has had
enough is not."""

import os
import subprocess
import unittest

import harness


class OutputFailures(harness.SystemTest):
    def test_a_full_disk_is_an_error(self):
        for words in (["ports"], ["ports", "--all", "--json"], ["--help"], ["version"]):
            with self.subTest(words=words), open("/dev/full", "wb") as full:
                done = subprocess.run([harness.TWINPORT, *words], stdout=full, check=False,
                                      stderr=subprocess.PIPE, env=self.environment)
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertIn(b"No space left on device", done.stderr)

    @harness.needs_root
    def test_a_reader_that_leaves_early_is_no_error(self):
        box = self.sandbox()
        # More output than a pipe holds, so that the writer meets the closed end.
        box.start(harness.BUILD / "socket_zoo", "--sockets", 4000, "--processes", 2)
        for words in (["ports", "--all"], ["ports", "--all", "--json"]):
            with self.subTest(words=words):
                read_end, write_end = os.pipe()
                with subprocess.Popen(box.command(harness.TWINPORT, *words), stdout=write_end,
                                      stderr=subprocess.PIPE, env=self.environment) as process:
                    os.close(write_end)
                    os.read(read_end, 100)
                    os.close(read_end)
                    errors = process.stderr.read()
                # Ended by SIGPIPE as `cat` would be (seen through nsenter), or an honest 0 or 1.
                self.assertIn(process.returncode, (0, 1, -13, 141), errors)
                self.assertNotIn(b"terminate", errors)

    def test_closed_standard_output_is_an_error(self):
        done = subprocess.run(["sh", "-c", 'exec "$0" version >&-', harness.TWINPORT], check=False,
                              capture_output=True, env=self.environment)
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main()
