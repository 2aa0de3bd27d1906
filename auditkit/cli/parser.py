"""What the command line takes. Pure: it reads nothing and starts nothing."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from auditkit.cli.moments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEMO = """\
Run a small service whose every change is audited, leave its events in a
directory, deliver them to a stand-in for WorkOS on this machine, and print the
trail. A directory that a real service delivers from is refused.
"""
_DEMO_EXAMPLES = """\
examples:
  auditkit demo
  auditkit demo --directory /tmp/demo-audit
  WORKOS_API_KEY=sk_... auditkit demo --deliver
"""
_LOG = """\
Print a directory's audit trail, newest last; times are UTC. Events that a
killed process left in the journal are read too.
"""
_LOG_EXAMPLES = """\
examples:
  auditkit log --actor ada@example.com --since 7d
  auditkit log --action 'invoice.*' --limit 20 --json
  auditkit log /var/lib/app/audit --follow
"""
_DELIVER = """\
Deliver a directory's events from outside the application that records them: as
a sidecar of one with configure(deliver=False), or after a process that died.
Goes flat out, leaves alone what a living process delivers by itself, and
follows what such an application still records within a fraction of a second.

Events go to the ledger, to the destination that AUDITKIT_TRANSPORT names, as
configure() takes it, and to each --transport. Without --follow it ends when all
that was there is delivered, and with exit status 1 when that cannot be. With
--follow it goes on until SIGTERM or Ctrl-C, which is how it is to end (0), and
waits for a directory that is not there yet. How it goes is shown on a terminal;
else a line is logged at most once a minute.
"""
_DELIVER_EXAMPLES = """\
examples:
  auditkit deliver
  WORKOS_API_KEY=sk_... AUDITKIT_TRANSPORT=workos_audit_logs auditkit deliver /var/lib/app/audit --follow
  auditkit deliver --transport app.audit:transports --no-ledger --timeout 300
"""
_STATUS = """\
Print how each destination stands that a directory keeps events for, whichever
processes work it: what waits, since when, how fast it goes, dead letters, how
many processes work it, and why the last attempt failed. Below it stands what
is wrong, in the words of health(), each with a remedy; that damage was put
aside is told until somebody has moved it out of the directory. Exit status 1
when there is a problem. Changes nothing, and may run beside the service.
"""
_STATUS_EXAMPLES = """\
examples:
  auditkit status
  auditkit status /var/lib/app/audit --json
"""
_DOCTOR = """\
Look at everything an audit trail depends on: the directory, its permissions and
file system, free space, what a sync costs, locks, SQLite, secret and API key
(neither is shown), proxies, whether each destination can be reached, this
machine's clock, and versions. Each is a line with ok, warning or problem, and a
remedy. Records nothing and sends neither an event nor a key. Exit status 1 when
there is a problem. Run it as the user and in the environment of the service.
"""
_DOCTOR_EXAMPLES = """\
examples:
  auditkit doctor
  AUDITKIT_TRANSPORT=workos_audit_logs auditkit doctor /var/lib/app/audit
  auditkit doctor --transport app.audit:transports --json
"""
_VERIFY = """\
Walk the chains of a directory's ledger and of its journal, and name the first
record that is not as it was recorded, and every file with damage that was found
and put aside. Changes nothing, and may run beside the service. With the secret
in AUDITKIT_SECRET also an edit by somebody who has the files, but not the
secret, shows. Exit status 1 when something is wrong, was put aside and is still
in the directory, or cannot be judged without another secret.
"""
_VERIFY_EXAMPLES = """\
examples:
  auditkit verify
  AUDITKIT_SECRET=... auditkit verify /var/lib/app/audit --json
"""
_DEAD = """\
List the dead letters: events that a destination refused for good, or that
failed for a day while others were accepted. Nothing but requeue and drop ever
removes one. May run beside the service. Without a verb, list is meant:
auditkit dead /var/lib/app/audit.
"""
_DEAD_EXAMPLES = """\
examples:
  auditkit dead
  auditkit dead show 01935a7e-5f00-7000-8000-3b8f6c0d9e21
  auditkit dead requeue --all --destination workos_audit_logs
"""
_DEAD_LIST = """\
Print who refused what, when and why, by destination and age.
"""
_DEAD_LIST_EXAMPLES = """\
examples:
  auditkit dead list /var/lib/app/audit
  auditkit dead list --destination workos_audit_logs --json
