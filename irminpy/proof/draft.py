"""From the parts of a native proof, as they were taken apart, to objects with hashes.

A draft is a node without what follows from the nodes below it. Drafts come in pre-order; `assemble` goes through them
from the last to the first, so that a node is made when all below it are. Each object is made and checked by the codec
of the format, which refuses whatever no directory has: every field of a proof either goes into a hash, or is compared
with what follows from one.
"""

from __future__ import annotations

from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from ..errors import DecodeError, ProofMismatch
from ..hash import Hash
from ..key import KindedHash
from ..objects import DIRECTORY
from ..path import join
from .shape import check_shape
from .shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..formats.native import NativeCodec
    from ..schema import Schema
    from ..shape import Record

__all__ = ["Draft", "Flat", "Inner", "Root", "assemble", "check_metadata", "check_values", "place_in"]


class Flat(NamedTuple):
    """A flat directory or bucket."""

    parent: int
    """The number of the draft that reveals it, -1 for the root."""
    at: int
    """Which entry or bucket of the parent it is."""
    level: int
    """Inner nodes of the same directory above it; 0 for a directory."""
    prefix: int
    """The digits that led here, as one number."""
    steps: list[str]
    kinds: bytes
    reveals: bytes
    """For each entry 1 if what it leads to is revealed."""
    hashes: bytes
    """Those of the other entries, joined."""
    metadata: dict[int, bytes]
    values: int
    """How many values were revealed by the drafts before this one."""


class Inner(NamedTuple):
    """An inner node of a large directory."""

    parent: int
    at: int
    level: int
    prefix: int
    buckets: bytes
    reveals: bytes
    hashes: bytes
    counts: list[int]
    """Those of the blinded buckets."""
    length: int | None
    """How many entries the proof says there are, if it says so."""


Draft: TypeAlias = Flat | Inner


class Root(NamedTuple):
    """The root of a proof as it was taken apart."""

    contents: bool
    hash: bytes | None
    """None if it is revealed: then it is the first draft, or the only value."""
    metadata: bytes | None


def place_in(drafts: list[Draft], number: int, at: int | None = None) -> str:
    """Where draft `number` stands, or what its entry `at` leads to: a path, and the digits of a bucket."""
    steps: list[str] = []
    digits: list[str] = []
    while number >= 0:
        draft = drafts[number]
        if at is not None:
            if isinstance(draft, Flat):
                steps.append(draft.steps[at])
            elif not steps:
                digits.append(f"{draft.buckets[at]:x}")
        at, number = draft.at, draft.parent
    return "/" + join(tuple(reversed(steps))) + (f" bucket {'.'.join(reversed(digits))}" if digits else "")


def assemble(
    schema: Schema[Any, Any], root: Root, drafts: list[Draft], values: list[bytes]
) -> tuple[Shown, bool]:
    """What the drafts show, hashed and checked, and whether something that is revealed is also referred to elsewhere.

    ProofMismatch where they break a rule of the format.
    """
    codec = cast("NativeCodec", schema.codec)
    size = codec.hash_size
    digest = codec.digest
    _check_digits(codec, drafts)
    found = codec.digest_many(codec.encode_contents(values))
    contents = dict(zip(found, values, strict=True))
    if len(contents) != len(values):
        raise ProofMismatch("inconsistent sharing: one value is revealed twice")
    nodes: dict[bytes, Record] = {}
    # The revealed nodes that nothing has claimed yet, the first one last.
    waiting: list[bytes] = []
    for number in range(len(drafts) - 1, -1, -1):
        draft = drafts[number]
        record: Record
        try:
            if isinstance(draft, Flat):
                column = draft.hashes
                if 1 in draft.reveals:
                    column = _filled(draft, found, waiting, size)
                data, record = codec.made_node(
                    draft.steps, draft.kinds, column, list(draft.metadata.values())
                )
            else:
                counts, column = _joined(draft, nodes, waiting, size)
                data, record = codec.made_inode(draft.level, draft.buckets, counts, column)
        except DecodeError as e:
            raise ProofMismatch(f"not canonical: {e.reason}", place_in(drafts, number)) from None
        hash_ = digest(data)
        if hash_ in nodes:
            raise ProofMismatch("inconsistent sharing: one node is revealed twice", place_in(drafts, number))
        if isinstance(draft, Flat):
            if not draft.steps and number:
                raise ProofMismatch("an empty directory or bucket below the root", place_in(drafts, number))
        elif draft.length is not None and record.count != draft.length:
            reason = f"bad length: {draft.length}, and its buckets have {record.count} entries"
            raise ProofMismatch(reason, place_in(drafts, number))
        nodes[hash_] = record
        waiting.append(hash_)
    top = root.hash
    if top is None:
        top = found[0] if root.contents else waiting[0]
    kinded = KindedHash("contents" if root.contents else "node", Hash(top), root.metadata)
    shown = Shown(kinded, nodes, contents)
    check_values(schema, values)
    check_metadata(schema, root.metadata, "/")
    for number, draft in enumerate(drafts):
        if type(draft) is Flat and draft.metadata:
            for at, data in draft.metadata.items():
                check_metadata(schema, data, place_in(drafts, number, at))
    blinded = _blinded(drafts, size)
    if blinded.isdisjoint(nodes) and blinded.isdisjoint(contents):
        return shown, False
    check_shape(codec, shown)
    return shown, True


