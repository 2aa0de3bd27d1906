"""References and targets run no query: what a mapper has not loaded is told as that."""

from __future__ import annotations

from collections import OrderedDict, UserDict, defaultdict
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from sqlalchemy import orm

from auditkit import audited, ref
from auditkit.capture.attribute import WAYS
from tests.django_models import allow_models
from tests.unit.capture.builders import only, troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.transports import MemoryTransport


class Base(orm.DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    key: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    posts: orm.Mapped[list[Post]] = orm.relationship(back_populates="person")

    @property
    def label(self) -> str:
        return f"person {self.__dict__.get('name')}"


class Post(Base):
    __tablename__ = "posts"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    person_key: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("people.key"))
    person: orm.Mapped[Person] = orm.relationship(back_populates="posts")


@pytest.fixture
def session() -> Iterator[orm.Session]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Person(key=7, name="Ada", posts=[Post(id=5, name="first")]))
        session.commit()
        yield session
    engine.dispose()


@pytest.fixture
def statements(session: orm.Session) -> list[str]:
    """Keep what is executed from now on."""
    executed: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    sa.event.listen(session.get_bind(), "before_cursor_execute", keep)
    return executed


def touch(memory: MemoryTransport, value: Any, **options: Any) -> None:
    """Record a create, whose references are read after the call."""

    @audited("post.create", "C", **options)
    def create(value: Any) -> Any:
        return value

    create(value)


@pytest.mark.parametrize("target", ["value", "result", "value.id", "result.id"])
def test_expired_instance_is_named_by_its_identity(
    memory: MemoryTransport, session: orm.Session, statements: list[str], target: str
) -> None:
    """A commit inside the call expires what it made: its key is known without asking the database."""
    post = session.get(Post, 5)
    session.commit()
    statements.clear()
    touch(memory, post, target=target)

    assert ("5", "5") == (only(memory).target_id, only(memory).target_name)
    assert [] == statements
    assert {} == troubles()


def test_loaded_instance_is_named_by_what_is_loaded(
    memory: MemoryTransport, session: orm.Session, statements: list[str]
) -> None:
    """What is loaded is read: columns, relations, and properties of the class's own."""
    post = session.get_one(Post, 5)
    assert "Ada" == post.person.name
    statements.clear()
    touch(
        memory,
        post,
        target="value",
        actor="value.person.key",
        metadata={"person": ref("value.person.name"), "label": ref("value.person.label")},
    )

    assert ("5", "first") == (only(memory).target_id, only(memory).target_name)
    assert "7" == only(memory).actor_id
    assert {"person": "Ada", "label": "person Ada"} == only(memory).metadata
    assert [] == statements


@pytest.mark.parametrize("path", ["value.name", "value.person", "value.person.name"])
def test_what_is_not_loaded_is_told_and_not_asked_for(
    memory: MemoryTransport,
    session: orm.Session,
    statements: list[str],
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    """A reference to what a mapper would have to load is an audit error, not a query."""
    post = session.get(Post, 5)
    session.commit()
    statements.clear()
    touch(memory, post, metadata={"it": ref(path)})

    assert {} == only(memory).metadata
    assert [] == statements
    assert {"capture": 1} == troubles()
    assert f"'{path}': '{path.split('.')[1]}' of a Post is not loaded, and auditkit runs no query" in caplog.text


def test_instance_without_identity_has_no_id(memory: MemoryTransport, statements: list[str]) -> None:
    """A new instance that was never flushed has no key to be named by, and nobody is asked for one."""
    touch(memory, Post(name="new"), target="value")

    assert ("", "post") == (only(memory).target_id, only(memory).target_name)
    assert {"capture": 1} == troubles()
    assert [] == statements


def test_mapped_object_may_be_the_actor(memory: MemoryTransport, session: orm.Session, statements: list[str]) -> None:
    """An actor is named by what is loaded of it, as a target is."""
    post = session.get(Post, 5)
    session.commit()
    statements.clear()
    touch(memory, post, actor="value")

    assert "5" == only(memory).actor_id
    assert [] == statements


allow_models()


class Writer(models.Model):  # type: ignore[misc]  # noqa: DJ008  (Django ships no types; nobody prints it)
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "capture"


class Book(models.Model):  # type: ignore[misc]  # noqa: DJ008  (as above)
    title = models.CharField(max_length=20)
    writer = models.ForeignKey(Writer, on_delete=models.CASCADE)

    class Meta:
        app_label = "capture"


@pytest.fixture
def book() -> Iterator[Book]:
    with connection.schema_editor() as editor:
        for model in (Writer, Book):
            editor.create_model(model)
    yield Book.objects.create(pk=5, title="first", writer=Writer.objects.create(pk=7, name="Ada"))
    with connection.schema_editor() as editor:
        for model in (Book, Writer):
            editor.delete_model(model)
    connection.close()


def test_django_instance_is_read_as_far_as_it_is_loaded(memory: MemoryTransport, book: Book) -> None:
    """Fields and relations that are loaded are read without a query."""
    with CaptureQueriesContext(connection) as queries:
        touch(
            memory,
            book,
            target=("value.pk", "value.title"),
            metadata={"writer": ref("value.writer.name"), "writer_id": ref("value.writer_id")},
        )

    assert ("5", "first") == (only(memory).target_id, only(memory).target_name)
    assert {"writer": "Ada", "writer_id": 7} == only(memory).metadata
    assert 0 == len(queries)


def test_django_deferred_field_and_relation_are_not_asked_for(memory: MemoryTransport, book: Book) -> None:
    """What a query left out stays out: the event is recorded without it, and that is told."""
    deferred = Book.objects.only("id").get()
    with CaptureQueriesContext(connection) as queries:
        touch(memory, deferred, target="value", metadata={"a": ref("value.title"), "b": ref("value.writer.name")})

    assert ("5", "5") == (only(memory).target_id, only(memory).target_name)
    assert {} == only(memory).metadata
    assert {"capture": 2} == troubles()
    assert 0 == len(queries)


@pytest.mark.parametrize(
    "value",
    [
        {"items": "5"},
        OrderedDict(items="5"),
        defaultdict(str, items="5"),
        UserDict(items="5"),
        MappingProxyType({"items": "5"}),
        SimpleNamespace(items="5"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_keys_go_before_methods_of_the_same_name(memory: MemoryTransport, value: Any) -> None:
    """What a mapping holds under a name is meant, and not the method that it has under it too."""
    touch(memory, value, target="value.items")

    assert "5" == only(memory).target_id


def test_default_dict_is_not_filled(memory: MemoryTransport) -> None:
    """A key that is not there is told, and not made."""
    value: dict[str, str] = defaultdict(str)
    touch(memory, value, target="value.id")

    assert {} == value
    assert {"capture": 1} == troubles()


def test_classes_are_remembered_within_bounds(memory: MemoryTransport) -> None:
    """A program that makes ever new classes does not fill the memory with them."""

    @audited("post.read", "R", target="value.id")
    def read(value: Any) -> None:
        """Be recorded."""

    for number in range(1100):
        read(type(f"Class{number}", (), {"id": "5"})())

    assert {"5"} == {event.target_id for event in memory.events}
    assert len(WAYS) <= 1024
