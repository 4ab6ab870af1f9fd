"""One pass over all frames: crcs, hashes, the chain of trailers, refs against tables (levels "frames" and "hashes").

Where a frame is damaged the pass goes on at the next one that is whole. Memory: the refs, and one frame.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from ..difference import whole
from ..frame import GENERATION, LARGE, REF, TABLE, TRAILER, Frame, Framing
from ..log import Ref, apply, decode_ref, decode_table, encode_ref, encode_table
from ..scan import Gap, scan
from ..segment import HEADER_SIZE, Segment, Table
from ..trailer import TRAILER_SIZE, Tip, Trailer
from .report import Fault, Finding, Report

__all__ = ["Sweep"]


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
            for found in scan(self._framing, segment):
                if isinstance(found, Gap):
                    if self._gap(segment, found):
                        break
                    continue
                self._frame(segment, found.at, found.data, found.frame)
                if self._progress is not None:
                    self._progress(done + found.at, total)
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
        self,
        fault: Fault,
        segment: Segment | None,
        at: int | None,
        reason: str,
        hash: bytes | None = None,
        size: int | None = None,
    ) -> None:
        path = "HEAD" if segment is None else segment.path
        named = None if hash is None else hash.hex()
        self._report.findings.append(Finding(fault, path, at, named, reason, size))

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

    def _gap(self, segment: Segment, gap: Gap) -> bool:
        """Tell what is wrong at `gap`; whether that is only a batch that was not finished."""
        if gap.last and segment.base + gap.at >= self._published.end:
            reason = f"{gap.size} bytes of a batch that was not finished"
            self._tell("tail", segment, gap.at, reason, size=gap.size)
            return True
        reason = f"{gap.reason}; {gap.size} bytes are not readable"
        self._tell("frame", segment, gap.at, reason, size=gap.size)
        self._broken = True
        return False

    def _frame(self, segment: Segment, at: int, data: bytes, frame: Frame) -> None:
        kinds = self._report.frames
        letter = chr(frame.kind)
        kinds[letter] = kinds.get(letter, 0) + 1
        if self._hashes and frame.kind != LARGE:
            frame = self._hashed(segment, at, frame)
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

    def _hashed(self, segment: Segment, at: int, frame: Frame) -> Frame:
        """`frame` after its bytes were hashed, made whole if it is a difference that can be."""
        try:
            frame = whole(self._framing, self._table.read, segment.base + at, frame)
            wrong = self._digest(frame.canonical) != frame.hash
            reason = "the bytes hash to something else than the frame says"
        except ValueError as e:
            wrong, reason = True, str(e)
        if wrong:
            self._tell("hash", segment, at, reason, frame.hash)
        return frame

    def _ref_table(self, segment: Segment, at: int, frame: Frame) -> None:
        self._last_table = segment.base + at
        if self._known and frame.canonical != encode_table(self.refs):
            self._tell("refs", segment, at, "the table of refs is not what the moves before it make")
        try:
            self.refs = decode_table(frame.canonical)
            self._known = True
        except ValueError:
            self._tell("refs", segment, at, "a table of refs that cannot be decoded")

    def _ref(self, segment: Segment, at: int, frame: Frame) -> None:
        if not self._first_ref:
            self._first_ref = segment.base + at
        try:
            ref = decode_ref(frame.canonical)
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
        apply(ref, self.refs)

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
