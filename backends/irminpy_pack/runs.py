"""Sorted runs of rows in the table of an index: looking for rows, merging runs. Bytes: docs/formats/index.md.

LMDB has one entry for each block of rows, not for each row: what a transaction adds are a few hundred pages side by
side, where rows in their order among all others would touch as many pages as there are rows. For each entry that is
put, moreover, py-lmdb gives Python's global lock away and takes it back, which is dear while commits go on.

Functions take an open transaction. What they find wrong is raised as IndexDamaged.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, final

from irminpy.core import merge_rows, row_of
from irminpy.fields import NamedTuple

from .damage import IndexDamaged
from .environment import Reading, Writing

__all__ = ["LONGEST_KEY", "VALUE", "Layout", "Run", "due", "live", "pending"]

VALUE: Final = 12
"""Bytes of a row behind its key."""
LONGEST_KEY: Final = 506
"""Bytes of a key: LMDB's have at most 511, the number of the run before it, and one more to seek what is behind it."""
_NUMBER: Final = 4
_BLOCK: Final = 4080  # with the 16 bytes of LMDB's head of it a page
_STEP: Final = 4096  # blocks that one transaction merges: those that are new are in memory until it ends
_PIECE: Final = 128  # blocks of each run that are merged at once


class Run(NamedTuple):
    """Rows of which no two have one key, ascending, in blocks."""

    number: int
    into: int
    """The number of the run that this one is being merged into, 0 if of none; its own while it is not complete."""
    rows: int
    blocks: int

    @property
    def head(self) -> bytes:
        """What the keys of its blocks begin with."""
        return self.number.to_bytes(_NUMBER, "big")


def live(runs: Sequence[Run]) -> list[Run]:
    """Those that are complete, and so hold all rows, in the order of their age: later ones have newer rows."""
    return [run for run in runs if run.into != run.number]


def due(runs: Sequence[Run], rows: int = 0, most: int = 0) -> int:
    """How many of the last of `runs` are to be one with the `rows` that come behind them.

    A run is when it has at most as many rows as all behind it. So there are at most as many runs as a number of rows
    has bits, and of `n` rows each is written log2(n) times at most. With `most`, those whose rows are no more together.
    """
    count = 0
    for run in reversed(runs):
        if run.into or (rows and run.rows > rows) or (most and rows + run.rows > most):
            break
        rows += run.rows
        count += 1
    return count


def pending(runs: Sequence[Run], wholly: bool) -> int:
    """How many of the last of `runs` are to be one, which is `wholly` all of them; 1 if some are on their way, or 0."""
    if any(run.into for run in runs):
        return 1
    count = len(runs) if wholly else due(runs)
    return count if count > 1 else 0


