"""A store in memory whose objects have words, may be found by nothing else, and may move: for tests of all that.

With `minimal`, directories and contents are found by their words only, so that a lost word is a dangling hash; and
every batch must come with the words of all children that it does not hold, each of which is looked at.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from struct import pack, unpack
from typing import Any, NamedTuple

from irminpy.backend import Moved, Options, RefChange, RefUpdate
from irminpy.errors import Closed, NotAStore
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import DIRECTORY, Inode, Kind, Objects
from irminpy.schema import Schema
from irminpy_mem.shared import Handle, Shared

__all__ = ["Located", "LocatedBackend", "LocatedKey", "LocatedReader", "WrongWord", "collect"]


class WrongWord(AssertionError):
    """A batch points at something without saying where it lies, or says it wrong."""


class Cell(NamedTuple):
    """An object where it lies."""

    kind: Kind
    hash: bytes
    data: bytes
    words: bytes


class Space:
    """Where the objects of one generation lie. A word is the number of a cell, from 1."""

    def __init__(self, minimal: bool) -> None:
        self.minimal = minimal
        self.cells: dict[int, Cell] = {}
        self.index: dict[tuple[Kind, bytes], int] = {}
        self.moved: dict[int, int] = {}
        """Word in the generation before to word in this one."""
        self.searches = 0
        """How many directories and contents were asked for by hash and found so."""

    def add(self, cell: Cell) -> int:
        """Put an object down; where."""
        word = len(self.cells) + 1
        self.cells[word] = cell
        if cell.kind is Kind.COMMIT or not self.minimal:
            self.index[cell.kind, cell.hash] = word
        return word

    def find(self, kind: Kind, hash: bytes, word: int) -> Cell | None:
        """The object, by its word or else by the index."""
        cell = self.cells.get(word)
        if cell is None or cell.hash != hash or cell.kind is not kind:
            cell = self.cells.get(self.index.get((kind, hash), 0))
            if cell is not None and kind is not Kind.COMMIT:
                self.searches += 1
        return cell


@dataclass(frozen=True, order=True)
class LocatedKey:
    """A hash, and where the object lies in one generation; equal, ordered and hashed by the hash."""

    hash: Hash
    place: int = field(default=0, compare=False)
    space: Space | None = field(default=None, compare=False, repr=False)


class _Store(Shared):
    def __init__(self, schema: Schema[Any, Any], *, minimal: bool, translates: bool) -> None:
        super().__init__(schema, {})
        self.space = Space(minimal)
        self.translates = translates
        self.before: Space | None = None

    def commits(self) -> Iterable[bytes]:
        return [hash_ for kind, hash_ in self.space.index if kind is Kind.COMMIT]

    def put(self, objects: Objects, changes: Sequence[RefChange]) -> None:
        space, codec = self.space, self.schema.codec
        size = codec.hash_size
        made: list[Cell] = []
        new: dict[tuple[Kind, bytes], int] = {}
        hints: dict[bytes, bytes] = {}

        def lies(kind: Kind, hash_: bytes, word: int) -> int:
            cell = space.cells.get(word)
            if cell is None or (cell.kind, cell.hash) != (kind, hash_):
                raise WrongWord(f"{kind.name} {hash_.hex()[:8]} does not lie at {word}")
            return word

        def where(kind: Kind, hash_: bytes) -> int:
            if (kind, hash_) in new:
                return new[kind, hash_]
            word = objects.words[kind].get(hash_, 0)
            if word:
                return lies(kind, hash_, word)
            word = space.index.get((kind, hash_), 0)
            if not word and kind is not Kind.COMMIT:
                raise WrongWord(f"{kind.name} {hash_.hex()[:8]} is nowhere")
            return word

        def note(kind: Kind, hash_: bytes, data: bytes, words: list[int]) -> None:
            known = 0 if space.minimal else space.index.get((kind, hash_), 0)
            column = pack(f"<{len(words)}Q", *words)
            if not known:
                known = len(space.cells) + len(made) + 1
                made.append(Cell(kind, hash_, data, column))
            new[kind, hash_] = known
            if kind is Kind.NODE:
                hints[hash_] = column

        for hash_, data in objects.contents.items():
            note(Kind.CONTENTS, hash_, data, [])
        for hash_, data in objects.nodes.items():
            record = codec.decode_node(data)
            kinds = [Kind.NODE] * len(record.buckets) if type(record) is Inode else []
            if not isinstance(record, Inode):
                kinds = [Kind.NODE if kind == DIRECTORY else Kind.CONTENTS for kind in record.kinds]
            children = [record.hashes[i * size : (i + 1) * size] for i in range(len(kinds))]
            hint = objects.hints.get(hash_, b"")
            known = unpack(f"<{len(hint) // 8}Q", hint) or (0,) * len(kinds)
            # What was written twice lies in two places, and parents may know different ones.
            column = [
                lies(kind, child, word) if word else where(kind, child)
                for kind, child, word in zip(kinds, children, known, strict=True)
            ]
            note(Kind.NODE, hash_, data, column)
        for hash_, data in objects.commits.items():
            val = codec.decode_commit(data)
            words = [where(Kind.NODE, val.node), *(where(Kind.COMMIT, parent) for parent in val.parents)]
            note(Kind.COMMIT, hash_, data, words)
        for cell in made:  # nothing can go wrong any more
            space.add(cell)
        for (kind, hash_), word in new.items():
            objects.words[kind][hash_] = word
        objects.hints.update(hints)

    def collect(self, *, commits: bool) -> None:
        """Move all that the refs lead to, with `commits` all that any commit leads to, in another order."""
        with self.lock:
            old, new = self.space, Space(self.space.minimal)
            heads = self.commits() if commits else self.refs.values()
            live = [word for head in heads if (word := old.index.get((Kind.COMMIT, head)))]
            seen = dict.fromkeys(live)
            while live:
                cell = old.cells[live.pop()]
                for at in range(0, len(cell.words), 8):
                    word = int.from_bytes(cell.words[at : at + 8], "little")
                    if word and word not in seen:
                        seen[word] = None
                        live.append(word)
            places = list(range(1, len(seen) + 1))
            random.Random(len(seen)).shuffle(places)
            moved = dict(zip(seen, places, strict=True))
            moved[0] = 0
            for word in sorted(seen, key=moved.__getitem__):
                cell = old.cells[word]
                n = len(cell.words) // 8
                words = [moved[int.from_bytes(cell.words[8 * i : 8 * i + 8], "little")] for i in range(n)]
                assert new.add(cell._replace(words=pack(f"<{n}Q", *words))) == moved[word]
            if self.translates:
                new.moved, self.before = moved, old
            self.space = new


_named: dict[str, _Store] = {}


@dataclass(frozen=True, slots=True)
class Located:
    """The store that all of this process share under `name`.

    `minimal`: only commits are found by their hash. `translates`: after a collection a word of the generation before is
    known to lead to what moved; this keeps the generation before.
    """

    name: str
    minimal: bool = False
    translates: bool = False

    def open(
        self, schema: Schema[Any, Any] | None, options: Options, /
    ) -> tuple[LocatedBackend, Schema[Any, Any]]:
        """A handle on the store."""
        store = _named.get(self.name)
        if store is None:
            if not options.create:
                raise NotAStore(self.name, "there is no such store in this process")
            fresh = _Store(schema or Schema(), minimal=self.minimal, translates=self.translates)
            store = _named.setdefault(self.name, fresh)
        if schema is not None:
            schema.require(store.schema)
        return LocatedBackend(store, readonly=options.readonly), schema or store.schema


def collect(maker: Located, *, commits: bool = False) -> None:
    """Move the objects of an open store that its refs lead to, or any of its commits; the others are gone."""
    _named[maker.name].collect(commits=commits)


class LocatedReader:
    """Reads one space, as long as the handle is open."""

    def __init__(self, handle: LocatedBackend, store: _Store, space: Space) -> None:
        self.handle = handle
        self.store = store
        self.space = space

    def load(self, kind: Kind, hash: bytes, word: int, /) -> tuple[bytes, bytes] | None:
        """The object and the words of its children."""
        self.handle.require_open()
        cell = self.space.find(kind, hash, word)
        return None if cell is None else (cell.data, cell.words)

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object."""
        found = self.load(kind, hash_of_key(key), self.word(key))
        return None if found is None else found[0]

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """The objects."""
        return [self.read(kind, key) for key in keys]

    def key(self, hash: bytes, word: int, /) -> LocatedKey:
        """A key that knows its space."""
        return LocatedKey(Hash(hash), word, self.space)

    def word(self, key: Hash | Key, /) -> int:
        """Where the object of `key` lies here."""
        if not isinstance(key, LocatedKey):
            return 0
        word = key.place
        if key.space is not self.space:
            word = self.space.moved.get(word, 0) if key.space is self.store.before else 0
        cell = self.space.cells.get(word)
        return word if cell is not None and cell.hash == key.hash else 0


class LocatedBackend(Handle[_Store]):
    """A handle on the store."""

    what = "the located store"

    def __init__(self, store: _Store, *, readonly: bool) -> None:
        super().__init__(store, readonly=readonly)
        self._making = threading.Lock()
        self._reader = LocatedReader(self, store, store.space)

    def require_open(self) -> None:
        """Raise Closed after `close`."""
        if self._closed:
            raise Closed(self.what)

    @property
    def reader(self) -> LocatedReader:
        """The reader of the present space."""
        self.require_open()
        with self._making:
            if self._reader.space is not self._store.space:
                self._reader = LocatedReader(self, self._store, self._store.space)
            return self._reader

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object."""
        return self.reader.read(kind, key)

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """The objects."""
        return self.reader.read_many(kind, keys)

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """Keys of what the index knows."""
        reader = self.reader
        words = [reader.space.index.get((kind, hash_), 0) for hash_ in hashes]
        return [reader.key(hash_, word) if word else None for hash_, word in zip(hashes, words, strict=True)]

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """As `Handle.write`; Moved if the words are of another space."""
        self._open()
        with self._store.lock:
            space = getattr(objects.reader, "space", self._store.space)
            if space is not self._store.space:
                raise Moved
            return super().write(objects, updates)
