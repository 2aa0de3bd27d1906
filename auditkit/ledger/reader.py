"""The trail as people read it: filters, pages, newest last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.encoding import decode
from auditkit.errors import LedgerError
from auditkit.files import home
from auditkit.ledger.database import is_blank, reading
from auditkit.ledger.query import Query
from auditkit.ledger.schema import ledger_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from auditkit.event import Event

_PAGE = 200  # entries read at once: a long reader would keep the WAL from being reset (5 GB were seen)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its place in the ledger, counted from 1 in the order of recording."""

    position: int
    event: Event


class LedgerReader:
    """Read the ledger of an audit directory.

    Each page is read by a connection of its own, so that nothing is held while the caller works, no
    connection crosses a fork, and the ledger's writer never waits.

    Args:
        directory: The audit directory, or the volume that it lies in.

    Thread-safety: any thread may use it, several at once too.
    """

    def __init__(self, directory: Path | str) -> None:
        self._directory = home(Path(directory))

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return ledger_path(self._directory)

    def events(  # noqa: PLR0913  (the filters of the trail)
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        after_position: int = 0,
        before_position: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[Entry]:
        """Return the entries that match all filters, in the order of recording.

        Args:
            actor: The actor's id, or name without case.
            action: An action, or a pattern in which ``*`` stands for any text: ``"tweet.*"``.
            target: The target's id, or name without case.
            group: The group.
            since: The earliest time of an event, itself included; aware.
            until: The latest time of an event, itself left out; aware.
            limit: At most so many, the *last* ones recorded; still given oldest first.
            after_position: Only entries recorded after this one.
            before_position: Only entries recorded before this one.
            newest_first: Give the newest first instead.

        Returns:
            An iterator that reads a page at a time. What is recorded while it goes on may be among what it
            gives, except with a ``limit``.

        Raises:
            LedgerError: There is no ledger, or it cannot be read; a time is naive; the limit is negative.
        """
        if limit is not None and limit < 0:
            raise LedgerError(f"limit must be >= 0, got {limit}")
        query = Query(
            actor=actor,
            action=action,
            target=target,
            group=group,
            since=since,
            until=until,
            after_position=after_position,
            before_position=before_position,
        )
        self.last_position()  # a ledger that cannot be read is an error now, not at the first entry
        if since is not None or until is not None:
            query = self._between_times(query)
        if limit is not None:
            query = self._last(query, limit)
        return self._pages(query, newest_first=newest_first)

    def after(  # noqa: PLR0913  (the filters of the trail)
        self,
        position: int,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Entry]:
        """Return the entries recorded since a position, oldest first, for those who follow the trail.

        The filters are those of `events`. Where the ledger ends before the position, it was damaged and
        begun anew since: then everything in the new one is given.

        Raises:
            LedgerError: There is no ledger, or it cannot be read; a time is naive.
        """
        query = Query(
            actor=actor,
            action=action,
            target=target,
            group=group,
            since=since,
            until=until,
            after_position=position if position <= self.last_position() else 0,
        )
        return self._pages(query, newest_first=False)

    def last_position(self) -> int:
        """Return the position of the last entry, 0 when there is none.

        Raises:
            LedgerError: There is no ledger, or it cannot be read.
        """
        found: int = self._rows("SELECT coalesce(max(position), 0) FROM entries", [], blank=(0,))[0][0]
        return found

    def _between_times(self, query: Query) -> Query:
        """Return the query that looks only where events of its times are: they lie close together."""
        span, parameters = query.span()
        sql = f"SELECT min(position), max(position) FROM entries WHERE {span}"  # noqa: S608  (all of it ours)
        return query.within(*self._rows(sql, parameters, blank=(None, None))[0])

    def _last(self, query: Query, limit: int) -> Query:
        """Return the query that finds just the last ``limit`` matches, also when more come meanwhile."""
        where, parameters = query.condition()
        sql = (
            "SELECT min(position), max(position) FROM "  # noqa: S608  (all of it ours)
            f"(SELECT position FROM entries WHERE {where} ORDER BY position DESC LIMIT ?)"
        )
        return query.within(*self._rows(sql, [*parameters, limit], blank=(None, None))[0])

    def _pages(self, query: Query, *, newest_first: bool) -> Iterator[Entry]:
        order = "DESC" if newest_first else "ASC"
        while True:
            where, parameters = query.condition()
            sql = f"SELECT position, body FROM entries WHERE {where} ORDER BY position {order} LIMIT ?"  # noqa: S608
            page = self._rows(sql, [*parameters, _PAGE])
            for position, body in page:
                yield Entry(position, self._event(position, body))
            if len(page) < _PAGE:
                return
            seen = {"before_position" if newest_first else "after_position": page[-1][0]}
            query = replace(query, **seen)

    def _rows(
        self, sql: str, parameters: list[str | int], *, blank: tuple[int | None, ...] | None = None
    ) -> list[tuple[Any, ...]]:
        with reading(self.path) as connection:
            if is_blank(connection):
                return [] if blank is None else [blank]
            return connection.execute(sql, parameters).fetchall()

    def _event(self, position: int, body: bytes) -> Event:
        try:
            return decode(body)
        except (ValueError, TypeError, RecursionError) as error:
            raise LedgerError(
                f"entry {position} of {self.path} is not a recorded event any more; run: auditkit verify"
            ) from error
