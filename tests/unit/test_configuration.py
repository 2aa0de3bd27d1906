"""What a trail may be told, and what it says to what it may not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import configuration
from auditkit.configuration import Settings
from auditkit.draft import Defaults
from auditkit.errors import ConfigurationError
from auditkit.event import Actor
from auditkit.testing import ScriptedTransport
from auditkit.transports import MemoryTransport, WorkOSTransport

if TYPE_CHECKING:
    from auditkit.protocols import Transport


def settle(transport: object = None, **changes: Any) -> Settings:
    return configuration.settle(transport, **({"directory": "audit"} | changes))


def transport_with(**changes: Any) -> ScriptedTransport:
    made = ScriptedTransport()
    for name, value in changes.items():
        setattr(made, name, value)
    return made


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"directory": None, "fsync": "always"}, "fsync='always' has no meaning with directory=None: nothing is on disk"),
    ({"directory": None, "ledger": True}, "ledger=True has no meaning with directory=None: nothing is on disk"),
    (
        {"directory": None, "deliver": False},
        "deliver=False has no meaning with directory=None: no other process can see what is in memory",
    ),
    (
        {"directory": None, "shared_group": True},
        "shared_group=True has no meaning with directory=None: nothing is on disk",
    ),
    ({"shared_group": "audit"}, "shared_group must be True or False, got 'audit'"),
    ({"directory": ""}, "directory must be a path or None, got ''"),
    ({"directory": "a\0b"}, r"directory must be a path or None, got 'a\x00b'"),
    ({"directory": 7}, "directory must be a path or None, got 7"),
    ({"directory": b"audit"}, "directory must be a path or None, got a value of type bytes"),
    ({"fsync": "never"}, "fsync must be 'interval' or 'always', got 'never'"),
    ({"fsync": True}, "fsync must be 'interval' or 'always', got True"),
    ({"ledger": "no"}, "ledger must be True or False, got 'no'"),
    ({"deliver": "no"}, "deliver must be True or False, got 'no'"),
    ({"deliver": 0}, "deliver must be True or False, got 0"),
    ({"delivery_share": 0}, "delivery_share must be a number above 0 and up to 1, got 0"),
    ({"delivery_share": 1.5}, "delivery_share must be a number above 0 and up to 1, got 1.5"),
    ({"delivery_share": True}, "delivery_share must be a number above 0 and up to 1, got True"),
    ({"delivery_share": "5%"}, "delivery_share must be a number above 0 and up to 1, got '5%'"),
    ({"on_audit_error": "ignore"}, "on_audit_error must be 'log' or 'raise', got 'ignore'"),
    ({"on_error": "fail"}, "on_error must be 'skip', 'record' or an action's name, got 'fail'"),
    ({"on_error": None}, "on_error must be 'skip', 'record' or an action's name, got None"),
    ({"denied": "PermissionError"}, "denied must be exception classes, got 'PermissionError'"),
    ({"denied": (PermissionError, int)}, "denied must be exception classes, got a value of type type"),
    ({"require": "who"}, "require must be made of actor, group, location, got 'who'"),
    ({"require": ["actor", 1]}, "require must be made of actor, group, location, got 1"),
    ({"require": [["actor"]]}, "require must be made of actor, group, location, got a value of type list"),
    ({"defaults": "x"}, "defaults must be a mapping with the keys actor, group, location, got 'x'"),
    (
        {"defaults": {"who": "x"}},
        "defaults must be a mapping with the keys actor, group, location, got the key 'who'",
    ),
    ({"defaults": {"group": 1.5}}, "defaults: group must be a str, int, UUID or Enum, got 1.5"),
    ({"defaults": {"group": ""}}, "defaults: group must not be empty"),
    ({"defaults": {"location": ""}}, "defaults: location must not be empty"),
    ({"redact": "password"}, "redact must be a list of names, got 'password'"),
    ({"redact": 7}, "redact must be a list of names, got 7"),
    ({"redact": ["a", 7]}, "redact must be made of names, got 7"),
    ({"expose": "token_count"}, "expose must be a list of names, got 'token_count'"),
    ({"expose": [""]}, "expose must be made of names, got ''"),
    ({"secret": "short"}, "secret must have at least 16 characters, got 5"),
    ({"secret": ""}, "secret must have at least 16 characters, got 0"),
    ({"secret": 12345678901234567}, "secret must be str or bytes, got a value of type int"),
    ({"secret": []}, "secret must be one secret or two (the first signs, both verify), got 0"),
    ({"secret": ["x" * 16] * 3}, "secret must be one secret or two (the first signs, both verify), got 3"),
    ({"max_bytes": -1}, "max_bytes must be an int > 0, got -1"),
    ({"max_bytes": True}, "max_bytes must be an int > 0, got True"),
    ({"max_bytes": 1e9}, "max_bytes must be an int > 0, got 1000000000.0"),
    ({"max_bytes": 65536}, "max_bytes must be at least 1048576, got 65536"),
]

PROMISES = "transport must have name, max_batch, concurrency, durable, send() and close(), got "
NAMES = "a transport's name must be up to 64 of a-z, 0-9, '_', '.', '-' and not 'ledger', got "
REFUSED_TRANSPORTS: list[tuple[Any, str]] = [
    ("workos", PROMISES + "'workos' without send"),
    (WorkOSTransport, PROMISES + "the class WorkOSTransport: write its parentheses"),
    ({"a": 1}, PROMISES + "a value of type dict without send"),
    (transport_with(send=3), PROMISES + "a value of type ScriptedTransport without send"),
    (transport_with(close=None), PROMISES + "a value of type ScriptedTransport without close"),
    (transport_with(concurrency=None), PROMISES + "a value of type ScriptedTransport without concurrency"),
    (transport_with(name="ledger"), NAMES + "'ledger'"),
    (transport_with(name="../x"), NAMES + "'../x'"),
    (transport_with(name=""), NAMES + "''"),
    (transport_with(name="a" * 65), NAMES + "'" + "a" * 65 + "'"),
    (transport_with(name=7), NAMES + "7"),
    (transport_with(max_batch=0), "max_batch of scripted must be an int > 0, got 0"),
    (transport_with(concurrency="4"), "concurrency of scripted must be an int > 0, got '4'"),
    (transport_with(durable="yes"), "durable of scripted must be True or False, got 'yes'"),
    (
        [ScriptedTransport(), ScriptedTransport()],
        "two transports are named 'scripted': give one of them another name=",
    ),
]


@pytest.mark.parametrize("given, message", REFUSED, ids=lambda each: str(each)[-40:])
def test_configuration_is_refused(given: dict[str, Any], message: str) -> None:
    """What cannot work is refused at once, with what was given and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        settle(**given)

    assert message == str(caught.value)


