"""The figures as the page shows them: Markdown between two markers. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from tests.benchmarks import comparisons
from tests.benchmarks.chart import bars
from tests.benchmarks.comparisons import COMPARISONS, PLAIN, STRUCTLOG, TAILS, Comparison

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.benchmarks.figures import Run

BEGIN: Final = "<!-- figures: begin; written by python -m tests.benchmarks.performance -->"
END: Final = "<!-- figures: end -->"
LANES_BEGIN: Final = "<!-- lanes: begin; written by python -m tests.benchmarks.lanes -->"
LANES_END: Final = "<!-- lanes: end -->"
CHART: Final = "performance.svg"

_RATIOS: Final = """\
### Ratios

What the caller waits for, and in parentheses what the whole process computes until everything is worked off, both as
multiples of the call beside it."""
_IN_PYTHON: Final = """\
### In pure Python

The same with nothing compiled, as where there was no compiler. The bars are the same, and are not met:"""
_BESIDE_LANES: Final = """\
### Beside lanes

Single calls in microseconds, auditkit's / structlog's beside the same lanes. *first*: the first call after a while,
which wakes them; *idle*: p99 while they have nothing to do; *delivering*: p99 while one sends as fast as it can."""
_MICROSECONDS: Final = """\
### Microseconds a call

For an impression of this machine; they are not portable, ratios are. *wall*: what the caller waits for; *CPU*: what the
whole process computes; *p99*: of single calls, measured apart."""


def replaced(page: str, figures: str, *, between: tuple[str, str] = (BEGIN, END)) -> str:
    """Return the page with other figures between two markers.

    Raises:
        ValueError: It has not each marker once, in their order.
    """
    first, last = between
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end) or first in rest or last in before + after:
        raise ValueError(f"the page must have {first!r} and {last!r} once each, in this order")
    return f"{before}{first}\n\n{figures.strip()}\n\n{last}{after}"


def figures(runs: Sequence[Run], pure: Sequence[Run], supported: Sequence[str]) -> str:
    """Return all that is between the markers.

    Args:
        runs: What each interpreter measured, in the order of its columns.
        pure: What each measured with nothing compiled.
        supported: The Pythons that auditkit supports; the page says which of them were not measured.
    """
    return "\n\n".join(
        [
            _measured_on(runs, supported),
            f"![Wall time of a call, as a multiple of a structlog line]({CHART})",
            _RATIOS,
            _ratios(runs),
            _over(runs),
            _IN_PYTHON,
            _ratios(pure),
            _BESIDE_LANES,
            _tails(runs),
            _MICROSECONDS,
            *(f"Python {run.python}:\n\n{_microseconds(run)}" for run in runs),
        ]
    )


def chart(runs: Sequence[Run]) -> str:
    """Return the chart: what the caller waits for, beside a structlog line."""
    names = [name for name in runs[0].series if name != PLAIN]
    groups = {name: [run.ratio(name, STRUCTLOG) for run in runs] for name in sorted(names, key=_ours_first)}
    return bars(
        "Wall time of a call, as a multiple of a structlog line", groups, [f"Python {run.minor}" for run in runs]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """Return a Markdown table; the first columns are words, the others figures."""
    rule = f"|{'---|' * words}{'--:|' * (len(head) - words)}"
    return "\n".join([_row(head), rule, *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ours_first(name: str) -> bool:
    return name not in comparisons.OURS


def _measured_on(runs: Sequence[Run], supported: Sequence[str]) -> str:
    run = runs[0]
    machine = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    pythons = ", ".join(each.python for each in runs)
    missing = [each for each in supported if each not in {run.minor for run in runs}]
    left_out = f" Not measured, for want of an interpreter: {', '.join(missing)}." if missing else ""
    return f"Measured on Python {pythons}; {run.rounds} rounds each.{left_out}\n\nThe machine: {machine}.\n\nThe distributions: {versions}."


def _ratios(runs: Sequence[Run]) -> str:
    def row(each: Comparison) -> list[str]:
        found = [
            f"{run.ratio(each.ours, each.theirs):.2f} ({run.cpu_ratio(each.ours, each.theirs):.2f})" for run in runs
        ]
        return [each.ours, each.theirs, f"{each.bar:.2f}", *found]

    return table(["call", "beside", "bar", *(run.minor for run in runs)], map(row, COMPARISONS), words=2)


def _over(runs: Sequence[Run]) -> str:
    """Say what is dearer than wished, in words that stay true when the figures change."""
    lines = [f"- {line}" for each in COMPARISONS for line in _over_bar(each, runs)]
    if not lines:
        return "The caller waits for nothing longer than the bar allows."
    return "\n".join(["The caller waits longer than the bar allows for:", "", *lines])


def _over_bar(each: Comparison, runs: Sequence[Run]) -> Iterator[str]:
    found = [(run.minor, run.ratio(each.ours, each.theirs)) for run in runs]
    over = [f"{ratio:.2f} on {minor}" for minor, ratio in found if round(ratio, 2) > each.bar]
    if over:
        yield f"{each.ours}, beside {each.theirs}: {', '.join(over)}; bar {each.bar:.2f}"


def _tails(runs: Sequence[Run]) -> str:
    head = [f"{run.minor}, {what}" for run in runs for what in ("first", "idle", "delivering")]

    def row(ours: str, theirs: str) -> Iterator[str]:
        yield ours
        for run in runs:
            mine, peer = run.tails[ours], run.tails[theirs]
            yield f"{median(mine.first):.0f} / {median(peer.first):.0f}"
            yield f"{median(mine.idle):.0f} / {median(peer.idle):.0f}"
            yield f"{median(mine.delivering):.0f} / {median(peer.delivering):.0f}"

    return table(["call", *head], [list(row(ours, theirs)) for ours, theirs in TAILS])


def _microseconds(run: Run) -> str:
    rows = [
        [
            name,
            *(f"{median(values):.2f}" for values in (each.wall, each.cpu, each.p99)),
            f"{run.ratio(name, STRUCTLOG):.2f}",
        ]
        for name, each in run.series.items()
    ]
    return table(["call", "wall", "CPU", "p99", "x structlog"], rows)
