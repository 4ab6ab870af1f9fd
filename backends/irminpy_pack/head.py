"""HEAD: two slots, written in turn, each naming a batch that is complete (docs/formats/pack.md, "HEAD").

A hint, like the index: deleted, torn or old, it is made again from the segments.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final
from zlib import crc32

from irminpy.errors import StorageError
from irminpy.fields import NamedTuple

from .files import Files, read_at, write_at
from .trailer import Tip

__all__ = ["HEAD_SIZE", "MODES", "SLOT_SIZE", "HeadFile", "Slot", "place", "slots"]

HEAD_SIZE: Final = 8192
SLOT_SIZE: Final = 4096
MODES: Final = ("full", "wal", "none")
_FIELDS: Final = Struct("<16sQQQQIQQQIB7x")
_CRC: Final = Struct("<I4x")
_SAID: Final = SLOT_SIZE + _FIELDS.size + _CRC.size
"""Bytes in which both slots are; what follows is zero."""


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


class HeadFile:
    """HEAD of one store, as one handle reads and writes it."""

    __slots__ = ("_best", "_fd", "_files", "_path", "_uuid", "_writing", "said")

    def __init__(self, files: Files, path: str, uuid: bytes, *, writing: bool) -> None:
        self._files = files
        self._path = path
        self._uuid = uuid
        self._writing = writing
        self._fd: int | None = None
        self.said: bytes = b""
        """What it said when it was looked at last, or what was written into it since."""
        # The best slot in `said`, once it was asked for.
        self._best: tuple[bytes, Slot | None] = (b"", None)

    def _open(self) -> int | None:
        if self._fd is None:
            flags = os.O_RDWR | os.O_CREAT if self._writing else os.O_RDONLY
            try:
                self._fd = self._files.open(self._path, flags)
            except FileNotFoundError:
                return None  # a reader of a store whose HEAD was deleted
        return self._fd

    def read(self) -> bytes:
        """What it says now, up to the end of what the second slot says; nothing where it was deleted. Cost: one read.

        Raises OSError.
        """
        fd = self._open() if self._fd is None else self._fd
        return b"" if fd is None else read_at(self._files, fd, _SAID, 0)

    def best(self) -> Slot | None:
        """The newest slot that held in what was `said`."""
        if self._best[0] is not self.said:
            found = slots(self.said, self._uuid)
            self._best = self.said, found[0] if found else None
        return self._best[1]

    def name(self, slot: Slot, *, sync: bool) -> None:
        """Write `slot` over the older one. `sync`: durably. Raises OSError, and StorageError if HEAD cannot be made."""
        data = slot.encode()
        fd = self._open()
        if fd is None:
            raise StorageError(f"{self._path} is missing")
        if len(self.said) < _SAID:
            write_at(self._files, fd, bytes(HEAD_SIZE), 0)
        at = place(slot.tip.batch_no)
        write_at(self._files, fd, data, at)
        if sync:
            self._files.fdatasync(fd)
        self._note(at, data)
        self._best = self.said, slot

    def forget(self, batch_no: int) -> None:
        """Wipe the slot for batches numbered as `batch_no` is, durably. Raises OSError."""
        fd = self._open()
        if fd is not None:
            at, nothing = place(batch_no), bytes(SLOT_SIZE)
            write_at(self._files, fd, nothing, at)
            self._files.fdatasync(fd)
            self._note(at, nothing)

    def blank(self) -> None:
        """Name nothing, so that whoever reads or writes next asks MANIFEST. Raises OSError."""
        fd = self._open()
        if fd is not None:
            newest = self.best()
            self.said = b""
            # The older slot first: that one alone would lead those who look meanwhile back to where it was.
            for at in (SLOT_SIZE, 0) if newest is None or not place(newest.tip.batch_no) else (0, SLOT_SIZE):
                write_at(self._files, fd, bytes(SLOT_SIZE), at)

    def _note(self, at: int, data: bytes) -> None:
        said = self.said.ljust(_SAID, b"\0")
        self.said = (said[:at] + data + said[at + len(data) :])[:_SAID]

    def close(self) -> None:
        """Give the descriptor back."""
        fd, self._fd = self._fd, None
        if fd is not None:
            self._files.close(fd)
