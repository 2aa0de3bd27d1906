"""What WorkOS answered, made safe to show: bounded, no event data, no control characters. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from auditkit.transports.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from auditkit.transports.raw_answer import RawAnswer

_SUCCESSES = frozenset({200, 201})
_SUCCESS = b'{"success":true}'
_MESSAGE = 300  # characters of WorkOS's message that are kept
_WORD = 120  # characters of a field's or code's name
_READ = 4096  # characters of each text that are looked at: a server may send a million, to keep its reader busy
_ERRORS = 20  # entries of an error list
_SHORTEST = 3  # characters; shorter values cannot be told from WorkOS's own words
_PUBLIC = frozenset({"action", "action_type", "organization_id", "occurred_at", "type", "version"})

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_HIDDEN = re.compile("\0+")
_ABOUT_EVENT = re.compile(r"organi[sz]ation|schema|audit.?log action|action not", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was read.

    Attributes:
        status: The HTTP status.
        document: The JSON body, or None when there is none. It may hold event data: never shown.
        message: What WorkOS said, safe to show; may be empty.
        errors: ``{"field": ..., "code": ...}``, safe to show.
        request_id: WorkOS's ``X-Request-ID``, or None.
        retry_after: Seconds that WorkOS asked to wait, or None.
        key_reused: WorkOS said that the idempotency key was used with another body; no echo of the event says so.
        about_event: WorkOS spoke of this event's organization, action or schema, not of the address.
    """

    status: int
    document: object = field(default=None, repr=False)
    message: str = ""
    errors: tuple[dict[str, str], ...] = ()
    request_id: str | None = None
    retry_after: float | None = None
    key_reused: bool = False
    about_event: bool = False

    @property
    def accepted(self) -> bool:
        """Return whether WorkOS said, in words, that it has the event.

        A status alone proves nothing: proxies and captive portals answer 200 to everything.
        """
        document = self.document
        return self.status in _SUCCESSES and isinstance(document, Mapping) and document.get("success") is True

    def summary(self) -> str:
        """Return the answer in one line, safe to log."""
        text = f"WorkOS answered {self.status}"
        if self.message:
            text += f": {self.message}"
        if self.errors:
            text += f" ({'; '.join(_entry(each) for each in self.errors)})"
        return f"{text} [request {self.request_id}]" if self.request_id else text


def is_success(raw: RawAnswer) -> bool:
    """Return whether this is, byte for byte, how WorkOS says that it has the event: the answer that nearly all are.

    To read one otherwise takes ten times as long, and says more: `Answer.accepted`.
    """
    return raw.status in _SUCCESSES and raw.body == _SUCCESS


def read_answer(raw: RawAnswer, now: datetime, sent: Iterable[str] = (), *, key: str | None = None) -> Answer:
    """Read an answer.

    Args:
        raw: The answer as it came.
        now: The aware time that a ``Retry-After`` date is compared with.
        sent: The texts that were sent and must not come back in a message, the API key among them, nor be taken for
            WorkOS's own words; not looked at on success.
        key: The idempotency key that was sent, or None.
    """
    document = _document(raw.body)
    request_id = raw.headers.get("x-request-id", "")
    known = request_id if _REQUEST_ID.fullmatch(request_id) else None
    if raw.status < 300:  # noqa: PLR2004  (the first status that is no success)
        return Answer(status=raw.status, document=document, request_id=known)
    found: Mapping[str, Any] = document if isinstance(document, Mapping) else {}
    sent = list(sent)
    hidden = sorted({form for each in sent if len(each) >= _SHORTEST for form in _forms(each)}, key=len, reverse=True)
    return Answer(
        status=raw.status,
        document=document,
        message=_safe(found.get("message"), hidden, _MESSAGE),
        errors=tuple(_errors(found.get("errors"), hidden)),
        request_id=known,
        retry_after=retry_after(raw.headers.get("retry-after"), now),
        key_reused=key is not None and _says_reused(found.get("message"), key, sent),
        about_event=_is_about_event(found, hidden),
    )


def texts_of(body: bytes) -> Iterator[str]:
    """Yield every value in a JSON body that is the event's own data, as text."""
    yield from _texts(_document(body), _PUBLIC)


def _texts(value: object, public: frozenset[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name not in public or not isinstance(each, str | int):
                # In the metadata the names are the application's, and mean what it likes.
                yield from _texts(each, frozenset() if name == "metadata" else public)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, public)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or brackets without end
        return None


def _forms(text: str) -> Iterator[str]:
    """Yield how a text may come back: as it is, inside of JSON once or twice inside of the message, in an address."""
    yield text
    once = _escaped(text)
    yield from once
    for each in once:
        yield from _escaped(each)
    yield from (quote(text, errors="replace"), quote_plus(text, errors="replace"))


def _escaped(text: str) -> list[str]:
    return [json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]


def _says_reused(message: object, key: str, sent: list[str]) -> bool:
    """Return whether WorkOS says that a key was used with another body.

    Its whole sentence must begin the message and name this very key, and the event must not hold it: an event that was
    refused, and whose own text only reads like it, would be taken for an accepted one and vanish.
    """
    sentence = f"Another idempotency key ({key}) with different request parameters was found"
    return isinstance(message, str) and message.startswith(sentence) and not any(sentence in each for each in sent)


def _is_about_event(found: Mapping[str, Any], hidden: list[str]) -> bool:
    if "entity_id" in found or found.get("code") == "entity_not_found":
        return True
    return any(_ABOUT_EVENT.search(_own_words(found.get(name), hidden)) for name in ("code", "message", "error"))


def _own_words(text: object, hidden: list[str]) -> str:
    """Return the beginning of what WorkOS said, without what was sent to it."""
    if not isinstance(text, str):
        return ""
    # What begins in the part that is looked at is hidden though it ends behind it.
    text = text[: _READ + (len(hidden[0]) if hidden else 0)]
    for each in hidden:
        text = text.replace(each, "\0" * len(each))  # as long as it was: nothing moves into that part, or out of it
    return _HIDDEN.sub("[...]", text[:_READ])


def _safe(text: object, hidden: list[str], limit: int) -> str:
    shown = _CONTROLS.sub(" ", _own_words(text, hidden)).strip()
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def _errors(entries: object, hidden: list[str]) -> Iterator[dict[str, str]]:
    """Yield where and why, in WorkOS's two shapes; never ``data``, which is the offending value itself."""
    for entry in entries[:_ERRORS] if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            where = entry.get("field", entry.get("instancePath"))
            why = entry.get("code", entry.get("keyword"))
            yield {"field": _safe(where, hidden, _WORD), "code": _safe(why, hidden, _WORD)}


def _entry(entry: Mapping[str, str]) -> str:
    return f"{entry['field']}: {entry['code']}" if entry["field"] else entry["code"]
