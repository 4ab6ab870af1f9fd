"""The hot functions over frames of the pack (docs/formats/pack.md, "Frames"): pure, as those of `_core`.

For the default format and hash only: what is hashed here is hashed with BLAKE3. What they give is right; where they
give None, whoever asks looks closer, and finds out what is wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from mmap import mmap
from struct import Struct
from typing import Any, Protocol
from zlib import crc32

from ._core import digest, digit, load_inode, load_node, seek_inode, seek_node

__all__ = [
    "DIFFERENCE",
    "Mapped",
    "checked_frame",
    "crc",
    "descend",
    "difference",
    "filled_words",
    "frame_of",
    "frames",
    "rebuilt",
    "record_at",
]

_header = Struct("<IIIBBH").unpack_from  # crc, units, hints, kind, pad, zero
_rest = Struct("<IIBBH").pack  # the header after the crc
_put_word = Struct("<Q").pack_into
_ZERO = bytes(8)
_PADS = [bytes(n) for n in range(8)]
_FRAME = {1: ord("N"), 2: ord("B"), 3: ord("C")}  # kind of a word to kind of a frame
_NODE, _CONTENTS = 1, 2
_LONG = (1 << 20) - 1
_MOST_CHILDREN = 1 << 16  # that a position tells from each other

DIFFERENCE = ord("D")
"""The kind of a frame that says how a node differs from an older one."""


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
    if kind == _NODE and mapped[at + 12 : at + 13] == b"D":
        return _whole_in(bases, segments, head, word, mapped[at : at + (units << 3)], hash)
    return checked_frame(mapped, at, units << 3, head, kind, hash)


def _whole_in(
    bases: list[int], segments: Sequence[Mapped], head: int, word: int, frame: bytes, hash: bytes
) -> tuple[bytes, bytes] | None:
    """`frame_in` of a node that is a difference, in `frame`, which lies at `word`."""
    crc, units, hints, _, pad, _ = _header(frame)
    end = head + (hints << 3)
    if units << 3 != len(frame) or end + pad > len(frame) or hints < 2 or crc32(frame[4:]) != crc:
        return None
    base = int.from_bytes(frame[head : head + 8], "little")
    size, offset = (base >> 2 & _LONG) << 3, base >> 22 << 3
    i = bisect_right(bases, offset) - 1
    if i < 0 or base & 3 != _NODE or base >> 22 >= word >> 22 or size >> 3 == _LONG or size < head:
        return None
    segment, at = segments[i], offset - bases[i]
    mapped = segment.map
    if mapped is None or at + size > segment.seen:
        return None
    older = mapped[at : at + size]
    crc, units, n, kind, end_pad, _ = _header(older)
    if units << 3 != size or kind != ord("N") or head + (n << 3) + end_pad > size or crc32(older[4:]) != crc:
        return None
    words = older[head : head + (n << 3)]
    canonical = older[head + (n << 3) : size - end_pad]
    try:
        node, column = rebuilt(canonical, words, frame[end : len(frame) - pad], frame[head + 8 : end], 32)
    except ValueError:
        return None
    return (node, column) if digest(node) == hash else None


def difference(
    canonical: bytes, words: bytes, before: bytes, before_words: bytes, size: int, /
) -> tuple[bytes, bytes] | None:
    """(positions and hashes, words) of the children in which a node is not what it was `before`; None where more
    differs, or where this is more than half of the node.

    A node has its canonical bytes and the words of its children, whose hashes, of `size` bytes, come last in it.
    """
    n = len(words) >> 3
    head = len(canonical) - n * size
    same = (
        len(before) == len(canonical)
        and len(before_words) == len(words)
        and before[:head] == canonical[:head]
    )
    if head < 0 or not 0 < n <= _MOST_CHILDREN or not same:
        return None
    most = ((len(canonical) + len(words)) // 2 - 8) // (10 + size)
    found = [
        i
        for i in range(n)
        if words[8 * i : 8 * i + 8] != before_words[8 * i : 8 * i + 8]
        or canonical[head + i * size : head + (i + 1) * size]
        != before[head + i * size : head + (i + 1) * size]
    ]
    if not 0 < len(found) <= most:
        return None
    hashes = b"".join([canonical[head + i * size : head + (i + 1) * size] for i in found])
    positions = Struct(f"<{len(found)}H").pack(*found)
    return positions + hashes, b"".join([words[8 * i : 8 * i + 8] for i in found])


def rebuilt(
    before: bytes, before_words: bytes, payload: bytes, words: bytes, size: int, /
) -> tuple[bytes, bytes]:
    """(canonical bytes, words) of the node that the one `before` becomes by what `difference` gave.

    Raises ValueError where that says nothing of such a node.
    """
    count, n = len(words) >> 3, len(before_words) >> 3
    head = len(before) - n * size
    if count < 1 or len(words) & 7 or len(before_words) & 7 or size < 1 or len(payload) != count * (2 + size):
        raise ValueError("no difference of a node")
    positions = Struct(f"<{count}H").unpack_from(payload)
    ascending = all(one < other for one, other in pairwise(positions))
    if head < 0 or n > _MOST_CHILDREN or not ascending or positions[-1] >= n:
        raise ValueError("a difference of a node with other children")
    canonical, column = bytearray(before), bytearray(before_words)
    hashes = memoryview(payload)[2 * count :]
    for k, i in enumerate(positions):
        canonical[head + i * size : head + (i + 1) * size] = hashes[k * size : (k + 1) * size]
        column[8 * i : 8 * i + 8] = words[8 * k : 8 * k + 8]
    return bytes(canonical), bytes(column)


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
    older: bytes | None,
    bases: list[int],
    segments: Sequence[Mapped],
    read: Callable[[int, int], bytes],
    starts: list[int],
    blocks: list[bytes],
    /,
) -> tuple[int, int]:
    """Make frames of the kind `frame` of `rows`, hashes and canonical bytes, from row `i` on, to lie from `at` on.

    A dict is begun with its first row; who goes on somewhere else has a list.

    (The first row that was not done, where the next frame will lie.) It ends at a row that it does not know how to do,
    such as a node whose children's words are neither in `known` nor in `nodes` or `contents`; and behind a frame that
    reaches `stop`; here, at once. The frames, joined, go to `parts`; words of the objects, which have the `kind` of a
    word, to `nodes` or `contents` and to `entries`; those of children to `known`. `decoded` has some nodes, of the
    classes `flat` and `inner`. Where `older`, a column for all rows, has the word of a node that is much like it, it
    goes in as a `difference` from that one, or from what that differs from; it is read from `blocks` of the log, which
    begin at `starts`, from the maps of the `segments` with the `bases`, or by `read(offset, size)`.
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
