"""The recorder tells what changes, once; a webhook gets it signed, also when nobody listened at
first or the recorder was killed meanwhile."""

import hashlib
import hmac
import http.server
import json
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import unittest

import harness

LISTENER = """
import json, socket, sys
host, _, port = sys.argv[1].rpartition(":")
server = socket.create_server((host, int(port)))
print(json.dumps({"ready": True}), flush=True)
sys.stdin.read()
"""
# From an address of its own, so that the peer is not this machine itself.
SCAN = """
import socket, sys
for port in range(20000, 20040):
    with socket.socket() as one:
        one.settimeout(20)
        assert one.connect_ex((sys.argv[1], port)) != 0
"""
SECRET = "0123456789abcdef0123456789abcdef"


# Takes questions and answers none; says how many came, once there are as many as it is told.
SILENT_NAME_SERVER = """
import json, socket, sys, threading
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
asked = 0
changed = threading.Condition()
def count():
    global asked
    while True:
        server.recv(512)
        with changed:
            asked += 1
            changed.notify_all()
threading.Thread(target=count, daemon=True).start()
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    with changed:
        changed.wait_for(lambda: asked >= int(line))
        print(asked, flush=True)
"""
# The machine's resolver asks this often, half a minute apart, for each address family.
TRIES = 5
NEVER_RESOLVED = f"nameserver 127.0.0.53\noptions timeout:30 attempts:{TRIES}\n"
PLAIN_RECEIVER = """
import http.server, json, socketserver, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
class Server(http.server.HTTPServer):
    server_bind = socketserver.TCPServer.server_bind  # HTTPServer's looks its own name up
server = Server(("127.0.0.1", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"ready": True}), flush=True)
sys.stdin.read()
"""


class Receiver:
    """A webhook's other side, on the loopback of this test's own namespace."""

    def __init__(self, test, tls=None):
        self.taken = []
        self.ended = False
        self.condition = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.condition:
                    receiver.taken.append((dict(self.headers), body))
                    receiver.condition.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        # Whoever does not trust us hangs up in the middle of it.
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        test.addCleanup(self.end)

    def end(self):
        if self.ended:
            return
        self.ended = True
        self.server.shutdown()
        self.server.server_close()

    def wait_for(self, about) -> dict:
        """The alert about something, once it came; each that came is checked by its signature.
        There may be more: this machine has ports of its own."""
        with self.condition:
            if not self.condition.wait_for(lambda: self.find(about),
                                           timeout=harness.HANG_SECONDS):
                raise AssertionError(f"no alert about {about} came")
            return self.find(about)[0]

    def find(self, about) -> list[dict]:
        out = []
        for headers, body in self.taken:
            time, value = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})",
                                       headers["Twinport-Signature"]).groups()
            wanted = hmac.new(SECRET.encode(), time.encode() + b"." + body, hashlib.sha256)
            assert hmac.compare_digest(wanted.hexdigest(), value)
            alert = json.loads(body)
            assert alert["id"] == headers["Twinport-Alert"]
            out.append(alert)
        return [alert for alert in out if alert["about"] == about]


