"""The dict of an irmin-pack store: steps that inodes name by a number. Source: irmin-pack 3.7, `dict.ml`."""

from __future__ import annotations

import os

from irminpy.errors import Corrupted

from .control import Control
from .files import File

__all__ = ["names"]


def names(root: str, control: Control) -> list[bytes]:
    """The steps by their numbers: records of a length in 4 bytes, big-endian, and the bytes. Corrupted.

    Held in memory, as irmin-pack does: it gives numbers to 100,000 steps at most.
    """
    path = os.path.join(root, "store.dict")
    file = File.open(path, "the dict")
    size = file.size - control.header
    if control.dict_end > size:
        raise Corrupted(path, file.size, None, f"it should have {control.dict_end} bytes, it has {size}")
    data = file.read(control.header, control.dict_end)
    found: list[bytes] = []
    at = 0
    while at < len(data):
        start, at = at + 4, at + 4 + int.from_bytes(data[at : at + 4], "big")
        if at > len(data) or start > len(data):
            raise Corrupted(path, start - 4, None, "a step goes on beyond the end")
        found.append(data[start:at])
    return found
