"""A bar chart as SVG, on a logarithmic scale: bars of a group beside each other, a line at 1. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# A blue scale that stays apart in grey, and to people who see no red.
COLOURS: Final = ("#1b4f72", "#2e86c1", "#85c1e9", "#b0bec5", "#78909c")
_LOOK: Final = 'role="img" font-family="system-ui, sans-serif" font-size="11" fill="#1c2833"'
_WIDTH: Final = 860
_LABELS: Final = 330  # the bars begin right of it
_FIGURES: Final = 60  # they leave this for their figures
_BAR: Final = 9
_GAP: Final = 10
_TOP: Final = 64
_ROUND: Final = 10  # from here on a value needs no decimals
_BOTTOM: Final = 16


def bars(title: str, groups: Mapping[str, Sequence[float]], legend: Sequence[str]) -> str:
    """Return the chart.

    Args:
        title: What it shows.
        groups: The values of each group's bars, all above 0, by its label.
        legend: What each bar of a group is.
    """
    values = [value for group in groups.values() for value in group]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    scale = _Scale(min(low, -1), max(high, 1))
    step = _BAR * len(legend) + _GAP
    height = _TOP + step * len(groups) + _BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_LOOK} aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-size="14" font-weight="600">{escape(title)}</text>',
        *_legend(legend),
        *_axis(scale, height),
    ]
    for place, (label, group) in enumerate(groups.items()):
        lines += _group(label, group, _TOP + place * step, scale)
    return "\n".join([*lines, "</svg>"]) + "\n"


class _Scale:
    """Where a value stands between two powers of ten."""

    def __init__(self, low: int, high: int) -> None:
        self.powers = range(low, high + 1)
        self._low = low
        self._decade = (_WIDTH - _LABELS - _FIGURES) / (high - low)

    def at(self, value: float) -> float:
        return _LABELS + (math.log10(value) - self._low) * self._decade


def _legend(legend: Sequence[str]) -> Iterator[str]:
    for place, name in enumerate(legend):
        x = 12 + place * 100
        yield f'<rect x="{x}" y="32" width="10" height="10" fill="{COLOURS[place % len(COLOURS)]}"/>'
        yield f'<text x="{x + 15}" y="41">{escape(name)}</text>'


def _axis(scale: _Scale, height: int) -> Iterator[str]:
    for power in scale.powers:
        x = scale.at(10**power)
        colour = "#c0392b" if power == 0 else "#d5d8dc"
        yield f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{height - 8}" stroke="{colour}"/>'
        yield f'<text x="{x:.1f}" y="{_TOP - 10}" text-anchor="middle" fill="#566573">{10.0**power:g}</text>'


def _group(label: str, group: Sequence[float], top: float, scale: _Scale) -> Iterator[str]:
    middle = top + _BAR * len(group) / 2 + 4
    yield f'<text x="{_LABELS - 8}" y="{middle:.1f}" text-anchor="end">{escape(label)}</text>'
    for place, value in enumerate(group):
        y, width = top + place * _BAR, scale.at(value) - _LABELS
        colour = COLOURS[place % len(COLOURS)]
        yield f'<rect x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_BAR - 1}" fill="{colour}"/>'
        yield f'<text x="{_LABELS + width + 4:.1f}" y="{y + _BAR - 1}" font-size="9">{value:.{0 if value >= _ROUND else 2}f}</text>'
