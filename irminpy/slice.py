"""Slices: a part of a history with its objects, as a value, as bytes and as JSON (docs/formats/slice.md).

A slice holds canonical bytes of objects and the heads it was made for. No hash is taken from outside: all are
computed from the bytes. An import checks everything before anything is written, so that damaged or hostile
bytes change nothing. A slice is in memory as a whole, written and read as a stream; `Limits` bounds it. What is too
long for that goes from a store to a file and back (`irminpy.slice_files`).
"""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .backend import Reader
from .check import Checker, Found, Past, Problem
from .errors import Corrupted, DanglingHash, DecodeError, SchemaMismatch
from .graph import Commit, Contents, Node, batches, children_first, commits, successors
from .hash import Hash
from .objects import BUCKET, Inode, Kind, Objects
from .schema import Schema
from .slice_stream import BOUND, BRANCH, HEAD, SHALLOW, Intake, Limits, Outlet, Readable, Writable
from .trail import Walkable

if TYPE_CHECKING:
    from .formats.format import Codec

__all__ = ["Limits", "Slice", "export", "fresh", "meet", "roots", "trees"]

_RANK = (Kind.CONTENTS, Kind.NODE, Kind.COMMIT)
_DEFAULT = Limits()


class Slice:
    """Objects of one schema, children first, and the heads they were exported for. Equal by what it holds.

    `Slice.empty(schema)` and `add` build one; `repo.export()` gives one and `repo.import_` takes one.
    """

    __slots__ = ("bounds", "branches", "heads", "objects", "schema", "shallow")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, schema: Schema[Any, Any], objects: Objects, heads: Iterable[Hash] = ()) -> None:
        self.schema = schema
        self.objects = objects
        self.heads = tuple(heads)
        self.branches: dict[str, Hash] = {}
        """Name to head, of a snapshot of branches; an import moves none."""
        self.shallow: frozenset[Hash] = frozenset()
        """Commits that others name as parents and that were left out on purpose, of a snapshot."""
        self.bounds: frozenset[Hash] = frozenset()
        """Commits whose trees whoever imports it must have: what they hold was left out."""

    @staticmethod
    def empty(schema: Schema[Any, Any]) -> Slice:
        """A slice without objects."""
        return Slice(schema, Objects())

    def add(self, kind: Kind, data: bytes) -> Hash:
        """Add the object of `kind` with the canonical bytes `data`; its hash. Children come before parents."""
        hash_ = Hash(self.schema.codec.digest(data))
        self.objects.of_kind(kind)[hash_] = data
        return hash_

    def iter(self) -> Iterator[tuple[Kind, Hash, bytes]]:
        """Kind, hash and bytes of every object, children first."""
        for kind in _RANK:
            for hash_, data in self.objects.of_kind(kind).items():
                yield kind, Hash(hash_), data

    def __iter__(self) -> Iterator[tuple[Kind, Hash, bytes]]:
        return self.iter()

    def __len__(self) -> int:
        return len(self.objects)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Slice):
            return NotImplemented
        mine, its = (
            (one.schema, one.heads, one.objects, one.branches, one.shallow, one.bounds)
            for one in (self, other)
        )
        return mine == its

    def __repr__(self) -> str:
        objects = self.objects
        counts = (
            f"{len(objects.commits)} commits, {len(objects.nodes)} nodes, {len(objects.contents)} contents"
        )
        return f"<Slice {counts}>"

    # -- bytes -----------------------------------------------------------------------------------------------

    def write(self, file: Writable) -> None:
        """Write the bytes of this slice to the binary `file`, object by object."""
        more = ((BRANCH, self.branches), (SHALLOW, self.shallow), (BOUND, self.bounds))
        out = Outlet(file, self.schema, [tag for tag, notes in more if notes])
        for kind, _, data in self.iter():
            out.object(kind, data)
        for head in self.heads:
            out.note(HEAD, head)
        for name, head in sorted(self.branches.items()):
            out.note(BRANCH, head + name.encode())
        for tag, commits_ in ((SHALLOW, self.shallow), (BOUND, self.bounds)):
            for commit in sorted(commits_):
                out.note(tag, commit)
        out.end()

    def to_bytes(self) -> bytes:
        """The bytes that `write` writes."""
        file = io.BytesIO()
        self.write(file)
        return file.getvalue()

    @staticmethod
    def read(file: Readable, schema: Schema[Any, Any], limits: Limits = _DEFAULT) -> Slice:
        """The slice at the start of the binary `file`, which is read up to the end of the slice.

        Raises DecodeError for bytes that are no slice, or one beyond `limits`; SchemaMismatch;
        UnsupportedVersion. What the objects say is checked by the import.
        """
        intake = Intake(file, schema, limits)
        slice_ = Slice.empty(schema)
        notes: dict[int, list[Hash]] = {HEAD: [], SHALLOW: [], BOUND: []}
        while (frame := intake.next()) is not None:
            tag, _ = frame
            if tag <= Kind.COMMIT:
                before = len(slice_)
                slice_.add(Kind(tag), intake.take())
                if len(slice_) == before:
                    raise intake.fail("an object that was there before")
            elif tag == BRANCH:
                hash_, name = intake.hash(), intake.name()
                if name in slice_.branches:
                    raise intake.fail(f"the branch {name!r:.80} twice")
                slice_.branches[name] = hash_
            else:
                notes[tag].append(intake.hash())
        heads = notes[HEAD]
        if len(set(heads)) != len(heads):
            raise intake.fail("a head twice")
        slice_.heads = tuple(heads)
        slice_.shallow, slice_.bounds = frozenset(notes[SHALLOW]), frozenset(notes[BOUND])
        return slice_

    @staticmethod
    def from_bytes(data: bytes, schema: Schema[Any, Any], limits: Limits = _DEFAULT) -> Slice:
        """The slice that `to_bytes` made `data` of; raises as `read`, and for bytes after the end."""
        file = io.BytesIO(data)
        slice_ = Slice.read(file, schema, limits)
        if file.tell() != len(data):
            raise DecodeError("slice", "trailing bytes", file.tell())
        return slice_

    # -- JSON ------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Schema identity and heads as hexadecimal digits, and the objects of each kind in base64."""
        objects = {
            name: [b64encode(data).decode() for data in group.values()]
            for name, group in _groups(self.objects).items()
        }
        more: dict[str, Any] = {}
        if self.branches or self.shallow:
            more["branches"] = {name: head.hex() for name, head in sorted(self.branches.items())}
            more["shallow"] = [commit.hex() for commit in sorted(self.shallow)]
        if self.bounds:
            more["bounds"] = [commit.hex() for commit in sorted(self.bounds)]
        heads = [head.hex() for head in self.heads]
        return {"schema": self.schema.identity.hex(), "heads": heads, **objects, **more}

    @staticmethod
    def from_json(obj: object, schema: Schema[Any, Any]) -> Slice:
        """The slice that `to_json` turned into `obj`; DecodeError, SchemaMismatch or InvalidHash otherwise."""
        fields = dict(cast("dict[str, Any]", obj)) if isinstance(obj, dict) else {}
        branches = fields.pop("branches", {})
        shallow, bounds = fields.pop("shallow", []), fields.pop("bounds", [])
        if fields.keys() != {"schema", "heads", "contents", "nodes", "commits"}:
            raise DecodeError("slice", "an object of schema, heads, contents, nodes and commits is expected")
        if fields.pop("schema") != schema.identity.hex():
            raise SchemaMismatch(schema.describe(), "the schema of a slice, which is another")
        if not all(isinstance(column, list) for column in [*fields.values(), shallow, bounds]):
            raise DecodeError("slice", "a list is expected")
        if not isinstance(branches, dict):
            raise DecodeError("slice", "an object of branches is expected")
        size = schema.codec.hash_size
        heads = [Hash.from_json(head, size) for head in fields["heads"]]
        slice_ = Slice(schema, Objects(), heads)
        named = cast("dict[str, object]", branches)
        slice_.branches = {name: Hash.from_json(head, size) for name, head in named.items()}
        slice_.shallow = frozenset(Hash.from_json(commit, size) for commit in shallow)
        slice_.bounds = frozenset(Hash.from_json(commit, size) for commit in bounds)
        for name, kind in (("contents", Kind.CONTENTS), ("nodes", Kind.NODE), ("commits", Kind.COMMIT)):
            for text in fields[name]:
                try:
                    data = b64decode(text, validate=True)
                except (TypeError, ValueError) as e:
                    raise DecodeError("slice", f"an object that is no base64: {e}") from e
                slice_.add(kind, data)
        return slice_


