"""Every decorated function of the process, with what it was declared to be."""

from __future__ import annotations

import functools
import gc
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import RegisteredAction, audited, ref, registered_actions
from auditkit.capture import is_audited
from auditkit.capture.origin import function_of, layers

if TYPE_CHECKING:
    from collections.abc import Callable


def of(action: str) -> list[RegisteredAction]:
    """Return what is registered under an action."""
    return [each for each in registered_actions() if each.action == action]


def only(action: str) -> RegisteredAction:
    (registered,) = of(action)
    return registered


def label(invoice: Any) -> str:
    return str(invoice)


def judged(result: Any) -> str:
    return "success"


@audited(
    "registry.full",
    "U",
    target=("invoice.id", label),
    actor="invoice.owner",
    group=lambda invoice: invoice.group,
    capture="invoice",
    fields={"status", "amount"},
    redact=("iban",),
    metadata={"reason": ref("reason"), "source": "web"},
    when="changed",
    outcome=judged,
    on_error="registry.failed",
)
def correct(invoice: Any, reason: str) -> None:
    """Change what is owed.

    More that nobody needs in a table.
    """


class Service:
    @audited("registry.method", "R")
    def method(self) -> None: ...

    @audited("registry.outside", "R", before=label, after="result", exclude=["notes"])
    @staticmethod
    def outside(invoice: Any) -> Any: ...

    @classmethod
    @audited("registry.inside", "R", target=ref("number"))  # type: ignore[arg-type]  # taken all the same
    def inside(cls, number: int) -> None: ...


class Counter:
    """Be called."""

    __hash__ = None  # type: ignore[assignment]  # as objects with an __eq__ have it

    def __call__(self, number: int) -> None: ...


def test_declaration_is_told_as_it_was_written() -> None:
    """What was declared is told in texts: references as written, callables by name, of metadata only the names."""
    registered = only("registry.full")

    assert (
        RegisteredAction(
            action="registry.full",
            action_type=registered.action_type,
            module=__name__,
            function="correct",
            file=__file__,
            line=correct.__code__.co_firstlineno,
            summary="Change what is owed.",
            target="invoice.id, label",
            actor="invoice.owner",
            group="<lambda>",
            capture="invoice",
            before=None,
            after=None,
            fields=("amount", "status"),
            exclude=None,
            redact=("iban",),
            metadata=("reason", "source"),
            when="changed",
            outcome="judged",
            on_error="registry.failed",
        )
        == registered
    )
    assert "U" == registered.action_type
    assert f"{__name__}.correct" == registered.name


@pytest.mark.parametrize(
    ("action", "function"),
    [
        ("registry.method", "Service.method"),
        ("registry.outside", "Service.outside"),
        ("registry.inside", "Service.inside"),
    ],
)
def test_methods_go_by_their_qualified_names(action: str, function: str) -> None:
    """A method of any kind is registered once, by its qualified name, whichever decorator is above."""
    assert function == only(action).function


def test_states_given_separately_are_told() -> None:
    """before=, after= and exclude= are told as they were given."""
    registered = only("registry.outside")

    assert ("label", "result", ("notes",)) == (registered.before, registered.after, registered.exclude)
    assert "number" == only("registry.inside").target


@pytest.mark.parametrize(
    ("when", "told"),
    [(None, None), ("changed", "changed"), (label, "label"), (functools.partial(label, None), "partial")],
)
def test_conditions_are_told_as_they_were_stated(when: Any, told: str | None) -> None:
    """when= and outcome= are told by a word, a callable's name or its class's, and not at all where not stated."""
    outcome = when if callable(when) else None
    kept = audited("registry.condition", "U", when=when, outcome=outcome)(correct.__wrapped__)  # type: ignore[attr-defined]
    registered = only("registry.condition")

    assert (told, told if callable(when) else None) == (registered.when, registered.outcome)
    assert is_audited(kept)


def test_actions_are_sorted() -> None:
    """They come by action, then by full name."""
    kept = [audited(action, "R")(function) for action in ("registry.b", "registry.a") for function in (label, correct)]
    names = [(each.action, each.name) for each in registered_actions()]

    assert sorted(names) == names
    assert ["correct", "label"] == [each.function for each in of("registry.a")]
    assert 4 == len(kept)


def test_registered_action_is_a_value() -> None:
    """It cannot be changed, and pickles."""
    registered = only("registry.full")
    with pytest.raises(FrozenInstanceError):
        registered.action = "other.name"  # type: ignore[misc]

    assert registered == pickle.loads(pickle.dumps(registered))
    assert not hasattr(registered, "__dict__")


