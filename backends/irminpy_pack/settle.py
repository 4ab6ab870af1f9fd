"""Settling: what a writer does to a store that somebody left in the middle of something.

Only under LOCK. Whole batches behind the published end are adopted: they are written again in place and synced
before HEAD names them, since after a failed sync reading back proves nothing. What is left over is cut off; if it
can hold somebody's data it is kept in `lost/` first. Settling twice changes nothing (docs/formats/pack.md,
"Settling").
"""

from __future__ import annotations

import os
import time
from typing import Final

from irminpy.errors import Corrupted
from irminpy.fields import NamedTuple

from .files import Files, write_at, write_pieces
from .head import MODES, Slot
from .identity import Root
from .log import Log
from .trailer import Tip

__all__ = ["Settled", "settle", "start"]

_BLOCK: Final = 1 << 20
_NONE: Final = MODES.index("none")


class Settled(NamedTuple):
    """The store after settling."""

    tip: Tip
    adopted: int
    """Batches behind the published end that were whole."""
    cut: int
    """Bytes cut off."""
    dropped: tuple[str, ...]
    """Segments, by path, that nothing leads to any more; they can be removed."""
    degraded: str | None
    """What of the promises does not hold any more, and where the bytes are kept; None if nothing is lost."""


def start(log: Log, slots: list[Slot], recorded: Tip, generation: int) -> tuple[Tip, Tip]:
    """(where to walk on from, the farthest end known to have been synced).

    The newest slot whose batch is there, else the other, else what a slot calls durable, else what MANIFEST
    recorded, else the beginning. A slot of batches that were not synced is no start after a crash: pages in the
    middle may be missing.
    """
    ours = [slot for slot in slots if slot.generation == generation]
    tips = [slot.tip for slot in ours if slot.mode != _NONE] + [slot.durable for slot in ours] + [recorded]
    synced = max(tips, key=lambda tip: tip.batch_no)
    for tip in tips:
        if log.holds(tip):
            return tip, synced
    first = next((s for s in log.table.segments if s.header.previous == 0), log.table.segments[0])
    return Tip(0, first.base + 64, 0, 0), synced


def walk(log: Log, tip: Tip) -> tuple[Tip, int]:
    """The end of the whole batches that follow `tip`, and how many they are."""
    n = 0
    while True:
        batch = log.following(tip)
        if batch is None:
            return tip, n
        tip, n = batch.tip, n + 1


def settle(
    files: Files,
    root: Root,
    log: Log,
    slots: list[Slot],
    recorded: Tip,
    generation: int,
    walked: tuple[Tip, Tip, int] | None = None,
) -> Settled:
    """Bring the segments to the end of the last whole batch. The lengths in the table are those of the files.

    `walked`: from where on a walk was made under this very LOCK, and what `walk` gave: it is not made again.
    Raises OSError if the adopted bytes cannot be written and synced, Corrupted if a sealed segment is damaged.
    """
    began, synced = start(log, slots, recorded, generation)
    tip, adopted = walked[1:] if walked is not None and walked[0] == began else walk(log, began)
    if adopted:
        _write_again(files, log, began.end, tip.end)
    cut, dropped, degraded = _cut(files, root, log, tip, synced)
    return Settled(tip, adopted, cut, dropped, degraded)


def _write_again(files: Files, log: Log, begin: int, end: int) -> None:
    for segment in log.table.segments:
        at, stop = max(begin, segment.base) - segment.base, min(end, segment.end) - segment.base
        if at >= stop:
            continue
        while at < stop:
            data = segment.read(at, min(_BLOCK, stop - at))
            write_at(files, segment.fd, data, at)
            at += len(data)
        files.fdatasync(segment.fd)


def _cut(
    files: Files, root: Root, log: Log, tip: Tip, synced: Tip
) -> tuple[int, tuple[str, ...], str | None]:
    """Cut off what follows `tip`; (bytes, segments that are not needed any more, what was lost)."""
    here = log.table.locate(tip.end - 1)
    if here is None:
        raise Corrupted(root.packs, tip.end, None, "the end of the log lies in no segment")
    missing = tip.batch_no < synced.batch_no
    cut, kept = 0, list[str]()
    behind = [segment for segment in log.table.segments if segment.base > here.base]
    for segment, begin in [(here, tip.end - here.base), *((segment, 64) for segment in behind)]:
        rest = segment.length - begin
        if rest <= 0:
            continue
        cut += rest
        if missing or _valuable(log, segment.base + begin, segment.end, tip.batch_no):
            kept.append(_keep(files, root, segment.path, log, segment.base + begin, segment.end))
        files.ftruncate(segment.fd, begin)
        files.fsync(segment.fd)
        segment.cut(begin)
    # The segment after the last batch is where the next one goes; those behind it have nothing to continue.
    dropped = tuple([segment.path for segment in behind[1:]])
    if not missing and not kept:
        return cut, dropped, None
    what = (
        f"batches {tip.batch_no + 1} to {synced.batch_no} were synced and are missing"
        if missing
        else ("whole batches follow damaged bytes")
    )
    where = f"; the bytes found there are kept in {', '.join(kept)}" if kept else ""
    return cut, dropped, f"after batch {tip.batch_no}: {what}{where}"


def _valuable(log: Log, begin: int, end: int, batch_no: int) -> bool:
    """Whether the trailer of a batch behind `batch_no` lies in what is to be cut off."""
    overlap = 4096
    at = begin
    while at < end:
        if log.trailer_in(log.table.read(at, min(_BLOCK + overlap, end - at)), batch_no):
            return True
        at += _BLOCK
    return False


def _keep(files: Files, root: Root, path: str, log: Log, begin: int, end: int) -> str:
    if not files.exists(root.lost):
        files.mkdir(root.lost)
    name = f"{os.path.basename(path)}-{begin}-{time.time_ns()}"
    kept = os.path.join(root.lost, name)
    write_pieces(files, kept, log.table.pieces(begin, end))
    return kept