"""
_DEAD_SHOW = """\
Print one dead letter with its whole event. Exit status 1 where there is none
of this id.
"""
_DEAD_SHOW_EXAMPLES = """\
examples:
  auditkit dead show 01935a7e-5f00-7000-8000-3b8f6c0d9e21
"""
_DEAD_REQUEUE = """\
Put events back for the destination that refused them, once what it refused
them for is mended. It gets each with the id that it had, and nobody else gets
it again; the letter goes when the event is safe in the journal. Whoever works
the destination takes it within seconds; where nobody does, auditkit deliver.
Where the service has a secret, set the same AUDITKIT_SECRET. What cannot be put
back, as for a destination that was dropped, is said and stays, and the others
are put back: exit status 1 then, 2 where no destination could have its own.
"""
_DEAD_REQUEUE_EXAMPLES = """\
examples:
  auditkit dead requeue 01935a7e-5f00-7000-8000-3b8f6c0d9e21
  auditkit dead requeue --all --destination workos_audit_logs --directory /var/lib/app/audit
"""
_DEAD_DROP = """\
Remove dead letters for good. What is named is shown on a terminal, and has to
be confirmed; elsewhere --yes has to be given. The ledger keeps its own entry
of each event.
"""
_DEAD_DROP_EXAMPLES = """\
examples:
  auditkit dead drop 01935a7e-5f00-7000-8000-3b8f6c0d9e21
  auditkit dead drop --all --destination old_siem --yes
"""
_DESTINATIONS = """\
List the destinations for which a directory keeps events until they have them,
or forget one that nobody needs any more. Without a verb, list is meant:
auditkit destinations /var/lib/app/audit.
"""
_DESTINATIONS_EXAMPLES = """\
examples:
  auditkit destinations
  auditkit destinations drop old_siem
"""
_DESTINATIONS_LIST = """\
Print what waits for each, its dead letters, and the processes that work it.
"""
_DESTINATIONS_LIST_EXAMPLES = """\
examples:
  auditkit destinations list /var/lib/app/audit --json
"""
_DESTINATIONS_DROP = """\
Forget a destination: it never gets what waits for it, and what nobody else
waits for makes room with the next delivery to any other. First take it out of
the configuration of whatever has it, which would remember it anew; while a
process works it, it is refused. It has to be confirmed on a terminal; elsewhere
--yes has to be given. The record of what it refused stays: auditkit dead. So
does the database of a ledger that is dropped.
"""
_DESTINATIONS_DROP_EXAMPLES = """\
examples:
  auditkit destinations drop old_siem --directory /var/lib/app/audit
"""
_ACTIONS = """\
Import modules and print the actions that their functions are audited as. Of a
package all modules are imported, but for programs (__main__); the current
directory is looked in first, as by python -m. Nothing is recorded meanwhile,
and what a module prints goes to the error stream.

The JSON changes only when what is audited, where, or how changes: keep it
beside the code, and let --check show each change to whoever reviews it. An
action that has different types in two places is warned of.
"""
_ACTIONS_EXAMPLES = """\
examples:
  auditkit actions app
  auditkit actions app.services app.jobs --json > actions.json
  auditkit actions app.services app.jobs --check actions.json
"""
_UNCOVERED = """\
Import modules as auditkit actions does, and print the public functions, and
the public methods of public classes, that are defined in them and not audited.
Exit status 1 when there are any. Left out are properties, methods with two
underscores on each side, abstract methods, and functions that do nothing, such
as those of a Protocol.
"""
_UNCOVERED_EXAMPLES = """\
examples:
  auditkit uncovered app.services
  auditkit uncovered app.services --ignore 'app.services.*.get_*' --ignore '*.to_json'
"""


_VERBS = {"dead": ("list", "show", "requeue", "drop"), "destinations": ("list", "drop")}
_DEFAULT_VERBS = {"dead": "list", "destinations": "list"}  # what is meant where a command that has verbs is given none


class _CommandList(argparse.HelpFormatter):
    """Keep each command on one line: argparse forgets to leave room for how far it indents them."""

    def add_argument(self, action: argparse.Action) -> None:
        """Leave the room."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  (its only name)
            longest = max(map(len, action.choices))
            self._action_max_length = max(self._action_max_length, longest + 2 * self._indent_increment)