@pytest.mark.parametrize("given, message", REFUSED_TRANSPORTS, ids=lambda each: str(each)[-40:])
def test_transport_is_refused(given: object, message: str) -> None:
    """What is no transport, or has a name that cannot be one, is refused at once."""
    with pytest.raises(ConfigurationError) as caught:
        settle(given)

    assert message == str(caught.value)


def test_actor_of_defaults_is_refused() -> None:
    """A default that is no actor says so."""
    with pytest.raises(ConfigurationError, match="^defaults: actor"):
        settle(defaults={"actor": 1.5})


def test_configuration_by_default() -> None:
    """Told nothing, a trail keeps a journal and a ledger in ./audit and delivers nowhere."""
    settings = settle()

    assert Path.cwd() / "audit" == settings.directory
    assert ((), False, True, True, False, "skip") == (
        settings.transports, settings.syncs_each, settings.ledger, settings.deliver, settings.raises, settings.on_error,
    )  # fmt: skip
    assert ((PermissionError,), (), (), (), 2**30, ()) == (
        settings.denied, settings.require, settings.redact, settings.expose, settings.max_bytes, settings.secrets,
    )  # fmt: skip
    assert ("default", Actor("anonymous")) == (settings.defaults.group, settings.defaults.actor)


def test_configuration_as_told(tmp_path: Path) -> None:
    """Every argument is honoured."""
    transports: list[Transport] = [ScriptedTransport(name="a"), MemoryTransport()]
    settings = settle(
        transports,
        directory=tmp_path / "x" / ".." / "trail",
        fsync="always",
        ledger=False,
        deliver=False,
        delivery_share=1,
        on_audit_error="raise",
        on_error="user.failed",
        denied=(KeyError,),
        require="actor",
        defaults={"group": 7, "actor": ("u", "U"), "location": "here"},
        redact={"iban"},
        expose=["token_count"],
        secret=["a" * 16, b"b" * 16],
        trace_ids=False,
        shared_group=True,
        max_bytes=2**20,
    )

    assert (
        Settings(
            transports=tuple(transports),
            directory=tmp_path / "trail",
            syncs_each=True,
            ledger=False,
            deliver=False,
            delivery_share=1.0,
            raises=True,
            on_error="user.failed",
            denied=(KeyError,),
            require=("actor",),
            defaults=Defaults(
                group="7", actor=Actor("u", "U"), location="here", settled=frozenset({"group", "location"})
            ),
            redact=("iban",),
            expose=("token_count",),
            trace_ids=False,
            shared_group=True,
            max_bytes=2**20,
            secrets=(b"a" * 16, b"b" * 16),
        )
        == settings
    )


