"""Changes of entries and buckets in a tree proof, one small function each: which there are, and what they say.

Every function changes the `Parts` that it is given and says whether it found anything to change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .parts import Child, Flat, Inner, Node, Parts, Row, Value, nodes_of

__all__ = ["Donor", "Mutator", "endless", "rows_of", "sort"]


@dataclass(frozen=True, slots=True)
class Donor:
    """What a mutator may put in: parts of the same tree by their hash, hashes, steps and nodes of other proofs."""

    known: dict[bytes, Callable[[], Child]]
    hashes: list[bytes]
    """Of parts of this proof, with those of objects of other kinds."""
    steps: list[bytes]
    strange: Callable[[], Node]
    """A node of some proof."""
    names: dict[int, tuple[bytes, int]]
    """Hash and number of entries of what the proof revealed before it was changed, by `id`."""


Mutator = Callable[[Parts, Random, Donor], bool]


def rows_of(parts: Parts) -> list[tuple[Node, int]]:
    """Every entry and bucket that is written down, as its node and its position."""
    return [(node, i) for node in nodes_of(parts.state.child) for i in range(len(node.rows))]


def _row(parts: Parts, rng: Random) -> tuple[Node, int] | None:
    nodes = [node for node in nodes_of(parts.state.child) if node.rows]
    if not nodes:
        return None
    node = rng.choice(nodes)
    return node, rng.randrange(len(node.rows))


def _label(node: Node, rng: Random, donor: Donor) -> bytes | int:
    return rng.choice(donor.steps) if isinstance(node, Flat) else rng.randrange(256)


def drop(parts: Parts, rng: Random, donor: Donor) -> bool:
    """An entry or a bucket less."""
    found = _row(parts, rng)
    if found is not None:
        del found[0].rows[found[1]]
    return found is not None


def drop_all(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A node without entries."""
    nodes = [node for node in nodes_of(parts.state.child) if node.rows]
    if nodes:
        rng.choice(nodes).rows.clear()
    return bool(nodes)


def duplicate(parts: Parts, rng: Random, donor: Donor) -> bool:
    """An entry or a bucket twice, side by side or at the end; sometimes under another step or digit."""
    found = _row(parts, rng)
    if found is None:
        return False
    node, i = found
    row = node.rows[i]
    label = row.label if rng.random() < 0.5 else _label(node, rng, donor)
    at = rng.choice((i, i + 1, len(node.rows)))
    node.rows.insert(at, Row(label, row.child, row.kind, row.metadata, row.count))
    if rng.random() < 0.5:
        sort(node)
    return True


