"""Writing a snapshot: what the heads lead to, each object once, children first."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from irminpy.errors import Corrupted, StorageError
from irminpy.objects import Kind
from irminpy.schema import Schema
from irminpy.slice_stream import BRANCH, HEAD, SHALLOW, Outlet, Writable

from ..files import nameless
from ..frame import BLOB, LARGE, NODE, Frame
from ..gc.bitmap import Bitmap
from ..gc.mark import Marks
from ..gc.old import OBJECTS, Old
from ..gc.roots import Policy, choose
from ..large import Large, open_large
from ..still import Still
from ..view import View
from ..word import CONTENTS, pack, words_of

__all__ = ["Exported", "export"]

_PIECE: Final = 1 << 20
_STEP: Final = 1 << 12
_FEW: Final = 8  # pages in memory of a bitmap that is filled and read in the order of the log
_LEAST: Final = 1 << 16
_MOST: Final = 1 << 28  # bits of the filter


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    commits: int
    nodes: int
    contents: int
    bytes: int
    branches: int
    shallow: int
    """Parents that were left out."""
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.commits} commits, {self.nodes} nodes, {self.contents} contents, {self.branches} branches, "
            f"{self.shallow} parents left out; {self.bytes} bytes in {self.seconds:.1f} s"
        )


def export(
    still: Still,
    schema: Schema[Any, Any],
    find: Callable[[int, bytes], int],
    file: Writable,
    heads: Mapping[str, tuple[bytes, int]],
    *,
    depth: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write what the `heads` lead to (name of a branch to hash and word) to `file`, as a slice of version 2.

    `depth`: only commits at most so many parents away; None for all. `find(kind, hash)` is what an index says, 0 for
    nothing. Every object is hashed on the way. `progress(done, total)` is told objects.

    Raises DanglingHash and Corrupted for what is missing or damaged, and StorageError for a directory that lies before
    what it leads to, as no writer writes it; then what was written is no whole slice. Cost: two passes over what is
    exported, one over all headers. Memory: the pages of three bitmaps, 12 MiB each (with `depth` four), 24 MiB of
    edges, a filter of 2 bytes per object, at most 32 MiB, and 100 bytes per commit.
    """
    run = _Export(still, schema, find, file, progress)
    try:
        return run.run(heads, depth)
    finally:
        run.close()


