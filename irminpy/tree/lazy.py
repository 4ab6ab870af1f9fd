"""What a tree is made of once it has hashes: stored directories and lazy contents, and where they read from.

`Stored` is a directory whose hash is known; `Leaf` is contents of which only the hash may be known. Both read
through a `Source`: a repository, or a pool of objects that were hashed but not yet written, or nothing at
all. This module knows neither handles nor edits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from ..core import Cache
from ..errors import Corrupted, DanglingHash
from ..fields import NamedTuple
from ..formats.format import Codec
from ..hash import Hash
from ..key import Key
from ..objects import BUCKET, CONTENTS, DIRECTORY, Inode, Kind, Node, Objects
from ..shape import EMPTY, Place, Record, entry_at, place_of
from .counters import Counters
from .source import NO_NODES, Environment, Pruned, RepoSource, Source, weight
from .words import Words

__all__ = [
    "ABSENT",
    "Child",
    "Counters",
    "Environment",
    "Leaf",
    "Part",
    "Pool",
    "Pruned",
    "RepoSource",
    "Source",
    "Stored",
    "Whole",
    "base_of",
    "behind",
]


class Part:
    """What a step of a directory in memory may lead to, other than plain bytes."""

    __slots__ = ()

    line: Any = None
    """The line of edits that a staged directory belongs to; None for anything else."""


Child = bytes | Part
"""Contents with default metadata whose value is in memory are plain `bytes`: no object per binding."""


# Written objects that a tree committed with `clear=False` may keep at hand.
_MOST_KEPT = 1 << 18


class Whole(NamedTuple):
    """The directory whose objects are all of a pool."""

    hash: bytes
    parts: list[Stored | Leaf]
    """What of it is elsewhere, and was in memory when it was settled."""
    base: Source | None
    """The one repository, or None, that holds all the rest."""
    words: Words
    """Where that lies in `base`, if it has words."""
    made: dict[bytes, Record]
    """Some of the nodes, decoded: where they have words, these are of the children that did not change, and 0 for the
    others."""
    hints: dict[bytes, bytes] | None
    """These words, if they were gathered already."""
    older: bytes | None = None
    """Where nodes lie in `base` whose places those of the pool take, in their order: a column, 0 for unknown."""

    def put(self, objects: Objects) -> None:
        """Note in `objects`, which takes in those of the pool, where the rest lies."""
        made, hints = self.made, objects.hints
        objects.decoded = made
        if self.older is not None and len(self.older) == 8 * len(objects.nodes):
            objects.older = self.older
        if self.hints is not None:
            hints.update(self.hints)
        else:
            hints.update({hash_: record.words for hash_, record in made.items() if record.words})
        if len(hints) < len(objects.nodes) or not hints.keys() >= objects.nodes.keys():
            self.words.put(objects)


@final
class Pool(Source):
    """Objects that were hashed but not yet written, in front of the source they were made from.

    INVARIANT: an object of the pool points only at objects of this pool, of `parent`, or of children that the
    directories in memory hold themselves.
    """

    __slots__ = ("_saved", "floor", "made", "objects", "parent", "replaced", "whole", "words")

    def __init__(
        self,
        codec: Codec,
        counters: Counters,
        objects: Objects,
        parent: Source | None,
        words: Words | None = None,
    ) -> None:
        super().__init__(codec, counters, locates=parent is not None and parent.locates)
        self.objects = objects
        self.parent = parent
        self.words = Words() if words is None else words
        """Where the repository behind holds what nodes of this pool point at; not what pools behind it know."""
        self.whole: Whole | None = None
        """None if the pool may hold objects that were superseded."""
        self.floor = 0
        """How many objects were needed when superseded ones were last left behind."""
        self.made: dict[bytes, Record] = {}
        """Some of the nodes of the pool, decoded: those that an edit made. To be read only."""
        self.replaced: list[bytes] = []
        """Nodes behind the pool of which those are newer versions."""
        self._saved = False

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """The decoded node, from the pool or from behind it."""
        record = self.nodes.find(hash) or self.made.get(hash)
        if record is None:
            data = self.objects.nodes.get(hash)
            if data is None:
                if hash == self.codec.empty:
                    return EMPTY
                if self.parent is None:
                    raise DanglingHash("a directory in memory", Hash(hash))
                if self.locates:
                    return self.parent.node(hash, word or self.word(Kind.NODE, hash))
                return self.parent.node(hash)
            record = self.load_node(hash, data, self.objects.hints.get(hash, b""))
            if self.nodes is NO_NODES:  # most pools are written before anybody reads them
                self.nodes = Cache(1 << 20, weigh=weight)
            self.nodes.add(hash, record)
        return record

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """The contents, from the pool or from behind it."""
        data = self.objects.contents.get(hash)
        if data is not None:
            return self.codec.decode_contents(data)
        if self.parent is None:
            raise DanglingHash("contents in memory", Hash(hash))
        if self.locates:
            return self.parent.contents(hash, word or self.word(Kind.CONTENTS, hash))
        return self.parent.contents(hash)

    def word(self, kind: Kind, hash: bytes) -> int:
        """Where an object lies that is not in memory but that nodes of this pool, or behind it, point at; else 0."""
        source: Source | None = self
        while type(source) is Pool:
            word = source.words.find(kind, hash)
            if word:
                return word
            source = source.parent
        return 0

    def key(self, hash: bytes, word: int) -> Hash | Key:
        """As of the repository behind it."""
        return Hash(hash) if self.parent is None else self.parent.key(hash, word)

    def in_memory(self, hash: bytes, kind: Kind) -> bool:
        """True for what the pool, or a pool behind it, holds."""
        if hash in self.objects.of_kind(kind):
            return True
        return self.parent is not None and self.parent.in_memory(hash, kind)

    @property
    def saved(self) -> bool:
        """True once all of the pool was written."""
        return self._saved

    @property
    def environment(self) -> Environment | None:
        """That of the source behind it."""
        base = self.base_repo()
        return None if base is None else base.environment

    @staticmethod
    def saved_in(repo: RepoSource, objects: Objects, base: Source | None) -> Pool:
        """A pool of `objects`, which `repo` holds, to be read without asking it; `base` is another such, or
        not.

        A chain of such pools has O(log n) links, as each takes in those behind it that are not much larger. It is
        a cache: one that has grown too large is left for the repository.
        """
        kept = Objects(objects.contents, objects.nodes, hints=objects.hints)
        parent: Source = repo
        if type(base) is Pool and base.base_repo() is repo and base.size() <= _MOST_KEPT:
            parent = base
        while type(parent) is Pool and len(parent.objects) <= 2 * len(kept) + 64:
            merged = parent.objects.copy()
            merged.update(kept)
            kept = merged
            parent = parent.parent or repo
        pool = Pool(repo.codec, repo.counters, kept, parent)
        pool._saved = True
        return pool

    def fill(self, whole: Whole, replaced: list[bytes]) -> None:
        """All objects of this new pool are of `whole`, instead of the nodes `replaced` behind it."""
        self.whole, self.made, self.replaced = whole, whole.made, replaced
        self.floor = len(self.objects)  # none of them is superseded

    def size(self) -> int:
        """How many objects this pool and those behind it hold."""
        total = 0
        source: Source | None = self
        while type(source) is Pool:
            total += len(source.objects)
            source = source.parent
        return total

    def unsaved(self, kind: Kind, hash: bytes) -> bytes | None:
        """The canonical bytes of an object of this pool or of an unsaved one behind it, or None."""
        source: Source | None = self
        while type(source) is Pool and not source._saved:
            data = source.objects.of_kind(kind).get(hash)
            if data is not None:
                return data
            source = source.parent
        return None

    def base(self) -> Source | None:
        """The first source behind this one that is no unsaved pool; itself if it was saved."""
        source: Source | None = self
        while type(source) is Pool and not source._saved:
            source = source.parent
        return source

    def base_repo(self) -> Source | None:
        """The repository behind all pools, or None."""
        source: Source | None = self
        while type(source) is Pool:
            source = source.parent
        return source


def base_of(source: Source) -> Source | None:
    """The repository behind `source`, or what is there instead; None for a pool that nothing is behind."""
    return source.base_repo() if type(source) is Pool else source


def behind(source: Source) -> Source:
    """`source` without the saved pools in front of it, which keep in memory what they wrote."""
    while type(source) is Pool and source.saved and source.parent is not None:
        source = source.parent
    return source


@final
class Absent(Part):
    """A step that was removed, where a directory with that step lies below."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@final
