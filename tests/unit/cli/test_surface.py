"""Which functions modules offer, and which of them are audited."""

from __future__ import annotations

import sys
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from auditkit.cli.surface import public_functions

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """
import abc, functools
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, NamedTuple, overload
from auditkit import audited
read = audited("shop.read", "R")
"""


def module(source: str, name: str = "shop", **names: object) -> ModuleType:
    """Return a module of this source, as if it were imported."""
    made = ModuleType(name)
    vars(made).update(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, made)  # dataclasses look their module up
        exec(compile(HEAD + dedent(source), f"/src/{name}.py", "exec"), vars(made))
    return made


def offered(*modules: ModuleType) -> dict[str, bool]:
    """Return what modules offer, each with whether it is audited, but for the head's own."""
    found = public_functions({each.__name__: each for each in modules})
    return {each.name: each.audited for each in found}


def missing(source: str) -> list[str]:
    """Return what a module offers and does not audit."""
    return [name for name, audited in offered(module(source)).items() if not audited]


def test_functions_and_methods_are_offered() -> None:
    """Public functions and methods of every kind are offered, sorted, with their place."""
    source = """
    def refund(invoice): print(invoice)
    async def arefund(invoice): print(invoice)
    def _helper(invoice): print(invoice)
    class Billing:
        def pay(self): print(self)
        async def apay(self): print(self)
        @classmethod
        def load(cls): print(cls)
        @staticmethod
        def tax(amount): return amount
        def _private(self): print(self)
        def __len__(self): return print(self)
        class Nested:
            def deep(self): print(self)
        class _Hidden:
            def deep(self): print(self)
    class _Internal:
        def run(self): print(self)
    """
    found = public_functions({"shop": module(source)})

    assert [
        "shop.Billing.Nested.deep",
        "shop.Billing.apay",
        "shop.Billing.load",
        "shop.Billing.pay",
        "shop.Billing.tax",
        "shop.arefund",
        "shop.refund",
    ] == [each.name for each in found]
    assert ("/src/shop.py", HEAD.count("\n") + 2) == (found[-1].file, found[-1].line)


