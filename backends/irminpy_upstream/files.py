"""Files that somebody else made, read piece by piece: never beyond their end, and every error of the system typed."""

from __future__ import annotations

import os
from weakref import finalize

from irminpy.errors import Corrupted, StorageError

__all__ = ["File", "whole"]


class File:
    """One file, open for reading until nobody holds this object any more; what it had when it was opened is read.

    Reads go by position, so that threads share it. Another program may remove the file meanwhile.
    """

    __slots__ = ("__weakref__", "_fd", "path", "size")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd
        try:
            self.size = os.fstat(fd).st_size
        except OSError as e:
            os.close(fd)
            raise StorageError(f"{path}: {e.strerror or e}") from e
        finalize(self, os.close, fd)

    @staticmethod
    def find(path: str) -> File | None:
        """The file, or None if there is none of that name. StorageError if it cannot be opened."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            raise StorageError(f"{path}: {e.strerror or e}") from e
        return File(path, fd)

    @staticmethod
    def open(path: str, what: str) -> File:
        """The file; Corrupted, saying `what` it is, if it is missing."""
        found = File.find(path)
        if found is None:
            raise Corrupted(path, None, None, f"{what} is missing")
        return found

    def read(self, at: int, n: int) -> bytes:
        """The bytes from `at` on: `n` of them, or as many as there are. `n` may be any number from a damaged file."""
        n = min(n, self.size - at)
        if n <= 0:
            return b""
        parts: list[bytes] = []
        try:
            while n:
                part = os.pread(self._fd, n, at)
                if not part:
                    break  # it has been cut since
                parts.append(part)
                at += len(part)
                n -= len(part)
        except OSError as e:
            raise StorageError(f"{self.path}: {e.strerror or e}") from e
        return parts[0] if len(parts) == 1 else b"".join(parts)


def whole(path: str, what: str, most: int) -> bytes:
    """All of a small file; Corrupted, saying `what` it is, if it is missing or has more than `most` bytes."""
    file = File.open(path, what)
    if file.size > most:
        raise Corrupted(path, None, None, f"{what} has {file.size} bytes, the limit is {most}")
    return file.read(0, most)
