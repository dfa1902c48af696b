"""Holds a timeline against the truth that traffic_gen wrote: what was recorded of each socket, and
whether the owner named is the one who had it."""

import dataclasses
import ipaddress
import os
from collections import Counter, defaultdict
from datetime import datetime

MOMENTS = ("connect-failed", "bind-failed", "refused")
# The recorder keeps wall time as boot time and a difference, which it corrects from 10 ms on.
CLOCK_SLACK_US = 15_000
LISTED_MOST = 3


@dataclasses.dataclass
class Tally:
    """Of one kind and side."""
    made: int = 0
    seen: int = 0
    right: int = 0        # the process that acted is named
    maker_only: int = 0   # only the maker of the listener is known, and it is said so
    nobody: int = 0       # no owner is named
    close_unseen: int = 0  # the opening was recorded, the closing only found out
    wrong: list = dataclasses.field(default_factory=list)
    missing: list = dataclasses.field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.seen / self.made if self.made else 1.0

    def add(self, other: "Tally") -> None:
        for field in dataclasses.fields(Tally):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def plain_address(text: str) -> str:
    """One spelling of an address; 10.0.0.5 and the same mapped into IPv6 are one."""
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def microseconds(text: str) -> int:
    whole = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(whole.timestamp()) * 1_000_000 + whole.microsecond


def same_place(truth: dict, row: dict | None) -> bool:
    """A port of 0 in the truth is one that its maker could not know."""
    if truth["port"] == 0:
        return True
    if row is None:
        return False
    return (truth["port"] == row["port"]
            and plain_address(truth["address"]) == plain_address(row["address"]))


def difference(truth: dict, row: dict) -> str:
    """What the row says that is not so; "" = nothing."""
    for name in ("protocol", "role"):
        if truth[name] != row[name]:
            return f"{name} {row[name]}"
    # A failed connect() takes the address away again, and leaves the port to be asked for.
    if truth["role"] == "connect-failed":
        if truth["local"]["port"] != row["local"]["port"]:
            return f"local {row['local']}"
    elif not same_place(truth["local"], row["local"]):
        return f"local {row['local']}"
    if truth["role"] == "refused":
        if row["remote"]["port"] != truth["remote"]["port"]:
            return f"remote {row['remote']}"
    elif truth["remote"]["port"] != 0 and not same_place(truth["remote"], row["remote"]):
        return f"remote {row['remote']}"
    if row["error"] not in (0, truth["error"]):
        return f"error {row['error']}"
    if microseconds(row["opened"]) > truth["ended_us"] + CLOCK_SLACK_US:
        return f"opened {row['opened']}"
    if row["closed"] is None:
        return "" if truth["side"] == "standing" else "still open"
    if not row["close_unseen"]:
        closed = microseconds(row["closed"])
        # What stands ends with its process, at a time that nobody notes.
        late = truth["side"] != "standing" and closed > truth["ended_us"] + CLOCK_SLACK_US
        if late or closed < truth["begun_us"] - CLOCK_SLACK_US:
            return f"closed {row['closed']}"
    return ""


def judge_owner(truth: dict, row: dict, tally: Tally, pids: set) -> None:
    owner, proof = row["owner"], row["owner_proof"]
    expected = truth["maker"] if proof == "inherited" else truth["pid"]
    if owner is None:
        if truth["pid"] == 0:
            tally.right += 1
        else:
            tally.nobody += 1
    elif owner["pid"] != expected:
        tally.wrong.append((truth, row, f"owner {owner['pid']} {owner['command']} ({proof})"))
        return
    elif os.path.basename(owner["exe"] or truth["program"]) != truth["program"]:
        tally.wrong.append((truth, row, f"program {owner['exe']}"))
        return
    elif proof == "inherited" and truth["maker"] != truth["pid"]:
        tally.maker_only += 1
    else:
        tally.right += 1
    if row["creator"] is not None and row["creator"]["pid"] != truth["maker"]:
        tally.wrong.append((truth, row, f"creator {row['creator']['pid']}"))
    strangers = [other["pid"] for other in row["also_held_by"] if other["pid"] not in pids]
    if strangers:
        tally.wrong.append((truth, row, f"also held by {strangers}"))


