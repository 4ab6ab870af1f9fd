"""Packs as bytes: entries and whole files are written here (docs/formats/git.md, section 5)."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, Protocol

from irminpy.errors import InvalidHash

from .deltas import Entry, Getter, Result, Z

__all__ = [
    "OFS_DELTA",
    "REF_DELTA",
    "Packed",
    "Row",
    "Sink",
    "entry_header",
    "idx_bytes",
    "offset_bytes",
    "pack_header",
    "write_pack",
]

OFS_DELTA: Final = 6
REF_DELTA: Final = 7
_HEAD: Final = Struct(">4sII")
_LARGE: Final = 1 << 31
_IDX_HEAD: Final = b"\xfftOc\x00\x00\x00\x02"


class Sink(Protocol):
    """Where a pack is written to, such as a file opened in binary mode."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """Where an object lies in a pack."""

    id: bytes
    crc: int
    """crc32 of its entry as it is in the pack."""
    offset: int


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written: the trailer of the pack, which is its name, its bytes, and where each object lies."""

    trailer: bytes
    size: int
    rows: list[Row] = field(repr=False)
    deltas: int
    """How many of the objects are differences."""

    @property
    def name(self) -> str:
        """What Git calls the files of the pack."""
        return f"pack-{self.trailer.hex()}"


def pack_header(count: int) -> bytes:
    """What a pack of `count` objects begins with."""
    return _HEAD.pack(b"PACK", 2, count)


def entry_header(kind: int, size: int) -> bytes:
    """What an entry begins with: its type and the bytes of its payload before it is compressed."""
    byte = kind << 4 | size & 15
    size >>= 4
    if not size:
        return bytes((byte,))
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    out.append(byte)
    return bytes(out)


def offset_bytes(distance: int) -> bytes:
    """How far before an OFS_DELTA its base lies."""
    out = [distance & 0x7F]
    distance >>= 7
    while distance:
        distance -= 1
        out.append(distance & 0x7F | 0x80)
        distance >>= 7
    return bytes(reversed(out))


def write_pack(
    sink: Sink,
    results: Sequence[tuple[Entry, Result]],
    getter: Getter,
    *,
    level: int = 6,
    ofs: bool = True,
    algorithm: str = "sha1",
) -> Packed:
    """Write a pack of `results`, as `deltas` gives them, to `sink`.

    `getter` gives the bodies of those that are whole. `level` is that of zlib. With `ofs` deltas lead to their bases by
    the distance, else by the hash, as some receivers want it; a base that is not in the pack, which makes it thin,
    is always named by its hash. InvalidHash for an object that `getter` does not have.
    """
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    places: dict[bytes, int] = {}
    rows: list[Row] = []
    at = 0
    count = 0

    def put(data: bytes) -> None:
        nonlocal at
        hasher.update(data)
        sink.write(data)
        at += len(data)

    put(pack_header(len(results)))
    for entry, result in results:
        if isinstance(result, Z):
            body = getter(entry.id)
            if body is None or len(body) != entry.length:
                raise InvalidHash(entry.id, "there is no such object of the length that was announced")
            head, payload = entry_header(entry.kind, len(body)), body
        else:
            count += 1
            payload = result.data
            base = places.get(result.src_hash)
            if base is None or not ofs:
                head = entry_header(REF_DELTA, len(payload)) + result.src_hash
            else:
                head = entry_header(OFS_DELTA, len(payload)) + offset_bytes(at - base)
        data = head + zlib.compress(payload, level)
        places[entry.id] = at
        rows.append(Row(entry.id, zlib.crc32(data), at))
        put(data)
    trailer = hasher.digest()
    sink.write(trailer)
    return Packed(trailer, at + len(trailer), rows, count)


def idx_bytes(rows: Iterable[Row], trailer: bytes, *, algorithm: str = "sha1", large: int = _LARGE) -> bytes:
    """The index, version 2, of the pack that ends with `trailer`; the same bytes as `git index-pack` writes.

    Offsets of `large` and more stand in the table of 64 bits.
    """
    ordered = sorted(rows, key=_id)
    counts = [0] * 256
    for row in ordered:
        counts[row.id[0]] += 1
    fanout: list[int] = []
    total = 0
    for n in counts:
        total += n
        fanout.append(total)
    far: list[int] = []
    offsets: list[int] = []
    for row in ordered:
        if row.offset < large:
            offsets.append(row.offset)
        else:
            offsets.append(_LARGE | len(far))
            far.append(row.offset)
    n = len(ordered)
    parts: list[bytes] = [
        _IDX_HEAD,
        Struct(">256I").pack(*fanout),
        *(row.id for row in ordered),
        Struct(f">{n}I").pack(*[row.crc for row in ordered]),
        Struct(f">{n}I").pack(*offsets),
        Struct(f">{len(far)}Q").pack(*far),
        trailer,
    ]
    data = b"".join(parts)
    return data + hashlib.new(algorithm, data, usedforsecurity=False).digest()


def _id(row: Row) -> bytes:
    return row.id
