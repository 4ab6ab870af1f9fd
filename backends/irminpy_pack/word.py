"""A word says where a frame lies and what kind it is, in 64 bits: the hint beside a child's hash.

    offset / 8 (42 bits) | length in units of 8 bytes (20 bits) | kind (2 bits)

0 stands for "unknown". A length of all ones means 8 MiB and more: the header of the frame says how long it is.
A word is never trusted: what lies there must hash to what the reader was told.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

__all__ = [
    "COMMIT",
    "CONTENTS",
    "LIMIT",
    "LONG",
    "NODE",
    "column",
    "kind_of",
    "offset_of",
    "pack",
    "units_of",
    "word_at",
    "words_of",
]

NODE: Final = 1
CONTENTS: Final = 2
COMMIT: Final = 3

LONG: Final = (1 << 20) - 1
"""The length that says: longer than a word can tell."""
LIMIT: Final = 1 << 45
"""Offsets are below this many bytes."""


def pack(offset: int, units: int, kind: int) -> int:
    """The word of a frame of `units` times 8 bytes at `offset`."""
    return (offset >> 3) << 22 | (units if units < LONG else LONG) << 2 | kind


def offset_of(word: int) -> int:
    """Where the frame begins: a virtual offset in bytes."""
    return (word >> 22) << 3


def units_of(word: int) -> int:
    """The length of the frame in units of 8 bytes, or LONG."""
    return (word >> 2) & LONG


def kind_of(word: int) -> int:
    """1 node, 2 contents, 3 commit."""
    return word & 3


def column(words: list[int]) -> bytes:
    """The words as bytes, 8 each, little-endian."""
    return Struct(f"<{len(words)}Q").pack(*words)


def words_of(column: bytes) -> tuple[int, ...]:
    """The inverse of `column`."""
    return Struct(f"<{len(column) >> 3}Q").unpack(column)


def word_at(column: bytes, i: int) -> int:
    """Word number `i` of a column."""
    return int.from_bytes(column[i << 3 : (i + 1) << 3], "little")
