"""One segment, interrupted where the interpreter may do so."""

from __future__ import annotations

import dis
import errno
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import files
from auditkit.clock import new_id
from auditkit.journal import frames
from auditkit.journal.segment import Segment
from tests.pure import pure

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

SIZE = 64 * 1024
PythonSegment = pure("auditkit.journal.segment").Segment  # in C there is nowhere to interrupt it
_CALLS = [
    each.offset for each in dis.get_instructions(PythonSegment.append) if each.opname.startswith("CALL")
]  # the interpreter runs signal handlers when one of these is done


class Interrupted(BaseException):
    """What a signal handler raises, as a worker's time limit does."""


class _Interrupting:
    """Raise inside of `Segment.append` as a signal handler would: right after the call at an offset."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._after = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code is not PythonSegment.append.__code__:
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
    segment = PythonSegment(tmp_path, new_id(), SIZE, chain)
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


@pytest.mark.parametrize("kind", [Segment, PythonSegment], ids=["as it is", "in Python"])
def test_line_that_the_system_writes_in_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Segment]
) -> None:
    """Where the system takes only a part of a line at once, as it may, the rest follows."""
    chain = frames.Chain()
    segment = kind(tmp_path, new_id(), SIZE, chain)
    segment.begin({})
    with monkeypatch.context() as patch:
        whole = files.pwrite
        patch.setattr(files, "pwrite", lambda fd, data, at: whole(fd, data[:10], at))
        segment.append(b'{"first":1}')
    segment.append(b'{"second":2}')
    written = [each.body for each in frames.read_frames(segment.path.read_bytes(), frames.START, chain)]
    segment.finish()

    assert [b'{"first":1}', b'{"second":2}'] == written[1:]


@pytest.mark.parametrize("kind", [Segment, PythonSegment], ids=["as it is", "in Python"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"), Interrupted()], ids=repr
)
def test_line_that_cannot_be_written_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Segment], error: BaseException
) -> None:
    """What the system says is raised as it is; after a broken device the segment takes no more."""
    segment = kind(tmp_path, new_id(), SIZE, frames.Chain())
    segment.begin({})

    def fail(*_: object) -> int:
        patch.undo()  # once
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(files, "pwrite", fail)
        with pytest.raises(type(error)) as caught:
            segment.append(b'{"first":1}')
    is_written = isinstance(error, Interrupted)  # it may have been, so it was made sure of
    index = segment.append(b'{"second":2}')
    segment.finish()

    assert error is caught.value
    assert (None if getattr(error, "errno", 0) == errno.EIO else int(is_written)) == index
