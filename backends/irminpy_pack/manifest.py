"""MANIFEST: which segments make the store, and what the index was when it was closed.

Replaced as a whole: when a segment is sealed, when garbage collection flips, at close. Lost or damaged, it is made
again from the headers of the segments (docs/formats/pack.md, "MANIFEST").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast
from zlib import crc32

import msgpack

from .trailer import Tip

__all__ = ["Fingerprint", "Manifest", "Row"]

_MAGIC: Final = b"IRMPYMAN"
_pack = cast("Callable[[object], bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpack = cast("Callable[[bytes], Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]


class Row(NamedTuple):
    """A segment. `length` in bytes, header included; 0 for the active one, which grows."""

    number: int
    base: int
    length: int


class Fingerprint(NamedTuple):
    """What an LMDB data file was when it was closed."""

    length: int
    transaction: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the file says."""

    uuid: bytes
    generation: int
    segments: tuple[Row, ...]
    """By base, ascending; the last one is active."""
    tip: Tip
    """The end of the log when this was written: everything up to it was synced."""
    index: Fingerprint | None = None
    """Of the index when the store was closed, if nothing was written to it since."""
    flip: int = 0
    """Offset of the G frame with which garbage collection ended this generation's making; 0 for the first one."""

    def encode(self) -> bytes:
        """The bytes of the file."""
        index = None if self.index is None else list(self.index)
        rows = [list(row) for row in self.segments]
        body = _pack([self.uuid, self.generation, rows, list(self.tip), index, self.flip])
        return _MAGIC + crc32(body).to_bytes(4, "little") + body

    @staticmethod
    def decode(data: bytes) -> Manifest | None:
        """The inverse of `encode`, or None for bytes that are damaged."""
        body = data[12:]
        if data[:8] != _MAGIC or crc32(body).to_bytes(4, "little") != data[8:12]:
            return None
        try:
            uuid, generation, rows, tip, index, flip = _unpack(body)
            segments = tuple([Row(*row) for row in rows])
            fingerprint = None if index is None else Fingerprint(*index)
            manifest = Manifest(uuid, generation, segments, Tip(*tip), fingerprint, flip)
        except (ValueError, TypeError):
            return None
        return manifest if segments and manifest.encode() == data else None
