"""Frames and words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy_pack import word
from irminpy_pack.frame import BLOB, NODE, Framing
from irminpy_pack.log import Ref, encode_ref, encode_table
from irminpy_pack.trailer import TRAILER_SIZE, Trailer

SIZES = st.integers(1, 64)


@st.composite
def framed(draw: st.DrawFn) -> tuple[Framing, int, bytes, bytes, bytes]:
    framing = Framing(draw(SIZES))
    hash_ = draw(st.binary(min_size=framing.hash_size, max_size=framing.hash_size))
    hints = 8 * draw(st.integers(0, 5))
    return framing, draw(st.sampled_from([BLOB, NODE])), hash_, bytes(hints), draw(st.binary(max_size=100))


@given(framed())
def test_a_frame_is_parsed_as_it_was_encoded(case: tuple[Framing, int, bytes, bytes, bytes]) -> None:
    framing, kind, hash_, hints, canonical = case
    data = framing.encode(kind, hash_, hints, canonical)
    assert len(data) % 8 == 0
    assert len(data) == framing.size_of(len(hints) // 8, len(canonical)) == framing.length(data)
    assert framing.parse(data)[:4] == (kind, hash_, hints, canonical)


@given(framed(), st.data())
def test_a_frame_with_any_byte_changed_is_refused(
    case: tuple[Framing, int, bytes, bytes, bytes], data: st.DataObject
) -> None:
    framing, kind, hash_, hints, canonical = case
    frame = bytearray(framing.encode(kind, hash_, hints, canonical))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"frame|crc|padding"):
        framing.parse(bytes(frame))


@given(framed(), st.integers(0, 200))
def test_a_frame_that_is_cut_short_is_refused(case: tuple[Framing, int, bytes, bytes, bytes], n: int) -> None:
    framing, kind, hash_, hints, canonical = case
    data = framing.encode(kind, hash_, hints, canonical)
    with pytest.raises(ValueError, match="frame"):
        framing.parse(data[: min(n, len(data) - 1)])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_value_error(data: bytes) -> None:
    try:
        frame = Framing(32).parse(data)
    except ValueError:
        return
    assert Framing(32).encode(*frame[:4]) == data


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(0, 400))
def test_a_scan_ends_at_the_first_frame_that_is_not_whole(blobs: list[bytes], cut: int) -> None:
    framing = Framing(32)
    frames = [framing.encode(BLOB, bytes(32), b"", blob) for blob in blobs]
    data = b"".join(frames)[:cut]
    whole, at = [], 0
    for frame in frames:
        at += len(frame)
        if at <= len(data):
            whole.append(frame)
    found = list(framing.scan(lambda offset, size: data[offset : offset + size], 0, len(data)))
    assert [framing.encode(*frame[:4]) for _, frame in found] == whole


@given(st.integers(1, (1 << 42) - 1), st.integers(1, 1 << 32), st.sampled_from([1, 2, 3]))
def test_a_word_keeps_place_kind_and_length_up_to_8_mib(units8: int, units: int, kind: int) -> None:
    made = word.pack(units8 * 8, units, kind)
    assert 0 < made < 1 << 64
    assert (word.offset_of(made), word.kind_of(made)) == (units8 * 8, kind)
    assert word.units_of(made) == min(units, word.LONG)
    assert word.word_at(word.column([0, made]), 1) == made
    assert word.words_of(word.column([made, 0])) == (made, 0)


@given(st.tuples(*[st.integers(0, (1 << bits) - 1) for bits in (64, 64, 32, 32, 64, 32, 64, 64, 64, 64)]))
def test_a_trailer_is_decoded_as_it_was_encoded(fields: tuple[int, ...]) -> None:
    trailer = Trailer(*fields)
    assert len(trailer.encode()) == TRAILER_SIZE
    assert Trailer.decode(trailer.encode()) == trailer


def test_a_trailer_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="not 68"):
        Trailer.decode(bytes(TRAILER_SIZE - 1))


def test_a_table_of_refs_is_ordered_by_name() -> None:
    refs = {"b": (b"\1" * 32, 5), "a": (b"\2" * 32, 0)}
    assert encode_table(refs) == encode_table(dict(reversed(refs.items())))
    assert encode_ref(Ref("b", None, b"x", 1, 2)) == b"\x95\xa1b\xc0\xc4\x01x\x01\x02"
