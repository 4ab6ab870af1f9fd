"""Making a store from a snapshot: under another name, checked as a whole, and renamed when it is right.

While it is made an index of all objects tells where children lie; with the strategy `minimal` it goes again.
"""

from __future__ import annotations

import os
import time
import uuid as uuids
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Final

from irminpy import branch as branches
from irminpy.errors import Corrupted, DanglingHash, NotAStore, StorageError
from irminpy.hash import Hash
from irminpy.objects import DIRECTORY, Inode, Kind
from irminpy.schema import Schema
from irminpy.slice_stream import BOUND, BRANCH, HEAD, SHALLOW, Intake, Limits

from ..files import Files, remove_directory, sync_directory, write_file
from ..frame import BLOB, COMMIT, LARGE, MOST, NODE, Framing
from ..fsck import fsck
from ..gc.output import Output
from ..generation import Generation
from ..head import HEAD_SIZE, Slot, place
from ..identity import Identity, Root
from ..index import Index, IndexDamaged
from ..indexing import fill
from ..large import Large, put
from ..log import Log
from ..lookup import ALWAYS, INDEXED, MINIMAL
from ..manifest import Manifest
from ..opening import open_table, write_manifest
from ..word import column, pack

__all__ = ["Restored", "restore"]

_GENERATION: Final = 2  # the first one has no frame that says where history ends
_ENTRIES: Final = 1 << 14  # that go into the index at a time
_LOOKUPS: Final = 1 << 16  # after which the index is mapped anew, so that its pages are let go
_LARGE: Final = 1 << 20  # a value of more bytes is streamed
_UNBOUNDED: Final = 1 << 62
_KINDS: Final = {BLOB: Kind.CONTENTS, LARGE: Kind.CONTENTS, NODE: Kind.NODE, COMMIT: Kind.COMMIT}


@dataclass(frozen=True, slots=True)
class Restored:
    """What was read, checked and written."""

    path: str
    commits: int
    nodes: int
    contents: int
    """Without the chunks of large ones."""
    bytes: int
    """Of the snapshot."""
    heads: tuple[str, ...]
    """Hashes."""
    branches: tuple[str, ...]
    """Names."""
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        names = ", ".join(self.branches) or "none"
        return (
            f"{self.path}: {self.commits} commits, {self.nodes} nodes, {self.contents} contents from {self.bytes} "
            f"bytes in {self.seconds:.1f} s; branches: {names}"
        )


def restore(
    path: str,
    schema: Schema[Any, Any],
    file: BinaryIO,
    strategy: str,
    *,
    files: Files,
    seal: int,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.time,
    progress: Callable[[int, int], None] | None = None,
) -> Restored:
    """Make the store `path`, which does not exist or is an empty directory, of the snapshot in `file`.

    All is checked before it has its name: order, count and digest of the slice, that every object is canonical and
    leads to what is there, and then the store as `fsck` does at its deepest. Parents may be absent that the snapshot
    says are. `limits` None sets none but 1 GiB for an object that is not contents. `progress(done, 0)` is told bytes
    of `file`.

    Raises DecodeError, InvalidBranch, SchemaMismatch, UnsupportedVersion, DanglingHash, Corrupted; NotAStore if
    something else is at `path`; StorageError. Then nothing is there. Cost: one pass over the snapshot, three over the
    store. Memory: some 40 MiB, besides what of the index is mapped.
    """
    path = os.path.abspath(path)
    if files.exists(path) and (not os.path.isdir(path) or files.listdir(path)):
        raise NotAStore(path, "something else is there, and a snapshot is imported into a new store")
    identity = Identity.of(uuids.uuid4().bytes, schema)
    root = Root(f"{path}.new-{identity.uuid.hex()}")
    began = time.perf_counter()
    try:
        try:
            run = _Restore(root, identity, schema, files, seal, clock, progress)
            try:
                run.run(file, Limits(_UNBOUNDED, _UNBOUNDED, _UNBOUNDED) if limits is None else limits)
                run.finish(strategy)
            finally:
                run.close()
            run.check()
            files.rename(root.path, path)
            sync_directory(files, os.path.dirname(path))
        except (OSError, IndexDamaged) as e:
            raise StorageError(f"the store {path} cannot be made: {e}") from e
    except BaseException:
        _remove(files, root)
        raise
    counts = run.counts
    return Restored(
        path,
        counts[Kind.COMMIT],
        counts[Kind.NODE],
        counts[Kind.CONTENTS],
        run.read,
        tuple([head.hex() for head in run.heads]),
        tuple(run.branches),
        time.perf_counter() - began,
    )


def _remove(files: Files, root: Root) -> None:
    """Remove what was made so far; whoever comes later sees by its name that it is nothing."""
    with suppress(OSError):
        if files.exists(root.indexes):
            for name in files.listdir(root.indexes):
                remove_directory(files, os.path.join(root.indexes, name))
        for directory in (root.packs, root.indexes, root.lost, root.path):
            remove_directory(files, directory)


