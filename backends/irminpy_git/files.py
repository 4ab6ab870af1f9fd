"""Files as Git makes them: beside others first, then under their name, and never half."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

from irminpy.errors import IrminError, Locked, StorageError

__all__ = [
    "LockFile",
    "make_directory",
    "place",
    "read_small",
    "sync_directory",
    "temporary",
    "typed",
    "write_all",
]

_SMALL: Final = 16 << 20
_numbers = count()
_FIRST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.05
_TRIES: Final = 10


@contextmanager
def typed(path: str) -> Generator[None, None, None]:
    """Errors of the system about files below `path` become StorageError."""
    try:
        yield
    except IrminError:
        raise
    except OSError as cause:
        raise StorageError(f"{cause.filename or path}: {cause.strerror or cause}") from cause


def read_small(path: str, most: int = _SMALL) -> bytes | None:
    """The bytes of a file, None if there is none; StorageError if it has more than `most`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(fd, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise StorageError(f"{path} has more than {most} bytes")
    return data


def temporary(directory: str, prefix: str) -> tuple[int, str]:
    """A new file in `directory`, open for writing, and its path."""
    while True:
        path = os.path.join(
            directory, f"{prefix}{os.getpid():x}{next(_numbers):x}{time.time_ns() & 0xFFFFFF:06x}"
        )
        with suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), path


def write_all(fd: int, data: bytes) -> None:
    """All of `data`."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def place(path: str, new: str) -> None:
    """Give the file `path` the name `new`, unless there is one already: an object is never replaced."""
    try:
        os.link(path, new)
    except FileExistsError:
        pass
    except OSError:
        # Not every file system has links.
        if not os.path.exists(new):
            os.rename(path, new)
            return
    os.unlink(path)


def make_directory(path: str) -> None:
    """The directory and those above it, if they are not there."""
    for left in reversed(range(_TRIES)):
        try:
            os.makedirs(path, exist_ok=True)
            return
        except (FileExistsError, FileNotFoundError):
            # Git removes directories that are empty: one may be there when it is made, and gone when it is looked at.
            if not left or (os.path.lexists(path) and not os.path.isdir(path)):
                raise


def sync_directory(path: str) -> None:
    """What is named in the directory survives a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class LockFile:
    """`NAME.lock`, made beside a file: Git's way of having one writer of a file at a time.

    Taken on construction, after at most `timeout` seconds of waiting; Locked if somebody else holds it. Nobody's
    lock is ever removed: where a process died, a person has to look.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self.path = path
        self.lock = path + ".lock"
        self._fd = self._take(timeout)

    def _take(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        wait = _FIRST_WAIT
        while True:
            try:
                return os.open(self.lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            except FileExistsError:
                if time.monotonic() >= deadline:
                    raise Locked(self.lock) from None
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            except FileNotFoundError:
                # Whoever deletes a ref also removes directories that are empty then.
                make_directory(os.path.dirname(self.lock))

    def write(self, data: bytes, *, sync: bool) -> None:
        """What the file is to hold."""
        write_all(self._fd, data)
        if sync:
            os.fsync(self._fd)

    def commit(self) -> None:
        """The file holds what was written; the lock is gone."""
        self._close()
        try:
            os.rename(self.lock, self.path)
        except (IsADirectoryError, NotADirectoryError, FileExistsError, PermissionError):
            _remove_empty(self.path)
            os.rename(self.lock, self.path)

    def release(self) -> None:
        """The file stays as it is; the lock is gone. A second call does nothing."""
        if self._fd >= 0:
            self._close()
            with suppress(FileNotFoundError):
                os.unlink(self.lock)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


def _remove_empty(path: str) -> None:
    """Remove directories below `path` that hold nothing but such, and it."""
    for folder, _, _ in os.walk(path, topdown=False):
        os.rmdir(folder)
