"""`registry import` takes IANA's file as a user downloads it and later look-ups use it; a malformed
file is refused with the line number, and what was there stays."""

import pathlib
import unittest

import harness

HEADER = ("Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,"
          "Registration Date,Modification Date,Reference,Service Code,"
          "Unauthorized Use Reported,Assignment Notes\n")
# Rows as IANA writes them: ranges, no protocol, quoted commas and line breaks, no service.
ROWS = [
    "ssh,22,tcp,The Secure Shell (SSH) Protocol,,,,,[RFC4251],,,Defined TXT keys\n",
    ',4,tcp,Unassigned,,,,,,,,\n',
    'test-range,9100-9103,udp,"A range, with a comma",[Some_One],[Some_One],2020-01-02,'
    '2021-02-03,,,,"two\nlines"\n',
    "sctp-thing,9200,sctp,Over SCTP,[Some_One],[Some_One],2019-05,,[RFC9260],,,\n",
    "no-port,,,A service name without a port,[Some_One],,,,,,,\n",
]


class RegistryImport(harness.SystemTest):
    def write(self, name: str, text: str | bytes) -> pathlib.Path:
        path = pathlib.Path(self.state, name)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows_of(self, *words) -> list[dict]:
        answer = self.twinport("registry", *words, "--json")
        self.assert_code(answer, 0, 1)
        return answer.json()["registrations"]

    def services(self, port: int) -> set:
        return {(row["service"], protocol) for row in self.rows_of(port)
                for protocol in row["protocols"]}

    def take(self, text: str, *flags) -> harness.Answer:
        return self.twinport("registry", "import", *flags, self.write("new.csv", text))

    def test_later_look_ups_use_an_imported_file(self):
        self.assertNotIn("test-range", str(self.rows_of(9102)))
        answer = self.take(HEADER + "".join(ROWS), "--force")
        self.assert_code(answer, 0)
        self.assertEqual(self.services(9102), {("test-range", "udp")})
        (row,) = self.rows_of(9102)
        self.assertEqual((row["description"], row["ports"], row["registered"]),
                         ("A range, with a comma", {"first": 9100, "last": 9103}, "2020-01-02"))
        self.assertEqual(self.services(9200), {("sctp-thing", "sctp")})
        self.assertEqual(self.services(1744), set(), "the built-in table is no longer used")
        self.assertIn("test-range", self.twinport("explain", "9102/udp").out)

    def test_a_file_with_windows_line_ends_and_a_byte_order_mark_is_taken(self):
        text = "\ufeff" + (HEADER + "".join(ROWS)).replace("\n", "\r\n")
        self.assert_code(self.take(text, "--force"), 0)
        self.assertEqual(self.services(9102), {("test-range", "udp")})

    def test_a_malformed_file_is_refused_with_its_line_and_the_old_data_stays(self):
        self.assert_code(self.take(HEADER + "".join(ROWS), "--force"), 0)
        for name, bad, line in (
                ("a port that is no number", "x,2a,tcp,,,,,,,,,\n", 8),
                ("a port out of range", "x,70000,tcp,,,,,,,,,\n", 8),
                ("a range that runs backwards", "x,20-10,tcp,,,,,,,,,\n", 8),
                ("too few fields", "x,22,tcp\n", 8),
                ("a quote that never ends", 'x,22,tcp,"open,,,,,,,,\n', 8)):
            with self.subTest(name=name):
                answer = self.take(HEADER + "".join(ROWS) + bad, "--force")
                self.assert_code(answer, 3)
                self.assertRegex(answer.err, rf"\bline {line}\b")
                self.assertEqual(self.services(9102), {("test-range", "udp")})

    def test_other_files_are_refused(self):
        for name, content in (("empty", b""), ("a web page", b"<!DOCTYPE html>\n<html></html>\n"),
                              ("another table", b"a,b,c\n1,2,3\n"), ("zeros", bytes(4096))):
            with self.subTest(name=name):
                answer = self.twinport("registry", "import", self.write("other", content))
                self.assert_code(answer, 3)
                self.assertIn(("ncpm-ft", "tcp"), self.services(1744))
        answer = self.twinport("registry", "import", pathlib.Path(self.state, "absent"))
        self.assert_code(answer, 2, 3)

    def test_a_file_with_implausibly_few_rows_needs_force(self):
        answer = self.take(HEADER + "".join(ROWS))
        self.assert_code(answer, 3)
        self.assertIn("force", answer.err)

    def test_a_damaged_import_is_told_and_the_built_in_table_serves(self):
        self.assert_code(self.take(HEADER + "".join(ROWS), "--force"), 0)
        table = pathlib.Path(self.environment["TWINPORT_STATE"], "registry.table")
        table.write_bytes(table.read_bytes()[:100])
        answer = self.twinport("registry", "1744")
        self.assert_code(answer, 0, 1)
        self.assertIn("ncpm-ft", answer.out)
        self.assertIn("registry.table", answer.err)


if __name__ == "__main__":
    unittest.main()
