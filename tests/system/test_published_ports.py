"""A port that the packet filter sends elsewhere is named as such, though no socket stands behind it
here: "nobody holds it" alone would be false. By nft itself and by iptables' nft variant alike."""

import shutil
import unittest

import harness

RULESET = """
table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 8080 dnat to 10.9.8.7:80
    ip daddr 192.0.2.1 udp dport 5300-5310 dnat to 10.9.8.7
    tcp dport 8443 redirect to :3102
  }
}
table ip6 nat6 {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport 8081 dnat to [2001:db8::7]:80
  }
}
"""


@harness.needs_root
@harness.needs_tool("nft")
class PublishedPorts(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()

    def load(self, ruleset: str) -> None:
        done = self.box.run("nft", "-f", "-", input=ruleset.encode(), check=False)
        if done.returncode != 0:
            self.skipTest(f"this kernel takes no NAT rules: {done.stderr.decode().strip()}")

    def published(self) -> dict:
        found = {}
        for port in self.inventory(box=self.box)["published"]:
            if port["netns"] == self.box.netns:
                found[(port["protocol"], port["ports"]["first"], port["ports"]["last"])] = port
        return found

    def test_rules_of_nft_are_understood(self):
        self.load(RULESET)
        found = self.published()
        self.assertEqual(set(found), {("tcp", 8080, 8080), ("udp", 5300, 5310),
                                      ("tcp", 8443, 8443), ("tcp", 8081, 8081)})
        web = found[("tcp", 8080, 8080)]
        self.assertEqual((web["target"], web["target_ports"], web["destination"]),
                         ("10.9.8.7", {"first": 80, "last": 80}, None))
        self.assertIn("nat", web["rule"])
        names = found[("udp", 5300, 5310)]
        self.assertEqual((names["target"], names["target_ports"], names["destination"]),
                         ("10.9.8.7", None, "192.0.2.1/32"))
        here = found[("tcp", 8443, 8443)]
        self.assertEqual((here["target"], here["target_ports"]),
                         (None, {"first": 3102, "last": 3102}))
        six = found[("tcp", 8081, 8081)]
        self.assertEqual(six["target"], "2001:db8::7")

    def test_explain_and_who_do_not_say_that_nobody_is_there(self):
        self.load(RULESET)
        for command in ("explain", "who"):
            with self.subTest(command=command):
                answer = self.twinport(command, "8080/tcp", box=self.box)
                self.assert_code(answer, 0, 1)
                self.assertIn("10.9.8.7", answer.out)

    def test_rules_of_iptables_are_understood(self):
        if shutil.which("iptables-nft") is None:
            self.skipTest("needs iptables-nft")
        done = self.box.run("iptables-nft", "-t", "nat", "-A", "PREROUTING", "!", "-i", "docker0",
                            "-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to-destination",
                            "172.17.0.2:80", check=False)
        if done.returncode != 0:
            self.skipTest(f"iptables-nft makes no NAT here: {done.stderr.decode().strip()}")
        web = self.published()[("tcp", 8080, 8080)]
        self.assertEqual((web["target"], web["target_ports"]),
                         ("172.17.0.2", {"first": 80, "last": 80}))
        self.assertIn("docker0", web["conditions"])

    def test_no_rules_is_no_complaint(self):
        inventory = self.inventory(box=self.box)
        self.assertEqual([p for p in inventory["published"] if p["netns"] == self.box.netns], [])
        self.assertNotIn("packet filter", " ".join(inventory["collector"]["blind_spots"]))

    def test_an_ordinary_user_is_told_that_rules_were_not_read(self):
        self.load(RULESET)
        with harness.readable_by_everybody() as program:
            command = self.box.command("setpriv", "--reuid", "65534", "--regid", "65534",
                                       "--clear-groups", program, "ports", "--all", "--json")
            answer = self.run_command(command, env={**self.environment,
                                                    "TWINPORT_STATE": "/nonexistent"})
        self.assert_code(answer, 1)
        spots = " ".join(answer.json()["collector"]["blind_spots"])
        self.assertRegex(spots, "acket filter|irewall")


if __name__ == "__main__":
    unittest.main()
