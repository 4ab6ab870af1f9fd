"""The control file of an irmin-pack store, versions 3 to 5, and those of its volumes; what 1 and 2 have instead.

Source: irmin-pack 3.3 to 3.7, `control_file_intf.ml`; docs/formats/irmin-pack.md says the bytes.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import Final

from irminpy.errors import Corrupted, DecodeError, NotAStore, UnsupportedVersion

from .cursor import Cursor
from .files import File, whole

__all__ = ["HEADER", "Control", "Gced", "Volume", "read_control", "read_volume"]

HEADER: Final = 16
"""Bytes of the header of versions 1 and 2, in the pack, the dict and the branches: length and version."""

_MOST: Final = 4096
_VERSIONS: Final = {b"%08d" % n: n for n in range(1, 6)}


@dataclass(frozen=True, slots=True)
class Gced:
    """What garbage collection left: `start` is the first offset that is in the suffix."""

    start: int
    generation: int
    dead: int = 0
    """Bytes at the front of the first chunk that lie before `start`."""
    mapping: int | None = None
    """Bytes of the mapping, where that is written."""


@dataclass(frozen=True, slots=True)
class Control:
    """What the files of a store are, and how far they hold."""

    version: int
    dict_end: int
    """Bytes of the dict, without a header."""
    suffix_end: int
    """Bytes of the last chunk, without a header."""
    first_chunk: int = 0
    chunks: int = 1
    volumes: int = 0
    gced: Gced | None = None
    header: int = 0
    """Dead bytes at the front of the dict and of the first chunk: what was made by version 1 or 2."""

    @property
    def generation(self) -> int:
        """How often garbage was collected."""
        return 0 if self.gced is None else self.gced.generation


@dataclass(frozen=True, slots=True)
class Volume:
    """What a volume of the lower layer holds: the offsets from `start` to `end`, and others before them."""

    start: int
    end: int
    mapping: int


def read_control(root: str) -> Control:
    """What the store in the directory `root` says of itself. NotAStore, UnsupportedVersion, Corrupted."""
    path = os.path.join(root, "store.control")
    file = File.find(path)
    if file is None:
        return _legacy(root)
    data = whole(path, "the control file", _MOST)
    try:
        return _parsed(path, data)
    except DecodeError as e:
        raise Corrupted(path, e.offset, None, f"it is no control file: {e.reason}") from e


def _legacy(root: str) -> Control:
    """Versions 1 and 2 have no control file: the pack begins with its length and its version."""
    path = os.path.join(root, "store.pack")
    pack = File.find(path)
    if pack is None:
        raise NotAStore(root, "there is neither store.control nor store.pack, as irmin-pack has them")
    end, version = legacy_header(pack, "the pack")
    names = File.open(os.path.join(root, "store.dict"), "the dict")
    return Control(version, legacy_header(names, "the dict")[0], end, header=HEADER)


def legacy_header(file: File, what: str) -> tuple[int, int]:
    """(bytes behind the header, version) of a file that begins with a header. Corrupted, UnsupportedVersion."""
    data = file.read(0, HEADER)
    version = _VERSIONS.get(data[8:])
    end = int.from_bytes(data[:8], "big")
    if len(data) != HEADER or version is None:
        raise Corrupted(file.path, 0, None, f"{what} does not begin with its length and a version")
    if version > 2:
        raise UnsupportedVersion(file.path, version, "1 and 2 without a control file")
    if end > file.size - HEADER:
        raise Corrupted(
            file.path,
            0,
            None,
            f"{what} should have {end} bytes behind its header, it has {file.size - HEADER}",
        )
    return end, version


def _parsed(path: str, data: bytes) -> Control:
    version = _VERSIONS.get(data[:8])
    if version is None:
        found = data[:8].decode("ascii", "backslashreplace")
        if len(data) >= 8 and data[:8].isdigit():
            raise UnsupportedVersion(path, found, "1 to 5")
        raise DecodeError("control file", f"it begins with {found!r}, not with a version", 0)
    if version < 3:
        raise DecodeError("control file", f"version {version} has none", 0)
    cursor = Cursor(data, "control file", 8)
    dict_end, suffix_end = cursor.int63(), cursor.int63()
    first, chunks, volumes = 0, 1, 0
    if version >= 4:
        if version == 4:
            cursor.boolean()  # upgraded_from_v3
        elif cursor.boolean():
            cursor.varint()  # upgraded_from
        _checked(data, cursor)
        first, chunks = cursor.varint(), cursor.varint()
        if version == 5:
            volumes = cursor.varint()
    status, gced = cursor.varint(), None
    if status == 0:
        cursor.int63()  # the end when it was upgraded
    elif status == 3:
        gced = _gced(version, cursor)
    elif status > 3:
        raise DecodeError("control file", f"the status {status}, which nobody uses", cursor.at)
    cursor.end()
    if version == 3:
        first = 0 if gced is None else gced.generation
    if not chunks:
        raise DecodeError("control file", "no chunk of the suffix", None)
    return Control(
        version, dict_end, suffix_end, first, chunks, volumes, gced, header=0 if status else HEADER
    )


def _gced(version: int, cursor: Cursor) -> Gced:
    start, generation = cursor.int63(), cursor.varint()
    if version == 3:
        return Gced(start, generation)
    cursor.int63()  # the offset of the commit that was the target
    dead = cursor.int63()
    mapping = cursor.int63() if version == 5 and cursor.boolean() else None
    return Gced(start, generation, dead, mapping)


def _checked(data: bytes, cursor: Cursor) -> None:
    """Read the checksum: Adler-32 of what follows the version, with zeros in place of the sum itself."""
    at = cursor.at
    stated = cursor.int63()
    computed = zlib.adler32(data[8:at] + bytes(8) + data[cursor.at :])
    if stated != computed:
        raise DecodeError("control file", f"the checksum is {stated:x}, its bytes have {computed:x}", at)


def read_volume(path: str) -> Volume:
    """What the control file `path` of a volume says. Corrupted, UnsupportedVersion."""
    data = whole(path, "the control file of a volume", _MOST)
    try:
        version = _VERSIONS.get(data[:8])
        if version is None and len(data) >= 8 and data[:8].isdigit():
            raise UnsupportedVersion(path, data[:8].decode(), 5)
        if version != 5:
            raise DecodeError("volume", f"it begins with {data[:8]!r}, not with version 5", 0)
        cursor = Cursor(data, "volume", 8)
        start, end, mapping = cursor.int63(), cursor.int63(), cursor.int63()
        _checked(data, cursor)
        cursor.end()
    except DecodeError as e:
        raise Corrupted(path, e.offset, None, f"it is no control file of a volume: {e.reason}") from e
    return Volume(start, end, mapping)
