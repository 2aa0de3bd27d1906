"""Trouble inside auditkit: counted always, logged once per cause and window, never thrown."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.reporting import Reporter, logger
from auditkit.testing import DrivenClock

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = 60.0
CANARY = "canary4711"


class Kept(logging.Handler):
    """Keep what is logged, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


class Talking(Kept):
    """Report trouble of its own from inside the log, on the same thread and on another."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self.reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        self.reporter.report("handler", "a handler met trouble too")
        other = threading.Thread(target=self.reporter.count, args=("elsewhere",))
        other.start()
        other.join(30)
        self.reporter.count("stuck", other.is_alive())


class Failing(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(CANARY)


@contextmanager
def handled_by(handler: logging.Handler) -> Iterator[None]:
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    with handled_by(handler):
        yield handler


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()


@pytest.fixture
def reporter(clock: DrivenClock) -> Reporter:
    return Reporter(clock, window=WINDOW)


def test_nothing_is_counted_at_first(reporter: Reporter) -> None:
    """A new reporter has counted nothing."""
    assert {} == reporter.counts()


def test_trouble_is_counted_always_and_logged_once(reporter: Reporter, kept: Kept) -> None:
    """One cause within one window is counted each time and logged once."""
    for _ in range(5):
        reporter.report("code", "something happened", cause="user.login")

    assert {"code": 5} == reporter.counts()
    assert ["code: something happened"] == kept.texts


def test_trouble_is_logged_again_after_the_window(reporter: Reporter, clock: DrivenClock, kept: Kept) -> None:
    """A cause is logged again when the window since it was last logged has passed, and not before."""
    logged = []
    for seconds in (1, WINDOW - 2, 1, 1, WINDOW - 1, 2):
        reporter.report("code", "something happened")
        logged.append(len(kept.texts))
        clock.advance(seconds)

    assert [1, 1, 1, 2, 2, 3] == logged


def test_steady_trouble_is_logged_once_a_window(reporter: Reporter, clock: DrivenClock, kept: Kept) -> None:
    """Trouble that never ends is logged once a window: silence does not prolong the window."""
    for _ in range(600):
        reporter.report("code", "something happened")
        clock.advance(1)

    assert {"code": 600} == reporter.counts()
    assert 10 == len(kept.texts)


def test_causes_and_codes_are_logged_each(reporter: Reporter, kept: Kept) -> None:
    """Another cause of the same code, and the same cause of another code, are logged for themselves."""
    for code, cause in [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x"), ("a", ""), ("b", "x")]:
        reporter.report(code, f"at {cause!r}", cause=cause)

    assert {"a": 4, "b": 2} == reporter.counts()
    assert ["a: at 'x'", "a: at 'y'", "b: at 'x'", "a: at ''"] == kept.texts


def test_error_is_named_and_not_quoted(reporter: Reporter, kept: Kept) -> None:
    """Of an exception its type is logged; its text, its notes and its traceback are not."""
    try:
        raise ValueError(CANARY) from KeyError(CANARY)
    except ValueError as error:
        error.add_note(CANARY)
        reporter.report("code", "something happened", error=error)

    assert ["code: something happened (ValueError)"] == kept.texts


def test_message_with_percent_signs_is_whole(reporter: Reporter, kept: Kept) -> None:
    """A message is text, never a format."""
    reporter.report("code", "100% of %s and %(name)s")

    assert ["code: 100% of %s and %(name)s"] == kept.texts


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_level_is_the_one_asked_for(reporter: Reporter, caplog: pytest.LogCaptureFixture, level: int) -> None:
    """Trouble is logged to the logger auditkit, at the level that was asked for."""
    caplog.set_level(logging.DEBUG, "auditkit")
    reporter.report("code", "something happened", level=level)

    assert [("auditkit", level)] == [(each.name, each.levelno) for each in caplog.records]


def test_level_is_error_by_default(reporter: Reporter, caplog: pytest.LogCaptureFixture) -> None:
    """Trouble is an ERROR unless said otherwise."""
    reporter.report("code", "something happened")

    assert [logging.ERROR] == [each.levelno for each in caplog.records]


def test_count_does_not_log(reporter: Reporter, kept: Kept) -> None:
    """What is only counted is not logged, and does not silence what is reported after it."""
    reporter.count("code")
    reporter.count("code", 4)
    before = len(kept.texts)
    reporter.report("code", "something happened")

    assert {"code": 6} == reporter.counts()
    assert (0, 1) == (before, len(kept.texts))


def test_counts_are_a_copy(reporter: Reporter) -> None:
    """What counts() returned does not change with what happens later, nor the reporter with it."""
    reporter.count("code")
    counts = reporter.counts()
    reporter.count("code")
    counts["other"] = 1

    assert {"code": 1, "other": 1} == counts
    assert {"code": 2} == reporter.counts()


def test_many_causes_are_counted_all(reporter: Reporter, kept: Kept) -> None:
    """However many causes there are, each is counted and logged, and few of them are remembered."""
    for number in range(5000):
        reporter.report("code", "something happened", cause=str(number))

    assert {"code": 5000} == reporter.counts()
    assert 5000 == len(kept.texts)
    assert 1024 == len(reporter._logged)


def test_frequent_cause_is_not_forgotten(reporter: Reporter, kept: Kept) -> None:
    """A cause that comes again and again stays silent within its window, however many others come between."""
    for number in range(3000):
        reporter.report("steady", "again")
        reporter.report("code", "another", cause=str(number))

    assert 1 == kept.texts.count("steady: again")


def test_threads_lose_no_count_and_log_once(reporter: Reporter, kept: Kept) -> None:
    """Threads that report at once lose no count, and log one cause once."""
    threads, times = 8, 500
    together = threading.Barrier(threads, timeout=30)

    def run(_: int) -> None:
        together.wait()
        for _ in range(times):
            reporter.report("code", "something happened")
            reporter.count("counted", 2)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))

    assert {"code": threads * times, "counted": 2 * threads * times} == reporter.counts()
    assert ["code: something happened"] == kept.texts


def test_handler_may_report(reporter: Reporter) -> None:
    """A log handler that meets trouble itself, and waits for a thread that does, neither loops nor blocks."""
    handler = Talking(reporter)
    with handled_by(handler):
        reporter.report("code", "something happened")

    assert ["code: something happened", "handler: a handler met trouble too"] == handler.texts
    assert {"code": 1, "handler": 2, "elsewhere": 2, "stuck": 0} == reporter.counts()


def test_handler_that_reports_ever_new_causes_ends(reporter: Reporter, kept: Kept) -> None:
    """A handler that meets another trouble with each line that it is given is heard twice, and counted."""

    class Endless(Kept):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            reporter.report("handler", "again", cause=str(len(self.texts)))

    handler = Endless()
    with handled_by(handler):
        reporter.report("code", "something happened")
        reporter.report("code", "and once more", cause="another")

    assert ["something happened", "again", "and once more", "again"] == [
        text.partition(": ")[2] for text in handler.texts
    ]
    assert {"code": 2, "handler": 4} == reporter.counts()


def test_handler_silences_no_other_thread(reporter: Reporter) -> None:
    """While one thread is as deep in its log lines as it may be, another's trouble is logged."""

    class Deep(Kept):
        def filter(self, record: logging.LogRecord) -> bool:  # not emit, whose lock would keep the other thread out
            self.emit(record)
            if len(self.texts) == 1:
                reporter.report("code", "second")
            elif len(self.texts) == 2:
                other = threading.Thread(target=reporter.report, args=("other", "third"))
                other.start()
                other.join(30)
            return False

    handler = Deep()
    with handled_by(handler):
        reporter.report("code", "first", cause="another")

    assert ["code: first", "code: second", "other: third"] == handler.texts


