"""A repository of Git elsewhere, by its URL, as a remote of any store of the format git.

What comes is one pack. It is checked as packs are, and read as long as objects are taken from it; nothing else of it is
kept. What goes is a pack too, with deltas, also of objects that the remote has.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from typing import IO, Any, Final

from irminpy.backend import ANY, Reader, RefUpdate
from irminpy.branch import check, is_valid
from irminpy.carrier import Found
from irminpy.errors import SchemaMismatch
from irminpy.formats import Git as GitFormat
from irminpy.formats.format import Codec
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema

from .address import Address
from .bundle import TYPES, packed
from .channel import Transport
from .idx import Idx, View
from .kinds import Type
from .packing import idx_bytes
from .rejected import PushRejected, why_of
from .unpacking import LARGEST, PackFile, complete, index_pack
from .wire import Advertised, Command, Wire

__all__ = ["GitRemote"]

_HEADS: Final = b"refs/heads/"
_IN_MEMORY: Final = 32 << 20
_TOTAL: Final = 8 << 30
_MOST_HAVES: Final = 256
_BATCH: Final = 1024


class GitRemote:
    """The repository at `url` (docs/git.md, "Remotes"). Nothing is asked before it is used. Threads may share it.

    `largest` is the most bytes of an object, `total` of all that come with one fetch. DecodeError for a URL that is
    none, or may not be used.
    """

    def __init__(
        self, url: str, transport: Transport | None = None, *, largest: int = LARGEST, total: int = _TOTAL
    ) -> None:
        self.wire = Wire(Address.parse(url), transport or Transport())
        self.name = f"the remote {self.wire.name}"
        self._largest = largest
        self._total = total
        self._schema: Schema[Any, Any] | None = None

    def __repr__(self) -> str:
        return f"GitRemote({self.wire.name!r})"

    def require(self, schema: Schema[Any, Any], /) -> None:
        """SchemaMismatch unless the format of `schema` is Git's."""
        if schema.format != GitFormat():
            raise SchemaMismatch(
                f"format git, which is all that {self.name} can hold or give", schema.describe()
            )
        self._schema = schema

    def _check(self, found: Advertised) -> None:
        schema = self._schema
        # A repository without objects may not say what its hashes are.
        if schema is not None and found.refs and schema.hash.name != found.algorithm:
            raise SchemaMismatch(schema.describe(), f"{found.algorithm} in {self.name}")

    def refs(self) -> dict[str, Hash]:
        """As `Carrier.refs`. Names that no branch of a store may have are left out."""
        found = self.wire.refs((_HEADS,))
        self._check(found)
        return _branches(found)

    # -- fetch -----------------------------------------------------------------------------------------------

    @contextmanager
    def bring(
        self,
        heads: Sequence[Hash],
        here: Found,
        codec: Codec,
        known: Sequence[Hash],
        *,
        depth: int | None = None,
        deepen: bool = False,
        total: int | None = None,
    ) -> Generator[Reader]:
        """As `Carrier.bring`. Cost here: one read for each commit that `known` leads to."""
        haves, ends = _past(here, codec, known)

        def choose(found: Advertised) -> list[bytes]:
            self._check(found)
            return list(heads)

        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            if heads:
                self.wire.fetch(
                    choose,
                    file.write,
                    haves=haves,
                    shallow=ends,
                    depth=None if depth is None else depth + 1,
                    ever=deepen,
                )
            view = _view(file)
            try:
                yield _Received(
                    self.wire.name,
                    view,
                    here,
                    len(heads[0]) if heads else 20,
                    self._largest,
                    total or self._total,
                )
            finally:
                if isinstance(view, mmap):
                    view.close()

    # -- push ------------------------------------------------------------------------------------------------

    def take(self, objects: Objects, updates: Sequence[RefUpdate], /) -> None:
        """As `Carrier.take`; raises PushRejected."""

        def decide(found: Advertised) -> tuple[list[Command], Sequence[bytes]]:
            self._check(found)
            commands: list[Command] = []
            for update in updates:
                ref = _HEADS + check(update.name).encode("utf-8", "surrogateescape")
                old = found.refs.get(ref)
                if old == update.set:
                    continue  # done already: the answer to an earlier push may have been lost
                if update.test is not ANY and update.test != old:
                    raise _stale(update, old)
                commands.append(Command(ref, old, update.set))
            return commands, packed(objects, found.algorithm) if any(c.new for c in commands) else ()

        for ref, reason in self.wire.push(decide).items():
            if reason is not None:
                name = ref[len(_HEADS) :].decode("utf-8", "surrogateescape")
                raise PushRejected(name, f"{self.name} did not move it: {reason}", why_of(reason))


