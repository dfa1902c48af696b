"""A command name with control characters and broken UTF-8 reaches no terminal raw, and comes
through JSON without loss."""

import unittest

import harness

NAME = b'\x1b[31m\xff\n"\\(x) \xc3\xa9'  # as tests/odd_sockets makes it


@harness.needs_root
class HostileNames(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()
        self.box.start(harness.BUILD / "odd_sockets")

    def test_text_shows_it_escaped(self):
        for flags in ((), ("--wide",), ("--no-header",)):
            with self.subTest(flags=flags):
                answer = self.twinport("ports", *flags, "port = 3116", box=self.box)
                self.assert_code(answer, 0, 1)
                for byte in ("\x1b", "\udcff"):
                    self.assertNotIn(byte, answer.out)
                self.assertIn("\\x1b[31m\\xff\\n", answer.out)

    def test_json_keeps_every_byte(self):
        inventory = self.inventory(box=self.box)
        (row,) = [row for row in inventory["sockets"] if row["local"]["port"] == 3116]
        (owner,) = row["owners"]
        self.assertEqual(owner["command"].encode(errors="surrogateescape"), NAME)
        (process,) = [p for p in inventory["processes"] if p["pid"] == owner["pid"]]
        self.assertEqual(process["command"].encode(errors="surrogateescape"), NAME)


if __name__ == "__main__":
    unittest.main()
