"""Remotes: the other side of a sync, as few and large calls.

`Remote` is what fetch, pull and push ask for; a client of a server can be one as well as an open repository, which
`Local` makes one. Every answer is bounded, so that either side holds a bounded amount in memory, and no call
depends on an earlier one.

INVARIANT of every repository: a node that is there has all below it there, and a commit has its tree. (Whoever
binds `Tree.shallow` to what is nowhere breaks that, and `Repo.check` tells it.) What arrives keeps it: objects
come children first, in batches that are checked against what is there before they are written. So a transfer may
end anywhere: whoever starts it again may take any subtree for complete whose root is there. Parents of commits are
another matter: a history may have been cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

from . import branch as branches
from .backend import Reader, RefUpdate
from .carrier import Carrier
from .commit import Opened
from .errors import DanglingHash
from .formats.format import Codec
from .graph import BATCH, batches, decode_commit
from .hash import Hash
from .key import KindedHash, KindedKey
from .objects import Kind, Objects
from .registry import carrier_of_url, maker_of_uri
from .repo import Repo
from .schema import Schema
from .slice import Slice, fresh, meet
from .store import Store
from .trail import Trail, Walkable
from .tree import Tree
from .tree.lazy import RepoSource

__all__ = ["AnyRemote", "Brought", "Carrier", "Local", "Receiver", "Remote", "Sender", "opened"]


class Sender(Protocol):
    """Where objects come from. What it answers is checked by whoever asked."""

    @property
    def name(self) -> str:
        """What messages call it: "the remote http://host/", "the repository"."""
        ...

    def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
        """The bytes of the commits `starts`, in order, None for one that is not there; then of those behind
        them, the nearest first, until there are `n`.

        The answer may end early, with the commit that brings it to `size` bytes or more; it is never empty.
        `n` is at least the number of `starts`, which is at least 1.
        """
        ...

    def objects(self, kind: Kind, hashes: Sequence[Hash], size: int, /) -> list[bytes | None]:
        """The bytes of the objects `hashes`, in order, None for one that is not there; ends early as
        `history`.
        """
        ...


class Receiver(Protocol):
    """Where objects go to. It trusts nobody: it checks what it receives."""

    @property
    def name(self) -> str:
        """As `Sender.name`."""
        ...

    def lacks(self, kind: Kind, hashes: Sequence[Hash], /) -> list[bool]:
        """For each hash whether the object is missing; True also where that is not known."""
        ...

    def receive(
        self, objects: Objects, updates: Sequence[RefUpdate] = (), /, *, shallow: bool = False
    ) -> bool:
        """Check `objects`, children first, and write those that are missing; move refs. Whether it happened.

        All or nothing, as `Backend.write`: False if a condition of an update does not hold. Raises DecodeError,
        Corrupted or DanglingHash for objects that are not what they should be, or that lead to what is neither
        among them nor here; then nothing is written. `shallow`: parents of commits may be absent.
        """
        ...


@runtime_checkable
class Remote(Sender, Receiver, Protocol):
    """The other side of a sync. May be used from any thread."""

    def require(self, schema: Schema[Any, Any], /) -> None:
        """Raise SchemaMismatch unless its schema is `schema`."""
        ...

    def refs(self) -> dict[str, Hash]:
        """Its branches, from one moment, ordered by name."""
        ...


class Brought:
    """What a reader gives, as a sender: what came from a `Carrier`, or what an open repository has."""

    __slots__ = ("_codec", "_reader", "name")

    def __init__(self, name: str, reader: Callable[[], Reader], codec: Codec) -> None:
        self.name = name
        self._reader = reader
        self._codec = codec

    def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
        """As `Sender.history`."""
        answer: list[bytes | None] = []
        taken = 0
        seen = set(starts)
        layer = list(starts)
        first = True
        while layer:
            following: dict[Hash, None] = {}
            layer = layer if first else layer[: n - len(answer)]
            for hash_, data in zip(layer, self._read(Kind.COMMIT, layer), strict=True):
                if data is not None:
                    following.update(dict.fromkeys(decode_commit(self._codec, hash_, data).parents))
                    taken += len(data)
                elif not first:
                    continue  # a history that was cut off here
                answer.append(data)
                if taken >= size:
                    return answer
            first = False
            layer = [hash_ for hash_ in following if hash_ not in seen]
            seen.update(layer)
        return answer

    def objects(self, kind: Kind, hashes: Sequence[Hash], size: int, /) -> list[bytes | None]:
        """As `Sender.objects`."""
        answer: list[bytes | None] = []
        taken = 0
        for data in self._read(kind, hashes):
            answer.append(data)
            taken += 0 if data is None else len(data)
            if taken >= size:
                break
        return answer

    def _read(self, kind: Kind, hashes: Sequence[Hash]) -> Iterator[bytes | None]:
        """The objects in order. Few are read at first and then more: whoever has enough bytes ends it."""
        at, many = 0, 1
        while at < len(hashes):
            yield from self._reader().read_many(kind, hashes[at : at + many])
            at += many
            many = min(2 * many, BATCH)


@final
class Local:
    """An open repository, as a side of a sync."""

    __slots__ = ("_opened", "_source", "_walk", "name")

    def __init__(self, opened: Opened[Any, Any], name: str = "the repository") -> None:
        self._opened = opened
        self._source: RepoSource | None = None
        self._walk: Walkable | None = None
        self.name = name

    def _trail(self) -> Walkable:
        """The backend; where objects need not be found by their hash, with what this transfer has met so far."""
        opened = self._opened
        opened.check()
        source = opened.source
        if self._walk is None or self._source is not source:
            self._source, self._walk = source, opened.trail()
        return self._walk

    def require(self, schema: Schema[Any, Any], /) -> None:
        """As `Remote.require`."""
        schema.require(self._opened.home.schema)

    def refs(self) -> dict[str, Hash]:
        """As `Remote.refs`."""
        self._opened.check()
        return self._opened.backend.refs()

    def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
        """As `Sender.history`."""
        self._opened.check()
        return Brought(self.name, self._trail, self._opened.home.codec).history(starts, n, size)

    def objects(self, kind: Kind, hashes: Sequence[Hash], size: int, /) -> list[bytes | None]:
        """As `Sender.objects`."""
        self._opened.check()
        return Brought(self.name, self._trail, self._opened.home.codec).objects(kind, hashes, size)

    def lacks(self, kind: Kind, hashes: Sequence[Hash], /) -> list[bool]:
        """As `Receiver.lacks`. Cost: one look-up by hash each, many at once."""
        found = self._trail().find_keys
        return [key is None for batch in batches(hashes) for key in found(kind, batch)]

    def receive(
        self, objects: Objects, updates: Sequence[RefUpdate] = (), /, *, shallow: bool = False
    ) -> bool:
        """As `Receiver.receive`; a ref moves only to a commit that is here then."""
        opened = self._opened
        opened.check()
        home = opened.home
        for update in updates:
            branches.check(update.name)
            if (
                update.set is not None
                and update.set not in objects.commits
                and opened.find(update.set) is None
            ):
                raise DanglingHash(f"the branch {update.name}", update.set)
        walk = self._trail()
        new = fresh(
            walk,
            Slice(home.schema, objects),
            home.schema.contents.decode,
            home.decode_metadata,
            shallow=shallow,
            what="transfer",
        )
        if not len(new) and not updates:
            return True
        new.shallow = shallow
        if isinstance(walk, Trail):
            walk.lead(new)
        done = opened.write(lambda source: new, updates)
        if done is not None and isinstance(walk, Trail):
            walk.follow(new)
        return done is not None

    def meet(self, bounds: Sequence[Hash]) -> bool:
        """Look for where the trees of the commits `bounds` lie; whether more can be found than by hash then.

        DanglingHash for one that is not here. Cost: one read per node, where more can be found.
        """
        walk = self._trail()
        if isinstance(walk, Trail):
            meet(walk, self._opened.home.codec, bounds)
        return isinstance(walk, Trail)

    def tree(self, hash: KindedHash) -> Tree[Any, Any]:
        """The tree `hash`, which has been received; DanglingHash if its root is not here. Cost: one read."""
        kind = Kind.NODE if hash.kind == "node" else Kind.CONTENTS
        (key,) = self._trail().find_keys(kind, [hash.hash])
        found = None if key is None else Tree.of_key(self._opened, KindedKey(hash.kind, key, hash.metadata))
        if found is None:
            raise DanglingHash("what was fetched", hash.hash)
        return found


AnyRemote: TypeAlias = "Repo[Any, Any] | Store[Any, Any] | Remote | Carrier | str"
"""A repository, a store (for its branch or its head), a remote, or the URI of a repository or the URL of one of Git."""


@contextmanager
def opened(remote: AnyRemote, schema: Schema[Any, Any], *, readonly: bool) -> Generator[Remote | Carrier]:
    """`remote` as one of `schema`; what a URI names is opened, and closed at the end.

    SchemaMismatch if it has another; NotAStore if a URI names what is not there.
    """
    if isinstance(remote, str):
        carrier = carrier_of_url(remote)
        if carrier is not None:
            carrier.require(schema)
            yield carrier
            return
        with Repo.open(maker_of_uri(remote), schema, readonly=readonly, create=False) as repo:
            yield Local(repo._opened, f"the remote {remote}")
        return
    found = Local(remote._opened, "the remote repository") if isinstance(remote, Repo | Store) else remote
    if not isinstance(found, Remote | Carrier):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a remote is a Repo, a Store, a Remote or a URI, not {type(remote).__name__}")
    found.require(schema)
    yield found
