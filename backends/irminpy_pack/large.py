"""Large contents: the record of an X frame, and values put together from chunks (docs/formats/pack-large.md).

A value of more than `LIMIT` bytes is stored as chunks, each the contents object of a piece of it, so that a chunk
is shared with every version, and every value, that has it. The record tells their hashes and lengths; the words
of the chunks are the hints of its frame. This module knows neither files nor frames: chunks come from a `Chunks`
and go to a `Sink`.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from struct import Struct, unpack_from
from typing import TYPE_CHECKING, Final, Protocol

from irminpy.backend import Readable
from irminpy.errors import Corrupted, DanglingHash, DecodeError
from irminpy.fields import NamedTuple
from irminpy.formats import Codec
from irminpy.hash import Hash, HashFunction, Incremental, Running, running

from .chunking import MAX, MIN, cut

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["LIMIT", "Chunks", "Large", "Sink", "open_large", "put", "split", "total_of", "value_of"]

LIMIT: Final = 1 << 20
"""A value of more bytes is stored as chunks."""

_HEAD: Final = Struct("<B3xIQ")
"""Version, three zeros, number of chunks, bytes of the value."""
_VERSION: Final = 1
_SEAL: Final = b"X"
_BATCH: Final = 2 << 20  # bytes of chunks that are written at a time
_BUFFER: Final = 64 << 10


class Chunks(Protocol):
    """Where the chunks of one large value are read from."""

    def read(self, hash: bytes, word: int, /) -> bytes | None:
        """The canonical bytes of the chunk `hash`, compared with that; None if there is none.

        `word` tells where it should lie; 0, or a word that misleads, leaves that to the index. Must raise Corrupted
        for a chunk that is there and damaged.
        """
        ...

    @property
    def place(self) -> tuple[str, int | None]:
        """The file, and the offset in it, of the record, for messages."""
        ...


class Sink(Protocol):
    """Where chunks are written to."""

    def put(self, chunks: Sequence[tuple[bytes, bytes]], /) -> list[int]:
        """Write the contents objects (hash, canonical bytes) that are not here yet; the word of each."""
        ...


class Large(NamedTuple):
    """A large value: what it consists of."""

    hash: bytes
    """Of the contents object as a whole."""
    hashes: tuple[bytes, ...]
    """Of the chunks, each as a contents object of its own."""
    lengths: tuple[int, ...]
    """Bytes of the value in each chunk."""
    words: tuple[int, ...]
    """Where the chunks lie; 0 where that is not known."""

    @property
    def length(self) -> int:
        """Bytes of the value."""
        return sum(self.lengths)

    def encode(self, function: HashFunction) -> bytes:
        """The record, without the words, which are the hints of its frame; `function` is the store's."""
        n = len(self.hashes)
        head = _HEAD.pack(_VERSION, n, self.length)
        body = head + Struct(f"<{n}I").pack(*self.lengths) + b"".join(self.hashes)
        return body + function.digest(_SEAL + self.hash + body)

    @staticmethod
    def decode(hash: bytes, record: bytes, words: tuple[int, ...], function: HashFunction) -> Large:
        """The large value `hash` with this record and these words.

        DecodeError unless it is what `encode` gives for a value that was cut by the rules: another version, a
        length that does not fit, chunks out of their limits, a seal that is not of this hash and record.
        """
        size = function.size
        if len(record) < _HEAD.size or record[1:4] != b"\0\0\0":
            raise DecodeError("large contents", "no record begins so", 0)
        version, n, length = _HEAD.unpack_from(record)
        if version != _VERSION:
            raise DecodeError("large contents", f"version {version}, only {_VERSION} is known", 0)
        end = _HEAD.size + n * (4 + size)
        if len(record) != end + size:
            reason = f"{len(record)} bytes for {n} chunks, {end + size} are expected"
            raise DecodeError("large contents", reason, 4)
        if len(words) != n:
            raise DecodeError("large contents", f"{len(words)} words for {n} chunks", 4)
        if function.digest(_SEAL + hash + record[:end]) != record[end:]:
            raise DecodeError("large contents", "its seal is wrong", end)
        lengths: tuple[int, ...] = unpack_from(f"<{n}I", record, _HEAD.size)
        if length <= LIMIT or sum(lengths) != length:
            reason = f"{length} bytes in chunks of {sum(lengths)}, more than {LIMIT} are expected"
            raise DecodeError("large contents", reason, 8)
        for i, one in enumerate(lengths):
            if not (MIN if i < n - 1 else 1) <= one <= MAX:
                raise DecodeError("large contents", f"a chunk of {one} bytes", _HEAD.size + 4 * i)
        first = _HEAD.size + 4 * n
        hashes = tuple([record[at : at + size] for at in range(first, end, size)])
        return Large(hash, hashes, lengths, words)


