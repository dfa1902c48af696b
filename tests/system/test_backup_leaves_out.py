"""What a backup leaves out: the same as git by the same patterns, caches, other file systems and
large files; it is counted, and comes back when the rules go."""

import os
import pathlib
import random
import subprocess
import unittest

import harness

CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# a comment\n"


class Tree(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.here = pathlib.Path(self.state)
        self.tree = self.here / "tree"
        self.tree.mkdir()
        self.environment["TWINPORT_REPO"] = str(self.here / "repository")
        self.key = self.here / "key"
        self.assert_code(self.twinport("repo", "init", "--key-file", self.key), 0)

    def make(self, *files: str) -> None:
        for name in files:
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(name)

    def back_up(self, *options) -> dict:
        answer = self.twinport("backup", *options, self.tree, "--key-file", self.key, "--json")
        self.assert_code(answer, 0)
        return answer.json()

    def kept(self) -> set[str]:
        answer = self.twinport("ls", "latest", "--recursive", "--key-file", self.key, "--json")
        self.assert_code(answer, 0)
        paths = [entry["path"] for entry in answer.json()["entries"]]
        return {os.path.relpath(path, self.tree) for path in paths} - {"."}


class BackupLeavesOut(Tree):
    def test_by_pattern_counted_and_back_when_the_rule_goes(self):
        self.make("a.o", "keep.o", "build/x", "build/y/z", "src/build/x", "[b]", "b")
        rules = self.here / "rules"
        rules.write_text("# what make makes\n*.o\n/build/\n")
        with_rules = ("--exclude-file", rules, "--exclude", "!keep.o", "--exclude", "[b]")
        first = self.back_up(*with_rules)
        self.assertEqual(self.kept(), {"keep.o", "src", "src/build", "src/build/x", "[b]"})
        self.assertEqual(first["left_out"],
                         {"by_pattern": 3, "too_large": 0, "caches": 0, "file_systems": 0})
        again = self.back_up()
        self.assertEqual(again["left_out"]["by_pattern"], 0)
        self.assertEqual(self.kept(), {"a.o", "keep.o", "build", "build/x", "build/y", "build/y/z",
                                       "src", "src/build", "src/build/x", "[b]", "b"})
        restored = self.here / "restored"
        self.assert_code(self.twinport("restore", "latest", "--to", restored, "--key-file",
                                       self.key), 0)
        same = subprocess.run(["diff", "-r", self.tree, restored / str(self.tree).lstrip("/")],
                              check=False, capture_output=True, text=True)
        self.assertEqual(same.returncode, 0, same.stdout + same.stderr)
        self.back_up(*with_rules)
        self.assertEqual(self.kept(), {"keep.o", "src", "src/build", "src/build/x", "[b]"})

    def test_a_path_that_was_asked_for_is_never_left_out(self):
        self.make("x")
        self.back_up("--exclude", "tree")
        self.assertEqual(self.kept(), {"x"})

    def test_of_a_cache_the_directory_and_its_tag_stay(self):
        self.make("cache/data", "cache/below/data", "other/data", "other/CACHEDIR.TAG")
        (self.tree / "cache" / "CACHEDIR.TAG").write_text(CACHE_TAG)
        report = self.back_up("--exclude-caches")
        self.assertEqual(self.kept(), {"cache", "cache/CACHEDIR.TAG", "other", "other/data",
                                       "other/CACHEDIR.TAG"}, "a tag without signature is none")
        self.assertEqual(report["left_out"]["caches"], 1)

    def test_files_larger_than_a_size(self):
        (self.tree / "as large").write_bytes(bytes(2048))
        (self.tree / "larger").write_bytes(bytes(2049))
        report = self.back_up("--exclude-larger-than", "2K")
        self.assertEqual(self.kept(), {"as large"})
        self.assertEqual(report["left_out"]["too_large"], 1)

    @harness.needs_root
    def test_of_a_mount_point_only_the_directory_stays(self):
        self.make("a/x", "mounted/hidden")
        script = f"""mount -t tmpfs none {self.tree}/mounted && touch {self.tree}/mounted/inside &&
            {harness.TWINPORT} backup --one-file-system {self.tree} --key-file {self.key}"""
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], check=False,
                              capture_output=True, text=True, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Left out by rule: 1 other file system.", done.stdout)
        self.assertEqual(self.kept(), {"a", "a/x", "mounted"})

    def test_mistakes_are_named_and_store_nothing(self):
        self.make("x")
        rules = self.here / "rules"
        rules.write_text("fine\n[broken\n")
        for options, said in ((("--exclude", "a["), "\"a[\""),
                              (("--exclude-file", rules), "line 2"),
                              (("--exclude-file", self.here / "absent"), "absent"),
                              (("--exclude-larger-than", "big"), "512MiB")):
            answer = self.twinport("backup", *options, self.tree, "--key-file", self.key)
            self.assert_code(answer, 2)
            self.assertIn(said, answer.err)
        listed = self.twinport("snapshots", "--key-file", self.key, "--json").json()
        self.assertEqual(listed["snapshots"], [])


@harness.needs_tool("git")
class SameAsGit(Tree):
    """git check-ignore is asked about every path of random trees, by random patterns."""

    def git_keeps(self, rules: pathlib.Path) -> set[str]:
        paths = [str(p.relative_to(self.tree)) for p in self.tree.rglob("*")]
        git = ["git", f"--git-dir={self.here}/git", f"--work-tree={self.tree}",
               "-c", f"core.excludesFile={rules}"]
        done = subprocess.run([*git, "check-ignore", "--no-index", "--stdin", "-z"], cwd=self.tree,
                              input="\0".join(paths), capture_output=True, text=True, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return set(paths) - set(done.stdout.split("\0"))

    def random_pattern(self, chance: random.Random) -> str:
        part = chance.choice
        parts = ["a", "b", "ab", "*", "?", "[ab]", "[!a]", "a*", "*b", "**", "\\a", "a*b*",
                 "[[:alpha:]]",
                 "b\\ c", "[a-]", "***"]
        pattern = "/".join(part(parts) for _ in range(chance.choice((1, 1, 2, 3))))
        return (part(("", "", "", "!")) + part(("", "", "/")) + pattern + part(("", "", "/")) +
                part(("", "", "  ")))

    def test_random_patterns_on_a_random_tree(self):
        seed = int(os.environ.get("TWINPORT_EXCLUDE_SEED", "1"))
        chance = random.Random(seed)
        subprocess.run(["git", "init", "-q", "--bare", self.here / "git"], check=True)
        names = ["a", "b", "ab", "ba", "aab", "b c", "-"]
        for _ in range(60):
            place = self.tree.joinpath(*(chance.choice(names)
                                         for _ in range(chance.randrange(1, 5))))
            if not any(p.is_file() for p in (place, *place.parents)) and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text("x")
        rules = self.here / "rules"
        for turn in range(60):
            rules.write_text("".join(self.random_pattern(chance) + "\n"
                                     for _ in range(chance.randrange(1, 6))))
            self.back_up("--exclude-file", rules)
            self.assertEqual(self.kept(), self.git_keeps(rules),
                             f"seed {seed}, turn {turn}:\n{rules.read_text()}")


if __name__ == "__main__":
    unittest.main()
