"""What the command line takes, and the page that tells it."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditkit.cli.moments import moment
from auditkit.cli.parser import build_parser
from tests.unit.cli.page import page

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


def test_page_is_up_to_date() -> None:
    """docs/reference/cli.md is what the parser makes of itself."""
    written = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")

    assert page() == written


@pytest.mark.parametrize(
    ("text", "ago"),
    [("30s", timedelta(seconds=30)), ("2h", timedelta(hours=2)), ("7d", timedelta(days=7)), ("1w", timedelta(weeks=1))],
)
def test_moment_counts_back(text: str, ago: timedelta) -> None:
    """A number with a unit is that long ago."""
    assert NOW - ago == moment(text, NOW)


def test_moment_takes_iso_with_an_offset() -> None:
    """ISO 8601 with an offset is that instant."""
    assert NOW == moment("2026-11-23T13:00:00+01:00")


def test_moment_without_an_offset_is_local() -> None:
    """ISO 8601 without an offset is local time, and the answer is aware."""
    naive = datetime(2026, 11, 23, 7, 35)  # noqa: DTZ001  (that is the point)

    assert naive.astimezone() == moment("2026-11-23T07:35")


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "9999999h", "2026-13-01", "999999w"])
def test_moment_refuses_what_is_no_time(text: str) -> None:
    """What is no time is refused with what would be right."""
    with pytest.raises(argparse.ArgumentTypeError, match="must be ISO 8601, such as .* or how long ago"):
        moment(text, NOW)


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_limit_must_be_a_number_above_zero(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--limit says what it takes."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["log", "--limit", number])

    assert f"must be a whole number above 0, got {number!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, told",
    [
        (["--transport", "app"], "must be a module and a name in it such as app.audit:transports, got 'app'"),
        (["--transport", "app:"], "must be a module and a name in it such as app.audit:transports, got 'app:'"),
        (["--transport", "a-b:c"], "must be a module and a name in it such as app.audit:transports, got 'a-b:c'"),
        (["--timeout", "0"], "must be a number of seconds above 0, got '0'"),
        (["--timeout", "inf"], "must be a number of seconds above 0, got 'inf'"),
        (["--timeout", "soon"], "must be a number of seconds above 0, got 'soon'"),
        (["--timeout", "1", "--follow"], "argument --follow: not allowed with argument --timeout"),
    ],
)
def test_deliver_says_what_it_takes(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A transport is a module and a name, a timeout a number of seconds, and following has none."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["deliver", *words])

    assert told in capsys.readouterr().err
