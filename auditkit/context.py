"""Who acts, for whom and from where: scopes in one context variable.

A scope holds what one ``audit_context`` said. What an event needs of it is resolved into a `Scene`, which is
kept until something is bound or first resolved: then the stack begins a new generation, and nothing made
before it is used again.

Threads share scopes, and no lock guards them: one that a thread of the parent held at a fork would stop the
child. Each change is one step that Python does whole (store, append, update), and none reads first what it
then replaces; what may be changed meanwhile is copied, in one step too, before it is gone through.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import Enum
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from auditkit import _current
from auditkit.clock import new_id
from auditkit.draft import Defaults, Scene
from auditkit.errors import NOT_OURS, AuditDefinitionError, InvalidEventError
from auditkit.event import NO_METADATA, Actor, check_metadata, describe, describe_kind, lacks_id, stated_key, text_id
from auditkit.forking import forget_in_worker
from auditkit.frozen import FrozenValue, frozen_value
from auditkit.kinds import is_kind, is_unused
from auditkit.loaded import loaded_class
from auditkit.native import in_c

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
    from types import TracebackType

    from auditkit.event import MetadataValue

    # What `audit_context(on_commit=...)` takes: it keeps a function until the transaction commits, and then calls it.
    OnCommit = Callable[[Callable[[], None]], object]

Function = TypeVar("Function", bound="Callable[..., Any]")


@frozen_value
class Context(FrozenValue):
    """A frozen view of what is bound here; None where nothing is. Its repr leaves metadata out: it may hold secrets."""

    __slots__ = ("actor", "correlation_id", "group", "location", "metadata", "on_behalf_of")

    group: str | None
    actor: Actor | None
    location: str | None
    on_behalf_of: Actor | None
    metadata: Mapping[str, MetadataValue]
    correlation_id: str | None

    def __init__(  # noqa: PLR0913  (what can be bound)
        self,
        *,
        group: str | None = None,
        actor: Actor | None = None,
        location: str | None = None,
        on_behalf_of: Actor | None = None,
        metadata: Mapping[str, MetadataValue] = NO_METADATA,
        correlation_id: str | None = None,
    ) -> None:
        """Keep what is bound, as it is."""
        self._settle(
            group=group,
            actor=actor,
            location=location,
            on_behalf_of=on_behalf_of,
            metadata=metadata,
            correlation_id=correlation_id,
        )

    def __repr__(self) -> str:
        told = ("group", "actor", "location", "on_behalf_of", "correlation_id")
        return f"Context({', '.join(f'{name}={getattr(self, name)!r}' for name in told)})"


def _plain_text(name: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = text_id(value, name)
        if not text:
            raise InvalidEventError(name, "''", "a non-empty str")
        return text

    return read


def _metadata(value: object) -> dict[str, MetadataValue]:
    return {stated_key(key): each for key, each in check_metadata(value).items()}


# How what a user gives for a field becomes what is kept.
_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "group": _plain_text("group"),
    "actor": Actor.of,
    "location": _plain_text("location"),
    "on_behalf_of": Actor.of,
    "metadata": _metadata,
    "correlation_id": _plain_text("correlation_id"),
}


class _Lazy:
    """A callable that was given for a field, and its answer once it gave one."""

    __slots__ = ("_answers", "_function", "_name")

    def __init__(self, name: str, function: Callable[[], object]) -> None:
        self._name = name
        self._function = function
        self._answers: list[Any] = []  # of two threads that ask at once, the first answer stands for both

    def answer(self) -> Any:
        """Return the answer; None as long as there is none."""
        return self._answers[0] if self._answers else None

    def ask(self) -> bool:
        """Ask for the answer, and return whether there is one now."""
        asking = _ASKING.get()
        if self in asking:  # what it calls records an event, and needs it: that event goes without
            return False
        token = _ASKING.set((*asking, self))
        try:
            answer = _ask(self._name, self._function)
        finally:
            _ASKING.reset(token)
        if answer is None:
            return False
        self._answers.append(answer)
        return True


_ASKING: ContextVar[tuple[_Lazy, ...]] = ContextVar("auditkit_asking", default=())


@in_c("Stack")
class _StackFields:
    __slots__ = ("generation",)


class _Stack(_StackFields):
    """What all scopes of one stack share.

    Attributes:
        generation: Another object after each change. Not a number: of two threads that raise one at once, the
            slower would set it back to what a kept scene has.
    """

    __slots__ = ("_correlation_ids",)

    def __init__(self) -> None:
        self.generation = object()
        self._correlation_ids: list[str] = []

    def correlation_id(self) -> str:
        """Return the stack's own correlation id, made when first needed: of two threads' the first stands."""
        if not self._correlation_ids:
            self._correlation_ids.append(new_id())
        return self._correlation_ids[0]


@in_c("Scope")
class _ScopeFields:
    __slots__ = ("_made", "on_commit", "stack", "suppressing")


class Scope(_ScopeFields):
    """What one ``audit_context`` said. Shared by the tasks and threads that inherit it.

    Attributes:
        on_commit: Who holds events of successful actions back until their transaction commits, if anybody does.
    """

    __slots__ = ("_metadata", "_values", "entry", "parent")

    def __init__(
        self,
        parent: Scope | None,
        values: dict[str, Any],
        *,
        suppressing: bool = False,
        on_commit: OnCommit | None = None,
    ) -> None:
        """Begin with what was given; callables are asked when the first event needs them."""
        self.parent = parent
        self.on_commit: OnCommit | None = on_commit if parent is None else on_commit or parent.on_commit
        self.stack: _Stack = _Stack() if parent is None else parent.stack
        self.suppressing = suppressing
        self._values = {name: value for name, given in values.items() if (value := _kept(name, given)) is not None}
        metadata = self._values.pop("metadata", None)
        # In the order in which it was said, the last one last.
        self._metadata: list[dict[str, MetadataValue] | _Lazy] = [] if metadata is None else [metadata]
        self._made: tuple[object, Defaults, Scene] | None = None
        self.entry: tuple[audit_context, Token[Scope | None]] | None = None  # who entered it, and how it is left

    def around(self) -> Scope | None:
        """Return the scope in which it was entered, whether or not it inherits from that."""
        if self.entry is None:
            return self.parent
        outer = self.entry[1].old_value
        return outer if isinstance(outer, Scope) else None

    def bind(self, values: dict[str, Any]) -> None:
        """Fill fields in place."""
        kept = {name: value for name, given in values.items() if (value := _kept(name, given)) is not None}
        metadata = kept.pop("metadata", None)
        if metadata is not None:
            last = self._metadata[-1] if self._metadata else None
            if isinstance(last, dict) and isinstance(metadata, dict):
                last.update(metadata)
            else:
                self._metadata.append(metadata)
        self._values.update(kept)
        self.stack.generation = object()

    def scene(self, defaults: Defaults) -> Scene:
        """Return what an event recorded now takes from here."""
        made = self._made
        if made is not None and made[0] is self.stack.generation and made[1] is defaults:
            return made[2]
        return self._make_scene(defaults)

    def _make_scene(self, defaults: Defaults) -> Scene:
        generation = self.stack.generation
        seen, metadata, waits = self._look()
        actor = seen.get("actor", defaults.actor)
        scene = Scene(
            group=seen.get("group", defaults.group),
            actor_id=actor.id,
            actor_name=actor.name,
            actor_type=actor.type,
            location=seen.get("location", defaults.location),
            correlation_id=seen["correlation_id"],
            metadata=_with_principal(metadata, seen.get("on_behalf_of")),
            missing=defaults.missing(seen),
        )
        # A callable that gave nothing is asked again for the next event; what was bound or resolved while we
        # looked may not be in what we saw.
        if not waits and generation is self.stack.generation:
            self._made = (generation, defaults, scene)
        return scene

    def view(self) -> Context:
        """Return what is bound here, asking callables that were not asked yet."""
        seen, metadata, _ = self._look()
        return Context(**seen, metadata=MappingProxyType(metadata))

    def _look(self) -> tuple[dict[str, Any], dict[str, MetadataValue], bool]:
        """Return what is bound here, the metadata, and whether a callable that was needed gave nothing."""
        seen: dict[str, Any] = {}
        parts: list[dict[str, MetadataValue] | _Lazy] = []  # the last said first
        waits = False
        scope: Scope | None = self
        while scope is not None:
            for name, given in scope._values.copy().items():  # noqa: SLF001  (of this class)
                if name not in seen:
                    value = self._resolved(given)
                    if value is None:
                        waits = True
                    else:
                        seen[name] = value
            parts += reversed(scope._metadata)  # noqa: SLF001  (of this class)
            scope = scope.parent
        metadata: dict[str, MetadataValue] = {}
        for part in reversed(parts):
            value = self._resolved(part)
            if value is None:
                waits = True
            else:
                metadata.update(value)
        if "correlation_id" not in seen:
            seen["correlation_id"] = self.stack.correlation_id()
        return seen, metadata, waits

    def _resolved(self, given: Any) -> Any:
        """Return what was given for a field; a callable is asked once and its answer kept, unless that is None."""
        if type(given) is not _Lazy:
            return given
        if given.answer() is None and given.ask():
            self.stack.generation = object()
        return given.answer()


def _kept(name: str, given: object) -> Any:
    """Return a field as a scope keeps it; None for what was not given or cannot be used."""
    if given is None:
        return None
    return _Lazy(name, given) if callable(given) else _read(name, given)


def _read(name: str, given: object) -> Any:
    """Return a field's value; what it cannot be is told, and taken for not given. A user without an id is nobody."""
    try:
        return _READ[name](given)
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (an object's own attributes may raise anything)
        if name in _PARTIES and isinstance(error, InvalidEventError) and lacks_id(given):
            return None
        text = str(error) if isinstance(error, InvalidEventError) else describe(given)
        message = f"audit_context was given something it cannot use: {text}"
        _current.reporter.report("context", message, cause=name, error=error)
        return None


def _ask(name: str, lazy: Callable[[], object]) -> Any:
    try:
        answer = _party(lazy) if name in _PARTIES else lazy()
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (a cancelled future's too: it is not this task that is cancelled)
        message = f"the callable given to audit_context as {name} raised; the event goes without"
        _current.reporter.report("context", message, cause=name, error=error)
        return None
    if inspect.iscoroutine(answer):
        answer.close()
        message = f"the callable given to audit_context as {name} is async; give a plain one"
        _current.reporter.report("context", message, cause=name)
        return None
    return None if answer is None else _read(name, answer)


_PARTIES: Final = ("actor", "on_behalf_of")


def _party(lazy: Callable[[], object]) -> object:
    """Return who answers to a call, or what can be called if it is somebody itself; None for nobody.

    A proxy, such as Flask-Login's of the current user, can be called whatever it stands for, and stands for an
    object without an id, or for None, while nobody is logged in.
    """
    found = next((each for name in ("pk", "id") if (each := getattr(lazy, name, None)) is not None), None)
    if any("__call__" in vars(kind) for kind in lazy.__class__.__mro__):  # the class that a proxy says it has
        return lazy if isinstance(found, (str, int, Enum, *loaded_class("uuid", "UUID"))) else lazy()
    return None if found is None else lazy


def _with_principal(metadata: Mapping[str, MetadataValue], principal: Actor | None) -> Mapping[str, MetadataValue]:
    if principal is None:
        return metadata
    return {"on_behalf_of_id": principal.id, "on_behalf_of_name": principal.name, **metadata}


SCOPE: ContextVar[Scope | None] = ContextVar("auditkit_scope", default=None)
forget_in_worker(SCOPE)
current_scope = SCOPE.get  # bound once: the hot path calls it on every audited call


@contextmanager
def suppressed() -> Iterator[None]:
    """Audit nothing inside: auditkit's own threads run in it, so that a transport cannot feed itself."""
    token = SCOPE.set(Scope(None, {}, suppressing=True))
    try:
        yield
    finally:
        SCOPE.reset(token)


class audit_context:  # noqa: N801  (used like a function, as contextlib.suppress is)
    """Say who acts and from where, for everything audited inside.

    Works as ``with``, ``async with``, and as a decorator on plain, async and generator functions (on
    generators it is entered before each resumption and left at each yield). Inner scopes overlay outer ones
    field by field; metadata merges by key.

    Args:
        group: The organization or tenant.
        actor: Who acts: an `Actor`, an id, an ``(id, name)`` pair, a mapping with these keys, or an object
            with ``pk`` or ``id``. Ids may be ``str``, ``int``, ``UUID`` or ``Enum``.
        location: Where from: an address, a host's name, a device's id.
        on_behalf_of: The impersonated party, in the same forms; recorded in metadata, never as the actor.
        metadata: What to add to every event; checked as an event's is.
        correlation_id: What all events inside share; the outermost scope makes one if none is given.
        on_commit: What takes a function without arguments and calls it when the transaction commits, such as Django's
            ``transaction.on_commit``. Events of successful actions inside, reads aside, are made when their call ends
            and recorded by that function; where it is dropped uncalled they are dropped too, and counted
            ``rolled_back``. Failures, denials and reads are recorded at once. Inner scopes inherit it.
        inherit: False starts from the trail's defaults rather than from the scope around.

    Every field may be a callable without arguments: it is asked on the caller's thread when the first event
    needs it, and its answer kept for this scope; one that returns None is asked again. A party that can be
    called, as a proxy of the current user can, is read then and not called. A value that cannot be used is
    logged and taken for not given: a request never fails for its audit context.

    Thread-safety: one object may be entered from many threads and tasks; each entry is a scope of its own.
    """

    def __init__(  # noqa: PLR0913  (the fields of a context, by name)
        self,
        *,
        group: object = None,
        actor: object = None,
        location: object = None,
        on_behalf_of: object = None,
        metadata: Mapping[str, Any] | Callable[[], Mapping[str, Any] | None] | None = None,
        correlation_id: object = None,
        on_commit: OnCommit | None = None,
        inherit: bool = True,
    ) -> None:
        """Keep what was given; nothing is asked or bound before the scope is entered."""
        fields = {
            "group": group,
            "actor": actor,
            "location": location,
            "on_behalf_of": on_behalf_of,
            "metadata": metadata,
            "correlation_id": correlation_id,
        }
        self._given = {name: given for name, given in fields.items() if given is not None}
        self._on_commit = _callback(on_commit)
        self._inherit = inherit

    def _begin(self) -> Scope:
        around = SCOPE.get()
        suppressing = around is not None and around.suppressing
        parent = around if self._inherit else None
        return Scope(parent, self._given, suppressing=suppressing, on_commit=self._on_commit)

    def __enter__(self) -> None:
        """Enter a new scope."""
        scope = self._begin()
        scope.entry = (self, SCOPE.set(scope))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the scope; the one around is back, whatever happened inside."""
        # Threads and tasks may share this object: what they share holds nothing of an entry, the scope does.
        inside = scope = SCOPE.get()
        while scope is not None and (scope.entry is None or scope.entry[0] is not self):
            scope = scope.around()
        if scope is None or scope.entry is None:
            _tell_elsewhere()
            return
        if scope is not inside:  # one inside of it was left elsewhere, and goes with it
            _tell_elsewhere()
        try:
            SCOPE.reset(scope.entry[1])
        except (ValueError, RuntimeError):  # in a copy of the context it was entered in; left there already
            SCOPE.set(scope.around())
            _tell_elsewhere()

    async def __aenter__(self) -> None:
        """Enter a new scope."""
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the scope."""
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Function) -> Function:
        """Return the function with every call of it inside a scope of its own.

        A plain function that returns a coroutine has ended when that has, and one that a decorator below made of a
        generator function when its generator has.

        Raises:
            AuditDefinitionError: It is no function.
        """
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self(function.__func__))
        _check_function(function)
        return functools.wraps(function)(self._around(function))  # type: ignore[return-value]

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if is_kind(inspect.isasyncgenfunction, function):
            return _async_generator(function, self._begin)
        if is_kind(inspect.isgeneratorfunction, function):
            return _generator(function, self._begin)
        if is_kind(inspect.iscoroutinefunction, function):

            async def inner_coroutine(*args: Any, **kwargs: Any) -> Any:
                token = SCOPE.set(self._begin())
                try:
                    return await function(*args, **kwargs)
                finally:
                    _leave(token)

            return inner_coroutine

        def inner(*args: Any, **kwargs: Any) -> Any:
            scope = self._begin()
            return _ended_in(scope, function, _made_in(scope, functools.partial(function, *args, **kwargs)))

        return inner