class _VerbList(argparse.RawDescriptionHelpFormatter, _CommandList):
    """Keep both: the text as it is written, and each verb on one line."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``auditkit`` and all its commands."""
    parser = argparse.ArgumentParser(
        prog="auditkit",
        description="Audit trails for Python services.",
        epilog="first: auditkit demo",
        formatter_class=_CommandList,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_demo(commands)
    _add_log(commands)
    _add_deliver(commands)
    _add_status(commands)
    _add_verify(commands)
    _add_doctor(commands)
    _add_dead(commands)
    _add_destinations(commands)
    _add_actions(commands)
    _add_uncovered(commands)
    return parser


def with_verb(words: Sequence[str]) -> list[str]:
    """Return what was typed with the verb that is meant where a command that has verbs was given none."""
    command, *rest = words or [""]
    if command not in _DEFAULT_VERBS or (rest and rest[0] in {*_VERBS[command], "-h", "--help"}):
        return [*words]
    return [command, _DEFAULT_VERBS[command], *rest]


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, told: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Add a command, or a verb of one, with its help as it is written."""
    return commands.add_parser(
        name,
        help=told,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _with_verbs(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, told: str, description: str, examples: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """Add a command that has verbs, and return where they are added."""
    command = commands.add_parser(name, help=told, description=description, epilog=examples, formatter_class=_VerbList)
    return command.add_subparsers(dest="verb", metavar="VERB", title="verbs", required=True)


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = _command(commands, "demo", "see an audit trail come to be", _DEMO, _DEMO_EXAMPLES)
    demo.add_argument(
        "--directory", default="audit", metavar="DIR", type=_name, help="where the events are kept (default: audit)"
    )
    demo.add_argument(
        "--deliver", action="store_true", help="deliver to the real WorkOS, with the key in WORKOS_API_KEY"
    )
    _add_color(demo)


def _add_log(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    log = _command(commands, "log", "print a directory's trail", _LOG, _LOG_EXAMPLES)
    place = log.add_mutually_exclusive_group()
    _add_directory(place)
    place.add_argument("--directory", dest="named", metavar="DIR", type=_name, help="the same, as demo takes it")
    log.add_argument("--actor", metavar="NAME", help="only what this actor did: an id, or a name in any case")
    log.add_argument("--action", metavar="ACTION", help="only this action; * stands for any text: 'invoice.*'")
    log.add_argument("--target", metavar="NAME", help="only what was done to this target: an id, or a name in any case")
    log.add_argument("--group", metavar="GROUP", help="only this group's events")
    log.add_argument(
        "--since",
        metavar="TIME",
        type=moment,
        help="only from this time on: ISO 8601 (local time without an offset), or 30m, 2h, 7d ago",
    )
    log.add_argument("--until", metavar="TIME", type=moment, help="only before this time, in the same forms")
    log.add_argument("--limit", metavar="N", type=_count, help="only the last N")
    log.add_argument("--json", action="store_true", help="print one JSON object a line")
    log.add_argument("--follow", action="store_true", help="go on with what comes, until interrupted (Ctrl-C)")
    _add_color(log)


def _add_deliver(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    deliver = _command(
        commands, "deliver", "deliver a directory's events from outside the application", _DELIVER, _DELIVER_EXAMPLES
    )
    _add_directory(deliver)
    _add_transports(deliver)
    _add_shared_group(deliver)
    deliver.add_argument("--no-ledger", action="store_true", help="leave the ledger to other processes")
    length = deliver.add_mutually_exclusive_group()
    length.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        help="stop after so long (default: when nothing was accepted for 60 seconds)",
    )
    length.add_argument("--follow", action="store_true", help="go on with what comes, until SIGTERM or Ctrl-C")


def _add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    status = _command(commands, "status", "say how each destination stands", _STATUS, _STATUS_EXAMPLES)
    _add_directory(status)
    status.add_argument("--json", action="store_true", help="print one JSON object")


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = _command(
        commands, "verify", "say whether the records are as they were recorded", _VERIFY, _VERIFY_EXAMPLES
    )
    _add_directory(verify)
    verify.add_argument("--json", action="store_true", help="print one JSON object")


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = _command(commands, "doctor", "say whether everything is fit for a trail", _DOCTOR, _DOCTOR_EXAMPLES)
    _add_directory(doctor)
    _add_transports(doctor)
    _add_shared_group(doctor)
    doctor.add_argument("--json", action="store_true", help="print one JSON object")


def _add_dead(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verbs = _with_verbs(
        commands, "dead", "look at what destinations refused, put it back or drop it", _DEAD, _DEAD_EXAMPLES
    )
    listing = _command(verbs, "list", "print them", _DEAD_LIST, _DEAD_LIST_EXAMPLES)
    _add_directory_either_way(listing)
    listing.add_argument("--json", action="store_true", help="print one JSON object a line, the event in it")
    show = _command(verbs, "show", "print one with its event", _DEAD_SHOW, _DEAD_SHOW_EXAMPLES)
    show.add_argument("id", metavar="ID", type=_name, help="the event's id, as the list has it")
    show.add_argument("--json", action="store_true", help="print one JSON object a line")
    _add_color(show)
    requeue = _command(verbs, "requeue", "put events back", _DEAD_REQUEUE, _DEAD_REQUEUE_EXAMPLES)
    drop = _command(verbs, "drop", "remove them for good", _DEAD_DROP, _DEAD_DROP_EXAMPLES)
    for verb in (requeue, drop):
        verb.add_argument("ids", nargs="*", metavar="ID", type=_name, help="an event's id, as the list has it")
        verb.add_argument("--all", action="store_true", help="all of them, or all of --destination")
    drop.add_argument("--yes", action="store_true", help="do not ask")
    for verb in (show, requeue, drop):
        _add_directory_option(verb)
    for verb in (listing, show, requeue, drop):
        verb.add_argument("--destination", metavar="NAME", type=_name, help="only this destination's")


def _add_destinations(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verbs = _with_verbs(
        commands, "destinations", "list for whom events are kept, or drop one", _DESTINATIONS, _DESTINATIONS_EXAMPLES
    )
    listing = _command(verbs, "list", "print them", _DESTINATIONS_LIST, _DESTINATIONS_LIST_EXAMPLES)
    _add_directory_either_way(listing)
    listing.add_argument("--json", action="store_true", help="print one JSON object a line")
    drop = _command(verbs, "drop", "forget one for good", _DESTINATIONS_DROP, _DESTINATIONS_DROP_EXAMPLES)
    drop.add_argument("name", metavar="NAME", type=_name, help="the destination's name, as the list has it")
    drop.add_argument("--yes", action="store_true", help="do not ask")
    _add_directory_option(drop)


def _add_actions(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    actions = _command(commands, "actions", "print what a service audits", _ACTIONS, _ACTIONS_EXAMPLES)
    _add_modules(actions)
    form = actions.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON to be kept and compared: no paths, no lines")
    form.add_argument(
        "--check",
        metavar="FILE",
        type=_name,
        help="print how the actions differ from the JSON in FILE, and exit with 1 if they do",
    )


def _add_uncovered(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    uncovered = _command(
        commands, "uncovered", "print the public functions that are not audited", _UNCOVERED, _UNCOVERED_EXAMPLES
    )
    _add_modules(uncovered)
    uncovered.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PATTERN",
        type=_name,
        help="leave out functions whose full name matches; * stands for any text; may be given again",
    )
    uncovered.add_argument("--json", action="store_true", help="print a JSON list of function, file and line")


def _add_directory(place: argparse._ActionsContainer) -> None:
    place.add_argument(
        "directory",
        nargs="?",
        metavar="DIRECTORY",
        type=_name,
        help="the audit directory (default: $AUDITKIT_DIRECTORY, or audit)",
    )


def _add_directory_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=_name,
        help="the audit directory (default: $AUDITKIT_DIRECTORY, or audit)",
    )


def _add_directory_either_way(listing: argparse.ArgumentParser) -> None:
    place = listing.add_mutually_exclusive_group()
    _add_directory(place)
    place.add_argument(
        "--directory", dest="named", metavar="DIR", type=_name, help="the same, as the other verbs take it"
    )


def _add_transports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--transport",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        type=_reference,
        help="a destination: this transport or list of them, or what this function returns; may be given again",
    )


def _add_shared_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shared-group",
        action="store_true",
        help="let the directory's group read and write it: as configure(shared_group=True), or AUDITKIT_SHARED_GROUP=1",
    )


def _add_modules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "modules",
        nargs="+",
        metavar="MODULE",
        type=_module,
        help="a module's or package's dotted name, as it is imported",
    )


def _add_color(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="use colours (auto: on a terminal, unless NO_COLOR is set)",
    )


def _name(text: str) -> str:
    if not text:
        message = "must not be empty"
        raise argparse.ArgumentTypeError(message)
    return text


def _module(text: str) -> str:
    if not all(part.isidentifier() for part in text.split(".")):
        message = f"must be a dotted name such as app.services, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return text


def _reference(text: str) -> str:
    module, colon, name = text.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        message = f"must be a module and a name in it such as app.audit:transports, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return text


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        message = f"must be a number of seconds above 0, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        message = f"must be a whole number above 0, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number