def _filled(draft: Flat, found: list[bytes], waiting: list[bytes], size: int) -> bytes:
    """The column of hashes, with those of the revealed parts."""
    column, value, at = draft.hashes, draft.values, 0
    parts: list[bytes] = []
    for kind, revealed in zip(draft.kinds, draft.reveals, strict=True):
        if not revealed:
            parts.append(column[at : at + size])
            at += size
        elif kind == DIRECTORY:
            parts.append(waiting.pop())
        else:
            parts.append(found[value])
            value += 1
    return b"".join(parts)


def _joined(
    draft: Inner, nodes: dict[bytes, Record], waiting: list[bytes], size: int
) -> tuple[list[int], bytes]:
    """The columns of counts and hashes, with those of the revealed buckets."""
    column, counts = draft.hashes, draft.counts.copy()
    parts: list[bytes] = []
    at = 0
    i = draft.reveals.find(1)
    before = 0
    while i >= 0:
        child = waiting.pop()
        end = at + (i - before) * size
        parts += (column[at:end], child)
        counts.insert(i, nodes[child].count)
        at, before = end, i + 1
        i = draft.reveals.find(1, before)
    parts.append(column[at:])
    return counts, b"".join(parts)


def _blinded(drafts: list[Draft], size: int) -> set[bytes]:
    """All hashes that stand in the drafts."""
    joined = b"".join([draft.hashes for draft in drafts])
    return set(chain.from_iterable(Struct(f"{size}s").iter_unpack(joined)))


def _check_digits(codec: NativeCodec, drafts: list[Draft]) -> None:
    """Raise ProofMismatch unless all steps in buckets have the digits that lead there."""
    flat = [(number, draft) for number, draft in enumerate(drafts) if type(draft) is Flat and draft.level]
    if not flat:
        return
    keys = iter(codec.digest_many([step.encode() for _, draft in flat for step in draft.steps]))
    width = codec.fanout.bit_length() - 1
    for number, draft in flat:
        bits = draft.level * width
        n = (bits + 7) >> 3
        shift = 8 * n - bits
        for i in range(len(draft.steps)):
            if int.from_bytes(next(keys)[:n], "big") >> shift != draft.prefix:
                reason = f"misplaced entry: {draft.steps[i]!r:.80} does not have the digits of its bucket"
                raise ProofMismatch(reason, place_in(drafts, number))


def check_values(schema: Schema[Any, Any], values: Iterable[bytes]) -> None:
    """Raise ProofMismatch unless `values` are canonical bytes of the type of contents."""
    if schema.contents.id == "bytes":
        return
    decode = schema.contents.decode
    for value in values:
        try:
            decode(value)
        except DecodeError as e:
            raise ProofMismatch(f"contents that are none: {e}") from e


def check_metadata(schema: Schema[Any, Any], data: bytes | None, place: str) -> None:
    """Raise ProofMismatch unless `data` are canonical bytes of metadata that are not the default, or None."""
    if data is None:
        return
    kind = schema.metadata
    if data == kind.encode(kind.default):
        raise ProofMismatch("not canonical: the default metadata is written out", place)
    try:
        kind.decode(data)
    except DecodeError as e:
        raise ProofMismatch(f"metadata that is none: {e}", place) from e
