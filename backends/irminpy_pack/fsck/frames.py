"""One pass over all frames: crcs, hashes, the chain of trailers, refs against tables (levels "frames" and "hashes").

Where a frame is damaged the pass goes on at the next one that is whole. Memory: the refs, and one frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, cast
from zlib import crc32

import msgpack

from ..frame import GENERATION, HEADER, LARGE, REF, TABLE, TRAILER, Frame, Framing
from ..log import Ref, encode_ref, encode_table
from ..segment import HEADER_SIZE, Segment, Table
from ..trailer import TRAILER_SIZE, Tip, Trailer
from .report import Fault, Finding, Report

__all__ = ["Sweep"]

_BLOCK: Final = 1 << 20
_unpack = cast("Callable[[bytes], Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]

Visit = Callable[[Segment, int, Frame], None]
"""Called with each whole frame of an object: its segment, its byte there, the frame."""


class Sweep:
    """A pass over the segments of `table`, up to the `published` end."""

    def __init__(
        self,
        framing: Framing,
        digest: Callable[[bytes], bytes],
        table: Table,
        published: Tip,
        report: Report,
        *,
        hashes: bool,
        visit: Visit | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._framing = framing
        self._digest = digest
        self._table = table
        self._published = published
        self._report = report
        self._hashes = hashes
        self._visit = visit
        self._progress = progress
        self.refs: dict[str, tuple[bytes, int]] = {}
        self.tip: Tip | None = None
        # What the next trailer must say.
        self._start = 0
        self._count = 0
        self._crc = 0
        self._first_ref = 0
        self._last_table = 0
        self._last_refs = 0
        self._broken = False  # a frame of this batch was damaged, so its counts say nothing
        self._known = True  # all refs so far could be read

    def run(self) -> None:
        """Look at everything."""
        total = sum(segment.length for segment in self._table.segments)
        done = 0
        for segment in self._table.segments:
            self._begin(segment.base + HEADER_SIZE)
            for at, data, frame in self._frames(segment):
                if frame is None:
                    self._broken = True
                    continue
                self._frame(segment, at, data, frame)
                if self._progress is not None:
                    self._progress(done + at, total)
            done += segment.length
            if self._count:
                self._left_over(segment)
        if self.tip is not None and self.tip.batch_no < self._published.batch_no:
            self._tell(
                "head",
                None,
                0,
                f"HEAD names batch {self._published.batch_no}, and {self.tip.batch_no} is the last",
            )

    def _begin(self, start: int) -> None:
        self._start, self._count, self._crc, self._first_ref, self._broken = start, 0, 0, 0, False

    def _tell(
        self, fault: Fault, segment: Segment | None, at: int | None, reason: str, hash: bytes | None = None
    ) -> None:
        path = "HEAD" if segment is None else segment.path
        self._report.findings.append(Finding(fault, path, at, None if hash is None else hash.hex(), reason))

    def _left_over(self, segment: Segment) -> None:
        if self._start >= self._published.end:
            self._tell(
                "tail",
                segment,
                self._start - segment.base,
                f"{self._count} frames of a batch that was not finished",
            )
        else:
            self._tell("trailer", segment, self._start - segment.base, "a batch without a trailer")

    def _frames(self, segment: Segment) -> Iterator[tuple[int, bytes, Frame | None]]:
        """(byte, bytes, frame) one after the other; the frame is None where one is damaged."""
        framing = self._framing
        at = HEADER_SIZE
        while at < segment.length:
            try:
                size = framing.length(segment.read(at, HEADER.size))
                data = segment.read(at, size)
                frame = framing.parse(data)
            except ValueError as e:
                following = self._next(segment, at + 8)
                if following is None and segment.base + at >= self._published.end:
                    self._tell(
                        "tail", segment, at, f"{segment.length - at} bytes of a batch that was not finished"
                    )
                    return
                end = segment.length if following is None else following
                self._tell("frame", segment, at, f"{e}; {end - at} bytes are not readable")
                yield at, b"", None
                if following is None:
                    return
                at = following
                continue
            yield at, data, frame
            at += size

    def _next(self, segment: Segment, at: int) -> int | None:
        """The next byte from `at` on where a whole frame begins, or None."""
        framing = self._framing
        while at < segment.length:
            block = segment.read(at, _BLOCK + HEADER.size)
            for i in range(0, min(len(block) - HEADER.size + 1, _BLOCK), 8):
                try:
                    size = framing.length(block[i : i + HEADER.size])
                    if size <= segment.length - at - i:
                        framing.parse(segment.read(at + i, size))
                        return at + i
                except ValueError:
                    continue
            at += _BLOCK
        return None

    def _frame(self, segment: Segment, at: int, data: bytes, frame: Frame) -> None:
        kinds = self._report.frames
        letter = chr(frame.kind)
        kinds[letter] = kinds.get(letter, 0) + 1
        if self._hashes and frame.kind != LARGE and self._digest(frame.canonical) != frame.hash:
            self._tell(
                "hash", segment, at, "the bytes hash to something else than the frame says", frame.hash
            )
        if frame.kind == TRAILER:
            self._trailer(segment, at, frame)
            return
        self._count += 1
        self._crc = crc32(data, self._crc)
        if frame.kind == TABLE:
            self._ref_table(segment, at, frame)
        elif frame.kind == REF:
            self._ref(segment, at, frame)
        elif frame.kind == GENERATION:
            self._known = False  # what came before are copies: the table that follows says where the refs are
        elif self._visit is not None:
            self._visit(segment, at, frame)

    def _ref_table(self, segment: Segment, at: int, frame: Frame) -> None:
        self._last_table = segment.base + at
        if self._known and frame.canonical != encode_table(self.refs):
            self._tell("refs", segment, at, "the table of refs is not what the moves before it make")
        try:
            self.refs = {name: (hash_, word) for name, hash_, word in _unpack(frame.canonical)}
            self._known = True
        except (ValueError, TypeError):
            self._tell("refs", segment, at, "a table of refs that cannot be decoded")

    def _ref(self, segment: Segment, at: int, frame: Frame) -> None:
        if not self._first_ref:
            self._first_ref = segment.base + at
        try:
            ref = Ref(*_unpack(frame.canonical))
            canonical = encode_ref(ref) == frame.canonical
        except (ValueError, TypeError):
            canonical, ref = False, Ref("", None, None, 0, 0)
        if not canonical:
            self._tell("refs", segment, at, "a move of a ref that cannot be decoded")
            self._known = False
            return
        before = self.refs.get(ref.name)
        if self._known and (before and before[0]) != ref.old:
            self._tell("refs", segment, at, f"the ref {ref.name!r} moves from where it was not")
        if ref.new is None:
            self.refs.pop(ref.name, None)
        else:
            self.refs[ref.name] = (ref.new, ref.word)

    def _trailer(self, segment: Segment, at: int, frame: Frame) -> None:
        offset = segment.base + at
        if len(frame.canonical) != TRAILER_SIZE:
            self._tell("trailer", segment, at, "a trailer of another length")
            return
        trailer = Trailer.decode(frame.canonical)
        before = self.tip
        if self._broken:
            self._known = False
        else:
            said = (
                trailer.start,
                trailer.frames,
                trailer.crc,
                trailer.first_ref,
                trailer.table,
                trailer.earlier_refs,
            )
            found = (self._start, self._count, self._crc, self._first_ref, self._last_table, self._last_refs)
            if said != found:
                self._tell("trailer", segment, at, f"it says {said} of its batch, which is {found}")
        if before is not None:
            link = (trailer.batch_no, trailer.previous, trailer.previous_crc)
            if link != (before.batch_no + 1, before.at, before.crc):
                self._tell(
                    "trailer",
                    segment,
                    at,
                    f"batch {trailer.batch_no} does not follow batch {before.batch_no}",
                )
        self._last_table = trailer.table
        self._last_refs = offset if trailer.first_ref else trailer.earlier_refs
        self.tip = Tip(trailer.batch_no, offset + frame.size, offset, frame.crc)
        self._report.batches += 1
        self._begin(self.tip.end)
