"""The branches of an irmin-pack store: `store.branches`. Source: irmin-pack 3.7, `atomic_write.ml`.

No checksum covers this file, so that a name or a hash with a changed byte is another one: of a hash that shows as soon
as the commit is read, of a name it does not.
"""

from __future__ import annotations

import os
from typing import Final

from irminpy import branch
from irminpy.errors import Corrupted, UnsupportedVersion
from irminpy.hash import Hash

from .control import HEADER
from .files import File

__all__ = ["Heads"]

_ZEROS: Final = bytes(HEADER)


class Heads:
    """The branches, read again when the file has changed: names of branches to hashes of `size` bytes."""

    def __init__(self, root: str, size: int) -> None:
        self._path = os.path.join(root, "store.branches")
        self._size = size
        self._known: tuple[tuple[int, int, int] | None, dict[str, Hash]] = (None, {})

    def all(self) -> dict[str, Hash]:
        """All branches, ordered by name; those whose name is none of a branch here are left out. Corrupted."""
        file = File.find(self._path)
        if file is None:
            return {}
        at = os.stat(self._path)
        mark = (at.st_mtime_ns, at.st_size, at.st_ino)
        if mark != self._known[0]:
            self._known = mark, _parsed(file, self._size)
        return dict(self._known[1])


def _parsed(file: File, size: int) -> dict[str, Hash]:
    data = file.read(0, file.size)
    if data[:HEADER] == _ZEROS:
        end = len(data)  # since Irmin 3.9
    else:
        end = HEADER + int.from_bytes(data[:8], "big")
        if len(data) < HEADER or not data[8:HEADER].isdigit():
            raise Corrupted(file.path, 0, None, "it does not begin with its length and a version")
        if data[8:HEADER] not in (b"00000001", b"00000002"):
            raise UnsupportedVersion(file.path, data[8:HEADER].decode(), "1 and 2")
        if end > len(data):
            raise Corrupted(file.path, len(data), None, f"it should have {end} bytes, it has {len(data)}")
    found: dict[bytes, bytes] = {}
    at, none = HEADER, bytes(size)
    while at < end:
        start = at + 4
        name_end = start + int.from_bytes(data[at:start], "big")
        at = name_end + size
        if at > end:
            raise Corrupted(file.path, start - 4, None, "a branch goes on beyond the end")
        name, hash_ = data[start:name_end], data[name_end:at]
        if hash_ == none:
            found.pop(name, None)
        else:
            found[name] = hash_
    named = {name.decode("utf-8", "surrogateescape"): Hash(hash_) for name, hash_ in found.items()}
    return {name: hash_ for name, hash_ in sorted(named.items()) if branch.is_valid(name)}
