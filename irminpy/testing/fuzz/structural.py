"""Changes of what a tree proof says, one small function each: children, hashes, counts, kinds, steps, places, roots.

Every function changes the `Parts` that it is given and says whether it found anything to change. Hashes of what is
revealed are in no proof, so that each mutant is consistent with a root of its own: what it is refused for is that root,
or a rule of the format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .parts import Child, Flat, Inner, Node, Parts, Row, State, Value, nodes_of

__all__ = ["NEEDS_NAMES", "STRUCTURAL", "Donor", "Mutator"]


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


def _rows(parts: Parts) -> list[tuple[Node, int]]:
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
        _sort(node)
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
    return not _endless(parts)


def blind(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A revealed part blinded, with its hash or with another."""
    rows = [node.rows[i] for node, i in _rows(parts) if not isinstance(node.rows[i].child, bytes)]
    if not rows:
        return False
    row = rng.choice(rows)
    true = donor.names.get(id(row.child), (rng.randbytes(32), 1))
    row.child = true[0] if rng.random() < 0.7 else rng.choice(donor.hashes)
    row.count = true[1] if rng.random() < 0.8 else rng.choice(_COUNTS)
    return True


def unblind(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A blinded part revealed: as it is, or as something else."""
    rows = [node.rows[i] for node, i in _rows(parts) if isinstance(node.rows[i].child, bytes)]
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
        for node, i in _rows(parts):
            row = node.rows[i]
            if isinstance(row.child, bytes) and row.child in donor.known:
                row.child, done = donor.known[row.child](), True
    return done


def rehash(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Another hash of a blinded part: a bit, anything, zeros, of the wrong length, or one of another part."""
    rows = [node.rows[i] for node, i in _rows(parts) if isinstance(node.rows[i].child, bytes)]
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


_COUNTS = (0, 1, 2, 3, 31, 32, 33, 127, 128, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64)


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
    row.count = max(0, row.count + rng.choice((-1, 1))) if rng.random() < 0.5 else rng.choice(_COUNTS)
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
        _sort(node)
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
        _sort(target)
    return not _endless(parts)


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


def flatten(parts: Parts, rng: Random, donor: Donor) -> bool:
    """The flat node of all entries that an inner node shows."""
    for place, child in _places(parts, rng):
        if isinstance(child, Inner):
            flat = [node for node in nodes_of(child) if isinstance(node, Flat)]
            rows = [row for node in flat for row in node.rows]
            if any(isinstance(row.child, Flat | Inner) for row in rows):
                continue
            node = Flat(rows)
            _sort(node)
            place.child = node
            return True
    return False


def split(parts: Parts, rng: Random, donor: Donor) -> bool:
    """An inner node instead of a flat one; its buckets have one entry each, or all in one."""
    for place, child in _places(parts, rng):
        if isinstance(child, Flat) and child.rows:
            if rng.random() < 0.5:
                place.child = Inner([Row(rng.randrange(parts.fanout), child)])
            else:
                rows = child.rows[: parts.fanout]
                place.child = Inner([Row(digit, Flat([row])) for digit, row in enumerate(rows)])
            return True
    return False


def wrap(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A directory around a directory, or one less."""
    for place, child in _places(parts, rng):
        if not isinstance(child, Flat | Inner):
            continue
        if rng.random() < 0.5:
            label = rng.choice(donor.steps)
            place.child = Flat([Row(label, child)]) if rng.random() < 0.7 else Inner([Row(0, child)])
            return True
        below = [row.child for row in child.rows if isinstance(row.child, Flat | Inner)]
        if below:
            place.child = rng.choice(below)
            return True
    return False


def replant(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A node in the place of another: of this proof, or of another one."""
    places = [place for place, child in _places(parts, rng) if isinstance(child, Flat | Inner)]
    if not places:
        return False
    place = rng.choice(places)
    nodes = nodes_of(parts.state.child)
    place.child = rng.choice(nodes) if rng.random() < 0.5 else donor.strange()
    return not _endless(parts)


def share(parts: Parts, rng: Random, donor: Donor) -> bool:
    """What is revealed at its first place revealed at a later one instead, or at both."""
    names = donor.names
    blinded = [node.rows[i] for node, i in _rows(parts) if isinstance(node.rows[i].child, bytes)]
    places = [
        (p, names[id(child)][0])
        for p, child in _places(parts, rng)
        if id(child) in names and isinstance(p, Row)
    ]
    pairs = [(place, row) for place, name in places for row in blinded if row.child == name]
    if not pairs:
        return False
    place, row = rng.choice(pairs)
    assert isinstance(row.child, bytes)
    hash_ = row.child
    row.child = place.child
    if rng.random() < 0.6:
        place.count, place.child = names[id(place.child)][1], hash_
    return not _endless(parts)


def alias(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A blinded part that claims to be one that is revealed elsewhere, with its count or another."""
    names = donor.names
    rows = [node.rows[i] for node, i in _rows(parts) if isinstance(node.rows[i].child, bytes)]
    if not rows or not names:
        return False
    row, (hash_, count) = rng.choice(rows), rng.choice([*names.values()])
    row.child = hash_
    row.count = count if rng.random() < 0.7 else row.count
    return True


def reroot(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Another tag of the root, or another root altogether."""
    state = parts.state
    if rng.random() < 0.5:
        state.tag = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 255))
    else:
        blinded = State(rng.choice((0, 2)), rng.choice(donor.hashes))
        parts.state = rng.choice((blinded, State(3, Value(b"")), State(1, Flat())))
    return True


def reafter(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Another root after."""
    hash_ = rng.choice((*donor.hashes, *[hash_ for hash_, _ in donor.names.values()]))
    tag = rng.choice((b"\0", b"\2", b"\6\1\1"))
    choices = (b"\0", b"\1" + tag + hash_, b"\2", b"\1\0" + hash_[:31])
    changed = rng.choice([choice for choice in choices if choice != parts.after])
    parts.after = changed
    return True


def exchange_roots(parts: Parts, rng: Random, donor: Donor) -> bool:
    """The root after as the root before, and the reverse."""
    if len(parts.after) < 34:
        return False
    before = donor.names.get(id(parts.state.child))
    hash_ = before[0] if before else parts.state.child
    if not isinstance(hash_, bytes):
        return False
    after, parts.after = parts.after, b"\1\0" + hash_
    if rng.random() < 0.5:
        parts.state = State(after[1], after[2:34])
    return True


def lengthen(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A number that is longer than it needs."""
    parts.slack = rng.randrange(12)
    return True


def append(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Something after the end."""
    parts.tail = rng.choice((b"\0", b"\1", rng.randbytes(3), rng.choice(donor.hashes)))
    return True


def rehead(parts: Parts, rng: Random, donor: Donor) -> bool:
    """Another head: version, kind of proof, schema."""
    i = rng.choice((0, 4, 5, 6, 37))
    parts.head = parts.head[:i] + bytes([parts.head[i] ^ rng.choice((1, 3, 128))]) + parts.head[i + 1 :]
    return True


def _places(parts: Parts, rng: Random) -> list[tuple[State | Row, Child]]:
    """What has a child, in an order of its own, and the child."""
    found: list[tuple[State | Row, Child]] = [(parts.state, parts.state.child)]
    found += [(row, row.child) for node in nodes_of(parts.state.child) for row in node.rows]
    rng.shuffle(found)
    return found


def _sort(node: Node) -> None:
    node.rows.sort(key=lambda row: row.label if isinstance(row.label, bytes) else bytes((row.label & 255,)))


def _endless(parts: Parts) -> bool:
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


STRUCTURAL: tuple[Mutator, ...] = (
    *(drop, drop_all, duplicate, swap, reverse, exchange, blind, unblind, unblind_all, rehash, recount),
    *(shift_count, rekind, remeta, relabel, move, revalue, flatten, split, wrap, replant, share, alias),
    *(reroot, reafter, exchange_roots, lengthen, append, rehead),
)
"""All of them."""

NEEDS_NAMES = frozenset({blind, share, alias, reafter, exchange_roots})
"""Those that look at `Donor.names`, which takes time to make."""
