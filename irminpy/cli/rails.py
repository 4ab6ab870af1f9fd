"""The lines that `log --graph` draws beside the commits."""

from __future__ import annotations

from collections.abc import Sequence

from irminpy.hash import Hash

__all__ = ["Rails"]


class Rails:
    """Columns, two characters wide, each with the commit that it leads down to. Children come before parents."""

    def __init__(self) -> None:
        # INVARIANT: commits that were named as a parent and have not come yet, none of them twice.
        self.waiting: list[Hash] = []

    def draw(self, hash: Hash, parents: Sequence[Hash]) -> tuple[str, list[str]]:
        """What stands before the commit `hash`, and the lines below it that lead on to its `parents`."""
        if hash not in self.waiting:
            self.waiting.append(hash)
        here = self.waiting.index(hash)
        before = " ".join("*" if i == here else "|" for i in range(len(self.waiting)))
        below: list[str] = []
        first, *others = dict.fromkeys(parents) or [None]
        fresh = first is not None and first not in self.waiting
        if first is not None and fresh:
            self.waiting[here] = first
        for parent in others:
            if parent is not None and parent not in self.waiting:
                below.append(self._fork(here, parent))
            elif parent is not None:
                below += self._join(here, self.waiting.index(parent))
        if first is None:
            below += self._end(here, here)
        elif not fresh:
            there = self.waiting.index(first)
            low, high = sorted((here, there))
            self.waiting[low] = first
            below += self._end(high, low)
        return before, below

    def _fork(self, here: int, parent: Hash) -> str:
        """A new column beside `here`; those on the right move away."""
        cells = self._cells(here + 1)
        for i in range(here, len(self.waiting)):
            cells[2 * i + 1] = "\\"
        self.waiting.insert(here + 1, parent)
        return "".join(cells).rstrip()

    def _join(self, here: int, there: int) -> list[str]:
        """From the column `here` to `there`, one column on each line; both go on."""
        places = range(2 * here + 1, 2 * there, 2) if there > here else range(2 * here - 1, 2 * there, -2)
        lines: list[str] = []
        for place in places:
            cells = self._cells(len(self.waiting))
            cells[place] = "\\" if there > here else "/"
            lines.append("".join(cells).rstrip())
        return lines

    def _end(self, here: int, there: int) -> list[str]:
        """The column `here` ends in `there`, left of it, or nowhere if that is itself; those on the right move up."""
        nowhere = here == there
        cells = self._cells(here)
        for i in range(here + nowhere, len(self.waiting)):
            cells[2 * i - 1] = "/"
        del self.waiting[here]
        lines = [] if nowhere and here == len(self.waiting) else ["".join(cells).rstrip()]
        return lines if nowhere else lines + self._join(here - 1, there)

    def _cells(self, straight: int) -> list[str]:
        """A line on which the first `straight` columns go straight down, and the others are not drawn."""
        return list("| " * straight + "  " * (len(self.waiting) + 1 - straight))
