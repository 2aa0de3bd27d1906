"""Properties: whatever a declaration refers to and however it fails, the application notices nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit import AuditTrail, audited, ref
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

ERRORS = [
    ValueError("x"),
    KeyError("id"),
    AttributeError("id"),
    asyncio.CancelledError(),
    RecursionError(),
    MemoryError(),
]


class Trap:
    """Raise from every attribute that somebody asks for."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    @property
    def id(self) -> str:
        raise self.error

    def __eq__(self, other: object) -> bool:
        raise self.error

    __hash__ = None  # type: ignore[assignment]


def failing(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.builds(object),
    st.builds(Trap, st.sampled_from(ERRORS)), st.dictionaries(st.text(), st.integers()), st.lists(st.text()),
)  # fmt: skip
references = st.one_of(
    st.sampled_from(["value", "value.id", "value.id.name", "result", "result.id"]),
    st.sampled_from(ERRORS).map(failing),
    values.map(lambda each: lambda: each),
)
early = references.filter(lambda each: callable(each) or not each.startswith("result"))
options = st.fixed_dictionaries(
    {},
    optional={
        "target": st.one_of(references, st.tuples(references, references)),
        "actor": references,
        "group": references,
        "before": early,
        "after": references,
        "metadata": st.dictionaries(
            st.text(min_size=1), references.map(lambda each: ref(each) if isinstance(each, str) else each), max_size=3
        ),
        "on_error": st.sampled_from(["skip", "record", "value.failed"]),
    },
)


@given(options=options, value=values, fails=st.booleans(), action_type=st.sampled_from("CRUD"), later=st.booleans())
def test_nothing_of_auditkit_reaches_the_application(
    options: dict[str, Any], value: Any, action_type: Any, *, fails: bool, later: bool
) -> None:
    """A call gives the very object that it gives without auditkit, or raises it; one that returned is recorded."""
    memory = MemoryTransport()
    trail = AuditTrail(memory, directory=None)
    error = Refused()

    def work(value: Any) -> Any:
        if fails:
            raise error
        return value

    async def work_later(value: Any) -> Any:
        return work(value)

    audit = audited("value.work", action_type, trail=trail, **options)
    call = audit(work) if not later else lambda value: asyncio.run(audit(work_later)(value))
    if fails:
        with pytest.raises(Refused) as caught:
            call(value)
        assert error is caught.value
    else:
        assert value is call(value)

    assert (not fails or options.get("on_error", "skip") != "skip") == len(memory.events)
    trail.shutdown(timeout=1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("option", ["target", "target-name", "actor", "before", "after", "metadata", "rehearsed"])
def test_what_is_not_about_an_object_passes(memory: MemoryTransport, error: BaseException, option: str) -> None:
    """Ctrl-C while a reference is read ends the program, as it does anywhere else."""
    fail = failing(error)
    given: dict[str, dict[str, Any]] = {
        "target": {"target": fail},
        "target-name": {"target": ("value", fail)},
        "actor": {"actor": fail},
        "before": {"before": fail},
        "after": {"after": fail},
        "metadata": {"metadata": {"a": fail}},
        "rehearsed": {"metadata": {"a": fail}, "on_audit_error": "raise"},
    }

    @audited("value.work", "U", **given[option])
    def work(value: str) -> str:
        return value

    with pytest.raises(type(error)) as caught:
        work("value")

    assert error is caught.value
