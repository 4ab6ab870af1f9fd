"""Reading packs: single objects through an index, or a whole pack that came from somebody else.

Nothing in a pack is believed. Sizes are bounded before anything is inflated, chains of deltas end, bases lie where an
entry begins, and every object is hashed by whoever asks for it (docs/formats/git.md, section 5).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from irminpy.errors import Corrupted, DanglingHash, DecodeError
from irminpy.lru import Lru

from . import delta
from .idx import Idx, View
from .kinds import Type, id_of
from .packing import OFS_DELTA, REF_DELTA, Row, entry_header, pack_header

__all__ = [
    "LARGEST",
    "Head",
    "Indexed",
    "PackFile",
    "Scanned",
    "complete",
    "index_pack",
    "scan",
    "verify_pack",
]

LARGEST: Final = 512 << 20
"""The most bytes of an object, unless the caller sets another limit."""
DEEPEST: Final = 4095
"""The longest chain of deltas, as of Git."""
_PIECE: Final = 1 << 14
_CACHE: Final = 32 << 20

Lookup = Callable[[bytes], "tuple[Type, bytes] | None"]


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an entry."""

    kind: int
    """The number of a `Type`, or `OFS_DELTA`, or `REF_DELTA`."""
    size: int
    """Bytes of the payload once it is inflated."""
    payload: int
    """Where that begins."""
    base: int | bytes | None
    """Of a delta: where its base begins, or the id of that."""


