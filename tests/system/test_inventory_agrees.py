"""`ports --all --json` agrees, field by field, with the makers of a few thousand sockets, with ss
and with lsof, whichever collector looks. Every difference that remains is named by a rule, in
words, and a rule that explains nothing is itself a failure."""

import json
import re
import unittest

import harness
import oracles
import truth
from truth import plain

SOCKETS = 3000
# What odd_sockets makes of these depends on the kernel; their rules may then have nothing to do.
OPTIONAL_CASES = {"multipath", "io-uring", "raw"}


class Rule:
    """One sentence that explains a kind of difference, and whether it was ever needed."""

    def __init__(self, sentence: str, applies, optional: bool = False):
        self.sentence = sentence
        self.applies = applies
        self.optional = optional
        self.used = 0


class Difference:
    def __init__(self, field: str, ours, theirs, row: dict | None, other=None):
        self.field = field  # a field, "only ours" or "only theirs"
        self.ours = ours
        self.theirs = theirs
        self.row = row  # our socket, None where we have none
        self.other = other  # the other's record

    def __str__(self):
        return (f"{self.field}: ours {self.ours!a}, theirs {self.theirs!a}\n"
                f"    our row: {self.row!a}\n    theirs: {self.other!a}")


def judge(test: unittest.TestCase, differences: list[Difference], rules: list[Rule]) -> None:
    unexplained = []
    for difference in differences:
        for rule in rules:
            if rule.applies(difference):
                rule.used += 1
                break
        else:
            unexplained.append(str(difference))
    test.assertEqual(unexplained, [], f"{len(unexplained)} differences that no rule explains")
    idle = [rule.sentence for rule in rules if rule.used == 0 and not rule.optional]
    test.assertEqual(idle, [], "rules that explain nothing")


def compare_fields(fields, row, other) -> list[Difference]:
    return [Difference(name, ours, theirs, row, other)
            for name, ours, theirs in fields if ours != theirs]


def socket_key(protocol, local, remote, inode):
    return protocol, local, remote, inode or 0


def port_of(row: dict) -> int:
    return row["local"]["port"]


# What makers know and collectors cannot say.

def truth_differences(inventory: dict, expected: truth.Expected) -> list[Difference]:
    rows = truth.find(inventory, expected)
    if len(rows) != 1:
        return [Difference("rows", len(rows), 1, None, expected)]
    row = rows[0]
    commands = {owner["pid"]: owner["command"] for owner in row["owners"]}
    return compare_fields([
        ("owners", truth.owners_of(row), expected.owners),
        ("commands", commands, expected.commands),
        ("state", row["state"], expected.state),
        ("holding", row["holding"], expected.holding),
        ("netns", row["netns"], expected.netns),
        ("uid", row["uid"], expected.uid if expected.inode else None),
        ("cookie", row["cookie"], expected.cookie or row["cookie"]),
        ("local", plain(row["local"]), expected.local),
        ("remote", plain(row["remote"]), expected.remote),
        ("mptcp", row.get("mptcp", False), expected.mptcp),
        ("listed", row.get("listed", True), True),
    ], row, expected)


def truth_rules(collector: str) -> list[Rule]:
    rules = [
        Rule("the holder of a socket in flight or in io_uring cannot be told; while there are "
             "processes that we may not read, neither can we say that there is none",
             lambda d: d.field == "holding" and d.theirs == "no-descriptor"
             and d.ours in ("hidden", "unknown"), optional=True),
        Rule("a raw socket has an IP protocol number where others have a port",
             lambda d: d.field == "local" and d.row["protocol"] == "raw"
             and (d.row["local"]["port"], d.row["local"]["ip_protocol"]) == (None, d.theirs[1]),
             optional=True),
        Rule("raw sockets are listed in /proc/net/raw, which has no cookies",
             lambda d: d.field == "cookie" and d.row["protocol"] == "raw" and d.ours is None,
             optional=True),
    ]
    if collector == "bpf":
        rules.append(
            Rule("a thread's own table is not shown apart where it holds the same socket under the "
                 "same number as its process",
                 lambda d: d.field == "owners" and d.other.case == "own-table"
                 and d.ours == {o for o in d.theirs if o[0] == o[1]}))
    else:
        rules += [
            Rule("without BPF a namespace that has neither a name nor a process is not seen",
                 lambda d: d.field == "rows" and d.other.case == "nameless-namespace"),
            Rule("without BPF a Multipath TCP socket shows as its TCP subflow",
                 lambda d: d.field == "mptcp" and d.other.case == "multipath", optional=True),
        ]
    if collector == "proc":
        rules += [
            Rule("/proc/net has no cookies",
                 lambda d: d.field == "cookie" and d.ours is None),
            Rule("/proc/net does not list TCP sockets that are only bound",
                 lambda d: d.field == "rows" and d.other.case == "bound-only" and d.ours == 0),
        ]
    else:
        rules.append(Rule("of Multipath TCP the listed socket is the subflow, with its own cookie",
                          lambda d: d.field == "cookie" and d.other.mptcp, optional=True))
    return rules


