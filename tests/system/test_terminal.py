"""On a terminal there are colours and lines of its width; NO_COLOR and pipes get neither."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import unicodedata
import unittest

import harness


class Terminal(harness.SystemTest):
    def shown(self, *words, columns=80, box=None, **variables) -> str:
        environment = {**self.environment, "TERM": "xterm", **variables}
        environment = {k: v for k, v in environment.items() if v is not None and k != "COLUMNS"}
        primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        command = [harness.TWINPORT, *words]
        with subprocess.Popen(box.command(*command) if box else command, stdout=secondary,
                              stderr=secondary, stdin=subprocess.DEVNULL,
                              env=environment) as process:
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
        self.assertIn(process.returncode, (0, 1))
        return text.decode().replace("\r\n", "\n")

    def assert_fits(self, text: str, columns: int) -> None:
        for line in text.splitlines():
            width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
            self.assertLessEqual(width, columns, line)

    def test_colours_on_a_terminal_only(self):
        self.assertIn("\x1b[1m", self.shown("--help", NO_COLOR=None))
        self.assertNotIn("\x1b", self.shown("--help", NO_COLOR="1"))
        self.assertNotIn("\x1b", self.shown("--help", NO_COLOR=None, TERM="dumb"))
        answer = self.twinport("--help", env={**self.environment, "NO_COLOR": ""})
        self.assertNotIn("\x1b", answer.out)

    @harness.needs_root
    def test_a_crowd_of_odd_sockets_fits_eighty_columns(self):
        box = self.sandbox()
        box.start(harness.BUILD / "socket_zoo", "--sockets", 300, "--processes", 2)
        box.start(harness.BUILD / "odd_sockets")
        for words in (["ports"], ["ports", "--all"], ["ports", "--all", "--detail"],
                      ["explain", "22"], ["ephemeral"], ["who", "1-65535"], ["registry", "1744"],
                      ["registry", "1-2000"], ["help", "filter"]):
            with self.subTest(words=words):
                text = self.shown(*words, box=box)
                self.assertGreater(len(text), 100)
                self.assert_fits(text, 80)


if __name__ == "__main__":
    unittest.main()
