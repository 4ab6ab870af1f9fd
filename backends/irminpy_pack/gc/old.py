"""Reading the generation that is collected: frames by place, objects by hash, by calls and never through a map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from irminpy.errors import Corrupted, DecodeError
from irminpy.formats.format import Codec
from irminpy.hash import Hash, HashFunction
from irminpy.objects import DIRECTORY, Kind
from irminpy.objects import Commit as CommitVal

from ..difference import whole
from ..frame import BLOB, COMMIT, DIFFERENCE, HEADER, LARGE, NODE, Frame
from ..large import Large
from ..log import KIND_OF_FRAME, Log
from ..word import offset_of, pack, units_of, word_at, words_of

__all__ = ["OBJECTS", "Head", "Old"]

OBJECTS: Final = frozenset((BLOB, LARGE, NODE, DIFFERENCE, COMMIT))
_WINDOW: Final = 1 << 20
_AHEAD: Final = 1 << 16


class Head(NamedTuple):
    """What the header of an object's frame says."""

    word: int
    frame: int
    """The kind of frame."""
    size: int
    """Bytes of the frame."""


class Old:
    """The objects in the segments of `log`; `find(kind, hash)` is what the index says of where one lies, or 0.

    A window of 1 MiB follows what is read. Not safe for threads.
    """

    __slots__ = ("_at", "_block", "codec", "down", "find", "function", "log")

    def __init__(
        self, log: Log, codec: Codec, function: HashFunction, find: Callable[[int, bytes], int]
    ) -> None:
        self.log = log
        self.codec = codec
        self.function = function
        self.find = find
        self.down = False
        """Whether what is read next lies below what was read last, as a rule."""
        self._block, self._at = b"", 0

    def read(self, offset: int, size: int, *, move: bool) -> bytes:
        """`size` bytes from `offset`; fewer where the log ends. `move`: the window goes there."""
        here = offset - self._at
        if here >= 0 and here + size <= len(self._block):
            return self._block[here : here + size]
        if not move or size > _AHEAD:
            return self.log.table.read(offset, size)
        segment = self.log.table.locate(offset)
        if segment is None:
            return b""
        start = max(segment.base, offset + _AHEAD - _WINDOW) if self.down else offset
        self._block, self._at = segment.read(start - segment.base, _WINDOW), start
        here = offset - start
        return self._block[here : here + size]

    def head(self, offset: int) -> tuple[bytes, Head] | None:
        """(hash, header) of the object whose frame begins at `offset`, by what it says of itself; or None."""
        framing = self.log.framing
        data = self.read(offset, HEADER.size + framing.hash_size, move=False)
        try:
            size = framing.length(data)
        except ValueError:
            return None
        kind = data[12]
        if kind not in OBJECTS:
            return None
        return data[HEADER.size :], Head(pack(offset, size >> 3, KIND_OF_FRAME[kind]), kind, size)

    def resolve(self, kind: int, hash: bytes, word: int) -> Head | None:
        """Where the object lies: at `word` if a frame with its hash is there, else where the index says; or None."""
        for place in (word, 0):
            if not place:
                place = self.find(kind, hash)
            if place and place & 3 == kind:
                found = self.head(offset_of(place))
                if found is not None and found[0] == hash and found[1].word & 3 == kind:
                    return found[1]
        return None

    def raw(self, offset: int) -> tuple[bytes, Frame]:
        """(bytes, frame) at `offset`: its crc is right. A node that is a difference is made whole. Raises Corrupted."""
        framing = self.log.framing
        data = self.read(offset, 4096, move=True)
        try:
            size = framing.length(data)
            data = data[:size] if size <= len(data) else self.read(offset, size, move=True)
            return data, whole(framing, self._base, offset, framing.parse(data))
        except ValueError as e:
            raise self.damaged(offset, None, str(e)) from None

    def _base(self, offset: int, size: int) -> bytes:
        return self.read(offset, size, move=False)

    def grows(self, offset: int) -> tuple[int, int] | None:
        """(place of the node that the one at `offset` is a difference from, how many bytes longer it is as a whole), or
        None for what is no difference.

        Only the header is read, and the word behind it.
        """
        head = self.log.framing.head
        data = self.read(offset, head + 8, move=True)
        if len(data) < head + 8 or data[12] != DIFFERENCE:
            return None
        base = word_at(data[head:], 0)
        # It has as many hints and canonical bytes as the one that it differs from.
        return base >> 22, (units_of(base) - HEADER.unpack_from(data)[1]) << 3

    def damaged(self, offset: int, hash: bytes | None, reason: str) -> Corrupted:
        """The error for what lies at `offset`."""
        segment = self.log.table.locate(offset)
        named = None if hash is None else Hash(hash)
        if segment is None:
            return Corrupted("the segments", offset, named, reason)
        return Corrupted(segment.path, offset - segment.base, named, reason)

    def commit(self, offset: int, frame: Frame) -> CommitVal:
        """The commit in `frame`; Corrupted if it does not decode or its hints do not fit."""
        try:
            commit = self.codec.decode_commit(frame.canonical)
        except DecodeError as e:
            raise self.damaged(offset, frame.hash, str(e)) from e
        if frame.hints and len(frame.hints) != 8 + 8 * len(commit.parents):
            raise self.damaged(offset, frame.hash, "its hints are not one for each parent and its root")
        return commit

    def children(self, offset: int, frame: Frame) -> tuple[list[int], bytes]:
        """The kinds of the children of a node, as words name them, and their hashes, joined."""
        try:
            kinds, hashes = self.codec.children(frame.canonical)
        except (ValueError, IndexError) as e:
            raise self.damaged(offset, frame.hash, str(e)) from e
        if frame.hints and len(frame.hints) * self.codec.hash_size != 8 * len(hashes):
            raise self.damaged(offset, frame.hash, "its hints are not one for each child")
        return [Kind.NODE if kind == DIRECTORY else Kind.CONTENTS for kind in kinds], hashes

    def large(self, offset: int, frame: Frame) -> Large:
        """What the large contents in `frame` consist of; Corrupted if the seal or anything else is wrong."""
        try:
            return Large.decode(frame.hash, frame.canonical, words_of(frame.hints), self.function)
        except DecodeError as e:
            raise self.damaged(offset, frame.hash, str(e)) from e
