"""What becomes of the text: readers that go away, disks that are full, outputs that are closed."""

import os
import pathlib
import pty
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TWINPORT = ROOT / "build" / "release" / "twinport"


class Outputs(unittest.TestCase):
    def test_a_reader_that_leaves_early_is_no_error(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([TWINPORT, "--help"], stdout=write_end, stderr=subprocess.PIPE,
                              check=False)
        os.close(write_end)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_a_full_disk_is_reported(self):
        for arguments in (["version"], ["version", "--json"], ["--help"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([TWINPORT, *arguments], stdout=full, stderr=subprocess.PIPE,
                                      check=False)
            self.assertEqual(done.returncode, 3)
            self.assertIn(b"No space left on device", done.stderr)

    def test_a_closed_standard_output_is_reported(self):
        done = subprocess.run(["sh", "-c", f"exec {TWINPORT} version >&-"], capture_output=True,
                              check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"standard output", done.stderr)

    def test_all_descriptors_closed_does_no_harm(self):
        done = subprocess.run(["sh", "-c", f"exec {TWINPORT} ports <&- >&- 2>&-"], check=False)
        self.assertEqual(done.returncode, 3)

    def test_a_terminal_gets_colours_and_its_own_width(self):
        def on_terminal(**variables):
            environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
            environment.update({"TERM": "xterm"}, **variables)
            primary, secondary = pty.openpty()
            subprocess.run([TWINPORT, "--help"], stdout=secondary, env=environment, check=True)
            os.close(secondary)
            text = b""
            while True:
                try:
                    block = os.read(primary, 65536)
                except OSError:  # Linux says EIO when the other side is closed
                    break
                if not block:
                    break
                text += block
            os.close(primary)
            return text

        self.assertIn(b"\x1b[1m", on_terminal())
        self.assertNotIn(b"\x1b", on_terminal(NO_COLOR="1"))


if __name__ == "__main__":
    unittest.main()
