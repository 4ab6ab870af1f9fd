"""The rows of an index of the pack (docs/formats/index.md, "Rows"), what they are made of, and filters of hashes.

A filter is a Bloom filter of blocks of 64 bytes: the first eight bytes of a hash say which, the next eight name four of
its bits. It is in memory only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

__all__ = ["Words", "check_words", "filter_add", "filter_find", "merge_rows", "row_of"]

_WORD = 1 << 64
_LONGEST = 1024


class Words:
    """A map from hashes of `size` bytes to words. One thread at a time adds; any may ask.

    The compiled core has a class that does the same, and copies hashes and words instead of holding the objects.
    """

    __slots__ = ("_words", "size")

    def __init__(self, size: int) -> None:
        """Raises ValueError for a size that no hash has: 1 to 1024 bytes."""
        check_words({}, size)
        self.size = size
        """Of a hash, in bytes."""
        self._words: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._words)

    def add(self, words: dict[bytes, int], /) -> None:
        """Bind the hashes of `words`, over what they were bound to.

        Raises ValueError for a hash of another size and for what is no word, TypeError for what is none of both; then
        nothing was bound.
        """
        check_words(words, self.size)
        self._words.update(words)

    def find(self, hash: bytes, /) -> int:
        """The word of `hash`, or 0."""
        return self._words.get(hash, 0)

    def find_many(self, hashes: Iterable[bytes], /) -> dict[bytes, int]:
        """The words of those of `hashes` that are here, in their order."""
        words = self._words
        return {hash_: words[hash_] for hash_ in hashes if hash_ in words} if words else {}

    def hashes(self) -> list[bytes]:
        """All hashes, in the order in which they first came."""
        return [*self._words]

    def items(self) -> list[tuple[bytes, int]]:
        """All hashes and their words, in the same order."""
        return [*self._words.items()]

    def rows(self, prefix: bytes, /) -> bytes:
        """The rows that bind `prefix` with a hash behind it to its word: ascending, side by side.

        A row is prefix, hash, word (u64) and the crc32 (u32) of all before.
        """
        rows: list[bytes] = []
        for hash_ in sorted(self._words):
            row = prefix + hash_ + self._words[hash_].to_bytes(8, "little")
            rows.append(row + crc32(row).to_bytes(4, "little"))
        return b"".join(rows)


def check_words(words: dict[Any, Any], size: int, /) -> None:
    """Raise ValueError or TypeError if there is something among `words` that cannot be in a `Words` of this size."""
    if not 0 < size <= _LONGEST:
        raise ValueError(f"{size} bytes are no size of a hash: 1 to {_LONGEST} are")
    for hash_, word in words.items():
        if not isinstance(hash_, bytes) or not isinstance(word, int):
            raise TypeError(f"bytes are bound to int, not {type(hash_).__name__} to {type(word).__name__}")
        if len(hash_) != size:
            raise ValueError(f"the hash {hash_.hex():.80} has {len(hash_)} bytes, not {size}")
        if not 0 < word < _WORD:
            raise ValueError(f"{word} is no word of an object")


def merge_rows(newer: bytes, older: bytes, key: int, value: int, /) -> bytes:
    """The rows of both, which ascend by their keys of `key` bytes, before `value` others; of one key the newer row.

    Raises ValueError if the keys of one do not ascend, or if it does not consist of rows.
    """
    width = key + value
    both = [_ascending(rows, key, width) for rows in (newer, older)]
    rows = both[1] | both[0]
    return b"".join([rows[name] for name in sorted(rows)])


def row_of(rows: bytes, key: bytes, value: int, /) -> bytes | None:
    """The `value` bytes behind `key` in rows that ascend, or None where there is no such row."""
    size, width = len(key), len(key) + value
    at = (
        bisect_left(range(len(rows) // width), key, key=lambda row: rows[row * width : row * width + size])
        * width
    )
    return rows[at + size : at + width] if rows[at : at + size] == key and len(rows) - at >= width else None


def _ascending(rows: bytes, key: int, width: int) -> dict[bytes, bytes]:
    """Each row by its key."""
    if key < 1 or width < key or len(rows) % width:
        raise ValueError(f"{len(rows)} bytes are no rows of {width}")
    found: dict[bytes, bytes] = {}
    last = b""
    for start in range(0, len(rows), width):
        name = rows[start : start + key]
        if name <= last and start:
            raise ValueError(f"the row {name.hex():.80} is out of order")
        found[name] = rows[start : start + width]
        last = name
    return found


def filter_add(bits: bytearray, hashes: Iterable[bytes], skip: int, /) -> None:
    """Set the bits of `hashes` in the filter `bits`, whose size is 64 bytes or a product of that and twos.

    They are what follows `skip` bytes of each item, 16 or more. Raises ValueError for other sizes.
    """
    for _, block, mask in _masks(bits, (item[skip:] for item in hashes) if skip else hashes):
        bits[block : block + 64] = (int.from_bytes(bits[block : block + 64], "little") | mask).to_bytes(
            64, "little"
        )


def filter_find(bits: bytearray, hashes: Iterable[bytes], /) -> list[bytes]:
    """Those of `hashes` that may have been added to `bits`: all that were, and few others. Raises as `filter_add`."""
    return [
        hash_
        for hash_, block, mask in _masks(bits, hashes)
        if not mask & ~int.from_bytes(bits[block : block + 64], "little")
    ]


def _masks(bits: bytearray, hashes: Iterable[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Of each hash: where its block begins, and its bits there."""
    size = len(bits)
    if size < 64 or size & (size - 1):
        raise ValueError(f"a filter of {size} bytes")
    for hash_ in hashes:
        if len(hash_) < 16:
            raise ValueError(f"the hash {hash_.hex()} has {len(hash_)} bytes, a filter takes 16 or more")
        chosen = int.from_bytes(hash_[8:16], "little")
        mask = 0
        for _ in range(4):
            mask |= 1 << (chosen & 511)
            chosen >>= 9
        yield hash_, (int.from_bytes(hash_[:8], "little") << 6) & (size - 1), mask
