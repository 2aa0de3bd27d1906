"""References into a call, such as ``"tweet.id"`` and ``"result.id"``, compiled when decorating.

What a reference's first segment names is settled then: a parameter's place in the call, so that nothing is
bound or looked up by name while the application waits (`inspect.Signature.bind` costs 3 us a call).
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from auditkit.capture.annotations import check_segments, class_of, is_nothing
from auditkit.capture.attribute import WAYS, NotLoaded
from auditkit.errors import AuditDefinitionError
from auditkit.frozen import FrozenValue, frozen_value
from auditkit.kinds import is_kind


class Readable(Protocol):
    """What a reference reads: a call, before or after it has ended."""

    args: tuple[Any, ...]
    kwargs: Any
    result: Any
    error: BaseException | None
    awaited: dict[Reader, tuple[Any, BaseException | None]] | None


Reader = Callable[[Readable], Any]

_PATH: Final = re.compile(r"[^\W\d]\w*(\.\w+)*")
_LATE: Final = ("result", "error")
_EMPTY: Final = inspect.Parameter.empty


_ASYNCHRONOUS: Final = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)


class Unavailable(LookupError):  # noqa: N818  (a state of the call, not a fault)
    """Say that there is no such value in this call; the message is complete."""


class WithoutOutcome(Unavailable):
    """Say that a call which raised has no result, or one that returned no error: that is as it should be."""


@frozen_value
class ref(FrozenValue):  # noqa: N801  (used like a function in a declaration)
    """Refer to a value of the call in ``metadata``, where a plain string is a constant.

    Args:
        path: A parameter's name or ``result``, then attributes or keys: ``ref("plan.name")``.
    """

    __slots__ = ("path",)

    path: str

    def __init__(self, path: str) -> None:
        """Keep the path; it is judged where the reference is used."""
        self._settle(path=path)


class Place(NamedTuple):
    """Where a value stands in a call.

    Attributes:
        position: The parameter's place among those that may be given by position.
        name: Its name, where it may be given by that.
        segment: The attribute or key of it that is read, if not the argument itself.
    """

    position: int
    name: str | None
    segment: str | None


class Compiled:
    """A reference or callable, ready to read.

    Attributes:
        read: Reads the value.
        late: Whether it needs the call's result or error, so that it cannot be read before.
        text: How it was written, for messages.
        asks: Calls a callable that may be asynchronous; what it gives is awaited, and `read` from the call.
        kind: The class that annotations say the value is of, where they do.
        place: Where the value stands in a call, where that can be told so simply.
    """

    __slots__ = ("asks", "kind", "late", "place", "read", "text")

    def __init__(  # noqa: PLR0913  (what is known of a reference, by name)
        self,
        read: Reader,
        *,
        late: bool,
        text: str,
        asks: Reader | None = None,
        kind: type | None = None,
        place: Place | None = None,
    ) -> None:
        """Keep what was compiled."""
        self.read = read
        self.late = late
        self.text = text
        self.asks = asks
        self.kind = kind
        self.place = place

    def unread(self, holder: object, error: BaseException) -> BaseException:
        """Return what `read` raises where an argument's segment could not be read.

        Args:
            holder: The argument.
            error: What reading raised.
        """
        if self.place is None or not isinstance(error, AttributeError | LookupError):
            return error
        return _unavailable(self.text, holder, str(self.place.segment), error)


class Parameters:
    """Where a function's parameters are found in a call.

    Args:
        function: The function that is decorated.

    Raises:
        AuditDefinitionError: It has no signature.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read the signature once."""
        self._function = function
        self.name = _name_of(function)
        self.title = f"audited() of {self.name}"
        self.awaits = any(is_kind(test, function) for test in _ASYNCHRONOUS)
        self._namespace = getattr(function, "__globals__", {})
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            raise AuditDefinitionError(f"{self.name} has no signature that audited can read") from None
        self._all = list(signature.parameters.values())
        # A decorator below that says what it wraps may give another result than that.
        self._returned = _EMPTY if hasattr(function, "__wrapped__") else signature.return_annotation
        self._has_result = not is_nothing(self._returned) and not is_kind(inspect.isasyncgenfunction, function)
        self.names = [parameter.name for parameter in self._all]

    def titled(self, name: str) -> Parameters:
        """Return the same parameters under another name."""
        others = object.__new__(Parameters)
        others.__dict__.update(self.__dict__, name=name, title=name)
        return others

    def reader(self, name: str) -> Reader:
        """Return what reads one parameter, its default included."""
        index = self.names.index(name)
        parameter = self._all[index]
        if parameter.kind is parameter.VAR_POSITIONAL:
            return lambda call: call.args[index:]
        if parameter.kind is parameter.VAR_KEYWORD:
            named = frozenset(filter(self._is_named, self.names))
            return lambda call: {key: value for key, value in call.kwargs.items() if key not in named}
        if parameter.kind is parameter.KEYWORD_ONLY:
            return lambda call: _given(call.kwargs.get(name, parameter.default), name)

        def read(call: Readable) -> Any:
            try:
                return call.args[index]
            except IndexError:  # what is positional only is never found by its name: that is another argument's
                named = {} if parameter.kind is parameter.POSITIONAL_ONLY else call.kwargs
                return _given(named.get(name, parameter.default), name)

        return read

    def takes(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Return whether the function takes these arguments: one that does not refuses them itself, and does nothing.

        Where it only says what it takes, by another's signature, it may take others, and is believed to.
        """
        if hasattr(self._function, "__signature__"):
            return True
        try:
            signature = inspect.signature(self._function, follow_wrapped=False)
        except (TypeError, ValueError):
            return True
        try:
            signature.bind(*args, **kwargs)
        except TypeError:
            return False
        return True

    def place(self, name: str, rest: list[str]) -> Place | None:
        """Return where a reference's value stands, if it is a parameter that may be given by position, or near it."""
        if name not in self.names or len(rest) > 1:
            return None
        index = self.names.index(name)
        kind = self._all[index].kind
        if kind not in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}:
            return None
        # What is positional only is never found by its name: that is another argument's.
        by_name = None if kind is inspect.Parameter.POSITIONAL_ONLY else name
        return Place(index, by_name, rest[0] if rest else None)

    def check(self, first: str, rest: list[str], where: str) -> type | None:
        """Refuse a reference that could not be read in any call.

        Args:
            first: The reference's first segment, which exists.
            rest: Those after it.
            where: What the message begins with.

        Returns:
            The class that annotations say the value is of, where they do.

        Raises:
            AuditDefinitionError: It could not; says what would be right.
        """
        if first in self.names:
            parameter = self._all[self.names.index(first)]
            if rest and parameter.kind is parameter.VAR_POSITIONAL and not rest[0].isdecimal():
                raise AuditDefinitionError(f"{where}: *{first} is a tuple; write '{first}.0' for its first element")
            if rest and parameter.kind is parameter.VAR_KEYWORD and self._is_named(rest[0]):
                raise AuditDefinitionError(f"{where}: {rest[0]!r} is never in **{first}; write {rest[0]!r} alone")
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:  # each is annotated, not all
                return self._check(parameter.annotation, rest[1:], where) if rest else None
            return self._check(parameter.annotation, rest, where)
        if first == "result":
            if not self._has_result:
                raise AuditDefinitionError(f"{where}: {self.name} returns nothing, so there is no result to refer to")
            return self._check(self._returned, rest, where)
        return None

    def absence(self, name: str) -> str:
        """Return why there is no parameter of a name, and which there are."""
        partly = self._function
        is_bound = isinstance(partly, functools.partial) and name in inspect.signature(partly.func).parameters
        why = f"{name!r} is already bound by the partial" if is_bound else f"there is no parameter {name!r}"
        return f"{why}; there are {', '.join([*self.names, 'result'])}"

    def check_one(self, name: str, where: str) -> None:
        """Refuse a parameter that gives several things where one is meant; two of them would pass for a pair.

        Args:
            name: A parameter's name; any other is left to be judged elsewhere.
            where: What the message begins with.

        Raises:
            AuditDefinitionError: It does; says what to do instead.
        """
        if name in self.names:
            parameter = self._all[self.names.index(name)]
            kind = None if parameter.annotation is _EMPTY else class_of(parameter.annotation, self._namespace)
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD} or kind in {list, set, frozenset}:
                raise AuditDefinitionError(
                    f"{where}: {name!r} gives several; leave target out and say each with "
                    "current_entry().add_target(), or give a callable"
                )

    def _check(self, annotation: Any, rest: list[str], where: str) -> type | None:
        return check_segments(None if annotation is _EMPTY else class_of(annotation, self._namespace), rest, where)

    def _is_named(self, name: str) -> bool:
        kinds = {each.name: each.kind for each in self._all}
        return name in kinds and kinds[name] is not inspect.Parameter.POSITIONAL_ONLY


