"""The stored objects as plain values: directories, their inner nodes, commits, and a bag of encoded objects.

A decoded directory is columnar: one dict from step to position, one `bytes` of kinds and one `bytes` of
hashes. There is no object per entry. An *entry* that has to travel alone is one `bytes`: kind, hash, encoded
metadata, so that two entries are equal exactly when their bytes are.

Where a backend says where the children of a node lie, a decoded node has one more column: *words*, 8 bytes a
child, in the order of the hashes. What a word means is the backend's business; 0 says nothing.

This module knows no bytes of any format; `irminpy.formats` does.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from struct import unpack
from typing import TYPE_CHECKING, Any, cast, final

from .fields import Fields, Frozen, NamedTuple, frozen
from .info import Info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .hash import Hash

__all__ = [
    "BUCKET",
    "CONTENTS",
    "CONTENTS_META",
    "DIRECTORY",
    "ROOT",
    "Commit",
    "Inode",
    "Kind",
    "Node",
    "Objects",
    "Words",
    "located",
    "make_inode",
    "make_node",
    "words_of",
]


class Kind(IntEnum):
    """What an object is. The kind comes from the reference to an object, never from its bytes."""

    NODE = 1
    CONTENTS = 2
    COMMIT = 3


_NODE, _CONTENTS, _COMMIT = Kind  # to name a member by its class takes longer

# The kind byte of an entry: what a step of a directory is bound to.
DIRECTORY = 0
CONTENTS = 1
CONTENTS_META = 2  # contents whose metadata is not the default; the encoded metadata follows the hash

# Where a flat record may stand, in formats that write a directory and a bucket in two ways. 0 in all others.
ROOT = 1
BUCKET = 2


@final
class Node(NamedTuple):
    """A flat directory, or one leaf bucket of a large one, as columns."""

    index: dict[str, int]  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]
    """Step to position. INVARIANT: in stored order, positions 0, 1, 2, …"""
    kinds: bytes
    """One kind byte per entry."""
    hashes: bytes
    """The hashes of the entries, joined."""
    metadata: dict[int, bytes]
    """Position to encoded metadata, for the entries of kind `CONTENTS_META` only."""
    words: bytes = b""
    """The words of the entries, joined; empty where nothing is known. No part of what the directory is."""
    head: bytes = b""
    """The canonical bytes up to `hashes`, if these come last and all at once; empty if that is not so, or not known.
    An edit that changes nothing but hashes begins with them."""
    links: bytes = b""
    """What else the directory holds, in the words of its format: names of commits of other repositories. They are no
    entries, are read by nobody but the codec, and stay where the directory is edited (`formats.format.Linking`)."""
    place: int = 0
    """`ROOT` or `BUCKET` if the bytes are those of a directory only, or of a bucket only; else 0."""

    @property
    def count(self) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Number of entries."""
        return len(self.index)

    def word(self, i: int) -> int:
        """Where the child at position `i` lies; 0 if it is not known."""
        return int.from_bytes(self.words[8 * i : 8 * i + 8], "little")

    def located(self, words: bytes) -> Node:
        """The same with other words."""
        return make_node((*self[:4], words, *self[5:]))

    def entry(self, step: str) -> bytes | None:
        """The entry bound to `step` as bytes (kind, hash, metadata), or None."""
        i = self.index.get(step)
        return None if i is None else self.entry_at(i)

    def entry_at(self, i: int) -> bytes:
        """The entry at position `i` as bytes."""
        size = len(self.hashes) // len(self.kinds)
        kind = self.kinds[i]
        entry = self.kinds[i : i + 1] + self.hashes[i * size : (i + 1) * size]
        return entry + self.metadata[i] if kind == CONTENTS_META else entry

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """(step, entry) pairs in stored order."""
        kinds, hashes, metadata = self.kinds, self.hashes, self.metadata
        if not kinds:
            return
        size = len(hashes) // len(kinds)
        at = 0
        for i, step in enumerate(self.index):
            entry = kinds[i : i + 1] + hashes[at : at + size]
            at += size
            yield step, (entry + metadata[i] if i in metadata else entry)


