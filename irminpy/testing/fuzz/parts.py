"""A native tree proof taken apart, to be changed and written down again: nothing here checks anything.

The bytes are those of docs/formats/proof.md. `taken_apart` is for the bytes of honest proofs; `written` takes whatever
mutators made of them. What is revealed carries no hash, so the root of a mutant always follows from what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...schema import Schema

__all__ = [
    "Child",
    "Flat",
    "Inner",
    "Node",
    "Parts",
    "Row",
    "State",
    "Value",
    "named",
    "nodes_of",
    "taken_apart",
    "written",
]

HEAD = 38  # bytes, with a hash of 32


@dataclass(slots=True)
class Value:
    """A revealed value."""

    data: bytes


@dataclass(slots=True)
class Row:
    """An entry or a bucket. `label` is the step of an entry or the digit of a bucket."""

    label: bytes | int
    child: Child
    kind: int = 0
    metadata: bytes = b""
    count: int = 0
    """Of a blinded bucket."""


@dataclass(slots=True)
class Flat:
    """A revealed flat node."""

    rows: list[Row] = field(default_factory=list[Row])


@dataclass(slots=True)
class Inner:
    """A revealed inner node."""

    rows: list[Row] = field(default_factory=list[Row])


Node: TypeAlias = Flat | Inner
Child: TypeAlias = Flat | Inner | Value | bytes
"""What a row leads to; bytes are the hash of something blinded."""


@dataclass(slots=True)
class State:
    """The root before: its tag, what it leads to, and its metadata."""

    tag: int
    child: Child
    metadata: bytes = b""


@dataclass(slots=True)
class Parts:
    """A proof: 38 bytes of head, the bytes of the root after with their tag, the state, and what follows."""

    head: bytes
    after: bytes
    state: State
    fanout: int
    tail: bytes = b""
    slack: int = -1
    """The number, in the order of writing, that is written a byte longer than it needs."""


def taken_apart(raw: bytes, schema: Schema[Any, Any]) -> Parts:
    """The parts of the honest proof `raw`."""
    at = HEAD
    fanout = schema.codec.fanout

    def take(n: int) -> bytes:
        nonlocal at
        at += n
        return raw[at - n : at]

    def number() -> int:
        n = shift = 0
        while (byte := take(1)[0]) > 127:
            n |= (byte & 127) << shift
            shift += 7
        return n | byte << shift

    def kinded() -> bytes:
        tag = take(1)
        if tag != b"\6":
            return tag + take(32)
        start = at
        take(number())
        return tag + raw[start:at] + take(32)

    after = take(1)
    if after == b"\1":
        after += kinded()
    tag = take(1)[0]
    if tag != 1:
        metadata = take(number()) if tag & 4 else b""
        root: Child = Value(take(number())) if tag & 1 else take(32)
        return Parts(raw[:HEAD], after, State(tag, root, metadata), fanout)
    state = State(1, b"")
    waiting: list[State | Row] = [state]
    while waiting:
        place = waiting.pop()
        n = number()
        node: Node
        if n == 1:
            node = Inner()
            bits = int.from_bytes(take((2 * fanout + 7) // 8), "little")
            for digit in range(fanout):
                if bits >> 2 * digit & 3:
                    node.rows.append(Row(digit, b"" if bits >> 2 * digit & 1 else Flat()))
            blinded = [row for row in node.rows if row.child == b""]
            for row in blinded:
                row.count = number()
            for row in blinded:
                row.child = take(32)
        else:
            node = Flat()
            lengths = [number() for _ in range(n // 2)]
            kinds = take(n // 2)
            node.rows = [
                Row(take(length), b"", kind & 3) for length, kind in zip(lengths, kinds, strict=True)
            ]
            for row, kind in zip(node.rows, kinds, strict=True):
                row.child = Flat() if kind & 4 else take(32)
            for row in node.rows:
                if row.kind == 2:
                    row.metadata = take(number())
            for row in node.rows:
                if row.kind and not isinstance(row.child, bytes):
                    row.child = Value(take(number()))
        place.child = node
        waiting += [row for row in reversed(node.rows) if isinstance(row.child, Flat)]
    return Parts(raw[:HEAD], after, state, fanout)


def nodes_of(child: Child) -> list[Node]:
    """All revealed nodes from `child` on, in pre-order."""
    found: list[Node] = []
    waiting = [child]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Flat | Inner):
            found.append(node)
            waiting += [row.child for row in reversed(node.rows)]
    return found


def written(parts: Parts) -> bytes:
    """The bytes that say what `parts` say, right or wrong."""
    out = [parts.head, parts.after]
    left = parts.slack

    def number(n: int) -> bytes:
        nonlocal left
        groups: list[int] = []
        while n > 127:
            groups.append(n & 127 | 128)
            n >>= 7
        if left == 0:
            groups += (n | 128, 0)
        else:
            groups.append(n)
        left -= 1
        return bytes(groups)

    def sized(data: bytes) -> None:
        out.extend((number(len(data)), data))

    state = parts.state
    out.append(bytes((state.tag,)))
    if state.tag & 4:
        sized(state.metadata)
    waiting: list[Child] = [state.child]
    while waiting:
        child = waiting.pop()
        if isinstance(child, bytes):
            out.append(child)
            continue
        if isinstance(child, Value):
            sized(child.data)
            continue
        rows = child.rows
        blinded = [row for row in rows if isinstance(row.child, bytes)]
        if isinstance(child, Inner):
            bits = 0
            for row in rows:
                digit = row.label if isinstance(row.label, int) else 0
                bits |= (1 if isinstance(row.child, bytes) else 2) << 2 * digit
            width = (2 * parts.fanout + 7) // 8
            out.append(b"\1" + (bits & (1 << 8 * width) - 1).to_bytes(width, "little"))
            out += [number(row.count) for row in blinded]
            out += [row.child for row in blinded if isinstance(row.child, bytes)]
            waiting += [row.child for row in reversed(rows) if not isinstance(row.child, bytes)]
            continue
        steps = [row.label if isinstance(row.label, bytes) else b"%x" % row.label for row in rows]
        out.append(number(2 * len(rows)))
        out += [number(len(step)) for step in steps]
        shown = [0 if isinstance(row.child, bytes) else 4 for row in rows]
        out.append(bytes([row.kind | bit for row, bit in zip(rows, shown, strict=True)]))
        out += steps
        out += [row.child for row in blinded if isinstance(row.child, bytes)]
        for row in rows:
            if row.kind == 2:
                sized(row.metadata)
        for row in rows:
            if row.kind and isinstance(row.child, Value):
                sized(row.child.data)
        waiting += [row.child for row in reversed(rows) if isinstance(row.child, Flat | Inner)]
    out.append(parts.tail)
    return b"".join(out)


def named(state: State, schema: Schema[Any, Any]) -> dict[int, tuple[bytes, int]]:
    """The hash, and how many entries it has, of everything that the honest `state` reveals, by `id`."""
    codec = schema.codec
    found: dict[int, tuple[bytes, int]] = {}
    depths: dict[int, int] = {}
    nodes = nodes_of(state.child)
    for node in nodes:
        for row in node.rows:
            if isinstance(row.child, Value):
                found[id(row.child)] = codec.digest(codec.encode_contents([row.child.data])[0]), 1
            depths[id(row.child)] = depths.get(id(node), 0) + 1 if isinstance(node, Inner) else 0
    for node in reversed(nodes):
        hashes = b"".join(
            [row.child if isinstance(row.child, bytes) else found[id(row.child)][0] for row in node.rows]
        )
        if isinstance(node, Flat):
            steps = [row.label.decode() for row in node.rows if isinstance(row.label, bytes)]
            columns = [row.metadata for row in node.rows if row.kind == 2]
            raw = codec.encode_node(steps, bytes([row.kind for row in node.rows]), hashes, columns)
            found[id(node)] = codec.digest(raw), len(node.rows)
            continue
        counts = [row.count if isinstance(row.child, bytes) else found[id(row.child)][1] for row in node.rows]
        digits = bytes([row.label for row in node.rows if isinstance(row.label, int)])
        raw = codec.encode_inode(depths.get(id(node), 0), digits, counts, hashes)
        found[id(node)] = codec.digest(raw), sum(counts)
    if isinstance(state.child, Value):
        found[id(state.child)] = codec.digest(codec.encode_contents([state.child.data])[0]), 1
    return found
