"""Which commits are kept: those that roots lead to, as far back as the policy says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from irminpy.errors import DanglingHash
from irminpy.hash import Hash
from irminpy.objects import Kind

from ..frame import COMMIT
from ..word import offset_of, words_of
from .bitmap import Bitmap
from .old import Old

__all__ = ["Policy", "choose"]


class Policy(NamedTuple):
    """How far back history is kept from a root: both None for all of it; what either keeps is kept."""

    depth: int | None
    """Commits at most so many parents away."""
    since: int | None
    """Commits not older than this, in seconds since 1970, down to the first that is older."""

    @property
    def bounded(self) -> bool:
        """Whether any history may go."""
        return self.depth is not None or self.since is not None

    def keeps(self, away: int, date: int) -> bool:
        """Whether a commit of this `date` is kept that is `away` parents from the nearest root."""
        if not away or not self.bounded:
            return True
        return (self.depth is not None and away <= self.depth) or (
            self.since is not None and date >= self.since
        )


def choose(
    old: Old,
    roots: Iterable[tuple[bytes, int, str]],
    policy: Policy,
    chosen: Bitmap,
    bitmap: Callable[[], Bitmap],
) -> list[tuple[bytes, int]]:
    """Put into `chosen` the commits that are kept for `roots` (hash, word, what it is); (hash, word) of the new ones.

    DanglingHash for a root, or a parent with a hint, that is not here. Cost: one read per commit that is kept, and one
    per parent of them. Memory: the commits that are new, 120 bytes each.
    """
    visited = bitmap()
    try:
        return _Choosing(old, policy, chosen, visited).run(roots)
    finally:
        visited.close()


_Layer = dict[int, bytes]
"""Word to hash of the commits that are equally far from their nearest root."""
_ALL: Final = 1 << 63


class _Choosing:
    """One run of `choose`."""

    __slots__ = ("absent", "chosen", "made", "old", "policy", "visited")

    def __init__(self, old: Old, policy: Policy, chosen: Bitmap, visited: Bitmap) -> None:
        self.old = old
        self.policy = policy
        self.chosen = chosen
        self.visited = visited
        self.made: list[tuple[bytes, int]] = []
        self.absent: dict[bytes, int] = {}

    def run(self, roots: Iterable[tuple[bytes, int, str]]) -> list[tuple[bytes, int]]:
        layer: _Layer = {}
        for hash_, word, what in roots:
            head = self.old.resolve(Kind.COMMIT, hash_, word)
            if head is None:
                raise DanglingHash(f"garbage collection, at {what}", Hash(hash_))
            layer[head.word] = hash_
        self._down(layer, 0)
        while self.absent:
            # An index may miss an entry, and history must not end for that: look through all frames.
            absent, self.absent = self.absent, {}
            for key, word in list(self.old.log.entries(0, _ALL, frozenset((COMMIT,)))):
                if key[1:] in absent:
                    self._down({word: key[1:]}, absent[key[1:]])
        return self.made

    def _down(self, layer: _Layer, away: int) -> None:
        while layer:
            following: _Layer = {}
            for word, hash_ in layer.items():
                place, offset = word >> 22, offset_of(word)
                if not self.visited.add(place):
                    continue
                _, frame = self.old.raw(offset)
                commit = self.old.commit(offset, frame)
                if not self.policy.keeps(away, commit.info.date):
                    continue
                if self.chosen.add(place):
                    self.made.append((hash_, word))
                hints = words_of(frame.hints)[1:] if frame.hints else (0,) * len(commit.parents)
                for parent, hint in zip(commit.parents, hints, strict=True):
                    head = self.old.resolve(Kind.COMMIT, parent, hint)
                    if head is not None:
                        following[head.word] = parent
                    elif hint:
                        raise DanglingHash(
                            f"garbage collection, at the commit {Hash(frame.hash).short()}", parent
                        )
                    else:
                        self.absent.setdefault(parent, away + 1)
            layer = following
            away += 1
