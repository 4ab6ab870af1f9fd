"""A log of linked items: an append writes one item and where the log begins, however long it is.

A log is a directory: `head` is bound to `Heads`, and `items/HASH` to each `Item`, HASH being that of the item as
an object of the store. Items are never changed, so a merge of trees unites them; a merge of two heads has both,
and the next item follows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, Unpack, cast

from .. import merge as merges
from ..commit import Commit
from ..contents import Contents, Msgpack
from ..errors import Corrupted, DecodeError
from ..hash import Hash
from ..merge import Conflict, NoAncestor, Old
from ..path import PathLike
from ..store import Store, Writing
from ..tree import Tree
from .place import Place, require
from .stamp import Clock, Stamped, after, check, machine_clock, parts

T = TypeVar("T")

HEAD = "head"
ITEMS = "items"
_MSGPACK = Msgpack()


@dataclass(frozen=True)
class Item(Generic[T]):
    """An entry of a log: its value, when it was appended, and the items it follows, several after a merge."""

    value: T
    timestamp: int
    prev: tuple[Hash, ...]


@dataclass(frozen=True)
class Heads:
    """Where a log begins: the newest item, or those of each side after a merge."""

    items: tuple[Hash, ...]


Linked: TypeAlias = Item[T] | Heads


@dataclass(frozen=True)
class LinkedLogContents(Generic[T]):
    """The contents of linked logs with entries of the type `of`.

    The bytes are those of `Msgpack` for [hashes] of Heads and [hashes, time stamp, bytes of the entry] of an
    Item; the hashes are in order, and none is there twice.
    """

    of: Contents[T]

    @property
    def id(self) -> str:
        """Such as "linked-log(string/1)/1"."""
        return f"linked-log({self.of.id})/1"

    def encode(self, value: Linked[T], /) -> bytes:
        """The canonical bytes of `value`; TypeError if it is neither Item nor Heads, and what `of` raises."""
        what = f"value of {self.id}"
        if isinstance(value, Heads):
            return _MSGPACK.encode([_in_order(what, value.items)])
        if isinstance(value, Item):  # pyright: ignore[reportUnnecessaryIsInstance]
            stamp = check(what, value.timestamp)
            return _MSGPACK.encode([_in_order(what, value.prev), stamp, self.of.encode(value.value)])
        raise TypeError(f"contents of type {self.id} are Item or Heads, not {type(value).__name__}")

    def decode(self, data: bytes, /) -> Linked[T]:
        """The value whose canonical bytes are `data`; DecodeError for all other bytes."""
        row = parts(_MSGPACK.decode(data))
        shape: list[type[Any]] = [type(part) for part in row]
        if shape not in ([list], [list, int, bytes]):
            raise DecodeError(self.id, "it is neither [hashes] nor [hashes, time stamp, bytes]")
        found: list[Any] = row[0]
        if not all(type(item) is bytes for item in found):
            raise DecodeError(self.id, "a hash is bytes")
        hashes = tuple([Hash(item) for item in found])
        _in_order(self.id, hashes)
        if len(row) == 1:
            return Heads(hashes)
        return Item(self.of.decode(row[2]), check(self.id, row[1]), hashes)

    def merge(
        self, old: Old[Linked[T] | None], ours: Linked[T] | None, theirs: Linked[T] | None, /
    ) -> Linked[T] | Conflict | None:
        """The heads of both sides without those that a side has gone on from; items do not change."""

        def equal(left: Linked[T], right: Linked[T]) -> bool:
            return self.encode(left) == self.encode(right)

        def unite(old: Old[Linked[T]], ours: Linked[T], theirs: Linked[T], /) -> Linked[T] | Conflict:
            if isinstance(ours, Heads) and isinstance(theirs, Heads) and not isinstance(old, Item):
                base: Old[frozenset[Hash]] = old if isinstance(old, NoAncestor) else frozenset(old.items)
                return _heads(merges.set_(base, frozenset(ours.items), frozenset(theirs.items)))
            if equal(ours, theirs):
                return ours
            return Conflict("items of a log do not change", ours=ours, theirs=theirs)

        # Checkers do not solve for a variable that is a union.
        either: merges.Merge[Any] = merges.option(cast("merges.Merge[Any]", unite), equal=equal)
        return either(old, ours, theirs)


@dataclass(frozen=True)
class Cursor(Generic[T]):
    """A place in a log as it was when the cursor was made: what to read next, the newest first."""

    items: Tree[Linked[T], Any]
    frontier: tuple[tuple[Hash, Item[T]], ...]


class LinkedLog(Generic[T]):
    """The log at `path` of `store`, whose contents are `LinkedLogContents`.

    An entry is stamped with `clock`, and later than all before it even if the clock was set back. Free to
    share between threads: no entry is lost. Entries with one text, one time and one predecessor, appended on
    two branches, are one entry.
    """

    __slots__ = ("_clock", "_place")

    def __init__(self, store: Store[Linked[T], Any], path: PathLike, *, clock: Clock = machine_clock) -> None:
        self._place: Place[Linked[T]] = Place(store, path, LinkedLogContents)
        self._clock = clock

    def append(self, entry: T, **how: Unpack[Writing]) -> Commit[Linked[T], Any] | None:
        """Add `entry`, in one commit. Cost: the nodes on the way to one new item.

        TooManyRetries after 100 lost races, or `retries`.
        """
        schema = self._place.store.tree().schema

        def longer(seen: Tree[Linked[T], Any] | None) -> Tree[Linked[T], Any]:
            log = Tree.empty(schema) if seen is None else seen
            require(log, "node")
            prev = _heads_of(log)
            items = [_item(log, hash_) for hash_ in prev]
            newest = max([item.timestamp for item in items], default=None)
            item: Linked[T] = Item(entry, after(self._clock, newest), prev)
            hash_ = Tree.of_contents(item, schema).hash()
            return log.add((ITEMS, hash_.hex()), item).add(HEAD, Heads((hash_,)))

        return self._place.change(longer, how)

    def cursor(self) -> Cursor[T]:
        """A cursor at the newest entry; what is appended later, it does not see."""
        log = self._place.store.find_tree(self._place.path)
        if log is None:
            return Cursor(Tree.empty(self._place.store.tree().schema), ())
        return Cursor(log, _by_time({hash_: _item(log, hash_) for hash_ in _heads_of(log)}))

    def read(self, n: int, cursor: Cursor[T]) -> tuple[list[T], Cursor[T]]:
        """At most `n` entries from `cursor` on, and a cursor at what follows. Cost: one read per entry."""
        entries, cursor = self.read_stamped(n, cursor)
        return [entry.value for entry in entries], cursor

    def read_stamped(self, n: int, cursor: Cursor[T]) -> tuple[list[Stamped[T]], Cursor[T]]:
        """As `read`, with the times of the entries."""
        if type(n) is not int or n < 0:
            raise DecodeError("n", f"{n!r:.80}; use a number from 0 up")
        found: list[Stamped[T]] = []
        # An item is later than all it follows, so it cannot come up again once it has been read.
        frontier = cursor.frontier
        while frontier and len(found) < n:
            item, others = frontier[0][1], frontier[1:]
            found.append(Stamped(item.value, item.timestamp))
            waiting: dict[Hash, Item[T]] = dict(others)
            for hash_ in item.prev:
                if hash_ not in waiting:
                    waiting[hash_] = _item(cursor.items, hash_)
            frontier = _by_time(waiting) if item.prev else others
        return found, Cursor(cursor.items, frontier)

    def read_all(self) -> list[T]:
        """All entries, the newest first."""
        entries: list[T] = []
        cursor = self.cursor()
        while cursor.frontier:
            more, cursor = self.read(1000, cursor)
            entries += more
        return entries


def _in_order(what: str, hashes: Sequence[Hash]) -> list[bytes]:
    rows = [bytes(hash_) for hash_ in hashes]
    if rows != sorted(set(rows)):
        raise DecodeError(what, "its hashes are not in order, or one is there twice")
    return rows


def _heads(hashes: frozenset[Hash]) -> Heads:
    return Heads(tuple(sorted(hashes, key=bytes)))


def _heads_of(log: Tree[Linked[T], Any]) -> tuple[Hash, ...]:
    heads = log.find(HEAD)
    return heads.items if isinstance(heads, Heads) else ()


def _item(log: Tree[Linked[T], Any], hash_: Hash) -> Item[T]:
    item = log.find((ITEMS, hash_.hex()))
    if not isinstance(item, Item):
        raise Corrupted("the linked log", None, hash_, "an item that the log leads to is not there")
    return item


def _by_time(waiting: dict[Hash, Item[T]]) -> tuple[tuple[Hash, Item[T]], ...]:
    def newest_first(pair: tuple[Hash, Item[T]]) -> tuple[int, bytes]:
        return pair[1].timestamp, bytes(pair[0])

    return tuple(sorted(waiting.items(), key=newest_first, reverse=True))