def _groups(objects: Objects) -> dict[str, dict[bytes, bytes]]:
    return {"contents": objects.contents, "nodes": objects.nodes, "commits": objects.commits}


# -- out of a store ------------------------------------------------------------------------------------------


def export(
    reader: Reader,
    schema: Schema[Any, Any],
    max: Iterable[Hash],
    min: Iterable[Hash] = (),
    depth: int | None = None,
    *,
    full: bool = True,
) -> Slice:
    """The commits from `max` down to `min`, at most `depth` parents away; with `full` the objects of their
    trees, without those in the trees of `min`.

    Raises DanglingHash for an object that is needed and not here. Cost: one read per object, many at once, and
    one per node below `min`.
    """
    codec, floor, heads = schema.codec, list(min), list(dict.fromkeys(max))
    vals = commits(reader, codec, heads, floor, depth)
    objects = Objects()
    objects.commits.update((hash_, codec.encode_commit(val)) for hash_, val in vals.items())
    slice_ = Slice(schema, objects, heads)
    if full:
        known = roots(reader, codec, floor)
        slice_.bounds = frozenset(known)
        below, values = trees(reader, codec, known.values(), set())
        nodes: dict[bytes, bytes] = {}
        edges, contents = trees(reader, codec, (val.node for val in vals.values()), set(below), nodes)
        objects.nodes.update((key, nodes[key]) for key in children_first(edges))
        for batch in batches(hash_ for hash_ in contents if hash_ not in values):
            for hash_, data in zip(batch, reader.read_many(Kind.CONTENTS, batch), strict=True):
                if data is None:
                    raise DanglingHash("the export", hash_)
                objects.contents[hash_] = data
    return slice_


