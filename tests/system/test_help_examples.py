"""The examples that --help shows are true: each of them runs."""

import json
import pathlib
import shutil
import subprocess
import unittest

import harness


def examples(text: str) -> list[str]:
    """The command lines below "Examples:", each with its comment for the shell to pass over."""
    _, found, lines = text.partition("\nExamples:\n")
    if not found:
        raise AssertionError("no examples in:\n" + text)
    return [line.strip() for line in lines.splitlines() if line.strip()]


class HelpExamples(harness.SystemTest):
    def setUp(self):
        super().setUp()
        config = pathlib.Path(self.environment["TWINPORT_CONFIG"])
        config.mkdir(parents=True)
        (config / "expectations.toml").write_text(
            '[[expect]]\nprotocol = "tcp"\nport = 22\nscope = "any"\n')
        passphrase = pathlib.Path(self.state, "passphrase")
        passphrase.write_text("of the examples\n")
        self.environment["TWINPORT_PASSPHRASE_FILE"] = str(passphrase)

    def commands(self) -> list[str]:
        overview = self.twinport("--help").out
        lines = overview.split("\nCommands:\n")[1].split("\n\n")[0].splitlines()
        names = [line[2:].split("  ")[0].strip() for line in lines if line[2:3] != " "]
        self.assertGreaterEqual(len(names), 8)
        return names

    def test_every_example_runs(self):
        folder = pathlib.Path(self.state, "here")
        folder.mkdir()
        csv = ("Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,"
               "Registration Date,Modification Date,Reference,Service Code,Unauthorized Use "
               "Reported,Assignment Notes\n")
        rows = [f"name-{i},{i},tcp,Row {i},,,,,,,,\n" for i in range(1, 1500)]
        (folder / "service-names-port-numbers.csv").write_text(csv + "".join(rows))
        # Whatever is asked of jq is asked of Python's parser when there is no jq: is it JSON?
        jq = folder / "jq"
        if not shutil.which("jq"):
            jq.write_text("#!/bin/sh\nexec python3 -m json.tool --no-ensure-ascii >/dev/null\n")
            jq.chmod(0o755)
        environment = {**self.environment, "PATH": f"{harness.BUILD}:{folder}:/usr/bin:/bin:/sbin"}
        seen = 0
        for name in self.commands():
            for line in examples(self.twinport("help", *name.split()).out):
                if "/etc/" in line or line.endswith("| source"):
                    continue  # it would change this machine, or needs another shell
                if name in ("record", "watch") and "--for" not in line:
                    continue  # it runs until a person ends it
                if name == "record" and not harness.bpf_works():
                    continue
                with self.subTest(line=line):
                    done = subprocess.run(["bash", "-c", "set -o pipefail; " + line], cwd=folder,
                                          env=environment, capture_output=True, text=True,
                                          check=False, timeout=harness.HANG_SECONDS)
                    self.assertIn(done.returncode, (0, 1), done.stderr)
                    self.assertNotIn("jq:", done.stderr)
                    seen += 1
        self.assertGreater(seen, 20)

    def test_examples_with_json_are_json(self):
        # Examples about a repository mean the one of the directory they are run in.
        folder = pathlib.Path(self.state, "here")
        folder.mkdir()
        self.assert_code(self.twinport("repo", "init", "--repo", "backup", cwd=folder), 0)
        for name in self.commands():
            for line in examples(self.twinport("help", *name.split()).out):
                command = line.split("#")[0].split("|")[0].strip()
                if "--json" not in command or "'" in command:
                    continue
                if name in ("record", "watch"):
                    continue  # one needs rights, the other a recorder
                with self.subTest(command=command):
                    json.loads(self.twinport(*command.split()[1:], cwd=folder).out)


if __name__ == "__main__":
    unittest.main()
