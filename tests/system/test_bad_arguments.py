"""Wrong usage ends with exit code 2, one message on standard error that names what was wrong, and
nothing on standard output."""

import unittest

import harness

WRONG = [
    [],
    ["nonsense"],
    ["ports", "--nonsense"],
    ["ports", "--collector", "magic"],
    ["ports", "--collector"],
    ["ports", "port ="],
    ["ports", "port = 99999"],
    ["ports", "proto = tcp and"],
    ["ports", "nonsense = 1"],
    ["ports", "(" * 5000],
    ["ports", "--columns", "nonsense"],
    ["ports", "--sort", "nonsense"],
    ["ports", "tcp", "udp", "and more", "words"],
    ["port"],
    ["PORTS"],
    ["ports", "\x1b[31m"],
    ["ports", b"\xff\xfe"],
]


class BadArguments(harness.SystemTest):
    def test_wrong_usage_is_exit_code_2(self):
        for words in WRONG:
            with self.subTest(words=[word[:40] for word in words]):
                answer = self.twinport(*words) if not any(
                    isinstance(word, bytes) for word in words) else self.run_command(
                    [harness.TWINPORT, *words], env=self.environment)
                self.assert_code(answer, 2)
                self.assertEqual(answer.out, "")
                self.assertNotEqual(answer.err.strip(), "")
                self.assertNotIn("\x1b", answer.err)
                self.assertLess(len(answer.err), 4000, "the message repeats the whole input")

    def test_a_near_miss_is_answered_with_what_was_meant(self):
        answer = self.twinport("prots")
        self.assert_code(answer, 2)
        self.assertIn("ports", answer.err)


if __name__ == "__main__":
    unittest.main()
