"""Whether stored objects are what their references say: hashes, canonical bytes, kinds, buckets, counts.

A `Checker` walks from references downwards and tells every problem it meets; `check` runs one over a whole
backend. Imports of slices run the same checks before they write. Nothing is written here.

Held in memory: the hash of every object that was reached, the inner nodes of all large directories, and a few
bytes for each of their buckets. No recursion.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

from .backend import Reader
from .errors import Corrupted, DecodeError
from .hash import Hash
from .objects import BUCKET, DIRECTORY, ROOT, Inode, Kind, Node

if TYPE_CHECKING:
    from .formats.format import Codec

__all__ = ["Checker", "Fault", "Found", "Problem", "Report", "check"]

BATCH = 256

Fault = Literal["dangling", "hash-mismatch", "non-canonical", "wrong-kind", "wrong-bucket", "unreadable"]
"""What may be wrong with an object.

dangling: it is not there. hash-mismatch: its bytes have another hash. non-canonical: no encoder gives its bytes.
wrong-kind: it is there, as another kind than its reference says. wrong-bucket: a step, a count or a depth below
an inner node that does not belong there. unreadable: the backend refuses to give it.
"""


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `fault` of the object `hash` of `kind`, met on the way from `where`."""

    fault: Fault
    kind: str
    """What its reference says it is: "commit", "node" or "contents"."""
    hash: Hash
    where: str
    """What refers to it: "the branch main", "the commit 12ab…", "the node 34cd…"."""
    reason: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.kind} {self.hash.short()} of {self.where}: {self.reason}"

    def to_json(self) -> dict[str, str]:
        """All fields as text."""
        return {**asdict(self), "hash": self.hash.hex()}


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What a check found: how many objects were read, and what is wrong with them."""

    branches: int
    commits: int
    nodes: int
    contents: int
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """True if there is no problem."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The counts, and the problems as a list of objects."""
        counts = {name: getattr(self, name) for name in ("branches", "commits", "nodes", "contents")}
        return {"ok": self.ok, **counts, "problems": [problem.to_json() for problem in self.problems]}

    def __str__(self) -> str:
        names = ("branches", "commits", "nodes", "contents")
        counts = ", ".join(f"{name}: {getattr(self, name)}" for name in names)
        return "\n".join([f"{counts}, problems: {len(self.problems)}", *map(str, self.problems)])


@final
@dataclass(frozen=True, slots=True)
class Found:
    """An object that a reference leads to: its bytes, or the fault that keeps them away.

    `trusted`: it was checked when it was stored; only that it fits its reference is looked at. Then `data` may
    be None for contents and commits, whose bytes nobody needs.
    """

    data: bytes | None = None
    fault: tuple[Fault, str] | None = None
    trusted: bool = False


Past = Callable[[tuple[Hash, ...]], tuple[Hash, ...]]
Fetch = Callable[[Kind, Sequence[Hash]], list[Found]]
Ref = tuple[Kind, Hash, int]
"""Kind, hash, and how many digits all steps below must share: 0 for all but buckets."""


def _all(parents: tuple[Hash, ...]) -> tuple[Hash, ...]:
    return parents


