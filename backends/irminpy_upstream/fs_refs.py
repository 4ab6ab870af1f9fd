"""The branches of an irmin-fs store: `refs/NAME` holds the bytes of a hash; changed under the lock `lock/refs/NAME`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

from irminpy import branch
from irminpy.backend import ANY, RefChange, RefUpdate
from irminpy.errors import Corrupted, StorageError
from irminpy.hash import Hash

from .placing import FileLock, Placing, read_small

__all__ = ["FsRefs"]


class FsRefs:
    """The branches below `root`, of hashes of `size` bytes."""

    def __init__(self, root: str, size: int, placing: Placing, timeout: float) -> None:
        self._refs = os.path.join(root, "refs")
        self._locks = os.path.join(root, "lock", "refs")
        self._size = size
        self._placing = placing
        self._timeout = timeout

    def get(self, name: str) -> Hash | None:
        """The commit of the branch, or None; Corrupted for a file that holds no hash."""
        if not branch.is_valid(name):
            return None
        path = os.path.join(self._refs, name)
        data = read_small(path, self._size)
        if data is not None and len(data) != self._size:
            found = f"{len(data)} bytes" if len(data) < self._size else "more"
            raise Corrupted(path, 0, None, f"it has {found}, a hash has {self._size}")
        return None if data is None else Hash(data)

    def all(self) -> dict[str, Hash]:
        """All branches, ordered by name; files whose name is none of a branch are not looked at."""
        found: dict[str, Hash] = {}
        for name in sorted(name for name, _ in self._files()):
            head = self.get(name)
            if head is not None:
                found[name] = head
        return found

    def mark(self) -> object:
        """Something that is equal as long as no branch has changed."""
        found: list[tuple[str, int, int, int]] = []
        for name, entry in self._files():
            with suppress(FileNotFoundError):
                at = entry.stat(follow_symlinks=False)
                found.append((name, at.st_mtime_ns, at.st_size, at.st_ino))
        return sorted(found)

    def _files(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        stack = [""]
        while stack:
            prefix = stack.pop()
            try:
                entries = list(os.scandir(os.path.join(self._refs, prefix)))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    stack.append(name + "/")
                elif branch.is_valid(name):
                    yield name, entry

    def update(self, updates: Sequence[RefUpdate]) -> list[RefChange] | None:
        """Move branches, if all conditions hold; what changed, in order, or None if one does not hold.

        Each branch changes at once; several of them one after the other. Locked if somebody else holds the lock of one
        for too long; StorageError if one would be a directory of another, which Irmin would remove.
        """
        names = sorted({branch.check(update.name) for update in updates})
        with ExitStack() as stack:
            # The lock of "a" keeps that of "a/b" from being made, too.
            for name in [name for name in names if not any(name.startswith(f"{other}/") for other in names)]:
                stack.callback(FileLock(self._locks, name, self._timeout).release)
            before = {name: self.get(name) for name in names}
            now = dict(before)
            changes: list[RefChange] = []
            for update in updates:
                if update.test is not ANY and now[update.name] != update.test:
                    return None
                if now[update.name] != update.set:
                    changes.append(RefChange(update.name, now[update.name], update.set))
                now[update.name] = update.set
            moved = {name: head for name, head in now.items() if head != before[name]}
            gone = [name for name, head in moved.items() if head is None]
            new = {name: head for name, head in moved.items() if head is not None}
            self._check_names(list(new), gone)
            for name in gone:
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._refs, name))
                self._prune(name)
            for name, head in new.items():
                path = os.path.join(self._refs, name)
                self._make_room(path)
                self._placing.write(path, head)
            self._placing.settle({os.path.dirname(os.path.join(self._refs, name)) for name in moved})
        return changes

    def _check_names(self, new: list[str], gone: list[str]) -> None:
        """No branch may be a part of the name of another."""
        if not new:
            return
        there = {name for name, _ in self._files()} - set(gone) | set(new)
        for name in new:
            for other in there:
                if other.startswith(name + "/") or name.startswith(other + "/"):
                    raise StorageError(
                        f"the branches {name!r} and {other!r} cannot both be there: "
                        "one would be a directory of the other"
                    )

    def _prune(self, name: str) -> None:
        """Remove directories that are empty now."""
        folder = os.path.dirname(os.path.join(self._refs, name))
        with suppress(OSError):
            while len(folder) > len(self._refs):
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    def _make_room(self, path: str) -> None:
        """Remove empty directories where a file is to be."""
        if os.path.isdir(path):
            for folder, _, _ in os.walk(path, topdown=False):
                os.rmdir(folder)
