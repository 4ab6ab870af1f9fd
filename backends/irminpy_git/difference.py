"""The difference of two objects as a delta: what a search for good bases does most.

No arithmetic is done on single bytes. What both begin and end with is found by comparing large pieces and one exclusive
or. In between the target is probed for *anchors* of the source: with the effort BLOCK these are its blocks of 16 bytes,
looked for at every byte; with LINE its lines, or the entries of a tree, looked for where lines begin. A match is
extended in both directions. Both sides of a probe are `bytes`, whose hash Python keeps, so a target that is compared
with ten sources hashes its pieces once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from enum import Enum
from itertools import accumulate, compress, count
from typing import Final

from .delta import copy, insert, varint
from .kinds import Type

__all__ = ["Effort", "Side", "difference"]


class Effort(Enum):
    """How hard to look for what two objects share."""

    BLOCK = "block"
    """At every byte: packs as small as Git's."""
    LINE = "line"
    """At the beginnings of lines: three times as fast, packs a few per cent larger."""


_BLOCK: Final = 16
_MOST_ANCHORS: Final = 1 << 15
_LEAST_LINE: Final = 8
_PIECE: Final = 256
_SMALL: Final = 1024
_NEAR: Final = 48  # what is probed first: mostly the next anchor is not far
_SHORT: Final = (
    256  # up to here one exclusive or tells where two pieces differ; longer ones are halved before
)
_KEPT: Final = 128 << 10
"""A target of more bytes makes the pieces that it is probed at for each source anew: 70 bytes each are too much."""
_LEAST_COPY: Final = 8
_ANCHOR_BYTES: Final = 170  # a key, a number and a slot of a dict
_TREE: Final = {20: re.compile(rb"[^\0]+\0.{20}", re.DOTALL), 32: re.compile(rb"[^\0]+\0.{32}", re.DOTALL)}


class Side:
    """An object that is compared with others, as source or as target."""

    __slots__ = ("_blocks", "_first", "_grams", "_lines", "_starts", "by_line", "data", "kind", "size")

    def __init__(self, data: bytes, kind: Type, effort: Effort, hash_size: int = 20) -> None:
        self.data = data
        self.kind = kind
        self.size = hash_size
        # In small objects a line is too much to be lost, and without line feeds there are none.
        self.by_line = (
            effort is Effort.LINE and len(data) >= _SMALL and (kind is Type.TREE or b"\n" in data[:4096])
        )
        self._blocks: dict[bytes, int] | None = None
        self._first: dict[bytes, int] | None = None
        self._grams: dict[int, list[bytes]] = {}
        self._lines: list[bytes] | None = None
        self._starts: list[int] = []

    @property
    def weight(self) -> int:
        """About how many bytes it needs as a source."""
        n = len(self.data)
        anchors = n // (_TREE_ENTRY if self.kind is Type.TREE else _LINE) if self.by_line else n // _stride(n)
        return n + anchors * _ANCHOR_BYTES

    def rest(self) -> None:
        """Forget what only a target needs."""
        self._grams = {}

    def anchors(self, *, by_line: bool) -> dict[bytes, int]:
        """Anchor to the lowest offset at which it stands."""
        if by_line:
            if self._first is None:
                lines = self.lines()
                # The first of equal keys must win: it is the last one to be set.
                first = dict(zip(reversed(lines), reversed(self._starts), strict=True))
                if self.kind is not Type.TREE:
                    # Short lines are many, but they are the same few.
                    for line in [line for line in first if len(line) < _LEAST_LINE]:
                        del first[line]
                self._first = first
            return self._first
        if self._blocks is None:
            data = self.data
            stride = _stride(len(data))
            last = (len(data) - _BLOCK) // stride * stride
            self._blocks = {data[at : at + _BLOCK]: at for at in range(last, -1, -stride)}
        return self._blocks

    def lines(self) -> list[bytes]:
        """The lines, or the entries of a tree, one behind the other."""
        if self._lines is None:
            data = self.data
            found: list[bytes]
            if self.kind is Type.TREE:
                found = _TREE[self.size].findall(data)
                if sum(map(len, found)) != len(data):  # a search passes over what is no entry
                    found = [data]
            else:
                found = data.splitlines(keepends=True)
            self._lines = found
            self._starts = list(accumulate(map(len, found[:-1]), initial=0)) if found else []
        return self._lines

    def probe(self, contains: Callable[[bytes], bool], at: int, stop: int) -> tuple[int, bytes]:
        """Where from `at` and before `stop` the first anchor begins that `contains` knows, and it; or (-1, b"")."""
        if self.by_line:
            lines = self.lines()
            first = bisect_left(self._starts, at)
            last = bisect_left(self._starts, stop, first)
            step = 8  # most searches end soon
            while first < last:
                part = lines[first : min(first + step, last)]
                i = next(compress(count(first), map(contains, part)), -1)
                if i >= 0:
                    return self._starts[i], lines[i]
                first += step
                step = _PIECE
            return -1, b""
        data = self.data
        stop = min(stop, len(data) - _BLOCK + 1)
        keep = len(data) <= _KEPT
        step = _NEAR
        while at < stop:
            number = at // _PIECE
            begin = number * _PIECE
            grams = self._grams.get(number) if keep else None
            if grams is None:
                if keep:
                    grams = [
                        data[i : i + _BLOCK]
                        for i in range(begin, min(begin + _PIECE, len(data) - _BLOCK + 1))
                    ]
                    self._grams[number] = grams
                else:
                    begin = at
                    grams = [data[i : i + _BLOCK] for i in range(at, min(at + _PIECE, stop))]
            part = grams[at - begin : min(stop, at + step) - begin]
            i = next(compress(count(at), map(contains, part)), -1)
            if i >= 0:
                return i, data[i : i + _BLOCK]
            at += len(part)
            step = _PIECE
        return -1, b""


