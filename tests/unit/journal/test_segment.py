"""One segment, interrupted where the interpreter may do so."""

from __future__ import annotations

import dis
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from auditkit.clock import new_id
from auditkit.journal import frames
from tests.pure import pure

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

SIZE = 64 * 1024
Segment = pure("auditkit.journal.segment").Segment  # in C there is nowhere to interrupt it
_CALLS = [
    each.offset for each in dis.get_instructions(Segment.append) if each.opname.startswith("CALL")
]  # the interpreter runs signal handlers when one of these is done


class Interrupted(BaseException):
    """What a signal handler raises, as a worker's time limit does."""


class _Interrupting:
    """Raise inside of `Segment.append` as a signal handler would: right after the call at an offset."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._after = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code is not Segment.append.__code__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if self._after:
                sys.settrace(None)
                raise Interrupted
            self._after = frame.f_lasti == self._offset
        return self


@pytest.mark.parametrize("offset", _CALLS)
def test_interrupted_append_keeps_track_of_its_line(tmp_path: Path, offset: int) -> None:
    """Wherever a signal handler raises, a line that was written is counted, and the next one stands after it."""
    chain = frames.Chain()
    segment = Segment(tmp_path, new_id(), SIZE, chain)
    segment.begin({})
    tracing = sys.gettrace()
    sys.settrace(_Interrupting(offset))
    try:
        with suppress(Interrupted):
            segment.append(b'{"first":1}')
    finally:
        sys.settrace(tracing)
    written = list(frames.read_frames(segment.path.read_bytes(), frames.START, chain))

    assert segment.head == written[-1].head
    before = len(written) - 1
    assert before == segment.append(b'{"second":2}')
    assert before + 2 == len(list(frames.read_frames(segment.path.read_bytes(), frames.START, chain)))
    segment.finish()
