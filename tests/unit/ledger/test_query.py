from __future__ import annotations

from datetime import datetime

import pytest

from auditkit.errors import LedgerError
from auditkit.ledger.query import Query

HOSTILE = "'; DROP TABLE entries; --"


def test_query_binds_everything_it_was_given() -> None:
    """Nothing that was asked for is ever part of the SQL text."""
    sql, parameters = Query(actor=HOSTILE, action=HOSTILE, target=HOSTILE, group=HOSTILE).condition()

    assert "DROP" not in sql
    assert sql.count("?") == len(parameters)


@pytest.mark.parametrize("pattern, bound", [("a.*", "a.*"), ("a?.*", "a[?].*"), ("[ab].*", "[[]ab].*"), ("a.b", "a.b")])
def test_query_leaves_only_the_star_its_meaning(pattern: str, bound: str) -> None:
    """Of the signs of a GLOB pattern only the star is one; the others stand for themselves."""
    assert bound == Query(action=pattern).condition()[1][-1]


@pytest.mark.parametrize("field", ["since", "until"])
def test_query_refuses_a_naive_time(field: str) -> None:
    """A time that does not say where is refused by its name."""
    with pytest.raises(LedgerError, match=f"{field} must be a datetime with an offset, got the naive 2024-"):
        Query(**{field: datetime(2024, 1, 1)})  # type: ignore[arg-type]  # noqa: DTZ001
