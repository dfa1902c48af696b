"""`twinport doctor` says of ports that are taken, forbidden or forwarded what is in the way, and of
free ones that nothing is."""

import contextlib
import unittest

import harness

# Holds a port as told until its input closes; prints the truth once it does.
HOLDER = """
import json, os, socket, sys
family, address, port, how = sys.argv[1:5]
if len(sys.argv) > 5:
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
held = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET)
if family == "6":
    held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
held.bind((address, int(port)))
if how == "listen":
    held.listen()
print(json.dumps({"pid": os.getpid()}), flush=True)
sys.stdin.read()
"""

DNAT = """
table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 1744 dnat to 10.9.8.7:80
  }
}
"""


@harness.needs_root
class Doctor(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()

    def hold(self, family, address, port, how="listen", *user) -> int:
        return self.box.start("python3", "-c", HOLDER, family, address, port, how, *user)["pid"]

    def diagnose(self, *words, code: int) -> dict:
        text = self.twinport("doctor", *words, box=self.box)
        self.assert_code(text, code)
        for line in text.out.splitlines():
            self.assertLessEqual(len(line), 80, line)
        answer = self.twinport("doctor", *words, "--json", box=self.box)
        self.assert_code(answer, code)
        found = answer.json()
        self.assertEqual(" ".join(text.out.split("\n\n")[0].split()), found["next_step"])
        return found

    @staticmethod
    def outcomes(found: dict, port: int) -> dict:
        one = next(row for row in found["ports"] if row["port"] == port)
        return {trial["address"]: trial["outcome"] for trial in one["trials"]}

    def test_free_ports_are_nothing_to_do(self):
        found = self.diagnose(code=0)
        self.assertEqual([row["port"] for row in found["ports"]], [1743, 1744])
        self.assertTrue(all(row["can_bind"] for row in found["ports"]))
        self.assertEqual(found["findings"], [])
        self.assertEqual(found["netns"], self.box.netns)

    def test_a_listener_is_named(self):
        pid = self.hold("4", "0.0.0.0", 1743)
        found = self.diagnose(code=1)
        self.assertIn(f"(pid {pid})", found["next_step"])
        self.assertIn("1743", found["next_step"])
        self.assertEqual([finding["kind"] for finding in found["findings"]], ["taken"])
        self.assertEqual(self.outcomes(found, 1743)["0.0.0.0"], "in-use")
        self.assertEqual(self.outcomes(found, 1744)["0.0.0.0"], "free")

    def test_a_listener_on_ipv6_alone_leaves_ipv4_free(self):
        pid = self.hold("6", "::", 1744)
        found = self.diagnose("1744", code=1)
        tried = self.outcomes(found, 1744)
        self.assertEqual((tried["0.0.0.0"], tried["::"]), ("free", "in-use"))
        self.assertIn(f"(pid {pid})", found["next_step"])

    def test_what_is_bound_without_listening_is_told(self):
        pid = self.hold("4", "127.0.0.1", 1744, "bind")
        found = self.diagnose("1744", code=1)
        sentence = found["findings"][0]["finding"]
        self.assertIn(f"(pid {pid}) has bound it without listening", sentence)
        self.assertEqual(self.outcomes(found, 1744)["127.0.0.1"], "in-use")

    @contextlib.contextmanager
    def as_nobody(self):
        with harness.readable_by_everybody() as program:
            def run(*words):
                command = self.box.command("setpriv", "--reuid", "65534", "--regid", "65534",
                                           "--clear-groups", program, "doctor", *words, "--json")
                return self.run_command(command, env={**self.environment,
                                                      "TWINPORT_STATE": "/nonexistent"})
            yield run

    @harness.needs_tool("setpriv")
    def test_an_ordinary_user_is_told_of_privilege_and_of_what_is_hidden(self):
        roots = self.hold("4", "0.0.0.0", 1744)
        with self.as_nobody() as run:
            denied = run("443")
            self.assert_code(denied, 1)
            self.assertEqual(denied.json()["findings"][0]["kind"], "denied")
            self.assertIn("CAP_NET_BIND_SERVICE", denied.json()["next_step"])
            taken = run("1744")
            self.assert_code(taken, 1)
            self.assertEqual(taken.json()["findings"][0]["kind"], "taken")
            # A process that may not be looked into is never named as the holder.
            self.assertNotIn(f"pid {roots}", taken.out)
            self.assertIn("not see", taken.json()["findings"][0]["finding"])

    @harness.needs_tool("setpriv")
    def test_root_names_another_users_process(self):
        pid = self.hold("4", "0.0.0.0", 1744, "listen", "nobody")
        self.assertIn(f"(pid {pid})", self.diagnose("1744", code=1)["next_step"])

    @harness.needs_tool("nft")
    def test_a_free_port_whose_callers_are_sent_elsewhere_is_of_no_use(self):
        done = self.box.run("nft", "-f", "-", input=DNAT.encode(), check=False)
        if done.returncode != 0:
            self.skipTest(f"this kernel takes no NAT rules: {done.stderr.decode().strip()}")
        found = self.diagnose(code=1)
        self.assertEqual([finding["kind"] for finding in found["findings"]], ["forwarded"])
        self.assertIn("10.9.8.7", found["next_step"])
        self.assertTrue(all(row["can_bind"] for row in found["ports"]))


    def test_fallback_ports_are_those_that_are_free_and_nobody_elses(self):
        pid = self.hold("4", "0.0.0.0", 1744)
        spare = self.hold("6", "::", 1745)
        found = self.diagnose(code=1)
        fallback = found["fallback"]
        self.assertEqual(fallback["first"], 1746)
        passed = {one["port"]: (one["kind"], one["why"]) for one in fallback["passed_over"]}
        self.assertEqual(passed[1745][0], "taken")
        self.assertIn(f"(pid {spare})", passed[1745][1])
        for port in (1801, 1812, 1813):
            self.assertEqual(passed[port][0], "used")
        self.assertIn(f"(pid {pid})", found["next_step"])
        self.assertIn("1746", found["next_step"])
        narrow = self.diagnose("--profile", "windows", code=1)["fallback"]
        self.assertEqual(narrow["free"], [1746, 1747, 1748, 1749])

    def probe(self, *words, code: int) -> dict:
        found = self.diagnose("1744", "--timeout", "1", "--peer", *words, code=code)
        return {one["address"]: one for one in found["peer"]["probes"]} | {"": found}

    def filter(self, rule: str) -> None:
        """Replaces what the packet filter does with what comes in."""
        ruleset = f"""
            table inet way
            delete table inet way
            table inet way {{
              chain in {{
                type filter hook input priority filter; policy accept;
                {rule}
              }}
            }}"""
        done = self.box.run("nft", "-f", "-", input=ruleset.encode(), check=False)
        if b"not supported" in done.stderr:
            self.skipTest(f"this kernel takes no such rule: {done.stderr.decode().strip()}")
        self.assertEqual(done.returncode, 0, done.stderr.decode())

    def test_a_peer_that_listens_and_one_that_does_not(self):
        refused = self.probe("127.0.0.1", code=1)
        self.assertEqual(refused["127.0.0.1"]["outcome"], "refused")
        self.assertEqual([one["kind"] for one in refused[""]["findings"]], ["peer-refuses"])
        self.hold("4", "127.0.0.1", 1744)
        # The port is taken here, by the peer itself; what matters is how the probe went.
        self.assertEqual(self.probe("127.0.0.1", code=1)["127.0.0.1"]["outcome"], "open")
        self.assertEqual(self.probe("[::1]", code=1)["::1"]["outcome"], "refused")
        self.hold("6", "::1", 1745)
        found = self.probe("[::1]:1745", code=1)
        self.assertEqual(found["::1"]["outcome"], "open")
        self.assertEqual([one["kind"] for one in found[""]["findings"]], ["taken"])

    @harness.needs_tool("nft")
    def test_filters_are_told_from_each_other_and_from_a_closed_port(self):
        self.hold("4", "127.0.0.1", 1745)
        self.hold("6", "::1", 1745)
        for rule, outcome, sender in (
                ("tcp dport 1745 drop", "no-answer", False),
                ("tcp dport 1745 reject with tcp reset", "refused", False),
                ("tcp dport 1745 reject", "port-unreachable", True),
                ("tcp dport 1745 reject with icmpx type admin-prohibited", "prohibited", True),
                ("tcp dport 1745 reject with icmpx type no-route", "net-unreachable", True),
                ("tcp dport 1745 reject with icmpx type host-unreachable", "host-unreachable",
                 True)):
            self.filter(rule)
            for peer, address in (("127.0.0.1:1745", "127.0.0.1"), ("[::1]:1745", "::1")):
                with self.subTest(rule=rule, peer=peer):
                    found = self.probe(peer, code=1)
                    self.assertEqual(found[address]["outcome"], outcome)
                    self.assertEqual(found[address]["said_by"], address if sender else None)
                    self.assertFalse(found[""]["peer"]["reachable"])

    def test_no_route_and_no_such_name(self):
        found = self.probe("192.0.2.1", code=1)
        self.assertEqual(found["192.0.2.1"]["outcome"], "no-route")
        answer = self.twinport("doctor", "1744", "--peer", "no-such-host.invalid", "--json",
                               box=self.box)
        self.assert_code(answer, 1)
        found = answer.json()
        self.assertEqual(found["findings"][0]["kind"], "peer-unknown")
        self.assertEqual(found["peer"]["probes"], [])


if __name__ == "__main__":
    unittest.main()
