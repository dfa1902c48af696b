"""`who PORT` names every holder of a port, and only those."""

import re
import unittest

import harness


@harness.needs_root
class Who(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()
        self.odd = self.box.start(harness.BUILD / "odd_sockets")

    def observations(self, name: str) -> list[dict]:
        (case,) = [case for case in self.odd["cases"] if case["name"] == name]
        if case["skipped"]:
            self.skipTest(case["skipped"])
        return case["observations"]

    def pids_of(self, *words, netns=None) -> set:
        """Holders in one namespace: another test may use the same port in another one."""
        answer = self.twinport("who", *words, "--json", box=self.box)
        self.assert_code(answer, 0, 1)
        return {pid for held in answer.json()["held"] for hold in held["holds"]
                for program in hold["programs"] for pid in program["pids"]
                if hold["netns"] == (netns or self.box.netns)}

    def test_names_all_holders_of_shared_listeners(self):
        for name in ("reuseport-group", "fork-shared", "two-descriptors", "passed-and-kept",
                     "passed-and-closed", "own-table", "threads", "exited-leader", "shared-table",
                     "deleted-program", "nameless-namespace", "pid-namespace", "hostile-name",
                     "v6-only", "interface", "multipath", "not-accepted", "handshake", "orphans"):
            with self.subTest(name=name):
                seen = [s for s in self.observations(name)
                        if s["pid"] and s["local"]["port"] < 32768]
                for port in {s["local"]["port"] for s in seen}:
                    expected = {s["pid"] for s in seen if s["local"]["port"] == port}
                    self.assertEqual(self.pids_of(str(port), netns=seen[0]["netns"]), expected)

    def test_an_address_narrows(self):
        # 127.0.0.1:3202 is taken by the 0.0.0.0 listener, ::1 by the IPv6-only one: one process.
        self.assertEqual(len(self.pids_of("127.0.0.1:3202")), 1)
        self.assertEqual(self.pids_of("127.0.0.99:3102"), set())

    def test_says_when_nobody_holds_it(self):
        answer = self.twinport("who", "3999", box=self.box)
        self.assert_code(answer, 0, 1)
        self.assertIn("obody", answer.out)
        self.assertEqual(self.pids_of("3999"), set())

    def test_a_finished_connection_is_blamed_on_nobody(self):
        (waiting,) = [s for s in self.observations("time-wait") if s["state"] == "time-wait"]
        port = waiting["local"]["port"]
        answer = self.twinport("who", port, box=self.box)
        self.assert_code(answer, 0, 1)
        self.assertEqual(self.pids_of(str(port)), set())
        # Another test may hold the same port elsewhere, and the answer says so.
        about_here = re.split("In other network namespaces|What could not be seen", answer.out)[0]
        self.assertIn("time-wait", about_here)
        self.assertNotIn("root", about_here)


if __name__ == "__main__":
    unittest.main()
