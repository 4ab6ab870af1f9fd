"""Nodes that are stored as differences from older ones, made whole (docs/formats/pack.md, "Differences").

    hints: word of the older node, words of the children that differ | positions u16 | hashes

Pure, but for the one frame that is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from irminpy.core import rebuilt

from .frame import DIFFERENCE, NODE, Frame, Framing
from .word import LONG, kind_of, offset_of, units_of, word_at
from .word import NODE as NODE_WORD

__all__ = ["base_of", "whole"]

_WORD: Final = 8


def base_of(frame: Frame) -> int:
    """The word of the node that `frame`, a difference, is one from. ValueError if it says none."""
    word = word_at(frame.hints, 0) if frame.hints else 0
    if kind_of(word) != NODE_WORD or units_of(word) == LONG:
        raise ValueError("a difference from no node")
    return word


def whole(framing: Framing, read: Callable[[int, int], bytes], offset: int, frame: Frame) -> Frame:
    """`frame`, which lies at `offset`; if it is a difference, the whole node, with the size that is stored.

    `read(offset, size)` gives bytes of the log. ValueError, saying what is wrong, where the node cannot be made: its
    crc and that of the older one are right, all else is found out by its hash. Cost: one read for a difference.
    """
    if frame.kind != DIFFERENCE:
        return frame
    word = base_of(frame)
    at, size = offset_of(word), units_of(word) << 3
    if at >= offset:
        raise ValueError(f"a difference from a node at {at}, which does not lie before it")
    try:
        base = framing.parse(read(at, size))
        if base.kind != NODE:
            raise ValueError("no whole node")
        found = rebuilt(base.canonical, base.hints, frame.canonical, frame.hints[_WORD:], framing.hash_size)
    except ValueError as e:
        raise ValueError(f"a difference from what lies at {at}: {e}") from None
    return Frame(NODE, frame.hash, found[1], found[0], frame.crc, frame.size, word)
