"""Proofs that cost as much as the limits let pass, in many small parts: `python -m tests.bench.proofs --hostile`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from irminpy import Schema
from irminpy.formats import Custom, Inodes, Irmin, Native, Tezos
from irminpy.hash import BLAKE2B
from irminpy.metadata import Own
from irminpy.proof import Proof
from irminpy.proof.compact import TREE, head
from irminpy.proof.irmin import values
from irminpy.proof.irmin.binary import read_state
from irminpy.proof.irmin.fields import Fields, Input
from irminpy.proof.irmin.shape import levels_of
from irminpy.proof.limits import DEFAULT
from irminpy.repr import varint

from ..marks import MARKS

__all__ = ["irmin_shapes", "native_shapes", "streams"]

Shape = tuple[str, Schema[Any, Any], bytes]
"""A name, and the bytes of a proof."""


def _numbered(i: int) -> bytes:
    return i.to_bytes(32, "big")


# -- the native format -----------------------------------------------------------------------------------------


def _hash(part: bytes, schema: Schema[bytes]) -> bytes:
    """The hash of the directory that `part` reveals."""
    return bytes(Proof.from_bytes(head(schema, TREE) + b"\0\1" + part, schema).before.hash)


def native_shapes() -> Iterator[Shape]:
    """Tree proofs of the native format."""
    plain, small = Schema(), Schema(format=Native(2, 2))

    def above(parts: list[bytes], schema: Schema[bytes], most: int = 32) -> bytes:
        while len(parts) > 1:
            rows = [parts[i : i + most] for i in range(0, len(parts), most)]
            parts = [
                bytes((2 * len(row),)) + b"\1" * len(row) + b"\4" * len(row) + bytes(range(48, 48 + len(row)))
                + b"".join(row)
                for row in rows
            ]  # fmt: skip
        return head(schema, TREE) + b"\0\1" + parts[0]

    value = iter(range(1 << 16))
    filled = [
        b"\x40" + b"\1" * 32 + b"\5" * 32 + bytes(range(64, 96))
        + b"".join(b"\2" + next(value).to_bytes(2, "big") for _ in range(32))
        for _ in range(1500)
    ]  # fmt: skip
    inner = [b"\1\2" * 200 + b"\1\5\1\3" + _numbered(2 * i) + _numbered(2 * i + 1) for i in range(60)]
    yield (
        "nodes of one blinded entry",
        plain,
        above([b"\2\1\1a" + _numbered(i) for i in range(15_500)], plain),
    )
    chains = [b"\2\1\4a" * 100 + b"\2\1\1a" + _numbered(i) for i in range(150)]
    yield "nodes of one revealed directory", plain, above(chains, plain)
    yield "inner nodes of one revealed bucket", small, above(inner, small, 2)
    yield "values of two bytes", plain, above(filled, plain)
    # The wire form of metadata is what they are.
    own: Schema[Any, Any] = Schema(
        metadata=Own("any/1", b"", bytes, bytes, lambda old, ours, theirs: ours), format=Native(16, 256)
    )
    few = [b"\2\1\2a" + _numbered(i) + b"\2" + i.to_bytes(2, "big") for i in range(15_500)]
    yield "nodes of one entry with metadata", own, above(few, own)
    entry = "".join([f"{i:02x}" for i in range(256)]).encode()
    many = [
        b"\x80\4" + b"\2" * 256 + b"\2" * 256 + entry + b"".join([_numbered(256 * j + i) for i in range(256)])
        + b"".join([b"\2" + (256 * j + i).to_bytes(2, "big") for i in range(256)])
        for j in range(106)
    ]  # fmt: skip
    yield "nodes of many entries with metadata", own, above(many, own)
    # One part is referred to twice: it has to be the same in both places.
    nodes = [b"\2\1\1a" + _numbered(i) for i in range(15_400)]
    yield "nodes, one of them twice", plain, above([*nodes, b"\2\1\0a" + _hash(nodes[0], plain)], plain)
    few = inner[:-1]
    yield "inner nodes, one of them twice", small, above([*few, b"\2\1\0a" + _hash(few[0], small)], small, 2)
    twice = plain.codec.digest(plain.codec.encode_contents([b"\0\0"])[0])
    yield "values, one of them twice", plain, above([*filled[:1480], b"\2\1\1a" + twice], plain)


# -- Irmin's forms ---------------------------------------------------------------------------------------------

_CONTENTS, _BLINDED_CONTENTS, _NODE, _INODE, _EXTENDER = 0, 1, 2, 4, 5
_BLINDED_BUCKET, _VALUES, _INNER = 0, 1, 2


def _entry(step: bytes, part: bytes) -> bytes:
    return varint(len(step)) + step + part


def _flat(rows: list[bytes], tag: int = _NODE) -> bytes:
    return bytes((tag,)) + varint(len(rows)) + b"".join(rows)


def _above(parts: list[bytes], most: int = 32) -> bytes:
    while len(parts) > 1:
        rows = [parts[i : i + most] for i in range(0, len(parts), most)]
        parts = [_flat([_entry(bytes((48 + i,)), part) for i, part in enumerate(row)]) for row in rows]
    return parts[0]


Mark = Callable[[int], bytes]
"""The metadata of the contents with this number."""


def _steps_of(codec: Any, depth: int, path: list[int], n: int) -> list[bytes]:
    """`n` steps with the digits of `path`."""
    found: list[bytes] = []
    i = 0
    while len(found) < n:
        step = b"%x" % i
        if all(codec.digit(step.decode(), at) == path[at] for at in range(depth)):
            found.append(step)
        i += 1
    return sorted(found)


def _proof(schema: Schema[Any, Any], state: bytes) -> bytes:
    """The proof with this state, and with the root that it has."""
    fields = Fields(schema)
    parts = read_state(Input(state, fields), fields, levels_of(schema.codec), DEFAULT)
    root = fields.kinded(values.load(schema, parts, DEFAULT).root)
    return root + root + state


def _states(schema: Schema[Any, Any], mark: Mark) -> Iterator[tuple[str, Callable[[], bytes]]]:
    codec: Any = schema.codec
    most, leaf, levels = codec.flat, codec.leaf, codec.levels

    def _hidden(i: int) -> bytes:
        return bytes((_BLINDED_CONTENTS,)) + _numbered(i) + mark(i)

    def _value(i: int) -> bytes:
        return b"\0\2" + (i & 0xFFFF).to_bytes(2, "big") + mark(i)

    yield (
        "nodes of one blinded entry",
        lambda: _above([_flat([_entry(b"a", _hidden(i))]) for i in range(15_500)]),
    )

    def chained() -> bytes:
        opened = b"".join([_flat([_entry(b"a", b"")])] * 100)
        return _above([opened + _flat([_entry(b"a", _hidden(i))]) for i in range(150)])

    yield "nodes of one revealed directory", chained

    def filled() -> bytes:
        value = iter(range(1 << 16))
        rows = [
            _flat([_entry(bytes((64 + i,)), _value(next(value))) for i in range(32)]) for _ in range(1500)
        ]
        return _above(rows)

    yield "values of two bytes", filled
    yield (
        "one directory of blinded entries",
        lambda: _above(
            [_flat([_entry(b"%05d" % i, _hidden(i)) for i in range(min(26_000, most))])]
            * max(1, 26_000 // most)
        ),
    )

    def inodes() -> bytes:
        total = varint(most + 1)
        buckets = [varint(i) + b"\0" for i in range(codec.fanout)]
        rows = [
            bytes((_INODE,)) + total + varint(len(buckets))
            + b"".join([bucket + _numbered(1 << 20 | j << 8 | i) for i, bucket in enumerate(buckets)])
            for j in range(28_000 // codec.fanout)
        ]  # fmt: skip
        return _above(rows)

    yield "inodes of blinded buckets", inodes

    def extenders() -> bytes:
        # As deep as may be: their last bucket is blinded.
        head_ = bytes((_EXTENDER,)) + varint(most + 1) + varint(levels)
        rows = [
            head_
            + b"".join([bytes(((i >> at) % codec.fanout,)) for at in range(levels)])
            + b"\0"
            + _numbered(i)
            for i in range(15_000 // levels)
        ]
        return _above(rows)

    yield "extenders down to the last level", extenders

    def buckets() -> bytes:
        # Each with all steps that it may have, three inodes down.
        steps = _steps_of(codec, 3, [0, 0, 0], leaf)
        row = iter(range(1 << 20))
        head_ = bytes((_EXTENDER,)) + varint(most + 1) + b"\2\0\0\2" + varint(most + 1) + varint(2) + b"\0"
        rows = [
            head_ + _flat([_entry(step, _value(next(row))) for step in steps], _VALUES)
            + b"\1\0" + _numbered(j)
            for j in range(58_000 // (leaf + 16))
        ]  # fmt: skip
        return _above(rows)

    yield "buckets of values below extenders", buckets

    def apart() -> bytes:
        # One bucket is shown once, and blinded in all other directories.
        steps = _steps_of(codec, 1, [0], min(2, leaf))
        shown = _flat([_entry(step, _hidden(0)) for step in steps], _VALUES)
        own = [mark(0)] * len(steps) if mark(0) else []
        codes = codec.encode_bucket(
            [s.decode() for s in steps],
            (b"\2" if own else b"\1") * len(steps),
            _numbered(0) * len(steps),
            own,
        )
        hidden = b"\0" + codec.digest(codes)
        total = varint(most + 1)

        def inode(bucket: bytes, i: int) -> bytes:
            return bytes((_INODE,)) + total + b"\2\0" + bucket + b"\1\0" + _numbered(i)

        return _above([inode(hidden if i else shown, i) for i in range(13_500)])

    yield "inodes with a bucket that is shown elsewhere", apart


_FLAT = "irmin, flat, metadata"


def _marked(inodes: Inodes | None) -> Schema[Any, Any]:
    return Schema(metadata=MARKS, hash=BLAKE2B(32), format=Irmin(inodes))


def _schemas() -> Iterator[tuple[str, Schema[Any, Any], Mark]]:
    yield "irmin", Schema(hash=BLAKE2B(32), format=Irmin()), lambda i: b""
    yield "tezos", Schema(hash=BLAKE2B(32), format=Tezos()), lambda i: b""
    yield "irmin, two entries", Schema(hash=BLAKE2B(32), format=Irmin(Inodes(2, 32, "seeded"))), lambda i: b""
    yield "irmin, metadata", _marked(Inodes()), lambda i: b"\2" + (i & 0xFFFF).to_bytes(2, "big")
    yield "irmin, few metadata", _marked(Inodes()), lambda i: bytes((1, i & 7))
    yield _FLAT, _marked(None), lambda i: b"\2" + (i & 0xFFFF).to_bytes(2, "big")
    order = Custom("bytes/1", lambda depth, step: step[depth % len(step)] & 1)
    yield (
        "irmin, an order of ours",
        Schema(hash=BLAKE2B(32), format=Irmin(Inodes(2, 32, order))),
        lambda i: b"",
    )


def irmin_shapes() -> Iterator[Shape]:
    """Tree proofs of the formats `irmin` and `tezos`."""
    for name, schema, mark in _schemas():
        if name == _FLAT:
            continue  # its directories are read as those above
        for what, state in _states(schema, mark):
            yield f"{name}: {what}", schema, _proof(schema, state())


def streams() -> Iterator[Shape]:
    """Stream proofs of these formats, as they are read from bytes."""
    for name, schema, mark in _schemas():
        roots = Fields(schema).kinded(_root(schema)) * 2
        rows = {
            "values of no bytes": [b"\0\0"] * 200_000,
            "nodes of one entry": [b"\1\1\1a\0" + _numbered(i) + mark(i) for i in range(27_000)],
            "one node of many entries": [
                b"\1" + varint(24_000)
                + b"".join([_entry(b"%05d" % i, b"\0" + _numbered(i) + mark(i)) for i in range(24_000)])
            ],
            "one extender of many segments": [b"\3\1" + varint(1_000_000) + bytes(1_000_000) + _numbered(1)],
        }  # fmt: skip
        for what, elements in rows.items():
            yield f"{name}, stream: {what}", schema, roots + varint(len(elements)) + b"".join(elements)


def _root(schema: Schema[Any, Any]) -> Any:
    from irminpy import KindedHash
    from irminpy.hash import Hash

    return KindedHash("node", Hash(_numbered(7)))
