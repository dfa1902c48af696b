"""Inside a PID namespace (a container with a /proc of its own) holders are named by the numbers
that hold in there, and what is held outside is hidden, never blamed on whoever has that number
inside."""

import unittest

import harness
import truth


@harness.needs_root
class PidNamespace(harness.SystemTest):
    def test_numbers_are_those_of_the_namespace(self):
        outer = self.sandbox()
        outside = outer.start(harness.BUILD / "socket_zoo", "--sockets", 60, "--processes", 2,
                              "--truth")
        outside = truth.owners_of_zoo(outside)
        # Another PID and mount namespace, the same network namespace.
        before = ["unshare", "--pid", "--fork", "--mount-proc"]
        collectors = ["sock_diag", "proc"] + (["bpf"] if harness.bpf_works() else [])
        for collector in collectors:
            with self.subTest(collector=collector):
                answer = self.twinport("ports", "--all", "--json", "--collector", collector,
                                       box=outer, before=before)
                self.assert_code(answer, 1)
                rows = {row["inode"]: row for row in answer.json()["sockets"]}
                for inode in outside:
                    self.assertEqual(rows[inode]["owners"], [])
                    self.assertIn(rows[inode]["holding"], ("hidden", "unknown"))

    def test_holders_inside_are_named(self):
        box = self.sandbox("net", "mount", "pid")
        zoo = truth.owners_of_zoo(box.start(harness.BUILD / "socket_zoo", "--sockets", 60,
                                            "--processes", 2, "--truth"))
        collectors = ["sock_diag", "proc"] + (["bpf"] if harness.bpf_works() else [])
        for collector in collectors:
            with self.subTest(collector=collector):
                inventory = self.inventory("--collector", collector, box=box)
                rows = {row["inode"]: row for row in inventory["sockets"]}
                for inode, (_pid, fd, _cookie) in zoo.items():
                    # The makers' own numbers come from the same /proc as the observer's.
                    (owner,) = rows[inode]["owners"]
                    self.assertEqual((owner["fd"], owner["command"]), (fd, "socket_zoo"))
                    self.assertIn(owner["pid"], {pid for pid, _, _ in zoo.values()})
                    self.assertEqual(owner["pid"], zoo[inode][0])


if __name__ == "__main__":
    unittest.main()
