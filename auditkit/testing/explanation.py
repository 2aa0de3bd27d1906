"""Why an assertion on recorded events failed, as text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.rendering import line_of, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditkit.event import Event
    from auditkit.testing.expectation import Expectation

_SHOWN = 10  # events
_LONGEST = 500  # characters of one value


def explain(
    asked: Expectation, events: Sequence[Event], *, found: int, times: int | None, troubles: Mapping[str, int]
) -> str:
    """Return what was asked, and below it what was recorded: first what is nearest to it, with what differs."""
    wanted = "an event" if times is None else f"exactly {times}"
    lines = [f"asked for {wanted} of {asked.action}, {found or 'none'} is as asked among {len(events)} recorded", ""]
    lines += ["asked:", f"    {asked.action}"]
    lines += [_told(name, _cut(repr(value))) for name, (_, _, value) in asked.parts.items()]
    lines += ["recorded:" if events else "recorded: nothing"]
    numbered = sorted(enumerate(events), key=lambda each: _distance(asked, each[1]))
    for number, event in numbered[:_SHOWN]:
        lines.append(f"[{number}] {line_of(event)}")
        if event.action == asked.action:
            lines += [
                _told(each.name, f"{_cut(each.is_)}, asked: {_cut(each.asked)}") for each in asked.differences(event)
            ]
    if len(events) > _SHOWN:
        lines.append(f"... and {len(events) - _SHOWN} more")
    if troubles:
        told = ", ".join(f"{code} ({count})" for code, count in sorted(troubles.items()))
        lines.append(f"audit errors meanwhile, told in the log: {told}")
    return "\n".join(lines)


def explain_nothing(events: Sequence[Event], action: str | None) -> str:
    """Return what was recorded where nothing should have been."""
    lines = [f"asked for no event{f' of {action}' if action else ''}, recorded: {len(events)}"]
    lines += [f"[{number}] {line_of(event)}" for number, event in enumerate(events[:_SHOWN])]
    if len(events) > _SHOWN:
        lines.append(f"... and {len(events) - _SHOWN} more")
    return "\n".join(lines)


def _distance(asked: Expectation, event: Event) -> tuple[bool, int]:
    return event.action != asked.action, len(asked.differences(event))


def _told(name: str, value: str) -> str:
    return printable(f"    {name}: {value}")


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}... ({len(value)} characters)"
