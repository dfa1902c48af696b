"""`bench/run backup`: backups and restores on one machine, beside Debian's restic and borg, and
`tar | zstd` as the yardstick of what the machine can do.

Parts:
  small    real files of this machine (/usr, up to 1 MiB each, in order of their names): first
           backup, unchanged second backup, restore
  large    a database, a disk image and random bytes, made from a seed: first backup, restore, one
           file, checks; then the same after 1 % of their pages changed
  sparse   20 GiB with 200 MiB of data: backup and restore

Encryption is on in all; we open with a key file, the peers with a passphrase, as they come. Tools
take turns, and begin in another order each round; the page cache is warm. Every operation is one
whole process under bench/measure.cc. What is restored is compared with what was backed up, in the
first round. Directories that are restored into are removed only at the end: ext4 does not use
inodes again that were freed a moment ago, and searches past them.
"""

import dataclasses
import filecmp
import functools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from bench_support import BUILD, TWINPORT, first_line

MEASURE = str(BUILD / "measure")
DATA = str(BUILD / "backup_data")
# Stamps younger than that prove nothing to us.
SETTLED_S = 61
SMALL_FILE_BYTES_MAX = 1 << 20
MIB = 1 << 20


def allocated_bytes(folder: str) -> int:
    """Of all files below, as `du` counts."""
    return sum(path.lstat().st_blocks * 512 for path in pathlib.Path(folder).rglob("*"))


