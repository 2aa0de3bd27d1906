"""Each compiled piece gives what the Python in whose place it stands gives, for whatever it is given."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.clock import IdSource, SystemClock
from auditkit.draft import Draft, Scene
from auditkit.encoding import encode
from auditkit.journal.frames import Chain
from auditkit.redaction import Redactor
from auditkit.snapshot import look, snapshot
from auditkit.stated import read_stated
from auditkit.testing import DrivenClock
from tests.pure import pure
from tests.unit.test_encoding import EVENTS
from tests.unit.test_look import Slotted, states
from tests.unit.test_redaction import INNOCENT_TEXTS, SECRETS

if TYPE_CHECKING:
    from types import ModuleType

in_python: Any = pure("auditkit.encoding")
looks: Any = pure("auditkit.snapshot.look")
frames: Any = pure("auditkit.journal.frames")
stated: Any = pure("auditkit.stated")

redaction: Any = pure("auditkit.redaction")

REDACTOR = Redactor(redact=("email",), expose=("token_count",))

# What a secret's shape is made of, and what stands around it.
PARTS = st.sampled_from([
    '"', "'", "=", "0x", "0", "x", "eyJ", "ey", "J", "://", ":", "/", "_", "k_", "k", "gh", "g", "whsec", "npm_", "npm",
    "-", "--", "sk-", "sk", "xox", "xo", "glpat", "pypi-", "pypi", "AKIA", "ASIA", "AIza", "AI", "A", "I", "bearer",
    "Bearer", "BEARER", "bear", "basic", "BASIC", "Basi", "b", "B", "w", " ", "a", "ä", "\u0130", "\n", "z" * 40,
])  # fmt: skip
TEXTS = st.lists(PARTS, max_size=8).map("".join) | st.text() | st.sampled_from(SECRETS + INNOCENT_TEXTS)
NAMES = st.sampled_from(["body", "body_was", "email", "password", "token_count", "pin", "ü", ""])
VALUES = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(), st.floats(), st.dictionaries(NAMES, TEXTS, max_size=2)
)


def drafted(**fields: Any) -> Draft:
    scene = Scene(
        group="g", actor_id="a", actor_name="A", actor_type="user", location="l", correlation_id=None, metadata={}
    )  # fmt: skip
    made: dict[str, Any] = {
        "id": "i", "occurred_ns": 0, "scene": scene, "action": "a.b", "action_type": "U", "target_id": "t",
        "target_name": "t", "target_type": "a", "parent_id": None, "metadata": {},
    } | fields  # fmt: skip
    return Draft(**made)


@given(EVENTS)
def test_events_are_encoded_alike(event: Any) -> None:
    """Whatever an event holds, its JSON is the same to the byte."""
    draft = in_python.draft_of(event)

    assert in_python.encode(draft) == encode(draft)


@pytest.mark.parametrize(
    "text", [*map(chr, range(0x180)), "\ud7ff\ud800\udfff\ue000\uffff", "\U00010000\U0010ffff" * 700]
)
def test_characters_are_escaped_alike(text: str) -> None:
    """Every character that JSON or ASCII has another text for is written the same."""
    draft = drafted(target_id=text, metadata={text: text})

    assert in_python.encode(draft) == encode(draft)


def test_days_are_written_alike() -> None:
    """Every day that 64 bits of nanoseconds reach from 1970 on has its date."""
    day = 86_400 * 10**9
    written = [encode(drafted(occurred_ns=number * day)) for number in range(2**63 // day)]

    assert [in_python.encode(drafted(occurred_ns=number * day)) for number in range(2**63 // day)] == written


@given(
    st.integers(-(2**70), 2**70)
    | st.integers(0, 2**63 - 1)
    | st.sampled_from([0, 1, 999, 10**9 - 1, 10**9, 2**63 - 1]),
)
def test_times_are_written_alike(time_ns: int) -> None:
    """Every time that there is a text for is written the same; the others are refused the same."""

    def written(module: Any) -> str:
        try:
            return str(module(drafted(occurred_ns=time_ns)))
        except Exception as error:  # noqa: BLE001  (compared)
            return type(error).__name__

    assert written(in_python.encode) == written(encode)


@given(st.dictionaries(st.text() | st.sampled_from(["a", "b"]), VALUES, max_size=4), st.text(), st.text())
def test_metadata_is_encoded_alike(metadata: dict[str, Any], target_id: str, target_name: str) -> None:
    """Whatever metadata and targets are, surrogates and control characters among them, their JSON is the same."""
    draft = drafted(metadata=metadata, target_id=target_id, target_name=target_name)

    assert in_python.encode(draft) == encode(draft)


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "ü.b"},
        {"id": None},
        {"target_id": 5},
        {"parent_id": 5},
        {"metadata": {5: "a"}},
        {"metadata": None},
        {"scene": None},
        {"occurred_ns": "now"},
        {"metadata": {"a": object()}},
    ],
    ids=str,
)
def test_what_is_no_event_is_refused_alike(fields: dict[str, Any]) -> None:
    """A draft that never should have been made fails in C as it does in Python."""

    def result(module: Any) -> Any:
        try:
            return module(drafted(**fields))
        except Exception as error:  # noqa: BLE001  (compared)
            return type(error)

    assert str(result(in_python.encode)).partition(" at 0x")[0] == str(result(encode)).partition(" at 0x")[0]


def test_long_events_are_encoded_whole() -> None:
    """An event far longer than what is written at first comes out whole."""
    draft = drafted(metadata={f"name {number}": "ü" * 1000 for number in range(50)})

    assert in_python.encode(draft) == encode(draft)


@pytest.mark.parametrize("length", [2**20, 2**20 + 1])
def test_long_texts_are_encoded_alike(length: int) -> None:
    """A text of any length comes out whole, also one of those that are left to Python."""
    draft = drafted(target_id="\U0001f600" * length)

    assert in_python.encode(draft) == encode(draft)


@given(before=states, after=states, slotted=st.booleans())
def test_states_are_looked_at_alike(compiled: ModuleType, before: Any, after: Any, *, slotted: bool) -> None:
    """What C sees of a state, and says that changed, is what Python sees and says; else it leaves it to Python."""
    state: Any = Slotted(before.get("body"), before.get("title")) if slotted else dict(before)
    seen, expected = compiled.look(state), looks.look(state)
    if seen is not None:
        assert expected == seen
        assert expected[2] is seen[2]
    if slotted:
        state.body = after.get("body")
    else:
        state.clear()
        state.update(after)
    changes = compiled.changes_since(expected, state)
    if changes is not None:
        assert [*looks.changes_since(expected, state).items()] == [*changes.items()]


HOLDERS: dict[str, tuple[Any, Any]] = {
    "a private name": (SimpleNamespace(_hidden="a", body="b"), {"_hidden": "c", "body": "d"}),
    "a name with a dot": (SimpleNamespace(body="b"), {"a.b": 1}),
    "another type": (SimpleNamespace(body=1), {"body": True}),
    "another type, of numbers": (SimpleNamespace(body=1), {"body": 1.0}),
    "a long text": (SimpleNamespace(body="b"), {"body": "x" * 20_000}),
    "many texts": (SimpleNamespace(body="b"), {f"name {number}": "x" * 5000 for number in range(30)}),
    "many names": (SimpleNamespace(**{f"name_{number}": number for number in range(100)}), {"name_1": 2}),
    "too many names": (SimpleNamespace(**{f"name_{number}": number for number in range(101)}), {"name_1": 2}),
    "large numbers": (SimpleNamespace(a=2**63 - 1, b=-(2**63)), {"a": 2**63, "b": -(2**63) - 1}),
    "no number": (SimpleNamespace(a=1.0), {"a": float("nan")}),
    "a text that is one of ours": (SimpleNamespace(outcome="a", body_was="b"), {"outcome": "c", "body_was": "d"}),
    "a text of another class": (SimpleNamespace(body="b"), {"body": type("Text", (str,), {})("c")}),
    "a list": (SimpleNamespace(body="b"), {"body": ["c"]}),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_odd_states_are_told_alike(compiled: ModuleType, name: str) -> None:
    """What is odd about a state C tells as Python does, or leaves to it."""
    state, change = HOLDERS[name]
    expected, seen, was = looks.look(state), compiled.look(state), dict(vars(state))
    vars(state).update(change)
    changes = compiled.changes_since(expected, state)
    told = looks.changes_since(expected, state)
    vars(state).clear()
    vars(state).update(was)

    assert seen in (None, expected)
    assert repr(changes) in ("None", repr(told))


def test_state_of_another_class_is_left_to_python(compiled: ModuleType) -> None:
    """An object in the place of another one is read by nobody before it is known how."""
    seen = compiled.look(SimpleNamespace(body="a", title="b"))

    assert None is compiled.changes_since(seen, {"body": "a", "title": "c"})
    assert None is compiled.changes_since(seen, Slotted("a", "c"))


@pytest.mark.parametrize("state", [Slotted("a", 1), {"body": "a", "n": 1.5, "b": True, "c": None}], ids=type)
def test_plain_states_are_not_left_to_python(compiled: ModuleType, state: Any) -> None:
    """Short texts, numbers, truth values and None are what C is there for."""
    seen = compiled.look(state)

    assert look(state) == seen
    assert {} == compiled.changes_since(seen, state)
    assert None is compiled.look({"list": []})
    assert None is compiled.changes_since(snapshot(state), state)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_nothing_that_python_redacts_is_clean(compiled: ModuleType, metadata: dict[str, Any]) -> None:
    """C lets pass only what Python leaves as it is."""
    redacted = REDACTOR.apply(metadata)
    if compiled.is_clean(REDACTOR._decisions, metadata):
        assert metadata is redacted


@pytest.mark.parametrize("text", [*SECRETS, *INNOCENT_TEXTS, "xoxb", "xox-b", "gh", "gh_", "glpat", "glpat-", "whsec_"])
def test_known_texts_are_judged_alike(compiled: ModuleType, text: str) -> None:
    """Each text that is known to be a secret, or to be none, C leaves to Python where that has doubts about it."""
    judge(compiled, text)


@given(TEXTS)
def test_what_python_has_no_doubts_about_is_clean(compiled: ModuleType, text: str) -> None:
    """C takes no ASCII text for doubtful that Python has no doubts about: else it would be judged at a higher cost."""
    judge(compiled, text)


def judge(compiled: ModuleType, text: str) -> None:
    REDACTOR.apply({"body": "the name is judged now"})
    metadata = {"body": text}
    doubtful = redaction._may_be_secret(text) or not text.isascii()

    assert compiled.is_clean(REDACTOR._decisions, metadata) is not doubtful


@given(EVENTS, st.data())
def test_bodies_state_alike(event: Any, data: st.DataObject) -> None:
    """Whatever becomes of a body, C reads of it what Python reads, or nothing where Python reads nothing."""
    body = bytearray(encode(in_python.draft_of(event)))
    for _ in range(data.draw(st.integers(0, 2))):
        start = data.draw(st.integers(0, len(body) - 1))
        stop = start + data.draw(st.integers(0, 3))
        body[start:stop] = data.draw(
            st.sampled_from(['"', "\\", "{", "}", ",", "0", "9", "-", "\0", "\x80", "e", ""])
        ).encode()

    assert stated.read_stated(bytes(body)) == read_stated(bytes(body))


@pytest.mark.parametrize("kind", [*"CRUDX\0"])
@pytest.mark.parametrize(
    "moment",
    [
        "2024-02-29T23:59:59.999999Z",
        "2023-02-29T00:00:00.000000Z",
        "0000-01-01T00:00:00.000000Z",
        "2024-13-01T00:00:00.000000Z",
        "2024-00-01T00:00:00.000000Z",
        "2024-04-31T00:00:00.000000Z",
        "2100-02-29T00:00:00.000000Z",
        "2000-02-29T00:00:00.000000Z",
        "2024-01-01T24:00:00.000000Z",
        "2024-01-01T00:60:00.000000Z",
        "2024-01-01T00:00:60.000000Z",
        "2024-01-01T00:00:00.00000Z",
    ],
)
def test_kinds_and_moments_are_judged_alike(kind: str, moment: str) -> None:
    """Kinds and moments that there are not C leaves to Python, which says so."""
    body = encode(drafted()).replace(b"1970-01-01T00:00:00.000000Z", moment.encode())
    body = body.replace(b'"action_type":"U"', f'"action_type":"{kind}"'.encode())

    assert stated.read_stated(body) == read_stated(body)


@given(st.none() | st.binary(min_size=1, max_size=100), st.binary(max_size=80), st.binary(max_size=300))
def test_lines_are_linked_alike(key: bytes | None, previous: bytes, body: bytes) -> None:
    """The digits of a line are the same, with a key and without."""
    assert frames.Chain(key).link(previous, body) == Chain(key).link(previous, body)


def test_ids_are_made_alike() -> None:
    """The same clock and chance give the same ids, over milliseconds, counts used up, and forks."""

    def ids(source: Any) -> list[str]:
        made = []
        for number in range(10_000):
            made.append(source())
            if number % 1000 == 999:
                source.clock.advance(0.002)
            if number == 5000:
                source.clear()
        return [*made, source.at(0), source.at(2**62)]

    assert ids(pure("auditkit.clock").IdSource(DrivenClock())) == ids(IdSource(DrivenClock()))


def test_ids_of_threads_are_unique() -> None:
    """However many threads ask at once, no id is given twice."""
    source = IdSource(SystemClock())
    given_: list[list[str]] = [[] for _ in range(8)]

    def ask(ids: list[str]) -> None:
        ids.extend(source() for _ in range(5000))

    threads = [threading.Thread(target=ask, args=(each,)) for each in given_]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert 8 * 5000 == len({event_id for ids in given_ for event_id in ids})
