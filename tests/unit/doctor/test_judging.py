"""What the doctor makes of what it finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest

from auditkit.doctor.destination import judge_clock, judge_probe, judge_proxies
from auditkit.doctor.filesystem import judge_locks, judge_mount, judge_space, judge_syncs
from auditkit.doctor.finding import Grade
from auditkit.doctor.software import judge_sqlite, judge_versions
from auditkit.mounts import Mount
from auditkit.transports import Probed
from auditkit.transports.probing import date_of

MEGA = 2**20
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "kind, options, grade, told",
    [
        ("ext4", "rw", "ok", "ext4 at /srv"),
        ("xfs", "rw", "ok", "xfs at /srv"),
        ("apfs", "rw", "ok", "apfs at /srv"),
        ("ext4", "ro", "problem", "mounted read-only"),
        ("nfs4", "rw", "warning", "shared over a network"),
        ("nfs", "rw", "warning", "shared over a network"),
        ("cifs", "rw", "warning", "shared over a network"),
        ("smb3", "rw", "warning", "shared over a network"),
        ("9p", "rw", "warning", "shared over a network"),
        ("virtiofs", "rw", "warning", "shared over a network"),
        ("fuse.sshfs", "rw", "warning", "shared over a network"),
        ("fuse.s3fs", "rw", "warning", "shared over a network"),
        ("fuse.bindfs", "rw", "warning", "is a program's"),
        ("fuseblk", "rw", "warning", "is a program's"),
        ("overlay", "rw", "warning", "a container's own layer: events that wait there go with it"),
        ("tmpfs", "rw", "warning", "memory: events that wait there go with it"),
    ],
)
def test_filesystem_is_judged(kind: str, options: str, grade: str, told: str) -> None:
    """Local disks are fit; networks, memory, container layers and read-only mounts are told, each with a remedy."""
    found = judge_mount(Mount(point=PurePosixPath("/srv"), kind=kind, source="x", options=frozenset({options})))

    assert ("filesystem", grade) == (found.check, found.grade)
    assert told in found.text
    assert (grade == "ok") == (found.remedy == "")


def test_unknown_filesystem_is_none_of_ours() -> None:
    """A system that tells no file systems is not warned of."""
    assert Grade.OK is judge_mount(None).grade


@pytest.mark.parametrize(
    "free, used, grade, told",
    [
        (2048, 0, "ok", "2048 MiB free; the journal holds 0 of 1024 MiB"),
        (1023, 0, "warning", "the disk would be full before"),
        (800, 300, "ok", "800 MiB free"),
        (2048, 769, "warning", "it is nearly full"),
        (8, 1023, "warning", "it is nearly full"),
        (7, 0, "problem", "there is no room for another segment"),
    ],
)
def test_space_is_judged(free: int, used: int, grade: str, told: str) -> None:
    """Free space is set against what the journal may still become."""
    found = judge_space(free * MEGA, used * MEGA, 1024 * MEGA)

    assert grade == found.grade
    assert told in found.text


@pytest.mark.parametrize("seconds, grade", [([0.001, 0.02, 0.5], "ok"), ([0.021, 0.001, 0.03], "warning")])
def test_sync_is_judged_by_its_median(seconds: list[float], grade: str) -> None:
    """One slow sync is told, and only a slow disk is warned of."""
    found = judge_syncs(seconds)

    assert grade == found.grade
    assert f"{max(seconds) * 1000:.1f} at most" in found.text


def test_locks_that_are_not_kept_are_a_problem() -> None:
    """Without locks two processes would deliver one segment."""
    assert [Grade.OK, Grade.PROBLEM] == [judge_locks(kept=kept).grade for kept in (True, False)]


@pytest.mark.parametrize(
    "version, grade",
    [
        ((3, 6, 23), "ok"),
        ((3, 7, 0), "warning"),
        ((3, 40, 1), "warning"),
        ((3, 51, 2), "warning"),
        ((3, 51, 3), "ok"),
        ((3, 53, 0), "ok"),
        (None, "problem"),
    ],
)
def test_sqlite_is_judged_by_its_version(version: tuple[int, int, int] | None, grade: str) -> None:
    """The versions with the WAL-reset bug are warned of, with what auditkit does about it."""
    found = judge_sqlite(version)

    assert grade == found.grade
    assert (grade == "warning") == ("auditkit's processes take turns" in found.text)


def test_versions_are_told_as_far_as_they_are_known() -> None:
    """What runs is named, also where nobody recorded its version."""
    found = judge_versions("3.11.7", {"httpx": "0.28.1", "wrapt": None}, compiled=True)

    assert ("ok", "Python 3.11.7, httpx 0.28.1, wrapt of unknown version; audited calls are compiled") == (
        found.grade,
        found.text,
    )


def test_pure_python_is_told() -> None:
    """Where nothing is compiled the doctor says so, and what that means."""
    found = judge_versions("3.11.7", {}, compiled=False)

    assert ("ok", True) == (found.grade, found.text.endswith("audited calls are pure Python, and take twice as long"))


def answer(status: int = 404, date: datetime | None = None, seconds: float = 0.5) -> Probed:
    return Probed(url="https://api.example/", status=status, date=date, seconds=seconds)


@pytest.mark.parametrize(
    "status, grade",
    [(200, "ok"), (301, "ok"), (401, "ok"), (404, "ok"), (407, "problem"), (500, "warning"), (503, "warning")],
)
def test_any_answer_shows_that_a_destination_is_there(status: int, grade: str) -> None:
    """What it answers to a request without a key says little more than that it answers."""
    found = judge_probe("workos", answer(status))

    assert ("destination workos", grade) == (found.check, found.grade)
    assert f"https://api.example/ answers {status} after 500 ms" in found.text


@pytest.mark.parametrize(
    "ahead, grade, told",
    [
        (0.0, "ok", "within 1 s of api.example's"),
        (1.4, "ok", "within 1 s"),
        (6.4, "ok", "within 5 s"),
        (-4.0, "ok", "within 4 s"),
        (8.0, "warning", "8 s ahead of api.example's"),
        (-6.0, "warning", "6 s behind"),
        (400.0, "problem", "400 s ahead of"),
        (-86400.0, "problem", "86400 s behind"),
    ],
)
def test_clock_is_compared_with_the_servers(ahead: float, grade: str, told: str) -> None:
    """Whole seconds and the request's own time are allowed for; the trail's times must not be minutes off."""
    found = judge_clock(answer(date=NOW), NOW.timestamp() + ahead)

    assert found is not None
    assert ("clock", grade) == (found.check, found.grade)
    assert told in found.text


def test_clock_of_a_server_that_tells_no_time_is_not_judged() -> None:
    """Without a Date header there is nothing to compare with."""
    assert judge_clock(answer(), 0.0) is None


@pytest.mark.parametrize(
    "text, date",
    [
        ("Mon, 23 Nov 2026 12:00:00 GMT", NOW),
        ("Mon, 23 Nov 2026 13:00:00 +0100", NOW.astimezone(UTC)),
        ("Mon, 23 Nov 2026 12:00:00 -0000", None),
        ("soon", None),
        ("", None),
    ],
)
def test_date_of_a_server_is_read(text: str, date: datetime | None) -> None:
    """A Date header is a time with a zone, or nothing."""
    found = date_of(text)

    assert date == found
    assert found is None or timedelta() == found - NOW


@pytest.mark.parametrize(
    "proxies, told",
    [
        ({}, "none in the environment"),
        ({"no": "localhost"}, "none in the environment"),
        ({"https": "http://ada:hunter2@proxy:3128/x?hunter2"}, "https by http://proxy:3128"),
        ({"http": "proxy", "all": "socks5://u:hunter2@[::1]:1"}, "http by http://proxy, all by socks5://[::1]:1"),
        ({"https": "http://p", "no": "localhost,.internal"}, "https by http://p; not for localhost,.internal"),
        ({"https": "http://u:hunter2@p:port"}, "https by what is no URL (not shown)"),
        ({"https": "http://"}, "https by what is no URL (not shown)"),
    ],
)
def test_proxies_are_shown_without_who_uses_them(proxies: dict[str, str], told: str) -> None:
    """A proxy's URL is shown without user, password, path and query."""
    assert [told] == [each.text for each in judge_proxies(proxies)]