class Leaf(Part):
    """Contents that may not have been read yet. `hash` is None as long as they were only given as a value."""

    __slots__ = ("_data", "_hash", "metadata", "source", "word")

    def __init__(
        self,
        source: Source,
        hash: bytes | None,
        data: bytes | None,
        metadata: bytes | None,
        word: int = 0,
    ) -> None:
        # INVARIANT: a hash or the data is there.
        self.source = source
        self._hash = hash
        self._data = data
        self.metadata = metadata
        """Canonical bytes of the metadata type; None for the default."""
        self.word = word
        """Where the contents lie in `source`; 0 if that is not known."""

    @property
    def hash(self) -> bytes:
        """The hash of the contents object; never reads."""
        if self._hash is None:
            assert self._data is not None
            codec = self.source.codec
            self.source.counters.contents_hash += 1
            self._hash = codec.digest(codec.encode_contents([self._data])[0])
        return self._hash

    @property
    def loaded(self) -> bool:
        """True if the value is in memory."""
        return self._data is not None or self.source.in_memory(self.hash, Kind.CONTENTS)

    def data(self, *, cache: bool = True) -> bytes:
        """The bytes of the contents type; at most one read. Raises DanglingHash, PrunedHash, Corrupted."""
        data = self._data
        if data is None:
            assert self._hash is not None
            data = self.source.contents(self._hash, self.word)
            if cache:
                self._data = data
        return data

    def clear(self) -> None:
        """Forget a value that can be read again."""
        if self._hash is not None and self.source.saved and not isinstance(self.source, Pruned):
            self.source = behind(self.source)
            self._data = None

    @property
    def known_hash(self) -> bytes | None:
        """The hash if it was given or computed, else None; never computes."""
        return self._hash

    @property
    def in_hand(self) -> bytes | None:
        """The bytes if they were given or cached, else None; never reads."""
        return self._data


