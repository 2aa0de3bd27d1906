"""The compiled parts are what their sources say, take nothing that they cannot, and keep nothing."""

from __future__ import annotations

import copy
import errno
import gc
import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import AuditTrail, audit_context, audited, auditing, files, native
from auditkit.capture.call import CALL, Call, new_call
from auditkit.capture.site import Site
from auditkit.clock import IdSource, SystemClock
from auditkit.context import SCOPE
from auditkit.journal import DiskJournal
from auditkit.journal.frames import Chain
from auditkit.journal.segment import Segment
from tests.journals import open_journal, write
from tests.unit.capture.builders import Refused, Tweet

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

FOLDER = Path(native.__file__).parent


def test_compiled_is_of_these_sources(compiled: ModuleType) -> None:
    """What runs was compiled from the sources beside it; where they were changed, `pip install -e .` compiles them anew."""
    sources = sorted(FOLDER.glob("*.[ch]"))
    if not sources:
        pytest.skip("this is an installed auditkit, without its sources in C")

    assert compiled.SOURCES == hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()[:16]


def site_of(function: Callable[..., Any]) -> Any:
    site: Any = function._self_site  # type: ignore[attr-defined]
    return site


@pytest.fixture
def site() -> Any:
    """Return the site of an audited function."""

    @audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=AuditTrail(directory=None))
    def update(tweet: Tweet) -> None: ...

    return site_of(update)


MISUSES: dict[str, Callable[[Any], Any]] = {
    "begin, of nothing": lambda site: site.begin(),
    "begin, arguments in a list": lambda site: site.begin(site.given, None, [], {}),
    "begin, names in a list": lambda site: site.begin(site.given, None, (), []),
    "begin, of a site that was not made": lambda site: Site.__new__(Site).begin(site.given, None, (), {}),
    "returned, of no call": lambda site: site.returned(None),
    "returned, of a call that was not begun": lambda site: site.returned(new_call()),
    "returned, of a site that was not made": lambda site: Site.__new__(Site).returned(
        site.begin(site.given, None, (Tweet(),), {})
    ),
    "site, of a function alone": lambda site: Site(site.wrapped),  # type: ignore[call-arg]
    "site, of another declaration": lambda site: Site(site.wrapped, object(), None),  # type: ignore[arg-type]
    "link, of a text": lambda _: Chain().link(b"", "text"),  # type: ignore[arg-type]
    "link, after a text": lambda _: Chain().link("text", b""),  # type: ignore[arg-type]
    "link, of nothing": lambda _: Chain().link(b""),  # type: ignore[call-arg]
    "link, of a chain that was not made": lambda _: Chain.__new__(Chain).link(b"", b""),
    "append, to a segment that was not made": lambda _: Segment.__new__(Segment).append(b""),
    "append, to a journal that was not made": lambda _: DiskJournal.__new__(DiskJournal).append(None),  # type: ignore[arg-type]
    "at, of nothing": lambda _: IdSource(SystemClock()).at(),  # type: ignore[call-arg]
    "at, of a text": lambda _: IdSource(SystemClock()).at("now"),  # type: ignore[arg-type]
    "use, of something unknown": lambda _: in_c().use(unknown=1),
    "use, without a name": lambda _: in_c().use(1),
    "encode, of nothing": lambda _: in_c().encode(),
    "is_clean, of one thing": lambda _: in_c().is_clean({}),
    "changes_since, of one thing": lambda _: in_c().changes_since(()),
    "a call of what has no site": lambda _: in_c().Called()(),
    "a call of what has a site that was not made": lambda _: bare()(),
}


def bare() -> Any:
    """Return an audited function whose site is nothing yet."""
    function: Any = audited("tweet.read", "R")(lambda: None)
    function._self_site = Site.__new__(Site)
    return function


def in_c() -> Any:
    return native.compiled


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_raises(compiled: ModuleType, site: Any, name: str) -> None:
    """What is called with what it does not take raises, as Python does; the process goes on."""
    del compiled
    with pytest.raises((TypeError, AttributeError)):
        MISUSES[name](site)


def test_fields_behave_as_slots(compiled: ModuleType) -> None:
    """A field that was not set yet is an AttributeError, and one that is deleted is again."""
    del compiled
    source = IdSource.__new__(IdSource)
    with pytest.raises(AttributeError, match="_prefix"):
        _ = source._prefix
    source._prefix = "some"
    del source._prefix

    assert not hasattr(source, "_prefix")
    assert not hasattr(new_call(), "__dict__")


