"""The journal's lines: what is written is read back, and damage costs the line it hit."""

from __future__ import annotations

import hashlib
import hmac
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.journal import frames

CHAIN = frames.Chain()
HEADER = frames.header({"segment": "s", "key": None})

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)
bodies = st.lists(texts.map(lambda text: b'{"id":%b}' % text.encode()), max_size=6)


def segment_of(records: list[bytes], *, chain: frames.Chain = CHAIN, header: bytes = HEADER, end: bool = True) -> bytes:
    """Return a whole segment's bytes."""
    data, head = b"", frames.START
    for body in [header, *records, *([frames.end(len(records))] if end else [])]:
        head = chain.link(head, body)
        data += frames.line(head, body)
    return data


def salvaged(data: bytes, *, chain: frames.Chain = CHAIN) -> list[bytes]:
    """Return the records that are found in a finished segment."""
    found = [each for each in frames.resynchronise(data, frames.START, chain) if isinstance(each, frames.Frame)]
    return [each.body for each in found if not each.is_header and not each.is_end]


def read(data: bytes) -> list[bytes]:
    """Return the bodies that a follower reads."""
    return [frame.body for frame in frames.read_frames(data, frames.START, CHAIN)]


def test_line_is_the_documented_one() -> None:
    """A line is 64 hex digits of SHA-256 over the line before's digits and the JSON, a space, the JSON, a break."""
    first = hashlib.sha256(b"0" * 64 + HEADER).hexdigest().encode()
    second = hashlib.sha256(first + b'{"id":"x"}').hexdigest().encode()
    end = hashlib.sha256(second + b'{"end":1}').hexdigest().encode()

    expected = first + b" " + HEADER + b"\n" + second + b' {"id":"x"}\n' + end + b' {"end":1}\n'

    assert expected == segment_of([b'{"id":"x"}'])


@given(st.binary(min_size=1, max_size=200), bodies)
def test_keyed_digits_are_hmac_sha256(key: bytes, records: list[bytes]) -> None:
    """With a key of any length the digits are HMAC-SHA-256 (RFC 2104), as the standard library computes it."""
    chain = frames.Chain(key)
    for body in records:
        assert hmac.new(key, frames.START + body, "sha256").hexdigest().encode() == chain.link(frames.START, body)


def test_digits_stay_what_they_are() -> None:
    """The digits of a known line never change: segments of earlier releases must verify for ever."""
    assert (
        b'{"auditkit":1,"segment":"s","key":null}',
        b"fbc4f93e43aa6f53534f9c38290397aeb21a69c07241233f360d578afa9f1937",
        b"b0f9fc2e",
    ) == (HEADER, CHAIN.link(frames.START, HEADER), frames.Chain(b"k" * 32).link(frames.START, HEADER)[:8])


@given(bodies)
def test_what_is_written_is_read(records: list[bytes]) -> None:
    """Any bodies are read back, by a follower and after the end."""
    data = segment_of(records)

    assert [HEADER, *records, frames.end(len(records))] == read(data)
    assert records == salvaged(data)


@given(bodies, st.data())
def test_truncated_segment_is_a_prefix(records: list[bytes], data: st.DataObject) -> None:
    """A segment cut anywhere gives the records before the cut, followed and judged."""
    whole = segment_of(records)
    cut = data.draw(st.integers(0, len(whole)))
    complete = whole.count(b"\n", 0, cut)
    expected = [HEADER, *records, frames.end(len(records))][:complete]

    assert expected == read(whole[:cut] + bytes(100))
    assert expected[1 : len(records) + 1] == salvaged(whole[:cut] + bytes(100))


