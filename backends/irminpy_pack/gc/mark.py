"""Marking: from roots down to all that they lead to, in one pass through the log from its end to its beginning.

Children lie below the nodes that point at them, so when the pass comes to a frame all that can lead to it was seen.
What was found by hash, as no hint led to it, may lie above: then there is another pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Final

from irminpy.errors import DanglingHash
from irminpy.hash import Hash
from irminpy.objects import Kind

from ..frame import BLOB, COMMIT, LARGE, NODE, Frame
from ..word import offset_of, words_of
from .bitmap import Bitmap
from .old import Head, Old

__all__ = ["Marks"]

_SEEN: Final = 1 << 17
_STEP: Final = 1 << 12  # frames between two calls of `progress`


class Marks:
    """The objects that are kept. `chosen` are the commits of which the policy decides, None for no policy.

    Memory: the pages of its bitmaps, and 24 MiB of edges that were followed.
    """

    __slots__ = (
        *("_absent", "_chunks", "_hash", "_made", "_old", "_seen", "_todo"),
        *("bytes", "chosen", "counts", "cut", "fixes", "fresh", "live"),
    )

    def __init__(
        self, old: Old, bitmap: Callable[[], Bitmap], chosen: Bitmap | None, *, chunks: bool = True
    ) -> None:
        self._old = old
        self._chunks = chunks  # whether those of large contents are kept as well
        self._hash = Struct(f"{old.codec.hash_size}s")
        self._seen: dict[int, bytes] = {}  # place to the hash that was found there
        self._todo = bitmap()
        self._made = bitmap()  # those kept that are differences, of the last pass
        self.chosen = chosen
        self.live = bitmap()
        """All that are kept."""
        self.fresh = bitmap()
        """Those of them that are not copied yet."""
        self.counts = dict.fromkeys(Kind, 0)
        self.bytes = 0
        """Of the frames of all that are kept, as they will be."""
        self.cut: dict[bytes, int] = {}
        """Parents of kept commits that the policy does not choose: hash to word; 0 for those that are not here."""
        self._absent: dict[bytes, bytes] = {}
        self.fixes: dict[int, list[int]] = {}
        """Place of a node or commit to the words of its children, where hints were unknown or wrong."""

    def close(self) -> None:
        """Give the files back."""
        for bitmap in (self._todo, self._made, self.live, self.fresh, self.chosen):
            if bitmap is not None:
                bitmap.close()

    # -- roots -----------------------------------------------------------------------------------------------

    def root(self, kind: Kind, hash: bytes, word: int, what: str) -> int:
        """Keep this object and all it leads to; its word. DanglingHash if it is not here."""
        head = self._old.resolve(kind, hash, word)
        if head is None:
            raise DanglingHash(f"garbage collection, at {what}", Hash(hash))
        self._keep(head)
        return head.word

    def written(self, entries: Iterable[tuple[bytes, int]]) -> None:
        """Keep the objects of these frames, whatever leads to them."""
        for _, word in entries:
            found = self._old.head(offset_of(word))
            if found is not None:
                self._keep(found[1])

    def _keep(self, head: Head) -> None:
        place = head.word >> 22
        if self.live.add(place):
            self.fresh.add(place)
            self.counts[Kind(head.word & 3)] += 1
            self.bytes += head.size
            if head.frame != BLOB:
                self._todo.add(place)

    # -- the pass --------------------------------------------------------------------------------------------

    def run(self, progress: Callable[[int], None]) -> None:
        """Follow everything. `progress(offset)` is called now and then with where the pass is; it may raise.

        Raises DanglingHash for an object that is not here, Corrupted for one that is damaged.
        """
        old = self._old
        old.down = True
        n = 0
        while True:
            for place in self._todo.drain_down():
                offset = place << 3
                _, frame = old.raw(offset)
                if frame.kind == NODE:
                    if frame.base:
                        self._made.add(place)
                    self._node(offset, frame)
                elif frame.kind == COMMIT:
                    self._commit(offset, frame)
                elif frame.kind == LARGE and self._chunks:
                    self._large(offset, frame)
                n += 1
                if n % _STEP == 0:
                    progress(offset)
            if self._todo:
                continue
            if not self._search_absent():
                self._grow()
                return

    def _grow(self) -> None:
        """Count what differences become longer by where the node that they are from is not kept: they go in whole."""
        self._old.down = False
        for place in self._made.drain_up():
            found = self._old.grows(place << 3)
            if found is not None and found[0] not in self.live:
                self.bytes += found[1]

    def _node(self, offset: int, frame: Frame) -> None:
        self._children(offset, frame, *self._old.children(offset, frame))

    def _large(self, offset: int, frame: Frame) -> None:
        hashes = self._old.large(offset, frame).hashes
        self._children(offset, frame, [Kind.CONTENTS] * len(hashes), b"".join(hashes))

    def _children(self, offset: int, frame: Frame, kinds: Sequence[int], hashes: bytes) -> None:
        size, seen = self._old.codec.hash_size, self._seen
        words = words_of(frame.hints) if frame.hints else (0,) * (len(hashes) // size)
        fixed: list[int] | None = None
        for i, ((hash_,), word) in enumerate(zip(self._hash.iter_unpack(hashes), words, strict=True)):
            kind = kinds[i]
            if word and word & 3 == kind and seen.get(word >> 22) == hash_:
                continue
            head = self._old.resolve(kind, hash_, word)
            if head is None:
                if not word and kind == Kind.NODE and hash_ == self._old.codec.empty:
                    continue  # the empty directory need not be stored
                raise DanglingHash(f"garbage collection, at the node {Hash(frame.hash).short()}", Hash(hash_))
            self._keep(head)
            if head.word != word:
                fixed = list(words) if fixed is None else fixed
                fixed[i] = head.word
            if len(seen) >= _SEEN:
                seen.clear()
            seen[head.word >> 22] = hash_
        if fixed is not None:
            self.fixes[offset >> 3] = fixed

    def _commit(self, offset: int, frame: Frame) -> None:
        old = self._old
        commit = old.commit(offset, frame)
        words = list(words_of(frame.hints)) if frame.hints else [0] * (1 + len(commit.parents))
        before = words.copy()
        head = old.resolve(Kind.NODE, commit.node, words[0])
        if head is not None:
            self._keep(head)
            words[0] = head.word
        elif commit.node != old.codec.empty:
            raise DanglingHash(f"garbage collection, at the commit {Hash(frame.hash).short()}", commit.node)
        for i, parent in enumerate(commit.parents, 1):
            head = old.resolve(Kind.COMMIT, parent, words[i])
            if head is None:
                if words[i]:
                    what = f"garbage collection, at the commit {Hash(frame.hash).short()}"
                    raise DanglingHash(what, parent)
                self._absent[bytes(parent)] = frame.hash
                continue
            words[i] = head.word
            if self.chosen is None:
                self._keep(head)
            elif head.word >> 22 not in self.chosen:
                self.cut[bytes(parent)] = head.word
        if words != before:
            self.fixes[offset >> 3] = words

    def _search_absent(self) -> bool:
        """Look through all frames for parents that the index does not know; whether one is to be followed.

        An index may miss an entry, and history must not end for that.
        """
        absent, self._absent = self._absent, {}
        if not absent:
            return False
        found: dict[bytes, int] = {}
        for key, word in self._old.log.entries(0, 1 << 63, frozenset((COMMIT,))):
            if key[1:] in absent:
                found[key[1:]] = word
        again = False
        for parent in absent:
            word = found.get(parent, 0)
            if word and self.chosen is None:
                self.root(Kind.COMMIT, parent, word, "a parent that the index does not know")
                again = True
            else:
                self.cut[parent] = word
        return again

    def shallow(self) -> list[bytes]:
        """The hashes of the parents that are not kept, ascending."""
        live = self.live
        return sorted(parent for parent, word in self.cut.items() if not word or word >> 22 not in live)
