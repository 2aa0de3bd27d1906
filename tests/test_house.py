"""The house keeps its own rules: what no linter sees."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import auditkit
from auditkit import errors
from auditkit.trail.telling import REMEDIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(auditkit.__file__).parent
README = ROOT / "README.md"
SET_UP = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/auditkit demo"
RUN_TESTS = '.venv/bin/pip install ".[test]" && .venv/bin/python -m pytest'
FIRST_SCREEN = 40  # lines

# The packages whose names users type.
PUBLIC = ("auditkit", "auditkit.testing", "auditkit.transports")

# What lies at the top level of the repository, and nothing else but dot-files.
CARD = {"README.md", "auditkit", "docs", "pyproject.toml", "tests"}

# What reads real time or chance, by the module or class that has it; whole modules of chance.
READINGS = {
    "date": {"today"},
    "datetime": {"now", "today", "utcnow"},
    "os": {"getrandom", "urandom"},
    "time": {
        "localtime",
        "monotonic",
        "monotonic_ns",
        "perf_counter",
        "perf_counter_ns",
        "sleep",
        "time",
        "time_ns",
    },
    "uuid": {"uuid1", "uuid4"},
}
CHANCE = {"random", "secrets"}


def documents() -> list[Path]:
    """Return every page that people read."""
    return sorted([README, *(ROOT / "docs").rglob("*.md")])


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def named_in(module: ModuleType) -> set[str]:
    """Return the public names that a package brings from its own modules."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and str(getattr(value, "__module__", "")).startswith("auditkit")
    }


def as_ruff_sorts(name: str) -> tuple[int, str]:
    """Order CONSTANTS before Classes before functions, as ruff's RUF022 does."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("package", PUBLIC)
def test_all_is_complete(package: str) -> None:
    """Every public name that a package shows is in its `__all__`, and every name there exists."""
    module = importlib.import_module(package)

    assert set() == named_in(module) - {*module.__all__}
    assert [] == [name for name in module.__all__ if not hasattr(module, name)]


@pytest.mark.parametrize("package", PUBLIC)
def test_all_is_sorted(package: str) -> None:
    """`__all__` is sorted and says each name once."""
    names = importlib.import_module(package).__all__

    assert sorted({*names}, key=as_ruff_sorts) == list(names)


def test_card_top_level() -> None:
    """The top level of the repository holds the five entries of the card and dot-files."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing says what is part of the repository")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    entries = {path.partition("/")[0] for path in tracked}

    assert set() == {entry for entry in entries if not entry.startswith(".")} - CARD


def test_card_dependencies() -> None:
    """auditkit needs httpx, wrapt and the standard library."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.split(r"[^A-Za-z0-9._-]", each)[0] for each in project["dependencies"]]

    assert ["httpx", "wrapt"] == sorted(names)


@pytest.mark.parametrize(
    "module",
    [
        "httpx",
        "sqlite3",
        "dataclasses",
        "hashlib",
        "auditkit.journal",
        "auditkit.delivery",
        "auditkit.crossing",
    ],
)
def test_import_is_light(module: str) -> None:
    """`import auditkit` loads no HTTP client, no database, no journal and nothing slow: each command line would pay for it."""
    asked = f"import sys, auditkit; print({module!r} in sys.modules)"
    # Coverage, where it follows children, loads sqlite3 itself.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", asked], check=True, capture_output=True, text=True, env=plain
    )

    assert "False\n" == answer.stdout


def test_errors_are_drawn() -> None:
    """The tree at the head of errors.py draws every error class, each below its own base."""
    drawn = list(drawn_tree(errors.__doc__ or ""))
    real = [
        (name, next(base.__name__ for base in cls.__mro__[1:] if issubclass(base, Exception)))
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and cls.__module__ == errors.__name__
    ]

    assert sorted(real) == sorted(drawn)


def drawn_tree(drawing: str) -> Iterator[tuple[str, str]]:
    """Yield each class of the drawing with the one it hangs from."""
    above: list[str] = ["Exception"]
    for line in drawing.splitlines():
        match = re.match(r"(?P<lead>(?:[│ ]   )*(?:[├└]── )?)(?P<name>[A-Z]\w+)(?: {2,}|$)", line)
        if match:
            depth = len(match["lead"]) // 4 + 1
            del above[depth:]
            yield match["name"], above[-1]
            above.append(match["name"])


def test_only_the_clock_reads_time() -> None:
    """Only clock.py reads real time and chance: everything else can be driven by a test."""
    found = [
        f"{path.relative_to(PACKAGE)}:{line} {what}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "clock.py"
        for line, what in readings(ast.parse(path.read_text("utf-8")))
    ]

    assert [] == found


def readings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield where a module reads time or chance, or imports what does."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, each.name) for each in names if each.name in CHANCE)
            case ast.ImportFrom(module=str(module), names=names):
                banned = READINGS.get(module, set())
                yield from ((node.lineno, each.name) for each in names if each.name in banned or module in CHANCE)
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=attr):
                if attr in READINGS.get(owner, ()):
                    yield node.lineno, f"{owner}.{attr}"
            case _:
                pass


def test_test_folders_are_packages() -> None:
    """Each folder of tests is a package, so that two rooms may have a test file of one name."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}

    assert [] == [relative(each) for each in sorted(folders) if not (each / "__init__.py").exists()]


