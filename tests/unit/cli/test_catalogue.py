"""The catalogue of what is audited: to read, to keep and to compare."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from auditkit import ActionType, RegisteredAction
from auditkit.cli.catalogue import conflicts, difference, document, text_of
from auditkit.cli.place import place
from auditkit.cli.table import table


def registered(action: str = "invoice.pay", kind: str = "U", function: str = "pay", **more: Any) -> RegisteredAction:
    """Return an action of which nothing is stated but what is given."""
    references = ("target", "actor", "group", "capture", "before", "after", "fields", "exclude")
    optional = (*references, "when", "outcome", "on_error")
    stated: dict[str, Any] = {**dict.fromkeys(optional), "redact": (), "metadata": (), **more}
    place: dict[str, Any] = {"module": "app", "function": function, "file": "/src/app.py", "line": 3, "summary": "Pay."}
    return RegisteredAction(action=action, action_type=ActionType(kind), **{**place, **stated})


def test_document_has_only_what_matters() -> None:
    """It has what was stated, and no path, line or docstring that would change it for no reason."""
    entry = {"action": "invoice.pay", "action_type": "U", "function": "app.pay"}

    assert [entry] == document([registered()])
    assert [entry] == document([registered(file="/elsewhere/app.py", line=99, summary="Pay now.")])
    assert [
        {**entry, "target": "invoice.id", "fields": [], "redact": ["iban"], "on_error": "skip"}
    ] == document([registered(target="invoice.id", fields=(), redact=("iban",), on_error="skip")])  # fmt: skip
    assert [{**entry, "when": "changed", "outcome": "judge"}] == document([registered(when="changed", outcome="judge")])


def test_document_is_sorted() -> None:
    """It is the same whatever the order in which modules were imported, also for functions of one name."""
    actions = [
        registered("b.a"),
        registered("a.b", function="z"),
        registered("a.b", function="a", target="y"),
        registered("a.b", function="a", target="x"),
    ]
    now = document(actions)

    assert now == document(reversed(actions))
    assert ["app.a", "app.a", "app.z", "app.pay"] == [each["function"] for each in now]


def test_text_is_json_that_steers_nothing() -> None:
    """It is JSON in printable ASCII, whatever names are in it."""
    entries = document([registered(function="pay\x1b[2J\u202e\x7f", target="naïve")])
    text = text_of(entries)

    assert entries == json.loads(text)
    assert text.replace("\n", "").isascii()
    assert text.replace("\n", "").isprintable()


def test_difference_shows_what_changed() -> None:
    """A change is a line that goes and one that comes; the kept one's layout is no change."""
    kept = [{"function": "app.pay", "action_type": "R", "action": "invoice.pay"}]
    lines = [*difference(kept, document([registered()]), ("kept.json", "app"))]

    assert ["--- kept.json", "+++ app"] == lines[:2]
    assert ['-    "action_type": "R",', '+    "action_type": "U",'] == [
        line for line in lines[2:] if line.startswith(("-", "+"))
    ]


def test_conflicting_types_are_named() -> None:
    """An action of several types is named with every place, also where it is what a raising call is recorded as."""
    actions = [
        registered("a.same", "U", "one"),
        registered("a.same", "U", "two"),
        registered("a.both", "U", "two"),
        registered("a.both", "D", "three"),
        registered("a.login", "C", "login", on_error="a.denied"),
        registered("a.denied", "R", "deny", on_error="record"),
    ]

    assert [
        "a.both is D in app.three, and U in app.two",
        "a.denied is C in app.login, and R in app.deny",
    ] == [*conflicts(actions)]


def test_table_is_aligned() -> None:
    """Columns are as wide as they must be, wide characters counted as two, controls shown as escapes."""
    assert [
        "a        b",
        "日本     x",
        "\\x1b[2J  yy",
    ] == [*table(("a", "b"), [("日本", "x"), ("\x1b[2J", "yy")])]


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("{here}/app/users.py", "app/users.py:3"),
        ("/else/where.py", "/else/where.py:3"),
        ("<stdin>", "<stdin>:3"),
        ("", ""),
    ],
)
def test_place_is_short(file: str, shown: str) -> None:
    """A file below the current directory is told from there, any other one as it is, and none not at all."""
    assert shown == place(file.format(here=os.getcwd()), 3)
