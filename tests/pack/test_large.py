"""Large contents: the record, and reading what chunks hold, whole and in part, right or not at all."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from irminpy import hash as h
from irminpy.errors import Corrupted, DanglingHash, DecodeError
from irminpy.formats import Native
from irminpy.formats.format import Codec
from irminpy_pack.chunking import MAX, MIN
from irminpy_pack.large import LIMIT, Large, open_large, put, value_of

BLAKE = h.BLAKE3()
CODEC = Native().bind(BLAKE)
SHA = h.SHA256()


def noise(size: int, seed: str = "") -> bytes:
    return blake3(b"large" + seed.encode()).digest(size)


VALUE = noise(3 << 20)


@dataclass
class Frames:
    """Chunks in a dict: what `Chunks` and `Sink` ask for, with counters."""

    frames: dict[int, bytes] = field(default_factory=dict[int, bytes])
    index: dict[bytes, int] = field(default_factory=dict[bytes, int])
    reads: Counter[int] = field(default_factory=Counter[int])
    most: int = 0

    def put(self, chunks: Sequence[tuple[bytes, bytes]], /) -> list[int]:
        self.most = max(self.most, sum(len(data) for _, data in chunks))
        for hash_, data in chunks:
            if hash_ not in self.index:
                word = self.index[hash_] = 10 + len(self.frames)
                self.frames[word] = data
        return [self.index[hash_] for hash_, _ in chunks]

    def read(self, hash: bytes, word: int, /) -> bytes | None:
        word = word if word in self.frames else self.index.get(hash, 0)
        self.reads[word] += 1
        data = self.frames.get(word)
        if data is not None and BLAKE.digest(data) != hash:
            raise Corrupted(f"{word}.pack", 8 * word, hash, "its bytes hash to something else")
        return data

    @property
    def place(self) -> tuple[str, int | None]:
        return "0.pack", 64

    def damage(self, word: int) -> None:
        data = self.frames[word]
        self.frames[word] = data[:-1] + bytes([data[-1] ^ 1])


def stored(value: bytes = VALUE, frames: Frames | None = None) -> tuple[Large, Frames]:
    frames = Frames() if frames is None else frames
    taken = put(io.BytesIO(value), CODEC, BLAKE, frames)
    assert isinstance(taken, Large)
    return taken, frames


def opened(large: Large, frames: Frames, codec: Codec = CODEC) -> io.BufferedReader:
    return open_large(large, frames, codec, BLAKE)


def raw(file: io.BufferedReader) -> io.RawIOBase:
    """What is below the buffer."""
    return cast("io.RawIOBase", file.raw)


def drain(file: io.RawIOBase, into: bytearray) -> None:
    """Read on to the end, and keep what came before an error."""
    while data := file.read(5000):
        into += data


# -- writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, MIN, LIMIT - 1, LIMIT])
def test_a_value_up_to_the_limit_is_one_object_and_writes_no_chunk(size: int) -> None:
    frames = Frames()
    taken = put(io.BytesIO(VALUE[:size]), CODEC, BLAKE, frames)
    assert taken == b"B" + VALUE[:size]
    assert not frames.frames


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + MIN, 2 * MAX, 2 * MAX + 1, len(VALUE)])
def test_a_larger_one_is_chunks_and_has_the_hash_of_the_whole(size: int) -> None:
    value = VALUE[:size]
    large, frames = stored(value)
    assert large.hash == BLAKE.digest(b"B" + value)
    assert large.length == size
    assert b"".join(frames.frames[word][1:] for word in large.words) == value
    for hash_, word in zip(large.hashes, large.words, strict=True):
        assert BLAKE.digest(frames.frames[word]) == hash_  # a chunk is a contents object of its own
    assert value_of(large, frames, CODEC) == b"B" + value
    with opened(large, frames) as file:
        assert file.read() == value


def test_versions_share_their_chunks() -> None:
    large, frames = stored()
    before = len(frames.frames)
    edited = VALUE[:1_000_000] + b"something else" + VALUE[1_000_000:]
    other, _ = stored(edited, frames)
    assert other.hash != large.hash
    assert len(frames.frames) - before <= 4
    assert len(set(other.hashes) & set(large.hashes)) >= len(large.hashes) - 3
    assert value_of(other, frames, CODEC) == b"B" + edited
    assert value_of(large, frames, CODEC) == b"B" + VALUE


def test_chunks_are_written_in_small_batches() -> None:
    frames = stored(noise(12 << 20))[1]
    assert frames.most <= 6 << 20


def test_a_file_that_fails_gives_its_own_error() -> None:
    class Failing:
        left = 3

        def read(self, size: int, /) -> bytes:
            self.left -= 1
            if not self.left:
                raise OSError("the cable is out")
            return noise(size)

    with pytest.raises(OSError, match="cable"):
        put(Failing(), CODEC, BLAKE, Frames())


def test_a_format_that_needs_the_length_first_is_refused() -> None:
    class LengthFirst:
        contents_prefix = None

    codec: Any = LengthFirst()
    with pytest.raises(DecodeError, match="length"):
        put(io.BytesIO(VALUE), codec, BLAKE, Frames())


# -- the record ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [BLAKE, SHA, h.SHA1()], ids=lambda f: f.name)
def test_a_record_comes_back_as_it_was(function: h.HashFunction) -> None:
    large = made((MAX, MIN, 1), function)
    record = large.encode(function)
    assert Large.decode(large.hash, record, large.words, function) == large
    assert len(record) == 16 + 3 * (4 + function.size) + function.size


def made(lengths: tuple[int, ...], function: h.HashFunction = BLAKE) -> Large:
    hashes = tuple(function.digest(b"%d" % i) for i in range(len(lengths)))
    return Large(function.digest(b"whole"), hashes, lengths, tuple(range(1, len(lengths) + 1)))


def test_the_bytes_of_a_record_are_these() -> None:
    """The example of docs/formats/pack-large.md."""
    large = made((MAX, 1))
    record = large.encode(BLAKE)
    assert record[:24].hex() == "010000000200000001001000000000000000100001000000"
    assert record[24:-32] == b"".join(large.hashes)
    assert record[-32:] == BLAKE.digest(b"X" + large.hash + record[:-32])


def test_a_flipped_bit_anywhere_in_a_record_is_refused() -> None:
    large = made((MAX, MIN, 70_000))
    record = large.encode(BLAKE)
    for i in range(8 * len(record)):
        damaged = bytearray(record)
        damaged[i >> 3] ^= 1 << (i & 7)
        with pytest.raises(DecodeError):
            Large.decode(large.hash, bytes(damaged), large.words, BLAKE)


def test_a_record_cut_off_or_too_long_is_refused() -> None:
    large = made((MAX, MIN))
    record = large.encode(BLAKE)
    for wrong in [*(record[:n] for n in range(len(record))), record + b"\0"]:
        with pytest.raises(DecodeError):
            Large.decode(large.hash, wrong, large.words, BLAKE)


def test_the_record_of_another_value_is_refused() -> None:
    large = made((MAX, MIN))
    with pytest.raises(DecodeError, match="seal"):
        Large.decode(BLAKE.digest(b"another"), large.encode(BLAKE), large.words, BLAKE)


def test_a_record_needs_a_word_for_each_chunk() -> None:
    large = made((MAX, MIN))
    with pytest.raises(DecodeError, match="1 words for 2 chunks"):
        Large.decode(large.hash, large.encode(BLAKE), large.words[:1], BLAKE)


@pytest.mark.parametrize(
    "lengths",
    [
        *((), (MAX,), (MAX // 2, MAX // 2)),  # not large
        *((MAX, 0), (MAX + 1, MIN), (MAX, MIN - 1, MIN), (MIN, MAX, 0)),  # chunks out of their limits
    ],
)
def test_a_sealed_record_of_what_no_cutting_gives_is_refused(lengths: tuple[int, ...]) -> None:
    large = made(lengths)
    with pytest.raises(DecodeError):
        Large.decode(large.hash, large.encode(BLAKE), large.words, BLAKE)


def test_a_record_that_states_another_length_is_refused() -> None:
    large = made((MAX, MIN))
    body = bytearray(large.encode(BLAKE)[:-32])
    body[8] ^= 1
    with pytest.raises(DecodeError, match="bytes in chunks of"):
        Large.decode(
            large.hash, bytes(body) + BLAKE.digest(b"X" + large.hash + bytes(body)), large.words, BLAKE
        )


def test_a_record_of_a_later_version_is_told_so() -> None:
    record = b"\x02" + made((MAX, MIN)).encode(BLAKE)[1:]
    with pytest.raises(DecodeError, match="version 2"):
        Large.decode(b"", record, (1, 2), BLAKE)


@given(st.binary(max_size=300), st.lists(st.integers(0, 9), max_size=3))
def test_random_bytes_are_no_record(data: bytes, words: list[int]) -> None:
    with pytest.raises(DecodeError):
        Large.decode(BLAKE.digest(b""), data, tuple(words), BLAKE)


# -- reading -------------------------------------------------------------------------------------------------

LARGE, FRAMES = stored()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(VALUE) + 10), st.integers(0, 400_000)), max_size=5))
def test_any_ranges_are_those_of_the_value(ranges: list[tuple[int, int]]) -> None:
    with opened(LARGE, FRAMES) as file:
        for start, size in ranges:
            assert file.seek(start) == start
            assert file.read(size) == VALUE[start : start + size]
            assert file.tell() == start + len(VALUE[start : start + size])


def test_a_range_reads_only_the_chunks_that_it_touches() -> None:
    large, frames = stored()
    assert len(large.lengths) > 6
    start = sum(large.lengths[:3])
    with opened(large, frames) as file:
        assert not frames.reads
        file.seek(start + 10)
        file.read(100)
        assert frames.reads == {large.words[3]: 1}
        file.read(100)
        assert frames.reads == {large.words[3]: 1}
        file.seek(start - 5)
        file.read(10)
    assert frames.reads == {large.words[2]: 1, large.words[3]: 2}


def test_reading_from_start_to_end_reads_each_chunk_once() -> None:
    large, frames = stored()
    with opened(large, frames) as file:
        while file.read(10_000):
            pass
    assert frames.reads == dict.fromkeys(large.words, 1)


def test_a_stream_behaves_as_a_file() -> None:
    large, frames = stored()
    with opened(large, frames) as file:
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        assert file.seek(-5, io.SEEK_END) == len(VALUE) - 5
        assert file.read() == VALUE[-5:]
        assert file.read(1) == b""
        assert file.seek(len(VALUE) + 7) == len(VALUE) + 7
        assert file.read() == b""
        file.seek(3)
        assert file.seek(4, io.SEEK_CUR) == 7
        assert file.read(2) == VALUE[7:9]
        with pytest.raises(ValueError, match="before the start"):
            file.seek(-1)
        with pytest.raises(ValueError, match="whence"):
            raw(file).seek(0, 9)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
    with pytest.raises(ValueError, match="closed"):
        file.read()
    with pytest.raises(ValueError, match="closed"):
        raw(file).readinto(bytearray(1))


@pytest.mark.parametrize("i", [0, 3, -1])
def test_a_damaged_chunk_is_corrupted_and_none_of_it_is_served(i: int) -> None:
    large, frames = stored()
    frames.damage(large.words[i])
    start = sum(large.lengths[: i % len(large.lengths)])
    with opened(large, frames) as file:
        served = bytearray()
        with pytest.raises(Corrupted) as caught:
            drain(raw(file), served)
        assert bytes(served) == VALUE[:start]
    assert caught.value.hash == large.hashes[i]
    assert (caught.value.file, caught.value.offset) == (f"{large.words[i]}.pack", 8 * large.words[i])
    with pytest.raises(Corrupted):
        value_of(large, frames, CODEC)


def test_beside_a_damaged_chunk_the_others_are_read() -> None:
    large, frames = stored()
    frames.damage(large.words[1])
    with opened(large, frames) as file:
        assert raw(file).read(10) == VALUE[:10]
        raw(file).seek(large.lengths[0])
        with pytest.raises(Corrupted):
            raw(file).read(10)
        beyond = sum(large.lengths[:2])
        raw(file).seek(beyond)
        assert raw(file).read(10) == VALUE[beyond : beyond + 10]


def test_a_word_that_is_not_known_is_left_to_the_index() -> None:
    large, frames = stored()
    unknown = large._replace(words=(0,) * len(large.words))
    assert value_of(unknown, frames, CODEC) == b"B" + VALUE


def test_a_chunk_that_is_not_there_is_dangling() -> None:
    large, frames = stored()
    del frames.frames[large.words[2]]
    with pytest.raises(DanglingHash) as caught:
        value_of(large, frames, CODEC)
    assert caught.value.hash == large.hashes[2]


def test_a_chunk_of_another_length_than_stated_is_corrupted() -> None:
    large, frames = stored()
    lengths = (large.lengths[0] + 1, large.lengths[1] - 1, *large.lengths[2:])
    with pytest.raises(Corrupted, match="are stated"):
        value_of(large._replace(lengths=lengths), frames, CODEC)


def test_a_chunk_that_is_no_contents_is_corrupted() -> None:
    large, frames = stored()
    data = b"N" + VALUE[: large.lengths[0]]
    hash_ = BLAKE.digest(data)
    (word,) = frames.put([(hash_, data)])
    wrong = large._replace(hashes=(hash_, *large.hashes[1:]), words=(word, *large.words[1:]))
    with pytest.raises(Corrupted, match="is none"):
        value_of(wrong, frames, CODEC)


def swapped(large: Large) -> Large:
    """Right chunks in a wrong order: only the whole tells."""
    order = [1, 0, *range(2, len(large.words))]
    hashes, lengths, words = zip(
        *[(large.hashes[i], large.lengths[i], large.words[i]) for i in order], strict=True
    )
    return Large(large.hash, hashes, lengths, words)


def test_chunks_that_do_not_make_the_whole_are_never_read_to_the_end() -> None:
    large, frames = stored()
    wrong = swapped(large)
    with pytest.raises(Corrupted, match="joined") as caught:
        value_of(wrong, frames, CODEC)
    assert caught.value.hash == large.hash
    with opened(wrong, frames) as file, pytest.raises(Corrupted, match="joined"):
        file.read()


@settings(max_examples=40)
@given(st.data())
def test_whatever_is_damaged_what_is_read_is_right_or_an_error(data: st.DataObject) -> None:
    large, frames = stored(VALUE[: LIMIT + 300_000])
    for word in data.draw(st.sets(st.sampled_from(large.words), min_size=1)):
        whole = frames.frames[word]
        at = data.draw(st.integers(0, len(whole)))
        frames.frames[word] = data.draw(
            st.sampled_from([whole[:at], whole + b"x", whole[:at] + b"?" + whole[at + 1 :], b""])
        )
    for start, wanted in _reads(data, large.length):
        with opened(large, frames) as file:
            file.seek(start)
            with suppress(Corrupted):
                assert file.read(wanted) == VALUE[: large.length][start : start + wanted]


def _reads(data: st.DataObject, length: int) -> Iterator[tuple[int, int]]:
    for _ in range(3):
        yield data.draw(st.integers(0, length)), data.draw(st.integers(1, length))


def test_a_stream_holds_one_chunk_whatever_the_value() -> None:
    """A reader that went on to keep chunks would need the memory of the value."""
    large, frames = stored()
    with opened(large, frames) as file:
        while raw(file).read(1 << 20):
            assert len(vars(raw(file))["_piece"]) <= MAX