def _callback(given: object) -> OnCommit | None:
    """Return what was given for ``on_commit``; what cannot be called is told, and taken for not given."""
    if given is None or callable(given):
        return given
    message = f"audit_context was given something it cannot use: on_commit must be callable, got {describe_kind(given)}"
    _current.reporter.report("context", message, cause="on_commit")
    return None


def _check_function(function: object) -> None:
    if isinstance(function, type):
        raise AuditDefinitionError(
            f"audit_context() takes a function, and {function.__qualname__} is a class; decorate its methods"
        )
    if not callable(function):
        raise AuditDefinitionError(f"audit_context() takes a function, got a value of type {type(function).__name__}")


def _leave(token: Token[Scope | None]) -> None:
    try:
        SCOPE.reset(token)
    except ValueError:
        _tell_elsewhere()


def _tell_elsewhere() -> None:
    _current.reporter.report(
        "scope_left_elsewhere",
        "an audit_context was left in another context than it was entered in, as happens with a generator "
        "dependency that runs in a thread pool; enter it in middleware, or make the dependency async",
    )


def _made_in(scope: Scope, make: Callable[[], Any]) -> Any:
    """Return what is made inside of a scope, such as a generator: an audited one begins its call then."""
    token = SCOPE.set(scope)
    try:
        return make()
    finally:
        _leave(token)