def test_handler_that_raises_silences_nothing(reporter: Reporter, kept: Kept) -> None:
    """However often a log handler raised, what comes after it is logged."""
    with handled_by(Failing()):
        for number in range(3):
            reporter.report("code", "something happened", cause=str(number))
    reporter.report("code", "and again", cause="last")

    assert "code: and again" == kept.texts[-1]


def test_handler_that_raises_is_counted(reporter: Reporter, kept: Kept) -> None:
    """A log handler that raises is counted, and the trouble it should have logged is too."""
    with handled_by(Failing()):
        reporter.report("code", "something happened")

    assert {"code": 1, "log_failed": 1} == reporter.counts()
    assert CANARY not in "".join(kept.texts)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(1, 90)),
        max_size=40,
    )
)
def test_report_follows_the_rule(steps: list[tuple[str, str, int]]) -> None:
    """For any reports at any times: each is counted, and logged if its cause was not within the last window."""
    clock, handler = DrivenClock(), Kept()
    reporter = Reporter(clock, window=WINDOW)
    last: dict[tuple[str, str], float] = {}
    expected: list[str] = []
    with handled_by(handler):
        for code, cause, seconds in steps:
            reporter.report(code, cause, cause=cause)
            now = clock.monotonic()
            if now - last.get((code, cause), -WINDOW) >= WINDOW:
                last[code, cause] = now
                expected.append(f"{code}: {cause}")
            clock.advance(seconds)

    assert expected == handler.texts
    assert len(steps) == sum(reporter.counts().values())
