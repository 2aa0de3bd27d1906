"""For everybody around it an audited call is the call itself: what it is given, what it raises, what is handled."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import wrapt

from auditkit import audited, current_entry, ref
from auditkit.capture.site import Site
from tests.unit.capture.builders import Refused, only, troubles

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from auditkit.transports import MemoryTransport


def test_what_a_decorator_below_rewrites_is_not_what_was_given(memory: MemoryTransport) -> None:
    """A call's arguments are those that it was given, whatever a decorator below makes of them."""

    @wrapt.decorator
    def rewrite(wrapped: Callable[..., Any], _: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        kwargs["order"] = "rewritten"
        kwargs.pop("note", None)
        return wrapped(*args, **kwargs)

    @audited("order.make", "C", target="order", metadata={"note": ref("note")})
    @rewrite
    def make(order: str, note: str = "") -> str:
        return order

    assert "rewritten" == make(order="o-1", note="given")
    assert ("o-1", {"note": "given"}) == (only(memory).target_id, only(memory).metadata)


def test_what_its_caller_rewrites_meanwhile_is_not_what_was_given(memory: MemoryTransport) -> None:
    """Who calls by a mapping may change that while the call runs."""
    given: dict[str, Any] = {"order": "o-1"}

    @audited("order.make", "C", target="order")
    def make(order: str) -> None:
        given["order"] = "rewritten"

    make(**given)

    assert "o-1" == only(memory).target_id


def test_names_must_be_texts(memory: MemoryTransport) -> None:
    """A call whose keywords are no texts is no call, and is not recorded as one that failed."""

    @audited("order.make", "C", on_error="record")
    def make(**named: object) -> None: ...

    named: Any = {1: 2}
    with pytest.raises(TypeError, match="keywords must be strings"):
        make(**named)

    assert [] == memory.events


def test_property_that_raises_runs_once(memory: MemoryTransport) -> None:
    """What a target refers to is read once, also where that raises."""
    asked = []

    class Order:
        @property
        def id(self) -> str:
            asked.append(1)
            raise self.error

        error: Exception = AttributeError("not yet")

    @audited("order.make", "R", target="order.id")
    def make(order: Order) -> None: ...

    for error in (AttributeError("no"), KeyError("no"), ValueError("no")):
        order = Order()
        order.error = error
        make(order)

    assert 3 == len(asked)
    assert [""] * 3 == [event.target_id for event in memory.events]
    assert {"capture": 3} == troubles()


@audited("order.fail", "U", on_error="record")
def fail() -> None:
    raise Refused


def handled() -> Generator[BaseException | None, None, None]:
    with suppress(Refused):
        fail()
    while True:
        yield sys.exc_info()[1]


def test_generator_keeps_no_exception_of_who_runs_it(memory: MemoryTransport) -> None:
    """An exception that is handled where a generator runs is not handled in it once it runs elsewhere."""
    generator = handled()
    error = ValueError("of who runs it")
    try:
        raise error
    except ValueError:
        seen = next(generator)

    assert (error, None) == (seen, next(generator))
    assert "Refused" == only(memory).metadata["error"]


def test_generator_keeps_the_exception_that_it_handles_itself(memory: MemoryTransport) -> None:
    """A generator that handles the very exception that its runner handles goes on handling it, wherever it runs."""

    def handle() -> Generator[str, None, None]:
        try:
            yield "begun"
        except ValueError:
            with suppress(Refused):
                fail()
            yield "handled"
            raise

    generator = handle()
    next(generator)
    error = ValueError("of both")
    try:
        raise error
    except ValueError:
        generator.throw(error)

    with pytest.raises(ValueError, match="of both"):
        next(generator)
    assert "Refused" == only(memory).metadata["error"]


def test_exception_is_handled_while_its_event_is_made(memory: MemoryTransport) -> None:
    """What an event is made of may ask which exception is handled, as in an except clause; after it none is."""
    seen: list[BaseException | None] = []

    @audited("order.fail", "U", on_error="record", metadata={"why": lambda: seen.append(sys.exc_info()[1])})
    def fail_too() -> None:
        raise Refused

    with pytest.raises(Refused) as caught:
        fail_too()

    assert [caught.value] == seen
    assert None is sys.exc_info()[1]
    assert None is caught.value.__context__
    assert 1 == len(memory.events)


def test_what_is_raised_while_it_is_handled_has_it_as_context(memory: MemoryTransport) -> None:
    """An interrupt in the recording of a failure goes on in the failure's context."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    @audited("order.fail", "U", on_error="record", metadata={"why": interrupt})
    def fail_too() -> None:
        raise Refused

    with pytest.raises(KeyboardInterrupt) as caught:
        fail_too()

    assert isinstance(caught.value.__context__, Refused)
    assert [] == memory.events


def test_function_in_c_that_breaks_its_promise_is_told_by_python(memory: MemoryTransport) -> None:
    """What returns nothing and raises nothing is a SystemError, as without auditkit."""
    testing: Any = pytest.importorskip("_testcapi")

    @audited("order.make", "C")
    def make() -> None: ...

    site: Any = make._self_site  # type: ignore[attr-defined]
    make._self_site = Site(testing.return_null_without_error, site.declared, site.given)  # type: ignore[attr-defined]
    with pytest.raises(SystemError):
        make()

    assert [] == memory.events
    assert not current_entry()


APPLICATION = """
from auditkit import AuditTrail, audit_context, audited

out = open("out.txt", "w")

class Model:
    def __init__(self):
        self.id, self.body = "7", "old"

    def touch(self):
        out.write("touched")

class Closing:
    def __del__(self):
        print("closed", flush=True)

closing = Closing()

@audited("model.change", "U", target="model.id", capture="model", trail=AuditTrail(directory=None))
def change(model):
    model.body = "new"

with audit_context(group="g", actor="a", location="l"):
    change(Model())
out.write("hello")
"""


def test_application_ends_as_without_auditkit(tmp_path: Path) -> None:
    """What the application leaves open is closed, and flushed, when the interpreter ends."""
    done = subprocess.run([sys.executable, "-c", APPLICATION], cwd=tmp_path, check=True, capture_output=True, text=True)

    assert "hello" == (tmp_path / "out.txt").read_text("utf-8")
    assert ("closed\n", "") == (done.stdout, done.stderr)
