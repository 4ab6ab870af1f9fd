"""The graph of all objects: branches lead to commits, commits to parents and a root, nodes to nodes and contents.

Works on the reading side of a backend and a codec. It knows no stores and no trees: what is a node here is one
stored object, a directory or an inner node of a large one. No recursion, and what a walk needs next is read
many at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypedDict, Unpack, final

from .backend import Reader
from .errors import Corrupted, DanglingHash, DecodeError
from .hash import Hash
from .lru import Lru
from .objects import Commit as CommitVal
from .objects import Inode, Kind
from .objects import Node as NodeVal

if TYPE_CHECKING:
    from .formats.format import Codec

__all__ = [
    "Branch",
    "Commit",
    "Contents",
    "Element",
    "Graph",
    "Node",
    "Preds",
    "Refs",
    "Visits",
    "Walk",
    "batches",
    "children_first",
    "commits",
    "decode_commit",
    "successors",
]

BATCH = 256  # objects that are read at once


@final
@dataclass(frozen=True, slots=True)
class Branch:
    """A branch by name."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class Commit:
    """A commit by hash."""

    hash: Hash


@final
@dataclass(frozen=True, slots=True)
class Node:
    """A directory, or an inner node of a large one, by hash."""

    hash: Hash


@final
@dataclass(frozen=True, slots=True)
class Contents:
    """Contents by hash."""

    hash: Hash


Element: TypeAlias = Branch | Commit | Node | Contents


class Refs(Reader, Protocol):
    """The reading side of a backend, with its refs."""

    def ref(self, name: str, /) -> Hash | None:
        """The commit that `name` names, or None."""
        ...


class Preds(TypedDict, total=False):
    """Relations that replace what an element leads to; None or absent: what the stored object says."""

    pred_branch: Callable[[str], Iterable[Element]] | None
    pred_commit: Callable[[Hash], Iterable[Element]] | None
    pred_node: Callable[[Hash], Iterable[Element]] | None
    pred_contents: Callable[[Hash], Iterable[Element]] | None


class Visits(Preds, total=False):
    """What is called for each element of a walk."""

    branch: Callable[[str], object] | None
    commit: Callable[[Hash], object] | None
    node: Callable[[Hash], object] | None
    contents: Callable[[Hash], object] | None


class Walk(Visits, total=False):
    """All that `Graph.iterate` takes besides `max`."""

    min: Iterable[Element]
    """Where the walk ends, themselves included: nothing is looked for below contents and nodes of `min`, nor
    beyond the parents of its commits, whose trees are still walked; a branch stands for its commit too."""
    rev: bool
    """True, the default: an element comes after all that it leads to. False: before what is first reached
    through it."""
    skip_branch: Callable[[str], bool] | None
    """Elements for which a skip is true are neither visited nor followed; edges to them are told all the same."""
    skip_commit: Callable[[Hash], bool] | None
    skip_node: Callable[[Hash], bool] | None
    skip_contents: Callable[[Hash], bool] | None
    edge: Callable[[Element, Element], object] | None
    """Called with an element and each one it leads to, after the element itself was visited."""
    cache_size: int | None
    """How many visited elements are remembered; None, the default: all, so that none is visited twice."""


@dataclass(slots=True)
class _Frame:
    """An element on the way: what it leads to, how far that was followed, and what was read ahead."""

    element: Element
    next: list[Element]
    at: int = 0
    ahead: dict[Element, list[Element]] = field(default_factory=dict[Element, list[Element]])


