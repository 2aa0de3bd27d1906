"""The figures of the performance page: how they are made of a run, and shown."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import comparisons, page
from tests.benchmarks.chart import bars
from tests.benchmarks.comparisons import COMPARISONS, DURABLE, OURS, STRUCTLOG, TAILS
from tests.benchmarks.figures import Run, Series, Tail, median_of_ratios, percentile
from tests.benchmarks.machine import filesystem_in, processor_in

SVG = "{http://www.w3.org/2000/svg}"
COSTS = st.floats(min_value=0.01, max_value=1e5)
CASES = sorted({name for each in COMPARISONS for name in (each.ours, each.theirs)})


def a_run(python: str = "3.11.7", *, durable: float = 5.0) -> Run:
    """Return a run in which auditkit's durable update costs this, and everything else 10."""
    series = {
        name: Series(wall=[durable if name == DURABLE else 10.0] * 3, cpu=[20.0] * 3, p99=[30.0] * 3) for name in CASES
    }
    tail = Tail(first=[7.0], idle=[8.0], delivering=[9.0])
    return Run(
        python=python,
        compiled=True,
        rounds=3,
        series=series,
        tails={name: tail for pair in TAILS for name in pair},
        versions={"structlog": "26.1.0"},
        machine={"cores": "2"},
    )


def test_ratio_is_taken_in_each_round() -> None:
    """A machine that is slow for a round is slow for both, and does not move the ratio."""
    assert 0.5 == median_of_ratios([1.0, 50.0, 2.0], [2.0, 100.0, 4.0])


def test_ratio_is_the_median() -> None:
    """One odd round does not move the ratio."""
    assert 2.0 == median_of_ratios([2.0, 2.0, 90.0], [1.0, 1.0, 1.0])


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], [1.0, 2.0])])
def test_ratio_needs_the_same_rounds(ours: list[float], theirs: list[float]) -> None:
    """Without rounds, or with other rounds, there is no ratio."""
    with pytest.raises(ValueError, match=r"round|shorter|longer"):
        median_of_ratios(ours, theirs)


@pytest.mark.parametrize(("calls", "expected"), [(1, 1), (40, 40), (100, 99), (1000, 990)])
def test_percentile_is_the_nearest_rank(calls: int, expected: int) -> None:
    """The p99 is a value that was measured; of few values it is the largest."""
    assert expected == percentile(list(range(calls, 0, -1)), 0.99)


@given(st.lists(COSTS, min_size=1), st.floats(min_value=0.01, max_value=1.0))
def test_percentile_is_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    """At least the share of all values is as small."""
    found = percentile(values, share)

    assert sum(value <= found for value in values) >= share * len(values)


def test_percentile_needs_values() -> None:
    """Of nothing there is no percentile."""
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 0.99)


def test_run_survives_json() -> None:
    """What one interpreter measured reaches the one that writes the page."""
    run = a_run()

    assert run == Run.of(json.loads(json.dumps(run.plain())))


def test_names_are_compared() -> None:
    """Every call of auditkit's stands beside a peer, or beside the durable call, the one measure of ours for others."""
    assert {each.ours for each in COMPARISONS} == OURS
    assert {DURABLE} == OURS & {each.theirs for each in COMPARISONS}


def test_table_has_a_line_a_row() -> None:
    """The first column is text, the others are figures."""
    assert "| call | wall |\n|---|--:|\n| a | 1 |" == page.table(["call", "wall"], [["a", "1"]])


def test_pythons_stand_side_by_side() -> None:
    """Each interpreter has a column, in the order in which it was given."""
    shown = page.figures([a_run("3.11.7", durable=5.0), a_run("3.13.0", durable=7.0)], [a_run()], ["3.11", "3.13"])

    assert "| call | beside | bar | 3.11 | 3.13 |" in shown
    assert f"| {DURABLE} | {STRUCTLOG} | 0.65 | 0.50 (1.00) | 0.70 (1.00) |" in shown