@dataclass(slots=True)
class Checker:
    """A walk over objects given by `fetch`; what is wrong goes to `tell`, which may raise.

    `decode_contents` and `decode_metadata` raise DecodeError for bytes that are not canonical. `shallow`: the
    parents of commits are not followed. `past` leaves out of the parents of a commit those that were cut off.
    """

    codec: Codec
    fetch: Fetch
    decode_contents: Callable[[bytes], object]
    decode_metadata: Callable[[bytes], object]
    tell: Callable[[Problem], None]
    shallow: bool = False
    past: Past = _all
    counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    # The first reference that led to each object: for messages, and so that none is visited twice.
    _seen: dict[Ref, tuple[Kind, Hash] | str] = field(default_factory=dict[Ref, tuple[Kind, Hash] | str])
    _counted: set[tuple[Kind, Hash]] = field(default_factory=set[tuple[Kind, Hash]])
    _queue: deque[Ref] = field(default_factory=deque[Ref])
    # Per depth, the inner nodes that still wait for what is known of their buckets.
    _inodes: dict[int, list[tuple[Hash, Inode, bool]]] = field(
        default_factory=dict[int, list[tuple[Hash, Inode, bool]]]
    )
    # Of each bucket without a fault: how many entries, and the digits that all its steps share.
    _buckets: dict[tuple[Hash, int], tuple[int, bytes]] = field(
        default_factory=dict[tuple[Hash, int], tuple[int, bytes]]
    )

    def start(self, kind: Kind, hash: Hash, where: tuple[Kind, Hash] | str, digits: int = 0) -> None:
        """Have `run` begin at this object too."""
        ref = (kind, hash, digits)
        if ref not in self._seen:
            self._seen[ref] = where
            self._queue.append(ref)

    def reached(self, kind: Kind, hash: Hash) -> bool:
        """Whether the walk came to this object."""
        return (kind, hash) in self._counted

    def run(self) -> None:
        """Walk until nothing is left, then compare inner nodes with their buckets; may be called again."""
        queue = self._queue
        while queue:
            kind = queue[0][0]
            batch: list[Ref] = []
            while queue and queue[0][0] is kind and len(batch) < BATCH:
                batch.append(queue.popleft())
            found = self.fetch(kind, [hash_ for _, hash_, _ in batch])
            for ref, one in zip(batch, found, strict=True):
                self._look(ref, one)
        for depth in sorted(self._inodes, reverse=True):  # the deepest first: they are buckets of the others
            for hash_, inode, trusted in self._inodes[depth]:
                self._join(hash_, inode, trusted)
        self._inodes.clear()

    def _problem(self, ref: Ref, fault: Fault, reason: str) -> None:
        kind, hash_, _ = ref
        by = self._seen[ref]
        where = by if isinstance(by, str) else f"the {by[0].name.lower()} {by[1].short()}"
        self.tell(Problem(fault, kind.name.lower(), hash_, where, reason))

    def _look(self, ref: Ref, found: Found) -> None:
        kind, hash_, _ = ref
        first = (kind, hash_) not in self._counted
        if found.fault is not None:
            if first:
                self._counted.add((kind, hash_))
                self._problem(ref, *found.fault)
            return
        if found.data is None:
            return
        if first:
            self._counted.add((kind, hash_))
            self.counts[kind] += 1
            if not found.trusted and self.codec.digest(found.data) != hash_:
                self._problem(ref, "hash-mismatch", "its bytes have another hash")
                return
        try:
            if kind is Kind.CONTENTS:
                self.decode_contents(self.codec.decode_contents(found.data))
            elif kind is Kind.COMMIT:
                self._commit(ref, found.data)
            else:
                self._node(ref, found.data, trusted=found.trusted)
        except DecodeError as e:
            if first:
                other = self._other_kind(kind, found.data)
                reason = str(e) if other is None else f"it is a {other}"
                self._problem(ref, "non-canonical" if other is None else "wrong-kind", reason)

    def _other_kind(self, kind: Kind, data: bytes) -> str | None:
        codec = self.codec
        for other, decode in (
            (Kind.COMMIT, codec.decode_commit),
            (Kind.NODE, codec.decode_node),
            (Kind.CONTENTS, codec.decode_contents),
        ):
            if other is not kind:
                try:
                    decode(data)
                except DecodeError:
                    continue
                return other.name.lower()
        return None

    def _commit(self, ref: Ref, data: bytes) -> None:
        commit = self.codec.decode_commit(data)
        by = (Kind.COMMIT, ref[1])
        self.start(Kind.NODE, commit.node, by)
        if not self.shallow:
            for parent in self.past(commit.parents):
                self.start(Kind.COMMIT, parent, by)

    def _node(self, ref: Ref, data: bytes, *, trusted: bool) -> None:
        record = self.codec.decode_node(data)
        hash_, digits = ref[1], ref[2]
        by = (Kind.NODE, hash_)
        if type(record) is Inode:
            if record.depth != digits:
                what = "a bucket" if digits else "a directory"
                reason = f"an inner node of depth {record.depth} as {what}, where {digits} is its depth"
                self._problem(ref, "wrong-bucket", reason)
                return
            if trusted and not digits:
                return
            self._inodes.setdefault(record.depth, []).append((hash_, record, trusted))
            # The steps of a trusted node share their digits: those below its first bucket tell which.
            children = record.children()[:1] if trusted else record.children()
            for child in children:
                self.start(Kind.NODE, Hash(child), by, digits + 1)
            return
        assert type(record) is Node
        if record.place == (ROOT if digits else BUCKET):
            reason = "a directory as a bucket" if digits else "a bucket as a directory"
            self._problem(ref, "wrong-bucket", reason)
            return
        if digits:
            self._bucket(ref, record)
        if trusted:
            return
        for item in record.metadata.values():
            self.decode_metadata(item)
        size = self.codec.hash_size
        for i, kind in enumerate(record.kinds):
            below = Hash(record.hashes[i * size : (i + 1) * size])
            self.start(Kind.NODE if kind == DIRECTORY else Kind.CONTENTS, below, by)

    def _bucket(self, ref: Ref, record: Node) -> None:
        hash_, digits = ref[1], ref[2]
        digit = self.codec.digit
        shared: bytes | None = None
        for step in record.index:
            own = bytes([digit(step, depth) for depth in range(digits)])
            if shared is not None and own != shared:
                self._problem(
                    ref, "wrong-bucket", f"the step {step!r:.80} has other digits than those before it"
                )
                return
            shared = own
        if shared is None:
            self._problem(ref, "wrong-bucket", "an empty bucket")
            return
        self._buckets[hash_, digits] = (record.count, shared)

    def _join(self, hash_: Hash, inode: Inode, trusted: bool) -> None:
        """Compare `inode` with what was found of its buckets, and learn the digits of all its steps."""
        depth = inode.depth
        children = inode.children()
        shared: bytes | None = None
        total = 0
        for i, child in enumerate(children[:1] if trusted else children):
            ref = (Kind.NODE, Hash(child), depth + 1)
            known = self._buckets.get(ref[1:])
            if known is None:
                return  # its fault was told
            count, digits = known
            reason = None
            total += count
            stated = inode.below(i)
            if stated is not None and count != stated:
                reason = f"{count} entries where its parent states {stated}"
            elif digits[depth] != inode.buckets[i]:
                reason = f"steps of the digit {digits[depth]} in the bucket {inode.buckets[i]}"
            elif shared is not None and digits[:depth] != shared:
                reason = "steps that differ from those of its siblings in a digit above"
            if reason is not None:
                where = f"the node {hash_.short()}"
                self.tell(Problem("wrong-bucket", "node", ref[1], where, reason))
                return
            shared = digits[:depth]
        if not trusted and total != inode.count:
            reason = f"its buckets have {total} entries where it states {inode.count}"
            self.tell(Problem("wrong-bucket", "node", hash_, "its own buckets", reason))
            return
        if depth and shared is not None:
            self._buckets[hash_, depth] = (inode.count, shared)


