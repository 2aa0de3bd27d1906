"""The destinations that a command's environment and its ``--transport`` name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit.cli.importing import made_by
from auditkit.trail import transport_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterable


def named_transports(references: Iterable[str]) -> list[Any]:
    """Return the transports that ``AUDITKIT_TRANSPORT`` and references (``module:name``) name, not judged yet.

    Raises:
        ConfigurationError: There is no such one, or it cannot be made.
    """
    found = [transport_from_environment(), *map(made_by, references)]
    return [one for each in found if each is not None for one in (each if isinstance(each, list | tuple) else [each])]
