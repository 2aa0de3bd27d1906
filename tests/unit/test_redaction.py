"""What is kept out of everything that auditkit writes."""

from __future__ import annotations

import json
import string
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.errors import ConfigurationError
from auditkit.redaction import REDACTED, Redactor
from auditkit.snapshot import created, deleted, difference, snapshot

CANARY = "canary4711"
SECRET_NAMES = [
    "password", "Password", "PASSWORD_HASH", "user_password", "new-password", "passwd", "passphrase", "secret",
    "clientSecret", "client-secret", "token", "accessToken", "refresh_token", "csrf_token", "Authorization",
    "proxy-authorization", "api_key", "apiKey", "X-API-Key", "access_key", "AccessKeyId", "private_key",
    "credential", "credentials", "cookie", "Set-Cookie", "session_id", "sessionid", "card_number", "creditCard",
    "cvv", "cvc", "card_cvv", "ssn", "user_ssn", "pin", "pin_code", "otp", "otpCode", "pwd", "db_pwd", "auth", "jwt",
    "cred", "DB_PASS",
]  # fmt: skip
INNOCENT_NAMES = [
    "body", "author", "authored_by", "pinned", "spinner", "passenger", "compass", "adoption", "key", "keyboard",
    "card", "session", "id", "name", "pinged_at", "classname", "tokyo", "hotpot",
]  # fmt: skip
SECRETS = [
    "Bearer abcdef0123456789",
    "authorization: bearer abcdef0123456789",
    "BEARER abcdef0123456789",
    "Basic dXNlcjpwYXNzd29yZA==",
    "basic dTpw",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "see eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIE cut off",
    "sk_live_abcdefgh12345678",
    "sk_test_abcdefgh12345678",
    "pk_live_abcdefgh12345678",
    "rk_live_abcdefgh12345678",
    "sk-abcdefghijklmnop1234",
    "sk_abcdefghijklmnop1234",
    "whsec_abcdefgh12345678",
    "ghp_abcdefghijklmnop1234",
    "github_pat_abcdefghijklmnop1234",
    "glpat-abcdefghijklmnop1234",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "pypi-abcdefghijklmnopqrstuvwxyz0123456789",
    "xoxb-1234567890-abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "postgres://user:hunter2@db/prod",
    "redis://:hunter2@cache",
    "postgres://user:hun/ter2@db/prod",
    "https://abcdefabcdefabcdef@git.example/repo",
    "https://example.com/?access_token=abc&x=1",
    "host=db password=hunter2",
    "sessionid=abc; theme=dark",
    '[{"password": "x"}]',
    '{"a": {"api_key": "x"}}',
    "{'password': 'x'}",
    '[["authorization", "x"], ["accept", "*/*"]]',
    '[{"name": "DB_PASSWORD", "value": "x"}]',
    '["{\\"pin\\": 1}"]',
    '{"p\\u0061ssword": "x"}',
    '["STRIPE:\\nsk_live_abcdefgh12345678"]',
    '["\\u00e9sk_live_abcdefgh12345678"]',
    '["{\\"note\\": \\"a\\\\tghp_abcdefghijklmnop1234\\"}"]',
    '["a\\nBasic dTpw"]',
    '["bearer\\tabcdef0123456789"]',
    "0x736b5f6c6976655f61626364656667683132333435363738" + "0a",
    "0x70617373776f72643d68756e746572320a",
    '{"' + "x" * 500 + 'password": "x"}',
]
INNOCENT_TEXTS = [
    "What time is the event?",
    "basic plan",
    "Basic membership",
    "the bearer",
    "https://example.com/@user",
    "https://example.com:8080/a@b",
    "ssh://git@example.com/repo",
    "a:b@c",
    "eyJ",
    "AKIA",
    "sk_",
    "a_b-c",
    "2 -- 3",
    'it\'s "quoted": fine',
    '["token", "scope"]',
    '["a\\nb\\u00e9c"]',
    "0xdeadbeef",
    "0x52908400098527886e0f7030069857d2e4169ee7",
    '{"body": "x"}',
    "a = b",
    "x=1",
    "",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
@pytest.mark.parametrize(
    "form", ["{}", "{}_was", "user.{}", "{}.inner", "state.{}_was", "a.b.c.{}", "{} (int)", "{} #2"]
)
def test_secret_name_is_redacted(name: Any, form: Any) -> None:
    """A name that says that its value is a secret does so in every spelling and at every depth."""
    assert {form.format(name): REDACTED} == Redactor().apply({form.format(name): CANARY})


@pytest.mark.parametrize("name", INNOCENT_NAMES)
def test_innocent_name_is_kept(name: Any) -> None:
    """A name that only sounds like a secret's keeps its value."""
    metadata: dict[str, Any] = {name: CANARY, f"{name}_was": CANARY}

    assert metadata is Redactor().apply(metadata)


@pytest.mark.parametrize("text", SECRETS)
def test_secret_shape_is_redacted(text: Any) -> None:
    """A value that has a secret's shape is replaced whatever its name, alone and in the middle of a text."""
    assert {"note": REDACTED} == Redactor().apply({"note": text})
    assert {"note": {"inner": REDACTED}} == Redactor().apply({"note": {"inner": f"see {text} there"}})
    assert REDACTED in Redactor().text(f"see {text} there")


@pytest.mark.parametrize("text", INNOCENT_TEXTS)
def test_innocent_text_is_kept(text: Any) -> None:
    """A value that only resembles a secret is kept, as the very same object."""
    metadata: dict[str, Any] = {"note": text, "map": {"inner": text}}

    assert metadata is Redactor().apply(metadata)
    assert text == Redactor().text(text)


def test_text_keeps_what_is_around_a_secret() -> None:
    """A message stays readable; what has the shape of a secret is taken out of it."""
    assert f"key {REDACTED} was refused" == Redactor().text("key sk_live_abcdefgh12345678 was refused")
    assert f"sent {REDACTED} twice" == Redactor().text("sent Basic dXNlcjpwYXNz twice")
    assert "--" not in Redactor().text("-----BEGIN KEY-----\nMIIE\n-----END KEY----- and -----BEGIN KEY-----\nMI")


@pytest.mark.parametrize(
    "text, shown",
    [
        ("https://user:hunter2@example.com/x", "[redacted]example.com/x"),
        ("Bearer abcdef0123456789", REDACTED),
        ("host=db password=hunter2", REDACTED),
        ("user_1", "user_1"),
        ("Zoë O'Brien", "Zoë O'Brien"),
        ("", ""),
    ],
)
def test_identity_keeps_what_tells_one_from_the_other(text: str, shown: str) -> None:
    """Of an id, a name or a place only the secret goes, and what is no secret stays as it is."""
    redactor = Redactor()

    assert redactor.identity(text) == shown
    assert redactor.identity(shown) == shown
    assert redactor.target(text, text) == (shown, shown)
    assert redactor.target("a", text) == ("a", shown)


def test_identity_that_is_a_secret_can_be_told_from_another() -> None:
    """With a key the ids of two secrets stay two, and those of one stay one."""
    redactor = Redactor(key=b"k")
    one, again, other = map(redactor.identity, ("sk_live_abcdefgh1", "sk_live_abcdefgh1", "sk_live_abcdefgh2"))

    assert one == again != other
    assert one.startswith("[redacted:")


def test_identity_that_cannot_be_judged_is_dropped() -> None:
    """A failure of redaction lets no identity pass either."""
    unreadable: Any = 5

    assert Redactor().identity(unreadable) == REDACTED


def test_other_values_under_a_secret_name() -> None:
    """Numbers and truths under a secret's name are replaced too; None says only that there is nothing."""
    metadata: dict[str, Any] = {"pin": 1234, "otp": 1.5, "token": True, "secret": None}

    assert {"pin": REDACTED, "otp": REDACTED, "token": REDACTED, "secret": None} == Redactor().apply(metadata)


def test_other_values_are_kept() -> None:
    """Numbers, truths and None under other names are kept."""
    metadata: dict[str, Any] = {"a": 1, "b": 1.5, "c": True, "d": None, "e": {"f": 1}}

    assert metadata is Redactor().apply(metadata)


def test_nested_mapping_under_a_secret_name() -> None:
    """Everything below a secret's name is replaced, names stay."""
    metadata: dict[str, Any] = {"credentials": {"user": "u", "n": 1}, "headers": {"Cookie": "c", "Accept": "a"}}
    expected = {"credentials": {"user": REDACTED, "n": REDACTED}, "headers": {"Cookie": REDACTED, "Accept": "a"}}

    assert expected == Redactor().apply(metadata)


def test_apply_changes_nothing_in_place() -> None:
    """What the application gave stays as it is, and the order of names is kept."""
    metadata: dict[str, Any] = {"a": 1, "token": "x", "b": 2}
    redacted = Redactor().apply(metadata)

    assert {"a": 1, "token": "x", "b": 2} == metadata
    assert ["a", "token", "b"] == [*redacted]


@pytest.mark.parametrize("key", ["email", "e_mail", "E-Mail", "email_was", "user.email", "state.email", "email.domain"])
def test_names_to_redact(key: Any) -> None:
    """A further name is matched whole, in every spelling and at every depth."""
    redactor = Redactor(redact=("e-mail",))

    assert {key: REDACTED} == redactor.apply({key: "x"})
    assert {"emails_sent": 1} == redactor.apply({"emails_sent": 1})


def test_dotted_name_to_redact() -> None:
    """A dotted name means that place, at any depth; inside a list its last part is enough."""
    redactor = Redactor(redact=("address.street",))
    metadata: dict[str, Any] = {"address.street": "a", "user.address.street_was": "b", "street": "c"}

    assert {"address.street": REDACTED, "user.address.street_was": REDACTED, "street": "c"} == redactor.apply(metadata)
    assert {"users": REDACTED} == redactor.apply({"users": '[{"address": {"street": "a"}}]'})


def test_exposed_name_is_let_through() -> None:
    """An exact name is let through, but not what lies below a secret, nor what has a secret's shape."""
    redactor = Redactor(expose=("token_count", "credentials.kind"), redact=("cookie_count",))

    assert {"token_count": 5} == redactor.apply({"token_count": 5})
    assert {"llm.tokenCount_was": 5} == redactor.apply({"llm.tokenCount_was": 5})
    assert {"credentials.kind": "x"} == redactor.apply({"credentials.kind": "x"})
    assert {"credentials.token_count": REDACTED} == redactor.apply({"credentials.token_count": 5})
    assert {"tokens_count": REDACTED} == redactor.apply({"tokens_count": 5})
    assert {"token_count": REDACTED} == redactor.apply({"token_count": "sk_live_abcdefgh12345678"})


def test_redact_is_stronger_than_expose() -> None:
    """What somebody asked to have redacted is, whoever exposes it."""
    redactor = Redactor(expose=("token_count",)).with_names(("token_count",))

    assert {"token_count": REDACTED} == redactor.apply({"token_count": 5})


def test_with_names_leaves_the_first_as_it_was() -> None:
    """A decorator's names are its own."""
    first = Redactor(key=b"k", expose=("token_count",), redact=("email",))
    second = first.with_names(("phone",))

    assert {"phone": "1", "token_count": 2} == first.apply({"phone": "1", "token_count": 2})
    assert first.apply({"email": "1"}) == second.apply({"email": "1"})
    assert REDACTED != second.apply({"phone": "1"})["phone"]
    assert first is first.with_names(("e-mail",))
    assert first is first.with_names(())


def test_digest_tells_a_change_and_a_change_back() -> None:
    """With a key one sees that a secret changed and changed back, and nothing else of it."""
    redactor = Redactor(key=b"k" * 100)
    one, other, again = (redactor.apply({"pin": each})["pin"] for each in ("1", "2", "1"))

    assert one == again != other
    assert str(one).startswith("[redacted:")
    assert len("[redacted:]") + 8 == len(str(one))
    assert one != Redactor(key=b"another").apply({"pin": "1"})["pin"]
    assert "k" * 10 not in repr(redactor)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"redact": "password"}, "redact must be a collection of names"),
        ({"expose": "password"}, "expose must be a collection of names"),
        ({"redact": ("",)}, "redact must be made of non-empty str names, got ''"),
        ({"redact": (5,)}, "redact must be made of non-empty str names, got 5"),
        ({"key": b""}, "key must not be empty"),
    ],
)
def test_wrong_names_are_refused(arguments: Any, message: Any) -> None:
    """A rule that would match nothing, or everything, is refused when it is made."""
    with pytest.raises(ConfigurationError, match=message):
        Redactor(**arguments)


