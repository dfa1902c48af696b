"""A socket that the kernel itself opened is explained as such, not left blank."""

import unittest

import harness


@harness.needs_root
class KernelSockets(harness.SystemTest):
    def test_a_vxlan_port_is_the_kernels(self):
        box = self.sandbox()
        made = box.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "42", "dstport", "4789",
                       "dev", "lo", check=False)
        if made.returncode != 0:
            self.skipTest(f"this kernel makes no VXLAN: {made.stderr.decode().strip()}")
        box.run("ip", "link", "set", "vx0", "up")
        if not harness.bpf_works():
            self.skipTest("without BPF a kernel socket cannot be told from one in flight")
        rows = [row for row in self.inventory(box=box)["sockets"]
                if row["local"]["port"] == 4789 and row["netns"] == box.netns]
        self.assertNotEqual(rows, [])
        for row in rows:
            self.assertEqual((row["protocol"], row["owners"], row["holding"]),
                             ("udp", [], "kernel"))
        answer = self.twinport("ports", "port = 4789", box=box)
        self.assertIn("kernel", answer.out)


if __name__ == "__main__":
    unittest.main()
