"""Secrets out of events before anything is written: by the name of a value, and by its own shape. Pure.

Values are replaced, never names. A name is judged once and remembered; a shape is looked for by short texts
that it must contain before any pattern is tried (a pattern costs 25 us on 400 characters).
"""

from __future__ import annotations

import binascii
import functools
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from auditkit.errors import ConfigurationError
from auditkit.event import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from hashlib import blake2b

    from auditkit.draft import Draft, Scene
    from auditkit.event import MetadataValue, Scalar

REDACTED: Final = "[redacted]"

# Names are compared in small letters without - and _, so that apiKey, API-Key and api_key are one.
_PARTS: Final = (
    "password", "passwd", "passphrase", "passcode", "secret", "token", "authorization", "credential", "bearer",
    "apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "sshkey", "cookie", "sessionid",
    "sessionkey", "cardnumber", "creditcard", "securitycode", "socialsecurity", "recoverycode", "backupcode",
    "verificationcode", "onetimecode", "connectionstring",
)  # fmt: skip
# These are parts of innocent words (pinned, author, passenger, adoption), so they must be words of their own.
_WORDS: Final = frozenset({
    "pwd", "pw", "pass", "auth", "otp", "totp", "pin", "cvv", "cvc", "cvv2", "ssn", "jwt", "cred", "creds",
})  # fmt: skip
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_MAX_DECISIONS: Final = 4096  # names remembered
_NAMING: Final = ("group", "actor_id", "actor_name", "location", "correlation_id")  # the texts of a scene

# No pattern needs an end that a snapshot may have cut off; each runs on to the end of what it found. Repetitions
# that something must follow are bounded, so that no text takes longer than its length.
_BASIC: Final = re.compile(r"\bbasic\s+([a-z0-9+/_-]{4,})=*", re.ASCII | re.IGNORECASE)
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
# What hides the beginning of a shape: a line's end in JSON text, which puts a letter before it, and bytes that a
# snapshot shows as hex because not all of them can be read.
_ESCAPE: Final = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|[bfnrt])")  # a run of backslashes is read once
_HEX: Final = re.compile(r"0x((?:[0-9a-f]{2}){4,})")


@functools.cache  # made with the first redactor: it takes as long as importing a module
def _shapes() -> re.Pattern[str]:
    """Return what tells a secret by its shape."""
    return re.compile(
        r"-----BEGIN [A-Z0-9 ]*(?:-----[\s\S]*?(?:-----END [A-Z0-9 ]*-----|\Z)|\Z)"
        r"|eyJ[\w-]{8,512}+\.[\w.=-]*"  # a JWT, whether or not its signature is there
        r"|\b[srp]k_(?:live|test)_\w{8,}|\bsk[-_][\w-]{16,}|\bwhsec_[\w+/=]{8,}"
        r"|\bgh[a-z]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w.-]{16,}|\bnpm_\w{30,}|\bpypi-[\w-]{30,}"
        r"|\bxox[a-z]-[\w-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{30,}"
        # A name and a password (but no port), or a name that is long enough to be a token.
        r"|\b[A-Za-z][\w+.-]{0,20}://(?:[^\s/?#@:]{0,256}:(?!\d{1,5}[/?#])[^\s@]{0,512}|[^\s/?#@:]{16,256})@"
        r"|(?i:\bbearer[\s:=]+[\w.~+/=-]{8,})",
        re.ASCII,
    )


@functools.cache
def _names() -> re.Pattern[str]:
    """Return what finds the names of values inside a text.

    In one that holds JSON, what is said to be a name, a member's name, and the first of a pair in a list of pairs (as
    headers are listed); in any text, what a value is assigned to, as in an address's query or a cookie.
    """
    return re.compile(
        r"""["'](?:name|key|header|field)\\*["']\s*:\s*\\*["']([^"']+)["']"""
        r"""|["']([^"']+)["']\s*:"""
        r"""|[\[(,]\s*[\[(]\s*["']([^"']+)["']\s*,"""
        r"""|(?<![\w.-])([\w.-]{1,64})=(?=\S)""",
        re.IGNORECASE,
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def _path(key: str) -> list[str]:
    """Return the names that a metadata key is made of, without what a difference or a snapshot added to them."""
    path = key.removeprefix("state.")
    end = len(path)
    while path.endswith("_was", 0, end):
        end -= len("_was")
    # A name that was taken stands there as "pin (int)" or "pin #2".
    return [segment.partition(" (")[0].partition(" #")[0] for segment in path[:end].split(".")]


def _is_sensitive(name: str) -> bool:
    """Return whether a name by itself says that its value is a secret."""
    plain = _plain(name)
    return any(part in plain for part in _PARTS) or any(word.lower() in _WORDS for word in _WORD.findall(name))


def _may_be_secret(text: str) -> bool:
    """Return False if the text has none of what a secret's shape, or a name inside of it, must contain.

    Single characters go first: they are found at a fifth of the cost of longer texts.
    """
    if '"' in text or "'" in text or "=" in text or ("x" in text and "0x" in text):
        return True
    if ("J" in text and "eyJ" in text) or (":" in text and "://" in text):
        return True
    if "_" in text and ("k_" in text or "gh" in text or "whsec" in text or "npm_" in text):
        return True
    if "-" in text and ("sk-" in text or "xox" in text or "glpat" in text or "pypi-" in text or "--" in text):
        return True
    if "A" in text and "I" in text and ("AKIA" in text or "ASIA" in text or "AIza" in text):
        return True
    small = text.lower()  # a scheme's name may be written in either case
    return "bearer" in small or "basic" in small


def _is_basic(found: re.Match[str]) -> bool:
    """Return whether what follows the word ``basic`` is a name and a password, and not an innocent word."""
    encoded = found[1]
    try:
        return b":" in b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_" if "-" in encoded else None)
    except (binascii.Error, ValueError):
        return False


def _uncovered(text: str) -> str:
    """Return the text with what JSON escaped, and bytes that are shown as hex, as they were."""
    if "\\" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else " ", text)
    if "0x" in text:
        text = _HEX.sub(lambda found: bytes.fromhex(found[1]).decode("latin-1"), text)
    return text