def total_of(record: bytes) -> int:
    """The bytes of the value whose record begins with `record`, 16 bytes of it, as it says; nothing is checked."""
    return int(_HEAD.unpack_from(record)[2]) if len(record) >= _HEAD.size else 0


# -- writing -------------------------------------------------------------------------------------------------


def put(file: Readable, codec: Codec, function: HashFunction, sink: Sink) -> Large | bytes:
    """All of `file` as one value: large contents, whose chunks have been written to `sink`, and which are to be
    written; or the canonical bytes of contents of at most `LIMIT` bytes. Memory: some 12 MiB, whatever the length.

    `codec.contents_prefix` must be known, and `function` be `Incremental` for the memory to hold.
    """
    prefix = codec.contents_prefix
    if prefix is None:
        raise DecodeError("stream", "contents of this format cannot be hashed before their length is known")
    chunks = cut(file)
    first: list[bytes] = []
    size = 0
    for chunk in chunks:
        first.append(chunk)
        size += len(chunk)
        if size > LIMIT:
            break
    if size <= LIMIT:
        (small,) = codec.encode_contents([b"".join(first)])
        return small
    whole = running(function)
    whole.update(prefix)
    hashes: list[bytes] = []
    lengths: list[int] = []
    words: list[int] = []
    batch = first
    while batch:
        for chunk in batch:
            whole.update(chunk)
            lengths.append(len(chunk))
        objects = codec.encode_contents(batch)
        found = codec.digest_many(objects)
        hashes += found
        words += sink.put(list(zip(found, objects, strict=True)))
        batch = _batch(chunks)
    return Large(whole.digest(), tuple(hashes), tuple(lengths), tuple(words))


def _batch(chunks: Iterator[bytes]) -> list[bytes]:
    batch: list[bytes] = []
    size = 0
    for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= _BATCH:
            break
    return batch


def split(hash: bytes, data: bytes, codec: Codec) -> tuple[Large, dict[bytes, bytes]] | None:
    """The contents `hash` with the canonical bytes `data` as chunks: what they consist of, without words, and the
    contents object of each chunk.

    None for a value of at most `LIMIT` bytes, and for bytes that are no contents.
    """
    try:
        value = codec.decode_contents(data)
    except DecodeError:
        return None
    if len(value) <= LIMIT:
        return None
    chunks = list(cut(io.BytesIO(value)))
    objects = codec.encode_contents(chunks)
    hashes = codec.digest_many(objects)
    large = Large(hash, tuple(hashes), tuple(map(len, chunks)), (0,) * len(chunks))
    return large, dict(zip(hashes, objects, strict=True))


# -- reading -------------------------------------------------------------------------------------------------


