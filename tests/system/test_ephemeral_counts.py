"""`ephemeral` counts the ports that the kernel lends, per destination, against what the makers of
the sockets know, and notices what sits inside the range."""

import unittest

import harness


@harness.needs_root
class Ephemeral(harness.SystemTest):
    def look(self, box, *words, codes=(0, 1)) -> dict:
        answer = self.twinport("ephemeral", "--json", *words, box=box)
        self.assert_code(answer, *codes)
        (own,) = [ns for ns in answer.json()["namespaces"] if ns["own"]]
        return own

    def test_counts_each_destination(self):
        box = self.sandbox()
        # 1000 sockets in one process: 450 connections, of which each tenth is IPv6. The others come
        # from one address; the i-th goes to listener i modulo 50, so those that the tenths would
        # have met get none.
        zoo = box.start(harness.BUILD / "socket_zoo", "--sockets", 1000, "--processes", 1)
        own = self.look(box, "--top", 1000)
        self.assertEqual(own["netns"], box.netns)
        self.assertEqual((own["range"], own["size"]), ({"first": 32768, "last": 60999}, 28232))
        destinations = [d for d in own["tcp"]["destinations"] if d["local_address"] == "127.10.2.1"]
        self.assertEqual(sum(d["used"] for d in destinations), 405)
        self.assertEqual(len(destinations), 45)
        for destination in destinations:
            self.assertEqual(destination["free"], 28232 - destination["used"])
            self.assertEqual(destination["destination"]["address"], "127.10.1.1")
        (worker,) = zoo["workers"]
        for destination in destinations:
            self.assertIn(str(worker["pid"]), str(destination["programs"]))

    def test_reads_the_range_of_its_namespace(self):
        box = self.sandbox()
        box.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=50000 50099",
                "net.ipv4.ip_local_reserved_ports=50010-50019,9999",
                "net.ipv4.ip_unprivileged_port_start=80")
        own = self.look(box)
        self.assertEqual((own["range"], own["size"], own["reserved"], own["unprivileged_start"]),
                         ({"first": 50000, "last": 50099}, 90, 10, 80))

    def test_warns_when_little_is_left(self):
        box = self.sandbox()
        box.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=50000 50009")
        # 81 IPv4 connections to 9 of 10 listeners: 9 of 10 ports to each.
        box.start(harness.BUILD / "socket_zoo", "--sockets", 200, "--processes", 1)
        own = self.look(box, codes=(0,))
        self.assertEqual(own["headroom"], "small")
        # The last port of one destination goes, whichever the kernel has left over.
        first = own["tcp"]["destinations"][0]
        sockets = self.twinport("ports", "--all", "--json", box=box).json()["sockets"]
        used = {s["local"]["port"] for s in sockets
                if s["protocol"] == "tcp" and s["remote"] == first["destination"]
                and s["local"]["address"] == first["local_address"]}
        (left,) = set(range(50000, 50010)) - used
        box.run("sysctl", "-qw", f"net.ipv4.ip_local_reserved_ports={left}")
        own = self.look(box, codes=(1,))
        self.assertNotIn(own["headroom"], ("ample", "small"))
        self.assertNotEqual(own["advice"], [])

    def test_notices_a_listener_inside_the_range(self):
        box = self.sandbox()
        box.start(harness.BUILD / "odd_sockets")
        self.assertEqual(self.look(box)["listeners"], [])
        box.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=3100 3150")
        own = self.look(box, "--top", 100)
        ports = {listener["port"] for listener in own["listeners"]}
        self.assertLessEqual({3101, 3102, 3110, 3117}, ports)


if __name__ == "__main__":
    unittest.main()
