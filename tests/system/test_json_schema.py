"""Every command's --json follows its schema in docs/schema, field by field and with no field that
the schema does not describe, over as odd a population of sockets as we can make."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import harness

VALIDATOR = harness.ROOT / "tests" / "schema"
SCHEMAS = harness.ROOT / "docs" / "schema"
DNAT = """
table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    tcp dport 8080 dnat to 172.17.0.2:80
    udp dport 5000-5009 redirect to :53
  }
}
"""


@harness.needs_tool("node")
@unittest.skipUnless((VALIDATOR / "node_modules" / "ajv").is_dir(), "needs ./dev setup (ajv)")
class JsonSchema(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.collected = []  # (schema, file)

    def validate(self, documents) -> subprocess.CompletedProcess:
        arguments = [f"{schema}={file}" for schema, file in documents]
        return subprocess.run(["node", VALIDATOR / "validate.mjs", *arguments], check=False,
                              capture_output=True, text=True, timeout=harness.HANG_SECONDS)

    def validate_text(self, schema: str, text: str) -> int:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(text)
            file.flush()
            return self.validate([(schema, file.name)]).returncode

    def assert_all_follow(self) -> None:
        """Validates what collect() kept, in one run of Node, which starts slowly."""
        self.assertGreater(len(self.collected), 0)
        done = self.validate(self.collected)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def collect(self, schema: str, *words, box=None) -> dict:
        answer = self.twinport(*words, "--json", box=box)
        self.assert_code(answer, 0, 1)
        name = "-".join(str(word).replace("/", "_")[:40] for word in words)
        file = pathlib.Path(self.state, f"{len(self.collected)}-{name}.json")
        file.write_text(answer.out, errors="surrogateescape")
        self.collected.append((schema, file))
        document = answer.json()
        if "needs_attention" in document:
            self.assertEqual(document["needs_attention"], answer.code == 1, answer.command)
        return document

    def crowd(self) -> harness.Sandbox:
        box = self.sandbox()
        box.start(harness.BUILD / "socket_zoo", "--sockets", 300, "--processes", 2)
        box.start(harness.BUILD / "odd_sockets")
        box.run("nft", "-f", "-", input=DNAT.encode(), check=False)
        return box

    @harness.needs_root
    def test_commands_on_live_sockets(self):
        box = self.crowd()
        collectors = ["sock_diag", "proc"] + (["bpf"] if harness.bpf_works() else [])
        for collector in collectors:
            for words in (["ports"], ["ports", "--all"], ["ports", "--all", "--detail"],
                          ["ports", "--verify", "--sort", "process"]):
                with self.subTest(collector=collector, words=words):
                    found = self.collect("ports", *words, "--collector", collector, box=box)
                    self.assertGreater(len(found["sockets"]), 10)
            with self.subTest(collector=collector, words="who"):
                self.collect("who", "who", "1-65535", "--collector", collector, box=box)
            with self.subTest(collector=collector, words="ephemeral"):
                self.collect("ephemeral", "ephemeral", "--collector", collector, box=box)
            with self.subTest(collector=collector, words="doctor"):
                self.collect("doctor", "doctor", "1700-1750", "--collector", collector, box=box)
        self.assert_all_follow()

    @harness.needs_root
    def test_questions_about_ports(self):
        box = self.crowd()
        listener = next(s for s in self.inventory("tcp listen", box=box)["sockets"])
        port = listener["local"]["port"]
        for words in (["22"], ["1743-1844"], [str(port)], ["8080"], ["5001/udp"], ["0"], ["56744"],
                      [f"127.0.0.1:{port}"]):
            with self.subTest(words=words):
                self.collect("explain", "explain", *words, box=box)
                self.collect("who", "who", *words, box=box)
        self.collect("who", "who", str(port), "--peer", "127.0.0.1", box=box)
        config = pathlib.Path(self.environment["TWINPORT_CONFIG"])
        config.mkdir(parents=True)
        (config / "expectations.toml").write_text(
            f'[[expect]]\nprotocol = "tcp"\nport = [{port}, 1]\nscope = "loopback"\n'
            'why = "a test"\nowner = "nobody"\n[[outgoing]]\nprotocol = "tcp"\nport = 443\n'
            'exe = "/nothing"\n')
        found = self.collect("expect-check", "expect", "check", box=box)
        self.assertGreater(len({one["verdict"] for one in found["findings"]}), 1)
        self.collect("alerts", "alerts", box=box)
        self.collect("expect-learn", "expect", "learn", "--output", "-", box=box)
        self.collect("expect-show", "expect", "show", box=box)
        self.collect("ports", "ports", "--all", box=box)
        self.collect("explain", "explain", str(port), box=box)
        self.collect("who", "who", str(port), box=box)
        self.assert_all_follow()

    @harness.needs_root
    def test_the_recorder(self):
        if not harness.bpf_works():
            self.skipTest("BPF is refused here")
        box = self.crowd()
        self.collect("who-at", "who", "22", "--at", "-10m")
        self.collect("status", "status")
        self.collect("record", "record", "--for", "1s")
        self.collect("status", "status")
        self.collect("timeline", "timeline", "tcp", "--since", "-1h")
        past = self.collect("ephemeral", "ephemeral")
        self.assertIsNotNone(past["history"], past["history_missing"])
        listener = next(s for s in self.inventory("tcp listen", box=box)["sockets"])
        for words in ([listener["local"]["port"], "--at", "now"], ["1-65535", "--at", "-1m"],
                      ["22", "--at", "2020-01-01 00:00:00", "--peer", "127.0.0.1:5"]):
            with self.subTest(words=words):
                self.collect("who-at", "who", *words)
                self.collect("explain", "explain", *words[:3])
        self.assert_all_follow()

    def test_knowledge(self):
        for words in (["22"], ["ssh"], ["1743-1844/tcp"], ["60000"], ["1-65535"]):
            with self.subTest(words=words):
                self.collect("registry", "registry", *words)
        self.collect("registry-search", "registry", "search", "backup")
        rows = self.collect("registry-list", "registry", "list")
        self.assertGreater(len(rows["registrations"]), 5000)
        self.collect("version", "version")
        self.assert_all_follow()

    def test_import(self):
        csv = pathlib.Path(self.state, "iana.csv")
        csv.write_text("Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,"
                       "Registration Date,Modification Date,Reference,Service Code,Unauthorized Use"
                       " Reported,Assignment Notes\nmine,1744,tcp,Mine,,,,,,,,\n")
        self.collect("registry-import", "registry", "import", csv, "--force")
        self.assert_all_follow()

    def test_a_repository(self):
        here = pathlib.Path(self.state)
        (here / "passphrase").write_text("x\n")
        tree = here / "tree"
        tree.mkdir()
        (tree / "file").write_bytes(b"x" * 100000)
        (tree / "link").symlink_to("file")
        self.environment["TWINPORT_REPO"] = str(here / "repository")
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(here / "passphrase")
        self.collect("repo-init", "repo", "init")
        self.collect("backup", "backup", tree, "--tag", "tag")
        self.collect("snapshots", "snapshots")
        self.collect("ls", "ls", "latest", "--recursive")
        self.collect("restore", "restore", "latest", "--to", here / "restored")
        self.collect("repo-check", "repo", "check")
        self.collect("forget", "forget", "--keep-last", "1", "--dry-run")
        self.collect("forget", "forget", "latest", "--hold")
        self.collect("repo-gc", "repo", "gc")
        for pack in (here / "repository" / "packs").glob("*/*"):
            pack.chmod(0o600)
            with pack.open("r+b") as file:
                file.seek(100)
                file.write(b"damage")
        self.collect("repo-check", "repo", "check", "--scrub")
        self.collect("repo-check", "repo", "check", "--read-data")
        self.collect("repo-repair", "repo", "repair", "--dry-run")
        self.collect("repo-repair", "repo", "repair")
        self.assert_all_follow()

    def test_the_check_finds_what_is_wrong(self):
        good = self.twinport("version", "--json").json()
        self.assertEqual(self.validate_text("version", json.dumps(good)), 0)
        for change in ({"schema": "twinport/2"}, {"version": 1}, {"unheard_of": True}):
            with self.subTest(change=change):
                self.assertEqual(self.validate_text("version", json.dumps({**good, **change})), 1)
        self.assertEqual(self.validate_text("version", "{}"), 1)
        self.assertEqual(self.validate_text("nothing", "{}"), 1)

    def test_every_schema_is_named_in_the_documents(self):
        text = (harness.ROOT / "docs" / "json.md").read_text()
        for schema in SCHEMAS.glob("*.schema.json"):
            self.assertIn(f"schema/{schema.name}", text)


if __name__ == "__main__":
    unittest.main()