class _Export:
    def __init__(
        self,
        still: Still,
        schema: Schema[Any, Any],
        find: Callable[[int, bytes], int],
        file: Writable,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.still = still
        self.schema = schema
        self.file = file
        self.progress = progress
        self.old = Old(still.log, schema.codec, schema.hash, find)
        self.view = View(
            still.framing, still.table, schema.codec, schema.hash, lambda hash_: find(CONTENTS, hash_)
        )
        self.bitmaps: list[Bitmap] = []
        self.twice: set[bytes] = set()
        """Kind and hash of what may lie in several frames."""
        self.written: set[bytes] = set()
        """Those of them that were written."""
        self.counts = dict.fromkeys(Kind, 0)
        self.total = 0

    def bitmap(self) -> Bitmap:
        made = Bitmap(self.still.files, nameless(self.still.files, tempfile.gettempdir()))
        self.bitmaps.append(made)
        return made

    def ordered(self) -> Bitmap:
        made = Bitmap(self.still.files, nameless(self.still.files, tempfile.gettempdir()), _FEW)
        self.bitmaps.append(made)
        return made

    def close(self) -> None:
        for bitmap in self.bitmaps:
            bitmap.close()

    def run(self, heads: Mapping[str, tuple[bytes, int]], depth: int | None) -> Exported:
        began = time.perf_counter()
        marks = self.mark(heads, depth)
        self.find_twice(marks)
        shallow = marks.shallow()
        out = Outlet(self.file, self.schema, (BRANCH, SHALLOW))
        nodes, commits = self.ordered(), self.ordered()
        self.contents(out, marks, nodes, commits)
        self.nodes(out, nodes)
        self.commits(out, commits, frozenset(shallow))
        hashes = dict.fromkeys(hash_ for _, (hash_, _) in sorted(heads.items()))
        for hash_ in hashes:
            out.note(HEAD, hash_)
        for name, (hash_, _) in sorted(heads.items()):
            out.note(BRANCH, hash_ + name.encode())
        for hash_ in shallow:
            out.note(SHALLOW, hash_)
        out.end()
        counts = self.counts
        return Exported(
            counts[Kind.COMMIT],
            counts[Kind.NODE],
            counts[Kind.CONTENTS],
            out.bytes,
            len(heads),
            len(shallow),
            time.perf_counter() - began,
        )

    def mark(self, heads: Mapping[str, tuple[bytes, int]], depth: int | None) -> Marks:
        chosen = None if depth is None else self.bitmap()
        marks = Marks(self.old, self.bitmap, chosen, chunks=False)
        starts = [(hash_, word, f"the branch {name}") for name, (hash_, word) in sorted(heads.items())]
        if chosen is None:
            for hash_, word, what in starts:
                marks.root(Kind.COMMIT, hash_, word, what)
        else:
            for hash_, word in choose(self.old, starts, Policy(depth, None), chosen, self.temporary):
                marks.root(Kind.COMMIT, hash_, word, "a commit to export")
        marks.run(lambda _: None)
        self.total = sum(marks.counts.values())
        return marks

    def temporary(self) -> Bitmap:
        """A bitmap that whoever asks for it closes."""
        return Bitmap(self.still.files, nameless(self.still.files, tempfile.gettempdir()))

    def find_twice(self, marks: Marks) -> None:
        """An object may lie in several frames, and be marked in each; a slice has it once.

        A filter of two bits an object tells which surely lie in one.
        """
        size = min(_MOST, max(_LEAST, 1 << (16 * max(1, self.total) - 1).bit_length()))
        bits, mask = bytearray(size >> 3), size - 1
        for key, word in self.still.log.entries(0, self.still.tip.end, OBJECTS):
            if word >> 22 not in marks.live:
                continue
            number = int.from_bytes(key[1:17], "little")
            one, other = number & mask, (number >> 64) & mask
            known = bits[one >> 3] & 1 << (one & 7) and bits[other >> 3] & 1 << (other & 7)
            if known:
                self.twice.add(key)
            else:
                bits[one >> 3] |= 1 << (one & 7)
                bits[other >> 3] |= 1 << (other & 7)

    def fresh(self, kind: Kind, hash_: bytes) -> bool:
        """Whether this object was not written yet; it is now."""
        key = bytes((kind,)) + hash_
        if key in self.twice:
            if key in self.written:
                return False
            self.written.add(key)
        self.counts[kind] += 1
        done = sum(self.counts.values())
        if self.progress is not None and done % _STEP == 0:
            self.progress(done, self.total)
        return True

    def frames(self, places: Iterable[int]) -> Iterator[tuple[int, Frame]]:
        """(offset, frame) at each of the places; each hashed, but for large contents."""
        old, digest = self.old, self.old.codec.digest
        old.down = False
        for place in places:
            offset = place << 3
            _, frame = old.raw(offset)
            if frame.kind != LARGE and digest(frame.canonical) != frame.hash:
                raise old.damaged(offset, frame.hash, "its bytes hash to something else")
            yield offset, frame

    def contents(self, out: Outlet, marks: Marks, nodes: Bitmap, commits: Bitmap) -> None:
        """Write contents, and sort the others out."""
        for offset, frame in self.frames(marks.fresh.drain_up()):
            if frame.kind == BLOB:
                if self.fresh(Kind.CONTENTS, frame.hash):
                    out.object(Kind.CONTENTS, frame.canonical)
            elif frame.kind == LARGE:
                if self.fresh(Kind.CONTENTS, frame.hash):
                    self.large(out, offset, self.old.large(offset, frame), frame)
            elif frame.kind == NODE:
                words = marks.fixes.get(offset >> 3) or words_of(frame.hints)
                if any(word >> 22 >= offset >> 3 for word in words):
                    raise StorageError(
                        f"{self.still.root.path}: the directory {frame.hash.hex()} lies before what it leads to; "
                        "export with Repo.export, which holds all of it in memory"
                    )
                nodes.add(offset >> 3)
            else:
                commits.add(offset >> 3)

    def large(self, out: Outlet, offset: int, large: Large, frame: Frame) -> None:
        codec = self.schema.codec
        chunks = self.view.chunks(pack(offset, frame.size >> 3, CONTENTS))
        stream = open_large(large, chunks, codec, self.schema.hash)
        prefix = codec.contents_prefix
        if prefix is None:
            out.object(Kind.CONTENTS, codec.encode_contents([stream.read()])[0])
            return

        def pieces() -> Iterator[bytes]:
            yield prefix
            while piece := stream.read(_PIECE):
                yield piece

        out.pieces(Kind.CONTENTS, len(prefix) + large.length, pieces())

    def nodes(self, out: Outlet, places: Bitmap) -> None:
        for _, frame in self.frames(places.drain_up()):
            if self.fresh(Kind.NODE, frame.hash):
                out.object(Kind.NODE, frame.canonical)

    def commits(self, out: Outlet, places: Bitmap, shallow: frozenset[bytes]) -> None:
        """Parents before children, also where history was made longer later and parents lie behind."""
        done: set[bytes] = set(shallow)
        waiting: dict[bytes, list[tuple[bytes, tuple[bytes, ...], bytes]]] = {}
        for offset, frame in self.frames(places.drain_up()):
            parents = tuple(map(bytes, self.old.commit(offset, frame).parents))
            ready = [(frame.hash, parents, frame.canonical)]
            while ready:
                hash_, parents, data = ready.pop()
                absent = next((parent for parent in parents if parent not in done), None)
                if absent is not None:
                    waiting.setdefault(absent, []).append((hash_, parents, data))
                    continue
                if self.fresh(Kind.COMMIT, hash_):
                    out.object(Kind.COMMIT, data)
                done.add(hash_)
                ready += waiting.pop(hash_, [])
        if waiting:
            raise Corrupted(
                self.still.root.path, None, next(iter(waiting)), "a parent that was marked is gone"
            )
