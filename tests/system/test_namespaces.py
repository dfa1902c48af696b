"""Root sees the sockets of every network namespace, each with the owner that lives there and the
name that `ip netns` gave it; asked for less, only the own namespace."""

import unittest

import harness
import truth

COUNT, EACH = 20, 40


@harness.needs_root
class Namespaces(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()
        self.box.run("mkdir", "-p", "/run/netns")
        self.box.run("mount", "-t", "tmpfs", "none", "/run/netns")
        self.zoo = self.box.start(harness.BUILD / "socket_zoo", "--namespaces", COUNT,
                                  "--sockets-each", EACH, "--truth")
        # Half of them get a name.
        self.names = {}
        for number, worker in enumerate(self.zoo["workers"][: COUNT // 2]):
            self.names[worker["netns"]] = f"zoo{number}"
            self.box.run("ip", "netns", "attach", f"zoo{number}", worker["pid"])

    def test_every_namespace_is_read_and_named(self):
        collectors = ["sock_diag", "proc"] + (["bpf"] if harness.bpf_works() else [])
        for collector in collectors:
            with self.subTest(collector=collector):
                inventory = self.inventory("--collector", collector, box=self.box)
                rows = {row["inode"]: row for row in inventory["sockets"] if row["inode"]}
                for worker in self.zoo["workers"]:
                    for held in worker["held"]:
                        row = rows[held["inode"]]
                        self.assertEqual(row["netns"], worker["netns"])
                        self.assertEqual(truth.owners_of(row),
                                         {(held["pid"], held["pid"], held["fd"])})
                known = {ns["netns"]: ns for ns in inventory["namespaces"]}
                for worker in self.zoo["workers"]:
                    namespace = known[worker["netns"]]
                    self.assertEqual(namespace["name"], self.names.get(worker["netns"]))
                    self.assertTrue(namespace["tables_read"])
                self.assertEqual([ns["netns"] for ns in inventory["namespaces"] if ns["own"]],
                                 [self.box.netns])

    def test_a_namespace_with_a_name_and_no_process_is_read(self):
        """A socket whose namespace has lost its processes: held by one that lives elsewhere."""
        self.box.run("ip", "netns", "add", "empty")
        self.box.run("sh", "-c", "ip netns exec empty sysctl -qw "
                     "net.ipv4.ip_local_port_range='40000 40099'")
        inventory = self.inventory("--collector", "sock_diag", box=self.box)
        (namespace,) = [ns for ns in inventory["namespaces"] if ns["name"] == "empty"]
        self.assertIsNone(namespace["sample_pid"])
        self.assertEqual(namespace["policy"]["ephemeral"], {"first": 40000, "last": 40099})


if __name__ == "__main__":
    unittest.main()