def _name_of(function: Any) -> str:
    if isinstance(function, functools.partial):
        return f"a partial of {_name_of(function.func)}"
    name: str = getattr(function, "__qualname__", repr(type(function)))
    return name


def _given(value: Any, name: str) -> Any:
    if value is _EMPTY:
        raise Unavailable(f"the call gives no argument {name!r}")
    return value


def compile_value(parameters: Parameters, value: object, option: str) -> Compiled:
    """Compile what ``option=`` was given: a reference or a callable.

    Raises:
        AuditDefinitionError: It names nothing that the function has; says what exists.
    """
    if isinstance(value, Compiled):
        return value
    if isinstance(value, ref):
        return compile_reference(parameters, value.path, option)
    if isinstance(value, str):
        return compile_reference(parameters, value, option)
    if callable(value):
        return compile_callable(parameters, value, option)
    raise AuditDefinitionError(
        f"{option}= of {parameters.name} must be a reference such as {_example(parameters)!r} or a callable, "
        f"got a value of type {type(value).__name__}"
    )


def _example(parameters: Parameters) -> str:
    return f"{next(iter(parameters.names), 'result')}.id"


def compile_reference(parameters: Parameters, path: object, option: str) -> Compiled:
    """Compile a dotted path whose first segment is a parameter's name, ``result`` or ``error``."""
    where = f"{option}={path!r} of {parameters.name}"
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise AuditDefinitionError(
            f"{where} is not a reference: write a parameter's name, then attributes or keys, such as "
            f"{_example(parameters)!r}"
        )
    first, *rest = path.split(".")
    if first not in parameters.names and first not in _LATE:
        raise AuditDefinitionError(f"{where}: {parameters.absence(first)}")
    late = first not in parameters.names
    kind = parameters.check(first, rest, where)
    read = _read_late(first) if late else parameters.reader(first)
    place = parameters.place(first, rest)
    if rest:
        read = _follow(read, rest, path) if place is None else _follow_positional(place, read, path)
    return Compiled(read, late=late, text=path, kind=kind, place=place)


