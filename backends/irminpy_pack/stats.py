"""What a store holds, as far as the headers of its frames tell: one pass over them, and nothing is hashed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from irminpy.collecting import Collected
from irminpy.errors import StorageError

from .environment import DATA
from .files import Files
from .frame import BLOB, COMMIT, DIFFERENCE, HEADER, LARGE, NODE
from .index import CHECK, Index, IndexDamaged
from .large import total_of
from .lookup import INDEXED
from .scan import Gap, scan
from .segment import HEADER_SIZE, Segment
from .still import Still
from .word import offset_of, word_at

__all__ = ["IndexStats", "KindStats", "Stats", "measure"]

_BLOCK: Final = 1 << 20


@dataclass(slots=True)
class KindStats:
    """The frames of one kind."""

    frames: int = 0
    bytes: int = 0
    """Of the frames, with headers and hints."""
    data: int = 0
    """Canonical bytes in them."""

    @property
    def average(self) -> float:
        """Canonical bytes a frame; 0 where there is none."""
        return self.data / self.frames if self.frames else 0.0


@dataclass(frozen=True, slots=True)
class IndexStats:
    """One index of the store."""

    strategy: str
    entries: int | None
    """None for one that cannot be read."""
    bytes: int
    """Of its data file."""
    lag: int
    """Bytes of the log that it does not know yet."""


@dataclass(slots=True)
class Stats:
    """What a store holds."""

    path: str
    schema: str
    generation: int
    segments: int = 0
    bytes: int = 0
    """Of all segments."""
    batches: int = 0
    branches: int = 0
    kinds: dict[str, KindStats] = field(default_factory=dict[str, KindStats])
    """By the letter of the kind of frame: B contents and chunks, X large contents, N nodes, C commits, …"""
    references: int = 0
    """How often objects are named by commits, nodes and large contents."""
    large_bytes: int = 0
    """Of the values of large contents."""
    chunks: int = 0
    """Chunks that large contents name; shared ones each time."""
    indexes: list[IndexStats] = field(default_factory=list[IndexStats])
    lost_files: int = 0
    lost_bytes: int = 0
    """In `lost/`: kept by recoveries and by quarantine."""
    unread: int = 0
    """Bytes of segments that are no frames."""
    garbage: Collected | None = None
    """What a garbage collection would do now, if that was asked for."""

    def _frames(self, *kinds: int) -> int:
        return sum(self.kinds[chr(kind)].frames for kind in kinds if chr(kind) in self.kinds)

    @property
    def commits(self) -> int:
        """Frames of commits, garbage among them."""
        return self._frames(COMMIT)

    @property
    def nodes(self) -> int:
        """Frames of directories and inner nodes."""
        return self._frames(NODE, DIFFERENCE)

    @property
    def contents(self) -> int:
        """Frames of contents, chunks among them."""
        return self._frames(BLOB, LARGE)

    @property
    def objects(self) -> int:
        """Frames of objects."""
        return self._frames(COMMIT, NODE, DIFFERENCE, BLOB, LARGE)

    @property
    def sharing(self) -> float:
        """How often an object is named, on average: what would be stored that many times without hashes."""
        return self.references / self.objects if self.objects else 0.0

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        kinds = {
            letter: {**asdict(kind), "average": round(kind.average, 1)}
            for letter, kind in sorted(self.kinds.items())
        }
        derived = {name: getattr(self, name) for name in ("commits", "nodes", "contents", "objects")}
        garbage = None if self.garbage is None else self.garbage.to_json()
        return {
            **asdict(self),
            "kinds": kinds,
            **derived,
            "sharing": round(self.sharing, 3),
            "garbage": garbage,
        }

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.schema}, generation {self.generation}",
            f"{self.bytes} bytes in {self.segments} segments, {self.batches} batches, {self.branches} branches",
            f"{self.commits} commits, {self.nodes} nodes, {self.contents} contents, "
            f"each named {self.sharing:.2f} times",
        ]
        for letter, kind in sorted(self.kinds.items()):
            lines.append(
                f"  {letter}: {kind.frames} frames, {kind.bytes} bytes, {kind.average:.0f} bytes of data each"
            )
        if self._frames(LARGE):
            lines.append(
                f"{self._frames(LARGE)} large contents of {self.large_bytes} bytes in {self.chunks} chunks"
            )
        for index in self.indexes:
            entries = "cannot be read" if index.entries is None else f"{index.entries} entries"
            lines.append(f"index {index.strategy}: {entries}, {index.bytes} bytes, {index.lag} bytes behind")
        lines.append(f"lost: {self.lost_files} files, {self.lost_bytes} bytes")
        if self.unread:
            lines.append(f"{self.unread} bytes are no frames; fsck tells more")
        if self.garbage is not None:
            lines.append(f"garbage: {self.garbage}")
        return "\n".join(lines)


def measure(
    path: str, *, files: Files, check: int = CHECK, progress: Callable[[int, int], None] | None = None
) -> Stats:
    """What the store at `path` holds. `progress(done, total)` is told bytes of segments.

    Raises NotAStore, UnsupportedVersion, Corrupted, StorageError. Cost: one pass over the segments, and the records
    of large contents; nothing is hashed but the index, which is compared with its fingerprint. Memory: 1 MiB.
    """
    still = Still.open(path, files)
    root, manifest, identity = still.root, still.manifest, still.identity
    stats = Stats(root.path, identity.description, manifest.generation)
    stats.segments, stats.bytes = len(still.table.segments), still.bytes
    done = 0
    for segment in still.table.segments:
        _count(still, segment, stats)
        done += segment.length
        if progress is not None:
            progress(done, stats.bytes)
    stats.batches = stats.kinds["T"].frames if "T" in stats.kinds else 0
    stats.branches = len(still.log.branches_at(still.tip))
    stats.indexes = [
        _index(still, strategy, check)
        for strategy in INDEXED
        if files.exists(root.index(manifest.generation, strategy))
    ]
    stats.lost_files, stats.lost_bytes = _sizes(files, root.lost)
    return stats


def _count(still: Still, segment: Segment, stats: Stats) -> None:
    """Count the frames of `segment` by their headers; where one cannot be right, by their crcs."""
    framing, head = still.framing, still.framing.head
    unpack = HEADER.unpack_from
    at, block, first = HEADER_SIZE, b"", 0
    while at < segment.length:
        here = at - first
        if len(block) - here < HEADER.size:
            block, first, here = segment.read(at, _BLOCK), at, 0
        try:
            size = framing.length(block[here : here + HEADER.size])
            if size > segment.length - at:
                raise ValueError("it goes beyond the end of the segment")
        except ValueError:
            _count_whole(still, segment, at, stats)
            return
        _, _, hints, kind, pad, _ = unpack(block, here)
        _add(stats, kind, size, hints, size - head - (hints << 3) - pad)
        if kind == DIFFERENCE:
            stats.references += _unchanged(still, segment.read(at + head, 8), hints)
        if kind == LARGE:
            stats.large_bytes += total_of(segment.read(at + head + (hints << 3), 16))
        at += size


def _count_whole(still: Still, segment: Segment, begin: int, stats: Stats) -> None:
    head = still.framing.head
    for found in scan(still.framing, segment, begin):
        if isinstance(found, Gap):
            stats.unread += found.size
            continue
        frame = found.frame
        _add(stats, frame.kind, frame.size, len(frame.hints) >> 3, len(frame.canonical))
        if frame.kind == DIFFERENCE:
            stats.references += _unchanged(still, frame.hints[:8], len(frame.hints) >> 3)
        if frame.kind == LARGE:
            stats.large_bytes += total_of(found.data[head + len(frame.hints) :][:16])


def _unchanged(still: Still, base: bytes, hints: int) -> int:
    """How many more children than it has `hints` a difference names: those that are as they were. Cost: one read."""
    header = still.table.read(offset_of(word_at(base, 0)), HEADER.size)
    return HEADER.unpack(header)[2] - hints if len(header) == HEADER.size else 0


def _add(stats: Stats, kind: int, size: int, hints: int, data: int) -> None:
    letter = chr(kind)
    found = stats.kinds.get(letter)
    if found is None:
        found = stats.kinds[letter] = KindStats()
    found.frames += 1
    found.bytes += size
    found.data += data
    stats.references += hints
    if kind == LARGE:
        stats.chunks += hints


def _index(still: Still, strategy: str, check: int) -> IndexStats:
    files, manifest = still.files, still.manifest
    directory = still.root.index(manifest.generation, strategy)
    size = _size(files, os.path.join(directory, DATA))
    try:
        index = Index.open(
            directory,
            uuid=still.identity.uuid,
            generation=manifest.generation,
            hash_size=still.identity.hash_size,
            readonly=True,
            files=files,
            fingerprint=manifest.index(strategy),
            check=check,
        )
    except (IndexDamaged, StorageError):
        return IndexStats(strategy, None, size, still.tip.end)
    try:
        return IndexStats(strategy, index.count, size, max(0, still.tip.end - index.end))
    except IndexDamaged:
        return IndexStats(strategy, None, size, still.tip.end)
    finally:
        index.close()


def _size(files: Files, path: str) -> int:
    try:
        fd = files.open(path, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return files.size(fd)
    finally:
        files.close(fd)


def _sizes(files: Files, directory: str) -> tuple[int, int]:
    """(files, bytes) below `directory`."""
    if not files.exists(directory):
        return 0, 0
    n = size = 0
    for name in files.listdir(directory):
        path = os.path.join(directory, name)
        if os.path.isdir(path):
            below, more = _sizes(files, path)
            n, size = n + below, size + more
        else:
            n, size = n + 1, size + _size(files, path)
    return n, size