@pytest.mark.parametrize(
    "source",
    [
        "@read\ndef f(x): print(x)",
        "@read\nasync def f(x): print(x)",
        "class A:\n  @read\n  def f(self): print(self)",
        "class A:\n  @read\n  @staticmethod\n  def f(): print(1)",
        "class A:\n  @staticmethod\n  @read\n  def f(): print(1)",
        "class A:\n  @read\n  @classmethod\n  def f(cls): print(1)",
        "class A:\n  @classmethod\n  @read\n  def f(cls): print(1)",
        "@functools.lru_cache\n@read\ndef f(x): print(x)",
        "@contextmanager\n@read\ndef f(x): yield print(x)",
        "def _f(x): print(x)\nf = functools.partial(read(_f), 1)",
    ],
)
def test_audited_function_is_recognised(source: str) -> None:
    """An audited function is recognised whatever stands above and below its decorator."""
    assert [] == missing(source)
    assert any(offered(module(source)).values())


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n  @property\n  def f(self): print(self)",
        "class A:\n  @functools.cached_property\n  def f(self): print(self)",
        "@dataclass(order=True)\nclass A:\n  f: int = 0\n  g: object = print",
        "def _default(x): print(x)\n@dataclass\nclass A:\n  f: object = _default",
        "class A(NamedTuple):\n  f: int",
        "class A(Protocol):\n  def f(self, x: int) -> int: ...\n  async def g(self): ...",
        "class A(abc.ABC):\n  @abc.abstractmethod\n  def f(self): print(self)",
        "class A(abc.ABC):\n  @classmethod\n  @abc.abstractmethod\n  def f(cls): print(cls)",
        "class A:\n  def f(self):\n    '''Be overridden.'''\n    raise NotImplementedError",
        "class A:\n  def f(self): raise NotImplementedError('override it')",
        "@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...",
        "class A:\n  @overload\n  def f(self, x: int) -> int: ...\n  @overload\n  def f(self, x: str) -> str: ...",
        "def f():\n  '''Do nothing.'''",
        "def f(): pass",
        "def f(): return 5",
        "async def f(): return 'pong'",
        "def f():\n  yield",
        "from json import dumps as f",
        "from json import JSONEncoder as F",
        "class A:\n  from json import dumps as f",
        "f = functools.partial(print, 1)",
        "f = 5",
        "class A:\n  f = 5",
        "__all__ = ['g']\ndef f(x): print(x)\nclass A:\n  def f(self): print(self)",
    ],
)
def test_what_is_no_public_function_is_left_out(source: str) -> None:
    """Properties, what is generated, abstract or imported, and what does nothing, is not asked for."""
    assert {} == offered(module(source))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("@overload\ndef f(x: int) -> int: ...\ndef f(x): return print(x)", ["shop.f"]),
        ("class A(Protocol):\n  def f(self): print(self)", ["shop.A.f"]),
        ("def f(x): return x", ["shop.f"]),
        ("def f():\n  import os", ["shop.f"]),
        ("f = lambda x: x", ["shop.f"]),
        ("@functools.lru_cache\ndef f(x): print(x)", ["shop.f"]),
        ("@contextmanager\ndef f(x): yield print(x)", ["shop.f"]),
        ("@functools.singledispatch\ndef f(x): print(x)", ["shop.f"]),
        ("class A:\n  @functools.singledispatchmethod\n  def f(self, x): print(x)", ["shop.A.f"]),
        ("class A:\n  def _f(self, x): print(x)\n  f = functools.partialmethod(_f, 1)", ["shop.A.f"]),
        ("__all__ = ('_f', 'gone')\ndef _f(x): print(x)", ["shop._f"]),
        ("__all__ = ['A']\nclass A:\n  def f(self): print(self)", ["shop.A.f"]),
        ("__all__ = None\ndef f(x): print(x)", ["shop.f"]),
        ("def f(x): print(x)\ng = f", ["shop.f"]),
        ("class A:\n  def f(self): print(self)\nB = A\ng = A().f", ["shop.A.f"]),
        ("class A:\n  def f(self): print(self)\nA.Own = A", ["shop.A.f"]),
        ("def f(x): print(x)\na = read(f)", ["shop.f"]),
        ("a = read(f := lambda x: x)", ["shop.f"]),
    ],
)
def test_what_is_public_is_told_once(source: str, names: list[str]) -> None:
    """What does something under a public name is told, once, by the first name that it has."""
    assert names == missing(source)


def test_private_bases_are_their_public_classes_own() -> None:
    """What a public class inherits from a private one is told where it is defined, unless it is overridden."""
    source = """
    class _Base:
        def save(self): print(self)
        def delete(self): print(self)
    class Service(_Base):
        @read
        def delete(self): print(self)
    """

    assert {"shop._Base.save": False, "shop.Service.delete": True} == offered(module(source))


def test_only_these_modules_are_asked() -> None:
    """What another module defines is its own, also as a base class."""
    other = module("class Base:\n  def save(self): print(self)\ndef f(x): print(x)", "other")
    source = "class Service(Base): pass\ng = f\n@functools.wraps(f)\ndef h(x): f(x)"
    shop = module(source, Base=other.Base, f=other.f)

    assert {} == offered(shop)
    assert {"other.Base.save", "other.f"} == {*offered(shop, other)}


def test_lazy_objects_are_left_alone() -> None:
    """What stands for something else is not made to be it, and what answers to everything does no harm."""

    class Lazy:
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise RuntimeError("evaluated")

        def __getattr__(self, name: str) -> Iterator[None]:
            raise RuntimeError("evaluated")

    class Proxy(Lazy):
        def __call__(self) -> None: ...

    assert {} == offered(module("", lazy=Lazy(), proxy=Proxy()))