def test_any_flipped_byte_costs_at_most_its_own_line() -> None:
    """Whatever byte is changed to whatever kind of byte, every line but the one it fell into is delivered."""
    records = [b'{"id":"%d","v":"%b"}' % (number, b"ab 0" * number) for number in range(6)]
    whole = segment_of(records)
    starts = [0, *[at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]]
    hit_lines = [(at, line - 1) for line, (start, stop) in enumerate(pairwise(starts)) for at in range(start, stop)]
    for at, hit in hit_lines:
        for byte in {whole[at] ^ 1, whole[at] ^ 0x80, 0, ord("\n"), ord(" "), ord("a"), ord("{")} - {whole[at]}:
            damaged = whole[:at] + bytes([byte]) + whole[at + 1 :]
            found = salvaged(damaged)

            assert found in (records, [each for number, each in enumerate(records) if number != hit]), (at, byte)


@pytest.mark.parametrize(
    ("start", "stop", "lost"),
    [
        (5, 60, ""),  # its digits alone: the line behind vouches for its JSON
        (70, 80, "2"),  # its JSON alone: its digits vouch for the line behind
        (5, 80, "23"),  # both: nothing vouches for the line behind
        (5, None, "234"),  # with the break that ends it, no line is seen to begin behind it
        (-60, 80, "123"),  # the line before, too
    ],
)
def test_damage_that_hit_digits_too_costs_the_line_behind(start: int, stop: int | None, lost: str) -> None:
    """A sound line that nothing vouches for any more is part of the damage, in which its JSON can still be read."""
    records = [b'{"id":"%d","v":"%b"}' % (number, b"x" * 40) for number in range(7)]
    data = segment_of(records)
    at = data.index(b'{"id":"2"') - frames.DIGITS - 1
    end = data.index(b"\n", at) + 1 if stop is None else at + stop
    data = data[: at + start] + bytes(end - at - start) + data[end:]
    damage = [each for each in frames.resynchronise(data, frames.START, CHAIN) if isinstance(each, frames.Damage)]
    aside = b"".join(data[each.start : each.end] for each in damage)

    assert [each for number, each in enumerate(records) if str(number) not in lost] == salvaged(data)
    assert all(records[int(number)] + b"\n" in aside for number in lost if int(number) > 2)


@given(bodies, st.data())
def test_damage_costs_what_it_hit_and_at_most_two_lines_behind(records: list[bytes], data: st.DataObject) -> None:
    """Wherever bytes are lost, every line before them is delivered, and every one but two of those behind them."""
    whole = segment_of(records)
    start = data.draw(st.integers(0, len(whole) - 1))
    stop = data.draw(st.integers(start + 1, len(whole)))
    found = salvaged(whole[:start] + bytes(stop - start) + whole[stop:])
    first, behind = whole[:start].count(b"\n") - 1, whole[: stop - 1].count(b"\n")

    assert records[: max(first, 0)] == found[: max(first, 0)]
    assert not [each for each in records[behind + 2 :] if each not in found]


def test_line_whose_digits_or_break_were_hit_is_whole() -> None:
    """A line that the next one vouches for is delivered though its digits or its line break were hit."""
    records = [b'{"id":"%d"}' % number for number in range(3)]
    whole = segment_of(records)
    second = whole.index(b'{"id":"1"}')
    for at in (second - 65, second - 1, second + len(records[1])):
        assert records == salvaged(whole[:at] + b"#" + whole[at + 1 :])


@given(bodies, st.binary(max_size=300), st.data())
def test_garbage_between_lines_costs_no_line(records: list[bytes], garbage: bytes, data: st.DataObject) -> None:
    """Bytes that got between two lines cost neither of them."""
    whole = segment_of(records)
    starts = [0, *[at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]][:-1]
    at = data.draw(st.sampled_from(starts))

    assert records == salvaged(whole[:at] + garbage.rstrip(b"\0") + b"\n" + whole[at:])


def test_damage_covers_everything_that_is_not_delivered() -> None:
    """Frames and damage tile the segment, so that nothing disappears without being counted."""
    whole = bytearray(segment_of([b'{"id":"%d"}' % number for number in range(9)]))
    for at in (300, 310, 520, len(whole) - 5):
        whole[at] ^= 1
    place = 0
    for found in frames.resynchronise(bytes(whole), frames.START, CHAIN):
        if isinstance(found, frames.Damage):
            assert place == found.start
        place = found.end

    assert len(whole) == place


