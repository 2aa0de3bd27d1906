"""Objects of frameworks that run a function which they hold, where ``@audited`` stands above what made them.

The frameworks are never imported here: without them there is no such object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit.errors import AuditDefinitionError
from auditkit.loaded import loaded_class

if TYPE_CHECKING:
    from collections.abc import Callable


def decorated_in_place(given: Any, decorate: Callable[[Any], Any]) -> bool:
    """Decorate the function of a click command where click runs it, and return whether this is one.

    Raises:
        AuditDefinitionError: It is a command without a function, or a handler of Litestar, whose function is not to
            be replaced; or what ``decorate`` says.
    """
    kind = type(given)  # by its very type: a proxy is not asked
    if issubclass(kind, loaded_class("litestar.handlers.base", "BaseRouteHandler")):
        raise AuditDefinitionError(
            f"audited() cannot stand above Litestar's @{kind.__name__}, which runs the function inside; "
            f"write @{kind.__name__}(...) first and @audited(...) below it"
        )
    if not issubclass(kind, loaded_class("click.core", "Command")):
        return False
    if given.callback is None:
        raise AuditDefinitionError(
            f"audited() cannot audit the command {given.name!r}: there is no function in it; decorate its commands"
        )
    given.callback = decorate(given.callback)
    return True
