"""File layers that count, fail and record: what stands between the pack and the disk in all experiments.

A layer is a `Files` of the pack whose every call passes `before` first. `Failing` makes one call, or that call and
all that follow, fail; `Recording` (in `recording`) writes down what a power cut could leave behind.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections import Counter
from typing import Literal

from irminpy_pack.files import Files

__all__ = ["CALLS", "FAULTS", "GROWING", "SYNCS", "Counting", "Failing", "Fault", "Layer", "applies"]

Fault = Literal["EIO", "ENOSPC", "SHORT", "EINTR"]
FAULTS: tuple[Fault, ...] = ("EIO", "ENOSPC", "SHORT", "EINTR")

CALLS = (
    *("open", "close", "pread", "pwrite", "fdatasync", "fsync", "ftruncate", "size"),
    *("rename", "unlink", "mkdir", "rmdir", "listdir", "flock", "mmap"),
)
"""The calls that may fail. `exists` and `free` ask about a path and have no fault worth a run of their own."""

GROWING = frozenset({"pwrite", "open", "mkdir", "rename", "fdatasync", "fsync"})
"""The calls to which a full disk answers ENOSPC: of `open` those that create, of `pwrite` those that grow a file."""

SYNCS = frozenset({"fdatasync", "fsync"})
"""The calls whose failure is final for what was not yet durable."""

_CODES = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR}
_INTERRUPTIBLE = frozenset({"open", "pread", "pwrite", "fdatasync", "fsync", "ftruncate", "flock"})
_SHORT = frozenset({"pread", "pwrite"})
_PATIENCE = 3  # interrupts in a row before a sticky EINTR lets one call through: retrying must end


def applies(fault: Fault, call: str, *, creates: bool = True) -> bool:
    """Whether the system can answer `call` with `fault`; `creates`: it needs space."""
    if fault == "SHORT":
        return call in _SHORT
    if fault == "EINTR":
        return call in _INTERRUPTIBLE
    if fault == "ENOSPC":
        return call in GROWING and (creates or call not in ("open", "pwrite"))
    return call in CALLS


class Layer(Files):
    """All calls pass `before(call, what, creates)`, which may raise, and `clipped` for the size of a transfer."""

    def before(self, call: str, what: str | int, *, creates: bool = False) -> None:
        """Called first; raises OSError for a call that shall fail without an effect."""

    def clipped(self, call: str, size: int) -> int:
        """How many bytes of `size` this transfer may move, asked right after `before`."""
        return size

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        """As `Files.open`."""
        self.before("open", path, creates=bool(flags & os.O_CREAT) and not os.path.lexists(path))
        return super().open(path, flags, mode)

    def close(self, fd: int) -> None:
        """As `Files.close`; a failing one has closed all the same, as on Linux."""
        try:
            self.before("close", fd)
        except OSError:
            super().close(fd)
            raise
        super().close(fd)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """As `Files.pread`."""
        self.before("pread", fd)
        return super().pread(fd, self.clipped("pread", size), offset)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """As `Files.pwrite`."""
        grows = offset + len(data) > os.fstat(fd).st_size
        self.before("pwrite", fd, creates=grows)
        return super().pwrite(fd, memoryview(data)[: self.clipped("pwrite", len(data))], offset)

    def fdatasync(self, fd: int) -> None:
        """As `Files.fdatasync`."""
        self.before("fdatasync", fd)
        super().fdatasync(fd)

    def fsync(self, fd: int) -> None:
        """As `Files.fsync`."""
        self.before("fsync", fd)
        super().fsync(fd)

    def ftruncate(self, fd: int, length: int) -> None:
        """As `Files.ftruncate`."""
        self.before("ftruncate", fd)
        super().ftruncate(fd, length)

    def size(self, fd: int) -> int:
        """As `Files.size`."""
        self.before("size", fd)
        return super().size(fd)

    def rename(self, old: str, new: str) -> None:
        """As `Files.rename`."""
        self.before("rename", old)
        super().rename(old, new)

    def unlink(self, path: str) -> None:
        """As `Files.unlink`."""
        self.before("unlink", path)
        super().unlink(path)

    def mkdir(self, path: str) -> None:
        """As `Files.mkdir`."""
        self.before("mkdir", path)
        super().mkdir(path)

    def rmdir(self, path: str) -> None:
        """As `Files.rmdir`."""
        self.before("rmdir", path)
        super().rmdir(path)

    def listdir(self, path: str) -> list[str]:
        """As `Files.listdir`."""
        self.before("listdir", path)
        return super().listdir(path)

    def flock(self, fd: int, operation: int) -> None:
        """As `Files.flock`."""
        self.before("flock", fd)
        super().flock(fd, operation)

    def mmap(self, fd: int, length: int) -> mmap.mmap:
        """As `Files.mmap`."""
        self.before("mmap", fd)
        return super().mmap(fd, length)


class Counting(Layer):
    """Numbers the calls from 1 and keeps their names: `calls[n - 1]` is (call, whether it needs space)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []
        self._lock = threading.Lock()

    def before(self, call: str, what: str | int, *, creates: bool = False) -> None:
        """Count it."""
        with self._lock:
            self.calls.append((call, creates))

    @property
    def counts(self) -> Counter[str]:
        """How often each call was made."""
        return Counter(call for call, _ in self.calls)


class Failing(Counting):
    """Call number `at` fails with `fault`; if `sticky`, so does every later one to which the fault applies.

    `heal` ends it: the disk has space again, the cable is back. `reached` tells whether a call has failed,
    `sync_failed` whether one of them was a sync.
    """

    def __init__(self, at: int, fault: Fault, *, sticky: bool) -> None:
        super().__init__()
        self.at = at
        self.fault: Fault = fault
        self.sticky = sticky
        self.failed: list[str] = []
        self._healed = False
        self._row = 0
        self._clip = threading.local()

    @property
    def reached(self) -> bool:
        """Whether a call has failed."""
        return bool(self.failed)

    @property
    def sync_failed(self) -> bool:
        """Whether one of the failed calls was a sync."""
        return not SYNCS.isdisjoint(self.failed)

    def heal(self) -> None:
        """No call fails from now on."""
        self._healed = True

    def _fails(self, number: int, call: str, creates: bool) -> bool:
        if self._healed or number < self.at or not applies(self.fault, call, creates=creates):
            return False
        if self.sticky:
            return True
        return not self.failed

    def before(self, call: str, what: str | int, *, creates: bool = False) -> None:
        """Count the call, and fail it if it is its turn."""
        with self._lock:
            self.calls.append((call, creates))
            fails = self._fails(len(self.calls), call, creates)
            if fails and self.fault == "EINTR":
                self._row += 1
                if self._row > _PATIENCE:
                    fails, self._row = False, 0
            if fails:
                self.failed.append(call)
        self._clip.on = fails and self.fault == "SHORT"
        if fails and self.fault != "SHORT":
            code = _CODES[self.fault]
            raise OSError(
                code, f"{os.strerror(code)} (injected at call {len(self.calls)}, {call})", str(what)
            )

    def clipped(self, call: str, size: int) -> int:
        """Half of what was asked for, at least one byte, if this transfer is to be short."""
        return max(1, size // 2) if getattr(self._clip, "on", False) and size > 1 else size
