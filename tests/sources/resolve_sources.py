#!/usr/bin/env python3
"""Check data/known-uses.toml and resolve every source that it names.

A table of facts is only worth something if each fact can be looked up, so this
test follows every `source` to where it points:

  deb:PACKAGE:/path   the file is in that Debian package, by the Contents index
                      that apt-file keeps; where the package is installed (or
                      its .deb lies in --deb-dir) the text must name the port
  rfc:NUMBER          the registry row of the port, or of the service, cites it
  iana:PORT/PROTO     the registry has that row, and the entry covers it
  doc:ANCHOR          docs/sources.md has that section, and it is complete

Nothing is skipped in silence: a missing index or registry is a failure that
names the command to run. The last line is "N passed, N failed".
"""

import argparse
import csv
import gzip
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTOCOLS = ("tcp", "udp", "sctp")
DIRECTIONS = ("inbound", "outbound", "both")
PROFILES = ("windows", "unix")
TEXT_LIMITS = {"software": (1, 60), "service": (0, 15), "role": (1, 40),
               "summary": (10, 200), "firewall": (10, 240)}
LISTS = {
    "ports": re.compile(r"[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?"),
    "protocols": re.compile("|".join(PROTOCOLS)),
    "exes": re.compile(r"/[^\0]*[^\0/]|[^\0/\s]([^\0/]*[^\0/\s])?"),
    "packages": re.compile(r"[a-z0-9][a-z0-9+.-]+"),
    "units": re.compile(r"[A-Za-z0-9@:_.\\-]+\.(service|socket)"),
}
MAY_BE_EMPTY = ("exes", "packages", "units")
REQUIRED = (*LISTS, *TEXT_LIMITS, "direction", "source")
SOURCE = re.compile(r"deb:[a-z0-9][a-z0-9+.-]+:/\S+|rfc:[1-9][0-9]*"
                    r"|iana:[1-9][0-9]{0,4}/(tcp|udp|sctp)|doc:[a-z0-9][a-z0-9-]*")
INDEX_MISSING = ("no Contents index of Debian packages on this machine: "
                 "run `apt-get install -y apt-file && apt-file update` and try again")


class Tally:
    """Counts what held and prints what did not."""

    def __init__(self, quiet=False):
        self.passed, self.failures, self.quiet = 0, [], quiet

    def check(self, failures):
        """One check: `failures` is a list of sentences, empty when it held."""
        if not failures:
            self.passed += 1
        for failure in failures:
            self.failures.append(failure)
            if not self.quiet:
                print("FAIL", failure)


# ---- the grammar ----------------------------------------------------------

def span(port):
    """ "22" -> (22, 22) and "1745-1844" -> (1745, 1844)."""
    low, _, high = port.partition("-")
    return int(low), int(high or low)


def label(number, entry):
    ports = ",".join(map(str, entry.get("ports", ["?"]))) if isinstance(
        entry.get("ports"), list) else "?"
    return f"entry {number} (port {ports}, {entry.get('software', '?')})"


def list_failures(key, value):
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return [f"{key} must be an array of strings"]
    found = [f"{key}: bad value {item!r}" for item in value
             if not LISTS[key].fullmatch(item)]
    if not value and key not in MAY_BE_EMPTY:
        found.append(f"{key} is empty")
    if len(set(value)) != len(value):
        found.append(f"{key} repeats a value")
    return found


def port_failures(ports):
    found, spans = [], []
    for port in ports:
        low, high = span(port)
        if high > 65535 or ("-" in port and low >= high):
            found.append(f"ports: bad range {port!r}")
        spans.append((low, high))
    spans.sort()
    if any(after[0] <= before[1] for before, after in zip(spans, spans[1:])):
        found.append("ports overlap each other")
    return found


