"""``auditkit doctor``: say whether everything is fit for an audit trail, and what to do where it is not."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from auditkit import configuration
from auditkit.cli import surroundings
from auditkit.cli.named_transports import named_transports
from auditkit.cli.output import say
from auditkit.doctor import Finding, Grade, examine
from auditkit.errors import AuditError
from auditkit.rendering import padded, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_GRADE, _CHECK = 9, 12  # columns


def run(arguments: argparse.Namespace) -> int:
    """Print what is found, each with its remedy; 1 where there is a problem."""
    findings = []
    for finding in _findings(arguments):
        findings.append(finding)
        if not arguments.json:
            _tell(finding)
    is_well = all(each.grade is not Grade.PROBLEM for each in findings)
    if arguments.json:
        say(sys.stdout, json.dumps({"ok": is_well, "findings": [dataclasses.asdict(each) for each in findings]}))
    return 0 if is_well else 1


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    transports: list[Any] = []
    directory = arguments.directory or surroundings.default_directory()
    try:
        found = named_transports(arguments.transport)
        configuration.settle(found, directory=directory)
        transports = found
    except AuditError as error:
        yield Finding("destinations", Grade.PROBLEM, str(error), "correct AUDITKIT_TRANSPORT or --transport")
    shared = arguments.shared_group or surroundings.shared_group()
    yield from examine(directory, transports, shared_group=shared, environment=os.environ)


def _tell(finding: Finding) -> None:
    say(sys.stdout, f"{padded(finding.grade, _GRADE)}{padded(finding.check, _CHECK)} {printable(finding.text)}")
    if finding.remedy:
        say(sys.stdout, f"{padded('', _GRADE)}{padded('', _CHECK)} -> {printable(finding.remedy)}")
