"""Objects in files of their own, `objects/ab/cdef…`: one zlib stream of header and body each."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from irminpy.errors import Corrupted

from .files import make_directory, place, sync_directory, temporary, write_all
from .kinds import Type

__all__ = ["Loose"]

_TYPES: Final = {kind.word: kind for kind in Type}
_HEADER: Final = 32  # bytes that hold the header of any object
_HEX: Final = frozenset("0123456789abcdef")
_TRIES: Final = 10


def _split(path: str, head: bytes, largest: int) -> tuple[Type, int, int]:
    """(type, bytes of the body, where that begins), from the beginning of an object."""
    end = head.find(b"\0")
    word, _, digits = head[:end].partition(b" ")
    kind = _TYPES.get(word)
    if end < 0 or kind is None or not digits.isdigit() or (digits[:1] == b"0" and digits != b"0"):
        raise Corrupted(path, 0, None, f"it begins with {head[:24]!r}, like no object")
    size = int(digits)
    if size > largest:
        raise Corrupted(path, 0, None, f"an object of {size} bytes, the limit is {largest}")
    return kind, size, end + 1


class Loose:
    """The loose objects below the directory `objects`."""

    def __init__(self, objects: str, size: int, *, level: int, sync: bool, largest: int) -> None:
        self._objects = objects
        self._size = size
        self._level = level
        self._sync = sync
        self._largest = largest

    def _path(self, id: bytes) -> str:
        digits = id.hex()
        return f"{self._objects}/{digits[:2]}/{digits[2:]}"

    def has(self, id: bytes) -> bool:
        """Whether there is a file for `id`."""
        return os.path.exists(self._path(id))

    def read(self, id: bytes) -> bytes | None:
        """Header and body of the object, or None if there is no file. Not hashed. Raises Corrupted."""
        path = self._path(id)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            packed = os.read(fd, 1 << 16)
            engine = zlib.decompressobj()
            head = engine.decompress(packed, _HEADER)
            _, size, begin = _split(path, head, self._largest)
            total = begin + size
            parts, got = [head], len(head)
            while not engine.eof and got <= total:
                piece = engine.unconsumed_tail or os.read(fd, max(1 << 16, min(size, 1 << 24)))
                if not piece:
                    raise Corrupted(path, None, id, "the file ends too early")
                part = engine.decompress(piece, total - got + 1)
                parts.append(part)
                got += len(part)
            if got > total:
                raise Corrupted(path, None, id, f"it holds more than the {size} bytes it promises")
            if got != total or engine.unused_data or os.read(fd, 1):
                raise Corrupted(
                    path, None, id, f"it does not hold the {size} bytes it promises, or something follows"
                )
            return b"".join(parts)
        except zlib.error as cause:
            raise Corrupted(path, None, id, f"it cannot be inflated: {cause}") from cause
        finally:
            os.close(fd)

    def kind(self, id: bytes) -> Type | None:
        """The type of the object, as it says itself, or None if there is no file."""
        path = self._path(id)
        try:
            with open(path, "rb") as file:
                packed = file.read(256)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            head = zlib.decompressobj().decompress(packed, _HEADER)
        except zlib.error as cause:
            raise Corrupted(path, 0, id, f"it cannot be inflated: {cause}") from cause
        return _split(path, head, self._largest)[0]

    def ids(self, prefix: str = "") -> Iterator[bytes]:
        """The ids whose digits begin with `prefix`, in order."""
        firsts = [prefix[:2]] if len(prefix) >= 2 else [f"{i:02x}" for i in range(256)]
        for first in firsts:
            if not first.startswith(prefix[:2]):
                continue
            try:
                names = sorted(os.listdir(os.path.join(self._objects, first)))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for name in names:
                digits = first + name
                if len(digits) == 2 * self._size and _HEX.issuperset(digits) and digits.startswith(prefix):
                    yield bytes.fromhex(digits)

    def touch(self, id: bytes) -> bool:
        """Make the object as young as a new one, so that no collection takes it; False if it is not here."""
        try:
            os.utime(self._path(id))
        except FileNotFoundError:
            return False
        except PermissionError:
            return self.has(id)
        return True

    def remove(self, id: bytes) -> None:
        """Remove the file of an object that is also elsewhere, and the directory if that is empty then."""
        path = self._path(id)
        with suppress(FileNotFoundError):
            os.unlink(path)
        with suppress(OSError):
            os.rmdir(os.path.dirname(path))

    def write(self, id: bytes, data: bytes) -> None:
        """Write header and body of the object, which is not here."""
        path = self._path(id)
        folder = os.path.dirname(path)
        packed = zlib.compress(data, self._level)
        fd, new = self._temporary(folder)
        try:
            try:
                write_all(fd, packed)
                os.fchmod(fd, 0o444 & os.fstat(fd).st_mode)
                if self._sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            place(new, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(new)
            raise

    def _temporary(self, folder: str) -> tuple[int, str]:
        attempt = 0
        while True:
            try:
                make_directory(folder)
                return temporary(folder, "tmp_obj_")
            except FileNotFoundError:
                # `git gc` removes directories that are empty, perhaps between the two steps.
                attempt += 1
                if attempt == _TRIES:
                    raise
                time.sleep(0.001 * attempt)

    def sync(self, ids: set[bytes]) -> None:
        """The names of objects that were written survive a power cut."""
        if self._sync and ids:
            for first in {id[:1].hex() for id in ids}:
                with suppress(FileNotFoundError):
                    sync_directory(f"{self._objects}/{first}")
            sync_directory(self._objects)