_LINE: Final = 32  # bytes of a usual line
_TREE_ENTRY: Final = 36


def _stride(n: int) -> int:
    """The distance of anchors in a source of `n` bytes."""
    return _BLOCK * (1 + n // (_BLOCK * _MOST_ANCHORS))


def _forward(a: bytes, i: int, b: bytes, j: int, most: int) -> int:
    """How many bytes of `a` from `i` on are those of `b` from `j` on, at most `most`."""
    n, step = 0, 64
    while n < most:
        size = min(step, most - n)
        x, y = a[i + n : i + n + size], b[j + n : j + n + size]
        if x != y:
            while size > _SHORT:
                half = size >> 1
                if x[:half] == y[:half]:
                    n += half
                    size -= half
                    x, y = x[half:], y[half:]
                else:
                    size = half
                    x, y = x[:half], y[:half]
            differ = int.from_bytes(x, "big") ^ int.from_bytes(y, "big")
            return n + size - (differ.bit_length() + 7) // 8
        n += size
        step = min(4 * step, 1 << 16)
    return n


def _backward(a: bytes, i: int, b: bytes, j: int, most: int) -> int:
    """How many bytes of `a` before `i` are those of `b` before `j`, at most `most`."""
    n, step = 0, 64
    while n < most:
        size = min(step, most - n)
        x, y = a[i - n - size : i - n], b[j - n - size : j - n]
        if x != y:
            while size > _SHORT:
                half = size >> 1
                if x[-half:] == y[-half:]:
                    n += half
                    size -= half
                    x, y = x[:size], y[:size]
                else:
                    size = half
                    x, y = x[-half:], y[-half:]
            differ = int.from_bytes(x, "little") ^ int.from_bytes(y, "little")
            return n + size - (differ.bit_length() + 7) // 8
        n += size
        step = min(4 * step, 1 << 16)
    return n


def difference(source: Side, target: Side, limit: int) -> bytes | None:
    """A delta that makes `target` of `source`; None if none of at most `limit` bytes that copies anything was found.

    Both sides were made with the same effort. Deterministic.
    """
    a, b = source.data, target.data
    m, n = len(a), len(b)
    shorter = min(m, n)
    head = _forward(a, 0, b, 0, shorter)
    if head < _LEAST_COPY:
        head = 0
    tail = _backward(a, m, b, n, shorter - head)
    if tail < _LEAST_COPY:
        tail = 0
    end = n - tail  # from there on the target ends as the source does
    out = bytearray(varint(m) + varint(n))
    if head:
        copy(out, 0, head)
    copied = bool(head)
    at = literal = head
    expected = head  # where the source would go on, if the target went on with it
    if end - head > _BLOCK:
        anchors = source.anchors(by_line=target.by_line)
        contains = anchors.__contains__
        while at < end:
            stop = min(end, at + limit - len(out) - (at - literal) + 1)
            if stop <= at:
                return None
            found, anchor = target.probe(contains, at, stop)
            if found < 0:
                if stop < end:
                    return None
                break
            size = len(anchor)
            offset = anchors[anchor]
            straight = expected + found - literal
            if a[straight : straight + size] == anchor:
                offset = straight
            back = _backward(a, offset, b, found, min(offset, found - literal)) if found > literal else 0
            size += _forward(a, offset + size, b, found + size, min(m - offset, n - found) - size)
            begin = found - back
            if literal < begin:
                insert(out, b[literal:begin])
            copy(out, offset - back, size + back)
            copied = True
            at = literal = found + size
            expected = offset + size
            if len(out) > limit:
                return None
    if literal < end:
        insert(out, b[literal:end])
        literal = end
    if literal < n:
        copy(out, m - (n - literal), n - literal)
        copied = True
    return bytes(out) if copied and len(out) <= limit else None