def _branches(found: Advertised) -> dict[str, Hash]:
    heads = {
        name[len(_HEADS) :].decode("utf-8", "surrogateescape"): Hash(id)
        for name, id in found.refs.items()
        if name.startswith(_HEADS)
    }
    return {name: heads[name] for name in sorted(heads) if is_valid(name)}


def _stale(update: RefUpdate, old: bytes | None) -> PushRejected:
    now = "not there any more" if old is None else f"at {old.hex()[:10]} now"
    return PushRejected(update.name, f"somebody else moved it: it is {now}; pull, then push again", "stale")


def _past(here: Found, codec: Codec, known: Sequence[Hash]) -> tuple[list[bytes], list[bytes]]:
    """Commits to say that they are here, the nearest first and then ever fewer; and those whose parents are not
    all here.
    """
    haves: list[bytes] = []
    ends: list[bytes] = []
    layer = list(dict.fromkeys(known))
    seen = set(layer)
    away, next_said = 0, 0
    below: dict[Hash, list[Hash]] = {}
    while layer:
        following: dict[Hash, None] = {}
        present: list[Hash] = []
        for at in range(0, len(layer), _BATCH):
            some = layer[at : at + _BATCH]
            for hash_, data in zip(some, here.read_many(Kind.COMMIT, some), strict=True):
                if data is None:
                    ends += below.get(hash_, ())
                    continue
                present.append(hash_)
                for parent in codec.decode_commit(data).parents:
                    if parent not in seen:
                        following[parent] = None
                        below.setdefault(parent, []).append(hash_)
        if away == next_said and len(haves) < _MOST_HAVES:
            haves += present[: _MOST_HAVES - len(haves)]
            next_said = away + max(1, away // 8)
        away += 1
        layer = list(following)
        seen.update(layer)
    return haves, list(dict.fromkeys(ends))


def _view(file: IO[bytes] | tempfile.SpooledTemporaryFile[bytes]) -> View:
    """What was written to `file`."""
    size = file.tell()
    if not size:
        return b""
    if size > _IN_MEMORY:
        file.flush()
        return mmap(file.fileno(), size, access=ACCESS_READ)
    file.seek(0)
    return file.read()


class _Received:
    """The objects of a pack that came; what it does not hold is here already."""

    def __init__(self, name: str, view: View, here: Found, size: int, largest: int, total: int) -> None:
        self._here = here
        self._pack: PackFile | None = None
        if not view:
            return
        what = f"the pack from {name}"
        algorithm = "sha1" if size == 20 else "sha256"
        indexed = index_pack(what, view, self._base, algorithm=algorithm, largest=largest, budget=total)
        if indexed.missing:
            view = complete(view[:], indexed, self._base, algorithm=algorithm, level=1)
            indexed = index_pack(what, view, algorithm=algorithm, largest=largest)
        idx = Idx(what, idx_bytes(indexed.rows, indexed.trailer, algorithm=algorithm), size)
        self._pack = PackFile(what, view, idx, largest)

    def _base(self, id: bytes) -> tuple[Type, bytes] | None:
        """An object that is here, as the base of a delta."""
        for kind, type_ in TYPES.items():
            (key,) = self._here.find_keys(kind, [Hash(id)])
            data = None if key is None else self._here.read(kind, key)
            if data is not None:
                return type_, data[data.index(b"\0") + 1 :]
        return None

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object, with its header; None if it neither came nor is here."""
        found = None if self._pack is None else self._pack.read(hash_of_key(key))
        if found is None:
            return self._here.read(kind, key)
        if found[0] is not TYPES[kind]:
            return None
        return b"%b %d\0%b" % (found[0].word, len(found[1]), found[1])

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read`, one by one."""
        return [self.read(kind, key) for key in keys]
