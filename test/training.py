"""Runs the tests of training/ and prints what came of them as one line of JSON: {"passed", "failures", "skipped"}.

    python3 test/training.py

Standard library only; tests that need more skip themselves and say why. Their own report goes to stderr.
"""

import json
import sys
import unittest
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "training"


class Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main() -> None:
    suite = unittest.defaultTestLoader.discover(str(FOLDER), "test_*.py")
    result = unittest.TextTestRunner(sys.stderr, verbosity=2, resultclass=Result).run(suite)
    failed = [*result.failures, *result.errors, *((t, "passed, but a failure was expected") for t in result.unexpectedSuccesses)]
    outcome = {
        "passed": result.passed,
        "failures": [{"name": test.id(), "message": message} for test, message in failed],
        "skipped": [{"name": test.id(), "message": reason} for test, reason in result.skipped],
    }
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
