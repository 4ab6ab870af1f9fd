"""The graph of commits: walks and common ancestors, as pure functions over "give me this commit".

Nothing here trusts dates: they only choose which commit is looked at first. No recursion: a history may be
long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar, cast

from .errors import DanglingHash, DecodeError, MaxDepthReached, NotFound, TooManyLcas
from .hash import Hash
from .info import Info
from .objects import Commit as CommitVal

__all__ = [
    "Graph",
    "History",
    "Node",
    "Read",
    "Vertex",
    "by_date",
    "check_count",
    "first_parents",
    "lcas",
    "walk",
    "window",
]


class Node(Protocol):
    """A commit, as far as this module looks."""

    @property
    def past(self) -> tuple[Hash, ...]:
        """The hashes of the parents that history goes on to: all but those where it was cut off."""
        ...

    @property
    def info(self) -> Info:
        """When it was made."""
        ...


class Vertex(Node, Protocol):
    """A commit that knows its hash."""

    @property
    def parents(self) -> tuple[Hash, ...]:
        """The hashes of all parents."""
        ...

    @property
    def hash(self) -> Hash:
        """Its hash."""
        ...


N = TypeVar("N", bound=Node)
V = TypeVar("V", bound=Vertex)

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


def lcas(read: Read, a: Hash, b: Hash, *, max_depth: int | None = None, n: int | None = None) -> list[Hash]:
    """The least common ancestors of `a` and `b`: those that are no ancestor of another common one.

    A commit counts as an ancestor of itself. In the order in which they are found, which depends on the graph
    and the dates alone. Cost: the commits between the two and their common ancestors; more only if dates lie,
    or if there are several candidates, since one may be an ancestor of another: then back to where the
    history is one line again.

    `max_depth` is how many generations behind `a` and `b` may be asked for their parents; MaxDepthReached if
    the candidates are not complete by then. One of them that leads to another only by commits beyond does not
    drop it out; a merge over both comes to the same. `n` ends the search when `n` candidates are found;
    TooManyLcas if it is no positive number.

    DanglingHash where the answer depends on history that is not here. What lies behind a common ancestor only
    tells which of several candidates stay: a history that was cut off below the only one does no harm.
    """
    if max_depth is not None and max_depth < 0:
        raise MaxDepthReached(max_depth)
    if n is not None and n <= 0:
        raise TooManyLcas(n)
    if a == b:
        return [a]
    return _by_date(read, a, b, n) if max_depth is None else _by_layers(read, a, b, max_depth, n)


def _by_date(read: Read, a: Hash, b: Hash, n: int | None) -> list[Hash]:
    marks: dict[Hash, int] = {a: _OURS, b: _THEIRS}
    nodes: dict[Hash, Node] = {a: read(a), b: read(b)}
    queue = _Queue()
    waiting: set[Hash] = set()
    # INVARIANT: the commits of the queue that may still lead to a new candidate.
    active: set[Hash] = set()

    def push(hash: Hash) -> None:
        queue.push(hash, nodes[hash])
        waiting.add(hash)
        if marks[hash] & _BELOW:
            active.discard(hash)
        else:
            active.add(hash)

    push(a)
    push(b)
    found: dict[Hash, None] = {}
    done: dict[Hash, int] = {}  # marks that were handed on to the parents
    roots = False
    absent: dict[Hash, DanglingHash] = {}

    def candidates() -> list[Hash]:
        return [hash for hash in found if not marks[hash] & _BELOW]

    while len(queue):
        # One that is absent may lead to a candidate, until it shows that it is below one itself.
        if not active and _unsettled(absent, marks) is None:
            # If all that was seen leads to the only commit that waits, nothing behind it leads to a candidate.
            if len(waiting) == 1 and not roots:
                break
            if len(now := candidates()) == 1:
                return now
        hash = queue.pop()
        active.discard(hash)
        waiting.discard(hash)
        mark = marks[hash]
        if done.get(hash) == mark:
            continue
        done[hash] = mark
        if mark & _COMMON == _COMMON:
            if not mark & _BELOW:
                found[hash] = None
                if n is not None and len(found) >= n and len(now := candidates()) >= n:
                    return now
            mark |= _BELOW
        parents = nodes[hash].past
        roots = roots or not parents
        for parent in parents:
            before = marks.get(parent, 0)
            if before | mark != before:
                marks[parent] = before | mark
                if parent not in nodes:
                    if parent in absent:
                        continue
                    try:
                        nodes[parent] = read(parent)
                    except DanglingHash as e:
                        absent[parent], roots = e, True
                        continue
                push(parent)
    return _answer(candidates(), absent, marks)


def _unsettled(absent: dict[Hash, DanglingHash], marks: dict[Hash, int]) -> DanglingHash | None:
    """The error of an absent commit that is not known to be below a candidate."""
    return next((e for hash, e in absent.items() if not marks[hash] & _BELOW), None)


def _answer(candidates: list[Hash], absent: dict[Hash, DanglingHash], marks: dict[Hash, int]) -> list[Hash]:
    """`candidates`; DanglingHash if a commit that is absent may lead to another, or from one of them to another."""
    error = _unsettled(absent, marks)
    if error is None and len(candidates) > 1:
        error = next(iter(absent.values()), None)
    if error is not None:
        raise error
    return candidates


def _by_layers(read: Read, a: Hash, b: Hash, max_depth: int, n: int | None) -> list[Hash]:
    marks: dict[Hash, int] = {a: _OURS, b: _THEIRS}
    expanded: dict[Hash, tuple[Hash, ...]] = {}
    found: dict[Hash, None] = {}  # INVARIANT: what is marked as common, and not as below another
    layer = [a, b]
    roots = False
    absent: dict[Hash, DanglingHash] = {}

    for _ in range(max_depth + 1):
        following: list[Hash] = []
        for hash in layer:
            try:
                expanded[hash] = read(hash).past
            except DanglingHash as e:
                absent[hash], expanded[hash] = e, ()
            roots = roots or not expanded[hash]
            # Marks go on to all that was seen before; a commit gets a new one three times at most.
            stack = [(parent, _handed_on(marks[hash])) for parent in expanded[hash]]
            while stack:
                at, mark = stack.pop()
                before = marks.get(at, 0)
                mark |= before
                if mark == before:
                    continue
                if not before:
                    following.append(at)
                marks[at] = mark
                if mark & _BELOW:
                    found.pop(at, None)
                elif mark == _COMMON:
                    found[at] = None
                stack.extend((parent, _handed_on(mark)) for parent in expanded.get(at, ()))
        layer = following
        for one in (a, b):
            if one in found:
                return [one]
        if n is not None and len(found) >= n:
            return list(found)[:n]
        if all(marks[hash] & _COMMON == _COMMON for hash in layer) and (
            not layer
            or (len(found) <= 1 and _unsettled(absent, marks) is None)
            or (len(layer) == 1 and not roots)
        ):
            return _answer(list(found), absent, marks)
    if all(marks[hash] & _COMMON == _COMMON for hash in layer):
        return _answer(list(found), absent, marks)
    raise MaxDepthReached(max_depth)


def _handed_on(mark: int) -> int:
    return mark | _BELOW if mark & _COMMON == _COMMON else mark


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
            frontier = list(dict.fromkeys(only.past))
            continue
        region, neck = _region(read, frontier)
        # How many children in the region each commit of it still waits for.
        waits: dict[Hash, int] = dict.fromkeys(region, 0)
        for node in region.values():
            for parent in node.past:
                waits[parent] = waits.get(parent, 0) + 1
        queue = _Queue()
        for hash_ in frontier:
            if not waits[hash_]:
                queue.push(hash_, region[hash_])
        while len(queue):
            hash_ = queue.pop()
            yield region[hash_]
            for parent in region[hash_].past:
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
        roots = roots or not node.past
        for parent in node.past:
            if parent not in region and parent not in waiting:
                waiting[parent] = read(parent)
                queue.push(parent, waiting[parent])
    return region, None


def by_date(
    read: Callable[[Hash], N], heads: Iterable[Hash], within: Collection[Hash] | None = None
) -> Iterator[N]:
    """All ancestors of `heads` and themselves, each once: always the newest of those that have come in sight.

    A commit may come after one of its parents only if dates lie. With `within`, only what is in there. Lazy.
    Cost: one read per commit, and one for each parent that is in sight.
    """
    queue = _Queue()
    seen: set[Hash] = set()
    nodes: dict[Hash, N] = {}

    def push(hashes: Iterable[Hash]) -> None:
        for hash_ in hashes:
            if hash_ not in seen and (within is None or hash_ in within):
                seen.add(hash_)
                nodes[hash_] = read(hash_)
                queue.push(hash_, nodes[hash_])

    push(heads)
    while len(queue):
        node = nodes.pop(queue.pop())
        yield node
        push(node.past)


def first_parents(read: Callable[[Hash], N], head: Hash) -> Iterator[N]:
    """`head`, its first parent, the first parent of that, and so on. Lazy. Cost: one read per commit."""
    at: Hash | None = head
    while at is not None:
        node = read(at)
        yield node
        at = node.past[0] if node.past else None


def window(
    read: Callable[[Hash], N], heads: Iterable[Hash], depth: int | None = None, ends: Collection[Hash] = ()
) -> dict[Hash, N]:
    """The ancestors of `heads` and themselves, at most `depth` steps away, and none that only `ends` lead to;
    children before parents, as in `walk`. Cost: one read per commit.
    """
    found: dict[Hash, N] = {}
    layer = list(dict.fromkeys(heads))
    away = 0
    while layer and (depth is None or away <= depth):
        following: dict[Hash, None] = {}
        for hash_ in layer:
            node = found[hash_] = read(hash_)
            if hash_ not in ends:
                following.update(dict.fromkeys(node.past))
        layer = [hash_ for hash_ in following if hash_ not in found]
        away += 1
    waits = dict.fromkeys(found, 0)
    for node in found.values():
        for parent in node.past:
            if parent in waits:
                waits[parent] += 1
    queue = _Queue()
    for hash_, node in found.items():
        if not waits[hash_]:
            queue.push(hash_, node)
    order: dict[Hash, N] = {}
    while len(queue):
        hash_ = queue.pop()
        node = order[hash_] = found[hash_]
        for parent in node.past:
            if parent in waits:
                waits[parent] -= 1
                if not waits[parent]:
                    queue.push(parent, found[parent])
    return order


class History(Generic[V]):
    """Some commits and what they have to do with each other: a graph with an edge from each parent to its
    child. Immutable; iterates over the commits, children before parents.
    """

    __slots__ = ("_children", "_commits")

    def __init__(self, commits: Iterable[V] = ()) -> None:
        # INVARIANT: children before parents.
        self._commits: dict[Hash, V] = {commit.hash: commit for commit in commits}
        self._children: dict[Hash, list[Hash]] = {hash_: [] for hash_ in self._commits}
        for hash_, commit in self._commits.items():
            for parent in dict.fromkeys(commit.parents):
                if parent in self._children:
                    self._children[parent].append(hash_)

    @property
    def commits(self) -> tuple[V, ...]:
        """All commits, children before parents."""
        return tuple(self._commits.values())

    @property
    def heads(self) -> tuple[V, ...]:
        """The commits without a child in here."""
        return tuple(commit for hash_, commit in self._commits.items() if not self._children[hash_])

    @property
    def edges(self) -> tuple[tuple[Hash, Hash], ...]:
        """(parent, child), as hashes, in the order of the children and of their parents."""
        return tuple(
            (parent, hash_)
            for hash_, commit in self._commits.items()
            for parent in dict.fromkeys(commit.parents)
            if parent in self._commits
        )

    def to_edges(self) -> list[tuple[V, V]]:
        """(parent, child), as commits, in the order of `edges`."""
        return [(self._commits[parent], self._commits[child]) for parent, child in self.edges]

    def pred(self, commit: V | Hash) -> list[V]:
        """The parents of `commit` that are in here, in the order of the commit; NotFound if it is not."""
        parents = dict.fromkeys(self._known(commit).parents)
        return [self._commits[parent] for parent in parents if parent in self._commits]

    def succ(self, commit: V | Hash) -> list[V]:
        """The children of `commit` that are in here, the last first; NotFound if it is not."""
        return [self._commits[child] for child in self._children[self._known(commit).hash]]

    def _known(self, commit: V | Hash) -> V:
        hash_ = commit if isinstance(commit, Hash) else commit.hash
        if hash_ not in self._commits:
            raise NotFound("commit", hash_.hex())
        return self._commits[hash_]

    def __len__(self) -> int:
        return len(self._commits)

    def __iter__(self) -> Iterator[V]:
        return iter(self._commits.values())

    def __contains__(self, commit: object) -> bool:
        hash_ = commit if isinstance(commit, Hash) else getattr(commit, "hash", None)
        return isinstance(hash_, Hash) and hash_ in self._commits

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return self._commits.keys() == cast("History[Vertex]", other)._commits.keys()

    def __hash__(self) -> int:
        return hash(frozenset(self._commits))

    def __repr__(self) -> str:
        return f"<History of {len(self)} commit{'' if len(self) == 1 else 's'}>"


def check_count(what: str, n: int | None) -> None:
    """Raise DecodeError unless `n`, called `what`, is None or a whole number from 0 up."""
    if n is not None and (type(n) is not int or n < 0):
        raise DecodeError(what, f"{n!r:.80}; use a number from 0 up, or None for all")