def test_configuration_of_one_transport() -> None:
    """A transport may be given by itself."""
    transport = ScriptedTransport()

    assert (transport,) == settle(transport).transports


def test_directory_is_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative directory is the one that was meant at the start, wherever the process goes later."""
    settings = settle(directory="trail")
    there = Path.cwd()
    monkeypatch.chdir("/")

    assert there / "trail" == settings.directory


def test_directory_keeps_a_symbolic_link(tmp_path: Path) -> None:
    """A link is not followed here: the one who opens the directory must see it."""
    (tmp_path / "link").symlink_to(tmp_path)

    assert tmp_path / "link" / "trail" == settle(directory=tmp_path / "link" / "trail").directory


def test_secrets_are_not_shown() -> None:
    """A secret is in no repr, and each use has a key of its own."""
    settings = settle(secret=["s3cret-s3cret-s3cret", "other-other-other"])

    assert "s3cret" not in repr(settings)
    assert 4 == len({*settings.subkeys("chain"), *settings.subkeys("redaction")})
    assert settings.subkeys("chain") == settings.subkeys("chain")
    assert {32} == {len(key) for key in settings.subkeys("chain")}


@pytest.mark.parametrize(
    "stated, disabled",
    [
        (None, False),
        ("", False),
        ("0", False),
        ("false", False),
        ("No", False),
        (" off ", False),
        ("1", True),
        ("yes", True),
    ],
)
def test_disabled(stated: str | None, *, disabled: bool) -> None:
    """Recording is switched off by a word that means it."""
    environment = {} if stated is None else {"AUDITKIT_DISABLED": stated}

    assert disabled is configuration.disabled(environment)


@pytest.mark.parametrize(
    "stated, seconds",
    [
        (None, 2.0),
        ("5", 5.0),
        ("0", 0.0),
        ("0.25", 0.25),
        ("-1", 2.0),
        ("nan", 2.0),
        ("inf", 2.0),
        ("soon", 2.0),
        ("", 2.0),
    ],
)
def test_exit_timeout(stated: str | None, seconds: float) -> None:
    """The interpreter's exit takes as long as was said, and never for ever."""
    environment = {} if stated is None else {"AUDITKIT_SHUTDOWN_TIMEOUT": stated}

    assert seconds == configuration.exit_timeout(environment)


GONE = "directory must be absolute where the working directory is gone, got 'audit'"


def test_relative_directory_needs_a_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process's own directory was removed, a relative one is refused, and an absolute one is not."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigurationError) as caught:
        settle(directory="audit")

    assert GONE == str(caught.value)
    assert tmp_path == settle(directory=tmp_path).directory


def test_every_refusal_is_tested() -> None:
    """Each message of configuration.py is met by a test above."""
    source = Path(configuration.__file__).read_text("utf-8")
    fixed = {
        re.sub(r"\{[^}]*\}.*", "", text)
        for text in re.findall(r'raise ConfigurationError\(\s*f?"((?:[^"\\]|\\.)*)"', source)
    }
    met = [message for _, message in [*REFUSED, *REFUSED_TRANSPORTS, (None, GONE)]]

    assert [] == [text for text in fixed if not any(text in message for message in met)]
