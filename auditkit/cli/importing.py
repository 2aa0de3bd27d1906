"""The modules that a command was told to look at, imported as ``python -m`` would."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from auditkit.cli.place import place
from auditkit.cli.surroundings import nothing_recorded
from auditkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType, ModuleType

_PROGRAM = "__main__"  # importing it would run the program


def import_modules(names: Iterable[str]) -> dict[str, ModuleType]:
    """Import modules, and of packages all that is in them but their programs (``__main__``).

    The current directory is looked in first, unless Python was told not to (``-P``, ``PYTHONSAFEPATH``). What
    is imported records nothing, and what it prints goes to the error stream.

    Args:
        names: The modules' dotted names.

    Returns:
        Every module that was named or found in a package, by its name.

    Raises:
        ConfigurationError: There is no such module, or it cannot be imported; says why and where.
    """
    found: dict[str, ModuleType] = {}
    with _current_directory_first(), nothing_recorded(), redirect_stdout(sys.stderr):
        for name in names:
            module = found[name] = _import(name)
            found.update((each, _import(each)) for each in _inside(name, module))
    return found


def made_by(reference: str) -> object:
    """Return what ``module:name`` stands for: what its name says or, where that is a function or a class, returns.

    The module alone is imported, as `import_modules` does it.

    Args:
        reference: A module's dotted name, a colon, and a name in it, which may be dotted too.

    Raises:
        ConfigurationError: There is no such module or name, or it cannot be imported or called; says why and where.
    """
    name, _, path = reference.partition(":")
    with _current_directory_first(), nothing_recorded(), redirect_stdout(sys.stderr):
        found: Any = _import(name)
        try:
            for part in path.split("."):
                found = getattr(found, part)
        except AttributeError:
            raise ConfigurationError(f"there is no {path} in {name}") from None
        is_factory = callable(found) and (isinstance(found, type) or not hasattr(found, "send"))
        return _called(found, name, reference) if is_factory else found


def _called(factory: Callable[[], object], module: str, reference: str) -> object:
    try:
        return factory()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  (as in _import)
        raise ConfigurationError(
            f"cannot call {reference}: {type(error).__name__}: {error}{_where(error, module)}"
        ) from None


def is_within(module: str, names: Iterable[str]) -> bool:
    """Return whether a module is one of those named, or inside of one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


@contextmanager
def _current_directory_first() -> Iterator[None]:
    first = [] if sys.flags.safe_path else [str(Path.cwd())]
    sys.path[:0] = first
    try:
        yield
    finally:
        for directory in first:
            with suppress(ValueError):  # what was imported may have removed it
                sys.path.remove(directory)


def _inside(name: str, module: ModuleType) -> Iterator[str]:
    """Yield the modules in a package. Each is to be imported before the next is asked for."""
    for each in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        if each.name.rpartition(".")[2] != _PROGRAM:
            yield each.name


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  (a module may also end the program, or skip itself as a test)
        if isinstance(error, ModuleNotFoundError) and error.name and is_within(name, [error.name]):
            raise ConfigurationError(
                f"there is no module {name}: it was looked for in {os.getcwd()}, then on sys.path"  # noqa: PTH109  (a text)
            ) from None
        raise ConfigurationError(
            f"cannot import {name}: {type(error).__name__}: {error}{_where(error, name)}"
        ) from None


def _where(error: BaseException, name: str) -> str:
    """Return the last place in the module's own top-level package at which its import failed, if there is one."""
    package = [name.partition(".")[0]]
    frames = walk_tb(error.__traceback__)
    theirs = [(frame.f_code.co_filename, line) for frame, line in frames if is_within(_module(frame), package)]
    return f" ({place(*theirs[-1])})" if theirs else ""


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
