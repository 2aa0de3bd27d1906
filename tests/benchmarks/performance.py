"""Measure, and write docs/explanation/performance.md and its chart: `python -m tests.benchmarks.performance`.

`--python PATH` names an interpreter that has auditkit with the extra `bench`, and may be given several times: their
figures then stand side by side. Without it, the interpreter that runs this measures. One that is not there is left
out, and the page says which Pythons were not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import page
from tests.benchmarks.figures import Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
ROUNDS = 25


def measured_by(python: str, rounds: int, *, pure: bool) -> Run:
    """Return what an interpreter measured in a process of its own.

    Raises:
        RuntimeError: auditkit was to be compiled there, and is not.
    """
    with TemporaryDirectory() as directory:
        result = Path(directory) / "run.json"
        command = [python, "-m", "tests.benchmarks.bench_peers", "--rounds", str(rounds), "--json", str(result)]
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "AUDITKIT_PURE": str(int(pure))})
        run = Run.of(json.loads(result.read_text("utf-8")))
    if run.compiled is pure:
        raise RuntimeError(f"{python} has no compiled auditkit: install it there again, with AUDITKIT_COMPILE=1")
    return run


def supported() -> list[str]:
    """Return the Pythons that auditkit says it runs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [found[1] for each in project["classifiers"] if (found := re.search(r"Python :: (3\.\d+)$", each))]


def main() -> None:
    """Measure by every interpreter that is there, and write the page and its chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", metavar="PATH", help="an interpreter; this one by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often every case has its turn")
    given = parser.parse_args()
    pythons = given.python or [sys.executable]
    there = [each for each in pythons if os.access(each, os.X_OK)]
    if not there:
        parser.error(f"no interpreter of {', '.join(pythons)} is there")
    runs = [measured_by(each, given.rounds, pure=False) for each in there]
    pure = [measured_by(each, given.rounds, pure=True) for each in there]
    PAGE.write_text(page.replaced(PAGE.read_text("utf-8"), page.figures(runs, pure, supported())), "utf-8")
    PAGE.with_name(page.CHART).write_text(page.chart(runs), "utf-8")
    print(f"wrote {PAGE} and {page.CHART} beside it")


if __name__ == "__main__":
    main()
