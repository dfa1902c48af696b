"""A recorder at work and traffic beside it, for benchmarks and long loops."""

import ctypes
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / os.environ.get("TWINPORT_PRESET", "release")
TWINPORT = str(BUILD / "twinport")
TRAFFIC = str(BUILD / "traffic_gen")
HANG_SECONDS = 300  # far beyond any honest run
EVERYTHING = 200_000  # the most that the command gives at once


def own_netns() -> int:
    return os.stat("/proc/self/ns/net").st_ino


def timeline(state: str, *words, limit: int = EVERYTHING) -> dict:
    done = subprocess.run([TWINPORT, "timeline", "--state", state, "--json", "--limit",
                           str(limit), *words], capture_output=True, check=False,
                          timeout=HANG_SECONDS)
    if done.returncode > 1:
        raise SystemExit(f"twinport timeline: exit code {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def make_traffic(kind: str, count: int, *words, truth: str | None = None) -> dict:
    """Runs traffic_gen to its end; returns its report, with the sockets as "truth" if wanted."""
    command = [TRAFFIC, kind, "--count", str(count), *map(str, words)]
    if truth is not None:
        command += ["--truth", truth]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=HANG_SECONDS)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    report = json.loads(done.stdout)
    if truth is not None:
        report["truth"] = json.loads(pathlib.Path(truth).read_text())
        os.unlink(truth)
    return report


class Recorder:
    """`twinport record` in the background, past its first batch. Ends with the block."""

    def __init__(self, state: str, *words):
        self.state = state
        # pylint: disable=consider-using-with
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([TWINPORT, "record", "--state", state, "--json", *words],
                                        stdout=subprocess.PIPE, stderr=self.errors)
        self.summary = None
        before = recorded_until(state)
        deadline = time.monotonic() + HANG_SECONDS
        while recorded_until(state) == before:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise SystemExit(f"twinport record did not begin: {self.complaints()}")
            time.sleep(0.02)

    def complaints(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self) -> dict:
        """Lets it write the last batch; returns what it counted."""
        self.process.send_signal(signal.SIGTERM)
        out = self.process.communicate(timeout=HANG_SECONDS)[0]
        if self.process.returncode > 1:
            raise SystemExit(f"twinport record: exit code {self.process.returncode}: "
                             f"{self.complaints()}")
        self.summary = json.loads(out)
        return self.summary

    def cpu_ns(self) -> int:
        """Of all its threads so far."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in folder.iterdir())

    def programs(self) -> tuple[int, int]:
        """(nanoseconds, runs) of its BPF programs, while a BpfStatistics stands."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/fdinfo")
        spent_ns = runs = 0
        for entry in folder.iterdir():
            fields = dict(line.split(":\t", 1) for line in entry.read_text().splitlines()
                          if ":\t" in line)
            spent_ns += int(fields.get("run_time_ns", 0))
            runs += int(fields.get("run_cnt", 0))
        return spent_ns, runs


def recorded_until(state: str) -> str | None:
    done = subprocess.run([TWINPORT, "timeline", "--state", state, "--json", "--limit", "1"],
                          capture_output=True, check=False, timeout=HANG_SECONDS)
    return json.loads(done.stdout)["recorded_until"] if done.returncode <= 1 else None


class BpfStatistics:
    """Makes the kernel count the time of BPF programs while the block runs (BPF_ENABLE_STATS): it
    ends with the descriptor, and touches no sysctl. `allowed` says whether the kernel does."""

    NUMBERS = {"x86_64": 321, "aarch64": 280}
    ENABLE_STATS = 32

    def __enter__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        attributes = (ctypes.c_uint32 * 32)()  # type 0: run time
        number = self.NUMBERS.get(os.uname().machine)
        self.fd = libc.syscall(number, self.ENABLE_STATS, attributes, 4) if number else -1
        self.allowed = self.fd >= 0
        return self

    def __exit__(self, *_error):
        if self.allowed:
            os.close(self.fd)


class Polling:
    """`ss -tuanp` each 0.1 s while the block runs; of these, one in ten is what polling each second
    would have seen."""

    def __enter__(self):
        self.polls = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self):
        due = time.monotonic()
        while not self.over.is_set():
            due += 0.1
            began = time.monotonic()
            taken_us = time.time_ns() // 1000
            out = subprocess.run(["ss", "-tuanpH"], check=True, capture_output=True,
                                 timeout=HANG_SECONDS).stdout
            self.polls.append((began, taken_us, out.decode()))
            due = max(due, time.monotonic())
            self.over.wait(due - time.monotonic())

    def stop(self):
        self.over.set()
        self.thread.join()

    def __exit__(self, *_error):
        self.stop()

    def each(self, seconds: float) -> list:
        """(wall time in µs, output) of what somebody who polls so often would have had."""
        chosen, due = [], None
        for began, taken_us, text in self.polls:
            if due is None or began >= due - 0.05:
                chosen.append((taken_us, text))
                due = began + seconds
        return chosen