def _piece(large: Large, i: int, chunks: Chunks, codec: Codec) -> bytes:
    """The bytes of the value in chunk number `i`; Corrupted, or DanglingHash if there is no such chunk."""
    hash_ = large.hashes[i]
    data = chunks.read(hash_, large.words[i])
    if data is None:
        raise DanglingHash(f"a chunk of the contents {large.hash.hex()}", Hash(hash_))
    try:
        data = codec.decode_contents(data)
    except DecodeError as e:
        raise Corrupted(*chunks.place, Hash(large.hash), f"its chunk {i} is none: {e}") from e
    if len(data) != large.lengths[i]:
        reason = f"its chunk {i} has {len(data)} bytes, {large.lengths[i]} are stated"
        raise Corrupted(*chunks.place, Hash(large.hash), reason)
    return data


def value_of(large: Large, chunks: Chunks, codec: Codec) -> bytes:
    """The canonical bytes of the contents, compared with their hash. Memory: twice their length."""
    parts = [_piece(large, i, chunks, codec) for i in range(len(large.hashes))]
    (data,) = codec.encode_contents([b"".join(parts)])
    if codec.digest(data) != large.hash:
        raise _not_whole(large, chunks)
    return data


def open_large(large: Large, chunks: Chunks, codec: Codec, function: HashFunction) -> io.BufferedReader:
    """The value as a file for reading. Cost: one read per chunk that is touched; one chunk is kept.

    Each chunk is compared with its hash; read from start to end, the whole is, too.
    """
    return io.BufferedReader(_Stream(large, chunks, codec, function), _BUFFER)


def _not_whole(large: Large, chunks: Chunks) -> Corrupted:
    return Corrupted(*chunks.place, Hash(large.hash), "its chunks do not hash to it, joined")


class _Whole:
    """The hash of a whole value, as long as its chunks are seen in order.

    Only where that takes no memory: with an `Incremental` function, in a format that needs no length first. Each
    chunk is compared with its hash anyway.
    """

    __slots__ = ("_large", "_next", "_running")

    def __init__(self, large: Large, codec: Codec, function: HashFunction) -> None:
        self._large = large
        self._next = 0
        self._running: Running | None = None
        if codec.contents_prefix is not None and isinstance(function, Incremental):
            self._running = function.start()
            self._running.update(codec.contents_prefix)

    def see(self, i: int, data: bytes, chunks: Chunks) -> None:
        """Chunk `i` was read; Corrupted if it is the last of all in order, and they do not hash to the whole."""
        if self._running is None or i != self._next:
            return
        self._running.update(data)
        self._next += 1
        if self._next == len(self._large.hashes) and self._running.digest() != self._large.hash:
            raise _not_whole(self._large, chunks)


class _Stream(io.RawIOBase):
    """A large value as a raw file. One chunk is in memory."""

    def __init__(self, large: Large, chunks: Chunks, codec: Codec, function: HashFunction) -> None:
        super().__init__()
        self._large = large
        self._chunks = chunks
        self._codec = codec
        self._whole = _Whole(large, codec, function)
        self._ends = list(accumulate(large.lengths))
        self._at = 0
        self._i: int = -1
        self._piece = b""

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to `offset` bytes from the start, from here or from the end; the new place from the start."""
        self._open()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}.get(whence)
        if base is None:
            raise ValueError(f"whence {whence}: use 0, 1 or 2")
        if base + offset < 0:
            raise ValueError(f"a place {-base - offset} bytes before the start")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The place, in bytes from the start."""
        self._open()
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into `buffer`, at most to the end of the chunk that holds the next byte; how many bytes."""
        self._open()
        view = memoryview(buffer).cast("B")
        if not len(view) or self._at >= self._ends[-1]:
            return 0
        i = bisect_right(self._ends, self._at)
        if i != self._i:
            data = _piece(self._large, i, self._chunks, self._codec)
            self._whole.see(i, data, self._chunks)
            self._i, self._piece = i, data
        start = self._at - self._ends[i] + self._large.lengths[i]
        n = min(len(view), len(self._piece) - start)
        view[:n] = memoryview(self._piece)[start : start + n]
        self._at += n
        return n

    def _open(self) -> None:
        if self.closed:
            raise ValueError("the stream is closed")
