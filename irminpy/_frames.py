"""The hot functions over frames of the pack (docs/formats/pack.md, "Frames"): pure, as those of `_core`.

For the default format and hash only: what is hashed here is hashed with BLAKE3. What they give is right; where they
give None, whoever asks looks closer, and finds out what is wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from mmap import mmap
from struct import Struct
from typing import Any, Protocol
from zlib import crc32

from ._core import digest, digit, load_inode, load_node, seek_inode, seek_node

__all__ = ["Mapped", "checked_frame", "crc", "descend", "filled_words", "frame_of", "frames", "record_at"]

_header = Struct("<IIIBBH").unpack_from  # crc, units, hints, kind, pad, zero
_rest = Struct("<IIBBH").pack  # the header after the crc
_put_word = Struct("<Q").pack_into
_ZERO = bytes(8)
_PADS = [bytes(n) for n in range(8)]
_FRAME = {1: ord("N"), 2: ord("B"), 3: ord("C")}  # kind of a word to kind of a frame
_NODE, _CONTENTS = 1, 2
_LONG = (1 << 20) - 1


class Mapped(Protocol):
    """A segment of which a part is mapped."""

    @property
    def map(self) -> mmap | None:
        """The file, as far as it was mapped."""
        ...

    @property
    def seen(self) -> int:
        """Bytes at its start that may be read."""
        ...


def crc(data: bytes, /) -> int:
    """The CRC-32 of zlib."""
    return crc32(data)


def checked_frame(
    data: bytes | mmap, at: int, size: int, head: int, kind: int, hash: bytes, /
) -> tuple[bytes, bytes] | None:
    """(canonical bytes, column of the children's words) of the object that lies at `at` in `data`, in a frame of `size`
    bytes whose hints begin behind `head`; None if that is not the object `hash` of the word's `kind`.

    The hash was compared, and of nodes and commits the crc, which guards the words.
    """
    frame = data[at : at + size]
    if len(frame) != size or size < head:
        return None
    crc, units, hints, of, pad, _ = _header(frame)
    if units << 3 != size or of != _FRAME[kind]:
        return None
    end = head + (hints << 3)
    canonical = frame[end : size - pad]
    if digest(canonical) != hash:
        return None
    if kind == _CONTENTS:
        return canonical, b""
    return (canonical, frame[head:end]) if crc32(frame[4:]) == crc else None


def record_at(
    bases: list[int],
    segments: Sequence[Mapped],
    head: int,
    hash_size: int,
    fanout: int,
    leaf: int,
    digits: int,
    empty: bytes,
    hash: bytes,
    word: int,
    flat: type[Any],
    inner: type[Any],
    /,
) -> Any:
    """The node `hash` at `word`, checked and decoded as `load_node` and `load_inode` do.

    Of the class `flat` or `inner`; None as `descend`. `digits` are the levels that a directory may have.
    """
    found = frame_in(bases, segments, head, _NODE, hash, word) if hash_size == 32 else None
    if found is None:
        return None
    data, words = found
    try:
        if data[:1] != b"I":
            index, kinds, hashes, metadata, before = load_node(data, hash_size, leaf, empty)
            fits = not words or len(words) == 8 * len(index)
            return flat(index, kinds, hashes, metadata, words, before) if fits else None
        depth, buckets, counts, hashes, before = load_inode(data, hash_size, fanout, leaf, digits, empty)
        return (
            inner(depth, buckets, counts, hashes, words, before)
            if len(words) in (0, 8 * len(buckets))
            else None
        )
    except ValueError:
        return None


def descend(
    bases: list[int],
    segments: Sequence[Mapped],
    head: int,
    fanout: int,
    leaf: int,
    empty: bytes,
    hash: bytes,
    word: int,
    steps: list[str],
    /,
) -> tuple[int, bytes | None] | None:
    """(nodes read, value or None) of the contents that `steps` lead to from the directory `hash` at `word`.

    None where this cannot tell: something lies in no map, has no word, is not right, or is large.
    `segments` have the `bases`, ascending. Each node is read, checked and looked through as bytes; nothing is kept.
    """
    reads, kind = 0, 0
    width = fanout.bit_length() - 1
    try:
        for step in steps:
            if kind:
                return reads, None
            key, depth, count = b"", 0, -1
            while True:
                if hash == empty:
                    return reads, None
                found = frame_in(bases, segments, head, _NODE, hash, word)
                if found is None:
                    return None
                reads += 1
                data, words = found
                flat = data[:1] != b"I"
                if flat:
                    n, i, kind, hash = seek_node(data, 32, leaf, step)
                    columns, below = n, 0
                else:
                    if (depth + 1) * width > 256:
                        return None
                    key = key or digest(step.encode())
                    n, columns, i, below, hash = seek_inode(
                        data, 32, fanout, leaf, depth, digit(key, depth, width)
                    )
                if (count >= 0 and n != count) or (words and len(words) != columns << 3):
                    return None
                if i < 0:
                    return reads, None
                word, count = int.from_bytes(words[8 * i : 8 * i + 8], "little"), below
                depth += 1
                if flat:
                    break
    except ValueError:
        return None
    if not kind:
        return reads, None
    found = frame_in(bases, segments, head, _CONTENTS, hash, word)
    return (reads, found[0][1:]) if found is not None and found[0][:1] == b"B" else None


def frame_in(
    bases: list[int], segments: Sequence[Mapped], head: int, kind: int, hash: bytes, word: int
) -> tuple[bytes, bytes] | None:
    offset, units = (word >> 22) << 3, (word >> 2) & _LONG
    i = bisect_right(bases, offset) - 1
    if i < 0 or word & 3 != kind or units == _LONG:
        return None
    segment, at = segments[i], offset - bases[i]
    mapped = segment.map
    if mapped is None or at + (units << 3) > segment.seen:
        return None
    return checked_frame(mapped, at, units << 3, head, kind, hash)


def frames(
    rows: dict[bytes, bytes] | list[tuple[bytes, bytes]],
    i: int,
    frame: int,
    kind: int,
    at: int,
    stop: int,
    parts: list[bytes],
    entries: dict[bytes, int] | None,
    known: dict[bytes, bytes],
    decoded: Mapping[bytes, Any],
    nodes: dict[bytes, int],
    contents: dict[bytes, int],
    flat: type[Any],
    inner: type[Any],
    /,
) -> tuple[int, int]:
    """Make frames of the kind `frame` of `rows`, hashes and canonical bytes, from row `i` on, to lie from `at` on.

    A dict is begun with its first row; who goes on somewhere else has a list.

    (The first row that was not done, where the next frame will lie.) It ends at a row that it does not know how to do,
    such as a node whose children's words are neither in `known` nor in `nodes` or `contents`; and behind a frame that
    reaches `stop`; here, at once. The frames, joined, go to `parts`; words of the objects, which have the `kind` of a
    word, to `nodes` or `contents` and to `entries`; those of children to `known`. `decoded` has some nodes, of the
    classes `flat` and `inner`.
    """
    return i, at


def frame_of(kind: int, hash: bytes, hints: bytes, canonical: bytes, /) -> bytes:
    """The bytes of a frame."""
    fill = _PADS[-len(hash) & 7]
    size = 16 + len(hash) + len(fill) + len(hints) + len(canonical)
    pad = -size & 7
    front = _rest((size + pad) >> 3, len(hints) >> 3, kind, pad, 0)
    rest = b"".join((front, hash, fill, hints, canonical, _PADS[pad]))
    return crc32(rest).to_bytes(4, "little") + rest


def filled_words(
    words: bytes, kinds: bytes, hashes: bytes, nodes: dict[bytes, int], contents: dict[bytes, int], /
) -> bytes | None:
    """The column of the `words` of children with these columns, where those that are 0 are looked up by their hash.

    `words` may be empty, which is all 0. The kind 0 is that of nodes. None if a word is nowhere to be found.
    """
    if not kinds:
        return b""
    size = len(hashes) // len(kinds)
    if not words:
        found = [
            (contents if kind else nodes).get(hashes[i * size : (i + 1) * size], 0)
            for i, kind in enumerate(kinds)
        ]
        return None if 0 in found else Struct(f"<{len(found)}Q").pack(*found)
    column = bytearray(words)
    # The first byte of a word has its kind: only in 0 is it 0.
    at = words.find(_ZERO)
    while at >= 0:
        i = (at + 7) >> 3
        word = (contents if kinds[i] else nodes).get(hashes[i * size : (i + 1) * size])
        if not word:
            return None
        _put_word(column, i << 3, word)
        at = words.find(_ZERO, (i << 3) + 8)
    return bytes(column)
