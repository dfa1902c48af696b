"""`explain` says what it must of a port that nobody holds, of one that somebody holds, and of ports
as people paste them; in text, JSON and Markdown alike."""

import re
import unittest

import harness

# Where some process of the machine cannot be looked into, a plain "nobody" would claim too much.
NOBODY = r"Nobody (that we can see )?holds"
ON_EVERY_SYSTEM = ["Linux", "ss -tulnp", "lsof", "macOS", "Windows", "netstat -ano", "Get-Process"]


def flat(text: str) -> str:
    """Text with its line breaks undone, so that wrapping hides nothing."""
    return re.sub(r"\s+", " ", text)


class Explain(harness.SystemTest):
    # Code 1 as well: not even root sees every process of some machines, and then says so.
    def explain(self, *words, codes=(0, 1), **options) -> str:
        answer = self.twinport("explain", *words, **options)
        self.assert_code(answer, *codes)
        return answer.out

    def assert_says(self, text: str, *phrases: str) -> None:
        for phrase in phrases:
            self.assertIn(phrase, flat(text))

    @harness.needs_root
    def test_1744_is_registered_to_a_ghost_and_used_by_backup_software(self):
        box = self.sandbox()  # so that nobody holds it, whatever this machine runs
        for flags in ((), ("--markdown",)):
            with self.subTest(flags=flags):
                self.assert_says(self.explain("1744", *flags, box=box), "Nobody", "ncpm-ft",
                                 "ghost", "data channel", "1024-49151", "RFC 6335", "Unitrends",
                                 *ON_EVERY_SYSTEM)
        page = self.twinport("explain", "1744", "--json", box=box).json()
        self.assertEqual((page["port"], page["facts"]["rfc6335_class"]), (1744, "user"))
        # Another test may hold it in a namespace of its own.
        self.assertEqual([one for one in page["holds"] if one["own_namespace"]], [])
        (row,) = page["registrations"]
        self.assertEqual((row["service"], row["ghost"]), ("ncpm-ft", True))
        signals = [signal for signal in row["ghost_signals"] if signal["present"]]
        self.assertGreaterEqual(len(signals), 3)
        self.assertTrue(all(signal["evidence"] for signal in signals))
        uses = {(use["software"], use["role"]) for use in page["known_uses"]}
        self.assertIn(("Unitrends", "data channel"), uses)

    @harness.needs_root
    def test_56744_is_dynamic_by_rfc_and_ephemeral_here(self):
        box = self.sandbox()
        text = self.explain("56744", box=box)
        self.assert_says(text, "Nobody", "dynamic", "49152-65535", "32768-60999",
                         "outgoing connection", *ON_EVERY_SYSTEM)
        self.assertNotIn("egistered with IANA as", text)
        page = self.twinport("explain", "56744", "--json", box=box).json()
        self.assertEqual(page["registrations"], [])
        self.assertTrue(page["facts"]["own"]["ephemeral"])
        self.assertFalse(page["facts"]["rfc_and_kernel_differ"])
        if not page["held"]:  # by a test in another namespace
            self.assertGreaterEqual(len(page["absence"]["reasons"]), 2)

    @harness.needs_root
    def test_both_truths_are_told_where_rfc_and_kernel_differ(self):
        box = self.sandbox()
        facts = self.twinport("explain", "40000", "--json", box=box).json()["facts"]
        self.assertEqual(facts["rfc6335_class"], "user")
        self.assertTrue(facts["own"]["ephemeral"] and facts["rfc_and_kernel_differ"])
        # The live value, not a constant: moved, reserved, and made free for all.
        box.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=50000 50999",
                "net.ipv4.ip_local_reserved_ports=50010-50020",
                "net.ipv4.ip_unprivileged_port_start=80")
        own = {port: self.twinport("explain", port, "--json", box=box).json()["facts"]["own"]
               for port in (40000, 50000, 50015, 56744, 79, 80)}
        self.assertEqual({port: facts["ephemeral"] for port, facts in own.items()},
                         {40000: False, 50000: True, 50015: False, 56744: False, 79: False,
                          80: False})
        self.assertEqual([port for port, facts in own.items() if facts["reserved"]], [50015])
        self.assertEqual([port for port, facts in own.items() if facts["privileged"]], [79])
        self.assert_says(self.explain("56744", codes=(0, 1), box=box), "50000-50999")

    @harness.needs_root
    def test_a_holder_is_named_with_the_reason_why_it_runs(self):
        box = self.sandbox()
        truth = box.start(harness.BUILD / "odd_sockets")
        (case,) = [case for case in truth["cases"] if case["name"] == "fork-shared"]
        text = self.explain("3102", box=box)
        for seen in case["observations"]:
            self.assert_says(text, seen["command"], str(seen["pid"]))
        page = self.twinport("explain", "3102", "--json", box=box).json()
        self.assertTrue(page["held"])
        programs = [program for hold in page["holds"] for program in hold["programs"]]
        self.assertNotEqual(programs, [])
        # Started by odd_sockets, which this test started.
        self.assert_says(text, "odd_sockets")

    @harness.needs_root
    def test_what_is_not_held_by_a_process_is_explained(self):
        box = self.sandbox()
        box.start(harness.BUILD / "odd_sockets")
        for port in (3106, 3113):  # in flight; in io_uring
            with self.subTest(port=port):
                page = self.twinport("explain", port, "--json", box=box).json()
                self.assertTrue(page["held"])
                self.assertNotIn("Nobody", self.explain(port, box=box))
        self.assert_says(self.explain("3206", box=box), "odd-time-wait")

    @harness.needs_root
    def test_a_port_that_the_packet_filter_sends_elsewhere_is_named(self):
        box = self.sandbox()
        box.run("nft", "add table ip nat; add chain ip nat pre { type nat hook prerouting priority "
                       "-100; }; add rule ip nat pre tcp dport 18080 dnat to 10.1.2.3:80")
        for command in ("explain", "who"):
            with self.subTest(command=command):
                text = self.twinport(command, "18080", box=box).out
                self.assert_says(text, "yet it is open", "10.1.2.3 port 80", "ip nat pre")
                text = self.twinport(command, "18080/udp", box=box).out
                self.assertNotIn("yet it is open", text)

    def test_takes_a_port_as_people_write_it(self):
        for words, port in ((["1744"], 1744), (["1744/tcp"], 1744), ([":1744"], 1744),
                            (["ssh"], 22), (["56744 TCP 2024"], 56744),
                            (["56744", "TCP", "2024"], 56744), (["127.0.0.1:56744"], 56744),
                            (["[::1]:56744"], 56744), (["53/udp"], 53)):
            with self.subTest(words=words):
                answer = self.twinport("explain", *words, "--json")
                self.assert_code(answer, 0, 1)
                self.assertEqual(answer.json()["port"], port)

    def test_refuses_what_is_no_port(self):
        for word in ("0x50", "70000", "-1", "no-such-service", "1744/xyz", "", "1844-1743",
                     "1.2.3.4.5:80", "\x1b[2J"):
            with self.subTest(word=word):
                answer = self.twinport("explain", word)
                self.assert_code(answer, 2)
                self.assertEqual(answer.out, "")
                self.assertNotIn("\x1b", answer.err)

    @harness.needs_root
    def test_fits_80_columns_without_colour(self):
        box = self.sandbox()
        box.start(harness.BUILD / "odd_sockets")
        for port in (1744, 56744, 3102, 3116, 22, 443):
            with self.subTest(port=port):
                text = self.explain(port, box=box)
                self.assertNotIn("\x1b", text)
                long = [line for line in text.splitlines() if len(line) > 80]
                # A command to be copied is not broken, whatever its length.
                self.assertEqual([line for line in long if not re.search(r"sudo|Get-", line)], [])


if __name__ == "__main__":
    unittest.main()