@final
class Inode(NamedTuple):
    """An inner node of a large directory: buckets chosen by a digit of the hash of the step."""

    depth: int
    buckets: bytes
    """The digits that occur, ascending."""
    counts: list[int]
    """Entries below each bucket; or, where the format says only how many there are in all, that one number."""
    hashes: bytes
    """The hashes of the buckets, joined."""
    words: bytes = b""
    """The words of the buckets, as in `Node`."""
    head: bytes = b""
    """The canonical bytes up to `hashes`, as in `Node`."""

    @property
    def count(self) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Number of entries below."""
        return sum(self.counts)

    def below(self, i: int) -> int | None:
        """How many entries bucket number `i` has, as far as is written here."""
        return self.counts[i] if len(self.counts) == len(self.buckets) else None

    def word(self, i: int) -> int:
        """Where bucket number `i` lies; 0 if it is not known."""
        return int.from_bytes(self.words[8 * i : 8 * i + 8], "little")

    def located(self, words: bytes) -> Inode:
        """The same with other words."""
        return make_inode((*self[:4], words, *self[5:]))

    def child(self, i: int) -> bytes:
        """The hash of bucket number `i` (a position, not a digit)."""
        size = len(self.hashes) // len(self.buckets)
        return self.hashes[i * size : (i + 1) * size]

    def children(self) -> list[bytes]:
        """The hashes of all buckets, in order."""
        size = len(self.hashes) // len(self.buckets)
        return [self.hashes[at : at + size] for at in range(0, len(self.hashes), size)]


# What a call of the class does, without the function that a named tuple has for its defaults: twice as fast.
_new = cast("Callable[..., Any]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]
make_node: Callable[[tuple[Any, ...]], Node] = partial(_new, Node)
"""A `Node` of all its fields."""
make_inode: Callable[[tuple[Any, ...]], Inode] = partial(_new, Inode)
"""An `Inode` of all its fields."""


def located(hashes: bytes, words: bytes) -> dict[bytes, int]:
    """Hash to word, 0 meaning unknown, for the children in two columns; empty without words."""
    if not words:
        return {}
    n = len(words) // 8
    size = len(hashes) // n
    each = [hashes[at : at + size] for at in range(0, n * size, size)]
    return dict(zip(each, unpack(f"<{n}Q", words), strict=True))


@frozen
class Commit(Frozen):
    """A commit as a value: the hash of its root directory, the hashes of its parents, and its info.

    INVARIANT: no parent occurs twice, the first one given stays; but for what `stored` made.
    """

    __slots__ = ("info", "node", "parents")

    node: Hash
    parents: tuple[Hash, ...]
    info: Info

    def __init__(self, node: Hash, parents: tuple[Hash, ...] = (), info: Info = Info.empty) -> None:
        unique = tuple(dict.fromkeys(parents))
        object.__setattr__(self, "node", node)
        object.__setattr__(self, "parents", parents if len(unique) == len(parents) else unique)
        object.__setattr__(self, "info", info)

    @property
    def past(self) -> tuple[Hash, ...]:
        """The parents that a walk goes on to."""
        return self.parents

    @staticmethod
    def stored(node: Hash, parents: tuple[Hash, ...], info: Info) -> Commit:
        """A commit with exactly these parents: in Irmin's formats, one may be named twice."""
        commit = object.__new__(Commit)
        object.__setattr__(commit, "node", node)
        object.__setattr__(commit, "parents", parents)
        object.__setattr__(commit, "info", info)
        return commit


Words = dict[Kind, dict[bytes, int]]
"""Kind to hash to word; all kinds are there."""


def words_of(kind: Kind, words: dict[bytes, int]) -> Words:
    """Where objects of one kind lie, for `Objects`."""
    return no_words() | {kind: words}


def no_words() -> Words:
    """No words of any kind."""
    return {_NODE: {}, _CONTENTS: {}, _COMMIT: {}}


_NOTHING: dict[bytes, Any] = {}  # never changed