@final
class Stored(Part):
    """A directory whose hash is known, with a cache of the children that were asked for."""

    __slots__ = ("decoded", "hash", "now", "pins", "source", "word")

    def __init__(
        self,
        hash: bytes,
        source: Source,
        now: dict[str, Child] | None = None,
        pins: dict[str, Stored | Leaf] | None = None,
        word: int = 0,
    ) -> None:
        self.hash = hash
        self.source = source
        self.word = word
        """Where the root node lies in `source`; 0 if that is not known."""
        self.now: dict[str, Child] = {} if now is None else now
        self.pins = pins
        """Children that `source` does not lead to, or below which there are such; they never leave this
        directory.
        """
        if pins is not None:
            self.now.update(pins)
        self.decoded: Record | None = None
        """The root node, if it was asked for and kept."""

    def record(self, *, cache: bool = True) -> Record:
        """The decoded root node of this directory; at most one read."""
        record = self.decoded
        if record is None:
            record = EMPTY if self.hash == self.source.codec.empty else self.source.node(self.hash, self.word)
            if record.depth if type(record) is Inode else record.place == BUCKET:
                raise Corrupted("", None, Hash(self.hash), "a part of a directory in the place of one")
            if cache:
                self.decoded = record
        return record

    @property
    def loaded(self) -> bool:
        """True if the root node is in memory, so that looking costs no I/O."""
        return (
            self.decoded is not None
            or self.source.in_memory(self.hash, Kind.NODE)
            or self.hash == self.source.codec.empty
        )

    def length(self) -> int:
        """Number of entries. Cost: one read."""
        return self.record().count

    def entry(self, step: str, *, cache: bool = True) -> bytes | None:
        """The entry of `step` as bytes, or None. Cost: at most one read per level."""
        return entry_at(self.place(step, cache=cache))

    def place(self, step: str, *, cache: bool = True) -> Place | None:
        """Where the binding of `step` stands, or None. Cost: at most one read per level."""
        source = self.source
        record = self.decoded or self.record(cache=cache)
        return place_of(source.codec, source.node, source.nodes.recent, record, step)

    def child(self, step: str, *, cache: bool = True) -> Child | None:
        """What `step` is bound to, unread, or None."""
        child = self.now.get(step)
        if child is None:
            place = self.place(step, cache=cache)
            if place is None:
                return None
            child = self.open(*place)
            if cache and type(child) is Stored:
                # Two threads must end up with one object.
                child = self.now.setdefault(step, child)
        return child

    def bound(self, step: str, data: bytes) -> bool | None:
        """Whether `step` is bound to the contents `data` with default metadata; None if it is not bound at all.

        Cost: at most one read per level, none of a value.
        """
        child = self.now.get(step)
        if type(child) is bytes:
            return child == data
        place = self.place(step)
        if place is None:
            return None
        node, i = place
        codec = self.source.codec
        size = codec.hash_size
        if node.kinds[i] != CONTENTS:
            return False
        return node.hashes[i * size : (i + 1) * size] == codec.digest(codec.encode_contents([data])[0])

    def open(self, node: Node, i: int) -> Stored | Leaf:
        """The child at position `i` of `node`, a flat record of this directory; unread."""
        source = self.source
        size = source.codec.hash_size
        hash_ = node.hashes[i * size : (i + 1) * size]
        word = int.from_bytes(node.words[8 * i : 8 * i + 8], "little")
        kind = node.kinds[i]
        if kind == DIRECTORY:
            return Stored(hash_, source, None, None, word)
        return Leaf(source, hash_, None, None if kind == CONTENTS else node.metadata[i], word)

    def clear(self) -> None:
        """Forget what can be read again."""
        source = self.source
        if type(source) is Pool and source.saved:
            # Everything below was written with the pool: the repository leads to what was pinned, too.
            self.source = behind(source)
            self.pins = None
        self.decoded = None
        self.now = {} if self.pins is None else dict(self.pins)

    def cached(self) -> Iterator[tuple[str, Child]]:
        """The children in memory, from one moment."""
        return iter(list(self.now.items()))
