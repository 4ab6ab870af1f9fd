"""Copying what is marked into the new generation: every hash checked, every word rewritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..frame import BLOB, LARGE
from ..index import Index, IndexDamaged
from ..log import KIND_OF_FRAME
from ..word import column, pack, words_of
from .mark import Marks
from .old import Old
from .output import Output
from .relocate import Relocation

__all__ = ["Copier"]

_ENTRIES: Final = 1 << 15  # that go into the index at a time
_STEP: Final = 1 << 12


class Copier:
    """Copies from `old` to `output`, notes in `moved` what went where, and fills the index `places`."""

    __slots__ = ("_entries", "_kinds", "_moved", "_old", "_output", "_places", "bytes")

    def __init__(
        self, old: Old, output: Output, moved: Relocation, places: Index | None, kinds: frozenset[int]
    ) -> None:
        self._old = old
        self._output = output
        self._moved = moved
        self._places = places
        self._kinds = kinds
        self._entries: dict[bytes, int] = {}
        self.bytes = 0
        """Of the frames that were copied."""

    def run(self, marks: Marks, progress: Callable[[int], None]) -> None:
        """Copy what is fresh in `marks`, ascending. `progress(bytes)` is called now and then; it may raise.

        Raises Corrupted for a frame that is not what it was when it was written.
        """
        old, moved, output, kinds = self._old, self._moved, self._output, self._kinds
        digest, framing = old.codec.digest, old.log.framing
        moved.turn()
        old.down = False
        for n, place in enumerate(marks.fresh.drain_up()):
            offset = place << 3
            data, frame = old.raw(offset)
            kind = frame.kind
            if kind == LARGE:
                old.large(offset, frame)  # its seal; the chunks are compared one by one
            elif digest(frame.canonical) != frame.hash:
                raise old.damaged(offset, frame.hash, "its bytes hash to something else")
            if kind != BLOB and frame.hints:  # without hints it stays so, and as long as its word says
                words = marks.fixes.pop(place, None) or words_of(frame.hints)
                hints = column(moved.words(words))
                if hints != frame.hints:
                    data = framing.encode(kind, frame.hash, hints, frame.canonical)
            at = output.append(data)
            moved.add(place, at >> 3)
            self.bytes += frame.size
            if kind in kinds and self._places is not None:
                code = KIND_OF_FRAME[kind]
                self._entries[bytes((code,)) + frame.hash] = pack(at, len(data) >> 3, code)
                if len(self._entries) >= _ENTRIES:
                    self.index()
            if n % _STEP == 0:
                progress(self.bytes)

    def index(self, *, last: bool = False) -> None:
        """Put what was copied into the index, for the `last` time perhaps: then writers wait.

        One that is damaged is left behind: it is made again from the frames.
        """
        entries, self._entries = self._entries, {}
        if self._places is not None:
            try:
                self._places.add(entries, self._output.end)
                if not last:
                    self._places.merge()
            except IndexDamaged:
                self._places.drop()
                self._places = None