def roots(reader: Reader, codec: Codec, commits: Iterable[Hash]) -> dict[Hash, Hash]:
    """The trees of those of `commits` that are here, by commit. Cost: one read each, many at once."""
    return {
        hash_: codec.decode_commit(data).node
        for batch in batches(commits)
        for hash_, data in zip(batch, reader.read_many(Kind.COMMIT, batch), strict=True)
        if data is not None
    }


def trees(
    reader: Reader,
    codec: Codec,
    roots: Iterable[Hash],
    known: set[bytes],
    nodes: dict[bytes, bytes] | None = None,
) -> tuple[dict[bytes, list[bytes]], dict[Hash, None]]:
    """The nodes below `roots` that are not `known`, with what they lead to; and all contents. `nodes` is given their
    bytes. DanglingHash for one that is not here. Cost: one read per node.
    """
    edges: dict[bytes, list[bytes]] = {}
    contents: dict[Hash, None] = {}
    level = [root for root in dict.fromkeys(roots) if root not in known]
    while level:
        following: dict[Hash, None] = {}
        for batch in batches(level):
            for hash_, data in zip(batch, reader.read_many(Kind.NODE, batch), strict=True):
                if data is None:
                    raise DanglingHash("the export", hash_)
                if nodes is not None:
                    nodes[hash_] = data
                below: list[bytes] = []
                for element in successors(codec, Kind.NODE, hash_, data):
                    if type(element) is Contents:
                        contents[element.hash] = None
                    elif type(element) is Node:
                        below.append(element.hash)
                        if element.hash not in known:
                            following[element.hash] = None
                edges[hash_] = below
        level = [hash_ for hash_ in following if hash_ not in edges]
    return edges, contents


# -- into a store --------------------------------------------------------------------------------------------


