"""What is too long, cut so that a reader sees it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.cutting import cut_text, head, length, name_all


def _as_json(text: str) -> int:
    return len(json.dumps(text))


@pytest.mark.parametrize("text, units", [("", 0), ("abc", 3), ("ü", 1), ("😀", 2), ("a😀b", 4)])
def test_length_counts_as_javascript_does(text: str, units: int) -> None:
    """A limit in characters is met however WorkOS counts them."""
    assert units == length(text)


def test_cut_text_ends_with_an_ellipsis_and_the_whole_length() -> None:
    """A person sees that, and how much, is missing."""
    cut = cut_text("x" * 700, 500)

    assert cut.endswith("x… (700 characters)")
    assert 500 == len(cut)
    assert "x" * 500 == cut_text("x" * 500, 500)


@given(st.text(), st.integers(-5, 200), st.sampled_from([length, _as_json]))
def test_head_is_the_longest_beginning_within_the_limit(text: str, limit: int, measure: object) -> None:
    """Whatever a text's characters take, no more of it is cut off than must be."""
    found = head(text, limit, measure)  # type: ignore[arg-type]

    assert text.startswith(found)
    assert not found or measure(found) <= limit  # type: ignore[operator]
    assert found == text or measure(text[: len(found) + 1]) > limit  # type: ignore[operator]


@given(st.lists(st.text("ab", min_size=1, max_size=150), min_size=1, max_size=40), st.integers(16, 200))
def test_names_are_listed_within_the_limit_or_counted(names: list[str], limit: int) -> None:
    """Every name is told or counted, in no more than the room there is."""
    told = name_all(names, limit).split(", ")
    counted = int(told.pop().split()[1]) if told[-1].startswith("and ") else 0

    assert length(name_all(names, limit)) <= limit
    assert len(names) == len(told) + counted
    assert all(shown in {name, cut_text(name, 100)} for shown, name in zip(told, names, strict=False))


def test_a_mass_of_names_is_counted_at_once() -> None:
    """However many names there are, no more of them is looked at than could be told."""
    names = ["x" * 10_000] * 100_000

    assert "and 100000 more" == name_all(names, 20)
