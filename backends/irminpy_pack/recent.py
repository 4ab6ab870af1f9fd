"""The batches that a writer wrote last, in memory: most nodes that change have changed lately, and what lies at the end
of a segment is in no map yet."""

from __future__ import annotations

from typing import Final

from .segment import Table

__all__ = ["Recent"]

_MOST: Final = 4 << 20  # bytes, as many as a segment has in no map


class Recent:
    """Bytes of the log by their virtual offsets, at most 4 MiB of them, of one table of segments.

    INVARIANT: what is here lies in the log, and stays there: a writer adds what it has written, and whoever finds it
    gone finds another table, or a writer that failed for good.
    """

    __slots__ = ("_blocks", "_size", "_starts", "_table")

    def __init__(self) -> None:
        self._table: Table | None = None
        self._starts: list[int] = []
        self._blocks: list[bytes] = []
        self._size = 0

    def add(self, table: Table, start: int, data: bytes) -> None:
        """`data` lies at `start` now, behind all that is here. What is too much goes, the oldest first."""
        starts, blocks = self.of(table)
        starts.append(start)
        blocks.append(data)
        self._size += len(data)
        while self._size > _MOST:
            self._size -= len(blocks[0])
            del starts[0], blocks[0]

    def of(self, table: Table) -> tuple[list[int], list[bytes]]:
        """Where the blocks begin, ascending, and the blocks; none of them in another table than before."""
        if self._table is not table:
            self._table, self._starts, self._blocks, self._size = table, [], [], 0
        return self._starts, self._blocks