def text_failures(key, value):
    if not isinstance(value, str):
        return [f"{key} must be a string"]
    shortest, longest = TEXT_LIMITS[key]
    size = len(value.encode())
    found = []
    if not shortest <= size <= longest:
        found.append(f"{key} is {size} bytes, allowed are {shortest} to {longest}")
    if value != value.strip() or not value.isprintable():
        found.append(f"{key} has stray white space or control characters")
    return found


def grammar_failures(entry):
    unknown = [f"unknown key {key!r}" for key in entry if key not in (*REQUIRED, "profile")]
    missing = [f"missing key {key!r}" for key in REQUIRED if key not in entry]
    found = unknown + missing
    for key in LISTS:
        if key in entry:
            found += list_failures(key, entry[key])
    for key in TEXT_LIMITS:
        if key in entry:
            found += text_failures(key, entry[key])
    for key, allowed in (("direction", DIRECTIONS), ("profile", PROFILES)):
        if key in entry and entry[key] not in allowed:
            found.append(f"{key} must be one of {', '.join(allowed)}, not {entry[key]!r}")
    source = entry.get("source", "doc:x")
    if not isinstance(source, str) or not SOURCE.fullmatch(source):
        found.append(f"source {source!r} is none of deb:, rfc:, iana:, doc:")
    return found or port_failures(entry["ports"])


