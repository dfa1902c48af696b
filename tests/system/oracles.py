"""What `ss` and `lsof` say, parsed into the same shape as our own JSON, so that the three can be
compared field by field. Their ways of writing are undone here; where they cannot see or cannot say
something, the test states it as a rule, never the parser."""

import ipaddress
import re
import subprocess

STATES_OF_SS = {
    "ESTAB": "established",
    "SYN-SENT": "syn-sent",
    "SYN-RECV": "syn-recv",
    "FIN-WAIT-1": "fin-wait-1",
    "FIN-WAIT-2": "fin-wait-2",
    "TIME-WAIT": "time-wait",
    "CLOSE-WAIT": "close-wait",
    "LAST-ACK": "last-ack",
    "LISTEN": "listen",
    "CLOSING": "closing",
    "UNCONN": "unconnected",
}
STATES_OF_LSOF = {
    "ESTABLISHED": "established",
    "SYN_SENT": "syn-sent",
    "SYN_RECV": "syn-recv",
    "FIN_WAIT1": "fin-wait-1",
    "FIN_WAIT2": "fin-wait-2",
    "TIME_WAIT": "time-wait",
    "CLOSE_WAIT": "close-wait",
    "LAST_ACK": "last-ack",
    "LISTEN": "listen",
    "CLOSING": "closing",
}
TIMERS_OF_SS = {"on": "retransmit", "keepalive": "keepalive", "timewait": "time-wait",
                "persist": "persist"}

NETIDS = ("tcp", "udp", "raw", "icmp6", "???", "dccp", "sctp", "mptcp")


def text_of(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 1):  # lsof exits with 1 when it found nothing to complain of
        raise AssertionError(f"{command}: exit {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode(errors="surrogateescape")


def endpoint(address: str, port: str, any_address: str):
    """{"address", "port"}, or None where there is no peer."""
    address = any_address if address in ("*", "") else address.strip("[]")
    number = 0 if port == "*" else int(port)
    return {"address": str(ipaddress.ip_address(address)), "port": number}


def ss_rows(box, *flags: str) -> list[dict]:
    """One dictionary a socket. A command name may contain anything but NUL, line breaks included,
    so a line that does not begin with a protocol belongs to the one before."""
    text = text_of(box.command("ss", "-H", "-O", "-n", *flags))
    records: list[str] = []
    for line in text.split("\n"):
        if records and not line.startswith(tuple(f"{netid} " for netid in NETIDS)):
            records[-1] += "\n" + line
        elif line:
            records.append(line)
    return [ss_row(record) for record in records]


def ss_row(record: str) -> dict:
    head = re.match(r"(\S+) +(\S+) +(\d+) +(\d+) +(\S+):(\d+|\*) +(\S+):(\d+|\*)\s*", record)
    if head is None:
        raise AssertionError(f"ss wrote a line that we cannot read: {record!a}")
    netid, state, receive, send, local, local_port, remote, remote_port = head.groups()
    rest = record[head.end():]
    local, _, interface = local.partition("%")
    remote = remote.partition("%")[0]
    # "*" stands for :: of a socket that takes IPv4 too; its peer is then "*" as well.
    six = ":" in local or local == "*"
    any_address = "::" if six else "0.0.0.0"
    owners = re.findall(r'\("(.*?)",pid=(\d+),fd=(\d+)\)', rest, re.DOTALL)
    tail = rest[rest.rfind('"'):] if owners else rest  # nothing of a command name is read as a word
    words = dict(re.findall(r"\b(uid|ino|sk|v6only):([0-9a-f]+)", tail))
    timer = re.search(r"timer:\((\w+),", tail)
    peer = endpoint(remote, remote_port, any_address)
    return {
        "protocol": netid,
        "state": STATES_OF_SS[state],
        "receive_queue": int(receive),
        "send_queue": int(send),
        "local": endpoint(local, local_port, any_address),
        "remote": None if peer == {"address": any_address, "port": 0} else peer,
        "interface": interface,
        "owners": {(int(pid), int(fd)): command for command, pid, fd in owners},
        "uid": int(words.get("uid", "0")),
        "inode": int(words["ino"]) if "ino" in words else None,
        "cookie": int(words["sk"], 16) if "sk" in words else None,
        "v6only": words["v6only"] == "1" if "v6only" in words else None,
        "timer": TIMERS_OF_SS[timer.group(1)] if timer else None,
    }


def lsof_rows(box) -> list[dict]:
    """One dictionary a descriptor."""
    text = text_of(box.command("lsof", "-nP", "-i", "+c", "0", "-F", "pcuftdPnT0"))
    rows, process = [], {}
    for line in text.split("\n"):
        fields = {field[0]: field[1:] for field in line.split("\0") if field and field[0] != "T"}
        states = re.findall(r"TST=(\w+)", line)
        if "p" in fields:
            process = fields
        elif "f" in fields and fields.get("P") in ("TCP", "UDP"):
            rows.append(lsof_row(process, fields, states))
    return rows


def lsof_row(process: dict, fields: dict, states: list[str]) -> dict:
    any_address = "::" if fields["t"] == "IPv6" else "0.0.0.0"
    local, _, remote = fields["n"].partition("->")
    address, _, port = local.rpartition(":")
    peer = None
    if remote:
        peer = endpoint(*remote.rpartition(":")[::2], any_address)
    return {
        "pid": int(process["p"]),
        "command": process["c"],
        "uid": int(process["u"]),
        "fd": int(fields["f"]),
        "family": "ipv6" if fields["t"] == "IPv6" else "ipv4",
        "inode": int(fields["d"]),
        "protocol": fields["P"].lower(),
        "state": STATES_OF_LSOF[states[0]] if states else None,
        "local": endpoint(address, port, any_address),
        "remote": peer,
    }