# What ss shows.

def ours_by_key(inventory: dict, netns: int) -> dict:
    """Our rows of one namespace. Raw sockets have no inode in ss, so none here either."""
    rows = {}
    for row in inventory["sockets"]:
        if row["netns"] != netns:
            continue
        local = plain(row["local"])
        inode = row["inode"]
        if row["protocol"] == "raw":
            local, inode = (local[0], row["local"]["ip_protocol"]), 0
        rows.setdefault(socket_key(row["protocol"], local, plain(row["remote"]), inode),
                        []).append(row)
    return rows


def ss_differences(inventory: dict, netns: int, rows: list[dict], loopback: int):
    ours = ours_by_key(inventory, netns)
    differences = []
    for other in rows:
        key = socket_key(other["protocol"], plain(other["local"]), plain(other["remote"]),
                         other["inode"])
        candidates = ours.get(key)
        if not candidates:
            differences.append(Difference("only theirs", None, key, None, other))
            continue
        row = candidates.pop()
        owners = {(o["pid"], o["fd"]): o["command"] for o in row["owners"]}
        differences += compare_fields([
            ("owners", set(owners), set(other["owners"])),
            *(("command", owners[who], command) for who, command in other["owners"].items()
              if who in owners),
            ("state", row["state"], other["state"]),
            ("receive_queue", row["receive_queue"], other["receive_queue"]),
            ("send_queue", row["send_queue"], other["send_queue"]),
            ("interface", row.get("interface", 0), loopback if other["interface"] else 0),
            ("uid", row["uid"], other["uid"]),
            ("cookie", row["cookie"], other["cookie"]),
            ("v6only", row.get("v6only"), other["v6only"]),
            ("timer", row.get("timer", {}).get("kind"), other["timer"]),
        ], row, other)
    for candidates in ours.values():
        differences += [Difference("only ours", row, None, row) for row in candidates]
    return differences


def threads_only(difference) -> set:
    return {(o["pid"], o["fd"]) for o in difference.row["owners"] if "tid" in o}


def ss_rules(collector: str) -> list[Rule]:
    rules = [
        Rule("ss -p reads the table of a process's main thread only: it misses the holders of "
             "threads with a table of their own and of a process whose main thread has exited",
             lambda d: d.field == "owners" and d.theirs < d.ours
             and d.ours - d.theirs <= threads_only(d)),
        Rule("ss cuts a command at its first ')'",
             lambda d: d.field == "command" and ")" in d.ours
             and d.ours.startswith(d.theirs)),
        Rule("the kernel still moves bytes between the ends of a closed connection (odd-orphans), "
             "so its queues and timer may differ from one look to the next",
             lambda d: d.field in ("receive_queue", "send_queue", "timer")
             and 3210 in (d.row["local"]["port"], (d.row["remote"] or {}).get("port"))
             and d.row["state"] in ("fin-wait-1", "established"), optional=True),
        Rule("we say null, not root, where the kernel has no uid to tell",
             lambda d: d.field == "uid" and d.ours is None and d.row["inode"] is None
             and d.theirs == 0),
        Rule("ss shows neither uid nor cookie of raw sockets",
             lambda d: d.row is not None and d.row["protocol"] == "raw"
             and d.field in ("uid", "cookie") and not d.theirs, optional=True),
    ]
    if collector != "proc":
        rules += [
            Rule("ss 6.1 does not ask for TCP sockets that are only bound",
                 lambda d: d.field == "only ours" and d.ours["state"] == "bound"),
        ]
    else:
        rules += [
            Rule("/proc/net tells neither cookies, nor interfaces, nor IPV6_V6ONLY",
                 lambda d: d.field in ("cookie", "interface", "v6only")
                 and not d.ours),
            Rule("/proc/net does not tell a listener's backlog limit",
                 lambda d: d.field == "send_queue" and d.row["state"] == "listen" and d.ours == 0),
        ]
    return rules