def fetch_from(reader: Reader) -> Fetch:
    """Objects of `reader`, none of them trusted."""

    def fetch(kind: Kind, hashes: Sequence[Hash]) -> list[Found]:
        try:
            many = reader.read_many(kind, hashes)
        except Corrupted:  # one of them: find out which
            return [_fetch_one(reader, kind, hash_) for hash_ in hashes]
        return [
            Found(data) if data is not None else _missing(reader, kind, hash_)
            for hash_, data in zip(hashes, many, strict=True)
        ]

    return fetch


def _fetch_one(reader: Reader, kind: Kind, hash_: Hash) -> Found:
    try:
        data = reader.read(kind, hash_)
    except Corrupted as e:
        return Found(fault=("unreadable", str(e)))
    return Found(data) if data is not None else _missing(reader, kind, hash_)


def _missing(reader: Reader, kind: Kind, hash_: Hash) -> Found:
    for other in Kind:
        if other is not kind:
            try:
                there = reader.read(other, hash_) is not None
            except Corrupted:
                there = True
            if there:
                return Found(fault=("wrong-kind", f"it is stored as {other.name.lower()}"))
    return Found(fault=("dangling", "it is not there"))


def check(
    reader: Reader,
    refs: dict[str, Hash],
    codec: Codec,
    decode_contents: Callable[[bytes], object],
    decode_metadata: Callable[[bytes], object],
    past: Past = _all,
    roots: Iterable[Hash] = (),
    *,
    shallow: bool = False,
) -> Report:
    """Read, hash and decode all that the heads in `refs` and the commits `roots` lead to; `past` as in `Checker`.

    `shallow`: a parent that is not there is no problem. Cost: one read per object, many at once.
    """
    problems: list[Problem] = []
    named = {*refs.values(), *(roots := list(roots))}

    def tell(problem: Problem) -> None:
        cut_off = problem.fault == "dangling" and problem.kind == "commit" and problem.hash not in named
        if not (shallow and cut_off):
            problems.append(problem)

    checker = Checker(codec, fetch_from(reader), decode_contents, decode_metadata, tell, past=past)
    for name, head in refs.items():
        checker.start(Kind.COMMIT, head, f"the branch {name}")
    for root in roots:
        checker.start(Kind.COMMIT, root, "the commits to check")
    checker.run()
    counts = checker.counts
    return Report(len(refs), counts[Kind.COMMIT], counts[Kind.NODE], counts[Kind.CONTENTS], tuple(problems))
