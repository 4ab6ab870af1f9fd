"""Slices from a store to a file and back in bounded memory; `irminpy.slice` has them as values.

What is in memory at once: the hashes of what goes out, or one batch of what comes in, and one object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from .backend import Reader
from .commit import Commit, hashes_of
from .errors import DanglingHash
from .formats.format import Codec
from .graph import batches, children_first, commits
from .hash import Hash
from .history import check_count
from .objects import Commit as CommitVal
from .objects import Kind, Objects
from .remote import Local
from .repo import Repo
from .slice import roots, trees
from .slice_stream import BOUND, BRANCH, HEAD, Intake, Limits, Outlet, Writable

__all__ = ["Taken", "Written", "read_slice", "write_slice"]

_BATCH = 4 << 20  # bytes of objects that are written at once
_MANY = 1000  # of them at most
_FEW = 16  # objects that are read at once: each may be long


class Written(NamedTuple):
    """What went out."""

    objects: int
    bytes: int
    heads: tuple[Hash, ...]


class Taken(NamedTuple):
    """What came in: how many objects were written, and what the slice was made for."""

    objects: int
    heads: tuple[Hash, ...]
    branches: dict[str, Hash]


def write_slice(
    repo: Repo[Any, Any],
    file: Writable,
    *,
    depth: int | None = None,
    min: Iterable[Hash | Commit[Any, Any]] = (),
    max: Iterable[Hash | Commit[Any, Any]] | None = None,
    branches: Iterable[str] = (),
) -> Written:
    """Write to `file` what `Repo.export` gives, with the heads of `branches` under their names.

    Raises DanglingHash for an object that is needed and not here, NotFound for a branch without a head; then `file`
    holds no whole slice, which is refused by whoever reads it. Cost: one read per object, one more per node.
    """
    check_count("depth", depth)
    named = {name: repo.branch(name).head().hash for name in branches}
    given = [repo.branch(name).head().hash for name in repo.branches()] if max is None else hashes_of(max)
    heads = tuple(dict.fromkeys([*given, *named.values()]))
    floor, reader = hashes_of(min), repo._opened.trail()
    bounds = roots(reader, repo.schema.codec, floor)
    out = Outlet(file, repo.schema, [tag for tag, notes in ((BRANCH, named), (BOUND, bounds)) if notes])
    past = commits(reader, repo.schema.codec, heads, floor, depth)
    for kind, data in _outgoing(repo.schema.codec, reader, past, bounds.values()):
        out.object(kind, data)
    for head in heads:
        out.note(HEAD, head)
    for name, head in sorted(named.items()):
        out.note(BRANCH, head + name.encode())
    for commit in sorted(bounds):
        out.note(BOUND, commit)
    out.end()
    return Written(out.objects, out.bytes, heads)


def _outgoing(
    codec: Codec, reader: Reader, past: Mapping[Hash, CommitVal], known: Iterable[Hash]
) -> Iterator[tuple[Kind, bytes]]:
    """The objects in the order of the format: contents, nodes, commits, each behind what it leads to; without what
    the trees `known` hold.
    """
    below, held = trees(reader, codec, known, set())
    edges, values = trees(reader, codec, (commit.node for commit in past.values()), set(below))
    for kind, hashes in (
        (Kind.CONTENTS, (hash_ for hash_ in values if hash_ not in held)),
        (Kind.NODE, map(Hash, children_first(edges))),
    ):
        for batch in batches(hashes):
            yield from ((kind, data) for data in _read(reader, kind, batch))
    for commit in past.values():
        yield Kind.COMMIT, codec.encode_commit(commit)


def _read(reader: Reader, kind: Kind, hashes: list[Hash]) -> Iterator[bytes]:
    """The objects `hashes`, in order."""
    for at in range(0, len(hashes), _FEW):
        some = hashes[at : at + _FEW]
        for hash_, data in zip(some, reader.read_many(kind, some), strict=True):
            if data is None:
                raise DanglingHash("the export", hash_)
            yield data


def read_slice(
    repo: Repo[Any, Any], file: BinaryIO, *, limits: Limits | None = None, shallow: bool = False
) -> Taken:
    """Write what `repo` lacks of the slice in `file`, which can be sought in, from where it stands. No branch moves.

    It is read twice: first to its end, so that a slice that is cut off, damaged or beyond `limits` changes nothing;
    DecodeError, SchemaMismatch or UnsupportedVersion tell it. Then objects are checked and written batch by batch. One
    that leads to what is neither before it nor here raises DanglingHash, unless `shallow` and it is a parent of a
    commit; objects that came before it stay, and nothing leads to them. Cost: a look-up per object and reference;
    where these find commits only, a read per node below the bounds of the slice.
    """
    bounds = Limits() if limits is None else limits
    start = file.tell()
    heads, branches, floor = _notes(Intake(file, repo.schema, bounds))
    file.seek(start)
    local = Local(repo._opened, "the store")
    intake = Intake(file, repo.schema, bounds)
    batch, size, written = Objects(), 0, 0
    digest = repo.schema.codec.digest
    while (frame := intake.next()) is not None:
        if frame[0] > Kind.COMMIT:
            continue
        data = intake.take()
        batch.of_kind(Kind(frame[0]))[digest(data)] = data
        size += len(data)
        if size >= _BATCH or len(batch) >= _MANY:
            written += _receive(local, batch, floor, shallow=shallow)
            batch, size = Objects(), 0
    written += _receive(local, batch, floor, shallow=shallow)
    named = list(dict.fromkeys([*heads, *branches.values()]))
    for head, lacking in zip(named, local.lacks(Kind.COMMIT, named), strict=True):
        if lacking:
            raise DanglingHash("the heads of the slice", head)
    return Taken(written, heads, branches)


def _notes(intake: Intake) -> tuple[tuple[Hash, ...], dict[str, Hash], list[Hash]]:
    """The heads, the branches and the bounds of a slice, all of which is read."""
    heads: dict[Hash, None] = {}
    branches: dict[str, Hash] = {}
    bounds: list[Hash] = []
    while (frame := intake.next()) is not None:
        if frame[0] == HEAD:
            heads[intake.hash()] = None
        elif frame[0] == BRANCH:
            hash_, name = intake.hash(), intake.name()
            branches[name] = hash_
        elif frame[0] == BOUND:
            bounds.append(intake.hash())
    return tuple(heads), branches, bounds


def _receive(local: Local, batch: Objects, bounds: list[Hash], *, shallow: bool) -> int:
    """Write what lacks here of `batch`, of a slice with these `bounds`; how many objects that is."""
    lacking = Objects()
    for kind in (Kind.CONTENTS, Kind.NODE, Kind.COMMIT):
        group = batch.of_kind(kind)
        hashes = [Hash(hash_) for hash_ in group]
        for hash_, missing in zip(hashes, local.lacks(kind, hashes), strict=True):
            if missing:
                lacking.of_kind(kind)[hash_] = group[hash_]
    if len(lacking):
        try:
            local.receive(lacking, shallow=shallow)
        except DanglingHash:
            if not bounds or not local.meet(bounds):
                raise
            local.receive(lacking, shallow=shallow)
    return len(lacking)
