"""What the benchmarks share: fresh namespaces, and the description of machine and programs that
stands above each kept result."""

import ctypes
import datetime
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
TWINPORT = str(BUILD / "twinport")
RESULTS = ROOT / "bench" / "RESULTS.md"

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def fresh_namespace(work):
    """Runs `work` in a child with a network and a mount namespace of its own; its result comes
    back as JSON."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read_end)
            libc = ctypes.CDLL(None, use_errno=True)
            if (libc.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0
                    or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0):
                raise SystemExit(f"bench/run: no namespaces: {os.strerror(ctypes.get_errno())}; "
                                 "run as root")
            with os.fdopen(write_end, "w") as out:
                json.dump(work(), out)
            code = 0
        except SystemExit as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(code)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        text = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("bench/run: a part failed; its message is above")
    return json.loads(text)


def first_line(*words: str) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "?"


def field_of(path: str, name: str) -> str:
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return "?"


def description(arguments: list[str]) -> list[str]:
    lsof = subprocess.run(["lsof", "-v"], check=False, capture_output=True, text=True).stderr
    version = next((line.strip() for line in lsof.splitlines() if "revision" in line), "?")
    changed = " with local changes" if first_line(
        "git", "-C", str(ROOT), "status", "--porcelain", "-uno") != "?" else ""
    cache = dict(line.split("=", 1) for line in (BUILD / "CMakeCache.txt").read_text().splitlines()
                 if "=" in line and not line.startswith(("#", "/")))
    typed = " ".join(["./dev bench", *arguments])
    commit = first_line("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    return [
        f"## {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC", "",
        f"- commit {commit}{changed}, `{typed}`, output to /dev/null",
        f"- {os.cpu_count()} × {field_of('/proc/cpuinfo', 'model name')}, "
        f"{int(field_of('/proc/meminfo', 'MemTotal').split()[0]) // 1048576 + 1} GiB, "
        f"Linux {os.uname().release}; load before the run {os.getloadavg()[0]:.2f}",
        f"- {first_line(TWINPORT, 'version')}; {first_line('clang-19', '--version')}; "
        f"flags {cache.get('CMAKE_CXX_FLAGS_RELEASE:STRING', '?')}",
        f"- {first_line('ss', '-V')}; lsof {version}", "",
    ]


def save(text: list[str]) -> None:
    with open(RESULTS, "a", encoding="utf-8") as out:
        if out.tell() == 0:
            out.write("# Results of `./dev bench`\n\nNewest last. How it is measured stands at "
                      "the head of `bench/run`; trust ratios, not last digits.\n\n")
        out.write("\n".join(text) + "\n")