def test_readme_is_short() -> None:
    """The README stays under 150 lines."""
    lines = README.read_text("utf-8").splitlines()

    assert 150 > len(lines)


def test_readme_begins_with_the_two_commands() -> None:
    """Set-up and tests stand on the README's first screen, each a line to copy."""
    first_screen = README.read_text("utf-8").splitlines()[:FIRST_SCREEN]

    assert [SET_UP, RUN_TESTS] == [line for line in first_screen if line in {SET_UP, RUN_TESTS}]


@pytest.mark.parametrize("document", documents(), ids=relative)
def test_no_block_is_skipped(document: Path) -> None:
    """No page has a fence that Sybil passes over in silence: Python is fenced as `python`."""
    fences = re.findall(r"^[ \t]*(?:```|~~~)[ \t]*(\S+)", document.read_text("utf-8"), re.MULTILINE)
    unknown = {"pycon", "py", "python3", "python-console", "Python", "{python}", "doctest"}

    assert [] == [fence for fence in fences if fence in unknown]


@pytest.mark.parametrize("document", documents(), ids=relative)
def test_nobody_is_told_to_install_another_project(document: Path) -> None:
    """The distribution is auditkit-trail: PyPI's auditkit is not ours."""
    told = re.findall(
        r"(?:pip3?|pipx|uv(?: tool)?|poetry)\s+(?:install|add)\s[^\n`&|;]*?(?<![\w./-])auditkit(?![\w.-])",
        document.read_text("utf-8"),
    )

    assert [] == told


def commands(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command below a parser, with what a person types for it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield f"{path} {name}", child
                yield from commands(child, f"{path} {name}")


def test_every_command_is_documented() -> None:
    """docs/reference/cli.md names every command, and every option in the section of its command."""
    from auditkit.cli.parser import build_parser  # noqa: PLC0415  (its absence fails this test, not the house)

    page = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    sections = {
        title.partition(" [")[0].strip("` "): body
        for title, body in re.findall(r"^#+ +(.+)\n((?:(?!#+ ).*\n?)*)", page, re.MULTILINE)
    }
    missing = []
    for command, parser in commands(build_parser(), "auditkit"):
        section = sections.get(command)
        if section is None:
            missing.append(command)
            continue
        options = [option for action in parser._actions for option in action.option_strings]
        missing += [
            f"{command} {option}"
            for option in options
            if option.startswith("--") and option != "--help" and option not in section
        ]

    assert [] == missing


def test_every_trouble_is_documented_once() -> None:
    """docs/reference/configuration.md has one line for each code that auditkit counts and logs."""
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    table = page.partition("| code | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    codes = [code for row in table.splitlines() for code in re.findall(r"`(\w+)`", row.split("|")[1])]
    told = {code for path in PACKAGE.rglob("*.py") for code in troubles(ast.parse(path.read_text("utf-8")))}

    assert sorted(set(codes)) == sorted(codes)
    told |= set(REMEDIES)
    assert "not_recorded" in told
    assert set() == told - set(codes)


def test_every_fault_names_tests_that_exist() -> None:
    """Each test that docs/explanation/faults.md names as showing a promise is there."""
    page = (ROOT / "docs" / "explanation" / "faults.md").read_text("utf-8")
    named = re.findall(r"`([\w/]+\.py)::([\w:]+)`", page)
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(ROOT / "tests" / path)]

    assert len(named) > 100
    assert page.count("::") == sum(
        1 + name.count("::") for _, name in named
    )  # none is written so that it is passed over
    assert [] == missing


def names_in(path: Path) -> set[str]:
    """Return the names of a file's tests, those of a class with the class's; a state machine's is an assignment."""
    if not path.exists():
        return set()
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                found |= {f"{name}::{each.name}" for each in body if isinstance(each, ast.FunctionDef)}
            case ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
            case _:
                pass
    return found


def troubles(tree: ast.Module) -> Iterator[str]:
    """Yield the codes that a module reports."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="report" | "_report" | "trouble" | "_tell" | "_ail"),
                args=[ast.Constant(value=str(code)), *_],
            ):
                yield code
            case _:
                pass
