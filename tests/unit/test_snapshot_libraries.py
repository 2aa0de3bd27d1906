"""Snapshots of what the libraries hold state in, with the real libraries."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import attrs
import pydantic
import pydantic_core
import pytest
import sqlalchemy as sa
import wrapt
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from django.utils.functional import SimpleLazyObject, empty
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from werkzeug.local import Local, LocalProxy

from auditkit.snapshot import DEFERRED, REST, UNKNOWN, difference, snapshot
from tests.django_models import allow_models

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.define
class AttrsTweet:
    id: str
    body: str
    _secret: str = "s"


@attrs.frozen(slots=False)
class OpenAttrsTweet:
    id: str
    body: str


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    id: str
    address: dict[str, Any] = {}
    password: pydantic.SecretStr = pydantic.SecretStr("hunter2")
    _private: int = 1

    @pydantic.computed_field  # type: ignore[prop-decorator]  # mypy's own limit with decorated properties
    @property
    def computed(self) -> int:
        raise AssertionError


@pydantic.dataclasses.dataclass
class PydanticTweet:
    id: str


@pytest.mark.parametrize(
    "state, expected",
    [
        (AttrsTweet("t1", "T"), {"id": "t1", "body": "T"}),
        (OpenAttrsTweet("t1", "T"), {"id": "t1", "body": "T"}),
        (PydanticTweet("t1"), {"id": "t1"}),
        (
            Model(id="t1", address={"city": "Rome"}, further=5),  # type: ignore[call-arg]  # an extra one
            {"id": "t1", "address.city": "Rome", "password": "<SecretStr object>", "further": 5},
        ),
    ],
)
def test_fields_of_attrs_and_pydantic(state: Any, expected: Any) -> None:
    """Fields are read from the instance; computed and private ones are not."""
    assert expected == snapshot(state)


class Tags(pydantic.RootModel[list[str]]):
    """A list of its own type."""


class Settings(pydantic.RootModel[dict[str, Tags]]):
    """A mapping of its own type, of others."""


class Article(pydantic.BaseModel):
    id: int
    tags: Tags


class Hiding(pydantic.BaseModel):
    _amount: int = 1


@pytest.mark.parametrize(
    "state, expected",
    [
        (Tags(["a"]), {"value": '["a"]'}),
        (Settings({"k": Tags(["a"])}), {"k": '["a"]'}),
        (Article(id=1, tags=Tags(["a"])), {"id": 1, "tags": '["a"]'}),
        ([Tags(["a"])], {"value": '[["a"]]'}),
        (Article.model_construct(), {}),
        (Article.__new__(Article), {}),
        (Tags.__new__(Tags), {REST: UNKNOWN}),
        (Hiding(), {REST: UNKNOWN}),
    ],
)
def test_root_model_is_read_as_its_root(state: Any, expected: Any) -> None:
    """A root model is told as what it holds; one that is not filled yet takes nothing with it."""
    assert expected == snapshot(state)


def test_change_inside_a_root_model_is_told() -> None:
    """What is changed in the root in place is a change of the field."""
    article = Article(id=1, tags=Tags(["a"]))
    before = snapshot(article)
    article.tags.root.append("b")

    assert {"tags_was": '["a"]', "tags": '["a", "b"]'} == difference(before, snapshot(article))


class Base(orm.DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    tweets: orm.Mapped[list[Tweet]] = orm.relationship(back_populates="author")


class Tweet(Base):
    __tablename__ = "tweets"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    body: orm.Mapped[str]
    text: orm.Mapped[str | None] = orm.mapped_column("long_text", deferred=True)
    author_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("users.id"))
    author: orm.Mapped[User | None] = orm.relationship(back_populates="tweets")

    @property
    def asked(self) -> Any:
        raise AssertionError


class Statements:
    """The statements that an engine was sent."""

    def __init__(self, engine: sa.Engine) -> None:
        self.seen: list[str] = []
        sa.event.listen(engine, "before_cursor_execute", self._saw)

    def _saw(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self.seen.append(statement)


@pytest.fixture
def session() -> Iterator[Any]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Tweet(id=5, body="T", text="long", author=User(id=1, name="A")))
        session.commit()
        session.expunge_all()
        yield session
    engine.dispose()


def test_pydantic_addresses_are_told() -> None:
    """An address that pydantic keeps in a class of its own is the text that it was."""

    class Site(pydantic.BaseModel):
        home: pydantic.HttpUrl
        database: pydantic.PostgresDsn

    site = Site(home="https://example.org/a", database="postgres://db/x")  # type: ignore[arg-type]  # parsed

    assert {"home": "https://example.org/a", "database": "postgres://db/x"} == snapshot(site)
    assert {"value": "https://example.org/a"} == snapshot(pydantic_core.Url("https://example.org/a"))


def test_sqlalchemy_rows_are_told_by_their_columns(session: Any) -> None:
    """A row of a query, by itself or as a mapping, has the names and values that were asked for."""
    row = session.execute(sa.select(Tweet.id, Tweet.body, User).join(Tweet.author)).one()
    expected = {"id": 5, "body": "T", "User.id": 1, "User.name": "A"}

    assert expected == snapshot(row)
    assert expected == snapshot(row._mapping)
    assert {"rows": '[{"id": 5, "body": "T"}]'} == snapshot(
        {"rows": session.execute(sa.select(Tweet.id, Tweet.body)).all()}
    )


def test_sqlalchemy_reads_loaded_columns_without_a_statement(session: Any) -> None:
    """Columns that are loaded are told, deferred ones and relationships are not, and nothing is asked."""
    tweet = session.get(Tweet, 5)
    statements = Statements(session.get_bind())

    assert {"id": 5, "body": "T", "text": DEFERRED, "author_id": 1} == snapshot(tweet)
    assert [] == statements.seen


def test_sqlalchemy_expired_instance_is_unknown_not_emptied(session: Any) -> None:
    """What a commit expired is unknown, except for the key, which the identity knows."""
    tweet = session.get(Tweet, 5)
    before = snapshot(tweet)
    tweet.body = "changed"
    session.commit()
    statements = Statements(session.get_bind())
    after = snapshot(tweet)

    assert {"id": 5, "body": UNKNOWN, "text": UNKNOWN, "author_id": UNKNOWN} == after
    assert {"auditkit_capture": "unknown: body, text, author_id"} == difference(before, after)
    assert [] == statements.seen


def test_sqlalchemy_change_is_told(session: Any) -> None:
    """A change that was not committed yet is told by value."""
    tweet = session.get(Tweet, 5)
    before = snapshot(tweet)
    tweet.body = "changed"
    session.flush()

    assert {"body_was": "T", "body": "changed"} == difference(before, snapshot(tweet))


@pytest.mark.parametrize("act", ["new", "pending", "flushed", "detached", "deleted"])
def test_sqlalchemy_instance_in_every_state(session: Any, act: Any) -> None:
    """An instance is read whatever its session knows of it."""
    tweet = session.get(Tweet, 5) if act in {"detached", "deleted"} else Tweet(id=6, body="new")
    if act in {"pending", "flushed"}:
        session.add(tweet)
    if act == "flushed":
        session.flush()
    if act == "detached":
        session.expunge(tweet)
    if act == "deleted":
        session.delete(tweet)
        session.flush()
    statements = Statements(session.get_bind())
    flat = snapshot(tweet)

    assert (
        {"id": 6, "body": "new"} if act in {"new", "pending", "flushed"} else {"id": 5, "body": "T"}
    ).items() <= flat.items()
    assert [] == statements.seen


async def test_sqlalchemy_async_session_is_not_asked() -> None:
    """An expired instance of an async session is unknown; no load is tried, which would raise."""
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as began:
        await began.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        tweet = Tweet(id=7, body="T")
        session.add(tweet)
        await session.commit()
        statements = Statements(engine.sync_engine)

        assert {"id": 7, "body": UNKNOWN} == {name: snapshot(tweet)[name] for name in ("id", "body")}
        assert [] == statements.seen
    await engine.dispose()


allow_models()


class Author(models.Model):  # type: ignore[misc]  # noqa: DJ008  (Django is untyped; nobody prints it)
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "snapshots"


class Note(models.Model):  # type: ignore[misc]  # noqa: DJ008  (Django is untyped; nobody prints it)
    body = models.CharField(max_length=50)
    text = models.TextField(default="long")
    author = models.ForeignKey(Author, null=True, on_delete=models.CASCADE)
    avatar = models.FileField(null=True)

    class Meta:
        app_label = "snapshots"


@pytest.fixture
def notes() -> Iterator[Any]:
    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Note)
    author = Author.objects.create(name="A")
    Note.objects.create(body="T", author=author, avatar="a.png")
    yield Note.objects
    with connection.schema_editor() as editor:
        editor.delete_model(Note)
        editor.delete_model(Author)
    connection.close()


def test_django_model_is_read_without_a_query(notes: Any) -> None:
    """The concrete fields of a model are told by value, and nothing is asked for."""
    note = notes.get()
    with CaptureQueriesContext(connection) as queries:
        flat = snapshot(note)
        note.body = "changed"
        changed = difference(flat, snapshot(note))

    assert {"id": 1, "body": "T", "text": "long", "author_id": 1, "avatar": "a.png"} == flat
    assert {"body_was": "T", "body": "changed"} == changed
    assert [] == queries.captured_queries


def test_django_deferred_field_is_skipped_and_never_loaded(notes: Any) -> None:
    """A field that was not loaded is not told, neither as empty nor as new when it is loaded later."""
    note = notes.defer("text").get()
    with CaptureQueriesContext(connection) as queries:
        before = snapshot(note)
    assert "long" == note.text

    assert DEFERRED is before["text"]
    assert {} == difference(before, before)
    assert {"auditkit_capture": "unknown: text"} == difference(before, snapshot(note))
    assert [] == queries.captured_queries


def test_django_related_object_is_not_followed(notes: Any) -> None:
    """A loaded relation is told by its key alone, in the middle of other state too."""
    note = notes.select_related("author").get()

    assert {"note.id", "note.body", "note.text", "note.author_id", "note.avatar"} == set(snapshot({"note": note}))


def test_django_accessed_file_is_told_by_its_name(notes: Any) -> None:
    """A file field leaves an object that leads back to its model; its name is what is stored."""
    note = notes.get()
    assert "a.png" == note.avatar.name

    assert "a.png" == snapshot(note)["avatar"]


@dataclasses.dataclass
class Holder:
    tweet: Any


def test_models_inside_other_state(session: Any) -> None:
    """A model inside a list or an object is read as carefully as by itself."""
    tweet = session.get(Tweet, 5)
    session.expire(tweet)
    statements = Statements(session.get_bind())

    assert UNKNOWN is snapshot(Holder(tweet))["tweet.body"]
    assert (
        '[{"id": 5, "body": "<unknown>", "text": "<unknown>", "author_id": "<unknown>"}]' == snapshot([tweet])["value"]
    )
    assert [] == statements.seen


def _made(value: Any) -> Any:
    lazy = SimpleLazyObject(lambda: value)
    str(lazy)
    return lazy


def _local(value: Any) -> Any:
    local = Local()
    local.user = value
    return local("user")


_PROXIES: dict[str, Any] = {
    "django": _made,
    "wrapt": wrapt.ObjectProxy,
    "werkzeug": lambda value: LocalProxy(lambda: value),
    "local": _local,
    "proxy of a proxy": lambda value: wrapt.ObjectProxy(_made(value)),
}


@pytest.mark.parametrize("proxy", _PROXIES.values(), ids=_PROXIES)
@pytest.mark.parametrize("state", [Holder("T"), {"tweet": "T"}, ["T"], "T", None])
def test_proxy_is_told_by_what_it_stands_for(proxy: Any, state: Any) -> None:
    """A state is the same where a proxy of it is given."""
    assert snapshot(state) == snapshot(proxy(state))


@pytest.mark.parametrize("proxy", [_made, wrapt.ObjectProxy])
def test_proxy_inside_other_state_is_seen_through(proxy: Any) -> None:
    """So it is inside of a state, in a list, and as a key."""
    state = {"user": proxy(Holder("T")), "all": [proxy(Holder("T"))], proxy("key"): proxy(5)}

    assert {"user.tweet": "T", "all": '[{"tweet": "T"}]', "key": 5} == snapshot(state)


def _unused() -> Any:
    raise AssertionError("it was asked")


@pytest.mark.parametrize(
    "proxy", dict.fromkeys([SimpleLazyObject, getattr(wrapt, "LazyObjectProxy", SimpleLazyObject)])
)
def test_lazy_object_that_is_not_made_is_unknown(proxy: Any) -> None:
    """A snapshot makes nothing, and says that it knows nothing."""
    lazy = proxy(_unused)

    assert {REST: UNKNOWN} == snapshot(lazy)
    assert {"user": f"<{proxy.__name__} object>"} == snapshot({"user": lazy})
    assert {"auditkit_capture": "unknown: further fields"} == difference(snapshot(lazy), snapshot(lazy))


def test_local_proxy_inside_other_state_is_not_asked() -> None:
    """Only where it is the state itself is a function of the application's called for it."""
    assert {"db": "<LocalProxy object>"} == snapshot({"db": LocalProxy(_unused)})


def test_local_proxy_of_nothing_is_unknown() -> None:
    """A proxy that stands for nothing here and now, as Flask's outside of a request, is not empty."""
    assert {REST: UNKNOWN} == snapshot(Local()("user"))


def test_django_lazy_object_is_read_without_a_query(notes: Any) -> None:
    """What is behind ``request.user`` is read as the model itself is, once the application has used it."""
    lazy = SimpleLazyObject(lambda: notes.defer("text").get())
    with CaptureQueriesContext(connection) as queries:
        before = snapshot(lazy)
    assert lazy._wrapped is empty
    assert "T" == lazy.body

    assert [] == queries.captured_queries
    assert {REST: UNKNOWN} == before
    assert {"id": 1, "body": "T", "text": DEFERRED, "author_id": 1, "avatar": "a.png"} == snapshot(lazy)