class _Restore:
    """One run, in the directory `root`."""

    def __init__(
        self,
        root: Root,
        identity: Identity,
        schema: Schema[Any, Any],
        files: Files,
        seal: int,
        clock: Callable[[], float],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.root = root
        self.identity = identity
        self.schema = schema
        self.codec = schema.codec
        self.files = files
        self.clock = clock
        self.progress = progress
        self.framing = Framing(identity.hash_size)
        for directory in (root.path, root.packs, root.indexes, root.lost):
            files.mkdir(directory)
        self.output = Output(files, root, identity, schema.codec.digest, _GENERATION, 1, 0, seal, clock)
        self.output.begin()
        self.index: Index | None = None
        self.recent: dict[bytes, int] = {}
        self.lookups = 0
        self.counts = dict.fromkeys(Kind, 0)
        self.heads: list[Hash] = []
        self.branches: dict[str, tuple[bytes, int]] = {}
        self.shallow: set[bytes] = set()
        self.absent: dict[bytes, Hash] = {}
        """Parents that were not there to the first commit that names them."""
        self.read = 0

    def close(self) -> None:
        """Give files and index back."""
        if self.index is not None:
            self.index.drop()
            self.index = None
        self.output.close()

    # -- where objects lie -----------------------------------------------------------------------------------

    def places(self) -> Index:
        if self.index is None:
            self.index = Index.open(
                self.root.index(_GENERATION, ALWAYS),
                uuid=self.identity.uuid,
                generation=_GENERATION,
                hash_size=self.identity.hash_size,
                readonly=False,
                files=self.files,
            )
        return self.index

    def find(self, kind: Kind, hashes: Sequence[bytes]) -> list[int]:
        """The words of objects of this kind, 0 for what is not there."""
        prefix = bytes((kind,))
        words = [self.recent.get(prefix + hash_, 0) for hash_ in hashes]
        unknown = [i for i, word in enumerate(words) if not word]
        if unknown and self.index is not None:
            self.lookups += len(unknown)
            found = self.places().find_many(kind, [hashes[i] for i in unknown])
            for i, word in zip(unknown, found, strict=True):
                words[i] = word
            if self.lookups >= _LOOKUPS:
                self.lookups = 0
                self.index.drop()
                self.index = None
                self.places()
        return words

    def write(self, frame: int, hash_: bytes, hints: bytes, data: bytes) -> int:
        """Write a frame; its word."""
        encoded = self.framing.encode(frame, hash_, hints, data)
        kind = _KINDS[frame]
        word = pack(self.output.append(encoded), len(encoded) >> 3, kind)
        self.recent[bytes((kind,)) + hash_] = word
        if len(self.recent) >= _ENTRIES:
            self.flush()
        return word

    def flush(self) -> None:
        places = self.places()
        places.add(self.recent, self.output.end)
        self.recent = {}
        places.merge()

    def put(self, chunks: Sequence[tuple[bytes, bytes]], /) -> list[int]:
        """As `large.Sink`."""
        found = self.find(Kind.CONTENTS, [hash_ for hash_, _ in chunks])
        return [
            word or self.write(BLOB, hash_, b"", data)
            for word, (hash_, data) in zip(found, chunks, strict=True)
        ]

    # -- the snapshot ----------------------------------------------------------------------------------------

    def run(self, file: BinaryIO, limits: Limits) -> None:
        """Read and write everything."""
        intake = Intake(file, self.schema, limits)
        while (frame := intake.next()) is not None:
            tag, length = frame
            if tag != Kind.CONTENTS and length > MOST:
                raise intake.fail(f"an object of {length} bytes, more than any may have")
            if tag == Kind.CONTENTS:
                self.contents(intake, length)
            elif tag == Kind.NODE:
                self.node(intake)
            elif tag == Kind.COMMIT:
                self.commit(intake)
            elif tag == BRANCH:
                hash_, name = intake.hash(), branches.check(intake.name())
                if name in self.branches:
                    raise intake.fail(f"the branch {name!r:.80} twice")
                self.branches[name] = (bytes(hash_), self.head(hash_, f"the branch {name!r:.80}"))
            elif tag == HEAD:
                hash_ = intake.hash()
                self.head(hash_, "a head")
                self.heads.append(hash_)
            elif tag == SHALLOW:
                self.shallow.add(intake.hash())
            else:  # a new store holds nothing: of a slice with bounds what was left out has been missed above
                assert tag == BOUND
            if self.progress is not None:
                self.progress(intake.at, 0)
        self.read = intake.at
        for parent, commit in self.absent.items():
            if parent not in self.shallow:
                raise DanglingHash(f"the import of a snapshot, at the commit {commit.short()}", Hash(parent))

    def new(self, intake: Intake, kind: Kind, data: bytes) -> bytes:
        """The hash of an object that must not have come before."""
        hash_ = self.codec.digest(data)
        # A chunk that was written may come as contents of their own.
        if kind is not Kind.CONTENTS and self.find(kind, [hash_])[0]:
            raise intake.fail("an object that was there before")
        self.counts[kind] += 1
        return hash_

    def contents(self, intake: Intake, length: int) -> None:
        prefix = self.codec.contents_prefix
        if prefix is None or length - len(prefix) <= _LARGE:
            data = intake.take()
            self.codec.decode_contents(data)
            hash_ = self.new(intake, Kind.CONTENTS, data)
            if not self.find(Kind.CONTENTS, [hash_])[0]:
                self.write(BLOB, hash_, b"", data)
            return
        if _exactly(intake, len(prefix)) != prefix:
            raise intake.fail("no contents begin so")
        taken = put(intake, self.codec, self.schema.hash, self)
        assert isinstance(taken, Large)  # by its length
        self.counts[Kind.CONTENTS] += 1
        self.write(LARGE, taken.hash, column(list(taken.words)), taken.encode(self.schema.hash))

    def node(self, intake: Intake) -> None:
        data = intake.take()
        hash_ = self.new(intake, Kind.NODE, data)
        record = self.codec.decode_node(data)
        size = self.codec.hash_size
        hashes = [record.hashes[i : i + size] for i in range(0, len(record.hashes), size)]
        kinds = (
            [Kind.NODE] * len(hashes)
            if type(record) is Inode
            else [Kind.NODE if kind == DIRECTORY else Kind.CONTENTS for kind in record.kinds]
        )
        words = [0] * len(hashes)
        for kind in (Kind.NODE, Kind.CONTENTS):
            rows = [i for i, one in enumerate(kinds) if one is kind]
            for i, word in zip(rows, self.find(kind, [hashes[i] for i in rows]), strict=True):
                words[i] = word
                if not word and not (kind is Kind.NODE and hashes[i] == self.codec.empty):
                    where = f"the import of a snapshot, at the node {Hash(hash_).short()}"
                    raise DanglingHash(where, Hash(hashes[i]))
        self.write(NODE, hash_, column(words), data)

    def commit(self, intake: Intake) -> None:
        data = intake.take()
        hash_ = self.new(intake, Kind.COMMIT, data)
        val = self.codec.decode_commit(data)
        (root,) = self.find(Kind.NODE, [bytes(val.node)])
        if not root and val.node != self.codec.empty:
            raise DanglingHash(f"the import of a snapshot, at the commit {Hash(hash_).short()}", val.node)
        parents = self.find(Kind.COMMIT, list(map(bytes, val.parents)))
        for parent, word in zip(val.parents, parents, strict=True):
            if not word:
                self.absent.setdefault(bytes(parent), Hash(hash_))
        self.write(COMMIT, hash_, column([root, *parents]), data)

    def head(self, hash_: Hash, what: str) -> int:
        (word,) = self.find(Kind.COMMIT, [hash_])
        if not word:
            raise DanglingHash(f"the import of a snapshot, at {what}", hash_)
        return word

    # -- the store -------------------------------------------------------------------------------------------

    def finish(self, strategy: str) -> None:
        """Write what else makes a store; everything is durable."""
        now = int(self.clock() * 1e6)
        absent = self.shallow & self.absent.keys()
        manifest = self.output.finish(Generation(_GENERATION, now, sorted(absent)), self.branches)
        self.flush()
        places = self.places()
        if strategy == MINIMAL:
            places.drop()
            remove_directory(self.files, self.root.index(_GENERATION, ALWAYS))
            places = self.commits_only(manifest)
        self.index = None
        fingerprint = places.close()
        files, root, tip = self.files, self.root, manifest.tip
        head = bytearray(HEAD_SIZE)
        slot = Slot(self.identity.uuid, _GENERATION, tip, tip, 0).encode()
        head[place(tip.batch_no) : place(tip.batch_no) + len(slot)] = slot
        write_file(files, root.head, bytes(head))
        write_file(files, root.lock, b"")
        indexes = () if fingerprint is None else ((strategy, fingerprint),)
        manifest = Manifest(manifest.uuid, _GENERATION, manifest.segments, tip, tuple(indexes), manifest.flip)
        write_manifest(files, root, manifest)
        write_file(files, root.format, self.identity.encode())

    def commits_only(self, manifest: Manifest) -> Index:
        table = open_table(
            self.files, self.root, self.identity.uuid, manifest.segments, mapped=False, write=False
        )
        index = Index.open(
            self.root.index(_GENERATION, MINIMAL),
            uuid=self.identity.uuid,
            generation=_GENERATION,
            hash_size=self.identity.hash_size,
            readonly=False,
            files=self.files,
        )
        end = manifest.tip.end
        fill(index, Log(self.framing, table).entries(0, end, INDEXED[MINIMAL]), end)
        return index

    def check(self) -> None:
        """The store as it lies on the disk. Raises Corrupted for the first thing that is wrong."""
        roots = {f"a head, {head.short()}": (bytes(head), 0) for head in self.heads}
        report = fsck(self.root.path, self.schema, "deep", files=self.files, heads=roots)
        if report.findings:
            first = report.findings[0]
            named = None if first.hash is None else bytes.fromhex(first.hash)
            raise Corrupted("the snapshot", None, named, f"{first.fault}: {first.reason}")


def _exactly(intake: Intake, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = intake.read(size - len(data))
        if not piece:
            raise intake.fail("contents that end too early")
        data += piece
    return data