def swap(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Two entries of a node in each other's place."""
    nodes = [node for node in nodes_of(parts.state.child) if len(node.rows) > 1]
    if not nodes:
        return False
    node = rng.choice(nodes)
    i, j = rng.sample(range(len(node.rows)), 2)
    node.rows[i], node.rows[j] = node.rows[j], node.rows[i]
    return True


def reverse(parts: Parts, rng: Random, donor: Donor) -> bool:
    """The entries of a node backwards."""
    nodes = [node for node in nodes_of(parts.state.child) if len(node.rows) > 1]
    if nodes:
        rng.choice(nodes).rows.reverse()
    return bool(nodes)


def exchange(parts: Parts, rng: Random, donor: Donor) -> bool:
    """What two entries lead to, exchanged; with or without their kinds."""
    one, two = _row(parts, rng), _row(parts, rng)
    if one is None or two is None or one == two:
        return False
    a, b = one[0].rows[one[1]], two[0].rows[two[1]]
    a.child, b.child = b.child, a.child
    if rng.random() < 0.7:
        a.kind, b.kind = b.kind, a.kind
        a.metadata, b.metadata = b.metadata, a.metadata
        a.count, b.count = b.count, a.count
    return not endless(parts)


def blind(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A revealed part blinded, with its hash or with another."""
    rows = [node.rows[i] for node, i in rows_of(parts) if not isinstance(node.rows[i].child, bytes)]
    if not rows:
        return False
    row = rng.choice(rows)
    true = donor.names.get(id(row.child), (rng.randbytes(32), 1))
    row.child = true[0] if rng.random() < 0.7 else rng.choice(donor.hashes)
    row.count = true[1] if rng.random() < 0.8 else rng.choice(COUNTS)
    return True


def unblind(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A blinded part revealed: as it is, or as something else."""
    rows = [node.rows[i] for node, i in rows_of(parts) if isinstance(node.rows[i].child, bytes)]
    if not rows:
        return False
    true = [row for row in rows if row.child in donor.known]
    if true and rng.random() < 0.6:
        row = rng.choice(true)
        assert isinstance(row.child, bytes)
        row.child = donor.known[row.child]()
    else:
        row = rng.choice(rows)
        row.child = Value(rng.randbytes(rng.randrange(4))) if row.kind else donor.strange()
    return True


def unblind_all(parts: Parts, rng: Random, donor: Donor) -> bool:
    """All that is known of the tree revealed, to some depth: a surplus."""
    done = False
    for _ in range(rng.randrange(1, 4)):
        for node, i in rows_of(parts):
            row = node.rows[i]
            if isinstance(row.child, bytes) and row.child in donor.known:
                row.child, done = donor.known[row.child](), True
    return done


def rehash(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Another hash of a blinded part: a bit, anything, zeros, of the wrong length, or one of another part."""
    rows = [node.rows[i] for node, i in rows_of(parts) if isinstance(node.rows[i].child, bytes)]
    if not rows:
        return False
    row = rng.choice(rows)
    old = row.child
    assert isinstance(old, bytes)
    flipped = bytes([old[0] ^ 1 << rng.randrange(8)]) + old[1:]
    row.child = rng.choice(
        (flipped, rng.randbytes(32), bytes(32), old[:31], old + b"\0", *[rng.choice(donor.hashes)] * 5)
    )
    return True


COUNTS = (0, 1, 2, 3, 31, 32, 33, 127, 128, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64)


def recount(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Another count of a blinded bucket."""
    rows = [
        r
        for n in nodes_of(parts.state.child)
        if isinstance(n, Inner)
        for r in n.rows
        if isinstance(r.child, bytes)
    ]
    if not rows:
        return False
    row = rng.choice(rows)
    row.count = max(0, row.count + rng.choice((-1, 1))) if rng.random() < 0.5 else rng.choice(COUNTS)
    return True


def shift_count(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Entries counted in one bucket instead of another: the length stays."""
    for node in nodes_of(parts.state.child):
        rows = [row for row in node.rows if isinstance(row.child, bytes)]
        if isinstance(node, Inner) and len(rows) > 1:
            a, b = rng.sample(rows, 2)
            a.count, b.count = a.count + 1, max(0, b.count - 1)
            return True
    return False


def rekind(parts: Parts, rng: Random, donor: Donor) -> bool:
    """An entry of another kind."""
    rows = [row for node in nodes_of(parts.state.child) if isinstance(node, Flat) for row in node.rows]
    if not rows:
        return False
    row = rng.choice(rows)
    row.kind = rng.choice([kind for kind in (0, 1, 2, 3, 8, 9) if kind != row.kind])
    if row.kind == 2:
        row.metadata = rng.choice((b"", b"\0", b"\1", b"\1\1"))
    return True


def remeta(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Other metadata."""
    rows = [
        r for node in nodes_of(parts.state.child) if isinstance(node, Flat) for r in node.rows if r.kind == 2
    ]
    if not rows and not parts.state.tag & 4:
        return False
    data = rng.choice((b"", b"\0", b"\2", b"\1\1", rng.randbytes(2)))
    if rows:
        rng.choice(rows).metadata = data
    else:
        parts.state.metadata = data
    return True


_STEPS = (
    b"",
    b"\0",
    b"a/b",
    b"/",
    b"\xff",
    b"a\xcc\x81",
    "á".encode(),
    b"\xed\xa0\x80",
    b"x" * 4096,
    b"x" * 4097,
    b".",
    b"..",
)


def relabel(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Another step or digit, in its order or not."""
    found = _row(parts, rng)
    if found is None:
        return False
    node, i = found
    row = node.rows[i]
    if isinstance(row.label, int):
        row.label = rng.randrange(parts.fanout)
    elif rng.random() < 0.5:
        row.label = rng.choice((*_STEPS, rng.choice(donor.steps)))
    else:
        row.label = rng.choice((row.label + b"x", row.label[:-1], row.label.upper(), row.label.swapcase()))
    if rng.random() < 0.5:
        sort(node)
    return True


def move(parts: Parts, rng: Random, donor: Donor) -> bool:
    """An entry in another node, in its order: where its own bucket lacks it, it looks absent."""
    nodes = nodes_of(parts.state.child)
    found = _row(parts, rng)
    same = [
        node for node in nodes if found is not None and type(node) is type(found[0]) and node is not found[0]
    ]
    if found is None or not same:
        return False
    node, i = found
    target = rng.choice(same)
    row = node.rows[i] if rng.random() < 0.3 else node.rows.pop(i)
    target.rows.append(Row(row.label, row.child, row.kind, row.metadata, row.count))
    if rng.random() < 0.8:
        sort(target)
    return not endless(parts)


def revalue(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Other bytes of a value."""
    values = [r.child for n in nodes_of(parts.state.child) for r in n.rows if isinstance(r.child, Value)]
    if isinstance(parts.state.child, Value):
        values.append(parts.state.child)
    if not values:
        return False
    value = rng.choice(values)
    data = value.data
    changed = bytes([data[0] ^ 1 << rng.randrange(8)]) + data[1:] if data else b"\0"
    value.data = rng.choice(
        (changed, b"", data + b"\0", data[:-1], rng.choice(values).data, rng.randbytes(3))
    )
    return True


def sort(node: Node) -> None:
    """Put the entries of `node` in their order."""
    node.rows.sort(key=lambda row: row.label if isinstance(row.label, bytes) else bytes((row.label & 255,)))


def endless(parts: Parts) -> bool:
    """Whether a node is now below itself, or a hundred times more than there was: such a mutant is left out."""
    waiting: list[tuple[Child, frozenset[int]]] = [(parts.state.child, frozenset())]
    met = 0
    while waiting:
        child, above = waiting.pop()
        if isinstance(child, Flat | Inner):
            met += 1
            if id(child) in above or met > 5000:
                return True
            waiting += [(row.child, above | {id(child)}) for row in child.rows]
    return False
