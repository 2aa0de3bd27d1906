"""What a service audits, and what it does not, asked of a package on disk by real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = '''
from auditkit import audited, configure

configure()
print("imported")


@audited("invoice.pay", "U", target="invoice.id", capture="invoice", fields=("status",), on_error="invoice.pay_failed")
def pay(invoice):
    """Pay an invoice."""
    invoice.status = "paid"


@audited("invoice.read", "R", target="number")
def read(number):
    return number


def refund(invoice):
    invoice.status = "refunded"
'''
JOBS = """
from app.services import pay, refund
from auditkit import audited


class Cleaner:
    @audited("invoice.delete", "D", target="number")
    @staticmethod
    def delete(number):
        print(number)

    def run(self):
        self.delete(1)
"""
CATALOGUE = [
    {"action": "invoice.delete", "action_type": "D", "function": "app.jobs.Cleaner.delete", "target": "number"},
    {
        "action": "invoice.pay",
        "action_type": "U",
        "capture": "invoice",
        "fields": ["status"],
        "function": "app.services.pay",
        "on_error": "invoice.pay_failed",
        "target": "invoice.id",
    },
    {"action": "invoice.read", "action_type": "R", "function": "app.services.read", "target": "number"},
]


def auditkit(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the current directory, from which modules are imported unless Python was told not to."""
    return subprocess.run(
        [sys.executable, "-m", "auditkit", *words],
        capture_output=True, text=True, timeout=50, check=False, env={**os.environ, "PYTHONSAFEPATH": ""},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def app() -> Path:
    """Write a package in the current directory."""
    folder = Path("app")
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "__main__.py").write_text("raise RuntimeError('the program was run')")
    (folder / "services.py").write_text(SERVICES)
    (folder / "jobs.py").write_text(JOBS)
    return folder


def test_actions_are_a_table() -> None:
    """Every action of a package is listed with its type, its function and its place; nothing is recorded."""
    done = auditkit("actions", "app")

    assert [
        "action              type  function                 location",
        "invoice.delete      D     app.jobs.Cleaner.delete  app/jobs.py:7",
        "invoice.pay         U     app.services.pay         app/services.py:8",
        "invoice.pay_failed  U     app.services.pay         app/services.py:8",
        "invoice.read        R     app.services.read        app/services.py:14",
    ] == done.stdout.splitlines()
    assert (0, "imported\n") == (done.returncode, done.stderr)
    assert not Path("audit").exists()


def test_actions_are_those_of_the_named_modules() -> None:
    """What another module audits is not listed, also where that was imported on the way."""
    assert ["app.jobs.Cleaner.delete"] == [
        each["function"] for each in json.loads(auditkit("actions", "app.jobs", "--json").stdout)
    ]
    assert CATALOGUE == json.loads(auditkit("actions", "app.jobs", "app.services", "--json").stdout)


def test_json_stays_the_same(app: Path) -> None:
    """Where the package lies, its lines and its docstrings are no part of the JSON."""
    before = auditkit("actions", "app", "--json").stdout
    (app / "services.py").write_text("\n\n\n" + SERVICES.replace("Pay an invoice.", "Pay it."))
    Path("elsewhere").mkdir()
    os.chdir("elsewhere")
    (Path("..") / "app").rename("app")

    assert CATALOGUE == json.loads(before)
    assert before == auditkit("actions", "app", "--json").stdout


def test_check_passes_while_nothing_changes() -> None:
    """--check says that the file is up to date, however it is laid out."""
    Path("kept.json").write_text(json.dumps(CATALOGUE))
    done = auditkit("actions", "app", "--check", "kept.json")

    assert (0, "kept.json is up to date\n") == (done.returncode, done.stdout)


def test_check_shows_what_changed(app: Path) -> None:
    """--check prints a diff, ends with 1, and says how the change is accepted; then it passes."""
    kept = Path("kept $1.json")
    kept.write_text(auditkit("actions", "app", "--json").stdout)
    (app / "services.py").write_text(SERVICES.replace('fields=("status",)', 'exclude=["notes"]'))  # of another size:
    done = auditkit("actions", "app", "--check", str(kept))  # an equal one within a second is not compiled anew
    command = done.stderr.splitlines()[-1].partition("should be: ")[2]

    assert 1 == done.returncode
    assert ["--- kept $1.json", "+++ app"] == done.stdout.splitlines()[:2]
    assert ['-    "fields": [', '-      "status"', '+    "exclude": [', '+      "notes"'] == [
        line for line in done.stdout.splitlines()[2:] if line.startswith(("-", "+")) and line.strip("-+ ") != "],"
    ]

    subprocess.run(["sh", "-c", command], check=True, timeout=50, env={**os.environ, "PYTHONSAFEPATH": ""})

    assert 0 == auditkit("actions", "app", "--check", str(kept)).returncode