@final
class Layout:
    """What rows are like: a key of `key` bytes, and VALUE bytes behind it."""

    __slots__ = ("_block", "_width", "key")

    def __init__(self, key: int) -> None:
        self.key = key
        self._width = key + VALUE
        self._block = max(1, _BLOCK // self._width) * self._width

    def count(self, rows: bytes) -> int:
        """How many rows `rows` are."""
        return len(rows) // self._width

    # Looking

    def look(self, txn: Reading, heads: Iterable[bytes], key: bytes) -> bytes | None:
        """What is behind `key` in the first run that has it, of those with these `heads`. Cost: a seek for each."""
        for head in heads:
            found = txn.seek(head + key)
            if found is not None and found[0].startswith(head):
                value = self._value(txn, found[1], key)
                if value is not None:
                    return value
        return None

    def look_many(self, txn: Reading, heads: Iterable[bytes], keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """`look` for each of `keys` that is there. Fastest if many are near each other."""
        rest, found = sorted(keys), dict[bytes, bytes]()
        for head in heads:
            last, block, absent = b"", b"", list[bytes]()
            for at, key in enumerate(rest):
                if key > last:
                    entry = txn.seek(head + key)
                    if entry is None or not entry[0].startswith(head):
                        absent += rest[at:]
                        break
                    last, block = entry[0][_NUMBER:], entry[1]
                value = self._value(txn, block, key)
                if value is None:
                    absent.append(key)
                else:
                    found[key] = value
            rest = absent
        return found

    def _value(self, txn: Reading, block: bytes, key: bytes) -> bytes | None:
        if len(block) % self._width:
            raise IndexDamaged(txn.directory, f"its block before {key.hex()} is of a wrong length")
        return row_of(block, key, VALUE)

    # Reading in order

    def page(self, txn: Reading, runs: Sequence[Run], start: bytes, most: int) -> tuple[bytes, bytes | None]:
        """The rows of all `runs`, the oldest first, from the key `start` on, ascending; and the next start.

        The next start is None when these were the last. Of one key the newest is there. Cost: at most `most` blocks
        of each run.
        """
        parts: list[tuple[int, bytes]] = []
        end: bytes | None = None  # the greatest key for which all rows are there
        for age in sorted(range(len(runs)), key=lambda age: -runs[age].rows):
            head, last, blocks = runs[age].head, b"", list[bytes]()
            for name, block in txn.below(head, start):
                last = self._checked(txn, name, block, last)
                blocks.append(block)
                if end is not None and last >= end:
                    break
                if len(blocks) == most:
                    end = last
                    break
            parts.append((age, b"".join(blocks)))
        rows = b""
        for _, part in sorted(parts):
            piece = self._between(part, start, end)
            try:
                rows = merge_rows(piece, rows, self.key, VALUE)
            except ValueError as error:
                raise IndexDamaged(txn.directory, str(error)) from error
        return rows, None if end is None else end + b"\0"

    def _checked(self, txn: Reading, name: bytes, block: bytes, before: bytes) -> bytes:
        """The last key of a block, which its name tells, and which is behind `before`."""
        last = name[_NUMBER:]
        if (
            len(last) != self.key
            or len(block) % self._width
            or block[-self._width : -VALUE] != last
            or last <= before
        ):
            raise IndexDamaged(txn.directory, f"its block {name.hex()} is out of order, or of a wrong length")
        return last

    def _between(self, rows: bytes, start: bytes, end: bytes | None) -> bytes:
        width, size = self._width, self.key

        def key(row: int) -> bytes:
            return rows[row * width : row * width + size]

        there = range(len(rows) // width)
        first = bisect_left(there, start, key=key)
        behind = len(there) if end is None else bisect_right(there, end, key=key)
        return rows[first * width : behind * width]

    # Writing

    def add(self, txn: Writing, runs: Sequence[Run], rows: bytes, most: int) -> list[Run]:
        """The runs with `rows` as the newest ones: a run of their own, or one with those before if that is `due`."""
        if not rows:
            return [*runs]
        number = _following(txn, runs)
        count = due(runs, self.count(rows), most)
        older = [*runs[len(runs) - count :]]
        for run in reversed(older):
            before, end = self.page(txn, [run], b"", run.blocks + 1)
            if end is not None or self.count(before) != run.rows:
                raise IndexDamaged(
                    txn.directory, f"its run {run.number} has not the {run.rows} rows that it should"
                )
            rows = merge_rows(rows, before, self.key, VALUE)
        blocks = self._put(txn, number.to_bytes(_NUMBER, "big"), rows)
        self._drop(txn, older)
        return [*runs[: len(runs) - count], Run(number, 0, self.count(rows), blocks)]

    def merge(self, txn: Writing, runs: Sequence[Run], count: int) -> list[Run]:
        """The runs when the last `count` are becoming one, or, of what was begun before, the next blocks are there."""
        now = [*runs]
        target = next((run for run in now if run.into == run.number), None)
        if target is None:
            number = _following(txn, now)
            target = Run(number, number, 0, 0)
            now[len(now) - count :] = [
                *(run._replace(into=number) for run in now[len(now) - count :]),
                target,
            ]
        sources = [run for run in now if run.into == target.number and run is not target]
        head, rest, more = target.head, b"", target.blocks + _STEP
        rows, blocks = target.rows, target.blocks
        start: bytes | None = self._end(txn, target)
        while start is not None and blocks < more:
            piece, start = self.page(txn, sources, start, _PIECE)
            rows += self.count(piece)
            rest += piece
            whole = len(rest) - len(rest) % self._block if start is not None else len(rest)
            blocks += self._put(txn, head, rest[:whole])
            rest = rest[whole:]
        blocks += self._put(txn, head, rest)
        at = now.index(target)
        now[at] = Run(target.number, target.number if start is not None else 0, rows, blocks)
        if start is None:
            self._drop(txn, sources)
            now = [run for run in now if run not in sources]
        return now

    def _end(self, txn: Writing, target: Run) -> bytes:
        """What the rows that are still to come begin with at least."""
        return txn.last(target.head, self.key)[_NUMBER:] + b"\0" if target.blocks else b""

    def _put(self, txn: Writing, head: bytes, rows: bytes) -> int:
        """How many blocks `rows` became."""
        step, width = self._block, self._width
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            txn.put(head + block[-width:-VALUE], block)
        return -(-len(rows) // step)

    def _drop(self, txn: Writing, runs: Iterable[Run]) -> None:
        for run in runs:
            gone = txn.drop(run.head)
            if gone != run.blocks:
                raise IndexDamaged(txn.directory, f"its run {run.number} had {gone} blocks, not {run.blocks}")


def _following(txn: Writing, runs: Iterable[Run]) -> int:
    """A number that no run has."""
    number = 1 + max((run.number for run in runs), default=0)
    if number >> 8 * _NUMBER:
        raise IndexDamaged(txn.directory, "there are no more numbers for its runs")
    return number
