"""A WorkOS account without a network: what it holds, and what it answers to a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from auditkit.testing.workos_listing import listed, page, query_errors
from auditkit.testing.workos_rules import audit_logs_errors, audit_trail_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from auditkit.testing.loopback_server import RecordedRequest

_MAX_BODY = 100 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered: a JSON value, or text and bytes as they stand."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class WorkOSAccount:
    """Hold events and idempotency keys. Used under its owner's lock.

    Attributes:
        events: The accepted bodies of both endpoints, oldest first.
    """

    def __init__(self, api_key: str, organizations: Collection[str] | None) -> None:
        self._authorization = f"Bearer {api_key}"
        self._organizations = organizations
        self._listed: list[dict[str, Any]] = []
        self._keys: dict[str, object] = {}
        self.events: list[dict[str, Any]] = []

    def forget_keys(self) -> None:
        """Forget every idempotency key."""
        self._keys.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.events.clear()
        self._listed.clear()
        self._keys.clear()

    def answer(self, request: RecordedRequest) -> Reply:
        """Return WorkOS's answer, and keep what it accepts."""
        if request.headers.get("authorization") != self._authorization:
            return Reply(status=401, body={"message": "Unauthorized"})
        parts = urlsplit(request.path)
        match request.method, parts.path:
            case "POST", "/events":
                return self._create(request, self._audit_trail)
            case "POST", "/audit_logs/events":
                return self._create(request, self._audit_logs)
            case "GET", "/events":
                return self._list(parse_qs(parts.query, keep_blank_values=True))
            case _:
                return Reply(status=404, body={"message": "Not Found", "error": "Not Found"})

    def _create(self, request: RecordedRequest, accept: Callable[[Any], Reply | None]) -> Reply:
        if len(request.body) > _MAX_BODY:
            return Reply(status=413, body={"message": "request entity too large"})
        try:
            body = request.json()
        except ValueError:
            return Reply(status=400, body={"message": "Unexpected token in JSON"})
        key = request.headers.get("idempotency-key")
        if key is not None and key in self._keys:
            return Reply(status=201, body={"success": True}) if self._keys[key] == body else _reused(key)
        refusal = accept(body)
        if refusal is not None:
            return refusal
        self.events.append(body)
        if key is not None:
            self._keys[key] = body
        return Reply(status=201, body={"success": True})

    def _audit_trail(self, body: Any) -> Reply | None:
        errors = audit_trail_errors(body)
        if errors:
            return Reply(status=422, body={"message": "Validation failed", "errors": errors})
        self._listed.append(listed(len(self._listed) + 1, body))
        return None

    def _audit_logs(self, body: Any) -> Reply | None:
        organization = body.get("organization_id") if isinstance(body, Mapping) else None
        if not isinstance(organization, str):
            code = "organization_id must be a string"
            errors = [{"field": "organization_id", "code": code}]
            return Reply(status=422, body={"message": "Validation failed", "errors": errors})
        if self._organizations is not None and organization not in self._organizations:
            message = f"Organization not found: '{organization}'."
            return Reply(
                status=404,
                body={"message": message, "code": "entity_not_found", "entity_id": organization},
            )
        invalid = audit_logs_errors(body.get("event"))
        if invalid:
            message = "Invalid Audit Log event"
            return Reply(status=400, body={"code": "invalid_audit_log", "message": message, "errors": invalid})
        return None

    def _list(self, query: Mapping[str, list[str]]) -> Reply:
        errors = query_errors(query)
        if errors:
            return Reply(status=422, body={"message": "Validation failed", "errors": errors})
        return Reply(status=200, body=page(self._listed, query))


def _reused(key: str) -> Reply:
    message = (
        f"Another idempotency key ({key}) with different request parameters was found. "
        "Please use a different idempotency key."
    )
    return Reply(status=400, body={"message": message})
