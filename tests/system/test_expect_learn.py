"""`expect learn` writes down what is open and who talked; `check` is content with that, and finds
what comes later. Also of programs that lived for a moment, by link and by script."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

import harness

LISTENER = """
import json, socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print(json.dumps({"ready": True}), flush=True)
sys.stdin.read()
"""
CLIENT = """
import socket, sys
one = socket.socket()
one.settimeout(20)
one.connect((sys.argv[1], int(sys.argv[2])))
"""


@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class ExpectLearn(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()
        self.peer = self.sandbox()
        self.box.run("ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0", "netns",
                     str(self.peer.pid))
        for box, link, address in ((self.box, "a0", "10.77.0.1/24"),
                                   (self.peer, "b0", "10.77.0.2/24")):
            box.run("ip", "address", "add", address, "dev", link)
            box.run("ip", "link", "set", link, "up")
        python = pathlib.Path(sys.executable).resolve()
        self.programs = {}
        for name in ("server", "client", "stranger"):
            self.programs[name] = pathlib.Path(self.state, name)
            shutil.copy(python, self.programs[name])
        self.environment["PYTHONHOME"] = sys.base_prefix
        self.peer.start("env", f"PYTHONHOME={sys.base_prefix}", self.programs["server"], "-c",
                        LISTENER, "8443")

    def talk(self, program, port=8443):
        return subprocess.run(self.box.command(program, "-c", CLIENT, "10.77.0.2", port),
                              env=self.environment, check=True, timeout=harness.HANG_SECONDS)

    def record(self, work):
        """Runs `work` under the recorder."""
        command = self.box.command(harness.TWINPORT, "record")
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as recorder:
            try:
                self.assertTrue(recorder.stdout.readline(), "the recorder did not begin")
                work()
            finally:
                recorder.send_signal(signal.SIGTERM)
                out, err = recorder.communicate(timeout=harness.HANG_SECONDS)
        self.assertIn(recorder.returncode, (0, 1), (out + err).decode())

    def learn(self) -> dict:
        answer = self.twinport("expect", "learn", "--json", box=self.box)
        self.assert_code(answer, 0)
        return answer.json()

    def test_what_was_learned_is_as_expected_and_what_comes_later_is_not(self):
        self.box.start("env", f"PYTHONHOME={sys.base_prefix}", self.programs["server"], "-c",
                       LISTENER, "8000")
        link = pathlib.Path(self.state, "link")
        os.symlink(self.programs["client"], link)
        script = pathlib.Path(self.state, "script")
        script.write_text(f"#!{self.programs['client']}\nimport sys\nsys.argv.pop(1)\n"
                          f"sys.argv.pop(1)\n{CLIENT}", encoding="utf-8")
        script.chmod(0o755)

        def work():
            for program in (self.programs["client"], link, script):
                self.talk(program)

        self.record(work)
        learned = self.learn()["learned"]
        self.assertEqual([(one["direction"], one["holder"]["exe"], one["ports"][0]["first"])
                          for one in learned],
                         [("open", [str(self.programs["server"])], 8000),
                          ("outgoing", [str(self.programs["client"])], 8443)])
        self.assert_code(self.twinport("expect", "check", box=self.box), 0)
        self.box.start("env", f"PYTHONHOME={sys.base_prefix}", self.programs["stranger"], "-c",
                       LISTENER, "4444")
        answer = self.twinport("expect", "check", "--json", box=self.box)
        self.assert_code(answer, 1)
        self.assertEqual([(one["verdict"], one["port"]) for one in answer.json()["findings"]],
                         [("unexpected", 4444)])


if __name__ == "__main__":
    unittest.main()
