"""What a trail is told at its start, checked before anything is opened. Pure."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from auditkit.draft import Defaults
from auditkit.errors import ConfigurationError, InvalidEventError
from auditkit.event import Actor, check_action, describe, text_id
from auditkit.switches import is_on

if TYPE_CHECKING:
    from auditkit.protocols import Transport

DIRECTORY: Final = "audit"
MAX_BYTES: Final = 2**30
LEDGER: Final = "ledger"
SHUTDOWN_TIMEOUT: Final = 2.0  # seconds
TRANSPORTS: Final = ("workos_audit_trail", "workos_audit_logs")
DELIVERY_SHARE: Final = 0.05
SMALLEST: Final = 2**20  # bytes: less could not hold a few records of the largest size

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_REQUIRABLE: Final = ("actor", "group", "location")
_SECRETS: Final = 2
_SHORTEST_SECRET: Final = 16  # characters


class Settings(NamedTuple):
    """What a trail is told. Never shows its secrets.

    Attributes:
        transports: Where events go.
        directory: Where they are kept, absolute; None for memory alone.
        syncs_each: Whether each event is put on the device before its call returns.
        ledger: Whether the directory has a ledger for people to read.
        deliver: Whether this process delivers, or only records.
        delivery_share: The part of the interpreter's time that each lane may take while nobody waits for it.
        raises: Whether an audit error is raised or logged.
        on_error: What a call that raised is recorded as.
        denied: The exceptions that mean a denial.
        require: The fields that must be bound.
        defaults: What stands where nothing is.
        redact: Names whose values are redacted, beside the rules that are always there.
        expose: Names whose values are not.
        trace_ids: Whether the ids of an active OpenTelemetry span are recorded.
        shared_group: Whether the directory's group may read and write what is in it.
        max_bytes: How large the journal may become.
        secrets: The secrets: the first signs, all verify.
    """

    transports: tuple[Transport, ...]
    directory: Path | None
    syncs_each: bool
    ledger: bool
    deliver: bool
    delivery_share: float
    raises: bool
    on_error: str
    denied: tuple[type[BaseException], ...]
    require: tuple[str, ...]
    defaults: Defaults
    redact: tuple[str, ...]
    expose: tuple[str, ...]
    trace_ids: bool
    shared_group: bool
    max_bytes: int
    secrets: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Show where the trail is, and nothing that could hold a secret."""
        return f"<Settings of a trail in {self.directory or 'memory'}>"

    def subkeys(self, label: str) -> tuple[bytes, ...]:
        """Return one key for each secret, good for one use alone (HMAC-SHA256, RFC 2104, over its label)."""
        if not self.secrets:
            return ()
        import hashlib  # noqa: PLC0415  (see `_defaults`)
        import hmac  # noqa: PLC0415

        return tuple(hmac.digest(secret, f"auditkit {label}".encode(), hashlib.sha256) for secret in self.secrets)


def settle(  # noqa: PLR0913  (what configure takes)
    transport: object,
    *,
    directory: object,
    fsync: object = None,
    ledger: object = None,
    deliver: object = True,
    delivery_share: object = DELIVERY_SHARE,
    on_audit_error: object = "log",
    on_error: object = "skip",
    denied: object = PermissionError,
    require: object = (),
    defaults: object = None,
    redact: object = (),
    expose: object = (),
    secret: object = None,
    trace_ids: object = True,
    shared_group: object = False,
    max_bytes: object = MAX_BYTES,
) -> Settings:
    """Check what `configure` was given.

    Raises:
        ConfigurationError: Something cannot work; says what was given and what would.
    """
    if directory is None:
        for name, stated in (("fsync", fsync), ("ledger", ledger)):
            if stated is not None:
                raise ConfigurationError(f"{name}={stated!r} has no meaning with directory=None: nothing is on disk")
        if shared_group is True:
            raise ConfigurationError("shared_group=True has no meaning with directory=None: nothing is on disk")
        if deliver is False:
            raise ConfigurationError(
                "deliver=False has no meaning with directory=None: no other process can see what is in memory"
            )
    return Settings(
        transports=checked_transports(transport),
        directory=_directory(directory),
        syncs_each=_one_of("fsync", "interval" if fsync is None else fsync, "interval", "always") == "always",
        ledger=directory is not None and (ledger is None or _switch("ledger", ledger)),
        deliver=_switch("deliver", deliver),
        delivery_share=_share("delivery_share", delivery_share),
        raises=_one_of("on_audit_error", on_audit_error, "log", "raise") == "raise",
        on_error=_on_error(on_error),
        denied=_exceptions(denied),
        require=_require(require),
        defaults=_defaults(defaults, _require(require)),
        redact=_names("redact", redact),
        expose=_names("expose", expose),
        trace_ids=_switch("trace_ids", trace_ids),
        shared_group=_switch("shared_group", shared_group),
        max_bytes=_max_bytes(max_bytes),
        secrets=secrets_of(secret),
    )


