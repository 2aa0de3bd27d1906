"""Every answer that can come, and what delivery does about it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from auditkit.errors import DeliveryError, KeyReused, Paused, Rejected, TemporaryFailure
from auditkit.transports.raw_answer import RawAnswer
from auditkit.transports.workos_answer import Answer, is_success, read_answer, texts_of
from auditkit.transports.workos_verdict import verdict
from tests.unit.transports.examples import NOON

SUCCESS = b'{"success": true}'
REUSED = (
    "Another idempotency key (bar) with different request parameters was found. Please use a different idempotency key."
)


def _read(status: int, body: object = b"", *, sent: tuple[str, ...] = (), **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(RawAnswer(status=status, headers=named, body=content), NOON, sent, key="bar")


@pytest.mark.parametrize(
    "status, body, expected",
    [
        (201, SUCCESS, None),
        (200, SUCCESS, None),
        (400, {"message": REUSED}, KeyReused),
        (422, {"message": REUSED}, Rejected),
        (200, b"<html>Sign in to the airport's network</html>", TemporaryFailure),
        (200, {"success": False}, TemporaryFailure),
        (201, b"", TemporaryFailure),
        (201, b"[" * 100_000, TemporaryFailure),
        (202, SUCCESS, TemporaryFailure),
        (204, b"", TemporaryFailure),
        (301, SUCCESS, Paused),
        (302, b"", Paused),
        (308, b"", Paused),
        (400, {"message": "Validation failed"}, Rejected),
        (401, {"message": "Unauthorized"}, Paused),
        (402, b"", Rejected),
        (403, {"message": "Forbidden"}, Paused),
        (404, {"message": "Not Found", "error": "Not Found"}, Paused),
        (404, b"<html>no such organization page</html>", Paused),
        (404, {"message": "Organization not found: 'org_9'.", "code": "entity_not_found"}, Rejected),
        (404, {"message": "Not there", "entity_id": "org_9"}, Rejected),
        (404, {"message": "No schema for this action"}, Rejected),
        (405, b"", Rejected),
        (408, b"", TemporaryFailure),
        (409, b"", TemporaryFailure),
        (410, b"", Rejected),
        (413, {"message": "request entity too large"}, Rejected),
        (422, {"message": "Validation failed"}, Rejected),
        (425, b"", TemporaryFailure),
        (429, b"", TemporaryFailure),
        (500, b"", TemporaryFailure),
        (501, b"", Rejected),
        (502, b"<html>", TemporaryFailure),
        (503, b"", TemporaryFailure),
        (504, b"", TemporaryFailure),
        (599, b"", TemporaryFailure),
    ],
)
def test_verdict_follows_status_and_body(status: int, body: object, expected: type[DeliveryError] | None) -> None:
    """Only WorkOS's own word is a success; nothing that could be accepted later is rejected."""
    found = verdict(_read(status, body))

    assert (None if found is None else type(found)) is expected


@pytest.mark.parametrize(
    "message, sent",
    [
        (f"actor_name is not allowed: {REUSED}", ()),
        (REUSED.lower(), ()),
        (REUSED.replace("bar", "foo"), ()),
        ("idempotency key, different request parameters", ()),
        (f"{REUSED} is no name", (REUSED,)),
        (f"{REUSED} is no name", (f"{REUSED} is no name",)),
    ],
)
def test_event_that_reads_like_an_accepted_one_is_refused(message: str, sent: tuple[str, ...]) -> None:
    """No text of an event that comes back in its refusal lets it pass for one that WorkOS has."""
    assert type(verdict(_read(400, {"message": message}, sent=sent))) is Rejected


@pytest.mark.parametrize("sent", ["key", "bar", "Another", "idempotency key", "different request parameters", "(", "a"])
def test_used_key_is_recognised_whatever_was_sent(sent: str) -> None:
    """WorkOS's own sentence is understood also where the event's texts are words of it."""
    assert type(verdict(_read(400, {"message": REUSED}, sent=(sent,)))) is KeyReused


@pytest.mark.parametrize(
    "body, expected",
    [
        ({"message": "no page for my organization"}, Paused),
        ({"message": "no organization for my organization"}, Rejected),
        ({"message": "my organization: not found", "code": "entity_not_found"}, Rejected),
        ({"message": "my organization: not found", "entity_id": "my organization"}, Rejected),
    ],
)
def test_what_was_sent_does_not_make_a_404_the_event_s(body: object, expected: type[DeliveryError]) -> None:
    """Only WorkOS's own words say that the event, and not the address, is what is not there."""
    assert type(verdict(_read(404, body, sent=("my organization",)))) is expected


