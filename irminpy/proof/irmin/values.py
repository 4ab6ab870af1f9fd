"""Between the values of a proof in Irmin's form and the objects that it shows.

`state_of` gives the values; `load` takes them apart, checks and hashes them. Values may come from anywhere, so that
every field is looked at. No recursion.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from ...errors import DecodeError, InvalidStep, ProofMismatch
from ...hash import Hash
from ...key import KindedHash
from ...objects import CONTENTS, CONTENTS_META, DIRECTORY
from ...objects import Inode as InodeRecord
from ...objects import Node as NodeRecord
from ...path import join, step_bytes
from ..given import Given
from ..shown import Shown
from ..types import (
    BlindedContents,
    BlindedInode,
    BlindedNode,
    Contents,
    Extender,
    Inode,
    InodeExtender,
    InodeTree,
    InodeValues,
    Node,
    Part,
    State,
)
from .shape import check_shape, levels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...formats.irmin import IrminCodec
    from ...schema import Schema
    from ...shape import Record
    from ..limits import Limits

__all__ = ["chain_of", "load", "state_of"]

_MOST = (1 << 62) - 1  # an int of OCaml
_CHAIN = (Extender, InodeExtender)
_CONTENTS = (Contents, BlindedContents)
_DIRECTORY = (Node, Inode, Extender)
_BUCKET = (InodeValues, InodeTree, InodeExtender)
_INNER = (Inode, InodeTree)
_PAIRS, _TWO = {tuple}, {2}


def chain_of(nodes: Mapping[bytes, Record], record: InodeRecord) -> list[InodeRecord]:
    """`record` and the inodes below it in `nodes`, as long as each has but one bucket."""
    chain = [record]
    while len(record.buckets) == 1:
        below = nodes.get(record.hashes)
        if type(below) is not InodeRecord or len(below.buckets) != 1:
            break
        chain.append(below)
        record = below
    return chain


# -- to values -----------------------------------------------------------------------------------------------


def state_of(schema: Schema[Any, Any], shown: Shown) -> State[Any, Any]:
    """What `shown` reveals, as values. What stands at many places is one object in all of them.

    Cost: in proportion to the entries of the nodes, however often they are shown.
    """
    return _Showing(schema, shown).run()


class _Showing:
    """One run of `state_of`."""

    def __init__(self, schema: Schema[Any, Any], shown: Shown) -> None:
        self.schema = schema
        self.shown = shown
        self.size = schema.codec.hash_size
        self.values: dict[tuple[bytes, bytes | None], Part] = {}
        self.made: dict[tuple[bool, bytes], Part] = {}
        """Nodes, as directories or as buckets."""

    def run(self) -> State[Any, Any]:
        root = self.shown.root
        if root.kind == "contents":
            return cast("State[Any, Any]", self.contents(root.hash, root.metadata))
        stack = [(False, bytes(root.hash))]
        if stack[0][1] not in self.shown.nodes:
            return BlindedNode(root.hash)
        while stack:
            at = stack[-1]
            if at in self.made:
                stack.pop()
                continue
            waits = [below for below in self.below(*at) if below not in self.made]
            if waits:
                stack += waits
            else:
                self.made[at] = self.part(*at)
        return cast("State[Any, Any]", self.made[False, bytes(root.hash)])

    def below(self, bucket: bool, hash_: bytes) -> list[tuple[bool, bytes]]:
        """The revealed nodes that are parts of the one at hand."""
        nodes, size = self.shown.nodes, self.size
        record = nodes[hash_]
        if type(record) is NodeRecord:
            hashes = record.hashes
            found = [hashes[i * size : (i + 1) * size] for i, kind in enumerate(record.kinds) if not kind]
            return [(False, child) for child in found if child in nodes]
        last = chain_of(nodes, record)[-1]
        return [(True, child) for child in last.children() if child in nodes]

    def part(self, bucket: bool, hash_: bytes) -> Part:
        record = self.shown.nodes[hash_]
        size = self.size
        if type(record) is NodeRecord:
            rows: list[tuple[str, Any]] = []
            for i, step in enumerate(record.index):
                child = record.hashes[i * size : (i + 1) * size]
                if record.kinds[i] != DIRECTORY:
                    rows.append((step, self.contents(child, record.metadata.get(i))))
                else:
                    rows.append((step, self.made.get((False, child)) or BlindedNode(Hash(child))))
            return (InodeValues if bucket else Node)(tuple(rows))
        chain = chain_of(self.shown.nodes, record)
        last = chain[-1]
        proofs = tuple(
            [
                (index, cast("Any", self.made.get((True, child)) or BlindedInode(Hash(child))))
                for index, child in zip(last.buckets, last.children(), strict=True)
            ]
        )
        if len(chain) == 1:
            return (InodeTree if bucket else Inode)(last.count, proofs)
        segments = tuple([inode.buckets[0] for inode in chain])
        return (InodeExtender if bucket else Extender)(record.count, segments, proofs[0][1])

    def contents(self, hash_: bytes, data: bytes | None) -> Part:
        part = self.values.get((hash_, data))
        if part is None:
            kind = self.schema.metadata
            metadata = kind.default if data is None else kind.decode(data)
            value = self.shown.contents.get(hash_)
            if value is None:
                part = BlindedContents(Hash(hash_), metadata)
            else:
                part = Contents(self.schema.contents.decode(value), metadata)
            self.values[hash_, data] = part
        return part


# -- from values ---------------------------------------------------------------------------------------------


def load(schema: Schema[Any, Any], state: object, limits: Limits) -> Shown:
    """What `state` reveals, hashed and checked; ProofMismatch where it breaks a rule, with the place."""
    return _Loading(schema, limits).run(state)


class _Draft:
    """A node whose parts are not hashed yet."""

    __slots__ = (
        "above",
        "at",
        "blinded",
        "bucket",
        "flat",
        "hashes",
        "label",
        "level",
        "parent",
        "row",
        "waits",
    )

    def __init__(self, parent: int, at: int, label: str, bucket: bool, level: int, above: int) -> None:
        self.parent = parent
        self.at = at
        """Which of the parts of its parent it is."""
        self.label = label
        """The step or the index that leads to it."""
        self.bucket = bucket
        self.level = level
        """Inner nodes of the same directory above it."""
        self.above = above
        """Directories above it."""
        self.flat = True
        self.row: tuple[Any, ...] = ()
        """Steps, kinds and metadata of a flat node; length and indices of an inner one."""
        self.hashes: list[bytes] = []
        """b"" where a part is not hashed yet."""
        self.blinded: list[bytes] = []
        """Of its parts, those that are directories or buckets and blinded."""
        self.waits: list[tuple[int, bytes]] = []
        """The values that are among its entries, by position."""


class _Loading:
    """One run of `load`."""

    def __init__(self, schema: Schema[Any, Any], limits: Limits) -> None:
        self.schema = schema
        self.codec = cast("IrminCodec", schema.codec)
        self.limits = limits
        self.given = Given(schema, limits)
        self.size = schema.codec.hash_size
        self.levels = levels_of(schema.codec)
        self.drafts: list[_Draft] = []
        self.stack: list[tuple[Any, _Draft]] = []
        """What was revealed and not yet looked at, with the place where it stands."""
        self.blinded_contents: set[bytes] = set()
        self.values = 0

    def run(self, given: object) -> Shown:
        state: Any = given
        if not isinstance(state, Part):
            raise TypeError(f"the state of a proof is expected, not {type(state).__name__}")
        if type(state) in _CONTENTS:
            return self._contents_root(state)
        if type(state) is BlindedNode:
            hash_ = self.given.hash(state.hash, "/")
            if hash_ == self.codec.empty:
                raise ProofMismatch("not canonical: the empty directory is blinded", "/")
            return Shown(KindedHash("node", Hash(hash_)), {}, {})
        if type(state) not in _DIRECTORY:
            raise _wrong(state, "the root", "/")
        self.stack.append((state, _Draft(-1, 0, "", False, 0, 0)))
        while self.stack:
            part, draft = self.stack.pop()
            try:
                self._part(part, draft)
            except ProofMismatch as e:
                # Places are made for errors only: each costs as much as it is deep.
                raise ProofMismatch(e.reason, self._place(draft, e.place)) from e.__cause__
            if len(self.drafts) + len(self.stack) + self.values > self.limits.objects:
                raise ProofMismatch(f"node limit: more than {self.limits.objects} objects are revealed")
        return self._hashed()

    def _contents_root(self, state: Any) -> Shown:
        metadata = self.given.metadata(state.metadata, "/")
        if type(state) is BlindedContents:
            return Shown(KindedHash("contents", Hash(self.given.hash(state.hash, "/")), metadata), {}, {})
        value = self.given.value(state.value, "/")
        (data,) = self.codec.encode_contents([value])
        hash_ = self.codec.digest(data)
        return Shown(KindedHash("contents", Hash(hash_), metadata), {}, {hash_: value})

    # -- the parts, one by one; the place of an error is a step in the part, or empty ------------------------------

    def _part(self, part: Any, draft: _Draft) -> None:
        if draft.above > self.limits.depth:
            raise ProofMismatch(f"too deep: the limit is {self.limits.depth} directories")
        if type(part) in (Node, InodeValues):
            self._flat(part, draft)
        elif type(part) in _CHAIN:
            self._chain(part, draft)
        else:
            self._inode(part, draft)

    def _flat(self, part: Any, draft: _Draft) -> None:
        steps: list[str] = []
        kinds = bytearray()
        metadata: list[bytes] = []
        below: list[tuple[Any, _Draft]] = []
        number = len(self.drafts)
        for i, (step, child) in enumerate(_rows(part.entries)):
            place = step if type(step) is str else ""
            steps.append(step)
            kind = cast("type[object]", type(child))
            if kind in _CONTENTS:
                data = self.given.metadata(child.metadata, place)
                if data is not None:
                    metadata.append(data)
                kinds.append(CONTENTS if data is None else CONTENTS_META)
                if kind is Contents:
                    draft.waits.append((i, self.given.value(child.value, place)))
                    draft.hashes.append(b"")
                    self.values += 1
                else:
                    draft.hashes.append(self.given.hash(child.hash, place))
                    self.blinded_contents.add(draft.hashes[-1])
                continue
            kinds.append(DIRECTORY)
            if kind is BlindedNode:
                draft.hashes.append(self.given.hash(child.hash, place))
                draft.blinded.append(draft.hashes[-1])
            elif kind in _DIRECTORY:
                draft.hashes.append(b"")
                below.append((child, _Draft(number, i, step, False, 0, draft.above + 1)))
            else:
                raise _wrong(child, "an entry", place)
        try:
            self.codec.steps(steps)
        except (InvalidStep, TypeError) as e:
            raise ProofMismatch(f"bad step: {e}") from None
        if len(steps) > 1:
            _ascending([step_bytes(step) for step in steps], steps, "entry")
        if not steps and draft.parent >= 0:
            raise ProofMismatch(f"empty {'bucket' if draft.bucket else 'directory below the root'}")
        if draft.bucket and len(steps) > self.codec.leaf:
            raise ProofMismatch(f"too many values: {len(steps)} in one bucket; not canonical shape")
        draft.row = (steps, bytes(kinds), metadata)
        self.drafts.append(draft)
        self.stack.extend(reversed(below))

    def _inode(self, part: Any, draft: _Draft) -> None:
        rows = _rows(part.proofs)
        if len(rows) == 1 and (
            type(rows[0][1]) in _CHAIN or (type(rows[0][1]) is InodeTree and _single(rows[0][1]))
        ):
            raise ProofMismatch("not canonical: a chain of inodes that is not written as an extender")
        self._inner(draft, part.length, rows)

    def _chain(self, part: Any, draft: _Draft) -> None:
        segments: object = part.segments
        if not isinstance(segments, tuple):
            raise ProofMismatch("the segments of an extender are a tuple")
        indices: tuple[Any, ...] = part.segments
        if len(indices) < 2:
            raise ProofMismatch(
                f"not canonical: an extender of {len(indices)} segments, and two are the least"
            )
        below: Any = part.proof
        if type(below) in _CHAIN or (type(below) is InodeTree and _single(below)):
            raise ProofMismatch("not canonical: an extender that goes on below itself")
        # Each of them is an inode with the next one as its only bucket.
        for index in indices[:-1]:
            self._inner(draft, part.length, [(index, None)])
            draft = _Draft(len(self.drafts) - 1, 0, _shown(index), True, draft.level + 1, draft.above)
        self._inner(draft, part.length, [(indices[-1], below)])

    def _too_deep(self) -> ProofMismatch:
        if not self.levels:
            return ProofMismatch("not canonical: directories of this store are flat, and have no inodes")
        return ProofMismatch(f"too deep: an inner node below level {self.levels - 1}")

    def _inner(self, draft: _Draft, length: object, rows: list[tuple[Any, Any]]) -> None:
        """An inode; the child None is the next draft."""
        if draft.level >= self.levels:
            raise self._too_deep()
        if type(length) is not int or not 0 < length <= _MOST:
            raise ProofMismatch(f"bad length: {length!r:.40}")
        indices: list[int] = []
        below: list[tuple[Any, _Draft]] = []
        number = len(self.drafts)
        for i, (index, child) in enumerate(rows):
            if type(index) is not int or not 0 <= index < self.codec.fanout:
                raise ProofMismatch(f"index out of range: {index!r:.40}")
            indices.append(index)
            if type(child) is BlindedInode:
                if child.length is not None:
                    raise ProofMismatch("not canonical: a bucket in Irmin's form does not say its length")
                draft.hashes.append(self.given.hash(child.hash, ""))
                draft.blinded.append(draft.hashes[-1])
                continue
            draft.hashes.append(b"")
            if type(child) in _BUCKET:
                place = _Draft(number, i, _shown(index), True, draft.level + 1, draft.above)
                below.append((child, place))
            elif child is not None:
                raise _wrong(child, "a bucket", "")
        if not indices:
            raise ProofMismatch("empty inode")
        _ascending(indices, indices, "index")
        draft.flat = False
        draft.row = (length, bytes(indices))
        self.drafts.append(draft)
        self.stack.extend(reversed(below))

    # -- hashing -------------------------------------------------------------------------------------------------

    def _hashed(self) -> Shown:
        """All drafts as objects, from the last to the first, which is below nothing."""
        nodes: dict[bytes, Record] = {}
        contents: dict[bytes, bytes] = {}
        root = b""
        for draft in reversed(self.drafts):
            if draft.waits:
                values = [value for _, value in draft.waits]
                found = self.codec.digest_many(self.codec.encode_contents(values))
                for (i, value), hash_ in zip(draft.waits, found, strict=True):
                    draft.hashes[i] = hash_
                    contents[hash_] = value
            hash_, record = self._object(draft)
            nodes[hash_] = record
            if draft.parent >= 0:
                self.drafts[draft.parent].hashes[draft.at] = hash_
            else:
                root = hash_
        return self._checked(Shown(KindedHash("node", Hash(root)), nodes, contents))

    def _object(self, draft: _Draft) -> tuple[bytes, Record]:
        codec, column = self.codec, b"".join(draft.hashes)
        try:
            if draft.flat:
                steps, kinds, metadata = draft.row
                data, record = codec.made_node(steps, kinds, column, metadata, draft.bucket)
            else:
                length, indices = draft.row
                data, record = codec.made_inode(draft.level, indices, length, column)
            # Whatever no directory of the format has is refused here.
            return codec.digest(data), record
        except (DecodeError, InvalidStep) as e:
            raise ProofMismatch(f"not canonical shape: {e.reason}", self._place(draft)) from None

    def _checked(self, shown: Shown) -> Shown:
        if not self.blinded_contents.isdisjoint(shown.contents):
            raise ProofMismatch(
                "inconsistent sharing: contents are blinded at one place and shown at another"
            )
        apart = ""
        for draft in self.drafts:
            if not shown.nodes.keys().isdisjoint(draft.blinded):
                if draft.flat:
                    raise ProofMismatch(
                        "inconsistent sharing: a directory is blinded here and shown at another place",
                        self._place(draft),
                    )
                apart = apart or self._place(draft)
        check_shape(self.codec, shown)
        return shown._replace(apart=apart)

    def _place(self, draft: _Draft, step: str = "") -> str:
        steps = [step] if step else []
        indices: list[str] = []
        while draft.parent >= 0:
            if not draft.bucket:
                steps.append(draft.label)
            elif not steps:
                indices.append(draft.label)
            draft = self.drafts[draft.parent]
        return (
            "/" + join(tuple(reversed(steps))) + (f" bucket {'.'.join(reversed(indices))}" if indices else "")
        )


def _shown(index: object) -> str:
    return f"{index:x}" if type(index) is int else f"{index!r:.20}"


def _single(part: Any) -> bool:
    proofs: object = part.proofs
    return isinstance(proofs, tuple) and len(cast("tuple[object, ...]", proofs)) == 1


def _wrong(part: object, what: str, place: str) -> ProofMismatch:
    return ProofMismatch(f"kind mismatch: {type(part).__name__} in the place of {what}", place)


def _rows(rows: object) -> list[tuple[Any, Any]]:
    if isinstance(rows, tuple):
        found: list[Any] = list(cast("Iterable[Any]", rows))
        if set(map(type, found)) <= _PAIRS and set(map(len, found)) <= _TWO:
            return found
    raise ProofMismatch("a tuple of pairs is expected")


def _ascending(keys: list[Any], labels: list[Any], what: str) -> None:
    for (a, b), label in zip(pairwise(keys), labels[1:], strict=False):
        if a == b:
            raise ProofMismatch(f"duplicate {what}: {label!r:.80}")
        if a > b:
            raise ProofMismatch(f"unsorted: {label!r:.80} comes after a greater one")
