"""A store of irmin-pack, read-only: objects by (kind, hash) and by offset, branches as refs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from irminpy.backend import RefListener, RefUpdate
from irminpy.errors import Closed, Corrupted, ReadOnly
from irminpy.formats.irmin import IrminCodec
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind
from irminpy.objects import Objects as Batch
from irminpy.schema import Schema

from .control import Control, read_control
from .heads import Heads
from .index import Index
from .names import names
from .objects import Objects
from .space import Space

__all__ = ["IrminPackBackend", "OffsetKey"]

_MOST_MATCHES: Final = 20
_TRIES: Final = 5


class OffsetKey:
    """The hash of an object and its word; equal, ordered and hashed by the hash. Pickled, it is the hash."""

    __slots__ = ("hash", "place", "space")

    def __init__(self, hash: Hash, place: int, space: object) -> None:
        self.hash = hash
        self.place = place
        self.space = space

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, OffsetKey) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.hash < other.hash if isinstance(other, OffsetKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        where = "indexed" if not self.place else f"at {self.place - 1}"
        return f"<OffsetKey {self.hash.short()} {where}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (OffsetKey, (self.hash, 0, None))


class IrminPackBackend:
    """An open store; see `irminpy.backend.Backend` and `Locating`. What was there when it was opened is read.

    A program of Irmin's may go on writing: branches are read anew each time, and once one of them leads to what is
    not yet known here, all files are opened again.
    """

    def __init__(self, root: str, lower: str | None, schema: Schema[Any, Any], codec: IrminCodec) -> None:
        self._root = root
        self._lower = lower
        self._schema = schema
        self._codec = codec
        self._what = f"the irmin-pack store {root}"
        self._closed = False
        self._heads = Heads(root, codec.hash_size)
        self._opened()

    def _opened(self) -> None:
        """Open the files as they are now."""
        self._mark = self._marked()
        self.control: Control = read_control(self._root)
        space = Space(self._root, self.control, self._lower)
        index = Index(self._root, self._codec.hash_size)
        steps = names(self._root, self.control)
        before = getattr(self, "_objects", None)
        self._objects = Objects(self._schema, self._codec, space, index, steps)
        self._index = index
        if before is not None:
            self._objects.cut_off |= before.cut_off

    def _marked(self) -> tuple[tuple[int, int, int] | None, ...]:
        """What differs once somebody has written."""
        found: list[tuple[int, int, int] | None] = []
        for name in ("store.control", "store.pack", "index/log"):
            try:
                at = os.stat(os.path.join(self._root, name))
            except OSError:
                found.append(None)
            else:
                found.append((at.st_mtime_ns, at.st_size, at.st_ino))
        return tuple(found)

    def _check(self) -> None:
        if self._closed:
            raise Closed(self._what)

    # -- objects ---------------------------------------------------------------------------------------------

    def load(self, kind: Kind, hash: bytes, word: int, /) -> tuple[bytes, bytes] | None:
        """The object, checked, and the words of its children."""
        self._check()
        return self._objects.load(kind, hash, word)

    def key(self, hash: bytes, word: int, /) -> Hash | Key:
        """The key of the object that lies where `word` says."""
        return OffsetKey(Hash(hash), word, self._root)

    def word(self, key: Hash | Key, /) -> int:
        """Where the object of `key` lies here, or 0."""
        if not isinstance(key, OffsetKey) or key.space != self._root or not key.place:
            return 0
        self._check()
        found = self._objects.peek(key.place - 1)
        return key.place if found == key.hash else 0

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The canonical bytes, or None. With `minimal` indexing only commits are found by their hash."""
        found = self.load(kind, hash_of_key(key), self.word(key))
        return None if found is None else found[0]

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read` for each of the keys."""
        return [self.read(kind, key) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """Keys of those that the index leads to: of all objects, or with `minimal` indexing of commits."""
        self._check()
        found: list[Hash | Key | None] = []
        for hash_ in hashes:
            there = self._objects.find(kind, hash_, 0)
            found.append(None if there is None else OffsetKey(hash_, there.offset + 1, self._root))
        return found

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The commits that begin with `prefix`. Cost: one pass over the index."""
        self._check()
        matches = sorted({hash_ for hash_ in self._index.hashes() if hash_.hex().startswith(prefix)})
        found: list[Hash] = []
        for hash_ in matches:
            if self._objects.find(Kind.COMMIT, hash_, 0) is not None:
                found.append(Hash(hash_))
                if len(found) == _MOST_MATCHES:
                    break
        return found

    def shallow(self) -> frozenset[Hash]:
        """The parents of commits read so far that garbage collection has left without a tree."""
        return frozenset(self._objects.cut_off)

    # -- refs ------------------------------------------------------------------------------------------------

    def ref(self, name: str, /) -> Hash | None:
        """The commit of the branch, or None."""
        return self.refs().get(name)

    def refs(self) -> dict[str, Hash]:
        """All branches, ordered by name."""
        self._check()
        heads = self._heads.all()
        for attempt in range(_TRIES):
            mark = self._marked()
            if mark == self._mark:
                break
            try:
                self._opened()
            except Corrupted:
                # Files may be taken away while they are opened; nothing has changed meanwhile: damage.
                if self._marked() == mark or attempt == _TRIES - 1:
                    raise
        return heads

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Nothing changes through this handle; what other programs write is not watched."""
        self._check()
        return lambda: None

    def write(self, objects: Batch, updates: Sequence[RefUpdate] = (), /) -> NoReturn:
        """Raises ReadOnly."""
        self._check()
        raise ReadOnly(self._what)

    def close(self) -> None:
        """Forget the handle; files are closed with the last reader. A second call does nothing."""
        self._closed = True