def _has_shape(text: str) -> bool:
    return _shapes().search(text) is not None or any(map(_is_basic, _BASIC.finditer(text)))


def _names_in(text: str) -> Iterable[str]:
    """Return the names of values inside a text, those of JSON inside its texts too."""
    for found in _names().finditer(text):
        name = found[1] or found[2] or found[3] or found[4]
        yield _ESCAPED.sub(lambda code: chr(int(code[1], 16)), name).replace("\\", "")


class _Decisions(dict[str, bool]):
    """What was decided of each name: read at the cost of a dict, filled by the first who asks."""

    def __init__(self, decide: Callable[[str], bool]) -> None:
        super().__init__()
        self._decide = decide

    def __missing__(self, name: str) -> bool:
        if len(self) >= _MAX_DECISIONS:
            self.clear()
        decision = self[name] = self._decide(name)
        return decision


def _blake2b(data: bytes, **given: Any) -> blake2b:
    import hashlib  # noqa: PLC0415  (only who has a key needs it: `import auditkit` stays light)

    return hashlib.blake2b(data, **given)


class Redactor:
    """Replace what must not be kept. Immutable, and safe to use from any thread.

    Args:
        redact: Further names whose values are replaced, at any depth: ``"email"``, ``"address.street"``.
        expose: Names whose values are let through although they look like a secret's: ``"token_count"``.
            A name in ``redact`` stays redacted, and a value whose own shape is a secret's does too.
        key: Where given, ``[redacted:<8 hex>]`` holds a digest keyed with it, so that "it changed" stays visible.

    Raises:
        ConfigurationError: A name is not a non-empty ``str``, or the key is empty.
    """

    __slots__ = ("_decisions", "_exposed", "_key", "_redact")

    def __init__(self, *, redact: Iterable[str] = (), expose: Iterable[str] = (), key: bytes | None = None) -> None:
        """Normalise the names."""
        if key is not None and not key:
            raise ConfigurationError("key must not be empty, got b'': give None for no digests")
        self._redact = frozenset(f".{each}." for each in _checked("redact", redact))
        self._exposed = frozenset(_checked("expose", expose))
        self._key = None if key is None else _blake2b(key, digest_size=32).digest()  # it takes keys of 64 bytes at most
        self._decisions = _Decisions(self._decide)
        _shapes(), _names()  # now, and not in the first call that is recorded

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return f"{type(self).__name__}(redact={sorted(self._redact)}, expose={sorted(self._exposed)})"

    def with_names(self, names: Iterable[str]) -> Redactor:
        """Return a redactor that replaces the values of these names too.

        Raises:
            ConfigurationError: A name is not a non-empty ``str``.
        """
        further = frozenset(f".{each}." for each in _checked("redact", names))
        if further <= self._redact:
            return self
        new = Redactor()
        new._redact = self._redact | further
        new._exposed = self._exposed
        new._key = self._key
        return new

    def apply(self, metadata: Mapping[str, MetadataValue]) -> Mapping[str, MetadataValue]:
        """Return the metadata itself where nothing had to be replaced, a new dict otherwise.

        None stays None. A value that cannot be judged is replaced: never raises, never lets it pass.
        """
        decisions = self._decisions
        texts: list[str] = []
        try:
            for name, value in metadata.items():
                if value is None:
                    continue
                if decisions[name]:
                    break
                kind = type(value)
                if kind is str:
                    texts.append(value)  # type: ignore[arg-type]  # it is exactly a str
                elif kind is not int and kind is not bool and kind is not float:
                    break
            else:
                if not texts or not _may_be_secret("\n".join(texts)):  # together: half the cost of one by one
                    return metadata
        except Exception:  # noqa: BLE001, S110  (below, what cannot be judged is replaced)
            pass
        redacted = {name: self._member(name, value) for name, value in metadata.items()}
        return metadata if redacted == metadata else redacted

    def text(self, value: str) -> str:
        """Return a free text with what has a secret's shape replaced, all of it where a name in it is a secret's."""
        if not _may_be_secret(value):
            return value
        if any(map(self._is_secret_inside, _names_in(value))):
            return REDACTED
        shown = _BASIC.sub(lambda found: REDACTED if _is_basic(found) else found[0], _shapes().sub(REDACTED, value))
        return REDACTED if self._is_secret(shown) else shown

    def identity(self, text: str) -> str:
        """Return an id, a name, a group or a location without what in it has a secret's shape; never raises.

        What else there is of it stays, so that it still tells one from the other: the host of an address.
        """
        try:
            if not _may_be_secret(text):
                return text
            shown = self.text(text)
            return self._replacement(text) if shown == REDACTED else shown
        except Exception:  # noqa: BLE001  (dropped, not passed)
            return REDACTED

    def target(self, target_id: str, name: str) -> tuple[str, str]:
        """Return both as `identity` does; one object stays one."""
        if name is target_id and type(name) is str and not _may_be_secret(name):  # nearly always, and without a call
            return target_id, name
        shown = self.identity(target_id)
        return shown, shown if name is target_id else self.identity(name)

    def judge(self, scene: Scene) -> None:
        """Replace in a scene's texts, before its first event, what has a secret's shape."""
        if not scene.judged:
            texts = {name: text for name in _NAMING if (text := getattr(scene, name)) is not None}
            if _may_be_secret("\n".join(texts.values())):  # together: half the cost of one by one
                for name, text in texts.items():
                    setattr(scene, name, self.identity(text))
            scene.judged = True

    def draft(self, draft: Draft) -> Draft:
        """Return a draft without what must not be kept; its scene is judged in place."""
        self.judge(draft.scene)
        target_id, target_name = self.target(draft.target_id, draft.target_name)
        parent_id = None if draft.parent_id is None else self.identity(draft.parent_id)
        metadata = self.apply(dict(draft.metadata))
        return draft._replace(target_id=target_id, target_name=target_name, parent_id=parent_id, metadata=metadata)

    def _member(self, name: str, value: MetadataValue) -> MetadataValue:
        try:
            if isinstance(value, Mapping):
                return {inner: self._scalar(f"{name}.{inner}", each) for inner, each in value.items()}
            return self._scalar(name, value)
        except Exception:  # noqa: BLE001  (dropped, not passed)
            return REDACTED

    def _scalar(self, name: str, value: Scalar) -> Scalar:
        if value is None:
            return None
        if self._decisions[name] or (type(value) is str and self._is_secret(value)):
            return self._replacement(value)
        return value

    def _is_secret(self, text: str) -> bool:
        if not _may_be_secret(text):
            return False
        uncovered = _uncovered(text)
        return self._says_secret(text) or (uncovered != text and self._says_secret(uncovered))

    def _says_secret(self, text: str) -> bool:
        return _has_shape(text) or any(map(self._is_secret_inside, _names_in(text)))

    def _is_secret_inside(self, name: str) -> bool:
        # Where a name stands inside a text is not known: the last part of a dotted one is enough.
        plain = f".{_plain(name)}."
        return self._decisions[name] or any(each.endswith(plain) for each in self._redact)

    def _replacement(self, value: Scalar) -> str:
        if self._key is None:
            return REDACTED
        data = f"{type(value).__name__}:{value}".encode("utf-8", "surrogatepass")
        return f"[redacted:{_blake2b(data, digest_size=4, key=self._key).hexdigest()}]"

    def _decide(self, name: str) -> bool:
        names = _path(name)
        plain = [_plain(each) for each in names]
        whole = f".{'.'.join(plain)}."
        if any(each in whole for each in self._redact):
            return True
        if whole[1:-1] in self._exposed:
            return False
        return any(_is_sensitive(each) and own not in self._exposed for each, own in zip(names, plain, strict=True))


def _checked(argument: str, names: Iterable[object]) -> list[str]:
    """Return names as they are compared."""
    if isinstance(names, str | bytes):
        raise ConfigurationError(
            f"{argument} must be a collection of names, got the single {describe(names)}: write ({names!r},)"
        )
    plain = []
    for each in names:
        if not isinstance(each, str) or not _plain(each):
            raise ConfigurationError(f"{argument} must be made of non-empty str names, got {describe(each)}")
        plain.append(".".join(_plain(segment) for segment in _path(each)))
    return plain