@pytest.mark.parametrize("name", ["ids", "args", "kwargs", "before", "parent", "target", "trouble"])
def test_field_of_a_call_stays(compiled: ModuleType, name: str) -> None:
    """Nothing can be taken from a call while its function runs, and what is put in its place breaks nobody's call."""
    del compiled

    @audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=AuditTrail(directory=None))
    def update(tweet: Tweet, body: str) -> str:
        call = CALL.get()
        with pytest.raises(AttributeError, match=f"{name} of a call can be changed, not deleted"):
            delattr(call, name)
        setattr(call, name, 5)
        tweet.body = body
        return body

    assert "new" == update(Tweet(), "new")


def test_fields_of_a_site_are_fixed(compiled: ModuleType, site: Any) -> None:
    """What every call reads of its site cannot be changed under it."""
    del compiled
    with pytest.raises(AttributeError, match="readonly"):
        site.action_type = 5


@pytest.mark.parametrize("subject", ["trail", "scope", "scene"])
def test_copies_have_every_field(compiled: ModuleType, subject: str) -> None:
    """What has its fields in C is copied like what has them in slots."""
    trail = AuditTrail(directory=None)
    with audit_context(actor="ada"):
        scope: Any = SCOPE.get()
        original = {"trail": trail, "scope": scope, "scene": scope.scene(trail.defaults)}[subject]
    copied = copy.copy(original)
    fields = getattr(compiled, {"trail": "Trail", "scope": "Scope", "scene": "Scene"}[subject]).__slots__

    assert fields
    assert [getattr(original, name) for name in fields] == [getattr(copied, name) for name in fields]


def test_error_that_is_not_refused_is_raised(
    compiled: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A write that failed is raised as it is where nobody says what that means for whoever records."""
    del compiled
    journal = open_journal(tmp_path / "audit")
    write(journal, 1)
    monkeypatch.setattr(DiskJournal, "_refuse", lambda *_: None)

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "it is full")

    with monkeypatch.context() as patch:
        patch.setattr(files, "pwrite", fail)
        with pytest.raises(OSError, match="it is full"):
            write(journal, 1)
    assert 1 == len(write(journal, 1))


def test_call_in_a_circle_is_collected(compiled: ModuleType) -> None:
    """A call that leads back to itself is garbage like any other."""
    del compiled
    gc.collect()
    before = sum(type(each) is Call for each in gc.get_objects())
    call = new_call()
    call.parent = call
    call.result = [call]
    del call
    gc.collect()

    assert before == sum(type(each) is Call for each in gc.get_objects())


def raising(tweet: Tweet) -> None:
    raise Refused(tweet.id)


def shout(tweet: Tweet, body: str) -> Tweet:
    tweet.body = body
    return tweet


@pytest.fixture(params=["memory", "disk"])
def trail(request: pytest.FixtureRequest, make: Callable[..., AuditTrail], tmp_path: Path) -> AuditTrail:
    """Return a trail that records and delivers nothing."""
    return make(directory=None) if request.param == "memory" else make(directory=tmp_path / "audit", deliver=False)


def test_nothing_leaks(trail: AuditTrail) -> None:
    """However many calls of whatever kind are made, the process holds no more objects than before."""
    update = audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=trail)(shout)
    named = audited("tweet.update", "U", target=("tweet.id", "tweet.body"), redact=["likes"], trail=trail)(shout)
    create = audited("tweet.create", "C", target="result.id", capture="result", metadata={"a": 1}, trail=trail)(shout)
    fail = audited("tweet.fail", "U", target="tweet.id", capture="tweet", on_error="record", trail=trail)(raising)
    states: list[Any] = [Tweet(), SimpleNamespace(id="1", body="a"), Tweet(id="ü", body="Bearer abcdef0123456789")]

    def everything(number: int) -> None:
        for at in range(number):
            for state in states:
                for function in (update, named, create):
                    function(state, f"new {at % 7}")
                    function(tweet=state, body="old")
                with pytest.raises(Refused):
                    fail(state)
                with pytest.raises(TypeError):
                    update(state)  # type: ignore[call-arg]
            with audit_context(actor="u1", metadata={"a": "b"}), auditing("a.b", "U", capture=states[0], trail=trail):
                update(states[0], "within")

    everything(30)
    gc.collect()
    before = sys.getallocatedblocks()
    everything(30)
    gc.collect()
    grown = sys.getallocatedblocks() - before
    everything(300)
    gc.collect()

    assert sys.getallocatedblocks() - before - grown < 2000  # 300 rounds; one object in each would be many more
