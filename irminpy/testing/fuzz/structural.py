"""Changes of what a tree proof says, one small function each: children, hashes, counts, kinds, steps, places, roots.

Every function changes the `Parts` that it is given and says whether it found anything to change. Hashes of what is
revealed are in no proof, so that each mutant is consistent with a root of its own: what it is refused for is that root,
or a rule of the format.
"""

from __future__ import annotations

from random import Random

from . import entries
from .entries import Donor, Mutator, endless, rows_of, sort
from .parts import Child, Flat, Inner, Parts, Row, State, Value, nodes_of

__all__ = ["NEEDS_NAMES", "STRUCTURAL"]


def _places(parts: Parts, rng: Random) -> list[tuple[State | Row, Child]]:
    """What has a child, in an order of its own, and the child."""
    found: list[tuple[State | Row, Child]] = [(parts.state, parts.state.child)]
    found += [(row, row.child) for node in nodes_of(parts.state.child) for row in node.rows]
    rng.shuffle(found)
    return found


def flatten(parts: Parts, rng: Random, donor: Donor) -> bool:
    """The flat node of all entries that an inner node shows."""
    for place, child in _places(parts, rng):
        if isinstance(child, Inner):
            flat = [node for node in nodes_of(child) if isinstance(node, Flat)]
            rows = [row for node in flat for row in node.rows]
            if any(isinstance(row.child, Flat | Inner) for row in rows):
                continue
            node = Flat(rows)
            sort(node)
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
    return not endless(parts)


def share(parts: Parts, rng: Random, donor: Donor) -> bool:
    """What is revealed at its first place revealed at a later one instead, or at both."""
    names = donor.names
    blinded = [node.rows[i] for node, i in rows_of(parts) if isinstance(node.rows[i].child, bytes)]
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
    return not endless(parts)


def alias(parts: Parts, rng: Random, donor: Donor) -> bool:
    """A blinded part that claims to be one that is revealed elsewhere, with its count or another."""
    names = donor.names
    rows = [node.rows[i] for node, i in rows_of(parts) if isinstance(node.rows[i].child, bytes)]
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


STRUCTURAL: tuple[Mutator, ...] = (
    *(
        entries.drop,
        entries.drop_all,
        entries.duplicate,
        entries.swap,
        entries.reverse,
        entries.exchange,
        entries.blind,
        entries.unblind,
        entries.unblind_all,
        entries.rehash,
        entries.recount,
    ),
    *(
        entries.shift_count,
        entries.rekind,
        entries.remeta,
        entries.relabel,
        entries.move,
        entries.revalue,
        flatten,
        split,
        wrap,
        replant,
        share,
        alias,
    ),
    *(reroot, reafter, exchange_roots, lengthen, append, rehead),
)
"""All of them."""

NEEDS_NAMES = frozenset({entries.blind, share, alias, reafter, exchange_roots})
"""Those that look at `Donor.names`, which takes time to make."""