# What lsof shows.

def lsof_escape(command: str) -> str:
    """lsof's way of making a command printable."""
    raw = command.encode(errors="surrogateescape")
    out = ""
    for part in re.split(rb"((?:[\xc2-\xf4][\x80-\xbf]+)+)", raw):
        if re.fullmatch(rb"(?:[\xc2-\xf4][\x80-\xbf]+)+", part):
            out += part.decode(errors="surrogateescape")
            continue
        for byte in part:
            if byte == 0x5C:
                out += "\\\\"
            elif byte in b"\b\f\n\r\t":
                out += {8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t"}[byte]
            elif byte < 0x20:
                out += "^" + chr(byte + 64)
            elif byte >= 0x7F:
                out += f"\\x{byte:02x}"
            else:
                out += chr(byte)
    return out


def unmapped(endpoint):
    """lsof writes ::ffff:a.b.c.d as a.b.c.d."""
    if endpoint is None:
        return None
    address, port = endpoint
    match = re.fullmatch(r"::ffff:([0-9a-f]+):([0-9a-f]+)", address)
    if match:
        high, low = (int(part, 16) for part in match.groups())
        address = f"{high >> 8}.{high & 255}.{low >> 8}.{low & 255}"
    return address, port


def lsof_differences(inventory: dict, netns: int, rows: list[dict]) -> list[Difference]:
    processes = {process["pid"]: process for process in inventory["processes"]}
    ours = {}
    for row in inventory["sockets"]:
        for owner in row["owners"] if row["netns"] == netns else []:
            ours[(owner["pid"], owner.get("tid", owner["pid"]), owner["fd"])] = row, owner
    differences = []
    for other in rows:
        found = ours.pop((other["pid"], other["pid"], other["fd"]), None)
        if found is None:
            differences.append(Difference("only theirs", None, other, None, other))
            continue
        row, owner = found
        process = processes[other["pid"]]
        state = row["state"] if row["protocol"] == "tcp" else None
        differences += compare_fields([
            ("inode", row["inode"], other["inode"]),
            ("protocol", row["protocol"], other["protocol"]),
            ("family", row["family"], other["family"]),
            ("state", state, other["state"]),
            ("local", unmapped(plain(row["local"])), plain(other["local"])),
            ("remote", unmapped(plain(row["remote"])), plain(other["remote"])),
            ("command", lsof_escape(owner["command"]), other["command"]),
            ("process command", process["command"], owner["command"]),
            ("process uid", process["uid"], other["uid"]),
        ], row, other)
    differences += [Difference("only ours", owner, None, row) for row, owner in ours.values()]
    return differences


def lsof_rules(collector: str) -> list[Rule]:
    rules = [
        Rule("lsof reads the table of a process's main thread only",
             lambda d: d.field == "only ours" and "tid" in d.ours),
        Rule("lsof -i leaves raw sockets out",
             lambda d: d.field == "only ours" and d.row["protocol"] == "raw", optional=True),
    ]
    if collector != "proc":
        rules.append(Rule("lsof looks sockets up in /proc/net, which does not list TCP sockets "
                          "that are only bound",
                          lambda d: d.field == "only ours" and d.row["state"] == "bound"))
    return rules


@harness.needs_root
@harness.needs_tool("ss")
@harness.needs_tool("lsof")
class InventoryAgrees(harness.SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.box = harness.Sandbox()
        cls.addClassCleanup(cls.box.close)
        # Some of the odd ones last a minute (TIME_WAIT and its like), so they come second.
        cls.zoo = cls.box.start(harness.BUILD / "socket_zoo", "--sockets", SOCKETS, "--processes",
                                8, "--idle", 20, "--truth")
        cls.odd = cls.box.start(harness.BUILD / "odd_sockets")
        cls.inventories = {}
        for collector in ("bpf", "sock_diag", "proc"):
            if collector == "bpf" and not harness.bpf_works():
                continue
            for detail in ([], ["--detail"]):
                done = cls.box.run(harness.TWINPORT, "ports", "--all", "--json", "--collector",
                                   collector, *detail, check=False)
                cls.assertIn(cls(), done.returncode, (0, 1), done.stderr)
                cls.inventories[collector, bool(detail)] = json.loads(done.stdout)
        cls.ss = oracles.ss_rows(cls.box, "-t", "-u", "-w", "-a", "-p", "-e")
        cls.lsof = oracles.lsof_rows(cls.box)

    def each(self):
        for (collector, _), inventory in self.inventories.items():
            self.assertEqual(inventory["collector"]["name"], collector)
            yield collector, inventory

    def test_every_odd_socket_is_what_its_maker_says(self):
        for collector, inventory in self.each():
            with self.subTest(collector=collector):
                differences = []
                for expected in truth.expected_of_odd(self.odd):
                    differences += truth_differences(inventory, expected)
                judge(self, differences, truth_rules(collector))

    def test_every_odd_case_could_be_made(self):
        skipped = {case["name"]: case["skipped"] for case in self.odd["cases"] if case["skipped"]}
        self.assertLessEqual(set(skipped), OPTIONAL_CASES, skipped)

    def test_every_zoo_socket_has_its_one_owner(self):
        expected = truth.owners_of_zoo(self.zoo)
        self.assertEqual(len(expected), SOCKETS + SOCKETS // 10)
        for collector, inventory in self.each():
            with self.subTest(collector=collector):
                rows = {row["inode"]: row for row in inventory["sockets"] if row["inode"]}
                wrong = []
                for inode, (pid, fd, cookie) in expected.items():
                    row = rows.get(inode)
                    seen = row and (truth.owners_of(row), row["holding"], row["netns"])
                    if seen != ({(pid, pid, fd)}, "owned", self.box.netns):
                        wrong.append((inode, pid, fd, row))
                    elif collector != "proc" and row["cookie"] != cookie:
                        wrong.append((cookie, row))
                self.assertEqual(wrong, [])

    def test_no_socket_is_shown_twice(self):
        for collector, inventory in self.each():
            with self.subTest(collector=collector):
                seen = [(row["protocol"], str(row["local"]), plain(row["remote"]), row["inode"])
                        for row in inventory["sockets"] if row["netns"] == self.box.netns]
                self.assertEqual(len(seen), len(set(seen)))

    def test_agrees_with_ss(self):
        loopback = 1  # the index of lo in a fresh namespace
        for (collector, detail), inventory in self.inventories.items():
            with self.subTest(collector=collector, detail=detail):
                rows = self.ss if detail else [{**row, "timer": None} for row in self.ss]
                judge(self, ss_differences(inventory, self.box.netns, rows, loopback),
                      ss_rules(collector))

    def test_agrees_with_lsof(self):
        for collector, inventory in self.each():
            with self.subTest(collector=collector):
                judge(self, lsof_differences(inventory, self.box.netns, self.lsof),
                      lsof_rules(collector))

    def test_processes_are_described_truly(self):
        """exe, user and the deleted program, against what the makers know."""
        for collector, inventory in self.each():
            with self.subTest(collector=collector):
                processes = {process["pid"]: process for process in inventory["processes"]}
                program = str((harness.BUILD / "odd_sockets").resolve())
                for case in self.odd["cases"]:
                    for seen in case["observations"]:
                        if not seen["pid"] or seen["pid"] not in processes:
                            continue
                        process = processes[seen["pid"]]
                        self.assertFalse(process["gone"], case["name"])
                        self.assertEqual(process["command"], seen["command"], case["name"])
                        self.assertEqual(process["uid"], seen["uid"], case["name"])
                        if case["name"] == "exited-leader":
                            continue  # a zombie's /proc/PID/exe leads nowhere
                        if case["name"] == "deleted-program":
                            self.assertTrue(process["exe_deleted"])
                            self.assertTrue(process["exe"].endswith("/odd-deleted"), process)
                        else:
                            self.assertEqual((process["exe"], process["exe_deleted"]),
                                             (program, False), case["name"])


if __name__ == "__main__":
    unittest.main()
