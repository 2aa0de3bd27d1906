"""Modules that a command looks at are imported as a service would, and nothing more happens."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from auditkit import ConfigurationError
from auditkit.cli.importing import import_modules, is_within

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("imports")


@pytest.fixture
def imports(tmp_path: Path) -> Iterator[None]:
    """Let modules be imported from the test's directory, and forget them after."""
    path, known = [*sys.path], {*sys.modules}
    sys.path.insert(0, str(tmp_path))  # also where Python was told not to look in the current directory
    yield
    sys.path[:] = path
    for name in {*sys.modules} - known:
        del sys.modules[name]


def write(**files: str) -> None:
    """Write modules, a double underscore for each slash."""
    for name, source in files.items():
        path = Path(f"{name.replace('__', '/')}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source), "utf-8")


def package(**files: str) -> None:
    """Write a package `app` with a package `deep` in it."""
    write(app__services="", app__deep__one="", **files)
    for folder in ("app", "app/deep"):
        (Path(folder) / "__init__.py").touch()


def test_package_is_imported_whole() -> None:
    """Every module of a package and of packages in it is imported, but for its program."""
    package()
    (Path("app") / "__main__.py").write_text("raise SystemExit('started')")

    assert ["app", "app.deep", "app.deep.one", "app.services"] == sorted(import_modules(["app"]))


def test_module_is_imported_alone() -> None:
    """A module of a package is looked at without its neighbours, and each one once."""
    package()

    assert ["app.services"] == [*import_modules(["app.services"])]
    assert ["app.deep", "app.deep.one"] == [*import_modules(["app.deep", "app.deep.one"])]


def test_import_records_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A service that configures itself when imported makes no directory; what it prints is no output."""
    write(service="import auditkit\nauditkit.configure()\nprint('ready')")
    path = [*sys.path]
    import_modules(["service"])

    assert ("", "ready\n") == capsys.readouterr()
    assert not Path("audit").exists()
    assert "AUDITKIT_DISABLED" not in os.environ
    assert path == sys.path


def test_import_leaves_a_setting_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """AUDITKIT_DISABLED is afterwards what it was."""
    monkeypatch.setenv("AUDITKIT_DISABLED", "0")
    write(service="import os\nseen = os.environ['AUDITKIT_DISABLED']")

    assert "1" == import_modules(["service"])["service"].seen
    assert "0" == os.environ["AUDITKIT_DISABLED"]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.at.all", "app.nowhere", "app.services.Class"])
def test_unknown_module_is_named(name: str) -> None:
    """A module that does not exist is named with where it was looked for."""
    package()
    with pytest.raises(ConfigurationError) as caught:
        import_modules([name])

    assert f"there is no module {name}: it was looked for in {os.getcwd()}, then on sys.path" == str(caught.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("\nimport nowhere", "ModuleNotFoundError: No module named 'nowhere' (app/services.py:2)"),
        ("\n1 / 0", "ZeroDivisionError: division by zero (app/services.py:2)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 (app/services.py:2)"),
        ("def f(:", "SyntaxError: invalid syntax (services.py, line 1)"),
        ("import pytest\npytest.skip('later', allow_module_level=True)", "Skipped: later (app/services.py:2)"),
        (
            "from auditkit import audited\n@audited('a.b', 'R', target='gone')\ndef f(): ...",
            "AuditDefinitionError: target='gone' of f: there is no parameter 'gone'; there are result (app/services.py:2)",
        ),
    ],
)
def test_failing_import_is_told_with_its_place(source: str, told: str) -> None:
    """Whatever a module raises is one line with its place in the user's code."""
    package()
    write(app__services=source)
    with pytest.raises(ConfigurationError) as caught:
        import_modules(["app"])

    assert f"cannot import app.services: {told}" == str(caught.value)


def test_import_can_be_interrupted() -> None:
    """An interrupt is not told as a module's failure."""
    write(service="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        import_modules(["service"])


@pytest.mark.parametrize(
    ("module", "inside"), [("app", True), ("app.users", True), ("application", False), ("other.app", False)]
)
def test_within_is_by_whole_names(module: str, inside: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    """A module is within another one by the parts of its name."""
    assert inside == is_within(module, ["billing", "app"])
