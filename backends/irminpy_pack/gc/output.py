"""Writing a new generation: a log of its own, in segments that nothing refers to before the flip."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from zlib import crc32

from ..files import Files, write_at
from ..frame import GENERATION, TABLE, TRAILER, Framing
from ..generation import Generation, encode_generation
from ..identity import Identity, Root
from ..log import encode_table
from ..manifest import Manifest, Row
from ..opening import write_segment
from ..segment import ALIGN, HEADER_SIZE, Header
from ..trailer import NOTHING, Tip, Trailer
from ..word import LIMIT

__all__ = ["Output"]

_PIECE: Final = 16 << 20
_BUFFER: Final = 1 << 20


class Output:
    """The segments of `generation`, the first with its base at `base`, each sealed when it has `seal` bytes.

    `begin` makes the first one. OSError if something cannot be written; then `abort`.
    """

    def __init__(
        self,
        files: Files,
        root: Root,
        identity: Identity,
        digest: Callable[[bytes], bytes],
        generation: int,
        number: int,
        base: int,
        seal: int,
        clock: Callable[[], float],
    ) -> None:
        self._files = files
        self._root = root
        self._identity = identity
        self._framing = Framing(identity.hash_size)
        self._digest = digest
        self._generation = generation
        self._seal = seal
        self._clock = clock
        self._fd: int | None = None
        self._rows: list[Row] = []
        self._paths: list[str] = []
        self._tip = Tip(0, base + HEADER_SIZE, NOTHING, 0)
        self._parts: list[bytes] = []
        self._waiting = 0  # bytes in `_parts`
        self._crc = 0
        self._frames = 0
        self.bytes = 0
        """Bytes of all segments."""
        self._number = number
        self._base = self._at = self._start = base

    def begin(self) -> None:
        """Make the first segment."""
        self._begin(self._number, self._base)

    @property
    def end(self) -> int:
        """The virtual offset behind the last frame."""
        return self._at

    def _begin(self, number: int, base: int) -> None:
        if base + (self._seal << 1) >= LIMIT:
            raise OSError(f"the offsets of the store are used up at {base}")
        previous = self._rows[-1].number if self._rows else 0
        header = Header(
            self._identity.uuid, self._identity.hash_size, number, self._generation, base, previous
        )
        header = write_segment(self._files, self._root, header)
        path = self._root.segment(header.number)
        self._paths.append(path)
        self._fd = self._files.open(path, os.O_RDWR)
        self._rows.append(Row(header.number, base, 0))
        self._base = base
        self._at = self._start = base + HEADER_SIZE
        self.bytes += HEADER_SIZE

    def append(self, frame: bytes) -> int:
        """Write a frame; its offset."""
        full = self._at - self._base >= self._seal
        if self._at - self._start >= _PIECE or (full and self._frames):
            self._close_batch(NOTHING)
            if full:
                self._next()
        at = self._at
        self._put(frame)
        self._frames += 1
        return at

    def _put(self, frame: bytes) -> None:
        self._parts.append(frame)
        self._crc = crc32(frame, self._crc)
        self._waiting += len(frame)
        self._at += len(frame)
        self.bytes += len(frame)
        if self._waiting >= _BUFFER:
            self._write()

    def _write(self) -> None:
        if self._waiting and self._fd is not None:
            data = b"".join(self._parts)
            write_at(self._files, self._fd, data, self._at - self._base - len(data))
            self._parts, self._waiting = [], 0

    def _close_batch(self, table: int) -> None:
        tip = self._tip
        trailer = Trailer(
            batch_no=tip.batch_no + 1,
            start=self._start,
            frames=self._frames,
            crc=self._crc,
            previous=tip.at,
            previous_crc=tip.crc,
            first_ref=NOTHING,
            table=table,
            earlier_refs=NOTHING,
            time=int(self._clock() * 1e6),
        ).encode()
        frame = self._framing.encode(TRAILER, self._digest(trailer), b"", trailer)
        at = self._at
        self._put(frame)
        self._tip = Tip(tip.batch_no + 1, self._at, at, int.from_bytes(frame[:4], "little"))
        self._start, self._crc, self._frames = self._at, 0, 0

    def _next(self) -> None:
        self.sync()
        self.close()
        self._rows[-1] = self._rows[-1]._replace(length=self._at - self._base)
        self._begin(self._rows[-1].number + 1, (self._at + ALIGN - 1) & -ALIGN)

    def sync(self) -> None:
        """All that was appended is written and durable."""
        self._write()
        if self._fd is not None:
            self._files.fdatasync(self._fd)

    def finish(self, generation: Generation, refs: Mapping[str, tuple[bytes, int]]) -> Manifest:
        """The last batch: what was appended since, G, K and T. All of it is durable; what MANIFEST is to say."""
        # One batch, in one segment: what precedes these frames is not let go.
        flip = self._payload(GENERATION, encode_generation(generation))
        self._close_batch(self._payload(TABLE, encode_table(refs)))
        self.sync()
        self.close()
        return Manifest(self._identity.uuid, self._generation, tuple(self._rows), self._tip, flip=flip)

    def _payload(self, kind: int, payload: bytes) -> int:
        at = self._at
        self._put(self._framing.encode(kind, self._digest(payload), b"", payload))
        self._frames += 1
        return at

    def close(self) -> None:
        """Give the open segment back."""
        fd, self._fd = self._fd, None
        if fd is not None:
            self._files.close(fd)

    def abort(self) -> None:
        """Remove what was written; what cannot be removed now, the next writer will."""
        with suppress(OSError):
            self.close()
        for path in self._paths:
            with suppress(OSError):
                self._files.unlink(path)
