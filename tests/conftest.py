"""What every test, every page of the docs and README.md run in: a world of their own."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import PythonCodeBlockParser

import auditkit
from auditkit import AuditTrail, _current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def own_world(directory: Path) -> Iterator[None]:
    """Go to a directory, without settings of auditkit's or a process-wide trail; forget both after."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if (name.startswith("AUDITKIT_") and name != "AUDITKIT_PURE") or name == "WORKOS_API_KEY":
                patch.delenv(name)
        patch.chdir(directory)
        try:
            yield
        finally:
            if _current.trail is not None:
                auditkit.shutdown(timeout=2.0)
            _current.reset()


def enter_document(namespace: dict[str, Any]) -> None:
    """Give a document a directory of its own; its blocks share it, as a reader's do."""
    with ExitStack() as stack:
        directory = stack.enter_context(TemporaryDirectory(prefix="auditkit-docs-"))
        stack.enter_context(own_world(Path(directory)))
        namespace["_leave_document"] = stack.pop_all().close


def leave_document(namespace: dict[str, Any]) -> None:
    """Shut down what the document configured and remove what it wrote."""
    namespace["_leave_document"]()


class Everywhere:
    """Hooks and fixtures that a conftest below tests/ would keep from docs/ and README.md.

    pytest shows a conftest's hooks only what lies below its folder; it shows a plugin object everything.
    """

    def __init__(self) -> None:
        documents = Sybil(
            path=str(ROOT),  # absolute: a relative one is looked for below tests/
            pattern="*.md",
            parsers=[PythonCodeBlockParser()],
            setup=enter_document,
            teardown=leave_document,
        )
        self.pytest_collect_file = documents.pytest()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put a document's blocks back in their order: pytest-randomly shuffles them like tests."""
        places = [place for place, item in enumerate(items) if isinstance(item, SybilItem)]
        blocks = [items[place] for place in places]
        documents = {block.path: len(blocks) - at for at, block in enumerate(blocks)}
        blocks.sort(key=attrgetter("example.start"))
        blocks.sort(key=lambda block: documents[block.path])
        for place, block in zip(places, blocks, strict=True):
            items[place] = block

    @pytest.fixture(autouse=True)
    def world(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Run each test in an empty directory, without auditkit's settings, and forget its trail after."""
        if isinstance(request.node, SybilItem):  # a document's blocks share the document's world
            yield
            return
        with own_world(request.getfixturevalue("tmp_path")):
            yield


@pytest.fixture
def make() -> Iterator[Callable[..., AuditTrail]]:
    """Make trails, and shut them down after the test."""
    with ExitStack() as stack:

        def make(*args: Any, **named: Any) -> AuditTrail:
            trail = AuditTrail(*args, **named)
            stack.callback(trail.shutdown, timeout=2)
            return trail

        yield make


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process, and reach docs/ and README.md."""
    # Run in a shell's background, as in .ci/run, we were started with interrupts ignored, and every process that a
    # test starts and interrupts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Everywhere(), "auditkit-everywhere")
    # A child process imports the auditkit that its test imported, wherever it runs.
    imported_from = str(Path(auditkit.__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [imported_from, os.environ.get("PYTHONPATH")]))
    # Not below the working directory of the moment, which is each test's own.
    set_hypothesis_home_dir(ROOT / ".hypothesis")
    # A machine that is busy with something else is no reason to fail, and the same tests run each time.
    hypothesis.settings.register_profile("auditkit", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("auditkit")
