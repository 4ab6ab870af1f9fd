"""Files as irmin-fs writes them: in `tmp` first, then under their name; and its locks.

Source: irmin-fs 3.7.2, `irmin_fs.ml`, `irmin_fs_unix.ml`. Beyond that, files and directories are synced where asked.
"""

from __future__ import annotations

import os
import random
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

from irminpy.errors import IrminError, Locked, StorageError

__all__ = ["FileLock", "Placing", "read_small", "typed"]

_STALE: Final = 600.0
"""Seconds after which a lock counts as left behind, as in Irmin."""
_PAUSE: Final = 0.001
_LONGEST: Final = 0.05
_numbers = count()


@contextmanager
def typed(path: str) -> Generator[None]:
    """Errors of the system about files below `path` become StorageError."""
    try:
        yield
    except IrminError:
        raise
    except OSError as cause:
        raise StorageError(f"{cause.filename or path}: {cause.strerror or cause}") from cause


def read_small(path: str, most: int) -> bytes | None:
    """The bytes of a file, one more than `most` of them at most; None if there is no file of that name."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        data = b""
        while len(data) <= most:
            part = os.read(fd, most + 1 - len(data))
            if not part:
                break
            data += part
        return data
    except IsADirectoryError:
        return None
    finally:
        os.close(fd)


class Placing:
    """Writes files below `root`, whole or not at all. `sync`: they survive a power cut once `settle` has returned."""

    def __init__(self, root: str, *, sync: bool) -> None:
        self._temporary = os.path.join(root, "tmp")
        self._root = root
        self._sync = sync

    def write(self, path: str, data: bytes) -> None:
        """Put `data` under the name `path`, in place of what is there."""
        os.makedirs(self._temporary, 0o755, exist_ok=True)
        name = f"{os.path.basename(path)[:64]}{os.getpid():x}-{next(_numbers):x}-{time.time_ns():x}write"
        temporary = os.path.join(self._temporary, name)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                if self._sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            os.rename(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def settle(self, folders: set[str]) -> None:
        """What was named in `folders` survives a power cut, and so do they."""
        if not self._sync:
            return
        above = set(folders)
        for folder in folders:
            while len(folder) > len(self._root):
                folder = os.path.dirname(folder)  # upwards
                above.add(folder)
        for folder in sorted(above, reverse=True):
            with suppress(FileNotFoundError):
                fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)


class FileLock:
    """The lock `name` below `root`, as Irmin has them: a file with the id of the process that holds it.

    Waits up to `timeout` seconds, then Locked. One that is older than ten minutes was left behind by a process that
    died, and is removed, as Irmin does.
    """

    def __init__(self, root: str, name: str, timeout: float) -> None:
        self._root = root
        path = self._path = os.path.join(root, name)
        deadline = time.monotonic() + timeout
        tries = 0
        while not self._take():
            if self._drop_stale():
                continue
            if time.monotonic() >= deadline:
                raise Locked(path, self._holder())
            tries += 1
            time.sleep(min(_PAUSE * (1 + random.random() * tries * tries), _LONGEST))

    def _take(self) -> bool:
        try:
            os.makedirs(os.path.dirname(self._path), 0o755, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except (FileExistsError, NotADirectoryError, FileNotFoundError):
            # Of branches whose locks were below this name, a directory may be left.
            with suppress(OSError):
                os.rmdir(self._path)
            return False
        try:
            os.write(fd, b"%d" % os.getpid())
        finally:
            os.close(fd)
        return True

    def _holder(self) -> int | None:
        digits = read_small(self._path, 20) or b""
        return int(digits) if digits.isdigit() else None

    def _drop_stale(self) -> bool:
        """Remove a lock that was left behind; whether there was one."""
        try:
            at = os.lstat(self._path)
            if stat.S_ISDIR(at.st_mode) or time.time() - at.st_mtime <= _STALE:
                return False
            # Under another name first: what is removed must be what was looked at, not the lock of who came after.
            aside = f"{self._path}.{os.getpid():x}-{next(_numbers):x}"
            os.rename(self._path, aside)
        except NotADirectoryError:
            return False  # a branch whose name is the beginning of this one is locked
        except FileNotFoundError:
            return True
        if time.time() - os.lstat(aside).st_mtime <= _STALE:
            with suppress(FileExistsError):
                os.link(aside, self._path)
        os.unlink(aside)
        return True

    def release(self) -> None:
        """The lock is gone."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        folder = os.path.dirname(self._path)
        with suppress(OSError):
            while len(folder) > len(self._root):
                os.rmdir(folder)
                folder = os.path.dirname(folder)
