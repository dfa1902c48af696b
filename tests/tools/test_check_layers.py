"""tools/check_layers finds each kind of breach, and finds none in a sound tree."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

SOUND = {
    "base/result.h": "#include <expected>\n",
    "model/port.h": '#include "base/result.h"\n',
    "format/proc_net.cc": '#include "format/proc_net.h"\n#include "model/port.h"\n',
    "format/proc_net.h": "",
    "ports/merge.h": '#include "model/port.h"\n',
    "ports/merge_test.cc": '#include "ports/merge.h"\n#include "testkit/memory_source.h"\n',
    "testkit/memory_source.h": '#include "ports/merge.h"\n',
    "host/collector.cc": '#include "bpf/programs.h"\n#include "ports/merge.h"\n',
    "apps/main.cc": '#include "host/collector.h"\n#include <sys/socket.h>\n',
    "host/collector.h": "",
    "apps/machine_twin.h": '#include "testkit/memory_source.h"\n',
    "apps/main_test.cc": '#include "apps/machine_twin.h"\n',
}


class CheckLayers(unittest.TestCase):
    def run_on(self, files: dict[str, str]) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as directory:
            for name, text in files.items():
                path = pathlib.Path(directory, "src", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return subprocess.run([ROOT / "tools" / "check_layers", directory],
                                  capture_output=True, text=True, check=False)

    def assert_breach(self, name: str, text: str, message: str) -> None:
        done = self.run_on({**SOUND, name: text})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(message, done.stderr)
        self.assertIn("1 breach(es)", done.stderr)

    def test_accepts_a_sound_tree(self):
        done = self.run_on(SOUND)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_accepts_this_tree(self):
        done = subprocess.run([ROOT / "tools" / "check_layers"], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_refuses_an_include_from_above(self):
        self.assert_breach("ports/bad.cc", '// why\n#include "host/collector.h"\n',
                           "src/ports/bad.cc:2: ports may not include from host")

    def test_refuses_an_include_from_above_in_angle_brackets(self):
        self.assert_breach("base/bad.h", "#include <model/port.h>\n",
                           "base may not include from model")

    def test_refuses_an_include_sideways(self):
        self.assert_breach("repo/bad.h", '#include "ports/merge.h"\n',
                           "repo may not include from ports")

    def test_refuses_blanks_and_tabs_as_a_disguise(self):
        self.assert_breach("format/bad.cc", ' #\tinclude "host/collector.h"\n',
                           "format may not include from host")

    def test_refuses_test_kit_in_the_product(self):
        self.assert_breach("apps/bad.cc", '#include "testkit/memory_source.h"\n',
                           "apps may not include from testkit")

    def test_refuses_a_twin_in_the_product(self):
        self.assert_breach("apps/bad.cc", '#include "apps/machine_twin.h"\n', "twin for tests")

    def test_refuses_relative_paths(self):
        self.assert_breach("ports/bad.cc", '#include "../host/collector.h"\n', "relative path")

    def test_refuses_a_header_without_its_layer(self):
        self.assert_breach("ports/bad.cc", '#include "merge.h"\n', 'write "ports/merge.h"')

    def test_refuses_a_skeleton_outside_the_adapter(self):
        self.assert_breach("ports/bad.cc", '#include "bpf/programs.h"\n',
                           "only host may include")

    def test_refuses_a_computed_include(self):
        self.assert_breach("base/bad.cc", "#include HEADER\n", "computed by a macro")

    def test_refuses_an_unknown_folder(self):
        self.assert_breach("utils/bad.cc", "", "utils/ is not a layer")

    def test_refuses_a_missing_header(self):
        self.assert_breach("ports/bad.cc", '#include "base/absent.h"\n', "there is no src/base")

    def test_an_empty_tree_is_a_failure(self):
        self.assertEqual(self.run_on({}).returncode, 1)


if __name__ == "__main__":
    unittest.main()