def _head(path: str, view: View, at: int, id_size: int, end: int) -> Head:
    """The beginning of the entry at `at`; Corrupted if that is none, or if it reaches beyond `end`."""
    try:
        byte = view[at]
        position = at + 1
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            byte = view[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise Corrupted(path, at, None, "a size of more than 63 bits")
        base: int | bytes | None = None
        if kind == OFS_DELTA:
            byte = view[position]
            position += 1
            distance = byte & 0x7F
            while byte & 0x80:
                byte = view[position]
                position += 1
                distance = (distance + 1 << 7) | byte & 0x7F
                if distance > end:
                    break
            base = at - distance
            if not distance or base < 12:
                raise Corrupted(
                    path, at, None, f"its base is {distance} bytes before it, where no entry begins"
                )
        elif kind == REF_DELTA:
            base = view[position : position + id_size]
            position += id_size
        elif kind not in (1, 2, 3, 4):
            raise Corrupted(path, at, None, f"an entry of type {kind}, which there is not")
    except IndexError:
        position = end + 1
        kind, size, base = 0, 0, None
    if position > end:
        raise Corrupted(path, at, None, "the entry goes beyond the end of the pack")
    return Head(kind, size, position, base)


def _inflate(path: str, view: View, at: int, size: int, end: int, largest: int) -> tuple[bytes, int]:
    """(the payload at `at`, where it ends); Corrupted unless it has `size` bytes. At most one more is ever made."""
    if size > largest:
        raise Corrupted(path, at, None, f"an object of {size} bytes, the limit is {largest}")
    engine = zlib.decompressobj()
    parts: list[bytes] = []
    got = 0
    try:
        while not engine.eof:
            piece = engine.unconsumed_tail or view[at : min(at + max(_PIECE, size >> 1), end)]
            if not piece:
                raise Corrupted(path, at, None, "the entry goes beyond the end of the pack")
            if not engine.unconsumed_tail:
                at += len(piece)
            part = engine.decompress(piece, size - got + 1)
            got += len(part)
            parts.append(part)
            if got > size:
                raise Corrupted(path, at, None, f"the entry holds more than the {size} bytes it promises")
    except zlib.error as cause:
        raise Corrupted(path, at, None, f"the entry cannot be inflated: {cause}") from cause
    if got != size:
        raise Corrupted(path, at, None, f"the entry holds {got} bytes and promises {size}")
    return (parts[0] if len(parts) == 1 else b"".join(parts)), at - len(engine.unused_data)


def _check_head(path: str, view: View, id_size: int) -> int:
    """How many objects the pack says it has; Corrupted or UnsupportedVersion if it is none."""
    if len(view) < 12 + id_size or view[:4] != b"PACK":
        raise Corrupted(path, 0, None, "it is no pack: it does not begin with PACK, or is too short")
    version, count = int.from_bytes(view[4:8], "big"), int.from_bytes(view[8:12], "big")
    if version != 2:
        raise Corrupted(path, 4, None, f"a pack of version {version}, only 2 can be read")
    # An entry has a header and the shortest stream of zlib.
    if count > (len(view) - 12 - id_size) // 9:
        raise Corrupted(path, 8, None, f"{count} objects do not fit into {len(view)} bytes")
    return count


def _trailer(path: str, view: View, algorithm: str, id_size: int) -> bytes:
    end = len(view) - id_size
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    for at in range(0, end, 1 << 20):
        hasher.update(view[at : min(at + (1 << 20), end)])
    found = view[end:]
    if hasher.digest() != found:
        raise Corrupted(path, end, None, "it does not end with its own hash")
    return found


class PackFile:
    """A pack with its index: objects by id or by place. Threads may share it."""

    def __init__(self, path: str, view: View, idx: Idx, largest: int = LARGEST) -> None:
        self.path = path
        self.idx = idx
        self._view = view
        self._largest = largest
        self._end = len(view) - idx.size
        # Objects that others are differences of, by place.
        self._bases: Lru[int, tuple[Type, bytes]] = Lru(_CACHE, _weight)
        count = _check_head(path, view, idx.size)
        if count != idx.count or view[self._end :] != idx.trailer:
            raise Corrupted(path, None, None, f"its index {idx.path} is that of another pack")

    def read(self, id: bytes) -> tuple[Type, bytes] | None:
        """Type and body of the object `id`, or None if it is not in here. Not hashed. Raises Corrupted."""
        at = self.idx.find(id)
        return None if at is None else self.at(at)

    def at(self, at: int) -> tuple[Type, bytes]:
        """Type and body of the object whose entry is at `at`."""
        path, view, end, bases = self.path, self._view, self._end, self._bases
        if not 12 <= at < end:
            raise Corrupted(path, at, None, "the index leads beyond the pack")
        chain: list[tuple[int, bytes]] = []
        seen = {at}
        while True:
            found = bases.find(at)
            if found is not None:
                kind, body = found
                break
            head = _head(path, view, at, self.idx.size, end)
            payload, _ = _inflate(path, view, head.payload, head.size, end, self._largest)
            if head.base is None:
                kind, body = Type(head.kind), payload
                break
            chain.append((at, payload))
            base = self.idx.find(head.base) if isinstance(head.base, bytes) else head.base
            if base is None:
                raise Corrupted(path, at, None, "its base is in another pack")
            if base in seen or len(seen) > DEEPEST:
                raise Corrupted(
                    path, at, None, "a chain of deltas that is too long, or leads round in a circle"
                )
            seen.add(base)
            at = base
        while chain:
            bases.add(at, (kind, body))
            at, data = chain.pop()
            body = self._apply(at, body, data)
        return kind, body

    def _apply(self, at: int, body: bytes, data: bytes) -> bytes:
        try:
            if delta.sizes(data)[1] > self._largest:
                raise Corrupted(self.path, at, None, f"an object of more than {self._largest} bytes")
            return delta.apply(body, data)
        except DecodeError as cause:
            raise Corrupted(self.path, at, None, str(cause)) from cause

    def kind_at(self, at: int) -> Type:
        """The type of the object whose entry is at `at`: of a difference that of what the chain ends with."""
        seen = {at}
        while True:
            head = _head(self.path, self._view, at, self.idx.size, self._end)
            if head.base is None:
                return Type(head.kind)
            base = self.idx.find(head.base) if isinstance(head.base, bytes) else head.base
            if base is None or base in seen or len(seen) > DEEPEST:
                raise Corrupted(
                    self.path, at, None, "its base is nowhere, or the chain leads round in a circle"
                )
            seen.add(base)
            at = base


def _weight(found: tuple[Type, bytes]) -> int:
    return len(found[1]) + 100


@dataclass(frozen=True, slots=True)
class Scanned:
    """An entry as it stands in a pack."""

    offset: int
    end: int
    head: Head
    payload: bytes
    crc: int


def scan(path: str, view: View, *, id_size: int = 20, largest: int = LARGEST) -> Iterator[Scanned]:
    """All entries of the pack in the order of the file, inflated one by one; Corrupted where that fails.

    Nothing may follow the last one but the trailer, which is not looked at.
    """
    count = _check_head(path, view, id_size)
    end = len(view) - id_size
    at = 12
    for _ in range(count):
        head = _head(path, view, at, id_size, end)
        payload, stop = _inflate(path, view, head.payload, head.size, end, largest)
        yield Scanned(at, stop, head, payload, zlib.crc32(view[at:stop]))
        at = stop
    if at != end:
        raise Corrupted(path, at, None, f"{end - at} bytes follow its last entry")


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a whole pack was found to hold."""

    rows: list[Row]
    trailer: bytes
    kinds: dict[bytes, Type]
    missing: tuple[bytes, ...]
    """Bases that are not in the pack but were found elsewhere: it is thin."""
    depths: dict[bytes, int]
    """Id to the length of the chain of deltas that leads to the object."""


def index_pack(
    path: str,
    view: View,
    getter: Lookup | None = None,
    *,
    algorithm: str = "sha1",
    largest: int = LARGEST,
    budget: int | None = None,
    visit: Callable[[Type, bytes, bytes], object] | None = None,
) -> Indexed:
    """Check a pack that nobody vouches for, and find out where its objects lie.

    Every entry is inflated, every delta applied, every object hashed. `getter` gives objects from elsewhere, as bases
    of a thin pack. `budget` is the most bytes that all objects together may have. `visit(type, id, body)` is called for
    each object. Corrupted for anything that is wrong, DanglingHash for a base that is nowhere. Memory: the deltas, and
    the objects of one chain.
    """
    id_size = hashlib.new(algorithm, usedforsecurity=False).digest_size
    trailer = _trailer(path, view, algorithm, id_size)
    rows: list[Row] = []
    kinds: dict[bytes, Type] = {}
    depths: dict[bytes, int] = {}
    starts: dict[int, Scanned] = {}
    waiting: dict[int | bytes, list[Scanned]] = {}
    whole: list[tuple[Scanned, int]] = []
    spent = held = 0

    def add(entry: Scanned, kind: Type, body: bytes, depth: int) -> bytes:
        nonlocal spent
        spent += len(body)
        if budget is not None and spent > budget:
            raise Corrupted(path, entry.offset, None, f"its objects have more than {budget} bytes")
        id = id_of(kind, body, algorithm)
        if id in kinds:
            raise Corrupted(path, entry.offset, id, "the object is there twice")
        rows.append(Row(id, entry.crc, entry.offset))
        kinds[id] = kind
        depths[id] = depth
        if visit is not None:
            visit(kind, id, body)
        return id

    def follow(kind: Type, body: bytes, key: int, id: bytes, depth: int) -> None:
        """All that is made of an object, and all that is made of that."""
        stack = [(body, entry, depth + 1) for k in (key, id) for entry in waiting.pop(k, ())]
        while stack:
            source, entry, depth = stack.pop()
            if depth > DEEPEST:
                raise Corrupted(path, entry.offset, None, f"a chain of more than {DEEPEST} deltas")
            try:
                if delta.sizes(entry.payload)[1] > largest:
                    raise Corrupted(path, entry.offset, None, f"an object of more than {largest} bytes")
                made = delta.apply(source, entry.payload)
            except DecodeError as cause:
                raise Corrupted(path, entry.offset, None, str(cause)) from cause
            id = add(entry, kind, made, depth)
            stack += [(made, e, depth + 1) for k in (entry.offset, id) for e in waiting.pop(k, ())]

    for entry in scan(path, view, id_size=id_size, largest=largest):
        starts[entry.offset] = entry if entry.head.base is not None else _light(entry)
        base = entry.head.base
        if base is None:
            whole.append((_light(entry), entry.head.kind))
        else:
            if isinstance(base, int) and base not in starts:
                raise Corrupted(
                    path, entry.offset, None, f"no entry begins at {base}, where its base should be"
                )
            # Deltas wait in memory for what they are made of, which may never come.
            held += len(entry.payload)
            if budget is not None and held > budget:
                raise Corrupted(path, entry.offset, None, f"its deltas have more than {budget} bytes")
            waiting.setdefault(base, []).append(entry)
    starts.clear()
    for entry, number in whole:
        body, _ = _inflate(path, view, entry.head.payload, entry.head.size, len(view) - id_size, largest)
        kind = Type(number)
        follow(kind, body, entry.offset, add(entry, kind, body, 0), 0)
    missing: list[bytes] = []
    while waiting:
        # Whatever is still waiting hangs, at the end of its chain, on an object that is not in the pack.
        outside = sorted(key for key in waiting if isinstance(key, bytes))
        found = next(
            ((id, f) for id in outside if getter is not None and (f := getter(id)) is not None), None
        )
        if found is None:
            if outside:
                raise DanglingHash(f"{path}: the base of a delta", outside[0])
            raise Corrupted(path, None, None, "deltas whose bases lead round in a circle")
        id, (kind, body) = found
        missing.append(id)
        follow(kind, body, -1, id, 0)
    return Indexed(rows, trailer, kinds, tuple(missing), depths)


def _light(entry: Scanned) -> Scanned:
    """`entry` without its payload."""
    return Scanned(entry.offset, entry.end, entry.head, b"", entry.crc)


def complete(
    data: bytes, indexed: Indexed, getter: Lookup, *, algorithm: str = "sha1", level: int = 6
) -> bytes:
    """The thin pack `data` with the bases that it lacks behind it: a pack that stands alone."""
    if not indexed.missing:
        return data
    id_size = len(indexed.trailer)
    count = int.from_bytes(data[8:12], "big")
    parts = [pack_header(count + len(indexed.missing)), data[12 : len(data) - id_size]]
    for id in indexed.missing:
        found = getter(id)
        if found is None:
            raise DanglingHash("the base of a delta", id)
        kind, body = found
        parts.append(entry_header(kind, len(body)) + zlib.compress(body, level))
    whole = b"".join(parts)
    return whole + hashlib.new(algorithm, whole, usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify_pack` found in order."""

    objects: int
    deltas: int
    deepest: int
    """The longest chain of deltas."""
    size: int
    """Bytes of the pack."""
    inflated: int
    """Bytes of all objects."""


def verify_pack(
    path: str, view: View, idx: Idx, *, algorithm: str = "sha1", largest: int = LARGEST
) -> Verified:
    """Check a pack against its index: hashes of both, every object, every crc32, every place. Raises Corrupted."""
    idx.check(algorithm)
    total = 0

    def visit(kind: Type, id: bytes, body: bytes) -> None:
        nonlocal total
        total += len(body)

    found = index_pack(path, view, algorithm=algorithm, largest=largest, visit=visit)
    if found.trailer != idx.trailer:
        raise Corrupted(path, None, None, f"its index {idx.path} is that of another pack")
    if sorted(found.rows, key=lambda row: row.id) != list(idx.rows()):
        raise Corrupted(idx.path, None, None, "it does not say where the objects are")
    depths = found.depths.values()
    return Verified(len(found.rows), sum(d > 0 for d in depths), max(depths, default=0), len(view), total)
