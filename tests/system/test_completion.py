"""The completion scripts really complete: each shell loads its script and is asked."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TWINPORT = ROOT / "build" / "release" / "twinport"

# Fills in what readline would, and prints what the function that `complete` named offers.
BASH = r"""
source <("$1" completion bash)
shift
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_twinport
printf '%s\n' "${COMPREPLY[@]}"
"""


def offered(*words: str, cwd: str | None = None) -> list[str]:
    done = subprocess.run(["bash", "--norc", "-c", BASH, "bash", TWINPORT, *words], cwd=cwd,
                          capture_output=True, text=True, check=True)
    if done.stderr:
        raise AssertionError(done.stderr)
    return [line for line in done.stdout.splitlines() if line]


class Bash(unittest.TestCase):
    def test_offers_every_command(self):
        words = offered("twinport", "")
        overview = subprocess.run([TWINPORT, "--help"], capture_output=True, text=True, check=True)
        listed = overview.stdout.split("Commands:")[1].split("\n\n")[0]
        commands = {line.split()[0] for line in listed.splitlines() if line.startswith("  ")
                    and not line.startswith("   ")}
        self.assertGreaterEqual(len(commands), 3)
        self.assertEqual(set(words), commands | {"help"})

    def test_completes_a_command(self):
        self.assertEqual(offered("twinport", "po"), ["ports"])
        self.assertEqual(offered("twinport", "zz"), [])

    def test_finds_the_command_behind_shared_options(self):
        self.assertEqual(offered("twinport", "--state", "/tmp", "--json", "ports", "--col"),
                         ["--columns", "--collector"])
        self.assertEqual(offered("twinport", "--state", "=", "/tmp", "ports", "--so"), ["--sort"])

    def test_completes_options_of_this_command_only(self):
        self.assertEqual(offered("twinport", "version", "--co"), ["--config"])
        self.assertIn("--json", offered("twinport", "--"))

    def test_completes_the_values_of_an_option(self):
        self.assertEqual(offered("twinport", "ports", "--collector", ""),
                         ["auto", "bpf", "sock_diag", "proc"])
        self.assertEqual(offered("twinport", "ports", "--collector", "=", "b"), ["bpf"])
        self.assertEqual(offered("twinport", "ports", "--collector", "="),
                         ["auto", "bpf", "sock_diag", "proc"])
        self.assertEqual(offered("twinport", "ports", "--sort", "loc"), ["local"])

    def test_completes_the_last_item_of_a_list(self):
        self.assertEqual(offered("twinport", "ports", "--columns", "local,proc"),
                         ["local,process"])

    def test_completes_directories_and_files(self):
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "somewhere").mkdir()
            pathlib.Path(directory, "some.csv").touch()
            self.assertEqual(offered("twinport", "--state", "some", cwd=directory), ["somewhere"])

    def test_completes_the_topics_of_help(self):
        self.assertEqual(offered("twinport", "help", "fil"), ["filter"])
        self.assertEqual(offered("twinport", "completion", ""), ["bash", "zsh", "fish"])

    def test_is_sound_shell_code(self):
        script = subprocess.run([TWINPORT, "completion", "bash"], capture_output=True, check=True)
        done = subprocess.run(["shellcheck", "--shell=bash", "--exclude=SC2207", "-"],
                              input=script.stdout, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode())


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class Fish(unittest.TestCase):
    def offered(self, line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"{TWINPORT} completion fish | source; "
             f"complete -C '{line}'"], capture_output=True, text=True, check=True)
        return [answer.split("\t")[0] for answer in done.stdout.splitlines()]

    def test_completes_commands_options_and_values(self):
        self.assertIn("ports", self.offered("twinport "))
        self.assertIn("--columns", self.offered("twinport ports --col"))
        self.assertEqual(self.offered("twinport ports --collector "),
                         ["auto", "bpf", "proc", "sock_diag"])


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(unittest.TestCase):
    def test_is_sound_shell_code(self):
        script = subprocess.run([TWINPORT, "completion", "zsh"], capture_output=True, check=True)
        done = subprocess.run(["zsh", "-n"], input=script.stdout, capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
