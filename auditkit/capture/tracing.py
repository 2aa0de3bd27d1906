"""The trace that an event belongs to, where the application uses OpenTelemetry. It is never imported here.

Source: https://opentelemetry.io/docs/specs/otel/trace/api/#spancontext: 16 and 8 bytes, told as lowercase hex.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from auditkit.errors import NOT_OURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditkit.draft import Scene
    from auditkit.protocols import Recorder

_TRACING: Final = "opentelemetry.trace"
_MODULES: Final = sys.modules  # bound once: it is looked into on every audited call


def ambient(trail: Recorder, scene: Scene) -> Mapping[str, Any]:
    """Return the metadata that is around a call: the context's, and below it the ids of the active span."""
    if not trail.trace_ids or _TRACING not in _MODULES:
        return scene.metadata
    try:
        context = _MODULES[_TRACING].get_current_span().get_span_context()
        if not context.is_valid:
            return scene.metadata
        ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    except NOT_OURS:
        raise
    except BaseException:  # noqa: BLE001  (no span, or one that is none: an event needs no trace)
        return scene.metadata
    return {**ids, **scene.metadata}
