"""What a tree is made of once it has hashes: stored directories and lazy contents, and where they read from.

`Stored` is a directory whose hash is known; `Leaf` is contents of which only the hash may be known. Both read
through a `Source`: a repository, or a pool of objects that were hashed but not yet written, or nothing at
all. This module knows neither handles nor edits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, final

from ..backend import Locating, Reader
from ..cache import Cache
from ..errors import Corrupted, DanglingHash, DecodeError, PrunedHash
from ..formats.format import Codec
from ..hash import Hash
from ..key import Key
from ..objects import BUCKET, CONTENTS, DIRECTORY, Inode, Kind, Node, Objects
from ..shape import EMPTY, Place, Record, entry_of, place_of
from .counters import Counters
from .words import Words

__all__ = [
    "ABSENT",
    "Child",
    "Counters",
    "Leaf",
    "Part",
    "Pool",
    "Pruned",
    "RepoSource",
    "Source",
    "Stored",
    "Whole",
    "behind",
]


class Part:
    """What a step of a directory in memory may lead to, other than plain bytes."""

    __slots__ = ()

    line: Any = None
    """The line of edits that a staged directory belongs to; None for anything else."""


Child = bytes | Part
"""Contents with default metadata whose value is in memory are plain `bytes`: no object per binding."""


class Source(ABC):
    """Where stored parts of a tree are read from. Subclasses say how to fetch bytes.

    The `word` of an object says where it lies, see `irminpy.backend.Locating`; 0 if that is not known.
    """

    __slots__ = ("codec", "counters", "locates")

    def __init__(self, codec: Codec, counters: Counters, *, locates: bool = False) -> None:
        self.codec = codec
        self.counters = counters
        self.locates = locates
        """True if the objects behind it have words, so that none must be lost."""

    @abstractmethod
    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """The decoded node `hash`; raises DanglingHash, PrunedHash, Corrupted."""

    @abstractmethod
    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """The bytes of the contents type under `hash`; raises as `node`."""

    def key(self, hash: bytes, word: int) -> Hash | Key:
        """The key of an object that is stored here."""
        return Hash(hash)

    def in_memory(self, hash: bytes, kind: Kind) -> bool:
        """True if reading the object costs no I/O because it was not yet written anywhere."""
        return False

    @property
    def saved(self) -> bool:
        """True if what is read from here is stored in a repository."""
        return True

    def load_node(self, hash: bytes, data: bytes, words: bytes = b"") -> Record:
        """The node with bytes `data`, whose hash is right; Corrupted if they are no node (decision 023)."""
        if hash == self.codec.empty:
            return EMPTY
        try:
            return self.codec.load_node(data, words)
        except DecodeError as e:
            raise Corrupted("", None, Hash(hash), str(e)) from e

    def decode_contents(self, hash: bytes, data: bytes) -> bytes:
        """As `load_node`, for contents."""
        try:
            return self.codec.decode_contents(data)
        except DecodeError as e:
            raise Corrupted("", None, Hash(hash), str(e)) from e


_VALUES = 8 << 20  # bytes of values that a repository whose objects have words keeps at hand


class RepoSource(Source):
    """The objects of an open repository as one reader gives them, with a bounded cache of decoded nodes.

    When objects move (see `irminpy.backend.Moving`) the repository goes on with another source, which has the
    same `origin`; trees that read from this one keep it, and with it the reader.
    """

    __slots__ = ("__weakref__", "_cache", "_locating", "_values", "origin", "reader")

    def __init__(
        self,
        codec: Codec,
        reader: Reader,
        counters: Counters,
        cache: int = 1 << 16,
        origin: object = None,
    ) -> None:
        self._locating = reader if isinstance(reader, Locating) else None
        super().__init__(codec, counters, locates=self._locating is not None)
        self.reader = reader
        self.origin = object() if origin is None else origin
        """The same for all sources of one open repository."""
        # Weighed by entries: a decoded node costs memory in proportion to them.
        self._cache: Cache[bytes, Record] = Cache(cache * 16, weigh=_weight)
        self._values: Cache[bytes, bytes] = Cache(_VALUES, weigh=_length)

    def renewed(self, reader: Reader) -> RepoSource:
        """The source of the same repository where `reader` reads."""
        return RepoSource(self.codec, reader, self.counters, origin=self.origin)

    def fetch(self, kind: Kind, hash: bytes, word: int = 0) -> tuple[bytes, bytes] | None:
        """The canonical bytes of an object and the words of its children (b"" if not known), or None."""
        if self._locating is not None:
            return self._locating.load(kind, hash, word)
        data = self.reader.read(kind, Hash(hash))
        return None if data is None else (data, b"")

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """The decoded node; at most one read."""
        # What has no word is found only if the index has it, whatever was read before.
        record = self._cache.find(hash) if word or self._locating is None else None
        if record is None:
            self.counters.node_find += 1
            found = self.fetch(Kind.NODE, hash, word)
            if found is None:
                raise DanglingHash("a directory", Hash(hash))
            data, words = found
            record = self.load_node(hash, data, words)
            self._cache.add(hash, record)
        return record

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """The contents; at most one read."""
        # Without words the backend has them in memory, or is asked each time.
        value = self._values.find(hash) if word else None
        if value is None:
            self.counters.contents_find += 1
            found = self.fetch(Kind.CONTENTS, hash, word)
            if found is None:
                raise DanglingHash("contents", Hash(hash))
            value = self.decode_contents(hash, found[0])
            if word:
                self._values.add(hash, value)
        return value

    def holds(self, kind: Kind, hash: bytes) -> bool:
        """True if the object is found by its hash; a look-up or a read."""
        return self.fetch(kind, hash) is not None

    def key(self, hash: bytes, word: int) -> Hash | Key:
        """The key of an object that is stored here."""
        return Hash(hash) if self._locating is None else self._locating.key(hash, word)

    def word(self, key: Hash | Key) -> int:
        """Where the object of `key` lies; 0 if that is not known."""
        return 0 if self._locating is None else self._locating.word(key)

    def keep(self, records: Iterator[tuple[bytes, Record]], objects: Objects) -> None:
        """Read those `records` no more whose `objects` were just written: they are known."""
        for hash, record in records:
            if hash in objects.nodes:
                words = objects.hints.get(hash, b"")
                if words or not self.locates:
                    self._cache.add(hash, record.located(words) if words else record)

    def clear(self) -> None:
        """Forget all decoded nodes and values."""
        self._cache.clear()
        self._values.clear()


def _length(value: bytes) -> int:
    return 128 + len(value)


def _weight(record: Record) -> int:
    return 8 + len(record.index) if type(record) is Node else 8 + len(record.counts)


class Pruned(Source):
    """Nothing at all: every read raises PrunedHash."""

    __slots__ = ()

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """Raises PrunedHash."""
        raise PrunedHash("a directory", Hash(hash))

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """Raises PrunedHash."""
        raise PrunedHash("contents", Hash(hash))


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
    hints: dict[bytes, bytes]
    """For nodes whose children were known before, the words of those that did not change, and 0 for the others."""

    def put(self, objects: Objects) -> None:
        """Note in `objects`, which takes in those of the pool, where the rest lies."""
        objects.hints.update(self.hints)
        if not self.hints.keys() >= objects.nodes.keys():
            self.words.put(objects)


class Pool(Source):
    """Objects that were hashed but not yet written, in front of the source they were made from.

    INVARIANT: an object of the pool points only at objects of this pool, of `parent`, or of children that the
    directories in memory hold themselves.
    """

    __slots__ = ("_saved", "floor", "objects", "parent", "records", "whole", "words")

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
        self.records: Cache[bytes, Record] = Cache(1 << 20, weigh=_weight)
        """Nodes of the pool, decoded."""
        self._saved = False

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """The decoded node, from the pool or from behind it."""
        record = self.records.find(hash)
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
            self.records.add(hash, record)
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
        while isinstance(source, Pool):
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

    @staticmethod
    def saved_in(repo: RepoSource, objects: Objects, base: Source | None) -> Pool:
        """A pool of `objects`, which `repo` holds, to be read without asking it; `base` is another such, or
        not.

        A chain of such pools has O(log n) links, as each takes in those behind it that are not much larger. It is
        a cache: one that has grown too large is left for the repository.
        """
        kept = Objects(objects.contents, objects.nodes, hints=objects.hints)
        parent: Source = repo
        if isinstance(base, Pool) and base.base_repo() is repo and base.size() <= _MOST_KEPT:
            parent = base
        while isinstance(parent, Pool) and len(parent.objects) <= 2 * len(kept) + 64:
            merged = parent.objects.copy()
            merged.update(kept)
            kept = merged
            parent = parent.parent or repo
        pool = Pool(repo.codec, repo.counters, kept, parent)
        pool._saved = True
        return pool

    def size(self) -> int:
        """How many objects this pool and those behind it hold."""
        total = 0
        source: Source | None = self
        while isinstance(source, Pool):
            total += len(source.objects)
            source = source.parent
        return total

    def unsaved(self, kind: Kind, hash: bytes) -> bytes | None:
        """The canonical bytes of an object of this pool or of an unsaved one behind it, or None."""
        source: Source | None = self
        while isinstance(source, Pool) and not source._saved:
            data = source.objects.of_kind(kind).get(hash)
            if data is not None:
                return data
            source = source.parent
        return None

    def base(self) -> Source | None:
        """The first source behind this one that is no unsaved pool; itself if it was saved."""
        source: Source | None = self
        while isinstance(source, Pool) and not source._saved:
            source = source.parent
        return source

    def base_repo(self) -> Source | None:
        """The repository behind all pools, or None."""
        source: Source | None = self
        while isinstance(source, Pool):
            source = source.parent
        return source


def behind(source: Source) -> Source:
    """`source` without the saved pools in front of it, which keep in memory what they wrote."""
    while isinstance(source, Pool) and source.saved and source.parent is not None:
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

    __slots__ = ("_record", "hash", "now", "pins", "source", "word")

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
        self._record: Record | None = None

    def record(self, *, cache: bool = True) -> Record:
        """The decoded root node of this directory; at most one read."""
        record = self._record
        if record is None:
            record = EMPTY if self.hash == self.source.codec.empty else self.source.node(self.hash, self.word)
            if record.depth if type(record) is Inode else record.place == BUCKET:
                raise Corrupted("", None, Hash(self.hash), "a part of a directory in the place of one")
            if cache:
                self._record = record
        return record

    @property
    def loaded(self) -> bool:
        """True if the root node is in memory, so that looking costs no I/O."""
        return (
            self._record is not None
            or self.source.in_memory(self.hash, Kind.NODE)
            or self.hash == self.source.codec.empty
        )

    def length(self) -> int:
        """Number of entries. Cost: one read."""
        return self.record().count

    def entry(self, step: str, *, cache: bool = True) -> bytes | None:
        """The entry of `step` as bytes, or None. Cost: at most one read per level."""
        source = self.source
        return entry_of(source.codec, source.node, self.record(cache=cache), step)

    def place(self, step: str, *, cache: bool = True) -> Place | None:
        """Where the binding of `step` stands, or None. Cost: at most one read per level."""
        source = self.source
        return place_of(source.codec, source.node, self.record(cache=cache), step)

    def child(self, step: str, *, cache: bool = True) -> Child | None:
        """What `step` is bound to, unread, or None."""
        child = self.now.get(step)
        if child is None:
            place = place_of(self.source.codec, self.source.node, self.record(cache=cache), step)
            if place is None:
                return None
            child = self.open(*place)
            if cache and type(child) is Stored:
                # Two threads must end up with one object.
                child = self.now.setdefault(step, child)
        return child

    def open(self, node: Node, i: int) -> Stored | Leaf:
        """The child at position `i` of `node`, a flat record of this directory; unread."""
        source = self.source
        size = source.codec.hash_size
        hash_ = node.hashes[i * size : (i + 1) * size]
        word = node.word(i) if node.words else 0
        kind = node.kinds[i]
        if kind == DIRECTORY:
            return Stored(hash_, source, None, None, word)
        return Leaf(source, hash_, None, None if kind == CONTENTS else node.metadata[i], word)

    def clear(self) -> None:
        """Forget what can be read again."""
        source = self.source
        if isinstance(source, Pool) and source.saved:
            # Everything below was written with the pool: the repository leads to what was pinned, too.
            self.source = behind(source)
            self.pins = None
        self._record = None
        self.now = {} if self.pins is None else dict(self.pins)

    def cached(self) -> Iterator[tuple[str, Child]]:
        """The children in memory, from one moment."""
        return iter(list(self.now.items()))