def stored_bytes(folder: str) -> int:
    return sum(path.lstat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


class Tool:
    """One program and its repository. `home` is a folder of its own."""
    name = ""
    codes = (0,)

    def __init__(self, home: str):
        self.home = home
        self.repo = os.path.join(home, "repo")
        os.makedirs(home)
        self.environment = dict(os.environ, HOME=home, RESTIC_PASSWORD="bench",
                                BORG_PASSPHRASE="bench", BORG_BASE_DIR=home,
                                RESTIC_CACHE_DIR=os.path.join(home, "cache"))

    def run(self, words: list, cwd: str = "/") -> dict:
        command = [MEASURE, *map(str, words)]
        done = subprocess.run(command, check=True, capture_output=True, cwd=cwd,
                              env=self.environment)
        run = json.loads(done.stdout)
        if run["code"] not in self.codes:
            raise SystemExit(f"bench/run: {' '.join(map(str, words))}: exit code {run['code']}")
        return run

    def prepare(self, words: list, cwd: str = "/") -> None:
        subprocess.run([str(word) for word in words], check=True, capture_output=True, cwd=cwd,
                       env=self.environment)


class Twinport(Tool):
    name = "twinport"

    def words(self, *words) -> list:
        return [TWINPORT, *words, "--repo", self.repo, "--key-file",
                os.path.join(self.home, "key")]

    def init(self):
        self.prepare(self.words("repo", "init"))

    def backup(self, data: str, _label: str) -> dict:
        return self.run(self.words("backup", "."), cwd=data)

    def restore(self, target: str, data: str, path: str = "") -> dict:
        os.makedirs(target)
        wanted = [os.path.join(data, path)] if path else []
        return self.run(self.words("restore", "latest", *wanted, "--to", target))

    def check(self) -> dict:
        return self.run(self.words("repo", "check", "--read-data"))

    def scrub(self) -> dict:
        return self.run([TWINPORT, "repo", "check", "--scrub", "--repo", self.repo])

    @staticmethod
    def restored(target: str, data: str) -> str:
        return target + data


class Restic(Tool):
    name = "restic"

    def words(self, *words) -> list:
        return ["restic", "-q", "-r", self.repo, *words]

    def init(self):
        self.prepare(self.words("init"))

    def backup(self, data: str, label: str) -> dict:
        return self.run(self.words("backup", "--tag", label, "."), cwd=data)

    def restore(self, target: str, _data: str, path: str = "") -> dict:
        wanted = ["--include", "/" + path] if path else []
        return self.run(self.words("restore", "latest", "--target", target, *wanted))

    def check(self) -> dict:
        return self.run(self.words("check", "--read-data"))

    def scrub(self) -> None:
        return None

    @staticmethod
    def restored(target: str, _data: str) -> str:
        return target


class Borg(Tool):
    name = "borg"
    last = ""

    def init(self):
        self.prepare(["borg", "init", "-e", "repokey-blake2", self.repo])

    def backup(self, data: str, label: str) -> dict:
        self.last = f"{self.repo}::{label}"
        return self.run(["borg", "create", "-C", "zstd,3", self.last, "."], cwd=data)

    def restore(self, target: str, _data: str, path: str = "") -> dict:
        os.makedirs(target)
        return self.run(["borg", "extract", "--sparse", self.last, *([path] if path else [])],
                        cwd=target)

    def check(self) -> dict:
        return self.run(["borg", "check", "--verify-data", self.repo])

    def scrub(self) -> dict:
        return self.run(["borg", "check", "--repository-only", self.repo])

    @staticmethod
    def restored(target: str, _data: str) -> str:
        return target


class Tar(Tool):
    name = "tar, zstd"

    def init(self):
        os.makedirs(self.repo)

    def backup(self, data: str, _label: str) -> dict:
        return self.run(["sh", "-c", f"tar -S -cf - . | zstd -q -3 -T0 -o {self.repo}/tar -f"],
                        cwd=data)

    def restore(self, target: str, _data: str, path: str = "") -> dict:
        os.makedirs(target)
        only = f" ./{path}" if path else ""
        return self.run(["sh", "-c", f"zstd -q -dc {self.repo}/tar | tar -xf -{only}"],
                        cwd=target)

    @staticmethod
    def restored(target: str, _data: str) -> str:
        return target


TOOLS = [Twinport, Restic, Borg, Tar]
PEERS = [Restic.name, Borg.name]


@dataclasses.dataclass
class Figures:
    """{operation: {tool: [run, ...]}} and sizes in the same shape."""
    runs: dict = dataclasses.field(default_factory=dict)
    sizes: dict = dataclasses.field(default_factory=dict)

    def add(self, operation: str, tool: str, run: dict | None) -> None:
        if run is not None:
            self.runs.setdefault(operation, {}).setdefault(tool, []).append(run)

    def add_size(self, what: str, tool: str, size: int) -> None:
        self.sizes.setdefault(what, {}).setdefault(tool, []).append(size)

    def median(self, operation: str, tool: str, field: str = "wall_ms") -> float:
        return statistics.median(run[field] for run in self.runs[operation][tool])

    def size(self, what: str, tool: str) -> float:
        return statistics.median(self.sizes[what][tool])


def same_trees(left: str, right: str) -> bool:
    """Names, types and contents."""
    for folder, folders, files in os.walk(left):
        other = os.path.join(right, os.path.relpath(folder, left))
        if sorted(os.listdir(other)) != sorted(folders + files):
            return False
        plain = [name for name in files if not os.path.islink(os.path.join(folder, name))]
        _same, different, errors = filecmp.cmpfiles(folder, other, plain, shallow=False)
        if different or errors:
            return False
    return True


def require_same(tool: Tool, target: str, data: str) -> None:
    if not same_trees(data, tool.restored(target, data)):
        raise SystemExit(f"bench/run: what {tool.name} restored is not what was backed up")


def in_turn(folder: str, turn: int) -> list:
    tools = [kind(os.path.join(folder, f"{kind.name.partition(',')[0]}{turn}")) for kind in TOOLS]
    first = turn % len(tools)
    return tools[first:] + tools[:first]


def in_folder(work):
    """Runs `work(folder)` with a folder on the disk, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="twinport-bench-") as folder:
        return work(folder)


# ---- the parts -----------------------------------------------------------------------------------

def make_small(folder: str, count: int) -> str:
    data = os.path.join(folder, "small")
    left = count
    for path, folders, files in os.walk("/usr"):
        folders.sort()
        for name in sorted(files):
            source = os.path.join(path, name)
            status = os.lstat(source)
            if not os.path.isfile(source) or os.path.islink(source):
                continue
            if status.st_size > SMALL_FILE_BYTES_MAX:
                continue
            os.makedirs(data + path, exist_ok=True)
            shutil.copy2(source, data + source)
            left -= 1
            if left == 0:
                return data
    return data


def small_part(rounds: int, count: int):
    def work(folder: str) -> list[str]:
        data = make_small(folder, count)
        files = sum(len(names) for _path, _folders, names in os.walk(data))
        note = f"{files:,} files, {stored_bytes(data) / MIB:,.0f} MiB"
        figures = Figures()
        time.sleep(SETTLED_S)  # else we would read again what the others believe unchanged
        for turn in range(rounds):
            for tool in in_turn(folder, turn):
                tool.init()
                figures.add("first backup", tool.name, tool.backup(data, "one"))
                figures.add_size("repository", tool.name, stored_bytes(tool.repo))
                if tool.name != Tar.name:
                    figures.add("unchanged", tool.name, tool.backup(data, "two"))
                target = os.path.join(tool.home, "out")
                figures.add("restore", tool.name, tool.restore(target, data))
                if turn == 0:
                    require_same(tool, target, data)
        return table("small", note, rounds, figures, [
            faster("first backup", 2.2), no_larger("repository", 1),
            faster("unchanged", 5), faster("restore", 1.5),
            *(no_more_memory(operation) for operation in figures.runs)])
    return in_folder(work)


def large_part(rounds: int, mib: int):
    def work(folder: str) -> list[str]:
        data = os.path.join(folder, "large")
        changed, kept = os.path.join(folder, "changed"), os.path.join(folder, "kept")
        for path in (data, changed):
            os.makedirs(path)
            subprocess.run([DATA, "large", path, str(mib)], check=True)
        subprocess.run([DATA, "change", changed], check=True)
        figures = Figures()
        for turn in range(rounds):
            for tool in in_turn(folder, turn):
                tool.init()
                figures.add("first backup", tool.name, tool.backup(data, "one"))
                size = stored_bytes(tool.repo)
                figures.add_size("repository", tool.name, size)
                target = os.path.join(tool.home, "out")
                figures.add("restore", tool.name, tool.restore(target, data))
                if turn == 0:
                    require_same(tool, target, data)
                shutil.rmtree(target)
                figures.add("one file", tool.name, tool.restore(target, data, "rand.bin"))
                shutil.rmtree(target)
                if tool.name == Tar.name:
                    continue
                figures.add("check all data", tool.name, tool.check())
                figures.add("scrub", tool.name, tool.scrub())
                os.rename(data, kept)
                os.rename(changed, data)
                figures.add("backup after the change", tool.name, tool.backup(data, "two"))
                figures.add_size("stored for the change", tool.name,
                                 stored_bytes(tool.repo) - size)
                os.rename(data, changed)
                os.rename(kept, data)
                shutil.rmtree(tool.repo)
        return table("large", f"{mib:,} MiB in three files", rounds, figures, [
            faster("first backup", 1.7), no_larger("repository", 1.03), faster("restore", 1.15),
            faster("one file", 1), faster("check all data", 2), faster("scrub", 3, [Borg.name]),
            no_larger("stored for the change", 1 / 3),
            *(no_more_memory(operation) for operation in figures.runs)])
    return in_folder(work)


def sparse_part(rounds: int):
    def work(folder: str) -> list[str]:
        data = os.path.join(folder, "sparse")
        os.makedirs(data)
        subprocess.run([DATA, "sparse", os.path.join(data, "image")], check=True)
        figures = Figures()
        for turn in range(rounds):
            for tool in in_turn(folder, turn):
                tool.init()
                figures.add("backup", tool.name, tool.backup(data, "one"))
                target = os.path.join(tool.home, "out")
                figures.add("restore", tool.name, tool.restore(target, data))
                figures.add_size("restored takes", tool.name,
                                 allocated_bytes(tool.restored(target, data)))
                shutil.rmtree(target)
        figures.add_size("restored takes", "the original", allocated_bytes(data))
        return table("sparse", "20 GiB with 200 MiB of data", rounds, figures, [
            faster("backup", 20), faster("restore", 20),
            no_larger("restored takes", 1, ["the original"]),
            *(no_more_memory(operation) for operation in figures.runs)])
    return in_folder(work)


# ---- what is asked -------------------------------------------------------------------------------

def faster(operation: str, ratio: float, peers: list | None = None):
    def judge(figures: Figures) -> tuple:
        ours = figures.median(operation, Twinport.name)
        best = min((figures.median(operation, peer), peer) for peer in peers or PEERS)
        measured = best[0] / ours
        return (f"{operation}: times faster than {best[1]}", f"{ours / 1e3:.2f} s",
                f"{best[0] / 1e3:.2f} s", f"{measured:.2f}", f"at least {ratio:g}",
                measured >= ratio)
    return judge


def no_larger(what: str, ratio: float, peers: list | None = None):
    def judge(figures: Figures) -> tuple:
        ours = figures.size(what, Twinport.name)
        best = min((figures.size(what, peer), peer) for peer in peers or PEERS)
        measured = ours / best[0]
        return (f"{what}: part of {best[1]}'s", f"{ours / MIB:,.0f} MiB",
                f"{best[0] / MIB:,.0f} MiB", f"{measured:.3f}", f"at most {ratio:.2f}",
                measured <= ratio)
    return judge


def no_more_memory(operation: str):
    def judge(figures: Figures) -> tuple:
        ours = figures.median(operation, Twinport.name, "peak_kib")
        most = max((figures.median(operation, peer, "peak_kib"), peer) for peer in PEERS
                   if peer in figures.runs[operation])
        return (f"{operation}: peak memory beside {most[1]}'s", f"{ours / 1024:.0f} MiB",
                f"{most[0] / 1024:.0f} MiB", f"{ours / most[0]:.2f}", "at most 1",
                ours <= most[0])
    return judge


def table(part: str, note: str, rounds: int, figures: Figures, judges: list) -> list[str]:
    lines = [f"### {part}", "", f"{note}; {rounds} rounds, medians; file system "
             f"{first_line('stat', '-f', '-c', '%T', tempfile.gettempdir())}; "
             f"{first_line('restic', 'version')}; {first_line('borg', '--version')} "
             "(`repokey-blake2`, `zstd,3`); `tar -S | zstd -3 -T0`.", "",
             "| operation | tool | wall s (lowest–highest) | CPU s | peak MiB |",
             "| --- | --- | --: | --: | --: |"]
    for operation, by_tool in figures.runs.items():
        for tool in (kind.name for kind in TOOLS):
            if tool not in by_tool:
                continue
            walls = [run["wall_ms"] / 1e3 for run in by_tool[tool]]
            lines.append(f"| {operation} | {tool} | {statistics.median(walls):.2f} "
                         f"({min(walls):.2f}–{max(walls):.2f}) "
                         f"| {figures.median(operation, tool, 'cpu_ms') / 1e3:.2f} "
                         f"| {figures.median(operation, tool, 'peak_kib') / 1024:.0f} |")
    for what, by_tool in figures.sizes.items():
        sizes = ", ".join(f"{tool} {figures.size(what, tool) / MIB:,.1f}" for tool in by_tool)
        lines += ["", f"MiB, {what}: {sizes}."]
    lines += ["", "| what is asked | ours | peer | measured | required | |",
              "| --- | --: | --: | --: | --- | --- |"]
    for judge in judges:
        what, ours, theirs, measured, required, met = judge(figures)
        lines.append(f"| {what} | {ours} | {theirs} | {measured} | {required} "
                     f"| {'met' if met else '**NOT MET**'} |")
    return [*lines, ""]


def parts(quick: bool) -> dict:
    """{name: function that measures and returns lines of Markdown}."""
    rounds = 1 if quick else 3
    return {"small": functools.partial(small_part, rounds, 5_000 if quick else 100_000),
            "large": functools.partial(large_part, rounds, 256 if quick else 4096),
            "sparse": functools.partial(sparse_part, rounds)}
