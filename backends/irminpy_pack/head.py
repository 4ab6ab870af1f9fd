"""HEAD: two slots, written in turn, each naming a batch that is complete (docs/formats/pack.md, "HEAD").

A hint, like the index: deleted, torn or old, it is made again from the segments.
"""

from __future__ import annotations

from struct import Struct
from typing import Final
from zlib import crc32

from irminpy.fields import NamedTuple

from .trailer import Tip

__all__ = ["HEAD_SIZE", "MODES", "SLOT_SIZE", "Slot", "best", "place", "slots"]

HEAD_SIZE: Final = 8192
SLOT_SIZE: Final = 4096
MODES: Final = ("full", "wal", "none")
_FIELDS: Final = Struct("<16sQQQQIQQQIB7x")
_CRC: Final = Struct("<I4x")


class Slot(NamedTuple):
    """What a slot says."""

    uuid: bytes
    generation: int
    tip: Tip
    durable: Tip
    """A tip of which everything is known to be on the disk."""
    mode: int
    """Index in MODES: how the batches up to `tip` were synced."""

    def encode(self) -> bytes:
        """The bytes of the slot that are not zero."""
        data = _FIELDS.pack(self.uuid, self.generation, *self.tip, *self.durable, self.mode)
        return data + _CRC.pack(crc32(data))


def place(batch_no: int) -> int:
    """The offset in HEAD of the slot for a batch."""
    return SLOT_SIZE * (batch_no & 1)


def _decode(data: bytes) -> Slot | None:
    if len(data) < _FIELDS.size + _CRC.size:
        return None
    if _CRC.unpack_from(data, _FIELDS.size)[0] != crc32(data[: _FIELDS.size]):
        return None
    uuid, generation, *numbers, mode = _FIELDS.unpack_from(data)
    if mode >= len(MODES):
        return None
    return Slot(uuid, generation, Tip(*numbers[:4]), Tip(*numbers[4:]), mode)


def slots(head: bytes, uuid: bytes) -> list[Slot]:
    """The slots of this store that hold, the newer one first."""
    found = [_decode(head[at : at + SLOT_SIZE]) for at in (0, SLOT_SIZE)]
    ours = [slot for slot in found if slot is not None and slot.uuid == uuid]
    return sorted(ours, key=_age, reverse=True)


def _age(slot: Slot) -> tuple[int, int]:
    return slot.generation, slot.tip.batch_no


def best(head: bytes, uuid: bytes) -> Slot | None:
    """The newest slot of this store that holds, or None."""
    found = slots(head, uuid)
    return found[0] if found else None
