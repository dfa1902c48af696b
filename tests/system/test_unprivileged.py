"""An ordinary user sees who holds his own sockets; of all others he is told that root is needed,
the exit code says that something was left out, and no owner is ever guessed. The same behind
hidepid."""

import unittest

import harness
import truth

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


@harness.needs_root
@harness.needs_tool("setpriv")
class Unprivileged(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()
        self.program = self.enterContext(harness.readable_by_everybody())
        # Root's sockets, made first so that their ports are taken.
        self.roots = self.box.start(harness.BUILD / "odd_sockets")
        self.own = self.start_as_nobody("socket_zoo", "--sockets", 60, "--processes", 2, "--truth")

    def start_as_nobody(self, program: str, *words) -> dict:
        copy = self.program.parent / program
        copy.write_bytes((harness.BUILD / program).read_bytes())
        copy.chmod(0o755)
        return self.box.start(*NOBODY, copy, *words)

    def look(self, *words) -> harness.Answer:
        command = self.box.command(*NOBODY, self.program, *words)
        environment = {**self.environment, "HOME": "/nonexistent", "TWINPORT_STATE": "/nonexistent"}
        return self.run_command(command, env=environment)

    def check(self, *flags):
        answer = self.look("ports", "--all", "--json", *flags)
        self.assert_code(answer, 1)
        inventory = answer.json()
        self.assertFalse(inventory["collector"]["complete"])
        self.assertGreater(inventory["collector"]["processes_hidden"], 0)
        rows = {row["inode"]: row for row in inventory["sockets"] if row["inode"]}
        own = truth.owners_of_zoo(self.own)
        for inode, (pid, fd, _cookie) in own.items():
            self.assertEqual((truth.owners_of(rows[inode]), rows[inode]["holding"]),
                             ({(pid, pid, fd)}, "owned"))
        for row in inventory["sockets"]:
            if row["inode"] not in own:
                self.assertEqual(row["owners"], [])
                self.assertNotEqual(row["holding"], "owned")
        # What the state alone explains is explained to everybody; the rest is hidden, not blank.
        for expected in truth.expected_of_odd(self.roots):
            for row in truth.find(inventory, expected):
                allowed = {expected.holding} if not expected.inode else {"hidden"}
                self.assertIn(row["holding"], allowed, str(expected))
        return inventory

    def test_sees_own_holders_and_says_that_the_rest_is_hidden(self):
        for flags in ((), ("--collector", "sock_diag"), ("--collector", "proc")):
            with self.subTest(flags=flags):
                self.check(*flags)

    def test_hidepid_hides_more_and_changes_nothing_else(self):
        self.box.run("mount", "-t", "proc", "-o", "hidepid=2", "proc", "/proc")
        for flags in ((), ("--collector", "proc")):
            with self.subTest(flags=flags):
                answer = self.look("ports", "--all", "--json", *flags)
                self.assert_code(answer, 1)
                inventory = answer.json()
                self.assertFalse(inventory["collector"]["complete"])
                own = truth.owners_of_zoo(self.own)
                for row in inventory["sockets"]:
                    if row["inode"] in own:
                        pid, fd, _cookie = own[row["inode"]]
                        self.assertEqual(truth.owners_of(row), {(pid, pid, fd)})
                    else:
                        self.assertEqual(row["owners"], [])
                        self.assertNotEqual(row["holding"], "owned")
                listener = [row for row in inventory["sockets"] if row["local"]["port"] == 3102]
                self.assertEqual([row["holding"] for row in listener], ["hidden"])

    def test_says_so_in_words(self):
        answer = self.look("ports", "port = 3102")
        self.assert_code(answer, 1)
        self.assertIn("needs root", answer.out)
        self.assertNotIn("odd-fork-shared", answer.out)

    def test_a_collector_that_needs_root_is_refused_and_says_what_is_missing(self):
        answer = self.look("ports", "--collector", "bpf")
        self.assert_code(answer, 3)
        self.assertIn("CAP_BPF", answer.err)
        self.assertEqual(answer.out, "")


if __name__ == "__main__":
    unittest.main()
