"""Keeping the index: opening it, bringing it up to the log, making it anew from the frames.

The index in a directory is used as long as it raises nothing. One that is damaged is set aside, beside its place, and
another is made from the frames of the log; until then look-ups wait, and never miss what is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Final

from irminpy.errors import StorageError

from .files import Files, sync_directory
from .identity import Identity, Root
from .index import Index, IndexDamaged
from .manifest import Manifest
from .word import offset_of

__all__ = ["MANY", "fill", "open_index", "set_aside"]

MANY: Final = 1 << 18
"""Entries that are added at once while an index is made: sorted, they make a small file soon."""
_ASIDE: Final = ".damaged"


def open_index(
    files: Files,
    root: Root,
    identity: Identity,
    manifest: Manifest,
    strategy: str,
    check: int,
    *,
    readonly: bool,
) -> Index | None:
    """The index of the generation and strategy; an empty one if there was none, or only a damaged one.

    None for a reader of a store without a good index, and where it cannot be opened now: then its entries are kept in
    memory.
    """
    directory = root.index(manifest.generation, strategy)
    for again in (False, True):
        try:
            if not readonly and not files.exists(root.indexes):
                files.mkdir(root.indexes)
            return Index.open(
                directory,
                uuid=identity.uuid,
                generation=manifest.generation,
                hash_size=identity.hash_size,
                readonly=readonly,
                files=files,
                fingerprint=manifest.index(strategy),
                check=check,
            )
        except IndexDamaged:
            if readonly or again:
                return None
            set_aside(files, directory)
        except (StorageError, OSError):
            return None
    return None


def set_aside(files: Files, directory: str) -> None:
    """Take a damaged index out of the way. One damaged before it is removed; nothing happens if that cannot be done."""
    aside = directory + _ASIDE
    with suppress(OSError):
        if files.exists(aside):
            for name in files.listdir(aside):
                files.unlink(os.path.join(aside, name))
            files.rmdir(aside)
        if files.exists(directory):
            files.rename(directory, aside)
            sync_directory(files, os.path.dirname(directory))


def fill(index: Index, entries: Iterable[tuple[bytes, int]], end: int, most: int = MANY) -> None:
    """Add `entries`, in the order of the log, which reach to `end`. Memory: `most` of them.

    Raises StorageError, IndexDamaged; then the index reaches as far as it says.
    """
    rows = iter(entries)
    piece = list(islice(rows, most))
    while piece:
        following = list(islice(rows, most))
        index.add(dict(piece), offset_of(following[0][1]) if following else end)
        index.merge()
        piece = following
