"""An HTTP answer as it came, before anybody reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ANSWER = 1024 * 1024  # bytes of a body that are read; what comes after them is not


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An answer as it came: its headers are found by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
