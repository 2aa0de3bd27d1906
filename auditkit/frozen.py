"""Values that do not change, at a price that an import can pay.

`dataclasses` writes and compiles a class's methods whenever a process starts: half a millisecond for each frozen
class, and the application waits. What `import auditkit` must have is written on this instead, by hand. For whoever
asks, such a class is a frozen dataclass: `dataclasses.replace`, ``asdict`` and ``fields`` take it, and so do type
checkers.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar, dataclass_transform
from weakref import WeakKeyDictionary

Kind = TypeVar("Kind", bound="type[FrozenValue]")


@dataclass_transform(frozen_default=True)
def frozen_value(kind: Kind) -> Kind:
    """Tell type checkers that a class is a frozen dataclass; what derives from it has its ``__init__``."""
    return kind


class _Fields:
    """What `dataclasses`, and who reads dataclasses as pydantic does, ask a class for; made when they first do."""

    def __init__(self) -> None:
        """Begin with none; classes may go, and their fields with them."""
        self._made: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()

    def __get__(self, value: FrozenValue | None, kind: type[FrozenValue]) -> dict[str, Any]:
        found = self._made.get(kind)
        if found is None:  # of two threads that ask at once, each makes the same
            found = self._made[kind] = _fields_of(kind)
        return found


def _fields_of(kind: type[FrozenValue]) -> dict[str, Any]:
    from dataclasses import make_dataclass  # noqa: PLC0415  (who asks has loaded it)

    named = inspect.signature(kind).parameters
    stated = {name: each for base in reversed(kind.__mro__) for name, each in inspect.get_annotations(base).items()}
    fields = [(name, stated[name], _field(named[name].default)) for name in kind.__match_args__]
    made: Any = make_dataclass(kind.__name__, fields, kw_only=True)
    found: dict[str, Any] = made.__dataclass_fields__
    return found


def _field(default: object) -> Any:
    from dataclasses import field  # noqa: PLC0415  (as above)

    return field() if default is inspect.Parameter.empty else field(default_factory=lambda: default)


class FrozenValue:
    """A value whose slots are its fields, which its own ``__init__`` fills by `_settle`, and nobody after it.

    Two are equal when they are of one class and their fields are equal. One can be hashed when they can, copied and
    pickled; ``match`` takes its fields by position. ``__init__`` takes each field by its name.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[Any] = _Fields()

    def __init_subclass__(cls) -> None:
        slots = cls.__dict__.get("__slots__", ())
        own = tuple(name for name in ([slots] if isinstance(slots, str) else slots) if not name.startswith("__"))
        cls.__match_args__ += own  # type: ignore[misc]  # for others it is final

    def _settle(self, **fields: object) -> None:
        """Give fields their values; for ``__init__`` alone."""
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __post_init__(self) -> None:
        """Judge what was put into the fields without ``__init__``: pydantic does that, and calls this after it."""
        type(self).__init__(self, **self._named())

    if not TYPE_CHECKING:  # a type checker that saw these would let every name be set

        def __setattr__(self, name: str, value: object) -> None:
            _refuse(f"{type(self).__name__} does not change, so {name!r} cannot be set; make another one")

        def __delattr__(self, name: str) -> None:
            _refuse(f"{type(self).__name__} does not change, so {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrozenValue) or type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._named().items())
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._values())

    def __replace__(self, /, **changes: Any) -> Any:
        """Return another one with other values, judged anew: for `copy.replace` of Python 3.13."""
        return type(self)(**self._named() | changes)

    def _named(self) -> dict[str, Any]:
        return dict(zip(self.__match_args__, self._values(), strict=True))

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)


def _refuse(message: str) -> NoReturn:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415  (as above)

    raise FrozenInstanceError(message)


def _again(kind: type[FrozenValue], values: tuple[Any, ...]) -> FrozenValue:
    """Return a value of which a copy or a pickle was made: what was judged once is not judged again."""
    value = object.__new__(kind)
    value._settle(**dict(zip(kind.__match_args__, values, strict=True)))
    return value
