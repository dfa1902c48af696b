"""What the system tests share: namespaces that vanish with the test, the program under test, and
the programs that make sockets with a known truth.

Nothing here changes the machine: every network, mount and pid namespace is made by the test and
ends with it, also when the test fails or is killed, because it lives only as long as a pipe of
ours.
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / os.environ.get("TWINPORT_PRESET", "release")
TWINPORT = BUILD / "twinport"
HANG_SECONDS = 300  # far beyond any honest run: only a hang meets it


def needs_root(test):
    """Namespaces, other users' processes and BPF need root; without it the test says so."""
    return unittest.skipUnless(os.geteuid() == 0, "needs root to make namespaces")(test)


def needs_tool(name: str):
    return unittest.skipUnless(shutil.which(name), f"needs {name}")


def bpf_works() -> bool:
    """Whether this kernel and these rights allow the BPF collector. It may be refused on a test
    machine; it may not be broken, so only a refusal is accepted as an answer."""
    done = subprocess.run([TWINPORT, "ports", "--json", "--collector", "bpf"], check=False,
                          capture_output=True, timeout=HANG_SECONDS)
    if done.returncode in (0, 1):
        return True
    if done.returncode == 3:
        return False
    raise AssertionError(f"ports --collector bpf: exit {done.returncode}: {done.stderr.decode()}")


class Answer:
    """What one run of the program gave."""

    def __init__(self, command, done):
        self.command = " ".join(str(word) for word in command)
        self.code = done.returncode
        self.out = done.stdout.decode(errors="surrogateescape")
        self.err = done.stderr.decode(errors="surrogateescape")

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"{self}: not JSON: {error}") from None

    def __str__(self):
        return (f"`{self.command}` gave exit code {self.code}\n"
                f"stdout: {self.out[:2000]!a}\nstderr: {self.err[:2000]!a}")


class Helper:
    """A program that prints one line of JSON when it is ready and ends when its input closes."""

    def __init__(self, command):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise AssertionError(f"{command} failed with exit code {self.process.returncode}")
        self.truth = json.loads(line.decode(errors="surrogateescape"))

    def stop(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Sandbox:
    """A process that keeps namespaces open until its input closes, and the way into them.

    `kinds`: of "net", "mount", "pid" (which also mounts a /proc of its own), "uts".
    """

    def __init__(self, kinds=("net", "mount")):
        flags = ["--net"] if "net" in kinds else []
        if "mount" in kinds or "pid" in kinds:
            flags += ["--mount", "--propagation", "private"]
        if "pid" in kinds:
            flags += ["--pid", "--fork", "--kill-child", "--mount-proc"]
        # `cat` reports the moment at which the namespaces stand by echoing a line.
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(["unshare", *flags, "cat"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        self.process.stdin.write(b"ready\n")
        if self.process.stdout.readline() != b"ready\n":
            raise unittest.SkipTest(f"this machine makes no {' '.join(kinds)} namespaces")
        self.pid = self.process.pid
        if "pid" in kinds:
            children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            self.pid = int(children.split()[0])
        self.entry = ["nsenter", "--target", str(self.pid)]
        self.entry += [f"--{kind}" for kind in ("net", "mount", "pid") if kind in kinds]
        if "pid" in kinds and "mount" not in kinds:
            self.entry.append("--mount")
        self.helpers = []
        if "net" in kinds:
            self.run("ip", "link", "set", "lo", "up")

    @property
    def netns(self) -> int:
        return os.stat(f"/proc/{self.pid}/ns/net").st_ino

    def command(self, *words) -> list[str]:
        return [*self.entry, "--", *[str(word) for word in words]]

    def run(self, *words, check=True, **options) -> subprocess.CompletedProcess:
        """Runs a tool inside; its failure is the test's failure unless told otherwise."""
        done = subprocess.run(self.command(*words), capture_output=True, check=False,
                              timeout=HANG_SECONDS, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{words}: exit {done.returncode}: {done.stderr.decode()}")
        return done

    def start(self, *words) -> dict:
        """Starts a helper inside and returns its truth; it ends with the sandbox."""
        helper = Helper(self.command(*words))
        self.helpers.append(helper)
        return helper.truth

    def stop_helpers(self):
        for helper in self.helpers:
            helper.stop()

    def close(self):
        self.stop_helpers()
        if not self.process.stdin.closed:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()


class SystemTest(unittest.TestCase):
    """A test with a state directory of its own and sandboxes that end with it."""

    maxDiff = None

    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="twinport-test-")
        self.addCleanup(shutil.rmtree, self.state, ignore_errors=True)
        self.environment = {
            **os.environ,
            "TWINPORT_STATE": os.path.join(self.state, "state"),
            "TWINPORT_CONFIG": os.path.join(self.state, "config"),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        }

    def sandbox(self, *kinds) -> Sandbox:
        box = Sandbox(kinds or ("net", "mount"))
        self.addCleanup(box.close)
        return box

    def twinport(self, *words, box=None, before=(), **options) -> Answer:
        """Runs the program, in a sandbox when one is given, behind the words of `before`."""
        command = [*[str(word) for word in before], str(TWINPORT), *[str(word) for word in words]]
        if box is not None:
            command = box.command(*command)
        return self.run_command(command, **options)

    def run_command(self, command, **options) -> Answer:
        options.setdefault("env", self.environment)
        options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(command, capture_output=True, check=False, timeout=HANG_SECONDS,
                              **options)
        return Answer(command, done)

    def assert_code(self, answer: Answer, *codes: int) -> None:
        self.assertIn(answer.code, codes, str(answer))
        # A sanitizer or an abort would show here even if the code looked honest.
        for word in ("Sanitizer", "terminate called", "Assertion"):
            self.assertNotIn(word, answer.err, str(answer))

    def inventory(self, *words, box=None, codes=(0, 1), **options) -> dict:
        """`ports --all --json`, parsed; other exit codes than `codes` fail the test."""
        answer = self.twinport("ports", "--all", "--json", *words, box=box, **options)
        self.assert_code(answer, *codes)
        return answer.json()


@contextlib.contextmanager
def readable_by_everybody():
    """A copy of the program where any user can run it, whatever the modes of the tree are."""
    directory = tempfile.mkdtemp(prefix="twinport-test-")
    try:
        os.chmod(directory, 0o755)
        copy = pathlib.Path(directory, "twinport")
        shutil.copy(TWINPORT, copy)
        copy.chmod(0o755)
        yield copy
    finally:
        shutil.rmtree(directory)