def fresh(
    backend: Walkable,
    slice: Slice,
    decode_contents: Callable[[bytes], object],
    decode_metadata: Callable[[bytes], object],
    *,
    shallow: bool = False,
    past: Past | None = None,
    what: str = "slice",
) -> Objects:
    """The objects of `slice` that `backend` lacks, after all were checked; nothing is written.

    Hashes, canonical bytes, kinds, buckets and counts are checked, and that every reference leads to an object
    of the slice, before the one that refers to it, or of the backend; `shallow` lets parents of commits be
    absent, and so may those be that `past` leaves out. Raises DecodeError, Corrupted or DanglingHash, which call it
    `what`. Cost: a look-up per object and per reference.
    """
    objects = Objects()
    for kind in _RANK:
        group = slice.objects.of_kind(kind)
        for batch in batches(group):
            for hash_, held in zip(batch, backend.find_keys(kind, batch), strict=True):
                if held is None:
                    objects.of_kind(kind)[hash_] = group[hash_]

    def fetch(kind: Kind, hashes: Sequence[Hash]) -> list[Found]:
        group = objects.of_kind(kind)
        stored = [hash_ for hash_ in hashes if hash_ not in group]
        behind = dict(zip(stored, _behind(backend, kind, stored), strict=True))
        return [behind[hash_] if hash_ in behind else Found(group[hash_]) for hash_ in hashes]

    codec = slice.schema.codec
    checker = Checker(codec, fetch, decode_contents, decode_metadata, partial(_refuse, what), shallow)
    if past is not None:
        checker.past = past
    for head in slice.heads:
        checker.start(Kind.COMMIT, head, f"the heads of the {what}")
    for commit in map(Hash, objects.commits):
        checker.start(Kind.COMMIT, commit, f"the {what}")
    checker.run()
    # What no commit of the slice leads to: of a directory the root comes last.
    for node in map(Hash, reversed(objects.nodes)):
        if not checker.reached(Kind.NODE, node):
            record = codec.decode_node(objects.nodes[node])
            # All steps of a bucket share a digit, at whatever depth it stands.
            digits = record.depth if type(record) is Inode else int(record.place == BUCKET)
            checker.start(Kind.NODE, node, f"the {what}", digits)
            checker.run()
    for value in map(Hash, objects.contents):
        checker.start(Kind.CONTENTS, value, f"the {what}")
    checker.run()
    for kind in (Kind.NODE, Kind.COMMIT):
        group = objects.of_kind(kind)
        place = {key: at for at, key in enumerate(group)}
        for key, data in group.items():
            for element in successors(codec, kind, Hash(key), data):
                if type(element) is (Node if kind is Kind.NODE else Commit):
                    below = element.hash
                    if place.get(below, -1) >= place[key]:
                        name = f"{kind.name.lower()} {below.short()}"
                        raise DecodeError(what, f"{name} comes after what leads to it")
    return objects


def meet(reader: Reader, codec: Codec, bounds: Iterable[Hash]) -> None:
    """Read the trees of `bounds`, of a slice that is to be imported into what `reader` reads, a `Trail`: it knows then
    where their objects lie. DanglingHash for a bound that is not here. Cost: one read per node.
    """
    found = roots(reader, codec, bounds)
    for commit in bounds:
        if commit not in found:
            raise DanglingHash("the bounds of a slice, which leaves out what they hold", commit)
    trees(reader, codec, found.values(), set())


def _behind(backend: Walkable, kind: Kind, hashes: list[Hash]) -> list[Found]:
    """What the backend holds: nodes with their bytes, of others only that they are there."""
    if not hashes:
        return []
    absent = Found(fault=("dangling", "neither the slice nor the store has it"))
    if kind is Kind.NODE:
        return [
            absent if data is None else Found(data, trusted=True) for data in backend.read_many(kind, hashes)
        ]
    return [
        # A backend may not know the keys of all that it holds.
        Found(trusted=True) if key is not None or backend.read(kind, hash_) is not None else absent
        for hash_, key in zip(hashes, backend.find_keys(kind, hashes), strict=True)
    ]


def _refuse(what: str, problem: Problem) -> None:
    if problem.fault == "dangling":
        raise DanglingHash(f"the import of a {what}, at {problem.where}", problem.hash)
    if problem.fault == "non-canonical":
        raise DecodeError(f"{what}: {problem.kind} {problem.hash.short()}", problem.reason)
    raise Corrupted(f"the {what}", None, problem.hash, f"{problem.fault}: {problem.reason}")
