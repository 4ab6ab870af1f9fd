"""A reader for walks from heads downwards, over a backend whose objects need not be found by their hash.

A commit or node that is read says where what it leads to lies. `Trail` keeps that, so that whoever walks by hashes
alone finds the way; it forgets nothing, as an object may be read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from .backend import Locating, Reader
from .errors import DecodeError
from .hash import Hash
from .key import Key, hash_of_key
from .objects import DIRECTORY, Kind, Objects, located, words_of
from .tree.words import add

if TYPE_CHECKING:
    from .formats.format import Codec

__all__ = ["Trail", "Walkable", "trail"]


class Walkable(Reader, Protocol):
    """What walks read from: objects, keys and refs."""

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """As of `irminpy.backend.Backend`."""
        ...

    def ref(self, name: str, /) -> Hash | None:
        """As of `irminpy.backend.Backend`."""
        ...


class Trail:
    """`backend`, read through `reader` along the words that commits and nodes hold.

    Held in memory: about 150 bytes for each object that something read so far leads to.
    """

    __slots__ = ("_backend", "_codec", "_reader", "_words")

    def __init__(self, backend: Walkable, reader: Locating, codec: Codec) -> None:
        self._backend = backend
        self._reader = reader
        self._codec = codec
        self._words = words_of(Kind.NODE, {})

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object, or None if neither a word nor an index leads to it."""
        hash_ = hash_of_key(key)
        word = self._words[kind].get(hash_) or self._reader.word(key)
        found = self._reader.load(kind, hash_, word)
        if found is None:
            return None
        if found[1]:
            self._note(kind, *found)
        return found[0]

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read`, one by one: where there are words, objects are near."""
        return [self.read(kind, key) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """Of the backend; or of what was met on the way."""
        words, key = self._words[kind], self._reader.key
        return [
            key(hash_, words[hash_]) if found is None and words.get(hash_) else found
            for hash_, found in zip(hashes, self._backend.find_keys(kind, hashes), strict=True)
        ]

    def lead(self, objects: Objects) -> None:
        """Tell `objects`, which are to be written, where what they point at lies, as far as that was met."""
        size = self._codec.hash_size
        for data in objects.nodes.values():
            kinds, column = self._codec.children(data)
            for i, entry in enumerate(kinds):
                kind = Kind.NODE if entry == DIRECTORY else Kind.CONTENTS
                hash_ = column[i * size : (i + 1) * size]
                word = self._words[kind].get(hash_)
                if word:
                    objects.words[kind][hash_] = word
        for data in objects.commits.values():
            root = self._codec.decode_commit(data).node
            word = self._words[Kind.NODE].get(root)
            if word:
                objects.words[Kind.NODE][root] = word
        objects.reader = self._reader

    def follow(self, objects: Objects) -> None:
        """Know where `objects`, which were written, lie now."""
        for kind in Kind:
            known = self._words[kind]
            for hash_ in objects.of_kind(kind):
                word = objects.words[kind].get(hash_)
                if word:
                    known[hash_] = word

    def ref(self, name: str, /) -> Hash | None:
        """Of the backend."""
        return self._backend.ref(name)

    def _note(self, kind: Kind, data: bytes, words: bytes) -> None:
        try:
            if kind is Kind.COMMIT:
                val = self._codec.decode_commit(data)
                self._words[Kind.NODE].update(located(val.node, words[:8]))
                self._words[Kind.COMMIT].update(located(b"".join(val.parents), words[8:]))
                return
            record = self._codec.decode_node(data)
        except DecodeError:
            return  # whoever asked for it will find that out
        if words:
            add(self._words, record.located(words))


def trail(backend: Walkable, reader: Reader, codec: Codec) -> Walkable:
    """What to walk over `backend` with: itself where every object is found by its hash, else a new `Trail`."""
    return Trail(backend, reader, codec) if isinstance(reader, Locating) else backend
