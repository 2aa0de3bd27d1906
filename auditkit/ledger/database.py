"""Opening the ledger's file, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.errors import LedgerError, Paused
from auditkit.ledger import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WRITER_PATIENCE = 0.05  # seconds for a lock on the file: ledger.lock keeps other auditkits out already
_READER_PATIENCE = 5.0  # seconds
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_MISFIT = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_ERROR}

# FULL: an event that this lane acknowledges may lose its journal segment, the only other place it is in, so
# the commit must survive a power cut by itself. fullfsync is the same on macOS, where fsync alone stops at
# the drive's cache; elsewhere it changes nothing.
_WRITER_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA journal_mode = WAL",  # a reader never holds up the writer, nor the writer a reader
    "PRAGMA journal_size_limit = 4194304",  # bytes: a WAL that a long reader made grow shrinks again
)


def sqlite_version() -> tuple[int, int, int]:
    """Return the version of the SQLite library that keeps the ledger."""
    major, minor, patch = sqlite3.sqlite_version_info
    return major, minor, patch


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file is not a database, or a malformed one."""
    return _code(error) in _DAMAGE


def is_misfit(error: sqlite3.Error) -> bool:
    """Return whether an error will stay until somebody changes something: permissions, another layout."""
    return _code(error) in _MISFIT


def _code(error: sqlite3.Error) -> int:
    # The low byte is the kind of error, the rest its refinement. Python's own errors have none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the ledger for one batch, made or migrated if need be; to be used under ``ledger.lock``.

    Raises:
        Paused: The file is of a newer format or of another program; it is left as it is.
        sqlite3.Error: Anything else.
        OSError: The file cannot be made.
    """
    if not path.exists():
        _create(path)
    connection = _connect(path, "rw", _WRITER_PATIENCE)
    try:
        refusal = _refusal(connection, path)
        if refusal is not None:
            raise Paused(refusal)
        for setting in _WRITER_SETTINGS:
            connection.execute(setting)
        _migrate(connection)
        yield connection
    finally:
        connection.close()  # rolls back what was not committed


def _create(path: Path) -> None:
    # SQLite would create it by the umask; its -wal and -shm take the mode of this one. Under another name
    # first: closing any descriptor of a database frees every lock that this process has on it.
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    files.close(files.create_private(draft))
    draft.replace(path)
    # The commit syncs the ledger's own directory; nobody else syncs the name of that.
    files.sync_directory(path.parent.parent)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring an older file, or an empty one, to today's format in one transaction."""
    if _format(connection) == schema.FORMAT:
        return
    connection.execute(schema.BEGIN)
    with connection:
        for step in schema.STEPS[_format(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(schema.WRITE_FORMAT.format(schema.FORMAT))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the ledger for reading only.

    Raises:
        LedgerError: There is none, or it cannot be read; says what to do.
    """
    if not os.path.exists(path):  # noqa: PTH110  (Path.exists raises where a parent may not be entered)
        raise LedgerError(
            f"no ledger in {path.parent.parent}: nothing was recorded there yet, or not with ledger=True, or "
            "this user may not look; give the directory that configure() or AUDITKIT_DIRECTORY names"
        )
    try:
        connection = _connect(path, _read_mode(path), _READER_PATIENCE)
        # Text that somebody edited into something else is shown and judged, not stumbled over.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        try:
            refusal = _refusal(connection, path)
            if refusal is not None:
                raise LedgerError(refusal)
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LedgerError(f"the ledger {path} cannot be read: {error}; {_advice(error)}") from error


def is_blank(connection: sqlite3.Connection) -> bool:
    """Return whether the ledger was created but holds nothing yet, not even its tables."""
    return _format(connection) == 0


def _advice(error: sqlite3.Error) -> str:
    if is_damage(error):
        return (
            "the next batch written moves it aside and begins a new one; "
            "to rescue what can be read: sqlite3 FILE .recover"
        )
    return "check its permissions, or copy the whole ledger directory to where you may write"


def _read_mode(path: Path) -> str:
    # Reading a WAL database needs its -shm, which SQLite makes where there is none. On a read-only disk it
    # cannot, but there nobody writes either.
    if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists():
        return "ro"
    return "ro&immutable=1"


def _connect(path: Path, mode: str, patience: float) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=patience, isolation_level=None)


def _refusal(connection: sqlite3.Connection, path: Path) -> str | None:
    application = connection.execute(schema.READ_APPLICATION).fetchone()[0]
    found = _format(connection)
    if application not in {0, schema.APPLICATION} or (
        application == 0 and (found or connection.execute(schema.COUNT_TABLES).fetchone()[0])
    ):
        return f"{path} is a database of another program: move it away, or configure another directory"
    if not 0 <= found <= schema.FORMAT:
        return (
            f"{path} has format {found}, this auditkit knows {schema.FORMAT}: it was written by a newer one; "
            "upgrade auditkit here (the file is left as it is)"
        )
    return None


def _format(connection: sqlite3.Connection) -> int:
    found: int = connection.execute(schema.READ_FORMAT).fetchone()[0]
    return found


def quarantine(path: Path, moment: str) -> Path:
    """Move a damaged ledger aside with its -wal and -shm, and return its new name; under ``ledger.lock``.

    Args:
        path: The ledger's file.
        moment: What tells this time from others, as part of a name.
    """
    number = 0
    moved = path.with_name(f"{path.name}.corrupt-{moment}")
    while moved.exists():
        number += 1
        moved = path.with_name(f"{path.name}.corrupt-{moment}-{number}")
    # The database goes last: should this process die in between, the rest is still a damaged ledger, while a
    # new one beside an old -wal could be taken for its owner. The suffixes stay at the end, where SQLite
    # looks for them when somebody opens the file to rescue it.
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(moved.with_name(moved.name + suffix))
    return moved
