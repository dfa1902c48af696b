"""Compares an inventory with what the makers of the sockets know: the one judge of "no wrong
owner", since ss and lsof are blind to several of the hard cases."""

import ipaddress


def plain(endpoint):
    """An endpoint in one way of writing, None where there is no peer."""
    if endpoint is None:
        return None
    return str(ipaddress.ip_address(endpoint["address"])), endpoint["port"]


def owners_of(socket: dict) -> set:
    """(pid, thread with a descriptor table of its own or pid, fd)"""
    return {(o["pid"], o.get("tid", o["pid"]), o["fd"]) for o in socket["owners"]}


class Expected:
    """One socket that stands, all its holders together."""

    def __init__(self, case: str, seen: dict):
        self.case = case
        self.protocol = seen["protocol"]
        self.state = seen["state"]
        self.holding = seen["holding"]
        self.inode = seen["inode"]
        self.cookie = seen["cookie"]
        self.netns = seen["netns"]
        self.uid = seen["uid"]
        self.mptcp = seen["mptcp"]
        self.local = plain(seen["local"])
        self.remote = plain(seen["remote"])
        self.owners = set()
        self.commands = {}

    def add(self, seen: dict) -> None:
        if seen["pid"]:
            self.owners.add((seen["pid"], seen["tid"], seen["fd"]))
            self.commands[seen["pid"]] = seen["command"]

    def __str__(self):
        return f"{self.case}: {self.protocol} {self.local} -> {self.remote} inode {self.inode}"


def expected_of_odd(truth: dict) -> list[Expected]:
    """The sockets of odd_sockets; records of one socket (same inode) come together."""
    found = []
    for case in truth["cases"]:
        by_inode = {}
        for seen in case["observations"]:
            if seen["inode"] and seen["inode"] in by_inode:
                by_inode[seen["inode"]].add(seen)
                continue
            expected = Expected(case["name"], seen)
            expected.add(seen)
            found.append(expected)
            if seen["inode"]:
                by_inode[seen["inode"]] = expected
    return found


def owners_of_zoo(truth: dict) -> dict[int, tuple]:
    """inode -> (pid, fd, cookie) of every socket of socket_zoo run with --truth."""
    return {held["inode"]: (held["pid"], held["fd"], held["cookie"])
            for worker in truth["workers"] for held in worker["held"]}


def find(inventory: dict, expected: Expected) -> list[dict]:
    """The rows that are this socket: by inode, or by addresses where there is none."""
    if expected.inode:
        return [s for s in inventory["sockets"] if s["inode"] == expected.inode]
    return [s for s in inventory["sockets"]
            if s["protocol"] == expected.protocol and s["netns"] == expected.netns
            and plain(s["local"]) == expected.local and plain(s["remote"]) == expected.remote]
