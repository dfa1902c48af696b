"""`expect check` finds what does not belong, on live sockets, and says so by its exit code."""

import pathlib
import shutil
import sys
import unittest

import harness

HOLDER = """
import json, socket, sys
sockets = []
for address in sys.argv[1:]:
    host, _, port = address.rpartition(":")
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((host, int(port)))
    one.listen()
    sockets.append(one)
print(json.dumps({"ready": True}), flush=True)
sys.stdin.read()
"""


@harness.needs_root
class ExpectCheck(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.sandbox()
        self.config = pathlib.Path(self.environment["TWINPORT_CONFIG"])
        self.config.mkdir(parents=True)
        # Two programs that differ in nothing but their file.
        python = pathlib.Path(sys.executable).resolve()
        self.ours = pathlib.Path(self.state, "service")
        self.other = pathlib.Path(self.state, "stranger")
        for copy in (self.ours, self.other):
            shutil.copy(python, copy)

    def hold(self, program, *addresses):
        self.box.start("env", f"PYTHONHOME={sys.base_prefix}", program, "-c", HOLDER, *addresses)

    def expect(self, port, scope, more=""):
        with open(self.config / "expectations.toml", "a", encoding="utf-8") as file:
            file.write(f'[[expect]]\nprotocol = "tcp"\nport = {port}\nscope = "{scope}"\n'
                       f'exe = "{self.ours}"\n{more}\n')

    def findings(self) -> list[tuple]:
        """What every collector finds. Exit code 1 says that there is something, or that a process
        of this machine would not be looked into."""
        answers = []
        collectors = ["sock_diag", "proc"] + (["bpf"] if harness.bpf_works() else [])
        for collector in collectors:
            answer = self.twinport("expect", "check", "--json", "--collector", collector,
                                   box=self.box)
            self.assert_code(answer, 0, 1)
            document = answer.json()
            wrong = bool(document["findings"]) or not document["collector"]["complete"]
            self.assertEqual(answer.code, 1 if wrong else 0, str(answer))
            self.assertEqual(document["needs_attention"], wrong)
            answers.append(sorted((one["verdict"], one["port"]) for one in document["findings"]))
        for answer in answers[1:]:
            self.assertEqual(answer, answers[0])
        return answers[0]

    def test_nothing_is_found_where_all_is_as_expected(self):
        self.expect(1744, "any")
        self.expect(5432, "loopback")
        self.hold(self.ours, "0.0.0.0:1744", "127.0.0.1:5432")
        self.assertEqual(self.findings(), [])

    def test_an_unexpected_listener(self):
        self.expect(1744, "any")
        self.hold(self.ours, "0.0.0.0:1744")
        self.hold(self.other, "127.0.0.1:4444")
        self.assertEqual(self.findings(), [("unexpected", 4444)])

    def test_an_impostor_on_the_data_port(self):
        self.expect(1744, "any")
        self.hold(self.other, "0.0.0.0:1744")
        self.assertEqual(self.findings(), [("impostor", 1744)])

    def test_a_loopback_service_that_is_open_to_all(self):
        self.expect(5432, "loopback")
        self.hold(self.ours, ":::5432")
        self.assertEqual(self.findings(), [("wider", 5432)])

    def test_a_service_that_is_gone(self):
        self.expect(5432, "loopback")
        self.assertEqual(self.findings(), [("missing", 5432)])

    def test_an_ordinary_user_is_not_told_that_all_is_well(self):
        self.expect(5432, "loopback")
        self.hold(self.ours, "127.0.0.1:5432")
        shutil.chown(self.state, 65534)
        with harness.readable_by_everybody() as program:
            answer = self.run_command(self.box.command(
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "expect",
                "check", "--json"))
        self.assert_code(answer, 1)
        self.assertEqual([one["verdict"] for one in answer.json()["findings"]], ["unknown"])


if __name__ == "__main__":
    unittest.main()