@pytest.mark.parametrize(
    "words", ["idempotency key ", "Another idempotency key (", "audit", "\0", "[...]", "\u202e", "ab"]
)
@pytest.mark.parametrize("status", [302, 400, 404, 503])
@pytest.mark.timeout(15)  # what costs the answer's length takes milliseconds; what costs its square, minutes
def test_no_answer_takes_long(status: int, words: str) -> None:
    """However much a server says, to read it takes no longer than that."""
    text = words * (2**20 // len(words))
    sent = tuple(f"{words}{number}" for number in range(100))
    answer = _read(status, {"message": text, "code": text, "errors": [{"field": text, "code": text}] * 9}, sent=sent)

    assert verdict(answer) is not None


@pytest.mark.parametrize("before", [0, 10, 4090, 4096])
def test_text_that_runs_past_what_is_read_is_hidden(before: int) -> None:
    """Where a long answer is cut, no half of what was sent is left."""
    private = "private" * 1000
    said = ("x" * before + private) * 3

    assert "pri" not in _read(400, {"message": said}, sent=(private, "x" * 10, "xxx")).summary()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 302, 400, 500])
@pytest.mark.parametrize("body", [b'{"success":true}', SUCCESS, b'{"success":false}', b"", b'{"success":true}\n'])
def test_plain_success_is_what_is_read_as_one(status: int, body: bytes) -> None:
    """What is taken for a success unread is one when it is read, and is just WorkOS's own answer."""
    plain = is_success(RawAnswer(status=status, headers={}, body=body))

    assert plain == (status in {200, 201} and body == b'{"success":true}')
    assert not plain or _read(status, body).accepted


@pytest.mark.parametrize("status", [429, 503])
def test_verdict_carries_the_wait_that_was_asked_for(status: int) -> None:
    """Delivery learns how long WorkOS asked to wait."""
    found = verdict(_read(status, retry_after="17"))

    assert isinstance(found, TemporaryFailure)
    assert found.retry_after == 17.0


def test_summary_names_reason_fields_and_request() -> None:
    """One line holds what a person needs to act or to ask WorkOS's support."""
    errors = [{"field": "action_type", "code": "action_type must be a string"}]
    answer = _read(422, {"message": "Validation failed", "errors": errors}, x_request_id="req_1")

    assert answer.summary() == (
        "WorkOS answered 422: Validation failed (action_type: action_type must be a string) [request req_1]"
    )
    assert answer.errors == tuple(errors)


def test_summary_repeats_nothing_of_the_event() -> None:
    """Values that WorkOS echoes, in its message, its codes or its data, are in no text of ours."""
    canary = "4111-canary-1111"
    sent = json.dumps({"group": "g", "metadata": {"card": canary, "deep": {"pin": 987654}}, "action": "a.b"})
    entry: dict[str, Any] = {
        "instancePath": "/metadata/card",
        "keyword": f"not {canary}",
        "data": canary,
        "params": {"value": canary},
        "message": f"{canary} is bad",
    }
    body = {"message": f"card {canary} and pin 987654 of a.b are bad", "errors": [entry]}

    answer = read_answer(
        RawAnswer(status=400, headers={}, body=json.dumps(body).encode()), NOON, texts_of(sent.encode())
    )

    assert answer.summary() == (
        "WorkOS answered 400: card [...] and pin [...] of a.b are bad (/metadata/card: not [...])"
    )
    assert canary not in repr(answer)


@pytest.mark.parametrize(
    "echo",
    [
        "%s is bad",
        "got " + json.dumps({"note": "%s"}),
        "Cannot GET /events?search=%s",
    ],
)
def test_summary_repeats_no_text_in_any_form(echo: str) -> None:
    """A text comes back as it was, inside of JSON or in an address: it is in no text of ours."""
    private = 'call "Zoë"\nat 7'
    forms = [private, *(json.dumps(private, ensure_ascii=escapes)[1:-1] for escapes in (True, False))]
    forms += [json.dumps(form)[1:-1] for form in forms]
    forms += [quote(private), quote_plus(private)]

    for form in forms:
        shown = _read(400, {"message": echo.replace("%s", form)}, sent=(private,)).summary()
        assert "7" not in shown.partition("400")[2]
        assert "[...]" in shown


def test_names_in_metadata_are_the_application_s() -> None:
    """A value under a name that WorkOS uses elsewhere is data there, and public only in its own place."""
    sent = {"event": {"action": "a.b", "targets": [{"type": "card"}], "metadata": {"type": "divorce", "version": 41}}}

    assert ["divorce", "41"] == list(texts_of(json.dumps(sent).encode()))


def test_summary_is_bounded_and_steers_no_terminal() -> None:
    """A hostile answer neither floods nor forges a log."""
    errors = [{"field": "f" * 999, "code": "c" * 999}] * 999
    answer = _read(422, {"message": "m" * 9999 + "\n", "errors": errors}, x_request_id="r\x1b[2J")

    assert len(answer.summary()) < 6000
    assert answer.request_id is None
    assert _read(400, {"message": "a\r\nb\x1b[2J\u202ec"}).message == "a  b [2J c"


@pytest.mark.parametrize(
    "body",
    [[], "text", 5, None, {"message": 5}, {"errors": "x"}, {"errors": [1, None, {}]}, {"errors": {"a": 1}}],
)
def test_read_answer_survives_any_json(body: object) -> None:
    """An answer of another shape is an answer without words."""
    assert isinstance(verdict(_read(422, body)), Rejected)
