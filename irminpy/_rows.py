"""The rows of an index of the pack (docs/formats/index.md, "Tables"), many at once: pure, as those of `_core`."""

from __future__ import annotations

from zlib import crc32

__all__ = ["index_rows"]

_WORD = 1 << 64


def index_rows(prefix: bytes, entries: dict[bytes, int], size: int, /) -> bytes:
    """The rows that bind `prefix` and each key of `entries`, of `size` bytes, to its word: ascending, side by side.

    A row is prefix, key, word (u64) and the crc32 (u32) of all before. Raises ValueError for a key of another size, and
    for what is no word.
    """
    rows: list[bytes] = []
    for key in sorted(entries):
        word = entries[key]
        if len(key) != size:
            raise ValueError(f"the key {key.hex():.80} has {len(key)} bytes, not {size}")
        if not 0 < word < _WORD:
            raise ValueError(f"{word} is no word of an object")
        row = prefix + key + word.to_bytes(8, "little")
        rows.append(row + crc32(row).to_bytes(4, "little"))
    return b"".join(rows)
