"""The index against the frames, both ways (level "index").

LMDB is walked in another process before it is asked in this one.
"""

from __future__ import annotations

from typing import Final

from irminpy.errors import StorageError

from ..files import Files
from ..frame import HEADER, Frame, Framing
from ..identity import Identity
from ..index import Index, IndexDamaged
from ..log import KIND_OF_FRAME
from ..manifest import Manifest
from ..segment import Segment, Table
from ..walk import walk
from ..word import kind_of, offset_of
from .report import Finding, Report

__all__ = ["Indexed", "opened"]

_MANY: Final = 1024


def opened(
    files: Files, identity: Identity, manifest: Manifest, strategy: str, directory: str, report: Report
) -> Index | None:
    """The index in `directory`, if a walk over it finds nothing; what it finds is told."""
    uuid, generation, size = identity.uuid, manifest.generation, identity.hash_size
    try:
        walk(directory, uuid=uuid, generation=generation, hash_size=size)
        return Index.open(
            directory,
            uuid=uuid,
            generation=generation,
            hash_size=size,
            readonly=True,
            files=files,
            fingerprint=manifest.index(strategy),
        )
    except (IndexDamaged, StorageError) as e:
        report.findings.append(Finding("index", directory, None, None, str(e)))
        return None


class Indexed:
    """Asks the index for the object of each frame, many at once; in the end looks at where its entries lead."""

    def __init__(self, index: Index, kinds: frozenset[int], report: Report) -> None:
        self._index: Index | None = index
        self._directory = index.directory
        self._kinds = kinds
        self._report = report
        self._end = index.end
        self._keys: list[tuple[int, bytes]] = []

    @property
    def everything(self) -> bool:
        """Whether it is an index of all objects."""
        return len(self._kinds) > 1

    def __call__(self, segment: Segment, at: int, frame: Frame) -> None:
        """Ask for the object of `frame`, if it should be in the index."""
        if frame.kind in self._kinds and segment.base + at < self._end:
            self._keys.append((KIND_OF_FRAME[frame.kind], frame.hash))
            if len(self._keys) >= _MANY:
                self._ask()

    def find(self, kind: int, hash: bytes) -> int:
        """The word of an object, or 0."""
        try:
            return 0 if self._index is None else self._index.find(kind, hash)
        except IndexDamaged as e:
            self._damaged(e)
            return 0

    def _ask(self) -> None:
        index = self._index
        if index is None:
            return
        try:
            for kind in {kind for kind, _ in self._keys}:
                hashes = [hash_ for other, hash_ in self._keys if other == kind]
                for hash_, word in zip(hashes, index.find_many(kind, hashes), strict=True):
                    if not word:
                        self._tell(hash_, "it is not in the index")
        except IndexDamaged as e:
            self._damaged(e)
        self._keys.clear()

    def finish(self, table: Table, framing: Framing) -> None:
        """Every entry leads to a frame that says it is of its hash and kind; then the index is closed."""
        self._ask()
        index = self._index
        if index is None:
            return
        try:
            for key, word in index.dump():
                header = table.read(offset_of(word), framing.head)
                whole = len(header) == framing.head and kind_of(word) == key[0] == KIND_OF_FRAME.get(
                    header[12]
                )
                if not whole or header[HEADER.size : HEADER.size + len(key) - 1] != key[1:]:
                    self._tell(key[1:], "its entry leads to no frame of it")
        except IndexDamaged as e:
            self._damaged(e)
        index.close()

    def _damaged(self, e: IndexDamaged) -> None:
        self._report.findings.append(Finding("index", self._directory, None, None, e.reason))
        index, self._index = self._index, None
        if index is not None:
            index.close()

    def _tell(self, hash_: bytes, reason: str) -> None:
        self._report.findings.append(Finding("index", self._directory, None, hash_.hex(), reason))
