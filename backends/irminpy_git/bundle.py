"""The objects of a store as one pack, with deltas: what is pushed, and what a key-value store is kept as."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from irminpy.errors import Corrupted
from irminpy.objects import Kind, Objects

from .deltas import Entry, Result, deltas
from .kinds import Type
from .packing import write_pack

__all__ = ["TYPES", "packed"]

TYPES: Final = {Kind.CONTENTS: Type.BLOB, Kind.NODE: Type.TREE, Kind.COMMIT: Type.COMMIT}
"""The types of Git's objects by the kinds of a store's."""

_ROW: Final = re.compile(rb"[0-7]+ ([^\0]*)\0", re.DOTALL)
_WINDOW: Final = 10


def packed(
    objects: Objects, algorithm: str, *, level: int = 6, tags: Sequence[tuple[bytes, bytes]] = ()
) -> list[bytes]:
    """The pieces of a pack of `objects`: commits first, then directories from the root down, then contents.

    `tags` are ids and bodies of tags besides. Objects become differences of each other, at no more than a distance.
    """
    names: dict[bytes, bytes] = {}
    size = 20 if algorithm == "sha1" else 32
    for data in objects.nodes.values():
        at = data.index(b"\0") + 1
        while at < len(data):
            row = _ROW.match(data, at)
            if row is None:
                raise Corrupted("a directory to push", at, None, "it is no tree")
            at = row.end() + size
            names.setdefault(data[at - size : at], row[1])
    bodies: dict[bytes, bytes] = {}
    entries: list[Entry] = []
    for kind in (Kind.COMMIT, Kind.NODE, Kind.CONTENTS):
        for id, data in reversed(objects.of_kind(kind).items()):
            bodies[id] = data[data.index(b"\0") + 1 :]
            entries.append(Entry(id, TYPES[kind], len(bodies[id]), names.get(id)))
    for id, tag in tags:
        bodies[id] = tag
        entries.append(Entry(id, Type.TAG, len(tag)))
    results: list[tuple[Entry, Result]] = deltas(entries, bodies.get, window=_WINDOW)
    out = _Pieces()
    write_pack(out, results, bodies.get, level=level, algorithm=algorithm)
    return out.pieces


class _Pieces:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.pieces.append(data)
