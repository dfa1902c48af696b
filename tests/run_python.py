#!/usr/bin/env python3
"""Runs one Python test file and writes each test's result as JSON, for tools/test.

usage: tests/run_python.py FILE [--json OUT] [NAME...]
"""

import argparse
import importlib.util
import json
import pathlib
import sys
import time
import unittest


class Recorder(unittest.TextTestResult):
    """Keeps what tools/test prints: name, outcome, report, and how long it took."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.records = []
        self.started = {}

    def startTest(self, test):
        self.started[test.id()] = time.monotonic()
        super().startTest(test)

    def record(self, test, outcome, report=""):
        name = test.id()
        seconds = time.monotonic() - self.started.get(name, time.monotonic())
        self.records.append({"name": name, "outcome": outcome, "report": report,
                             "seconds": round(seconds, 2)})

    def addSuccess(self, test):
        super().addSuccess(test)
        self.record(test, "passed")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.record(test, "failed", self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.record(test, "failed", self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.record(test, "skipped", reason)

    def addSubTest(self, test, subtest, error):
        # A subtest's failure is reported under its own name; the whole test then has no success.
        super().addSubTest(test, subtest, error)
        if error is not None:
            reports = self.failures if issubclass(error[0], test.failureException) else self.errors
            self.record(subtest, "failed", reports[-1][1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="run only tests whose name contains one of these")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    file = options.file.resolve()
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    if options.names:
        loader.testNamePatterns = [f"*{name}*" for name in options.names]
    suite = loader.loadTestsFromModule(module)
    runner = unittest.TextTestRunner(resultclass=Recorder, verbosity=2)
    result = runner.run(suite)
    if options.json:
        options.json.write_text(json.dumps(result.records))
    if result.testsRun == 0 and not result.records:
        print(f"{file.name}: no tests in it", file=sys.stderr)
        return 1
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
