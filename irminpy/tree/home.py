"""What all trees of one schema and repository share: the schema, its codec, and where to read."""

from __future__ import annotations

import threading
from typing import Any, Generic, Protocol
from weakref import WeakSet

from ..backend import Moving, Reader, Shallow
from ..contents import Bytes
from ..errors import DecodeError
from ..formats.format import Codec
from ..hash import Hash
from ..objects import Kind, Objects
from ..schema import Schema
from ..types import C2, M2, C, M
from .lazy import Counters, Leaf, Pool, Pruned, RepoSource, Source, Stored

__all__ = ["HasHome", "Home"]


class Home(Generic[C, M]):
    """The surroundings of a tree. `repo` is None for trees that were made in memory, without a store."""

    __slots__ = (
        *("_ending", "_lock", "_moving", "_sources", "_void", "codec", "counters", "encode"),
        *("looks", "plain", "repo", "schema", "steps"),
    )

    def __init__(
        self,
        schema: Schema[C, M],
        repo: RepoSource | None = None,
        moving: Moving | None = None,
        *,
        codec: Codec | None = None,
    ) -> None:
        self.schema = schema
        self.codec = schema.codec if codec is None else codec
        """That of the schema, or one of its own, which shares no cache of hashed steps with others."""
        # Bound once: each edit and each look-up calls them.
        self.steps = self.codec.steps
        self.encode = schema.contents.encode
        self.looks = self.codec.looks
        self.repo = repo
        """Where `source` last found the objects."""
        self._moving = moving
        self._ending: Shallow | None = None
        self._lock = threading.Lock()
        # Those that are still held, by trees from before objects moved.
        self._sources: WeakSet[RepoSource] | None = None if repo is None else WeakSet((repo,))
        self.counters = Counters() if repo is None else repo.counters
        # Made where it is asked for first: trees that are only read, as those of a proof, do without.
        self._void: Source | None = None
        self.plain = isinstance(schema.contents, Bytes)
        """True if contents and their bytes are the same Python object."""

    @property
    def void(self) -> Source:
        """Where new directories and contents say that they read from: there is nothing behind them."""
        void = self._void
        if void is None:
            with self._lock:
                # Two threads must end up with one source.
                void = self._void
                if void is None:
                    void = self._void = Pool(self.codec, self.counters, Objects(), None)
        return void

    @property
    def pruned(self) -> Source:
        """Where a tree reads from of which only the hash is known."""
        return Pruned(self.codec, self.counters)

    @staticmethod
    def over(reader: Reader, schema: Schema[C2, M2]) -> Home[C2, M2]:
        """The home of the trees that `reader`, such as an open backend, holds."""
        moving = reader if isinstance(reader, Moving) else None
        present = reader if moving is None else moving.reader
        home = Home(schema, RepoSource(schema.codec, present, Counters()), moving)
        home._ending = reader if isinstance(reader, Shallow) else None
        return home

    def past(self, parents: tuple[Hash, ...]) -> tuple[Hash, ...]:
        """`parents` of a commit without those that a collection of garbage has cut off, and that are not back since.

        Cost: one read for each that was cut off.
        """
        ending, repo = self._ending, self.repo
        shallow = None if ending is None else ending.shallow()
        if not shallow or repo is None or shallow.isdisjoint(parents):
            return parents
        source = self.source()
        return tuple([hash_ for hash_ in parents if hash_ not in shallow or source.holds(Kind.COMMIT, hash_)])

    def encode_metadata(self, metadata: M | None) -> bytes | None:
        """The bytes of `metadata`; None for the default and for None."""
        if metadata is None:
            return None
        schema = self.schema.metadata
        data = schema.encode(metadata)
        return None if data == schema.encode(schema.default) else data

    def decode_metadata(self, data: bytes | None) -> M:
        """The metadata with the bytes `data`, None meaning the default; DecodeError if they are not canonical."""
        schema = self.schema.metadata
        if data is None:
            return schema.default
        if data == schema.encode(schema.default):
            raise DecodeError(
                "metadata", "the default is written out; it stands for itself by being left out"
            )
        return schema.decode(data)

    def empty(self) -> Stored:
        """The root of an empty tree in memory: a fresh object each time."""
        return Stored(self.codec.empty, self.void)

    def leaf(self, value: C, metadata: M | None) -> bytes | Leaf:
        """`value` as it stands in a directory in memory; TypeError or a typed error if it is no contents."""
        data = self.schema.contents.encode(value)
        encoded = self.encode_metadata(metadata)
        return data if encoded is None else Leaf(self.void, None, data, encoded)

    def check_hash(self, hash: Any) -> Hash:
        """`hash` as a hash of this schema; InvalidHash for another length, TypeError for no bytes."""
        if not isinstance(hash, bytes):
            raise TypeError(f"a hash is bytes, not {type(hash).__name__}")
        if len(hash) != self.codec.hash_size:
            return Hash.of_hex(hash.hex(), self.codec.hash_size)
        return Hash(hash)

    def stored(self, hash: bytes, source: Source | None = None, word: int = 0) -> Stored:
        """The directory `hash`, unread, in the repository of this home."""
        return Stored(hash, source or self.source(), word=word)

    def source(self) -> RepoSource:
        """The repository to read from, where its objects lie now; raises DecodeError when there is none."""
        repo = self.repo
        if repo is None:
            raise DecodeError("tree", "this tree has no repository to read from", None)
        if self._moving is None or self._moving.reader is repo.reader:
            return repo
        with self._lock:
            # Two threads must end up with one source.
            reader = self._moving.reader
            repo = self.repo
            assert repo is not None
            if reader is not repo.reader:
                repo = self.repo = repo.renewed(reader)
                assert self._sources is not None
                self._sources.add(repo)
            return repo

    def clear(self) -> None:
        """Forget all decoded nodes, also those that only older trees still read."""
        with self._lock:
            for source in self._sources or ():
                source.clear()


class HasHome(Protocol[C, M]):
    """Something that trees can be read from: a repository."""

    @property
    def home(self) -> Home[C, M]:
        """What its trees share."""
        ...