@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class Alerts(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.config = pathlib.Path(self.environment["TWINPORT_CONFIG"])
        self.config.mkdir(parents=True)
        python = pathlib.Path(sys.executable).resolve()
        self.programs = {}
        for name in ("service", "stranger", "beacon"):
            self.programs[name] = pathlib.Path(self.state, name)
            shutil.copy(python, self.programs[name])
        self.environment["PYTHONHOME"] = sys.base_prefix
        self.secret = pathlib.Path(self.state, "key")
        self.secret.write_text(SECRET + "\n")
        # Recorder and receiver share the namespace of this test, so that the webhook is reached;
        # what is planted is planted in there too.
        (self.config / "expectations.toml").write_text(f"""
[[expect]]
protocol = "tcp"
port = [1744, 5432]
scope = "loopback"
exe = "{self.programs['service']}"
presence = "sometimes"
""")

    def webhook(self, url, more=""):
        (self.config / "alerts.toml").write_text(f"""
group = "1s"
[[sink]]
kind = "webhook"
url = "{url}"
secret_file = "{self.secret}"
{more}
""")

    def start(self, box, program, address):
        box.start("env", f"PYTHONHOME={sys.base_prefix}", self.programs[program], "-c", LISTENER,
                  address)

    def record(self, box):
        # pylint: disable=consider-using-with
        recorder = subprocess.Popen(box.command(harness.TWINPORT, "record"), env=self.environment,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, recorder, signal.SIGKILL)
        while True:
            line = recorder.stdout.readline()
            self.assertTrue(line, "the recorder did not begin")
            if "Ctrl-C" in line or "ends it" in line:
                return recorder

    def end(self, recorder, number=signal.SIGTERM) -> str:
        if recorder.stdout.closed:
            return ""
        if recorder.poll() is None:
            recorder.send_signal(number)
        out, err = recorder.communicate(timeout=harness.HANG_SECONDS)
        recorder.stdout.close()
        recorder.stderr.close()
        return out + err

    def read_alert(self, recorder) -> str:
        line = recorder.stdout.readline()
        while line and " alert " not in line:
            line = recorder.stdout.readline()
        self.assertTrue(line, "the recorder ended without an alert")
        return line

    def told(self) -> list[dict]:
        answer = self.twinport("alerts", "--json")
        self.assert_code(answer, 0)
        return answer.json()["alerts"]

    def test_what_is_planted_is_told_once_and_what_is_expected_is_not(self):
        box = self.sandbox()
        attacker = self.sandbox()
        box.run("ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0", "netns",
                str(attacker.pid))
        for one, link, address in ((box, "a0", "10.78.0.1/24"), (attacker, "b0", "10.78.0.2/24")):
            one.run("ip", "address", "add", address, "dev", link)
            one.run("ip", "link", "set", link, "up")
        self.start(box, "service", "127.0.0.1:1744")
        recorder = self.record(box)
        for program, address, rule in (("stranger", "127.0.0.1:4444", "unexpected-listener"),
                                       ("service", "0.0.0.0:5432", "wider")):
            self.start(box, program, address)
            line = self.read_alert(recorder)
            self.assertIn(f"{rule}: ", line)
            self.assertIn(str(self.programs[program]), line)
        attacker.run("env", f"PYTHONHOME={sys.base_prefix}", self.programs["beacon"], "-c", SCAN,
                     "10.78.0.1")
        self.assertIn("port-scan: 10.78.0.2 tried ", self.read_alert(recorder))
        box.stop_helpers()
        self.start(box, "stranger", "0.0.0.0:1744")
        self.assertIn("impostor: 1744/tcp is expected, but stranger", self.read_alert(recorder))
        self.end(recorder)
        self.assertEqual([one["rule"] for one in self.told()],
                         ["impostor", "port-scan", "wider", "unexpected-listener"])
        # Started again it finds the same facts, and tells none of them.
        recorder = self.record(box)
        self.end(recorder)
        self.assertEqual(len(self.told()), 4)

    def asked(self, name_server, wanted=0) -> int:
        """How many questions came, once as many as wanted did."""
        name_server.process.stdin.write(f"{wanted}\n".encode())
        name_server.process.stdin.flush()
        return int(name_server.process.stdout.readline())

    def record_without_names(self):
        """A recorder that has an alert for a webhook and looks its name up, in vain; the name
        server says whether the first look-up is still under way, since it would ask more often."""
        box = self.sandbox()
        for name, text in (("resolv.conf", NEVER_RESOLVED), ("nsswitch.conf", "hosts: dns\n")):
            file = pathlib.Path(self.state, name)
            file.write_text(text)
            box.run("mount", "--bind", file, f"/etc/{name}")
        name_server = harness.Helper(box.command(sys.executable, "-c", SILENT_NAME_SERVER))
        self.addCleanup(name_server.stop)
        self.webhook("http://hooks.example/")
        recorder = self.record(box)
        self.start(box, "stranger", "127.0.0.1:4444")
        self.asked(name_server, 1)
        return box, name_server, recorder

    def test_a_look_up_that_never_ends_does_not_keep_the_recorder_from_ending(self):
        _, name_server, recorder = self.record_without_names()
        self.end(recorder)
        self.assertIn(recorder.returncode, (0, 1))  # 1: this machine did more than could be seen
        self.assertLess(self.asked(name_server), 2 * TRIES)
        waiting = list(pathlib.Path(self.state).glob("state/alerts/queue/webhook/*.json"))
        self.assertTrue(any('"4444/tcp"' in file.read_text() for file in waiting))

    def test_a_look_up_that_never_ends_does_not_keep_a_mended_webhook_waiting(self):
        box, name_server, recorder = self.record_without_names()
        receiver = harness.Helper(box.command(sys.executable, "-c", PLAIN_RECEIVER))
        self.addCleanup(receiver.stop)
        self.webhook("http://127.0.0.1:8080/")
        while '"4444/tcp"' not in receiver.process.stdout.readline().decode():
            self.assertIsNone(recorder.poll())
        self.assertLess(self.asked(name_server), 2 * TRIES)
        self.end(recorder)

    def test_a_webhook_gets_what_waited_for_it(self):
        # Nobody listens yet: the alert stays in its queue, also when the recorder is killed.
        box = self.here()
        silent = Receiver(self)
        port = silent.port
        silent.end()
        self.webhook(f"http://127.0.0.1:{port}/hook")
        recorder = self.record(box)
        self.start(box, "stranger", "127.0.0.1:44441")
        while not list(pathlib.Path(self.state).glob("state/alerts/queue/webhook/*.json")):
            self.assertIsNone(recorder.poll())
        self.end(recorder, signal.SIGKILL)
        receiver = Receiver(self)
        self.webhook(f"http://127.0.0.1:{receiver.port}/hook")
        recorder = self.record(box)
        alert = receiver.wait_for("44441/tcp")
        self.assertEqual(alert["rule"], "unexpected-listener")
        self.assertEqual(alert["program"], str(self.programs["stranger"]))
        self.end(recorder)

    @harness.needs_tool("openssl")
    def test_a_webhook_over_tls_is_verified(self):
        certificate = pathlib.Path(self.state, "certificate.pem")
        key = pathlib.Path(self.state, "certificate.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        receiver = Receiver(self, tls)
        box = self.here()
        # For another name the certificate is not good, nor without somebody who vouches for it.
        for url, more in ((f"https://127.0.0.1:{receiver.port}/", f'ca_file = "{certificate}"'),
                          (f"https://localhost:{receiver.port}/", "")):
            self.webhook(url, more)
            recorder = self.record(box)
            self.start(box, "stranger", "127.0.0.1:44442")
            line = recorder.stderr.readline()
            while line and "certificate is not to be trusted" not in line:
                line = recorder.stderr.readline()
            self.assertTrue(line, "it was delivered to who cannot be trusted")
            box.stop_helpers()
            self.end(recorder)
        self.assertEqual(receiver.taken, [])
        self.webhook(f"https://localhost:{receiver.port}/", f'ca_file = "{certificate}"')
        recorder = self.record(box)
        receiver.wait_for("44442/tcp")
        self.end(recorder)

    def here(self):
        """Helpers in the namespace that this test itself is in."""

        class Here:
            """Like a sandbox, without walls."""

            def __init__(self):
                self.helpers = []

            @staticmethod
            def command(*words):
                return [str(word) for word in words]

            def start(self, *words):
                self.helpers.append(harness.Helper(self.command(*words)))
                return self.helpers[-1].truth

            def stop_helpers(self):
                for helper in self.helpers:
                    helper.stop()

        here = Here()
        self.addCleanup(here.stop_helpers)
        return here


if __name__ == "__main__":
    unittest.main()
