"""What an exported context says of the place where it is made."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from auditkit import (
    Actor,
    AuditTrail,
    audit_context,
    audited,
    bind_context,
    configure,
    export_context,
    restored_context,
    stats,
)
from auditkit.context import current_context
from auditkit.crossing.sealing import MAX_BYTES

if TYPE_CHECKING:
    import pytest

    from auditkit.transports import MemoryTransport

SECRET = "at least sixteen characters"
CANARY = "canary4711"


def test_everything_bound_is_exported(memory: MemoryTransport) -> None:
    """All that is bound is there under its name, and the id of the audited call under way as the next parent."""

    @audited("report.order", "C")
    def order() -> dict[str, Any]:
        return export_context()

    with audit_context(
        group="acme",
        actor=Actor("user_1", "Ada", "admin"),
        location="203.0.113.7",
        on_behalf_of=("user_2", "Bob"),
        metadata={"plan": "pro", "device": {"os": "x"}},
        correlation_id="req_1",
    ):
        export = order()
    (event,) = memory.events

    assert {
        "version": 1,
        "group": "acme",
        "actor": {"id": "user_1", "name": "Ada", "type": "admin"},
        "location": "203.0.113.7",
        "on_behalf_of": {"id": "user_2", "name": "Bob", "type": "user"},
        "metadata": {"plan": "pro", "device": {"os": "x"}},
        "correlation_id": "req_1",
        "parent_id": event.id,
    } == export


def test_outside_any_scope_it_is_empty(memory: MemoryTransport) -> None:
    """Outside any scope there is a valid export that says nothing."""
    assert {"version": 1} == export_context()


def test_outside_any_scope_it_is_signed() -> None:
    """With a secret an export that says nothing is signed too."""
    configure(directory=None, secret=SECRET)

    assert ["signature", "version"] == sorted(export_context())


def test_correlation_id_is_the_stack_s(memory: MemoryTransport) -> None:
    """A scope's own correlation id is exported, though nobody gave one."""
    with audit_context():
        assert current_context().correlation_id == export_context()["correlation_id"]


def test_scopes_are_merged(memory: MemoryTransport) -> None:
    """What is exported is what the innermost scope sees, what was bound in it included."""
    with audit_context(group="acme", metadata={"a": 1}), audit_context(actor="user_1", metadata={"b": 2}):
        bind_context(location="here")
        export = export_context()

    assert ("acme", "user_1", "here") == (export["group"], export["actor"]["id"], export["location"])
    assert {"a": 1, "b": 2} == export["metadata"]


def test_callables_are_asked(memory: MemoryTransport) -> None:
    """A field that is a callable is asked where it is exported, since nobody can ask it elsewhere."""
    with audit_context(actor=lambda: "user_1", metadata=lambda: {"a": 1}):
        export = export_context()

    assert ("user_1", {"a": 1}) == (export["actor"]["id"], export["metadata"])


def test_secrets_are_not_exported() -> None:
    """Metadata is redacted before it leaves the process, by the trail's rules and names."""
    configure(directory=None, redact=("iban",))
    with audit_context(metadata={"password": CANARY, "iban": CANARY, "device": {"token": CANARY}, "plan": "pro"}):
        export = export_context()

    assert CANARY not in json.dumps(export)
    assert "pro" == export["metadata"]["plan"]


def test_key_is_for_this_use_alone() -> None:
    """What signs a context is neither the secret nor the key of any other use of it."""
    settings = AuditTrail(directory=None, secret=SECRET).settings
    keys = [settings.subkeys(label) for label in ("context", "chain", "redaction", "ledger")]

    assert AuditTrail(directory=None, secret=SECRET).context_keys == keys[0]
    assert len(keys) == len({*keys})
    assert SECRET.encode() not in keys[0]


def test_trail_may_be_given() -> None:
    """A trail that is passed as trail= signs, also where it is not the process-wide one."""
    own = AuditTrail(directory=None, secret=SECRET)
    configure(directory=None)
    with audit_context(actor="user_1"):
        export = export_context(trail=own)

    assert "signature" in export
    assert "signature" not in export_context()
    with restored_context(export, trail=own):
        assert Actor("user_1") == current_context().actor


def test_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing was configured, the environment's secret signs."""
    monkeypatch.setenv("AUDITKIT_SECRET", SECRET)

    assert "signature" in export_context()


def test_too_much_metadata_is_left_out(memory: MemoryTransport, caplog: pytest.LogCaptureFixture) -> None:
    """A context that is too large to be taken back goes without its metadata, which is counted and logged once."""
    with audit_context(actor="user_1", metadata={"text": CANARY * MAX_BYTES}), caplog.at_level(logging.ERROR):
        exports = [export_context() for _ in range(3)]

    assert {"actor", "correlation_id", "version"} == set(exports[0])
    assert 3 == stats().troubles["context_too_large"]
    assert 1 == len(caplog.records)
    assert CANARY not in caplog.text


def test_what_is_too_large_without_metadata_is_empty(memory: MemoryTransport) -> None:
    """Where the rest is too large too, the export says nothing, and can be taken back."""
    with audit_context(actor=("user_1", "a" * MAX_BYTES), metadata={"a": 1}):
        export = export_context()

    assert {"version": 1} == export


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary())


@given(st.dictionaries(st.text(), ANYTHING | st.dictionaries(st.text(), ANYTHING)), ANYTHING, ANYTHING, ANYTHING)
def test_whatever_is_bound_comes_back(metadata: dict[str, Any], actor: Any, group: Any, correlation_id: Any) -> None:
    """Whatever an application binds, usable or not, what is seen of it here is seen after a crossing."""
    trail = AuditTrail(directory=None, secret=SECRET)
    with audit_context(group=group, actor=actor, metadata=metadata, correlation_id=correlation_id):
        here = current_context()
        export = json.loads(json.dumps(export_context(trail=trail)))
    with restored_context(export, trail=trail):
        there = current_context()

    assert (here.group, here.actor, here.correlation_id) == (there.group, there.actor, there.correlation_id)
    assert dict(trail.redactor.apply(here.metadata)) == dict(there.metadata)
