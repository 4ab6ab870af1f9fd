"""Copying what is marked into the new generation: every hash checked, every word rewritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..frame import BLOB, DIFFERENCE, LARGE, Frame
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
                fixed = marks.fixes.pop(place, None)
                kept = self._difference(data, frame) if frame.base and fixed is None else None
                if kept is not None:
                    data = kept
                else:
                    hints = column(moved.words(fixed or words_of(frame.hints)))
                    if hints != frame.hints or frame.base:
                        data = framing.encode(kind, frame.hash, hints, frame.canonical)
            at = output.append(data)
            code = KIND_OF_FRAME[kind]
            word = pack(at, len(data) >> 3, code)
            moved.add(place, word)
            self.bytes += len(data)
            if kind in kinds and self._places is not None:
                self._entries[bytes((code,)) + frame.hash] = word
                if len(self._entries) >= _ENTRIES:
                    self.index()
            if n % _STEP == 0:
                progress(self.bytes)

    def _difference(self, data: bytes, frame: Frame) -> bytes | None:
        """The difference in `data`, which `frame` is made of, for the next generation.

        None if the node that it is one from did not go there.
        """
        base = self._moved.words((frame.base,))[0]
        if not base:
            return None
        framing = self._old.log.framing
        difference = framing.parse(data)
        words = self._moved.words(words_of(difference.hints)[1:])
        return framing.encode(DIFFERENCE, frame.hash, column([base, *words]), difference.canonical)

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
