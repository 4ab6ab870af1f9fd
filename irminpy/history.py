"""The graph of commits: walks and common ancestors, as pure functions over "give me this commit".

Nothing here trusts dates: they only choose which commit is looked at first. No recursion: a history may be
long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Protocol, TypeVar

from .hash import Hash
from .info import Info
from .objects import Commit as CommitVal

__all__ = ["Graph", "Node", "Read", "lcas", "walk"]


class Node(Protocol):
    """A commit, as far as this module looks."""

    @property
    def parents(self) -> tuple[Hash, ...]:
        """The hashes of the parents."""
        ...

    @property
    def info(self) -> Info:
        """When it was made."""
        ...


N = TypeVar("N", bound=Node)

Read = Callable[[Hash], Node]
"""Gives a commit, or raises DanglingHash."""


class Graph:
    """Commits, each read once, and *virtual* ones that exist nowhere else: merges of common ancestors."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[Hash, Node] = {}
        self._virtual = 0

    def __call__(self, hash: Hash) -> Node:
        """The commit `hash`. Cost: one read, the first time."""
        node = self._known.get(hash)
        if node is None:
            node = self._known[hash] = self._read(hash)
        return node

    def virtual(self, *parents: Hash) -> Hash:
        """A new name for a commit that has these parents."""
        self._virtual += 1
        name = Hash(b"virtual %d" % self._virtual)
        date = max(self(parent).info.date for parent in parents)
        self._known[name] = CommitVal(Hash(b""), parents, Info(date))
        return name


class _Queue:
    """Commits still to be looked at, the newest first; among equal dates in the order of arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Hash]] = []
        self._numbers = count()

    def push(self, hash: Hash, node: Node) -> None:
        heappush(self._heap, (-node.info.date, next(self._numbers), hash))

    def pop(self) -> Hash:
        return heappop(self._heap)[2]

    def __len__(self) -> int:
        return len(self._heap)


_OURS, _THEIRS, _BELOW = 1, 2, 4
_COMMON = _OURS | _THEIRS


def lcas(read: Read, a: Hash, b: Hash) -> list[Hash]:
    """The least common ancestors of `a` and `b`: those that are no ancestor of another common one.

    A commit counts as an ancestor of itself. In the order in which they are found, which depends on the graph
    and the dates alone. Cost: the commits between the two and their common ancestors; a long way back only if
    dates lie, or if there are several candidates, since one may be an ancestor of another however far they
    are apart.
    """
    if a == b:
        return [a]
    marks: dict[Hash, int] = {a: _OURS, b: _THEIRS}
    nodes: dict[Hash, Node] = {a: read(a), b: read(b)}
    queue = _Queue()
    # INVARIANT: the commits of the queue that may still lead to a new candidate.
    active: set[Hash] = set()

    def push(hash: Hash) -> None:
        queue.push(hash, nodes[hash])
        if marks[hash] & _BELOW:
            active.discard(hash)
        else:
            active.add(hash)

    push(a)
    push(b)
    found: dict[Hash, None] = {}
    done: dict[Hash, int] = {}  # marks that were handed on to the parents
    while len(queue):
        if not active:
            candidates = [hash for hash in found if not marks[hash] & _BELOW]
            if len(candidates) == 1:
                return candidates
        hash = queue.pop()
        active.discard(hash)
        mark = marks[hash]
        if done.get(hash) == mark:
            continue
        done[hash] = mark
        if mark & _COMMON == _COMMON:
            if not mark & _BELOW:
                found[hash] = None
            mark |= _BELOW
        for parent in nodes[hash].parents:
            before = marks.get(parent, 0)
            if before | mark != before:
                if parent not in nodes:
                    nodes[parent] = read(parent)
                marks[parent] = before | mark
                push(parent)
    return [hash for hash in found if not marks[hash] & _BELOW]


def walk(read: Callable[[Hash], N], heads: Iterable[Hash]) -> Iterator[N]:
    """All ancestors of `heads` and themselves, children before parents, the newest first among those that may
    come.

    Lazy: where the history is one line nothing is read ahead; where it forks, no further than to where it is
    one line again. Cost: one read per commit.
    """
    frontier = list(dict.fromkeys(heads))
    while frontier:
        if len(frontier) == 1:
            only = read(frontier[0])
            yield only
            frontier = list(dict.fromkeys(only.parents))
            continue
        region, neck = _region(read, frontier)
        # How many children in the region each commit of it still waits for.
        waits: dict[Hash, int] = dict.fromkeys(region, 0)
        for node in region.values():
            for parent in node.parents:
                waits[parent] = waits.get(parent, 0) + 1
        queue = _Queue()
        for hash_ in frontier:
            if not waits[hash_]:
                queue.push(hash_, region[hash_])
        while len(queue):
            hash_ = queue.pop()
            yield region[hash_]
            for parent in region[hash_].parents:
                waits[parent] -= 1
                if not waits[parent] and parent != neck:
                    queue.push(parent, region[parent])
        frontier = [] if neck is None else [neck]


def _region(read: Callable[[Hash], N], frontier: list[Hash]) -> tuple[dict[Hash, N], Hash | None]:
    """The commits from `frontier` down to the first one that all their ways to the roots lead through,
    without it.

    None instead of it if there is no such commit. INVARIANT: once only one commit is waiting and no root was
    seen, every commit of the region leads to that one, so that it is no descendant of any of them.
    """
    region: dict[Hash, N] = {}
    waiting: dict[Hash, N] = {hash_: read(hash_) for hash_ in frontier}
    queue = _Queue()
    for hash_, node in waiting.items():
        queue.push(hash_, node)
    roots = False
    while len(queue):
        hash_ = queue.pop()
        if len(waiting) == 1 and not roots:
            return region, hash_
        node = region[hash_] = waiting.pop(hash_)
        roots = roots or not node.parents
        for parent in node.parents:
            if parent not in region and parent not in waiting:
                waiting[parent] = read(parent)
                queue.push(parent, waiting[parent])
    return region, None
