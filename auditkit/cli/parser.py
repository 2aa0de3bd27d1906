"""What the command line takes. Pure: it reads nothing and starts nothing."""

from __future__ import annotations

import argparse

from auditkit.cli.moments import moment

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


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``auditkit`` and all its commands."""
    parser = argparse.ArgumentParser(
        prog="auditkit", description="Audit trails for Python services.", epilog="first: auditkit demo"
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_demo(commands)
    _add_log(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="see an audit trail come to be",
        description=_DEMO,
        epilog=_DEMO_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--directory", default="audit", metavar="DIR", type=_name, help="where the events are kept (default: audit)"
    )
    demo.add_argument(
        "--deliver", action="store_true", help="deliver to the real WorkOS, with the key in WORKOS_API_KEY"
    )
    _add_color(demo)


def _add_log(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    log = commands.add_parser(
        "log",
        help="print a directory's trail",
        description=_LOG,
        epilog=_LOG_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    place = log.add_mutually_exclusive_group()
    place.add_argument(
        "directory",
        nargs="?",
        metavar="DIRECTORY",
        type=_name,
        help="the audit directory (default: $AUDITKIT_DIRECTORY, or audit)",
    )
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


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        message = f"must be a whole number above 0, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number