def disabled(environment: Mapping[str, str]) -> bool:
    """Return whether ``AUDITKIT_DISABLED`` says that nothing is recorded: anything but 0, false, no and off."""
    return is_on(environment, "AUDITKIT_DISABLED")


def shares_group(environment: Mapping[str, str]) -> bool:
    """Return whether ``AUDITKIT_SHARED_GROUP`` opens the directory to its group: anything but 0, false, no and off."""
    return is_on(environment, "AUDITKIT_SHARED_GROUP")


def exit_timeout(environment: Mapping[str, str]) -> float:
    """Return how many seconds the interpreter's exit may take: ``AUDITKIT_SHUTDOWN_TIMEOUT``, if it can be used."""
    try:
        seconds = float(environment["AUDITKIT_SHUTDOWN_TIMEOUT"])
    except (KeyError, ValueError):
        return SHUTDOWN_TIMEOUT
    return seconds if 0 <= seconds < math.inf else SHUTDOWN_TIMEOUT


def checked_transports(given: object) -> tuple[Any, ...]:
    """Return the transports of what is given: one, a list of them, or None.

    Raises:
        ConfigurationError: One of them lacks what a transport has, or two have one name.
    """
    transports: list[Any] = []
    if given is not None:
        transports = list(given) if isinstance(given, list | tuple) else [given]
    names: set[str] = set()
    for each in transports:
        name = _transport_name(each)
        if name in names:
            raise ConfigurationError(f"two transports are named {name!r}: give one of them another name=")
        names.add(name)
        for number in ("max_batch", "concurrency"):
            _positive(f"{number} of {name}", getattr(each, number))
        _switch(f"durable of {name}", each.durable)
    return tuple(transports)


def _transport_name(given: Any) -> str:
    """Return the name of what has all that a transport has."""
    for wanted in ("send", "close", "name", "max_batch", "concurrency", "durable"):
        found = getattr(given, wanted, None)
        if isinstance(given, type) or found is None or (wanted in {"send", "close"} and not callable(found)):
            hint = f"the class {given.__name__}: write its parentheses" if isinstance(given, type) else describe(given)
            raise ConfigurationError(
                f"transport must have name, max_batch, concurrency, durable, send() and close(), got {hint}"
                + ("" if isinstance(given, type) else f" without {wanted}")
            )
    name = given.name
    if isinstance(name, str) and _NAME.fullmatch(name) and name != LEDGER:
        return name
    raise ConfigurationError(
        f"a transport's name must be up to 64 of a-z, 0-9, '_', '.', '-' and not {LEDGER!r}, got {describe(name)}"
    )


def _directory(given: object) -> Path | None:
    if given is None:
        return None
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else ""
    if isinstance(path, str) and path and "\0" not in path:
        try:
            return Path(os.path.abspath(path))  # noqa: PTH100  (not resolve: a symlink must be seen later)
        except FileNotFoundError:
            raise ConfigurationError(
                f"directory must be absolute where the working directory is gone, got {path!r}"
            ) from None
    raise ConfigurationError(f"directory must be a path or None, got {describe(given)}")


