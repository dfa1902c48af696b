"""Processes and sockets that vanish while they are looked at: no crash, no wrong owner, and what is
shown as owned is named by the process that really uses that port. In a PID namespace with few pids,
so that numbers are used again within the second."""

import os
import platform
import unittest

import harness

RUNS_ALONE = True  # a recorder that listens meanwhile would lose events
FAMILIES = 12
ROUNDS = int(os.environ.get("TWINPORT_CHURN_ROUNDS", "12"))  # tests/soak asks for many more
FIRST_PORT, PORTS_EACH = 20000, 50  # as tests/socket_churn.cc has them


def family_of(port: int) -> str:
    return f"churn-{(port - FIRST_PORT) // PORTS_EACH}"


def is_churn_port(port) -> bool:
    return port is not None and FIRST_PORT <= port < FIRST_PORT + FAMILIES * PORTS_EACH


@harness.needs_root
class Churn(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox("net", "mount", "pid")
        release = tuple(int(part) for part in platform.release().split(".")[:2])
        if release >= (6, 14):
            # From this version on the limit belongs to the PID namespace, before to the machine.
            self.box.run("sh", "-c", "echo 400 > /proc/sys/kernel/pid_max")
        self.box.start(harness.BUILD / "socket_churn", FAMILIES)

    def check(self, inventory: dict, counts: dict) -> None:
        processes = {process["pid"]: process for process in inventory["processes"]}
        gone = {process["pid"] for process in inventory["processes"] if process["gone"]}
        for row in inventory["sockets"]:
            if row["netns"] != self.box.netns or not is_churn_port(row["local"]["port"]):
                continue
            counts["rows"] += 1
            counts[row["holding"]] = counts.get(row["holding"], 0) + 1
            self.assertEqual(bool(row["owners"]), row["holding"] == "owned", row)
            for owner in row["owners"]:
                if owner["command"] == "" and owner["pid"] in gone:
                    continue  # it ended before anybody could ask its name: unnamed, not misnamed
                self.assertEqual(owner["command"], family_of(row["local"]["port"]), row)
                process = processes[owner["pid"]]
                if not process["gone"]:
                    self.assertEqual(process["command"], family_of(row["local"]["port"]), row)
            if row["state"] == "time-wait":
                self.assertEqual((row["owners"], row["uid"]), ([], None))

    def test_never_names_a_wrong_owner(self):
        collectors = ["sock_diag", "proc"] + (["bpf"] if harness.bpf_works() else [])
        for collector in collectors:
            with self.subTest(collector=collector):
                counts = {"rows": 0}
                for _ in range(ROUNDS):
                    self.check(self.inventory("--collector", collector, box=self.box), counts)
                # The rounds must have met what they are about, or they prove nothing.
                self.assertGreater(counts["rows"], ROUNDS)
                self.assertGreater(counts.get("owned", 0), 0, counts)


if __name__ == "__main__":
    unittest.main()
