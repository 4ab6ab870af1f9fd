"""Chunks: the cuts are those of the document, whatever the reads, and find back after an edit."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from irminpy_pack import chunking
from irminpy_pack.chunking import MAX, MIN, cut

KIB = 1 << 10
NORMAL = 192 * KIB


def noise(size: int, seed: str = "") -> bytes:
    """Bytes without any pattern, the same in every run and on every machine."""
    return blake3(b"noise" + seed.encode()).digest(size)


def sentences(size: int) -> bytes:
    """Something like a log: few different words, many repeats."""
    rng = random.Random(7)
    words = [bytes(rng.choices(b"etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(3000)]
    return b" ".join(rng.choices(words, k=size // 4))[:size]


def chunks(data: bytes) -> list[bytes]:
    return list(cut(io.BytesIO(data)))


def lengths(data: bytes) -> list[int]:
    return [len(chunk) for chunk in chunks(data)]


def by_the_document(data: bytes) -> Iterator[int]:
    """docs/formats/pack-large.md, "Chunks", byte by byte."""
    factor, first, second = 0xDE9E39D9DF2881B, 0x4A, 0xAC
    start = 0
    while start < len(data):
        state, two, one = 0, 0, 0
        end = min(len(data), start + MAX)
        for at in range(start + MIN - 32, end):
            state = (state >> 8) + data[at] * factor
            low = state & 0xFF
            length = at + 1 - start
            if length >= MIN and two == first and one == second and (length > NORMAL or low & 0x0F == 0):
                end = at + 1
                break
            two, one = one, low
        yield end - start
        start = end


class Dribbling:
    """A file that gives as many bytes as it likes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._file = io.BytesIO(data)
        self._sizes = sizes

    def read(self, size: int, /) -> bytes:
        self._sizes.append(self._sizes.pop(0))
        return self._file.read(self._sizes[-1])


def test_the_constants_are_bits_of_a_published_hash() -> None:
    digest = blake3(b"irminpy pack chunks 1").digest()
    assert int.from_bytes(digest[:8], "little") % 2**60 | 1 << 59 | 1 == chunking._FACTOR
    assert digest[8:10] == chunking._MARK


@pytest.mark.parametrize(
    "size",
    [
        *(0, 1, MIN - 33, MIN - 32, MIN - 31, MIN - 1, MIN, MIN + 1),
        *(NORMAL - 1, NORMAL, NORMAL + 1, MAX - 1, MAX, MAX + 1, 2 * MAX + 17),
    ],
)
def test_chunks_joined_are_the_value_and_keep_the_limits(size: int) -> None:
    for data in (noise(size), bytes(size)):
        found = chunks(data)
        assert b"".join(found) == data
        assert all(MIN <= len(chunk) <= MAX for chunk in found[:-1])
        assert all(1 <= len(chunk) <= MAX for chunk in found[-1:])


@pytest.mark.parametrize(
    "data",
    [
        *(noise(1500 * KIB, "a"), noise(1500 * KIB, "b"), sentences(1500 * KIB), bytes(1200 * KIB)),
        struct.pack("<200000q", *range(200_000)),
    ],
    ids=["noise", "more noise", "sentences", "zeros", "numbers"],
)
def test_the_cuts_are_those_of_the_document(data: bytes) -> None:
    assert lengths(data) == list(by_the_document(data))


def test_the_cuts_of_some_noise_are_these_for_ever() -> None:
    """Pinned: a change of these numbers is a change of the format."""
    assert lengths(noise(2 << 20)) == [
        230172,
        207720,
        303416,
        264073,
        184024,
        335389,
        114643,
        85312,
        208268,
        164135,
    ]


@settings(max_examples=10)
@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=8))
def test_how_a_file_gives_its_bytes_does_not_matter(sizes: list[int]) -> None:
    data = noise(900 * KIB)
    assert list(cut(Dribbling(data, sizes))) == chunks(data)


@pytest.mark.parametrize("block", [1, 2, 3, 31, 1000, 1 << 20])
def test_how_many_bytes_are_multiplied_at_a_time_does_not_matter(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = noise(300 * KIB, "blocks")
    expected = chunks(data)
    assert len(expected) > 1
    monkeypatch.setattr(chunking, "_BLOCK", block)
    assert chunks(data) == expected


def test_a_value_without_any_variety_is_cut_at_the_maximum() -> None:
    for data in (bytes(3 * MAX), b"\xff" * (3 * MAX), b"ab" * (MAX + MAX // 2)):
        assert lengths(data) == [MAX, MAX, MAX]


def test_chunks_are_some_quarter_of_a_mebibyte_on_average() -> None:
    for data in (noise(6 << 20), sentences(6 << 20)):
        found = lengths(data)
        assert 180 * KIB < len(data) / len(found) < 350 * KIB
        assert MAX not in found[:-1]


LONG = noise(6 << 20, "long")
WHOLE = chunks(LONG)


@settings(max_examples=12)
@given(st.integers(0, len(LONG)), st.integers(1, 5000), st.booleans())
def test_after_an_edit_all_but_a_few_chunks_are_the_same(at: int, size: int, insert: bool) -> None:
    edited = LONG[:at] + noise(size, "edit") + LONG[at:] if insert else LONG[:at] + LONG[at + size :]
    known = set(WHOLE)
    new = [chunk for chunk in chunks(edited) if chunk not in known]
    # The edit lies in one or two chunks, and it may take some more until the cuts meet again.
    assert len(new) <= 6
    assert sum(map(len, new)) <= 6 * (MAX // 2)


def test_the_memory_of_cutting_does_not_depend_on_the_length() -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return noise(size, str(self.given))

    file = Endless()
    found = cut(file)
    taken = 0
    while taken < 8 << 20:
        taken += len(next(found))
        assert file.given - taken <= 2 * MAX