class Graph:
    """The graph of what `reader` holds, decoded by `codec`."""

    __slots__ = ("codec", "reader")

    def __init__(self, reader: Refs, codec: Codec) -> None:
        self.reader = reader
        self.codec = codec

    def pred_commit(self, hash: Hash) -> list[Element]:
        """The root and the parents of a commit; nothing if it is not here. Cost: one read."""
        return self._stored(Kind.COMMIT, [hash])[0]

    def pred_node(self, hash: Hash) -> list[Element]:
        """What a node leads to; nothing if it is not here. Cost: one read."""
        return self._stored(Kind.NODE, [hash])[0]

    def _stored(self, kind: Kind, hashes: Sequence[Hash]) -> list[list[Element]]:
        found = self.reader.read_many(kind, hashes)
        return [
            [] if data is None else successors(self.codec, kind, hash_, data)
            for hash_, data in zip(hashes, found, strict=True)
        ]

    def _preds(self, elements: list[Element], preds: Preds) -> dict[Element, list[Element]]:
        """What each of `elements` leads to; those that are read are read together."""
        found: dict[Element, list[Element]] = {}
        commits_: list[Hash] = []
        nodes: list[Hash] = []
        own = (preds.get("pred_branch"), preds.get("pred_commit"), preds.get("pred_node"))
        contents = preds.get("pred_contents")
        for element in elements:
            if type(element) is Branch:
                if own[0] is not None:
                    found[element] = list(own[0](element.name))
                else:
                    head = self.reader.ref(element.name)
                    found[element] = [] if head is None else [Commit(head)]
            elif type(element) is Commit:
                if own[1] is not None:
                    found[element] = list(own[1](element.hash))
                else:
                    commits_.append(element.hash)
            elif type(element) is Node:
                if own[2] is not None:
                    found[element] = list(own[2](element.hash))
                else:
                    nodes.append(element.hash)
            else:
                assert type(element) is Contents
                found[element] = [] if contents is None else list(contents(element.hash))
        if commits_:
            found.update(zip(map(Commit, commits_), self._stored(Kind.COMMIT, commits_), strict=True))
        if nodes:
            found.update(zip(map(Node, nodes), self._stored(Kind.NODE, nodes), strict=True))
        return found

    def iterate(self, max: Iterable[Element], **options: Unpack[Walk]) -> None:
        """Visit `max` and all it leads to; `Walk` tells the options. Objects that are not here lead nowhere.

        Cost: one read per commit and node, many at once; none for contents. Memory: one element per object
        that was visited, unless `cache_size` bounds it.
        """
        floor = set(options.get("min", ()))
        for element in list(floor):
            if type(element) is Branch:
                floor.update(self._preds([element], options)[element])
        rev, edge, size = options.get("rev", True), options.get("edge"), options.get("cache_size")
        seen = _Seen(size)
        skips = (
            options.get("skip_branch"),
            options.get("skip_commit"),
            options.get("skip_node"),
            options.get("skip_contents"),
        )

        def skipped(element: Element) -> bool:
            if type(element) is Branch:
                return skips[0] is not None and skips[0](element.name)
            if type(element) is Commit:
                return skips[1] is not None and skips[1](element.hash)
            if type(element) is Node:
                return skips[2] is not None and skips[2](element.hash)
            assert type(element) is Contents
            return skips[3] is not None and skips[3](element.hash)

        def tell(element: Element, next: list[Element]) -> None:
            _visit(element, options)
            if edge is not None:
                for other in next:
                    edge(element, other)

        top = list(dict.fromkeys(max))
        stack = [_Frame(Branch(""), top)]  # the first frame stands for no element
        while stack:
            frame = stack[-1]
            if frame.at == len(frame.next):
                stack.pop()
                if stack and rev:
                    tell(frame.element, frame.next)
                continue
            element = frame.next[frame.at]
            if element in seen or skipped(element):
                frame.at += 1
                frame.ahead.pop(element, None)
                continue
            if element not in frame.ahead:
                self._read_ahead(frame, floor, seen, options)
            frame.at += 1
            seen.add(element)
            below = frame.ahead.pop(element)
            if not rev:
                tell(element, below)
            stack.append(_Frame(element, below))

    def _read_ahead(self, frame: _Frame, floor: set[Element], seen: _Seen, preds: Preds) -> None:
        """Learn what the next few elements of `frame` lead to."""
        wanted = [other for other in frame.next[frame.at : frame.at + BATCH] if other not in seen]
        follow = [other for other in wanted if other not in floor or type(other) is Commit]
        frame.ahead = {other: [] for other in wanted}
        for element, below in self._preds(follow, preds).items():
            if element in floor:
                frame.ahead[element] = [other for other in below if type(other) is not Commit]
            else:
                frame.ahead[element] = below

    def breadth_first(self, max: Iterable[Element], **visits: Unpack[Visits]) -> None:
        """Visit `max` and all it leads to, the nearest first, each once. Objects that are not here lead nowhere."""
        seen = dict.fromkeys(max)
        queue = deque(seen)
        while queue:
            batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
            found = self._preds(batch, visits)
            for element in batch:
                _visit(element, visits)
                for other in found[element]:
                    if other not in seen:
                        seen[other] = None
                        queue.append(other)

    def closure(self, max: Iterable[Hash], min: Iterable[Hash] = ()) -> list[Hash]:
        """The commits from `max` down to `min`, parents first; those of `min` only if they are reached.

        DanglingHash for a commit of `max` that is not here; history that is not here is left out.
        """
        return list(commits(self.reader, self.codec, max, min))