class Objects(Fields):
    """Encoded objects on their way to a backend: hash to canonical bytes, one dict per kind.

    INVARIANT: `nodes` holds children before the nodes that point at them, so that a backend which writes
    contents, nodes and commits in this order never holds an object whose children it does not hold.
    """

    __slots__ = (
        "commits",
        "contents",
        "decoded",
        "hints",
        "nodes",
        "older",
        "reader",
        "shallow",
        "values",
        "words",
    )

    contents: dict[bytes, bytes]
    nodes: dict[bytes, bytes]
    commits: dict[bytes, bytes]
    words: Words
    """Where objects lie that are not in here but that these nodes point at, as far as the backend said so; after
    a write also where these objects lie now. By kind and hash: objects of two kinds may have one hash."""
    hints: dict[bytes, bytes]
    """The words of the children of a node, in the order of its hashes, as in `Node.words`: before a write of some
    nodes, and 0 for children that may be in here; after it of all."""
    decoded: Mapping[bytes, Node | Inode]
    """Some of `nodes` as they read, for whoever would decode them; not needed, and never changed."""
    values: Mapping[bytes, Commit]
    """The same for `commits`."""
    older: bytes | None
    """Where nodes lie whose places `nodes` take, in their order, as a column of words, 0 for unknown: a backend may say
    how they differ in the place of all of them. Not needed."""
    reader: object
    """The reader that gave `words`: to any other they mean nothing. None if it does not matter."""
    shallow: bool
    """Whether these commits may name parents that are nowhere, though `reader` is given."""

    def __init__(
        self,
        contents: dict[bytes, bytes] | None = None,
        nodes: dict[bytes, bytes] | None = None,
        commits: dict[bytes, bytes] | None = None,
        words: Words | None = None,
        hints: dict[bytes, bytes] | None = None,
        decoded: Mapping[bytes, Node | Inode] | None = None,
        values: Mapping[bytes, Commit] | None = None,
        older: bytes | None = None,
        reader: object = None,
        shallow: bool = False,
    ) -> None:
        self.contents = {} if contents is None else contents
        self.nodes = {} if nodes is None else nodes
        self.commits = {} if commits is None else commits
        self.words = no_words() if words is None else words
        self.hints = {} if hints is None else hints
        self.decoded = _NOTHING if decoded is None else decoded
        self.values = _NOTHING if values is None else values
        self.older = older
        self.reader = reader
        self.shallow = shallow

    def __len__(self) -> int:
        return len(self.contents) + len(self.nodes) + len(self.commits)

    def of_kind(self, kind: Kind) -> dict[bytes, bytes]:
        """The dict that holds the objects of `kind`."""
        if kind is Kind.NODE:
            return self.nodes
        return self.contents if kind is Kind.CONTENTS else self.commits

    def instead(
        self, contents: dict[bytes, bytes], nodes: dict[bytes, bytes], commits: dict[bytes, bytes]
    ) -> Objects:
        """These objects, with what is known here of them and of others; what is noted of either is in both."""
        older = self.older
        if older is not None and nodes is not self.nodes:
            kept = [i for i, hash_ in enumerate(self.nodes) if hash_ in nodes]
            older = b"".join([older[8 * i : 8 * i + 8] for i in kept])
        return Objects(
            *(contents, nodes, commits, self.words, self.hints, self.decoded, self.values),
            *(older, self.reader, self.shallow),
        )

    def copy(self) -> Objects:
        """The same objects in a bag of its own."""
        return Objects(
            self.contents.copy(),
            self.nodes.copy(),
            self.commits.copy(),
            {kind: words.copy() for kind, words in self.words.items()},
            self.hints.copy(),
            self.decoded,
            self.values,
            self.older,
            self.reader,
            self.shallow,
        )

    def update(self, other: Objects) -> None:
        """Add all of `other`, after what is here, but for what is decoded. Cost: in proportion to `other`."""
        self.contents.update(other.contents)
        self.nodes.update(other.nodes)
        self.commits.update(other.commits)
        for kind, words in other.words.items():
            self.words[kind].update(words)
        self.hints.update(other.hints)
