"""MANIFEST: which segments make the store, and what the index was when it was closed.

Replaced as a whole: when a segment is sealed, when garbage collection flips, at close. Lost or damaged, it is made
again from the headers of the segments (docs/formats/pack.md, "MANIFEST").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast
from zlib import crc32

import msgpack

from irminpy.fields import Frozen, NamedTuple, frozen

from .fingerprint import Fingerprint
from .trailer import Tip

__all__ = ["Manifest", "Row"]

_MAGIC: Final = b"IRMPYMAN"
_pack = cast("Callable[[object], bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpack = cast("Callable[[bytes], Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]


class Row(NamedTuple):
    """A segment. `length` in bytes, header included; 0 for the active one, which grows."""

    number: int
    base: int
    length: int


@frozen
class Manifest(Frozen):
    """What the file says."""

    __slots__ = ("flip", "generation", "indexes", "segments", "tip", "uuid")

    uuid: bytes
    generation: int
    segments: tuple[Row, ...]
    """By base, ascending; the last one is active."""
    tip: Tip
    """The end of the log when this was written: everything up to it was synced."""
    indexes: tuple[tuple[str, Fingerprint], ...]
    """(strategy, what its index was when a store was closed), in order. It may have been written to since."""
    flip: int
    """Offset of the G frame with which garbage collection ended this generation's making; 0 for the first one."""

    def __init__(
        self,
        uuid: bytes,
        generation: int,
        segments: tuple[Row, ...],
        tip: Tip,
        indexes: tuple[tuple[str, Fingerprint], ...] = (),
        flip: int = 0,
    ) -> None:
        self._set(uuid, generation, segments, tip, indexes, flip)

    def index(self, strategy: str) -> Fingerprint | None:
        """What the index of `strategy` was, or None."""
        return dict(self.indexes).get(strategy)

    def encode(self) -> bytes:
        """The bytes of the file."""
        indexes = [[strategy, *fingerprint] for strategy, fingerprint in self.indexes]
        rows = [list(row) for row in self.segments]
        body = _pack([self.uuid, self.generation, rows, list(self.tip), indexes, self.flip])
        return _MAGIC + crc32(body).to_bytes(4, "little") + body

    @staticmethod
    def decode(data: bytes) -> Manifest | None:
        """The inverse of `encode`, or None for bytes that are damaged."""
        body = data[12:]
        if data[:8] != _MAGIC or crc32(body).to_bytes(4, "little") != data[8:12]:
            return None
        try:
            uuid, generation, rows, tip, indexes, flip = _unpack(body)
            segments = tuple([Row(*row) for row in rows])
            found = tuple([(strategy, Fingerprint(*fields)) for strategy, *fields in indexes])
            manifest = Manifest(uuid, generation, segments, Tip(*tip), found, flip)
        except (ValueError, TypeError):
            return None
        return manifest if segments and manifest.encode() == data else None