def test_pure_python_stands_apart() -> None:
    """What the same calls cost with nothing compiled has a table of its own."""
    before, _, after = page.figures([a_run(durable=5.0)], [a_run(durable=12.0)], []).partition("### In pure Python")

    assert f"| {DURABLE} | {STRUCTLOG} | 0.65 | 0.50 (1.00) |" in before
    assert f"| {DURABLE} | {STRUCTLOG} | 0.65 | 1.20 (1.00) |" in after


def test_missing_pythons_are_named() -> None:
    """The page says which supported Pythons nobody measured."""
    assert "Not measured, for want of an interpreter: 3.12, 3.13." in page.figures(
        [a_run()], [], ["3.11", "3.12", "3.13"]
    )
    assert "Not measured" not in page.figures([a_run()], [], ["3.11"])


def test_what_is_over_the_bar_is_said() -> None:
    """The page names what is slower than wished, by itself, and only where it is."""
    shown = page.figures([a_run("3.11.7", durable=7.0), a_run("3.13.0", durable=6.0)], [], [])

    assert f"- {DURABLE}, beside {STRUCTLOG}: 0.70 on 3.11; bar 0.65" in shown
    assert f"- {comparisons.DISABLED}, beside {comparisons.PASS_THROUGH}" not in shown


def test_figures_replace_figures() -> None:
    """A second run leaves nothing of the first, and touches nothing around it."""
    once = page.replaced(f"above\n{page.BEGIN}\n{page.END}\nbelow\n", "first")

    assert f"above\n{page.BEGIN}\n\nsecond\n\n{page.END}\nbelow\n" == page.replaced(once, "second")


def test_lanes_have_a_part_of_their_own() -> None:
    """What lanes were measured at is written between markers of its own, and other figures stay."""
    text = f"{page.BEGIN}\nfigures\n{page.END}\n{page.LANES_BEGIN}\n{page.LANES_END}\n"
    lanes = page.replaced(text, "rates", between=(page.LANES_BEGIN, page.LANES_END))

    assert text.replace(page.LANES_END, f"\nrates\n\n{page.LANES_END}") == lanes


@pytest.mark.parametrize("text", ["", page.BEGIN, page.END + page.BEGIN, f"{page.BEGIN}{page.END}" * 2])
def test_page_without_its_markers_is_refused(text: str) -> None:
    """Rather than lose a page's words, nothing is written."""
    with pytest.raises(ValueError, match="once each"):
        page.replaced(text, "figures")


@given(st.lists(st.tuples(COSTS, COSTS), min_size=1, max_size=8), st.text("a<&>\"'", min_size=1))
def test_chart_is_well_formed(values: list[tuple[float, float]], text: str) -> None:
    """Whatever is measured, the chart is XML with a bar for each value, inside its frame."""
    groups = {f"{text}{place}": pair for place, pair in enumerate(values)}

    root = ET.fromstring(bars(text, groups, [text, "other"]))

    width = float((root.get("viewBox") or "").split()[2])
    frame, *found = root.iter(f"{SVG}rect")
    assert len(found) == 2 * len(values) + 2  # and the legend's
    assert all(0 <= float(bar.get("width", "-1")) <= width for bar in found)
    assert str(int(width)) == frame.get("width")


def test_chart_has_auditkit_first() -> None:
    """auditkit's calls stand above the peers', each beside a structlog line."""
    drawn = page.chart([a_run()])

    assert drawn.index(DURABLE) < drawn.index(STRUCTLOG)


def test_processor_is_read() -> None:
    """The processor's name is the first that the kernel tells."""
    assert "A Processor" == processor_in("processor\t: 0\nmodel name\t: A Processor\nmodel name\t: B\n")
    assert "" == processor_in("Hardware\t: none\n")


def test_filesystem_is_the_nearest_mount() -> None:
    """A directory is on the mount that is nearest above it."""
    mounts = "none / overlay rw 0 0\nnone /data ext4 rw 0 0\nnone /data/my\\040disk xfs rw 0 0\n"

    kinds = [filesystem_in(mounts, each) for each in ("/home", "/data", "/database", "/data/my disk/x")]

    assert ["overlay", "ext4", "overlay", "xfs"] == kinds
