"""Where the stored parts of a tree are read from: a repository, or nothing at all.

A third source, a pool of objects that were hashed but not yet written, is in `lazy`, with what reads from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, final

from ..backend import Descending, Gathering, Locating, Reader, Releasing
from ..core import Cache, placed, weight
from ..errors import Corrupted, DanglingHash, DecodeError, PrunedHash
from ..formats.format import Codec, Seeking
from ..hash import Hash
from ..key import Key
from ..objects import DIRECTORY, Inode, Kind, Node, Objects
from ..shape import EMPTY, Record
from .counters import Counters

__all__ = ["NO_NODES", "Environment", "Pruned", "RepoSource", "Source", "weight"]

# Before Python 3.12 to name a member of an enumeration costs four times as much as this.
_NODE = Kind.NODE
_CONTENTS = Kind.CONTENTS
NO_NODES: Cache[bytes, Record] = Cache(0, weigh=len)
"""What never holds a node."""
_NO_VALUES: Cache[bytes, bytes] = Cache(0, weigh=len)


class Environment(Protocol):
    """What trees of one proof have in common. Two are the same only if they are one object."""

    @property
    def in_order(self) -> bool:
        """Whether the proof goes by the order of the reads."""
        ...


class Source(ABC):
    """Where stored parts of a tree are read from. Subclasses say how to fetch bytes.

    The `word` of an object says where it lies, see `irminpy.backend.Locating`; 0 if that is not known.
    """

    __slots__ = ("codec", "counters", "follows", "locates", "nodes", "values")

    def __init__(
        self,
        codec: Codec,
        counters: Counters,
        *,
        locates: bool = False,
        nodes: Cache[bytes, Record] | None = None,
        values: Cache[bytes, bytes] | None = None,
    ) -> None:
        self.codec = codec
        self.counters = counters
        self.locates = locates
        """True if the objects behind it have words, so that none must be lost."""
        self.nodes: Cache[bytes, Record] = NO_NODES if nodes is None else nodes
        """Decoded nodes at hand. Ask `node` for what has no word: another than the newest reader may not find it."""
        self.values = _NO_VALUES if values is None else values
        """The same for contents."""
        self.follows = False
        """Whether to ask `follow` before anything else: so it is for what reads for a proof."""

    def follow(self, hash: bytes, word: int, steps: list[str], /) -> tuple[int, int, bytes, int] | None:
        """As `core.follow`: how far `steps` lead from the directory `hash` through what is at hand, and is noted."""
        return 0, DIRECTORY, hash, word

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

    @property
    def holder(self) -> Source:
        """The source that holds what is read from here: this one, unless it only looks on."""
        return self

    @property
    def environment(self) -> Environment | None:
        """The proof that is being made, or that is all there is to read from; None for any other tree."""
        return None

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


_VALUES = 16 << 20  # bytes of values that a repository whose objects have words keeps at hand
_NODE_SIZE = 1 << 11  # bytes that a node takes in a file, about


@final
class RepoSource(Source):
    """The objects of an open repository as one reader gives them, with a bounded cache of decoded nodes.

    When objects move (see `irminpy.backend.Moving`) the repository goes on with another source, which has the
    same `origin`; trees that read from this one keep it, and with it the reader.
    """

    __slots__ = (
        *("__weakref__", "_gather", "_gathered", "_load", "_locating", "_record", "_release"),
        *("descend", "origin", "reader", "seeking"),
    )

    def __init__(
        self,
        codec: Codec,
        reader: Reader,
        counters: Counters,
        cache: int = 3 << 14,
        origin: object = None,
    ) -> None:
        self._locating = reader if isinstance(reader, Locating) else None
        self._load = None if self._locating is None else self._locating.load
        release = reader.release if isinstance(reader, Releasing) else None
        self.descend = reader.descend if isinstance(reader, Descending) else None
        """What goes down in one call, see `Descending`; or None."""
        self._gather = reader.gather if isinstance(reader, Gathering) else None
        self._gathered = 0  # bytes, about, since pages were given back
        self._release = release
        self._record = reader.record if isinstance(reader, Descending) else None
        super().__init__(
            codec,
            counters,
            locates=self._locating is not None,
            # Weighed by entries: a decoded node costs memory in proportion to them. What a turn has read lies in mapped
            # pages too, and counts as memory of this process until it is given back.
            nodes=Cache(cache * 16, weigh=weight, turned=release),
            values=Cache(_VALUES, weigh=_length, turned=release),
        )
        self.reader = reader
        self.seeking = codec if isinstance(codec, Seeking) else None
        """The codec, if it looks into nodes without decoding them."""
        self.origin = object() if origin is None else origin
        """The same for all sources of one open repository."""

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
        known = word or self._locating is None
        record = self.nodes.recent(hash) if known else None
        if record is None:
            record = self.nodes.find(hash) if known else None
            if record is None:
                record = self._record(hash, word) if word and self._record is not None else None
                if record is None:
                    data, words = self.read_node(hash, word)
                    record = self.load_node(hash, data, words)
                else:
                    self.counters.node_find += 1
                self.nodes.add(hash, record)
        return record

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """The contents; at most one read."""
        # Without words the backend has them in memory, or is asked each time.
        value = self.values.recent(hash) if word else None
        if value is None:
            value = self.values.find(hash) if word else None
            if value is None:
                value = self.read_contents(hash, word)
                if word:
                    self.values.add(hash, value)
        return value

    def read_node(self, hash: bytes, word: int) -> tuple[bytes, bytes]:
        """The canonical bytes of a node and the words of its children, read whatever was read before; kept nowhere."""
        self.counters.node_find += 1
        load = self._load
        found = self.fetch(_NODE, hash) if load is None else load(_NODE, hash, word)
        if found is None:
            raise DanglingHash("a directory", Hash(hash))
        return found

    def read_contents(self, hash: bytes, word: int) -> bytes:
        """As `read_node`, the bytes of the contents type."""
        self.counters.contents_find += 1
        load = self._load
        found = self.fetch(_CONTENTS, hash) if load is None else load(_CONTENTS, hash, word)
        if found is None:
            raise DanglingHash("contents", Hash(hash))
        return self.decode_contents(hash, found[0])

    def gather(
        self, hash: bytes, word: int, depth: int, count: int, most: int, room: int, below: int
    ) -> tuple[int, list[tuple[str, Any]]] | None:
        """(room taken, (step, child) of all entries), kept nowhere; see `irminpy.backend.Gathering`.

        None if the reader cannot, or `word` is not known.
        """
        if self._gather is None or not word:
            return None
        found = self._gather(hash, word, depth, count, most, room, below)
        if found is None:
            return None
        nodes, values, used, pairs = found
        self.counters.node_find += nodes
        self.counters.contents_find += values
        # No cache turns where nothing is kept.
        self._gathered += used + nodes * _NODE_SIZE
        if self._gathered > _VALUES:
            self._gathered = 0
            if self._release is not None:
                self._release()
        return used, pairs

    def holds(self, kind: Kind, hash: bytes) -> bool:
        """True if the object is found by its hash; a look-up or a read."""
        return self.fetch(kind, hash) is not None

    def key(self, hash: bytes, word: int) -> Hash | Key:
        """The key of an object that is stored here."""
        return Hash(hash) if self._locating is None else self._locating.key(hash, word)

    def word(self, key: Hash | Key) -> int:
        """Where the object of `key` lies; 0 if that is not known."""
        return 0 if self._locating is None else self._locating.word(key)

    def keep(
        self, records: dict[bytes, Record], objects: Objects, replaced: list[bytes], *, own: bool
    ) -> None:
        """Read those `records` no more whose `objects` were just written: they are known.

        They take the place of `replaced`, so that the cache holds many nodes of one version, not a few of many.
        `own` says that they were read from here, and made on top of that.
        """
        kept = placed(records, objects.nodes, objects.hints, self.locates, own, Node, Inode)
        self.nodes.drop_many(replaced)
        self.nodes.add_many(kept)

    def clear(self) -> None:
        """Forget all decoded nodes and values."""
        self.nodes.clear()
        self.values.clear()


def _length(value: bytes) -> int:
    return 128 + len(value)


class Pruned(Source):
    """Nothing at all: every read raises PrunedHash."""

    __slots__ = ()

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """Raises PrunedHash."""
        raise PrunedHash("a directory", Hash(hash))

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """Raises PrunedHash."""
        raise PrunedHash("contents", Hash(hash))
