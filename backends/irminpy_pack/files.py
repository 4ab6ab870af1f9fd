"""The thin file layer: every system call that the pack makes on its own files goes through a `Files`.

`Files` passes through. Tests subclass it to count calls, to make any of them fail, and to record what they did.
Paths are `str`, offsets and sizes are bytes. Each method is one system call and raises OSError as the system
gives it; the functions below the class are what the pack uses, where one call may not be enough.

LMDB does its own calls, beneath this layer.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from irminpy.errors import StorageError

__all__ = [
    "Files",
    "read_at",
    "remove_directory",
    "sync_directory",
    "typed",
    "write_at",
    "write_file",
    "write_pieces",
]


class Files:
    """The system calls, one method each."""

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        """A descriptor of `path`, closed when a program is executed."""
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def close(self, fd: int) -> None:
        """Give the descriptor back."""
        os.close(fd)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset`; fewer at the end of the file, or whenever the system likes."""
        return os.pread(fd, size, offset)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """How many of the bytes of `data` were written at `offset`."""
        return os.pwrite(fd, data, offset)

    def fdatasync(self, fd: int) -> None:
        """Bytes and length of the file are durable."""
        os.fdatasync(fd)

    def fsync(self, fd: int) -> None:
        """All of the file, or of the directory, is durable."""
        os.fsync(fd)

    def ftruncate(self, fd: int, length: int) -> None:
        """Make the file `length` bytes long."""
        os.ftruncate(fd, length)

    def size(self, fd: int) -> int:
        """The length of the file."""
        return os.lseek(
            fd, 0, os.SEEK_END
        )  # a quarter of what `fstat` takes; nothing here goes by the position

    def rename(self, old: str, new: str) -> None:
        """Rename, over what `new` was."""
        os.rename(old, new)

    def unlink(self, path: str) -> None:
        """Remove the file."""
        os.unlink(path)

    def mkdir(self, path: str) -> None:
        """Make the directory, whose parent exists."""
        os.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Remove the empty directory."""
        os.rmdir(path)

    def listdir(self, path: str) -> list[str]:
        """The names in the directory, in any order."""
        return os.listdir(path)

    def exists(self, path: str) -> bool:
        """Whether there is something at `path`."""
        return os.path.lexists(path)

    def flock(self, fd: int, operation: int) -> None:
        """Lock or unlock the open file."""
        fcntl.flock(fd, operation)

    def mmap(self, fd: int, length: int) -> mmap.mmap:
        """The first `length` bytes of the file, mapped for reading."""
        return mmap.mmap(fd, length, prot=mmap.PROT_READ)

    def free(self, path: str) -> int:
        """Bytes that may still be written on the file system of `path`."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize


@contextmanager
def typed(path: str) -> Generator[None]:
    """What the system refuses meanwhile becomes a StorageError about the store at `path`."""
    try:
        yield
    except OSError as e:
        raise StorageError(f"{path}: {e}") from e


def read_at(files: Files, fd: int, size: int, offset: int) -> bytes:
    """`size` bytes from `offset`; fewer only where the file ends."""
    data = files.pread(fd, size, offset)
    if len(data) == size or not data:
        return data
    parts = [data]
    got = len(data)
    while got < size:
        data = files.pread(fd, size - got, offset + got)
        if not data:
            break
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def write_at(files: Files, fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at `offset`. After an OSError any part of it may be there."""
    done = files.pwrite(fd, data, offset)
    if done == len(data):
        return
    rest = memoryview(data)
    while True:
        if done <= 0:
            raise OSError(f"nothing was written at byte {offset}")
        rest = rest[done:]
        offset += done
        if not rest:
            return
        done = files.pwrite(fd, rest, offset)


def sync_directory(files: Files, path: str) -> None:
    """What was made, renamed and removed in the directory `path` is durable."""
    fd = files.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.fsync(fd)
    finally:
        files.close(fd)


def write_file(files: Files, path: str, data: bytes) -> None:
    """The file `path` holds `data`, durably: the old file or the new one whatever happens meanwhile."""
    temporary = path + ".tmp"
    fd = files.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_at(files, fd, data, 0)
        files.fsync(fd)
    finally:
        files.close(fd)
    files.rename(temporary, path)
    sync_directory(files, os.path.dirname(path))


def write_pieces(files: Files, path: str, pieces: Iterable[bytes]) -> None:
    """A new file at `path` that holds `pieces` one after the other, durably. FileExistsError if there is one."""
    fd = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        at = 0
        for piece in pieces:
            write_at(files, fd, piece, at)
            at += len(piece)
        files.fsync(fd)
    finally:
        files.close(fd)
    sync_directory(files, os.path.dirname(path))


def nameless(files: Files, folder: str) -> int:
    """A descriptor of a new file in `folder` without a name: it is gone when that is closed."""
    path = os.path.join(folder, f"irminpy-{os.getpid()}-{os.urandom(8).hex()}.tmp")
    fd = files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    files.unlink(path)
    return fd


def remove_directory(files: Files, path: str) -> None:
    """Remove the directory `path` and the files in it; nothing happens if it is not there."""
    if files.exists(path):
        for name in files.listdir(path):
            files.unlink(os.path.join(path, name))
        files.rmdir(path)