class Failing(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def removeprefix(self, _prefix: str) -> str:
        raise ValueError


def test_what_cannot_be_judged_is_dropped() -> None:
    """A failure of redaction lets nothing pass."""
    assert {"a": 1, "b": REDACTED} == Redactor().apply({"a": 1, Failing("b"): CANARY})


def test_names_without_end_are_forgotten() -> None:
    """Names that are data do not fill the memory with decisions."""
    redactor = Redactor()
    for number in range(5000):
        assert {f"pin.{number}": REDACTED} == redactor.apply({f"pin.{number}": 1})

    assert len(redactor._decisions) <= 4096


@pytest.mark.parametrize(
    "text",
    [
        "eyJ" * 6000, "eyJ" + "a" * 16000, "a.b" * 6000, "a-" * 8000, "://a:" * 4000, "bearer" + " " * 16000,
        "basic " * 3000, '"' * 16000, "[" * 16000, ", " * 8000, "a=" * 8000, "-----BEGIN " * 1500, "https://" * 2000,
        "sk-" * 6000, "'\"" * 8000, "_was" * 4000 + "=1", "\\n" * 8000,
        *(each * 16000 for each in string.punctuation + string.whitespace + "aA0"),
    ],
    ids=count(),
)  # fmt: skip
@pytest.mark.timeout(15)  # what costs its length takes a second; what costs its square, half a minute
def test_no_text_takes_long(text: Any) -> None:
    """No text makes a pattern go back and forth: a long value costs its length."""
    long = '"' + text * 8  # what may hold a name is looked through with every pattern
    Redactor().text(long)
    Redactor().apply({"a": long})


_INNOCENT = st.sampled_from(["a", "items", "user", "1", "x y"])
_HOLDERS = st.sampled_from(["dict", "list", "object", "tuple", "set", "pairs", "named"])


def _held(how: str, name: str, value: Any) -> Any:
    ways: dict[str, Any] = {
        "dict": {name: value},
        "list": [{name: value}],
        "object": SimpleNamespace(**{name: value}),
        "tuple": (1, {name: value}),
        "set": {"a": [{name: value}, {1, 2}]},
        "pairs": [[1, 2], [name, value]],
        "named": [{"name": name, "value": value}],
    }
    return ways[how]


@given(st.sampled_from(SECRET_NAMES), _HOLDERS, st.lists(st.tuples(_HOLDERS, _INNOCENT), max_size=8), st.booleans())
def test_canary_under_a_secret_name_is_never_kept(name: Any, how: Any, ways: Any, keyed: Any) -> None:
    """A secret under a default name does not come through, however deep and in whatever it lies."""
    state: Any = _held(how, name, CANARY)
    for holder, way in ways:
        state = _held(holder, way, state)
    redactor = Redactor(key=b"k" if keyed else None)
    flat = snapshot({"state": state})
    for told in (difference({}, flat), difference(flat, {}), created(flat), deleted(flat)):
        assert CANARY not in json.dumps(redactor.apply({**told}))