@pytest.mark.parametrize(
    ("content", "told"), [("no JSON", "kept.json is not a catalogue in JSON: "), (None, "No such file or directory")]
)
def test_check_needs_a_catalogue(content: str | None, told: str) -> None:
    """A file that is not there, or no JSON, is one line and 2."""
    if content is not None:
        Path("kept.json").write_text(content)
    done = auditkit("actions", "app", "--check", "kept.json")

    assert 2 == done.returncode
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_conflicting_types_are_warned_of(app: Path) -> None:
    """An action of two types is warned of in every form, and is no error."""
    (app / "jobs.py").write_text(JOBS.replace("invoice.delete", "invoice.read"))
    warning = "auditkit: warning: invoice.read is D in app.jobs.Cleaner.delete, and R in app.services.read"

    for words in [("--json",), ()]:
        done = auditkit("actions", "app", *words)

        assert (0, ["imported", warning]) == (done.returncode, done.stderr.splitlines())


def test_nothing_audited_is_said() -> None:
    """A package without an audited function is an empty catalogue."""
    Path("plain.py").touch()
    done = auditkit("actions", "plain")

    assert (0, "", "no function of plain is audited\n") == (done.returncode, done.stdout, done.stderr)
    assert "[]\n" == auditkit("actions", "plain", "--json").stdout


@pytest.mark.parametrize("command", ["actions", "uncovered"])
def test_failing_import_is_one_line(app: Path, command: str) -> None:
    """A module that cannot be imported is named with the reason and the place, without a traceback, and 2."""
    (app / "broken.py").write_text("raise ValueError('\\x1b[2J')")
    done = auditkit(command, "app")

    assert (2, "") == (done.returncode, done.stdout)
    assert "auditkit: cannot import app.broken: ValueError: \\x1b[2J (app/broken.py:1)\n" == done.stderr


@pytest.mark.parametrize("name", ["app/services.py", "app.", "", "-m"])
def test_module_is_a_dotted_name(name: str) -> None:
    """A path is refused with what would be right."""
    done = auditkit("actions", name)

    assert 2 == done.returncode
    assert "Traceback" not in done.stderr
    assert "must be a dotted name such as app.services" in done.stderr or name == "-m"


def test_names_steer_no_terminal() -> None:
    """A function's name cannot colour or clear the terminal."""
    Path("evil.py").write_text(
        "from auditkit import audited\ndef f(x): print(x)\nf.__qualname__ = 'f\\x1b[2J'\n"
        "globals()['g\\x9b'] = f\na = audited('a.b', 'R')(f)"
    )

    for words in [("actions", "evil"), ("actions", "evil", "--json"), ("uncovered", "evil")]:
        shown = auditkit(*words).stdout

        assert shown.replace("\n", "").isprintable()
        assert "f" in shown


def test_uncovered_lists_what_is_not_audited() -> None:
    """What is public, does something and is not audited is listed where it is defined, and that is a failure."""
    done = auditkit("uncovered", "app")

    assert [
        "function              location",
        "app.jobs.Cleaner.run  app/jobs.py:12",
        "app.services.refund   app/services.py:19",
    ] == done.stdout.splitlines()
    assert 1 == done.returncode
    assert "2 of 5 public functions of app are not audited" == done.stderr.splitlines()[-1]


def test_uncovered_gives_json() -> None:
    """--json gives what an editor or a CI needs to point at the line."""
    done = auditkit("uncovered", "app.services", "--json")

    assert [{"file": "app/services.py", "function": "app.services.refund", "line": 19}] == json.loads(done.stdout)
    assert 1 == done.returncode


def test_uncovered_takes_exceptions() -> None:
    """--ignore leaves out what matches, as often as it is given."""
    some = auditkit("uncovered", "app", "--ignore", "app.jobs.*")
    all_ = auditkit("uncovered", "app", "--ignore", "app.jobs.*", "--ignore", "*.refund", "--json")

    assert (1, 2) == (some.returncode, len(some.stdout.splitlines()))
    assert (0, "[]\n") == (all_.returncode, all_.stdout)
    assert "every public function of app is audited: 2" == all_.stderr.splitlines()[-1]


def test_uncovered_says_that_there_is_nothing() -> None:
    """A module without a public function passes, and says so."""
    Path("plain.py").touch()
    done = auditkit("uncovered", "plain")

    assert (0, "", "there is no public function in plain\n") == (done.returncode, done.stdout, done.stderr)


def test_current_directory_is_left_out_where_python_is_told_so() -> None:
    """Under PYTHONSAFEPATH a module is not looked for in the current directory."""
    done = subprocess.run(
        [sys.executable, "-m", "auditkit", "actions", "app"],
        capture_output=True, text=True, timeout=50, check=False, env={**os.environ, "PYTHONSAFEPATH": "1"},
    )  # fmt: skip

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("auditkit: there is no module app: it was looked for in ")


def test_installed_command_looks_in_the_current_directory() -> None:
    """The command's own script imports from the current directory too, as `python -m` does."""
    script = Path("bin") / "auditkit"
    script.parent.mkdir()
    script.write_text("import sys\nfrom auditkit.__main__ import main\nsys.exit(main())")
    done = subprocess.run(
        [sys.executable, script, "actions", "app.jobs"],
        capture_output=True, text=True, timeout=50, check=False, env={**os.environ, "PYTHONSAFEPATH": ""},
    )  # fmt: skip

    assert (0, 2) == (done.returncode, len(done.stdout.splitlines()))
