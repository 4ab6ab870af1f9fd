"""What a run of the benchmarks found: the cost of a unit of some work by some side, in seconds or bytes, turn by turn.

All that is told is made of these: rates, medians over the turns, and ratios of two sides of one turn. A figure whose
wall time is more than BUSY times its CPU time was taken while something else had the processor (or waited for a disk);
it is discarded while there is one left that was not.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Final, NamedTuple

from .timing import IRMIN, Spent

__all__ = ["BUSY", "Figure", "Figures", "Key", "Told", "irmin", "ratio", "told"]

BUSY: Final = 1.3
"""The most that wall time may be, as a multiple of CPU time."""

Key = tuple[str, str]
"""Side and work, as in ("pack", "W2_commits_per_cpu_s")."""


class Figure(NamedTuple):
    """The cost of one unit: seconds, or bytes. `busy` is wall over CPU time, None for what is no CPU time."""

    cost: float
    busy: float | None = None

    @property
    def disturbed(self) -> bool:
        """Whether something else had the processor."""
        return self.busy is not None and self.busy > BUSY


class Figures(dict[Key, Figure]):
    """Those of one turn."""

    def took(self, side: str, work: str, spent: Spent, units: float = 1) -> None:
        """`units` of `work` took this much CPU time."""
        self[side, work] = Figure(spent.cpu / units, spent.wall / spent.cpu if spent.cpu else None)

    def is_(self, side: str, work: str, cost: float) -> None:
        """A unit of `work` costs this many bytes, or seconds of the wall clock."""
        self[side, work] = Figure(cost)


class Told(NamedTuple):
    """A median with the least and the most, over the turns that count; `discarded` were disturbed, and if `disturbed`
    then all were, and all count.
    """

    median: float
    low: float
    high: float
    turns: int
    discarded: int
    disturbed: bool


def told(figures: Iterable[Figure]) -> Told | None:
    """The median of `figures`; None if there are none."""
    all_ = list(figures)
    quiet = [figure for figure in all_ if not figure.disturbed]
    some = [figure.cost for figure in quiet or all_]
    if not some:
        return None
    discarded = len(all_) - len(some)
    return Told(statistics.median(some), min(some), max(some), len(some), discarded, not quiet)


def irmin(work: str, store: str, scale: float) -> Figure | None:
    """The cost of a unit of `work` in the real Irmin, on a machine that takes `scale` times as long as its own; None if
    it has no such figure.
    """
    found = IRMIN[store].get(work)
    if found is None:
        return None
    if "bytes" in work:
        return Figure(found)
    return Figure((1 / found if "_per_" in work else found) * scale)


def ratio(turns: Iterable[Figures], above: Key, below: Key | None, scale: float) -> Told | None:
    """The cost of `above` over that of `below` (None: as it is), both of one turn; None if there is no turn with both.

    A side "Irmin pack" (mem, tezos) is the real one, scaled.
    """
    found: list[Figure] = []
    for turn in turns:
        sides = [_figure(turn, key, scale) for key in (above, below) if key is not None]
        if None in sides:
            continue
        first, *rest = (side for side in sides if side is not None)
        cost = first.cost / rest[0].cost if rest else first.cost
        found.append(Figure(cost, max((side.busy for side in (first, *rest) if side.busy), default=None)))
    return told(found)


def _figure(turn: Figures, key: Key, scale: float) -> Figure | None:
    side, work = key
    if side.startswith("Irmin "):
        return irmin(work, side.removeprefix("Irmin "), scale)
    return turn.get(key)
