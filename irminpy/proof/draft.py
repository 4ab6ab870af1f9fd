"""From the parts of a native proof, as they were taken apart, to objects with hashes.

A draft is a node without what follows from the nodes below it. Drafts come in pre-order; `assemble` goes through them
from the last to the first, so that a node is encoded and hashed when all below it are. Each object is made by the
format's own encoder and read by its own decoder, which refuses whatever no directory has: so every field of a proof
either goes into a hash, or is compared with what follows from one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..errors import DecodeError, ProofMismatch
from ..hash import Hash
from ..key import KindedHash
from ..objects import DIRECTORY
from ..path import join
from .shown import Shown

if TYPE_CHECKING:
    from ..schema import Schema
    from ..shape import Record

__all__ = ["Draft", "Flat", "Inner", "Root", "assemble", "place_in"]


class Flat(NamedTuple):
    """A flat directory or bucket."""

    parent: int
    """The number of the draft that reveals it, -1 for the root."""
    at: int
    """Which entry or bucket of the parent it is."""
    bucket: bool
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
    bucket: bool
    depth: int
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


def assemble(schema: Schema[object, object], root: Root, drafts: list[Draft], values: list[bytes]) -> Shown:
    """What the drafts show, with hashes. Raises ProofMismatch where they break a rule of the format."""
    codec = schema.codec
    size = codec.hash_size
    digest, encode = codec.digest, codec.encode_node
    hashes = codec.digest_many(codec.encode_contents(values))
    contents = dict(zip(hashes, values, strict=True))
    if len(contents) != len(values):
        raise ProofMismatch("inconsistent sharing: one value is revealed twice")
    nodes: dict[bytes, Record] = {}
    # The revealed nodes that nothing has claimed yet, the first one last.
    waiting: list[bytes] = []
    for number in range(len(drafts) - 1, -1, -1):
        draft = drafts[number]
        if type(draft) is Flat:
            column = draft.hashes
            if 1 in draft.reveals:
                parts: list[bytes] = []
                at = 0
                value = draft.values
                for kind, revealed in zip(draft.kinds, draft.reveals, strict=True):
                    if not revealed:
                        parts.append(column[at : at + size])
                        at += size
                    elif kind == DIRECTORY:
                        parts.append(waiting.pop())
                    else:
                        parts.append(hashes[value])
                        value += 1
                column = b"".join(parts)
            metadata = list(draft.metadata.values())
            data = encode(draft.steps, draft.kinds, column, metadata)
        else:
            column, counts, sizes = draft.hashes, [], iter(draft.counts)
            parts = []
            at = 0
            for revealed in draft.reveals:
                if revealed:
                    child = waiting.pop()
                    parts.append(child)
                    counts.append(nodes[child].count)
                else:
                    parts.append(column[at : at + size])
                    at += size
                    counts.append(next(sizes))
            if draft.length is not None and sum(counts) != draft.length:
                reason = f"bad length: {draft.length}, and its buckets have {sum(counts)} entries"
                raise ProofMismatch(reason, place_in(drafts, number))
            data = codec.encode_inode(draft.depth, draft.buckets, counts, b"".join(parts))
        try:
            record = codec.decode_node(data)
        except DecodeError as e:
            raise ProofMismatch(f"not canonical: {e.reason}", place_in(drafts, number)) from None
        hash_ = digest(data)
        if hash_ in nodes:
            raise ProofMismatch("inconsistent sharing: one node is revealed twice", place_in(drafts, number))
        if not record.count and number:
            raise ProofMismatch("an empty directory or bucket below the root", place_in(drafts, number))
        nodes[hash_] = record
        waiting.append(hash_)
    if root.hash is not None:
        top = root.hash
    else:
        top = hashes[0] if root.contents else waiting[0]
    kinded = KindedHash("contents" if root.contents else "node", Hash(top), root.metadata)
    return Shown(kinded, nodes, contents)


def check_values(
    schema: Schema[object, object], drafts: list[Draft], root: Root, values: list[bytes]
) -> None:
    """Raise ProofMismatch unless values and metadata are canonical bytes of the schema's types."""
    kind = schema.contents
    for value in values:
        try:
            kind.decode(value)
        except DecodeError as e:
            raise ProofMismatch(f"contents that are none: {e}") from e
    default = None
    for number, draft in enumerate(drafts):
        if type(draft) is Flat and draft.metadata:
            for at, data in draft.metadata.items():
                default = schema.metadata.encode(schema.metadata.default) if default is None else default
                _metadata(schema, data, default, place_in(drafts, number, at))
    if root.metadata is not None:
        _metadata(schema, root.metadata, schema.metadata.encode(schema.metadata.default), "/")


def _metadata(schema: Schema[object, object], data: bytes, default: bytes, place: str) -> None:
    if data == default:
        raise ProofMismatch("not canonical: the default metadata is written out", place)
    try:
        schema.metadata.decode(data)
    except DecodeError as e:
        raise ProofMismatch(f"metadata that is none: {e}", place) from e
