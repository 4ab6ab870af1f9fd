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
_LEAST_ENTRY: Final = 8  # of a tree, without its hash: six characters of mode, one of name, and the zero
_PIECE: Final = 256
_NEAR_LINES: Final = 8
_SMALL: Final = 1024
_NEAR: Final = 48  # what is probed first: mostly the next anchor is not far
_SHORT: Final = 128
"""Up to here one exclusive or tells where two pieces differ; longer ones are halved before."""
_LARGEST: Final = 1 << 16
_KEPT: Final = 128 << 10
"""A target of more bytes makes the pieces that it is probed at for each source anew: 70 bytes each are too much."""
_LEAST_COPY: Final = 8
_ANCHOR_BYTES: Final = 170  # a key, a number and a slot of a dict
_TREE: Final = {20: re.compile(rb"[^\0]+\0.{20}", re.DOTALL), 32: re.compile(rb"[^\0]+\0.{32}", re.DOTALL)}


class Side:
    """An object that is compared with others, as source or as target."""

    __slots__ = (
        "_blocks",
        "_first",
        "_grams",
        "_lines",
        "_starts",
        "by_line",
        "data",
        "digits",
        "kind",
        "least",
        "size",
    )

    def __init__(self, data: bytes, kind: Type, effort: Effort, hash_size: int = 20) -> None:
        self.data = data
        self.kind = kind
        self.size = hash_size
        self.digits = varint(len(data))
        # Where less than that differs nothing is looked for: of a tree that is the hash of one entry.
        self.least = hash_size + _LEAST_ENTRY if kind is Type.TREE else _BLOCK + 1
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

    def probe(self, anchors: dict[bytes, int], at: int, stop: int) -> int:
        """Where from `at` and before `stop` the first piece of 16 bytes begins that is one of `anchors`; or -1."""
        data = self.data
        most = len(data) - _BLOCK + 1
        if stop > most:
            stop = most
        keep = most < _KEPT
        step = _NEAR
        nowhere = anchors.keys().isdisjoint
        while at < stop:
            begin = at - at % _PIECE if keep else at
            grams = self._grams.get(begin) if keep else None
            if grams is None:
                grams = [data[i : i + _BLOCK] for i in range(begin, min(begin + _PIECE, most))]
                if keep:
                    self._grams[begin] = grams
            part = grams[at - begin : min(stop, at + step) - begin]
            if not nowhere(part):
                return at + next(compress(count(), map(anchors.__contains__, part)))
            at += len(part)
            step = _PIECE
        return -1

    def probe_lines(self, anchors: dict[bytes, int], at: int, stop: int) -> tuple[int, bytes]:
        """Where from `at` and before `stop` the first line begins that is one of `anchors`, and it; or (-1, b"")."""
        lines, starts = self.lines(), self._starts
        first = bisect_left(starts, at)
        near = first + _NEAR_LINES
        for line in lines[first:near]:  # most searches end soon
            if line in anchors:
                at = starts[first]
                return (at, line) if at < stop else (-1, b"")
            first += 1
        if first == near:
            nowhere = anchors.keys().isdisjoint
            last = bisect_left(starts, stop, first)
            while first < last:
                part = lines[first : min(first + _PIECE, last)]
                if not nowhere(part):
                    first += next(compress(count(), map(anchors.__contains__, part)))
                    return starts[first], lines[first]
                first += _PIECE
        return -1, b""


_LINE: Final = 32  # bytes of a usual line
_TREE_ENTRY: Final = 36


def _stride(n: int) -> int:
    """The distance of anchors in a source of `n` bytes."""
    return _BLOCK * (1 + n // (_BLOCK * _MOST_ANCHORS))


def _forward(a: bytes, i: int, b: bytes, j: int, most: int) -> int:
    """How many bytes of `a` from `i` on are those of `b` from `j` on, at most `most`."""
    at, end, away, step = i, i + most, j - i, 64
    while True:
        if at >= end:
            return most
        stop = at + step
        if stop > end:
            stop = end
        if a[at:stop] != b[at + away : stop + away]:
            break
        at = stop
        if step < _LARGEST:
            step <<= 2
    while stop - at > _SHORT:
        half = at + stop >> 1
        if a[at:half] == b[at + away : half + away]:
            at = half
        else:
            stop = half
    differ = int.from_bytes(a[at:stop], "big") ^ int.from_bytes(b[at + away : stop + away], "big")
    return stop - i - (differ.bit_length() + 7 >> 3)


def _backward(a: bytes, i: int, b: bytes, j: int, most: int) -> int:
    """How many bytes of `a` before `i` are those of `b` before `j`, at most `most`."""
    at, end, away, step = i, i - most, j - i, 64
    while True:
        if at <= end:
            return most
        stop = at - step
        if stop < end:
            stop = end
        if a[stop:at] != b[stop + away : at + away]:
            break
        at = stop
        if step < _LARGEST:
            step <<= 2
    while at - stop > _SHORT:
        half = at + stop >> 1
        if a[half:at] == b[half + away : at + away]:
            at = half
        else:
            stop = half
    differ = int.from_bytes(a[stop:at], "little") ^ int.from_bytes(b[stop + away : at + away], "little")
    return i - stop - (differ.bit_length() + 7 >> 3)


def difference(source: Side, target: Side, limit: int) -> bytes | None:
    """A delta that makes `target` of `source`; None if none of at most `limit` bytes that copies anything was found.

    Both sides were made with the same effort. Deterministic.
    """
    a, b = source.data, target.data
    m, n = len(a), len(b)
    shorter = m if m < n else n
    head = _forward(a, 0, b, 0, shorter) if a[:_LEAST_COPY] == b[:_LEAST_COPY] else 0
    if head < _LEAST_COPY:
        head = 0
    tail = _backward(a, m, b, n, shorter - head) if a[-_LEAST_COPY:] == b[-_LEAST_COPY:] else 0
    if tail < _LEAST_COPY:
        tail = 0
    end = n - tail  # from there on the target ends as the source does
    out = bytearray(source.digits + target.digits)
    if head:
        copy(out, 0, head)
    copied = bool(head)
    at = literal = head
    expected = head  # where the source would go on, if the target went on with it
    if end - head >= target.least:
        by_line = target.by_line
        anchors = source.anchors(by_line=by_line)
        anchor, size = b"", _BLOCK
        while at < end:
            # Beyond that the delta is too long, if nothing is copied before.
            stop = at + limit - len(out) - (at - literal) + 1
            if stop <= at:
                return None
            if stop > end:
                stop = end
            if by_line:
                found, anchor = target.probe_lines(anchors, at, stop)
                size = len(anchor)
            else:
                found = target.probe(anchors, at, stop)
            if found < 0:
                if stop < end:
                    return None
                break
            if not by_line:
                anchor = b[found : found + size]
            straight = expected + found - literal
            offset = straight if a[straight : straight + size] == anchor else anchors[anchor]
            begin = found
            if literal < found:
                if offset and a[offset - 1] == b[found - 1]:
                    begin -= _backward(a, offset, b, found, min(offset, found - literal))
                if literal < begin:
                    insert(out, b[literal:begin])
            at = found + size
            expected = offset + size
            more = _forward(a, expected, b, at, min(m - expected, n - at))
            at += more
            expected += more
            copy(out, offset - found + begin, at - begin)
            copied = True
            literal = at
            if len(out) > limit:
                return None
    if literal < end:
        insert(out, b[literal:end])
        literal = end
    if literal < n:
        copy(out, m - (n - literal), n - literal)
        copied = True
    return bytes(out) if copied and len(out) <= limit else None