class Rows:
    """The timeline's rows of one network namespace."""

    def __init__(self, rows: list, netns: int):
        self.by_socket = defaultdict(list)
        self.refusals = defaultdict(list)
        self.count = 0
        for row in rows:
            if row["netns"] != netns:
                continue
            self.count += 1
            if row["role"] == "refused":
                place = (plain_address(row["local"]["address"]), row["local"]["port"])
                self.refusals[place].append(row)
            else:
                self.by_socket[row["cookie"]].append(row)

    def take(self, truth: dict) -> tuple[dict | None, str]:
        """The row that tells of this, and what is wrong in it. A row is taken once."""
        if truth["cookie"] == 0:
            rows = self.refusals[plain_address(truth["local"]["address"]),
                                 truth["local"]["port"]]
        else:
            rows = self.by_socket[truth["cookie"]]
        said = ""
        for at, row in enumerate(rows):
            wrong = difference(truth, row)
            if not wrong:
                return rows.pop(at), ""
            said = said or wrong
        return None, said

    def left(self) -> list:
        """Rows that no truth explains."""
        return [row for rows in (*self.by_socket.values(), *self.refusals.values())
                for row in rows]


def prepare(truths: list) -> None:
    """Which program each socket was of. What served it has the same name as what made it, but for
    the programs that were executed."""
    for truth in truths:
        executed = truth["kind"] == "program" and truth["side"] == "client"
        truth["program"] = "traffic_client" if executed else "traffic_gen"


def compare(truths: list, rows: Rows) -> dict:
    """{(kind, side): Tally}; what stands is judged too, under side "standing"."""
    prepare(truths)
    pids = {truth["pid"] for truth in truths} | {truth["maker"] for truth in truths}
    tallies = defaultdict(Tally)
    for truth in truths:
        tally = tallies[truth["kind"], truth["side"]]
        tally.made += 1
        row, said = rows.take(truth)
        if row is None:
            tally.missing.append((truth, said or "no row"))
            continue
        tally.seen += 1
        tally.close_unseen += row["close_unseen"]
        judge_owner(truth, row, tally, pids)
    return dict(tallies)


# ---- what polling with ss catches ----------------------------------------------------------------

def ss_place(text: str) -> tuple:
    address, _, port = text.rpartition(":")
    address = address.strip("[]").partition("%")[0]
    if address in ("*", "0.0.0.0", "::", ""):
        return "any", port
    return plain_address(address), port


def place_of(endpoint: dict) -> tuple:
    if endpoint["port"] == 0:
        return "any", "*"
    address = plain_address(endpoint["address"])
    return ("any" if address in ("0.0.0.0", "::") else address), str(endpoint["port"])


def read_ss(text: str) -> dict:
    """{(protocol, local, remote): processes} of `ss -tuanpH`."""
    found = {}
    for line in text.splitlines():
        words = line.split(None, 6)
        if len(words) >= 6:
            found[words[0], ss_place(words[4]), ss_place(words[5])] = (
                words[6] if len(words) > 6 else "")
    return found


def caught_by_polling(truths: list, polls: list) -> dict:
    """{kind: (seen, seen with the right owner)}. A poll is (wall time in µs, output); what was
    refused is no socket and cannot be polled for."""
    sockets = defaultdict(list)
    for truth in truths:
        if truth["role"] not in MOMENTS and truth["side"] != "standing":
            key = (truth["protocol"], place_of(truth["local"]), place_of(truth["remote"]))
            sockets[key].append(truth)
    seen, owned = {}, {}
    for taken_us, text in polls:
        for key, processes in read_ss(text).items():
            for truth in sockets.get(key, ()):
                # Until a minute after its end it may be there in TIME_WAIT.
                if truth["begun_us"] <= taken_us <= truth["ended_us"] + 60_000_000:
                    seen[id(truth)] = truth["kind"]
                    if f"pid={truth['pid']}," in processes:
                        owned[id(truth)] = truth["kind"]
    counts = Counter(seen.values()), Counter(owned.values())
    kinds = {truth["kind"] for truth in truths}
    return {kind: (counts[0][kind], counts[1][kind]) for kind in kinds}


def listed(tallies: dict) -> list[str]:
    """Each wrong owner and the first of what is missing, in words."""
    lines = []
    for (kind, side), tally in sorted(tallies.items()):
        for truth, row, said in tally.wrong[:LISTED_MOST]:
            lines.append(f"wrong: {kind}, {side}: pid {truth['pid']} had {truth['protocol']} "
                         f"{truth['local']}; recorded: {said}, {row['opened']}")
        for truth, said in tally.missing[:LISTED_MOST]:
            lines.append(f"missing: {kind}, {side}: {truth['protocol']} {truth['role']} "
                         f"{truth['local']} of pid {truth['pid']}: {said}")
    return lines
