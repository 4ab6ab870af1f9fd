"""Deltas as bytes: sizes of source and result, then copies and literals (docs/formats/git.md, section 6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from irminpy.errors import DecodeError

__all__ = ["Copy", "Hunk", "Insert", "apply", "copy", "hunks", "insert", "sizes", "varint"]

_LONGEST_COPY: Final = 0x10000
_FARTHEST: Final = 1 << 32  # an offset has four bytes
_LONGEST_INSERT: Final = 0x7F
_MOST_DIGITS: Final = 10  # of a size: 70 bits


@dataclass(frozen=True, slots=True)
class Copy:
    """`length` bytes of the source from `offset` on."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Insert:
    """Bytes that the source does not have."""

    data: bytes


Hunk: TypeAlias = Copy | Insert


def _wrong(reason: str, at: int) -> DecodeError:
    return DecodeError("delta", reason, at)


def varint(n: int) -> bytes:
    """`n` in groups of seven bits, the lowest first."""
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for i in range(at, min(len(data), at + _MOST_DIGITS)):
        value |= (data[i] & 0x7F) << shift
        if data[i] < 0x80:
            return value, i + 1
        shift += 7
    raise _wrong("a size does not end", at)


def sizes(data: bytes) -> tuple[int, int, int]:
    """(bytes of the source, bytes of the result, where the first operation stands)."""
    source, at = _number(data, 0)
    result, at = _number(data, at)
    return source, result, at


def copy(out: bytearray, offset: int, length: int) -> None:
    """Append operations that copy `length` bytes from `offset` on.

    Raises ValueError for bytes that lie behind the first 4 GiB of the source: no operation can name them.
    """
    if not 0 <= offset <= _FARTHEST - length:
        raise ValueError(
            f"a delta copies from the first {_FARTHEST} bytes only, not [{offset}, {offset + length})"
        )
    while length:
        n = length if length < _LONGEST_COPY else _LONGEST_COPY
        # Offset and length; of the longest the length is 0, as it should be. Bytes of zero are left out.
        operands = (offset | (n & 0xFFFF) << 32).to_bytes(6, "little")
        a, b, c, d, e, f = operands
        op = 0x80
        if a:
            op |= 0x01
        if b:
            op |= 0x02
        if c:
            op |= 0x04
        if d:
            op |= 0x08
        if e:
            op |= 0x10
        if f:
            op |= 0x20
        out.append(op)
        out += operands.replace(b"\0", b"")
        offset += n
        length -= n


def insert(out: bytearray, data: bytes) -> None:
    """Append operations that insert `data`."""
    if 0 < len(data) <= _LONGEST_INSERT:
        out.append(len(data))
        out += data
        return
    for at in range(0, len(data), _LONGEST_INSERT):
        piece = data[at : at + _LONGEST_INSERT]
        out.append(len(piece))
        out += piece


def _operations(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """(where it stands, offset or -1 for an insertion, length) of each operation; all are within `data`."""
    end = len(data)
    while at < end:
        start, op = at, data[at]
        at += 1
        if op < 0x80:
            if not op:
                raise _wrong("the operation 0", start)
            if at + op > end:
                raise _wrong("an insertion goes beyond the end", start)
            yield at, -1, op
            at += op
            continue
        offset = length = 0
        try:
            for i in range(4):
                if op & 1 << i:
                    offset |= data[at] << 8 * i
                    at += 1
            for i in range(3):
                if op & 0x10 << i:
                    length |= data[at] << 8 * i
                    at += 1
        except IndexError:
            raise _wrong("a copy ends too early", start) from None
        yield start, offset, length or _LONGEST_COPY


def apply(source: bytes, data: bytes) -> bytes:
    """What the delta `data` makes of `source`.

    DecodeError if it is malformed, is for a source of another length, copies what is not there, or gives another
    length than it says. Nothing longer than it says is ever made.
    """
    length, wanted, at = sizes(data)
    if length != len(source):
        raise _wrong(f"it is for a source of {length} bytes, this one has {len(source)}", 0)
    parts: list[bytes] = []
    total = 0
    end = len(data)
    # The loop of `_operations` once more: what is read most often must not pay for a generator.
    while at < end:
        start, op = at, data[at]
        at += 1
        if op & 0x80:
            offset = size = 0
            try:
                if op & 1:
                    offset = data[at]
                    at += 1
                if op & 2:
                    offset |= data[at] << 8
                    at += 1
                if op & 4:
                    offset |= data[at] << 16
                    at += 1
                if op & 8:
                    offset |= data[at] << 24
                    at += 1
                if op & 16:
                    size = data[at]
                    at += 1
                if op & 32:
                    size |= data[at] << 8
                    at += 1
                if op & 64:
                    size |= data[at] << 16
                    at += 1
            except IndexError:
                raise _wrong("a copy ends too early", start) from None
            size = size or _LONGEST_COPY
            if offset + size > length:
                raise _wrong(f"a copy of bytes {offset} to {offset + size} of {length}", start)
            parts.append(source[offset : offset + size])
        elif op:
            size = op
            if at + size > end:
                raise _wrong("an insertion goes beyond the end", start)
            parts.append(data[at : at + size])
            at += size
        else:
            raise _wrong("the operation 0", start)
        total += size
        if total > wanted:
            raise _wrong(f"it makes more than the {wanted} bytes it promises", start)
    if total != wanted:
        raise _wrong(f"it makes {total} bytes and promises {wanted}", end)
    return b"".join(parts)


def hunks(data: bytes) -> Iterator[Hunk]:
    """The operations of the delta `data`, in order. Raises DecodeError where it is malformed."""
    for at, offset, length in _operations(data, sizes(data)[2]):
        yield Insert(data[at : at + length]) if offset < 0 else Copy(offset, length)