def test_decoys_in_values_do_not_hide_a_line() -> None:
    """Values that look like the beginning of a line keep no line after damage from being found."""
    decoy = b'{"id":"%b {%b {"}' % (b"ab" * 32, b"cd" * 32)
    records = [b'{"id":"0"}', decoy, b'{"id":"2"}', decoy, b'{"id":"4"}']
    whole = segment_of(records)
    at = whole.index(b"cdcd")

    assert [*records[:1], *records[2:]] == salvaged(whole[:at] + b"#" + whole[at + 1 :])


def test_records_are_counted_without_reading_them() -> None:
    """The count of a segment's lines leaves out its header and its end, in one piece or in several."""
    records = [b'{"id":"%d"}' % number for number in range(4)]
    whole = segment_of(records)
    middle = whole.index(b"\n", 200) + 1
    parts = frames.count_records(whole[:middle]) + frames.count_records(whole[middle:])

    assert [4, 4, 0] == [frames.count_records(whole), parts, frames.count_records(b"")]


# ---------------------------------------------------------------------- keys


def test_keyed_segment_reads_only_with_its_key() -> None:
    """Another key, or none, verifies no line of a keyed segment, and is told that it is not the one."""
    right, wrong = frames.Chain(b"right" * 5), frames.Keys([b"wrong" * 5])
    header = frames.header({"segment": "s", "key": right.key_id})
    data = segment_of([b'{"id":"1"}'], chain=right, header=header)

    assert [] == salvaged(data)
    assert (None, None) == (wrong.of(data), frames.Keys().of(data))
    assert [b'{"id":"1"}'] == salvaged(data, chain=right)


def test_second_key_and_none_still_read() -> None:
    """After a change of secrets the old ones verify what they wrote, and so does no secret."""
    old, new = b"old" * 8, b"new" * 8
    keys = frames.Keys([new, old])
    for chain in (frames.Chain(old), frames.Chain(new), frames.Chain()):
        header = frames.header({"segment": "s", "key": chain.key_id})
        found = keys.of(segment_of([b'{"id":"1"}'], chain=chain, header=header))

        assert found is not None
        assert chain.key_id == found.key_id
    assert keys.writing.key_id == frames.Chain(new).key_id


@pytest.mark.parametrize("key", [None, b"secret" * 5])
def test_damaged_header_is_judged_by_the_lines_after_it(key: bytes | None) -> None:
    """Wherever a header is hit, the segment's chain is still known, and every record is delivered."""
    chain = frames.Chain(key)
    header = frames.header({"segment": "s", "key": chain.key_id})
    records = [b'{"id":"%d"}' % number for number in range(3)]
    whole = segment_of(records, chain=chain, header=header)
    keys = frames.Keys([] if key is None else [key])
    for at in range(len(header) + frames.OVERHEAD):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        found = keys.of(damaged)

        assert found is not None
        assert records == salvaged(damaged, chain=found)


@pytest.mark.parametrize("data", [b"", bytes(1000), b"not a segment\n", b"0" * 64 + b' {"auditkit":1}\n'])
def test_what_is_no_segment_is_refused(data: bytes) -> None:
    """Bytes that hold no line which verifies are no segment."""
    with pytest.raises(ValueError, match=r"no header|no line"):
        frames.Keys().of(data)


def test_newer_format_is_refused_by_its_name() -> None:
    """A segment of a newer format is told from damage, with both formats in the message."""
    header = HEADER.replace(b'"auditkit":1', b'"auditkit":2')

    with pytest.raises(frames.NewerFormat, match="format 2, and this auditkit reads format 1"):
        frames.Keys().of(segment_of([b'{"id":"1"}'], header=header))