def load_table(text, tally):
    """The well-formed entries, each with its label; the rest is tallied as failed."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        tally.check([f"the table is not TOML: {error}"])
        return []
    entries = table.get("use")
    if set(table) != {"use"} or not isinstance(entries, list) or not entries:
        tally.check(["the table must hold [[use]] entries and nothing else"])
        return []
    good, seen = [], {}
    for number, entry in enumerate(entries, 1):
        name = label(number, entry)
        found = grammar_failures(entry)
        if not found:
            identity = (tuple(sorted(entry["ports"])), tuple(sorted(entry["protocols"])),
                        entry["software"], entry["role"], entry.get("profile", ""))
            if identity in seen:
                found.append(f"says the same as {seen[identity]}")
            seen.setdefault(identity, name)
        tally.check([f"{name}: {failure}" for failure in found])
        if not found:
            good.append((name, entry))
    return good


# ---- what the sources point at ---------------------------------------------

class Contents:
    """Which package ships which file: the part of the Contents index we ask about."""

    def __init__(self, owners, packages):
        self.owners = owners      # "/path" -> set of package names
        self.packages = packages  # every package name that apt knows

    @staticmethod
    def read(wanted):
        """One pass over the index for the given path endings; None without an index."""
        listing = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Contents-deb"],
            capture_output=True, text=True, check=False)
        files = [line for line in listing.stdout.splitlines() if os.path.exists(line)]
        if not files or sum(os.path.getsize(file) for file in files) < 1_000_000:
            return None
        owners = {}
        with tempfile.NamedTemporaryFile("w", suffix=".paths") as patterns:
            patterns.write("\n".join(sorted(wanted)) + "\n")
            patterns.flush()
            unpack = subprocess.Popen(["/usr/lib/apt/apt-helper", "cat-file", *files],
                                      stdout=subprocess.PIPE)
            search = subprocess.Popen(["grep", "-aF", "-f", patterns.name],
                                      stdin=unpack.stdout, stdout=subprocess.PIPE,
                                      env={**os.environ, "LC_ALL": "C"})
            unpack.stdout.close()
            for line in search.stdout:
                path, _, names = line.decode("utf-8", "replace").rstrip().rpartition(" ")
                found = {name.rpartition("/")[2] for name in names.split(",")}
                owners.setdefault("/" + path.rstrip(), set()).update(found)
            search.wait()
            unpack.wait()
        known = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True,
                               check=True)
        return Contents(owners, set(known.stdout.split()))

    def ships(self, package, path):
        return package in self.owners.get(path, ())


class Texts:
    """The text of a packaged file, from this system or from downloaded packages."""

    def __init__(self, deb_dir=None, root="/"):
        self.root, self.debs, self.read = Path(root), {}, 0
        for deb in sorted(Path(deb_dir).glob("*.deb")) if deb_dir else ():
            self.debs[deb.name.partition("_")[0]] = deb
        status = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\\n"],
                                capture_output=True, text=True, check=False)
        self.installed = {line.split()[1] for line in status.stdout.splitlines()
                          if line.startswith("ii")}

    def get(self, package, path):
        """bytes, or None when neither place has the file."""
        data = None
        if package in self.debs:
            data = self._from_deb(self.debs[package], path)
        elif package in self.installed and (self.root / path.lstrip("/")).is_file():
            data = (self.root / path.lstrip("/")).read_bytes()
        if data is not None:
            self.read += 1
        return gzip.decompress(data) if data and path.endswith(".gz") else data

    @staticmethod
    def _from_deb(deb, path):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)],
                              stdout=subprocess.PIPE) as unpack:
            data = None
            with tarfile.open(fileobj=unpack.stdout, mode="r|") as members:
                for member in members:
                    if member.name.lstrip(".") == path and member.isfile():
                        data = members.extractfile(member).read()
            return data


class Registry:
    """The IANA table of service names and port numbers."""

    def __init__(self, lines):
        self.services, self.references, self.by_name = {}, {}, {}
        for row in csv.DictReader(lines):
            ports, protocol = row["Port Number"].strip(), row["Transport Protocol"].strip()
            name, cited = row["Service Name"].strip(), row["Reference"] or ""
            rfcs = {int(number) for number in re.findall(r"RFC[- ]?0*([0-9]+)", cited)}
            if name:
                self.by_name.setdefault(name, set()).update(rfcs)
            if not re.fullmatch(r"[0-9]+(-[0-9]+)?", ports) or not protocol:
                continue
            low, high = span(ports)
            for port in range(low, high + 1):
                if name:
                    self.services.setdefault((port, protocol), set()).add(name)
                self.references.setdefault((port, protocol), set()).update(rfcs)


def read_sections(markdown):
    """Anchor -> text of its section; failures of the page itself."""
    parts = re.split(r'^<a id="([^"]*)"></a>\s*$', markdown, flags=re.M)
    sections, failures = {}, []
    for anchor, body in zip(parts[1::2], parts[2::2]):
        if anchor in sections:
            failures.append(f"docs/sources.md: anchor {anchor!r} stands twice")
        for needed in ("\n## ", "\n**From:** ", "\n**Sure:** "):
            if needed not in "\n" + body:
                failures.append(f"docs/sources.md: section {anchor!r} has no line that "
                                f"starts with {needed.strip()!r}")
        sections[anchor] = body
    return sections, failures


# ---- resolving --------------------------------------------------------------

def covers(entry, port, protocol):
    return protocol in entry["protocols"] and any(
        low <= port <= high for low, high in map(span, entry["ports"]))


def text_names_entry(data, entry):
    """True when a file names one of the entry's ports or its service. Binaries pass."""
    if b"\0" in data[:65536]:
        return True
    text = data.decode("utf-8", "replace")
    spans = [span(port) for port in entry["ports"]]
    for number in set(re.findall(r"(?<![0-9])[0-9]{1,5}(?![0-9])", text)):
        if any(low <= int(number) <= high for low, high in spans):
            return True
    service = entry["service"]
    return bool(service) and re.search(
        rf"(?<![\w-]){re.escape(service)}(?![\w-])", text) is not None


def deb_failures(entry, contents, texts):
    _, package, path = entry["source"].split(":", 2)
    if package not in contents.packages:
        return [f"apt knows no package {package}"]
    if not contents.ships(package, path):
        owners = ", ".join(sorted(contents.owners.get(path, ()))) or "no package"
        return [f"{package} does not ship {path} ({owners} does)"]
    data = texts.get(package, path)
    if data is not None and not text_names_entry(data, entry):
        return [f"{path} of {package} names neither a port of the entry nor its service"]
    return []


