"""A hundred thousand sockets: every one is there, with its one owner."""

import resource
import unittest

import harness
import truth

SOCKETS, PROCESSES = 100_000, 8
RUNS_ALONE = True  # a recorder that listens meanwhile would lose events


@harness.needs_root
class HundredThousand(harness.SystemTest):
    def test_every_socket_has_its_owner(self):
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < SOCKETS * 1.1 / PROCESSES + 100:
            self.skipTest(f"the limit of {hard} descriptors a process is too low")
        box = self.sandbox()
        zoo = box.start(harness.BUILD / "socket_zoo", "--sockets", SOCKETS, "--processes",
                        PROCESSES, "--truth")
        expected = truth.owners_of_zoo(zoo)
        inventory = self.inventory(box=box)
        wrong = []
        rows = {row["inode"]: row for row in inventory["sockets"] if row["netns"] == box.netns}
        for inode, (pid, fd, cookie) in expected.items():
            row = rows.get(inode)
            if row is None or (truth.owners_of(row), row["cookie"]) != ({(pid, pid, fd)}, cookie):
                wrong.append((inode, pid, fd, row))
        self.assertEqual(wrong[:5], [], f"{len(wrong)} of {len(expected)} are wrong")
        self.assertEqual(len(rows), len(expected))


if __name__ == "__main__":
    unittest.main()
