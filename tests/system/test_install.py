"""`cmake --install` puts the program and its completions where a system looks for them."""

import os
import pathlib
import subprocess
import unittest

import harness


class Install(harness.SystemTest):
    def test_installs_a_program_that_runs_and_completions_that_load(self):
        place = pathlib.Path(self.state, "installed")
        done = subprocess.run(["cmake", "--install", harness.BUILD, "--strip"],
                              env={**os.environ, "DESTDIR": str(place)}, capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        prefix = place / "usr/local"
        program = prefix / "bin/twinport"
        answer = self.run_command([program, "version"])
        self.assert_code(answer, 0)
        self.assertEqual(answer.out, self.twinport("version").out)
        share = prefix / "share"
        for name in ("zsh/site-functions/_twinport", "fish/vendor_completions.d/twinport.fish"):
            self.assertIn("twinport", (share / name).read_text())
        script = share / "bash-completion/completions/twinport"
        self.assertEqual(subprocess.run(["bash", "-n", script], check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
