"""`Recording`: every operation that changes the disk, with its data, and what a power cut may make of them.

The model of the disk is the weak one of reliability studies such as ALICE: bytes and length of a file are durable
after a sync of that file has succeeded; entries of a directory after a sync of that directory; until then each
operation may be there or not, whatever came before or after it. A sync that *failed* makes nothing durable, and
what it should have written is marked clean: no later sync writes it either, unless it is written again.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .faults import Counting

__all__ = ["Event", "Recording", "Tree", "load", "tree_of"]

Op = Literal[
    "create", "mkdir", "rename", "unlink", "write", "truncate", "extend", "sync", "failed-sync", "mark"
]


class Event(NamedTuple):
    """One change: `target` is the number of the file or directory that it happens to.

    create, mkdir: `name` in the directory `target` is the new number `other`. rename: `name` leaves `target`,
    `to` in the directory `other` is the number `inode` from now on. unlink: `name` leaves `target`.
    write: `data` at `offset`. truncate: to the length `offset`. extend: to that length if it is shorter, which only
    images do. sync: of the first `offset` events, as far as they
    are about `target`. mark: state number `offset` is acknowledged.
    """

    op: Op
    target: int = 0
    name: str = ""
    other: int = 0
    to: str = ""
    inode: int = 0
    offset: int = 0
    data: bytes = b""
    path: str = ""
    """Where it happened, relative to the root: for reports."""
    phase: str = ""
    """What the workload was doing: "create", "set", "reopen", "gc" …"""

    def to_json(self) -> list[str | int]:
        """All fields; `data` in base 64."""
        return [*self[:7], base64.b64encode(self.data).decode(), *self[8:]]

    @staticmethod
    def of_json(fields: Sequence[Any]) -> Event:
        """The event that `to_json` gave."""
        values = [*fields[:7], base64.b64decode(fields[7]), *fields[8:]]
        return Event._make(values)


@dataclass(slots=True)
class Tree:
    """Files and directories by number: 0 is the root. A file is its bytes, a directory its entries."""

    files: dict[int, bytearray] = field(default_factory=dict[int, bytearray])
    directories: dict[int, dict[str, int]] = field(default_factory=lambda: {0: {}})

    def copy(self) -> Tree:
        """A tree that changes on its own."""
        return Tree(
            {number: bytearray(data) for number, data in self.files.items()},
            {number: dict(entries) for number, entries in self.directories.items()},
        )

    def apply(self, event: Event) -> None:
        """Let `event` happen: bytes to a file that is there or not, entries to a directory."""
        match event.op:
            case "create":
                self.directories.setdefault(event.target, {})[event.name] = event.other
                self.files.setdefault(event.other, bytearray())
            case "mkdir":
                self.directories.setdefault(event.target, {})[event.name] = event.other
                self.directories.setdefault(event.other, {})
            case "rename":
                self.directories.setdefault(event.target, {}).pop(event.name, None)
                self.directories.setdefault(event.other, {})[event.to] = event.inode
            case "unlink":
                self.directories.setdefault(event.target, {}).pop(event.name, None)
            case "write":
                data = self.files.setdefault(event.target, bytearray())
                end = event.offset + len(event.data)
                if len(data) < end:
                    data.extend(bytes(end - len(data)))
                data[event.offset : end] = event.data
            case "truncate":
                data = self.files.setdefault(event.target, bytearray())
                data.extend(bytes(max(0, event.offset - len(data))))
                del data[event.offset :]
            case "extend":
                data = self.files.setdefault(event.target, bytearray())
                data.extend(bytes(max(0, event.offset - len(data))))
            case _:
                pass

    def walk(self) -> dict[str, bytes | None]:
        """Relative path to bytes, None for a directory; what no directory leads to is not there."""
        out: dict[str, bytes | None] = {}
        stack = [("", 0)]
        while stack:
            path, number = stack.pop()
            for name, child in sorted(self.directories.get(number, {}).items()):
                below = f"{path}/{name}" if path else name
                if child in self.directories:
                    if below not in out:
                        out[below] = None
                        stack.append((below, child))
                else:
                    out[below] = bytes(self.files.get(child, b""))
        return out


def tree_of(root: Path) -> dict[str, bytes | None]:
    """What is on the disk below `root`, as `Tree.walk` gives it."""
    out: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        out[str(path.relative_to(root))] = None if path.is_dir() else path.read_bytes()
    return out


def load(root: Path, image: dict[str, bytes | None]) -> None:
    """Put `image` into the empty directory `root`."""
    for name, data in image.items():
        path = root / name
        if data is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


class Recording(Counting):
    """Records what happens below `root`, on top of what is there now, all of which is durable.

    `inner` is asked before each call and may make it fail. `past`: the events of an earlier process, which found
    an empty `root`; what they made is not more durable than they say. `phase` and `mark` tell where the workload is.
    """

    def __init__(
        self,
        root: str | Path,
        inner: Callable[[str, str | int, bool], None] | None = None,
        past: Sequence[Event] = (),
    ) -> None:
        super().__init__()
        self.root = Path(root)
        self.events: list[Event] = list(past)
        self.start = Tree()
        self.phase = "create"
        self._inner = inner
        self._numbers = 1
        self._live: dict[int, dict[str, int]] = {0: {}}
        self._open: dict[int, tuple[int, str]] = {}
        self._records = threading.RLock()
        if past:
            live = Tree()
            for event in past:
                live.apply(event)
            self._live = live.directories
            self._numbers += max(max(event.target, event.other, event.inode) for event in past)
            return
        for name, data in tree_of(self.root).items():
            parent, last = self._place(str(self.root / name))
            number = self._number()
            self._live[parent][last] = number
            self.start.directories[parent][last] = number
            if data is None:
                self._live[number] = {}
                self.start.directories[number] = {}
            else:
                self.start.files[number] = bytearray(data)

    # -- what the workload says ----------------------------------------------------------------------------------

    def mark(self, acknowledged: int) -> None:
        """From here on state number `acknowledged` is acknowledged."""
        self._record(Event("mark", offset=acknowledged))

    # -- the live tree -------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers - 1

    def _relative(self, path: str) -> str:
        return os.path.relpath(os.path.abspath(path), self.root)

    def _place(self, path: str) -> tuple[int, str]:
        """The number of the directory of `path`, and its last name."""
        *above, last = self._relative(path).split(os.sep)
        number = 0
        for name in above:
            number = self._live[number][name]
        return number, last

    def _lookup(self, path: str) -> int | None:
        relative = self._relative(path)
        number: int | None = 0
        if relative == ".":
            return 0
        for name in relative.split(os.sep):
            number = None if number is None else self._live.get(number, {}).get(name)
        return number

    def _record(self, event: Event) -> None:
        self.events.append(event._replace(phase=self.phase))

    def before(self, call: str, what: str | int, *, creates: bool = False) -> None:
        """Count, and ask the inner layer whether it fails."""
        super().before(call, what, creates=creates)
        if self._inner is not None:
            self._inner(call, what, creates)

    # -- calls that change something -----------------------------------------------------------------------------

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        """Open, and remember which file the descriptor is."""
        with self._records:
            fd = super().open(path, flags, mode)
            if self._relative(path).startswith(os.pardir):
                return fd  # a file for the time being, which no crash leaves
            number = self._lookup(path)
            if number is None and not flags & os.O_CREAT:
                number = self._number()  # a file of LMDB's, of which the record knows nothing
            elif number is None:
                parent, name = self._place(path)
                number = self._number()
                self._live[parent][name] = number
                self._record(Event("create", parent, name, number, path=self._relative(path)))
            elif flags & os.O_TRUNC and number not in self._live:
                self._record(Event("truncate", number, path=self._relative(path)))
            self._open[fd] = (number, self._relative(path))
            return fd

    def close(self, fd: int) -> None:
        """Close; the number of the descriptor may be another file's from now on."""
        with self._records:
            self._open.pop(fd, None)
            super().close(fd)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write, and record what was written."""
        with self._records:
            done = super().pwrite(fd, data, offset)
            if fd in self._open:
                number, path = self._open[fd]
                written = bytes(memoryview(data)[:done])
                self._record(Event("write", number, offset=offset, data=written, path=path))
            return done

    def ftruncate(self, fd: int, length: int) -> None:
        """Truncate or extend."""
        with self._records:
            super().ftruncate(fd, length)
            if fd in self._open:
                number, path = self._open[fd]
                self._record(Event("truncate", number, offset=length, path=path))

    def _sync(self, fd: int, sync: Callable[[int], None]) -> None:
        with self._records:
            number, path = self._open[fd]
            covered = len(self.events)  # what another thread writes from here on may be too late for it
        try:
            sync(fd)
        except OSError:
            with self._records:
                self._record(Event("failed-sync", number, offset=covered, path=path))
            raise
        with self._records:
            self._record(Event("sync", number, offset=covered, path=path))

    def fdatasync(self, fd: int) -> None:
        """Sync; a sync that fails is recorded as one."""
        self._sync(fd, super().fdatasync)

    def fsync(self, fd: int) -> None:
        """Sync; a sync that fails is recorded as one."""
        self._sync(fd, super().fsync)

    def rename(self, old: str, new: str) -> None:
        """Rename, of what is known: files that LMDB made are not."""
        with self._records:
            super().rename(old, new)
            number = self._lookup(old)
            if number is None:
                return
            source, name = self._place(old)
            target, to = self._place(new)
            del self._live[source][name]
            self._live[target][to] = number
            self._record(Event("rename", source, name, target, to, number, path=self._relative(new)))

    def _remove(self, path: str) -> None:
        if self._lookup(path) is not None:
            parent, name = self._place(path)
            del self._live[parent][name]
            self._record(Event("unlink", parent, name, path=self._relative(path)))

    def unlink(self, path: str) -> None:
        """Remove a file."""
        with self._records:
            super().unlink(path)
            self._remove(path)

    def rmdir(self, path: str) -> None:
        """Remove a directory."""
        with self._records:
            super().rmdir(path)
            self._remove(path)

    def mkdir(self, path: str) -> None:
        """Make a directory."""
        with self._records:
            super().mkdir(path)
            parent, name = self._place(path)
            number = self._number()
            self._live[parent][name] = number
            self._live[number] = {}
            self._record(Event("mkdir", parent, name, number, path=self._relative(path)))
