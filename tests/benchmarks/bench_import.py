"""Measure what `import auditkit` costs beside a bare `import wrapt`, in new interpreters that take turns.

``python -m tests.benchmarks.bench_import [--rounds 30]``

Told is the time from the interpreter's start to its end, and how much longer it is than that of the import before it, as
medians over the rounds; and what ``python -X importtime`` says of the import itself, in a process that has loaded wrapt.
The whole process takes a little more: what was loaded is also cleared away at its end. Byte code is compiled before.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from statistics import median

from tests.benchmarks.page import table

STATEMENTS = ("pass", "import wrapt", "import auditkit", "import auditkit, httpx")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    for statement in STATEMENTS:
        milliseconds(statement)
    rounds = [[milliseconds(statement) for statement in STATEMENTS] for _ in range(arguments.rounds)]
    own = sorted(imported() for _ in range(arguments.rounds))
    rows = [
        (
            f"`{statement}`",
            f"{median(each[place] for each in rounds):.1f}",
            f"{median(each[place] - each[max(0, place - 1)] for each in rounds):.1f}",
        )
        for place, statement in enumerate(STATEMENTS)
    ]
    print(f"Python {sys.version.split()[0]}, {arguments.rounds} rounds\n")
    print(table(("statement", "ms", "more than the one above"), rows))
    print(f"\nThe import itself: {median(own):.1f} ms, from {own[0]:.1f} to {own[-1]:.1f}")


def milliseconds(statement: str) -> float:
    """Return how long an interpreter lives that runs one statement."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=_environment())
    return (time.perf_counter() - begun) * 1e3


def imported() -> float:
    """Return how many milliseconds `import auditkit` takes beside wrapt, as the interpreter tells it."""
    command = [sys.executable, "-X", "importtime", "-c", "import wrapt; import auditkit"]
    told = subprocess.run(command, check=True, env=_environment(), capture_output=True, text=True).stderr
    _, whole, name = told.splitlines()[-1].split("|")
    if name.strip() != "auditkit":
        raise RuntimeError(f"not what -X importtime prints at last: {told.splitlines()[-1]!r}")
    return int(whole) / 1e3


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


if __name__ == "__main__":
    main()