def rfc_failures(entry, registry):
    number = int(entry["source"][4:])
    cited = set(registry.by_name.get(entry["service"], ()))
    for (port, protocol), rfcs in registry.references.items():
        if rfcs and covers(entry, port, protocol):
            cited |= rfcs
    if number not in cited:
        listed = ", ".join(f"RFC {rfc}" for rfc in sorted(cited)) or "no RFC"
        return [f"the registry does not cite RFC {number} for it, but {listed}"]
    return []


def iana_failures(entry, registry):
    port, _, protocol = entry["source"][5:].partition("/")
    found = []
    if not registry.services.get((int(port), protocol)):
        found.append(f"the registry assigns {port}/{protocol} to nobody")
    if not covers(entry, int(port), protocol):
        found.append(f"its source is about {port}/{protocol}, which it does not cover")
    return found


def source_failures(entry, contents, texts, registry, sections):
    kind = entry["source"].partition(":")[0]
    if kind == "deb":
        return deb_failures(entry, contents, texts) if contents else [INDEX_MISSING]
    if kind == "rfc":
        return rfc_failures(entry, registry)
    if kind == "iana":
        return iana_failures(entry, registry)
    anchor = entry["source"][4:]
    return [] if anchor in sections else [f"docs/sources.md has no anchor {anchor!r}"]


def service_failures(entry, registry):
    """A claimed service must be registered on each of the entry's ports."""
    if not entry["service"]:
        return []
    found = []
    for low, high in map(span, entry["ports"]):
        for port in range(low, high + 1):
            names = set().union(*(registry.services.get((port, protocol), ())
                                  for protocol in entry["protocols"]))
            if entry["service"] not in names:
                found.append(f"service {entry['service']!r} is not registered on {port}, "
                             f"but {', '.join(sorted(names)) or 'nothing'}")
    return found


def package_failures(entry, contents):
    """Named packages exist, and named units come from one of them."""
    found = [f"apt knows no package {package}" for package in entry["packages"]
             if package not in contents.packages]
    for unit in entry["units"] if entry["packages"] else ():
        places = [f"/lib/systemd/system/{unit}", f"/usr/lib/systemd/system/{unit}",
                  f"/etc/init.d/{unit.removesuffix('.service')}"]
        if not any(contents.ships(package, place)
                   for package in entry["packages"] for place in places):
            found.append(f"none of its packages ships the unit {unit}")
    return found


def wanted_paths(entries):
    wanted = {"systemd/system/" + unit for _, entry in entries for unit in entry["units"]}
    wanted |= {"etc/init.d/" + unit.removesuffix(".service")
               for _, entry in entries for unit in entry["units"]}
    return wanted | {entry["source"].split(":", 2)[2].lstrip("/") for _, entry in entries
                     if entry["source"].startswith("deb:")}


def resolve(entries, contents, texts, registry, sections, tally):
    for name, entry in entries:
        tally.check([f"{name}: {failure}" for failure in
                     source_failures(entry, contents, texts, registry, sections)])
        tally.check([f"{name}: {failure}" for failure in service_failures(entry, registry)])
        if contents:
            tally.check([f"{name}: {failure}" for failure in package_failures(entry, contents)])
    used = {entry["source"][4:] for _, entry in entries if entry["source"].startswith("doc:")}
    tally.check([f"docs/sources.md: nothing refers to the section {anchor!r}"
                 for anchor in sorted(set(sections) - used)])


# ---- self-test: each kind of bad source must be caught ----------------------

