"""What there is below a directory, as plain values that can be compared and kept as JSON; and how
the golden repository of tests/golden/repository-1 was made.

usage: tree_manifest.py TWINPORT DIRECTORY
  Backs up DIRECTORY/tree twice into DIRECTORY/repository-1, and says beside it what was there. Run
  it as root where DIRECTORY is short and says nothing of the machine: the path is in the snapshots.
"""

import hashlib
import json
import os
import pathlib
import stat
import subprocess
import sys

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link",
         stat.S_IFIFO: "fifo", stat.S_IFCHR: "character device", stat.S_IFBLK: "block device",
         stat.S_IFSOCK: "socket"}


def text(name: bytes) -> str:
    """JSON holds no bytes: what is no UTF-8 is written as Python escapes it."""
    return name.decode(errors="backslashreplace")


def describe(path: bytes, names: dict) -> dict:
    status = os.lstat(path)
    out = {"type": TYPES[stat.S_IFMT(status.st_mode)], "mtime_ns": status.st_mtime_ns}
    if out["type"] != "link":
        out["mode"] = stat.S_IMODE(status.st_mode)
        out["owner"] = [status.st_uid, status.st_gid]
    if out["type"] == "link":
        out["target"] = text(os.readlink(path))
    elif out["type"] == "file":
        out["size"] = status.st_size
        with open(path, "rb") as file:
            out["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        out["sparse"] = status.st_blocks * 512 < status.st_size
        out["attributes"] = {name: os.getxattr(path, name).hex() for name in os.listxattr(path)
                             if name.startswith("user.")}
    if status.st_nlink > 1 and out["type"] != "directory":
        out["same as"] = names.setdefault((status.st_dev, status.st_ino), text(path))
    return out


def manifest(top) -> dict:
    """By path below `top`; "" is `top` itself."""
    out, names = {}, {}
    old = os.getcwd()
    os.chdir(top)
    try:
        for directory, below, files in os.walk(b"."):
            below.sort()
            out[text(directory[2:])] = describe(directory, names)
            # Links to directories are listed with the directories.
            for name in sorted(files) + [each for each in below
                                         if os.path.islink(os.path.join(directory, each))]:
                path = os.path.join(directory, name)
                out[text(path[2:])] = describe(path, names)
    finally:
        os.chdir(old)
    return out


def make_tree(top: pathlib.Path) -> None:
    """Small, and odd in every way that a file system allows."""
    top.mkdir()
    (top / "empty").touch()
    (top / "numbers").write_text("".join(f"{number}\n" for number in range(20000)))
    for number in range(12):
        (top / f"small {number}").write_text(f"file {number}\n" * (number + 1))
    with open(top / "sparse", "wb") as file:
        file.write(b"begin")
        file.seek(1 << 20)
        file.write(b"middle")
        file.truncate(3 << 20)
    os.symlink(b"no \xff text", os.fsencode(top) + b"/link \xfe")
    os.symlink("small 1", top / "to file")
    os.symlink("directory", top / "to directory")
    (top / "directory" / "in it").mkdir(parents=True)
    (top / "directory" / "line\nbreak").write_text("name with a line break\n")
    os.link(top / "small 1", top / "directory" / "other name")
    os.mkfifo(top / "fifo")
    os.link(top / "fifo", top / "directory" / "fifo too")
    os.chmod(top / "small 2", 0o4750)
    os.chmod(top / "small 3", 0)
    os.setxattr(top / "small 4", "user.note", b"kept \0 too")
    os.utime(top / "small 5", ns=(0, -14182940 * 10**9 + 999999999))
    os.utime(top / "small 6", ns=(0, 9 * 10**18))
    os.utime(top / "to file", ns=(0, 10**18 + 1), follow_symlinks=False)
    os.chmod(top / "directory" / "in it", 0)
    os.utime(top / "directory", ns=(0, 10**18 + 2))
    os.utime(top, ns=(0, 10**18 + 3))


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    directory = pathlib.Path(sys.argv[2])
    out = directory / "repository-1"
    out.mkdir()
    (out / "passphrase").write_text("a golden passphrase\n")
    tree = directory / "tree"
    make_tree(tree)

    def twinport(*words):
        secret = ["--passphrase-file", out / "passphrase"]
        if words[0] == "repo":
            secret += ["--key-file", out / "key"]
        done = subprocess.run([sys.argv[1], *words, "--repo", out / "repository", *secret,
                               "--state", directory / "state", "--json"],
                              check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    twinport("repo", "init")
    expected = []
    for change in range(2):
        if change:
            (tree / "small 7").write_text("changed\n")
            (tree / "small 8").unlink()
            (tree / "new").write_text("new\n")
        twinport("backup", tree, "--host", "golden", "--tag", f"change {change}")
        expected.append(manifest(tree))
    (out / "expected.json").write_text(json.dumps(
        {"path": str(tree), "trees": expected}, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
