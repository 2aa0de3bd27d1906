"""Metadata cut to WorkOS's limits: nothing fails, and what was cut is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from auditkit.cutting import length
from auditkit.testing.workos_rules import audit_logs_errors, audit_trail_errors
from auditkit.transports.workos_fitting import fit, fit_and_say
from auditkit.transports.workos_wire import MAX_BODY, audit_logs_body, audit_trail_body
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from auditkit.event import Event, MetadataValue


def test_fit_leaves_out_what_is_empty() -> None:
    """None and empty maps have no value on WorkOS's wire, and losing them loses nothing."""
    fitted = fit({"a": None, "b": {}, "c": {"d": None}, "e": 0, "f": ""})

    assert (fitted.kept, fitted.cut) == ({"e": 0, "f": ""}, [])


def test_fit_keeps_outcome_then_changes_then_the_rest() -> None:
    """With too many keys, what the event says of itself and what changed stay."""
    metadata: dict[str, MetadataValue] = {f"k{i}": i for i in range(60)}
    metadata |= {"body_was": "a", "body": "b", "outcome": "failure"}

    fitted = fit(metadata)

    assert list(fitted.kept)[:4] == ["outcome", "body_was", "body", "k0"]
    assert len(fitted.kept) == 50
    assert fitted.cut == [f"k{i}" for i in range(47, 60)]


def test_fit_never_parts_a_pair() -> None:
    """A value without the one it was would read as another change."""
    metadata: dict[str, MetadataValue] = {}
    for number in range(30):
        metadata |= {f"f{number}_was": "a", f"f{number}": "b"}

    fitted = fit(metadata, keys=49)

    assert len(fitted.kept) == 48
    assert all(f"{name}_was" in fitted.kept for name in fitted.kept if not name.endswith("_was"))


def test_fit_shortens_the_keys_of_a_pair_alike() -> None:
    """Shortened names still say which was whose, also where only one was too long."""
    for name in ("x" * 38, "x" * 90):
        was, now = fit({name + "_was": "a", name: "b"}).kept

        assert was == now + "_was"
        assert len(was) <= 40
    assert len(fit({"x" * 90 + "1": 1, "x" * 90 + "2": 2}).kept) == 2


def test_note_names_what_was_cut() -> None:
    """Whoever reads the event at WorkOS learns what to look up in the ledger."""
    metadata: dict[str, MetadataValue] = {"long": "x" * 501, "map": {"inner": "y" * 501, "short": 1}}

    kept = fit_and_say(metadata, also_cut=["location"])

    assert kept["auditkit_truncated"] == "location, long, map.inner"


def test_note_joins_an_earlier_one() -> None:
    """What was cut before the event came here stays said."""
    assert fit_and_say({"auditkit_truncated": "body"})["auditkit_truncated"] == "body"
    both = fit_and_say({"auditkit_truncated": "body", "long": "x" * 501})
    assert both["auditkit_truncated"] == "body, long"


def test_note_counts_the_names_it_has_no_room_for() -> None:
    """The note itself is within the limits."""
    kept = fit_and_say({f"a_rather_long_name_{i}": i for i in range(200)})

    assert len(kept) == 50
    assert length(kept["auditkit_truncated"]) <= 500
    assert kept["auditkit_truncated"].endswith(" more")


def test_fit_cuts_nothing_from_what_fits() -> None:
    """Metadata within the limits goes as it is, in its order."""
    metadata: dict[str, MetadataValue] = {f"k{i}": "x" * 500 for i in range(50)}

    assert fit_and_say(metadata) == metadata


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.integers(0, 3000).map("ü😀x".__mul__)
_KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50) | st.sampled_from(
    [
        "actor.role",
        "target.x",
        "user_agent",
        "action_type",
        "a",
        "a_was",
        "auditkit_truncated",
        "y" * 39,
        "y" * 39 + "_was",
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS
)
_METADATA = st.dictionaries(_KEYS, _SCALARS | st.dictionaries(_KEYS, _SCALARS, max_size=70), max_size=70)


def _any_event(metadata: dict[str, Any], name: str) -> Event:
    return an_event(metadata=metadata, actor_name=name, target_id=name)


@given(_METADATA, _TEXTS)
def test_any_event_makes_a_body_that_the_audit_trail_takes(metadata: dict[str, Any], name: str) -> None:
    """Delivery never fails for size or shape alone."""
    body = audit_trail_body(_any_event(metadata, name))

    assert audit_trail_errors(json.loads(body)) == []
    assert len(body) <= MAX_BODY


@given(_METADATA, _TEXTS)
def test_any_event_makes_a_body_that_audit_logs_take(metadata: dict[str, Any], name: str) -> None:
    """Delivery never fails for size or shape alone."""
    body = audit_logs_body(_any_event(metadata, name), "org_1")

    assert audit_logs_errors(json.loads(body)["event"]) == []
    assert len(body) <= MAX_BODY
    assert json.loads(body)["event"]["metadata"]["action_type"] == "U"


SHORT = st.text(max_size=45)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    SHORT,
    st.text("x😀", min_size=240, max_size=520),
    st.dictionaries(SHORT, SHORT),
)


@given(st.dictionaries(SHORT, VALUES, max_size=55))
def test_what_fits_plainly_is_what_fitting_keeps(metadata: dict[str, Any]) -> None:
    """Metadata of which nothing is cut is told as fitting it would tell it, by whichever way it goes."""
    fitted = fit(metadata)

    assert fitted.cut or fitted.kept == fit_and_say(metadata)