def _read_late(name: str) -> Reader:
    def read_result(call: Readable) -> Any:
        if call.error is not None:
            raise WithoutOutcome("there is no result")
        return call.result

    def read_error(call: Readable) -> Any:
        if call.error is None:
            raise WithoutOutcome("there is no error")
        return call.error

    return read_result if name == "result" else read_error


def _follow_positional(place: Place, read: Reader, path: str) -> Reader:
    """Return what reads one segment of a parameter given by its place: the usual case, in one call."""
    index, segment = place.position, str(place.segment)

    def follow_positional(call: Readable) -> Any:
        args = call.args
        value = args[index] if index < len(args) else read(call)
        try:
            return WAYS[type(value)](value, segment)
        except (AttributeError, LookupError) as error:
            raise _unavailable(path, value, segment, error) from None

    return follow_positional


def _follow(read: Reader, rest: list[str], path: str) -> Reader:
    def follow(call: Readable) -> Any:
        value = read(call)
        for segment in rest:
            try:
                value = WAYS[type(value)](value, segment)
            except (AttributeError, LookupError) as error:
                raise _unavailable(path, value, segment, error) from None
        return value

    return follow


def _unavailable(path: str, value: object, segment: str, error: Exception) -> Unavailable:
    kind = type(value).__name__
    if isinstance(error, NotLoaded):
        return Unavailable(f"{path!r}: {segment!r} of a {kind} is not loaded, and auditkit runs no query")
    return Unavailable(f"{path!r}: a value of type {kind} has no {segment!r}")


def compile_callable(parameters: Parameters, function: Callable[..., Any], option: str) -> Compiled:
    """Compile a callable that takes any of the function's parameters, ``result`` and ``error`` by name."""
    text = getattr(function, "__qualname__", type(function).__name__)
    where = f"{option}= of {parameters.name}"
    if inspect.iscoroutinefunction(function) and not parameters.awaits:
        raise AuditDefinitionError(
            f"{where} is the async function {text}, and {parameters.name} is none; give a plain one"
        )
    try:
        wanted = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise AuditDefinitionError(
            f"{where}: {text} has no signature; wrap it in a lambda that names what it takes"
        ) from None
    available = [*parameters.names, *(name for name in _LATE if name not in parameters.names)]
    taken = [parameter.name for parameter in wanted if _is_taken(parameter, available, f"{where}: {text}")]
    readers = [(name, parameters.reader(name) if name in parameters.names else _READ_IF_THERE[name]) for name in taken]

    late = any(name not in parameters.names for name in taken)

    def ask(call: Readable) -> Any:
        return function(**{name: reader(call) for name, reader in readers})

    def read(call: Readable) -> Any:
        value = ask(call)
        if inspect.iscoroutine(value):
            value.close()
            raise Unavailable(f"{text} gives a coroutine; give a plain callable")
        return value

    def read_answer(call: Readable) -> Any:
        value, error = (call.awaited or {}).get(ask) or (None, Unavailable(f"{text} was not asked in time"))
        if error is not None:
            raise error
        return value

    awaits = parameters.awaits
    return Compiled(read_answer if awaits else read, late=late, text=text, asks=ask if awaits else None)


def _is_taken(parameter: inspect.Parameter, available: list[str], where: str) -> bool:
    """Return whether a callable is given a parameter; one that keeps its default is not."""
    in_general = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    by_name = parameter.name in available and not in_general and parameter.kind is not parameter.POSITIONAL_ONLY
    if not by_name and (in_general or parameter.default is _EMPTY):
        raise AuditDefinitionError(
            f"{where} takes {str(parameter).partition(':')[0]!r}, "
            f"and what can be given by name is {', '.join(available)}"
        )
    return by_name


# A callable is given None where there is no result or no error.
_READ_IF_THERE: Final[dict[str, Reader]] = {"result": lambda call: call.result, "error": lambda call: call.error}
