"""Which schema a store of irmin-pack has: none is recorded, so the usual ones are tried on what is there.

A schema is right if the commits that the branches lead to, and what they lead to, have the hashes that the store says.
The hash function and the format show in any commit, the configuration of inodes in directories of more bindings than an
inode holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from irminpy.errors import Corrupted, IrminError, StorageError
from irminpy.formats import Codec, Format, Inodes, Irmin, Irmin2, Tezos
from irminpy.hash import BLAKE2B, BLAKE2S, SHA1, SHA224, SHA256, SHA384, SHA512, HashFunction
from irminpy.hash import by_name as hash_by_name
from irminpy.objects import DIRECTORY, Inode, Kind, Node
from irminpy.schema import Schema

from .pack import IrminPackBackend

__all__ = ["FORMATS", "Wanted", "found_schema"]

_LOOKED_AT: Final = 256
"""Nodes that are read to find a large directory."""

_HASHES: Final[tuple[HashFunction, ...]] = (
    *(BLAKE2B(64), BLAKE2B(32), SHA1(), SHA256(), BLAKE2S(32)),
    *(SHA512(), SHA384(), SHA224()),
)
FORMATS: Final[dict[str, Callable[[Inodes], Format]]] = {"irmin": Irmin, "irmin2": Irmin2, "tezos": Tezos}
_USUAL: Final = Inodes(32, 256, "seeded")
"""`Irmin_tezos.Conf`, which Irmin's own examples and tests have."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is known of a schema; None is to be found."""

    format: str | None = None
    hash: str | None = None
    entries: int | None = None
    stable: int | None = None
    order: str | None = None

    def schemas(self) -> Iterator[Schema[bytes, None]]:
        """The schemas to try, the usual ones first."""
        orders = (self.order,) if self.order is not None else ("seeded", "hash-bits")
        for order in orders:
            inodes = Inodes(
                self.entries if self.entries is not None else _USUAL.entries,
                self.stable if self.stable is not None else _USUAL.stable,
                cast("Any", order),
            )
            for name in (self.format,) if self.format else FORMATS:
                hashes = (hash_by_name(self.hash),) if self.hash else _HASHES
                for hash_ in hashes:
                    if name != "tezos" or hash_.size == 32:
                        yield Schema(hash=hash_, format=FORMATS[name](inodes))


def found_schema(
    root: str, wanted: Wanted, open_: Callable[[Schema[Any, Any]], IrminPackBackend]
) -> Schema[bytes, None]:
    """The schema of the store in `root`, with contents that are strings; StorageError that says what to give.

    Where the store is damaged, the first schema that gives its commits their hashes. Cost: a few reads for each schema
    that is tried, and some hundreds for the right one.
    """
    reason: IrminError | None = None
    best: Schema[bytes, None] | None = None
    known = False
    for schema in wanted.schemas():
        try:
            backend = open_(schema)
            try:
                heads = list(backend.refs().values()) or backend.find_commits("")
                known = known or bool(heads)
                some = list(filter(None, (backend.load(Kind.COMMIT, head, 0) for head in heads[:4])))
                if not some:
                    continue
                best = best or schema
                for data, words in some:
                    _look(backend, schema.codec, data, words)
            finally:
                backend.close()
        except Corrupted as e:
            # Files are divided by the size of a hash: another size looks like damage, too.
            reason = reason or e
            continue
        return schema
    if best is not None:
        return best
    if reason is not None and not known:
        raise reason
    why = "none of the usual schemas gives its commits their hashes" if known else "no commit was found in it"
    raise StorageError(
        f"{root}: which schema it has is not written in it, and {why}. Say it, as in "
        "Repo.open(IrminPack(path), Schema(hash=…, format=Irmin(Inodes(entries, stable, order)))), or in the URI with "
        "format= (irmin, irmin2, tezos), hash= (blake2b-512, sha1, …), entries=, stable=, order= (seeded, hash-bits)"
        + (f". What was met first: {reason}" if reason is not None else "")
    )


def _look(backend: IrminPackBackend, codec: Codec, commit: bytes, words: bytes) -> None:
    """Read nodes of the tree of `commit`, its large directories first; Corrupted if one is not of this schema."""
    waiting = deque([(bytes(codec.decode_commit(commit).node), int.from_bytes(words[:8], "little"))])
    for _ in range(_LOOKED_AT):
        if not waiting:
            return
        hash_, word = waiting.popleft()
        found = backend.load(Kind.NODE, hash_, word)
        if found is None:
            continue
        record = codec.load_node(*found)
        if type(record) is Inode or record.count > codec.leaf:
            return  # its order was looked at
        assert type(record) is Node
        size = codec.hash_size
        waiting.extend(
            (record.hashes[i * size : (i + 1) * size], record.word(i))
            for i, kind in enumerate(record.kinds)
            if kind == DIRECTORY
        )
