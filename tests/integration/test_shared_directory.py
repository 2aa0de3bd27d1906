"""Directories that several users, or a container's volume, are involved in: real users, real mounts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import auditkit
from auditkit import AuditTrail, files
from auditkit.errors import JournalUnavailable, Rejected
from auditkit.journal.letters import bury
from auditkit.testing import ScriptedTransport
from auditkit.trail.dead_letters import DeadLetters
from tests.marks import as_root, unshared
from tests.unit.transports.examples import an_event
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION, SIDECAR, STRANGER, SHARED = 64001, 64002, 64003, 64010  # users, each with a group of its number; a group

# Runs a script as another user. The interpreter's own files may be closed to that user: what is needed of them is
# imported before.
AS_USER = """
import os, sys
import auditkit, auditkit.__main__, auditkit.ledger, auditkit.transports, sqlite3, ssl, encodings.idna
from auditkit.cli import deliver, log
from auditkit.delivery import lane
user, group, umask, script = *map(int, sys.argv[1:4]), sys.argv[4]
os.setgroups([group])
os.setgid(user)
os.setuid(user)
os.umask(umask)
exec(script)
"""
RECORD = """
trail = auditkit.configure(auditkit.transports.JSONLinesTransport({lines!r}), directory={directory!r}, deliver=False{more})
print(auditkit.record("note.create", "C", actor="ada", group="acme", location="here", target="n").id, flush=True)
"""
DELIVER = """
sys.path.insert(0, {place!r})
sys.exit(auditkit.__main__.main(["deliver", {directory!r}, "--transport", "sidecar:lines", *{words!r}]))
"""


def run_as(user: int, script: str, *, group: int = SHARED, umask: int = 0o077) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AS_USER, str(user), str(group), str(umask), script],
        env=unmeasured(),  # another user may not write where coverage keeps what it measured
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a directory that every user reaches: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as reachable:
        path = Path(reachable)
        path.chmod(0o755)
        (path / "sidecar.py").write_text(
            "from auditkit.transports import JSONLinesTransport\n"
            f"lines = JSONLinesTransport({str(path / 'out' / 'lines.jsonl')!r})\n",
            "utf-8",
        )
        (path / "out").mkdir()
        os.chown(path / "out", SIDECAR if os.geteuid() == 0 else os.geteuid(), -1)
        yield path


def modes(root: Path) -> dict[str, tuple[str, int]]:
    """Return the permissions and the group of a directory and all that is in it."""
    found = {}
    for path in (root, *root.rglob("*")):
        stat = path.lstat()
        found[str(path.relative_to(root))] = (f"{stat.st_mode & 0o7777:04o}", stat.st_gid)
    return found


def delivered(place: Path) -> list[str]:
    path = place / "out" / "lines.jsonl"
    return [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@as_root
def test_sidecar_of_another_user_delivers_from_a_shared_directory(place: Path) -> None:
    """With shared_group=True and a umask of 077, another user of the group delivers and the application goes on."""
    directory = place / "volume" / "audit"
    directory.parent.mkdir()
    os.chown(directory.parent, APPLICATION, SHARED)
    directory.parent.chmod(0o2755)
    record = RECORD.format(lines=str(place / "lines.jsonl"), directory=str(directory), more=", shared_group=True")
    killed = run_as(APPLICATION, record + "os.kill(os.getpid(), 9)")
    deliver = DELIVER.format(place=str(place), directory=str(directory), words=["--shared-group"])
    sent = run_as(SIDECAR, deliver)
    again = run_as(APPLICATION, record)
    sent_again = run_as(SIDECAR, deliver)

    assert ("json_lines: 1 delivered, 0 left" in sent.stdout, sent.stderr, sent.returncode) == (True, "", 0)
    assert ("", 0) == (sent_again.stderr, sent_again.returncode)
    assert [killed.stdout.strip(), again.stdout.strip()] == delivered(place)
    assert {("2770", SHARED), ("0660", SHARED)} == set(modes(directory).values())


@as_root
def test_stranger_sees_nothing_of_a_shared_directory(place: Path) -> None:
    """Who is not of the group can neither deliver nor look."""
    directory = place / "audit"
    record = RECORD.format(lines=str(place / "lines.jsonl"), directory=str(directory), more=", shared_group=True")
    os.chown(place, APPLICATION, SHARED)
    place.chmod(0o2755)
    run_as(APPLICATION, record)
    sent = run_as(
        STRANGER, DELIVER.format(place=str(place), directory=str(directory), words=["--shared-group"]), group=STRANGER
    )

    assert (2, "") == (sent.returncode, sent.stdout)
    assert f"{directory} cannot be written by this process" in sent.stderr


@as_root
def test_group_must_be_declared_by_both(place: Path) -> None:
    """A sidecar that was not told of the group refuses the directory, and says how to tell it."""
    directory = place / "audit"
    os.chown(place, APPLICATION, SHARED)
    record = RECORD.format(lines=str(place / "lines.jsonl"), directory=str(directory), more=", shared_group=True")
    run_as(APPLICATION, record)
    sent = run_as(SIDECAR, DELIVER.format(place=str(place), directory=str(directory), words=[]))

    assert (2, "") == (sent.returncode, sent.stdout)
    assert "can be written by others (mode 2770); run: chmod go-w" in sent.stderr
    assert "declare its group with shared_group=True (AUDITKIT_SHARED_GROUP=1)" in sent.stderr


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
@pytest.mark.parametrize("shared, expected", [(False, {"0700", "0600"}), (True, {"2770", "0660"})])
def test_permissions_do_not_depend_on_the_umask(tmp_path: Path, umask: int, shared: bool, expected: set[str]) -> None:  # noqa: FBT001
    """Everything is 0700 and 0600, or with shared_group=True 0770 and 0660, whatever the umask."""
    before = os.umask(umask)
    try:
        a_trail(tmp_path / "audit", shared=shared)
    finally:
        os.umask(before)

    assert expected == {mode for mode, _ in modes(tmp_path / "audit").values()}
    assert {"journal", "lanes", "ledger", "ledger/ledger.sqlite3", "ledger/ledger.lock"} <= set(
        modes(tmp_path / "audit")
    )


def a_trail(directory: Path, *, shared: bool) -> None:
    """Leave a directory with something of everything in it."""
    trail = AuditTrail(ScriptedTransport(Rejected("no")), directory=directory, shared_group=shared)
    trail.emit(an_event())
    trail.flush()
    trail.emit(an_event())
    trail.shutdown()


def test_directory_becomes_shared_when_it_is_declared(tmp_path: Path) -> None:
    """What was made before shared_group=True is opened to the group too; the other way round it is refused."""
    directory = tmp_path / "audit"
    a_trail(directory, shared=False)
    (directory / "journal" / "link").symlink_to(tmp_path)
    before = tmp_path.stat().st_mode
    a_trail(directory, shared=True)

    assert before == tmp_path.stat().st_mode
    assert {"2770", "0660"} == {mode for name, (mode, _) in modes(directory).items() if name != "journal/link"}
    with pytest.raises(JournalUnavailable, match="can be written by others .* or declare its group"):
        AuditTrail(directory=directory)


def test_environment_declares_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUDITKIT_SHARED_GROUP=1 is shared_group=True for a process that configures nothing, and for every command."""
    monkeypatch.setenv("AUDITKIT_SHARED_GROUP", "1")
    auditkit.record("note.create", "C", actor="a", group="g", location="l", target="t")
    auditkit.shutdown()
    command = [sys.executable, "-m", "auditkit", "log"]
    logged = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)

    assert {"2770", "0660"} == {mode for mode, _ in modes(tmp_path / "audit").values()}
    assert ("note.create" in logged.stdout, "") == (True, logged.stderr)