def test_list_is_the_callers_own() -> None:
    """What a caller does to its list reaches nobody."""
    registered_actions().clear()

    assert of("registry.full")


def test_functions_of_a_function_are_let_go() -> None:
    """What was decorated in a function is not kept alive, even where its own declaration refers to it."""

    def make() -> Any:
        @audited("registry.closure", "R", target=lambda: inner.__name__)
        def inner() -> None: ...

        return inner

    kept = make()
    make()
    gc.collect()

    assert 1 == len(of("registry.closure"))

    del kept
    gc.collect()

    assert [] == of("registry.closure")


def test_wrappers_of_one_function_are_told_apart() -> None:
    """One function decorated twice is two entries, and each goes by itself."""
    first, second = audited("registry.twice", "R")(label), audited("registry.twice", "U")(label)

    assert ["R", "U"] == [each.action_type for each in of("registry.twice")]

    del first
    gc.collect()

    assert ["U"] == [each.action_type for each in of("registry.twice")]
    assert is_audited(second)
    assert not is_audited(label)


def test_callable_object_is_registered_by_its_class() -> None:
    """An object that is called has its class's name and place, and need not be hashable."""
    kept = audited("registry.callable", "R")(Counter())
    registered = only("registry.callable")

    assert (__name__, "Counter", __file__) == (registered.module, registered.function, registered.file)
    assert "Be called." == registered.summary
    assert is_audited(kept)


def test_function_without_a_source_is_registered() -> None:
    """What was not written in Python has no place, and is listed all the same."""
    kept = audited("registry.builtin", "R")(len)
    registered = only("registry.builtin")

    assert ("builtins", "len", "", 0) == (registered.module, registered.function, registered.file, registered.line)
    assert kept([]) == 0


def test_function_without_a_module_is_registered() -> None:
    """What was made of a text has no module, and goes by its own name."""
    namespace: dict[str, Any] = {}
    exec("def made(): ...", namespace)
    kept = audited("registry.made", "R")(namespace["made"])
    registered = only("registry.made")

    assert ("", "made", "made") == (registered.module, registered.function, registered.name)
    assert kept() is None


def test_decorators_below_are_seen_through() -> None:
    """The place is the function's own, not that of a decorator between."""

    def traced(function: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(function)
        def inner() -> None:
            function()

        return inner

    @audited("registry.traced", "R")
    @traced
    def traced_function() -> None: ...

    found = function_of(traced_function)

    assert found is not None
    assert found.__code__.co_firstlineno == only("registry.traced").line
    assert only("registry.traced").function.endswith("traced_function")


@pytest.mark.parametrize(
    "held",
    [
        correct,
        vars(Service)["outside"],
        vars(Service)["inside"],
        Service.inside,
        Service().method,
        functools.partial(correct, None),
        functools.partialmethod(Service.method),
        functools.lru_cache(correct),
        functools.wraps(correct)(lambda: None),
    ],
    ids=repr,
)
def test_audited_function_is_known_below_decorators(held: object) -> None:
    """An audited function is known through whatever holds it or says that it wraps it."""
    assert is_audited(held)


@pytest.mark.parametrize("held", [label, len, None, 5, "text", Service, functools.partial(label)], ids=repr)
def test_what_is_not_audited_is_known_too(held: object) -> None:
    """What nobody decorated is not audited."""
    assert not is_audited(held)


def test_layers_end() -> None:
    """What answers to every attribute has no layers without end, and what refuses to answer has none below."""

    class Endless:
        def __call__(self) -> None: ...

        def __getattr__(self, name: str) -> Endless:
            return Endless()

    class Refusing:
        def __call__(self) -> None: ...

        def __getattr__(self, name: str) -> None:
            raise RuntimeError("nothing is bound")

    refusing = Refusing()

    assert 100 > len([*layers(Endless())])
    assert [refusing] == [*layers(refusing)]
    assert function_of(Endless()) is None


def test_registry_is_shared_by_threads() -> None:
    """Functions come and go in some threads while others list them; nothing is lost, nothing is raised."""
    start = threading.Barrier(6)

    def decorate() -> list[Any]:
        start.wait()
        made = (audited("registry.thread", "R")(lambda: None) for _ in range(200))
        return [each for number, each in enumerate(made) if number % 2]

    def listing() -> list[Any]:
        start.wait()
        for _ in range(50):
            registered_actions()
        return []

    with ThreadPoolExecutor(6) as threads:
        kept = [threads.submit(work) for work in (decorate, listing) * 3]
    kept_functions = [function for future in kept for function in future.result()]
    gc.collect()

    assert 300 == len(kept_functions) == len(of("registry.thread"))