def _visit(element: Element, visits: Visits) -> None:
    if type(element) is Branch:
        branch = visits.get("branch")
        if branch is not None:
            branch(element.name)
        return
    if type(element) is Commit:
        call = visits.get("commit")
    else:
        call = visits.get("node") if type(element) is Node else visits.get("contents")
    if call is not None:
        call(element.hash)


class _Seen:
    """The elements that were visited: all, or the last few."""

    __slots__ = ("_all", "_some")

    def __init__(self, size: int | None) -> None:
        self._all: set[Element] = set()
        self._some: Lru[Element, bool] | None = None if size is None else Lru(size)

    def add(self, element: Element) -> None:
        if self._some is None:
            self._all.add(element)
        else:
            self._some.add(element, True)

    def __contains__(self, element: Element) -> bool:
        return element in self._all if self._some is None else self._some.find(element) is not None


def decode_commit(codec: Codec, hash: Hash, data: bytes) -> CommitVal:
    """The commit with the bytes `data`; Corrupted if they are not canonical."""
    try:
        return codec.decode_commit(data)
    except DecodeError as e:
        raise Corrupted("the repository", None, hash, str(e)) from e


def successors(codec: Codec, kind: Kind, hash: Hash, data: bytes) -> list[Element]:
    """What the stored commit or node `data` leads to, each once, in stored order; Corrupted if it does not
    decode.
    """
    if kind is Kind.COMMIT:
        val = decode_commit(codec, hash, data)
        return [Node(val.node), *map(Commit, val.parents)]
    try:
        record = codec.decode_node(data)
    except DecodeError as e:
        raise Corrupted("the repository", None, hash, str(e)) from e
    if type(record) is Inode:
        return list(dict.fromkeys(Node(Hash(child)) for child in record.children()))
    assert type(record) is NodeVal
    size = codec.hash_size
    return list(
        dict.fromkeys(
            (Contents if kind_ else Node)(Hash(record.hashes[i * size : (i + 1) * size]))
            for i, kind_ in enumerate(record.kinds)
        )
    )


def batches(hashes: Iterable[bytes]) -> Iterator[list[Hash]]:
    """`hashes` in lists short enough to be read at once."""
    batch: list[Hash] = []
    for hash_ in hashes:
        batch.append(Hash(hash_))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def children_first(edges: Mapping[bytes, Sequence[bytes]]) -> list[bytes]:
    """The keys of `edges`, each after those of its children that are keys too."""
    order: dict[bytes, None] = {}
    entered: set[bytes] = set()
    for root in edges:
        stack = [(root, 0)]
        while stack:
            key, at = stack.pop()
            if not at:
                if key in entered:
                    continue
                entered.add(key)
            children = edges[key]
            while at < len(children) and (children[at] in entered or children[at] not in edges):
                at += 1
            if at < len(children):
                stack += [(key, at + 1), (children[at], 0)]
            else:
                order[key] = None
    return list(order)


def commits(
    reader: Reader, codec: Codec, max: Iterable[Hash], min: Iterable[Hash] = (), depth: int | None = None
) -> dict[Hash, CommitVal]:
    """The commits from `max` down to `min`, at most `depth` parents away, by hash, parents first.

    Those of `min` are among them only if they are reached. History that is not here is left out, but
    DanglingHash for a commit of `max`. Cost: one read per commit, a generation at once.
    """
    floor = set(min)
    found: dict[Hash, CommitVal] = {}
    generation = list(dict.fromkeys(max))
    asked = set(generation)
    distance = 0
    while generation:
        following: dict[Hash, None] = {}
        for batch in batches(generation):
            for hash_, data in zip(batch, reader.read_many(Kind.COMMIT, batch), strict=True):
                if data is None:
                    if not distance:
                        raise DanglingHash("the history", hash_)
                    continue
                val = found[hash_] = decode_commit(codec, hash_, data)
                if hash_ not in floor:
                    following.update(dict.fromkeys(val.parents))
        if distance == depth:
            break
        distance += 1
        generation = [hash_ for hash_ in following if hash_ not in asked]
        asked.update(generation)
    order = children_first({hash_: val.parents for hash_, val in found.items()})
    return {Hash(hash_): found[Hash(hash_)] for hash_ in order}