def test_shared_directory_is_not_open_to_everybody(tmp_path: Path) -> None:
    """shared_group=True declares the group, and nobody else."""
    directory = tmp_path / "audit"
    directory.mkdir()
    directory.chmod(0o777)

    with pytest.raises(JournalUnavailable, match=r"mode 0777\); run: chmod o-w \S+audit$"):
        AuditTrail(directory=directory, shared_group=True)


# ---------------------------------------------------------------------- volumes


VOLUME = """
set -e
case $1 in
    bind) mkdir -p $2.real; chmod $3 $2.real; mount --bind $2.real $2 ;;
    *) mount -t tmpfs -o mode=$3 tmpfs $2 ;;
esac
cd $4
$5 -c "$6"
"""


def on_volume(kind: str, mode: str, place: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where ``volume`` is a mount point of a mode, which nobody else sees."""
    (place / "volume").mkdir(exist_ok=True)
    words = ["unshare", "-m", "bash", "-c", VOLUME, "volume", kind, str(place / "volume"), mode, str(place)]
    return subprocess.run([*words, sys.executable, script], capture_output=True, text=True, timeout=50, check=False)


ALL_COMMANDS = """
import os, subprocess, sys, auditkit
from pathlib import Path
trail = auditkit.configure(directory='volume')
auditkit.record('note.create', 'C', actor='ada', group='acme', location='here', target='n')
auditkit.shutdown()
print(*sorted(f'{each.stat().st_mode & 0o7777:04o} {each}' for each in Path('volume').iterdir()), flush=True)
for command in (['log', '--json'], ['deliver'], ['verify'], ['doctor', '--json'], ['status', '--json']):
    print(subprocess.run([sys.executable, '-m', 'auditkit', command[0], 'volume', *command[1:]], check=True, capture_output=True, text=True).stdout.splitlines()[0])
Path('volume').chmod(0o755)
print(subprocess.run([sys.executable, '-m', 'auditkit', 'log', '--json', 'volume'], check=True, capture_output=True, text=True).stdout)
print(*os.listdir('volume'))
"""


@unshared
def test_volume_gets_a_private_directory_inside(place: Path) -> None:
    """A mount point that others may write gets a 0700 directory, which every command finds, whatever its mode becomes."""
    done = on_volume("tmpfs", "0777", place, ALL_COMMANDS)

    assert ("", 0) == (done.stderr, done.returncode)
    listed, logged, delivered, verified, examined, stands, later, _, still = done.stdout.splitlines()
    assert "0700 volume/auditkit" == listed
    assert "note.create" == json.loads(logged)["action"]
    assert "ledger: 0 delivered, 0 left" == delivered
    assert verified.startswith("ledger: 1 entry as recorded")
    assert f"{place}/volume is a volume that others may write; the trail is in {place}/volume/auditkit" in examined
    assert ["ledger"] == [*json.loads(stands)["destinations"]]
    assert (logged, "auditkit") == (later, still)


@unshared
@pytest.mark.parametrize("kind, mode", [("bind", "1777"), ("tmpfs", "2775")])
def test_every_kind_of_volume_is_seen(place: Path, kind: str, mode: str) -> None:
    """A bind mount from the same file system is a volume too, and one that only a group may write."""
    done = on_volume(
        kind, mode, place, "import auditkit, os; auditkit.configure(directory='volume'); print(*os.listdir('volume'))"
    )

    assert ("auditkit\n", "") == (done.stdout, done.stderr)


@unshared
def test_private_volume_is_taken_as_it_is(place: Path) -> None:
    """A mount point that only its owner can write needs no directory inside."""
    script = """
import os, auditkit
auditkit.configure(directory='volume')
auditkit.record('a.b', 'C', actor='a', group='g', location='l', target='t')
auditkit.shutdown()
print(*sorted(os.listdir('volume')))
"""
    done = on_volume("tmpfs", "0700", place, script)

    assert ("journal lanes ledger\n", "") == (done.stdout, done.stderr)


@unshared
def test_trail_of_a_volume_that_is_opened_later_is_not_left_behind(place: Path) -> None:
    """Where a trail lay in the volume itself before others could write it, that is refused rather than forgotten."""
    script = """
import os, auditkit
auditkit.configure(directory='volume', deliver=False)
auditkit.record('a.b', 'C', actor='a', group='g', location='l', target='t')
auditkit.shutdown()
os.chmod('volume', 0o777)
try:
    auditkit.AuditTrail(directory='volume')
except auditkit.AuditError as error:
    print(error)
"""
    done = on_volume("tmpfs", "0700", place, script)

    assert f"{place}/volume can be written by others (mode 0777); run: chmod go-w" in done.stdout


@unshared
@as_root
def test_directory_of_another_user_on_a_volume_is_refused(place: Path) -> None:
    """Where everybody may write, somebody else may have made auditkit's directory first."""
    script = f"""
import os, auditkit
os.mkdir('volume/auditkit', 0o700)
os.chown('volume/auditkit', {STRANGER}, {STRANGER})
from auditkit.__main__ import main
print(main(['doctor', 'volume']))
try:
    auditkit.configure(directory='volume')
except auditkit.AuditError as error:
    print(error)
"""
    done = on_volume("tmpfs", "0777", place, script)

    assert f"problem  directory    {place}/volume/auditkit belongs to user {STRANGER}, and " in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{place}/volume/auditkit belongs to user {STRANGER}, and ")


def test_home_of_what_is_no_volume_is_itself(tmp_path: Path) -> None:
    """A directory that others may write, a link, a file and nothing at all are left for the judge."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("/proc")
    (tmp_path / "file").touch()
    paths = [tmp_path / name for name in ("open", "link", "file", "nothing")]

    assert paths == [files.home(path) for path in paths]


@as_root
def test_root_leaves_nothing_of_its_own_in_a_users_directory(place: Path) -> None:
    """What a command makes that root runs belongs to the directory's user, whose service goes on."""
    directory = place / "audit"
    os.chown(place, APPLICATION, APPLICATION)
    record = RECORD.format(lines=str(place / "lines.jsonl"), directory=str(directory), more="")
    first = run_as(APPLICATION, record + "os.kill(os.getpid(), 9)")
    a_trail(directory, shared=False)
    own = {(path.stat().st_uid, path.stat().st_gid) for path in (directory, *directory.rglob("*"))}
    second = run_as(APPLICATION, record.replace("deliver=False", "deliver=True") + "print(trail.flush(10))")

    assert {(APPLICATION, APPLICATION)} == own
    assert ("True", "") == (second.stdout.split()[-1], second.stderr)
    assert first.stdout.strip() in (place / "lines.jsonl").read_text("utf-8")


@as_root
def test_root_puts_letters_back_for_the_user(place: Path) -> None:
    """Dead letters that root puts back or drops, and those that are left, belong to the directory's user still."""
    directory = place / "audit"
    os.chown(place, APPLICATION, APPLICATION)
    run_as(APPLICATION, RECORD.format(lines=str(place / "lines.jsonl"), directory=str(directory), more=""))
    (lane,) = [each.name for each in (directory / "lanes").iterdir() if each.name != "ledger"]
    events = [an_event() for _ in range(3)]
    for event in events:
        bury(directory, lane, event.to_dict(), "no", "2026-11-23T12:00:00.000000Z")
    letters = DeadLetters(directory)

    assert ((events[0].id,), [events[1].id]) == (
        letters.requeue(lane, [events[0].id]).ids,
        letters.drop(lane, [events[1].id]),
    )
    assert [events[2].id] == [letter.id for letter in letters]
    assert {APPLICATION} == {path.stat().st_uid for path in directory.rglob("*")}