async def _finished_in(scope: Scope, coroutine: CoroutineType[Any, Any, Any]) -> Any:
    """Finish inside of a scope what was begun there."""
    token = SCOPE.set(scope)
    try:
        return await coroutine
    finally:
        _leave(token)


def _generator(
    function: Callable[..., Generator[Any, Any, Any]], begin: Callable[[], Scope]
) -> Callable[..., Generator[Any, Any, Any]]:
    """Return a generator function that runs another with a scope that is there only while it is made and while it runs.

    All in one body: ``yield from`` would close where it is thrown a GeneratorExit.
    """

    def inner(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        scope = begin()
        generator = _made_in(scope, functools.partial(function, *args, **kwargs))
        inside: Scope | None = scope  # where it is: it may enter scopes of its own, and yield inside them
        values: list[Any] = []  # what is yielded goes through here, so that it is kept no longer than without auditkit
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            token = SCOPE.set(inside)
            try:
                values.append(resume())
            except StopIteration as stop:
                return stop.value
            finally:
                inside = SCOPE.get()
                SCOPE.reset(token)
                del resume  # an exception that was thrown in leads to this frame: a circle, if it were kept here
            try:
                sent = yield values.pop()
            except BaseException as error:  # noqa: BLE001  (thrown in, also to close it: it belongs to the one inside)
                resume = functools.partial(generator.throw, error)
            else:
                resume = functools.partial(generator.send, sent)
                del sent

    return inner


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], begin: Callable[[], Scope]
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Return an async generator function that runs another as `_generator` does."""

    async def inner(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        scope = begin()
        generator = _made_in(scope, functools.partial(function, *args, **kwargs))
        inside: Scope | None = scope  # where it is, as above, and so on
        values: list[Any] = []
        resume: Callable[[], Any] = functools.partial(generator.asend, None)
        while True:
            token = SCOPE.set(inside)
            try:
                values.append(await resume())
            except StopAsyncIteration:
                return
            finally:
                inside = SCOPE.get()
                _leave(token)
                del resume
            try:
                sent = yield values.pop()
            except BaseException as error:  # noqa: BLE001  (as above)
                resume = functools.partial(generator.athrow, error)
            else:
                resume = functools.partial(generator.asend, sent)
                del sent

    return inner


# Of what type, and of what kind of function that a decorator below hides, has done nothing yet when it is returned.
_RESUMED: Final[dict[type, tuple[Callable[[Any], bool], Callable[..., Any]]]] = {
    GeneratorType: (inspect.isgeneratorfunction, _generator),
    AsyncGeneratorType: (inspect.isasyncgenfunction, _async_generator),
}


def _ended_in(scope: Scope, function: Callable[..., Any], result: Any) -> Any:
    """Return what a function gave, or what runs that inside of a scope where it has done nothing yet."""
    if not is_unused(result):
        return result
    kind = type(result)
    if kind is CoroutineType:
        return _finished_in(scope, result)
    if not is_kind(_RESUMED[kind][0], inspect.unwrap(function)):
        return result
    return functools.wraps(function)(_RESUMED[kind][1](lambda: result, lambda: scope))()


def bind_context(  # noqa: PLR0913  (the fields of a context, by name)
    *,
    group: object = None,
    actor: object = None,
    location: object = None,
    on_behalf_of: object = None,
    metadata: Mapping[str, Any] | Callable[[], Mapping[str, Any] | None] | None = None,
    correlation_id: object = None,
    on_commit: OnCommit | None = None,
) -> None:
    """Fill fields of the innermost scope in place, in the forms that `audit_context` takes.

    So a dependency, a thread-pool hop or a later middleware of the same request can say who it is. Tasks and
    threads that share the scope share what is bound in it. Outside any scope it does nothing but count and
    log the mistake.
    """
    scope = SCOPE.get()
    if scope is None:
        _current.reporter.report(
            "no_scope", "bind_context was called outside any audit_context; enter one in the middleware", cause="bind"
        )
        return
    scope.bind(
        {
            "group": group,
            "actor": actor,
            "location": location,
            "on_behalf_of": on_behalf_of,
            "metadata": metadata,
            "correlation_id": correlation_id,
        }
    )
    scope.on_commit = _callback(on_commit) or scope.on_commit


def current_context() -> Context:
    """Return a frozen view of what is bound here; callables that were not asked yet are asked.

    Outside any scope every field is None.
    """
    scope = SCOPE.get()
    return Context() if scope is None else scope.view()
