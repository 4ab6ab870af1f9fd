"""LOCK: one writer at a time, among processes (docs/formats/pack.md, "Locks").

The kernel drops the lock with the last descriptor of the open file, so a process that dies leaves none behind. A
forked child closes its copy and never unlocks: that would unlock the parent's.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from contextlib import suppress

from irminpy.errors import Locked

from .files import Files, read_at, write_at

__all__ = ["Lock"]

_TAKE = fcntl.LOCK_EX | fcntl.LOCK_NB
_SHORTEST, _LONGEST = 0.0002, 0.01  # seconds between attempts

_all: weakref.WeakSet[Lock] = weakref.WeakSet()


class Lock:
    """The lock of the store at `path`, not taken yet. Not safe for threads: its owner has a mutex."""

    __slots__ = ("__weakref__", "_fd", "_files", "_path", "held")

    def __init__(self, files: Files, path: str) -> None:
        self._files = files
        self._path = path
        self._fd: int | None = files.open(path, os.O_RDWR | os.O_CREAT)
        self.held = False
        _all.add(self)

    def take(self, timeout: float) -> None:
        """Take the lock, waiting for at most `timeout` seconds; then Locked, with the holder's pid if it left one."""
        if not self.attempt():
            deadline = time.monotonic() + timeout
            pause = _SHORTEST
            while not self.attempt():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Locked(self._path, self.holder())
                time.sleep(min(pause, left))
                pause = min(2 * pause, _LONGEST)

    def attempt(self) -> bool:
        """Take the lock if nobody else has it; whether it was taken."""
        try:
            self._files.flock(self._open() if self._fd is None else self._fd, _TAKE)
        except BlockingIOError:
            return False
        self.held = True
        return True

    def _open(self) -> int:
        if self._fd is None:  # closed by a fork
            self._fd = self._files.open(self._path, os.O_RDWR | os.O_CREAT)
        return self._fd

    def sign(self) -> None:
        """Leave the pid of this process for those who find the store locked, if the disk has room for it."""
        fd = self._open()
        with suppress(OSError):
            write_at(self._files, fd, b"%-20d\n" % os.getpid(), 0)

    def holder(self) -> int | None:
        """The pid that the holder left, or None."""
        text = read_at(self._files, self._open(), 32, 0).strip()
        return int(text) if text.isdigit() else None

    def release(self) -> None:
        """Let others write."""
        if self.held:
            self.held = False
            self._files.flock(self._open() if self._fd is None else self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release and forget."""
        if self._fd is not None:
            fd, self._fd, self.held = self._fd, None, False
            self._files.close(fd)

    def forked(self) -> None:
        """In the child of a fork: close the copy, which unlocks nothing."""
        fd, self._fd, self.held = self._fd, None, False
        if fd is not None:
            with suppress(OSError):
                os.close(fd)


def is_free(files: Files, path: str) -> bool:
    """Whether nobody holds the lock at `path`, asked without write access. A writer may have to try again."""
    try:
        fd = files.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        files.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a medium without locks has no writer
    finally:
        files.close(fd)
    return True


def _after_fork() -> None:
    for lock in list(_all):
        lock.forked()


os.register_at_fork(after_in_child=_after_fork)