def self_test():
    good = {"ports": ["22"], "protocols": ["tcp"], "software": "Sample", "service": "ssh",
            "role": "login", "direction": "inbound", "exes": ["sampled"],
            "packages": ["sample"], "units": ["sample.service"],
            "summary": "A sample program.", "firewall": "Nobody needs to reach it.",
            "source": "deb:sample:/etc/sample.conf"}
    registry = Registry([
        "Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,"
        "Registration Date,Modification Date,Reference,Service Code,"
        "Unauthorized Use Reported,Assignment Notes",
        "ssh,22,tcp,,,,,,[RFC4251],,,", ",4,tcp,Unassigned,,,,,,,,",
        "x11,6000-6063,tcp,,,,,,,,,"])
    contents = Contents({"/etc/sample.conf": {"sample"}, "/etc/other.conf": {"other"},
                         "/etc/empty.conf": {"sample"}, "/usr/bin/sampled": {"sample"},
                         "/lib/systemd/system/sample.service": {"sample"}},
                        {"sample", "other"})
    sections, _ = read_sections('<a id="sample"></a>\n## S\n**From:** a\n**Sure:** yes\n')
    tally = Tally()

    with tempfile.TemporaryDirectory() as folder:
        etc, binaries = Path(folder, "etc"), Path(folder, "usr/bin")
        etc.mkdir()
        binaries.mkdir(parents=True)
        (etc / "sample.conf").write_text("Port 22\n")
        (etc / "empty.conf").write_text("Port 2222\n")
        (binaries / "sampled").write_bytes(b"\x7fELF\0\0")
        texts = Texts(root=folder)
        texts.installed = {"sample", "other"}

        def judge(changes, index=contents):
            entry = {key: value for key, value in {**good, **changes}.items()
                     if value is not None}
            found = grammar_failures(entry)
            if not found:
                found = source_failures(entry, index, texts, registry, sections)
                found += service_failures(entry, registry)
                found += package_failures(entry, contents)
            return found

        def must_pass(title, changes, index=contents):
            tally.check([f"self-test: {title}: refused: {failure}"
                         for failure in judge(changes, index)])

        def must_fail(title, changes, words, index=contents):
            found = judge(changes, index)
            if not any(words in failure for failure in found):
                tally.check([f"self-test: {title}: not caught (got {found})"])
            else:
                tally.check([])

        must_pass("a good deb source", {})
        must_pass("a good rfc source", {"source": "rfc:4251"})
        must_pass("a good iana source", {"source": "iana:22/tcp"})
        must_pass("an iana row that is a range",
                  {"ports": ["6000-6063"], "service": "x11", "source": "iana:6010/tcp"})
        must_pass("a good doc source", {"source": "doc:sample"})
        must_pass("a binary needs no port in its text", {"source": "deb:sample:/usr/bin/sampled"})
        must_pass("a named profile", {"profile": "unix"})
        must_fail("no such package", {"source": "deb:nosuch:/etc/sample.conf"}, "no package nosuch")
        must_fail("no such file", {"source": "deb:sample:/etc/nosuch"}, "does not ship")
        must_fail("the file of another package", {"source": "deb:sample:/etc/other.conf"},
                  "other does")
        must_fail("a text without the port", {"source": "deb:sample:/etc/empty.conf"},
                  "names neither")
        must_fail("no Contents index", {}, "apt-file update", None)
        must_fail("an RFC that is not cited", {"source": "rfc:854"}, "does not cite RFC 854")
        must_fail("an unassigned row", {"ports": ["4"], "service": "", "source": "iana:4/tcp"},
                  "to nobody")
        must_fail("a row of another port", {"source": "iana:6000/tcp"}, "does not cover")
        must_fail("no such anchor", {"source": "doc:nosuch"}, "no anchor")
        must_fail("a source of no kind", {"source": "http://example.org/"}, "none of")
        must_fail("a service of another port", {"service": "x11"}, "not registered on 22")
        must_fail("an unknown package", {"packages": ["nosuch"], "units": []}, "no package nosuch")
        must_fail("an unknown unit", {"units": ["nosuch.service"]}, "ships the unit")
        must_fail("an unknown key", {"colour": "red"}, "unknown key")
        must_fail("a missing key", {"role": None}, "missing key")
        must_fail("a long text", {"software": "x" * 61}, "61 bytes")
        must_fail("bytes are counted, not characters", {"role": "\u00e9" * 21}, "42 bytes")
        must_fail("a control character", {"summary": "A sample\nprogram."}, "control characters")
        must_fail("port 0", {"ports": ["0"]}, "bad value '0'")
        must_fail("a port too high", {"ports": ["65536"]}, "bad range")
        must_fail("a range backwards", {"ports": ["30-20"]}, "bad range")
        must_fail("ports that overlap", {"ports": ["22", "20-30"]}, "overlap")
        must_fail("a number for a port", {"ports": [22]}, "array of strings")
        must_fail("no port", {"ports": []}, "is empty")
        must_fail("an unknown protocol", {"protocols": ["icmp"]}, "bad value 'icmp'")
        must_fail("an unknown direction", {"direction": "sideways"}, "must be one of")
        must_fail("an unknown profile", {"profile": "beos"}, "must be one of")
        must_fail("a unit without its kind", {"units": ["sample"]}, "bad value 'sample'")

    twice = Tally(quiet=True)
    body = "".join(f"{key} = {str(value).replace(chr(39), chr(34))}\n" if isinstance(value, list)
                   else f'{key} = "{value}"\n' for key, value in good.items())
    load_table(f"[[use]]\n{body}\n[[use]]\n{body}", twice)
    tally.check([] if any("says the same" in failure for failure in twice.failures)
                else ["self-test: a repeated entry: not caught"])
    for title, text in (("broken TOML", "[[use]\n"), ("a stray table", "[other]\n"),
                        ("an empty table", "")):
        broken = Tally(quiet=True)
        load_table(text, broken)
        tally.check([] if broken.failures else [f"self-test: {title}: not caught"])
    for title, page in (("a section without its origin", '<a id="a"></a>\n## S\n**Sure:** y\n'),
                        ("an anchor twice", '<a id="a"></a>\n<a id="a"></a>\n')):
        tally.check([] if read_sections(page)[1] else [f"self-test: {title}: not caught"])
    lonely = Tally(quiet=True)
    resolve([], contents, None, registry, sections, lonely)
    tally.check([] if lonely.failures else ["self-test: an unused section: not caught"])
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=ROOT / "data/known-uses.toml")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs/sources.md")
    parser.add_argument("--iana-csv", type=Path,
                        help="the registry as CSV, with the header that IANA publishes")
    parser.add_argument("--deb-dir", type=Path,
                        help="also read the sources inside the .deb files of this folder")
    parser.add_argument("--list-packages", action="store_true",
                        help="print the packages of deb: sources, for apt-get download")
    parser.add_argument("--self-test", action="store_true",
                        help="prove that each kind of bad source is caught")
    options = parser.parse_args()

    if options.self_test:
        tally = self_test()
    else:
        tally = Tally(quiet=options.list_packages)
        entries = load_table(options.table.read_text(), tally)
        if options.list_packages:
            print("\n".join(sorted({entry["source"].split(":")[1] for _, entry in entries
                                    if entry["source"].startswith("deb:")})))
            return 1 if tally.failures else 0
        if not options.iana_csv or not options.iana_csv.is_file():
            tally.check([f"no registry at {options.iana_csv}: pass --iana-csv FILE, "
                         "the table that the build makes"])
        else:
            with options.iana_csv.open(newline="") as lines:
                registry = Registry(lines)
            sections, found = read_sections(options.docs.read_text())
            tally.check(found)
            contents = Contents.read(wanted_paths(entries))
            if contents is None:
                print(INDEX_MISSING)
            texts = Texts(options.deb_dir)
            resolve(entries, contents, texts, registry, sections, tally)
            of_debian = sum(entry["source"].startswith("deb:") for _, entry in entries)
            print(f"{len(entries)} entries; {of_debian} name a Debian file, "
                  f"{texts.read} of them installed here or in --deb-dir and read")
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
