"""What is installed, and what it is known for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.doctor.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Mapping

_WAL_RESET = ((3, 7, 0), (3, 51, 2))  # the first and the last SQLite with the bug; https://www.sqlite.org/wal.html


def judge_versions(python: str, packages: Mapping[str, str | None], *, compiled: bool) -> Finding:
    """Say what runs; it does, so that a version which cannot be told is no trouble, nor what is not compiled."""
    shown = [f"{name} {version or 'of unknown version'}" for name, version in packages.items()]
    how = "audited calls are compiled" if compiled else "audited calls are pure Python, and take twice as long"
    return ok("versions", f"Python {python}, {', '.join(shown)}; {how}")


def judge_sqlite(version: tuple[int, int, int] | None) -> Finding:
    """Say whether a SQLite can keep the ledger, and what is known of it."""
    if version is None:
        return problem(
            "sqlite", "this Python has no sqlite3, so there is no ledger", "install it, or configure ledger=False"
        )
    shown = ".".join(map(str, version))
    if _WAL_RESET[0] <= version <= _WAL_RESET[1]:
        return warning(
            "sqlite",
            f"SQLite {shown} can damage a WAL database, as the ledger is one, that two connections write at the same "
            "instant. auditkit's processes take turns (ledger.lock) and read it read-only, so that they never do; "
            "another program that opens it for writing could",
            "upgrade to SQLite 3.51.3 or later, and open the ledger with other programs read-only (mode=ro)",
        )
    return ok("sqlite", f"SQLite {shown}; the ledger is in WAL mode, written by one process at a time")
