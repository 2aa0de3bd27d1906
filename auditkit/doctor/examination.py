"""The examination: everything that is looked at, in the order in which it is told."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path, PurePosixPath
from shutil import disk_usage
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from auditkit import configuration, files, mounts, native
from auditkit.clock import SystemClock, new_id
from auditkit.doctor.destination import judge_clock, judge_probe, judge_proxies
from auditkit.doctor.filesystem import judge_locks, judge_mount, judge_space, judge_syncs
from auditkit.doctor.finding import Finding, ok, problem, warning
from auditkit.doctor.place import look_at_place, nearest
from auditkit.doctor.software import judge_sqlite, judge_versions
from auditkit.errors import AuditError, ConfigurationError, DeliveryError
from auditkit.trail.catching_up import remembered
from auditkit.transports.api_key import check_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditkit.clock import Clock
    from auditkit.protocols import Transport

_PACKAGES = ("auditkit-trail", "httpx", "wrapt")
_SYNCS = 9
_BLOCK = bytes(4096)
_KEY = "WORKOS_API_KEY"


def examine(
    directory: str | os.PathLike[str],
    transports: Sequence[Transport],
    *,
    shared_group: bool,
    environment: Mapping[str, str],
    clock: Clock | None = None,
) -> Iterator[Finding]:
    """Yield what is found, good or bad; records nothing, and sends neither an event nor a key.

    A file is made for a moment to measure a sync. Each destination that can tell is asked whether it is there.

    Args:
        directory: The audit directory.
        transports: The destinations.
        shared_group: Whether the directory's group is declared, as `configure` takes it.
        environment: The environment's variables.
        clock: Time.
    """
    clock = clock or SystemClock()
    named = Path(os.path.abspath(directory))  # noqa: PTH100  (not resolve: a symbolic link must be seen)
    packages = {name: _version(name) for name in _PACKAGES}
    yield judge_versions(platform.python_version(), packages, compiled=native.compiled is not None)
    yield from _look_at_environment(environment)
    yield from look_at_place(named, shared=shared_group)
    yield from _look_at_disk(files.home(named), clock)
    yield judge_sqlite(_sqlite())
    yield from _look_at_secrets(environment)
    yield from judge_proxies(getproxies())
    yield from _look_at_destinations(named, transports, clock)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, OSError):  # run from its sources, or by a user who may not look there
        return None


def _sqlite() -> tuple[int, int, int] | None:
    try:
        from auditkit.ledger import sqlite_version  # noqa: PLC0415  (a Python may be built without sqlite3)
    except ImportError:
        return None
    return sqlite_version()


def _look_at_environment(environment: Mapping[str, str]) -> Iterator[Finding]:
    if configuration.disabled(environment):
        yield warning(
            "environment", "AUDITKIT_DISABLED is set: nothing is recorded", "unset it where that is not meant"
        )
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = environment.get(name)
        if path and not os.path.exists(path):  # noqa: PTH110  (a text from outside)
            yield problem("environment", f"{name} names {path}, which is not there", "correct or unset it")


def _look_at_disk(place: Path, clock: Clock) -> Iterator[Finding]:
    there = nearest(place)
    if not there.is_dir():
        return
    yield judge_mount(mounts.holding(PurePosixPath(os.path.realpath(there)), files.mounts()))
    yield judge_space(disk_usage(there).free, _size_of(place / "journal"), configuration.MAX_BYTES)
    try:
        yield from _try(there / f".auditkit-doctor-{new_id()}", clock)
    except OSError as error:
        remedy = "run the doctor as the user that runs the application, or free space"
        yield problem("fsync", f"nothing can be written in {there}: {error.strerror}", remedy)


def _size_of(journal: Path) -> int:
    try:
        return sum(path.lstat().st_size for path in files.listing(journal))
    except OSError:
        return 0


def _try(path: Path, clock: Clock) -> Iterator[Finding]:
    """Write, sync and lock a file that is removed again."""
    file = files.create_private(path)
    try:
        seconds = []
        for number in range(_SYNCS):
            began = clock.monotonic()
            files.write_at(file.fd, _BLOCK, number * len(_BLOCK))
            files.sync(file.fd)
            seconds.append(clock.monotonic() - began)
        yield judge_syncs(seconds)
        second = files.open_existing(path)
        try:
            yield judge_locks(kept=files.lock(file.fd) and not files.lock(second.fd))
        finally:
            files.close(second)
    finally:
        files.close(file)
        path.unlink()


def _look_at_secrets(environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        secrets = configuration.secrets_of(environment.get("AUDITKIT_SECRET") or None)
    except ConfigurationError as error:
        yield problem("secret", f"AUDITKIT_SECRET: {error}", "set a longer one, made by chance")
    else:
        if secrets:
            yield ok("secret", "AUDITKIT_SECRET is set (not shown)")
        else:
            yield warning(
                "secret",
                "AUDITKIT_SECRET is not set: who may write the files can edit the trail unseen",
                "set one, here and for the application; for one that configures secret=... itself, never mind",
            )
    if not environment.get(_KEY):
        yield ok("key", f"{_KEY} is not set")
        return
    try:
        check_key()
    except ConfigurationError as error:
        yield problem("key", f"{_KEY}: {error}", "set it anew")
    else:
        yield ok("key", f"{_KEY} is set (not shown)")


def _look_at_destinations(named: Path, transports: Sequence[Any], clock: Clock) -> Iterator[Finding]:
    names = {each.name for each in transports}
    others = sorted(remembered(named) - names - {configuration.LEDGER})
    if others:
        yield warning(
            "destinations",
            f"the directory keeps events for {', '.join(others)}, of which nothing is known here",
            "set AUDITKIT_TRANSPORT or give --transport to look at them",
        )
    elif not transports:
        yield ok("destinations", "none is named here (AUDITKIT_TRANSPORT, --transport) or remembered")
    for transport in transports:
        yield from _look_at_destination(transport, clock)


def _look_at_destination(transport: Any, clock: Clock) -> Iterator[Finding]:
    check = f"destination {transport.name}"
    probe = getattr(transport, "probe", None)
    if probe is None:
        yield ok(check, f"{transport!r} cannot be asked without an event")
        return
    try:
        probed = probe()
    except (AuditError, OSError) as error:
        retried = "; see its name, certificate, firewall and proxy" if isinstance(error, DeliveryError) else ""
        yield problem(check, str(error), f"everything is kept and tried again{retried}")
        return
    yield judge_probe(transport.name, probed)
    told = judge_clock(probed, clock.time_ns() / 1e9)
    if told is not None:
        yield told