def _one_of(name: str, given: object, *choices: str) -> str:
    if isinstance(given, str) and given in choices:
        return given
    raise ConfigurationError(f"{name} must be {' or '.join(map(repr, choices))}, got {describe(given)}")


def _on_error(given: object) -> str:
    if isinstance(given, str) and given in {"skip", "record"}:
        return given
    try:
        return check_action(given)
    except InvalidEventError:
        raise ConfigurationError(
            f"on_error must be 'skip', 'record' or an action's name, got {describe(given)}"
        ) from None


def _exceptions(given: object) -> tuple[type[BaseException], ...]:
    kinds = given if isinstance(given, tuple) else (given,)
    for each in kinds:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise ConfigurationError(f"denied must be exception classes, got {describe(each)}")
    return kinds


def _require(given: object) -> tuple[str, ...]:
    names = given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    for each in names:
        if not isinstance(each, str) or each not in _REQUIRABLE:
            raise ConfigurationError(f"require must be made of {', '.join(_REQUIRABLE)}, got {describe(each)}")
    return tuple(map(str, names))


def _defaults(given: object, required: Sequence[str]) -> Defaults:
    import platform  # noqa: PLC0415  (`import auditkit` stays light: what only a trail needs is loaded with one)

    host = platform.node() or "localhost"
    if given is None:
        return Defaults(location=host)
    unknown = (
        [f"the key {describe(key)}" for key in given if key not in _REQUIRABLE] if isinstance(given, Mapping) else []
    )
    if unknown or not isinstance(given, Mapping):
        shown = ", ".join(unknown) or describe(given)
        raise ConfigurationError(f"defaults must be a mapping with the keys {', '.join(_REQUIRABLE)}, got {shown}")
    try:
        made = Defaults(
            group=text_id(given.get("group", "default"), "group"),
            actor=Actor.of(given.get("actor", "anonymous")),
            location=text_id(given.get("location", host), "location"),
            settled=frozenset(given) - frozenset(required),
        )
    except InvalidEventError as error:
        raise ConfigurationError(f"defaults: {error}") from None
    for name, text in (("group", made.group), ("actor", made.actor.id), ("location", made.location)):
        if not text:
            raise ConfigurationError(f"defaults: {name} must not be empty")
    return made


def _positive(name: str, given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return given
    raise ConfigurationError(f"{name} must be an int > 0, got {describe(given)}")


def _share(name: str, given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= 1:
        return float(given)
    raise ConfigurationError(f"{name} must be a number above 0 and up to 1, got {describe(given)}")


def _max_bytes(given: object) -> int:
    number = _positive("max_bytes", given)
    if number < SMALLEST:
        raise ConfigurationError(f"max_bytes must be at least {SMALLEST}, got {number}")
    return number


def _switch(name: str, given: object) -> bool:
    if isinstance(given, bool):
        return given
    raise ConfigurationError(f"{name} must be True or False, got {describe(given)}")


def _names(argument: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{argument} must be a list of names, got {describe(given)}")
    names = tuple(given)
    for each in names:
        if not isinstance(each, str) or not each:
            raise ConfigurationError(f"{argument} must be made of names, got {describe(each)}")
    return names


def secrets_of(given: object) -> tuple[bytes, ...]:
    """Return the secrets that were given, none or up to two, as bytes.

    Raises:
        ConfigurationError: They cannot be used; never shows them.
    """
    if given is None:
        return ()
    secrets = given if isinstance(given, list | tuple) else (given,)
    if not 1 <= len(secrets) <= _SECRETS:
        raise ConfigurationError(f"secret must be one secret or two (the first signs, both verify), got {len(secrets)}")
    found = []
    for each in secrets:
        if not isinstance(each, str | bytes):
            raise ConfigurationError(f"secret must be str or bytes, got a value of type {type(each).__name__}")
        if len(each) < _SHORTEST_SECRET:  # never show it
            raise ConfigurationError(f"secret must have at least {_SHORTEST_SECRET} characters, got {len(each)}")
        found.append(each.encode() if isinstance(each, str) else each)
    return tuple(found)
