"""A store as it lies: its segments and where its log ends, without an index, a lock or a map.

For passes over all frames. Nothing is written, and what others write meanwhile is not seen.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from irminpy.errors import Corrupted, StorageError

from .files import Files, read_at
from .frame import Framing
from .head import HEAD_SIZE, slots
from .identity import Identity, Root
from .log import Log
from .manifest import Manifest
from .opening import find, open_table
from .segment import Table
from .settle import start, walk
from .trailer import Tip

__all__ = ["Still"]

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Still:
    """The store at `root`; it can be read even after garbage was collected, as the segments are held open."""

    files: Files
    root: Root
    identity: Identity
    manifest: Manifest
    settled: bool
    """Whether MANIFEST is right as it is."""
    table: Table
    log: Log
    tip: Tip
    """The end of the last whole batch."""

    @property
    def framing(self) -> Framing:
        """How frames lie."""
        return self.log.framing

    @property
    def bytes(self) -> int:
        """Of all segments."""
        return sum(segment.length for segment in self.table.segments)

    @staticmethod
    def open(path: str, files: Files) -> Still:
        """The store at `path`. Raises NotAStore, UnsupportedVersion, Corrupted, StorageError.

        Cost: one read per segment, and one of the batches that HEAD does not name.
        """
        root = Root(os.path.abspath(path))
        identity = Identity.read(files, root)
        for _ in range(_ATTEMPTS):
            found = find(files, root, identity)
            try:
                table = open_table(
                    files, root, identity.uuid, found.manifest.segments, mapped=False, write=False
                )
            except Corrupted:
                # Garbage collection may have replaced the segments meanwhile: then MANIFEST is another one.
                if find(files, root, identity).manifest == found.manifest:
                    raise
                continue
            manifest = found.manifest
            log = Log(Framing(identity.hash_size), table)
            slots_ = slots(_head(files, root), identity.uuid)
            began, _ = start(log, slots_, manifest.tip, manifest.generation)
            tip, _ = walk(log, began)
            settled = found.rebuilt is None and not found.unlisted
            return Still(files, root, identity, manifest, settled, table, log, tip)
        raise StorageError(f"the segments of {root.path} change faster than they can be opened")


def _head(files: Files, root: Root) -> bytes:
    try:
        fd = files.open(root.head, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return read_at(files, fd, HEAD_SIZE, 0)
    finally:
        files.close(fd)
