"""Branches as files: loose ones, packed ones, symbolic ones, changed under Git's own locks (docs/formats/git.md, 7).

Names are those of branches; the file of "x" is refs/heads/x. Nothing is kept between calls but the parsed
packed-refs, while that file is the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from irminpy.backend import ANY, RefChange, RefUpdate
from irminpy.branch import check, is_valid
from irminpy.errors import Corrupted, StorageError
from irminpy.hash import Hash

from .files import LockFile, make_directory, read_small, sync_directory, write_all

__all__ = ["Refs"]

_HEADS: Final = "refs/heads/"
_MOST_LINKS: Final = 5
_MOST: Final = 4096
_HEADER: Final = b"# pack-refs with: peeled fully-peeled sorted \n"


class Refs:
    """The branches below the directory `common` of a repository whose ids have `size` bytes."""

    def __init__(self, common: str, size: int, *, sync: bool, timeout: float) -> None:
        self._common = common
        self._size = size
        self._sync = sync
        self._timeout = timeout
        self._packed: tuple[tuple[int, int, int] | None, dict[str, bytes]] = (None, {})

    # -- reading ---------------------------------------------------------------------------------------------

    def get(self, name: str) -> Hash | None:
        """What the branch `name` names, or None. Corrupted for a file that names nothing."""
        if not is_valid(name):
            return None
        return self._resolved(_HEADS + name)

    def all(self) -> dict[str, Hash]:
        """All branches by name."""
        found: dict[str, Hash] = {}
        # Loose files first: one that is packed meanwhile is found there, not nowhere.
        loose = list(self._loose())
        for ref, hash_ in self.packed().items():
            name = ref[len(_HEADS) :]
            if ref.startswith(_HEADS) and is_valid(name):
                found[name] = Hash(hash_)
        for name in loose:
            head = self._resolved(_HEADS + name)
            if head is not None:
                found[name] = head
        return dict(sorted(found.items()))

    def _loose(self) -> Iterator[str]:
        """The names that have a file."""
        top = os.path.join(self._common, "refs", "heads")
        stack = [""]
        while stack:
            prefix = stack.pop()
            try:
                entries = list(os.scandir(os.path.join(top, prefix)))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    stack.append(name + "/")
                elif is_valid(name):
                    yield name

    def mark(self) -> object:
        """Something that is equal as long as nothing has changed, without reading any ref."""
        found: list[tuple[str, int, int, int]] = []
        stack = [os.path.join(self._common, "refs", "heads")]
        while stack:
            folder = stack.pop()
            try:
                entries = list(os.scandir(folder))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif not entry.name.endswith(".lock"):
                    with suppress(FileNotFoundError):
                        at = entry.stat(follow_symlinks=False)
                        found.append((entry.path, at.st_mtime_ns, at.st_size, at.st_ino))
        found.sort()
        return found, _stamp(os.path.join(self._common, "packed-refs"))

    def packed(self) -> dict[str, bytes]:
        """What the file packed-refs says. Corrupted if it makes no sense."""
        path = os.path.join(self._common, "packed-refs")
        stamp = _stamp(path)
        if stamp is not None and stamp == self._packed[0]:
            return self._packed[1]
        found: dict[str, bytes] = {}
        data = read_small(path, 1 << 30) or b""
        at = 0
        for line in data.split(b"\n"):
            if line and line[:1] not in (b"#", b"^"):
                digits, _, name = line.partition(b" ")
                try:
                    hash_ = bytes.fromhex(digits.decode("ascii"))
                except ValueError:
                    hash_ = b""
                if len(hash_) != self._size or not name:
                    raise Corrupted(path, at, None, f"the line {line[:60]!r} is no ref")
                found[name.decode("utf-8", "surrogateescape")] = hash_
            at += len(line) + 1
        if stamp is not None and _stamp(path) == stamp:
            self._packed = (stamp, found)
        return found

    def _file(self, ref: str) -> str | None:
        """The path of the file of `ref`; None if a symbolic link of the file system leads there."""
        path = os.path.join(self._common, ref)
        folder = os.path.dirname(path)
        return path if os.path.realpath(folder) == folder else None

    def _raw(self, ref: str) -> Hash | str | None:
        """What the file of `ref` says: a hash, or the ref that it stands for; None if there is none."""
        path = self._file(ref)
        if path is None:
            return None
        try:
            if stat.S_ISLNK(os.lstat(path).st_mode):
                # How Git once made symbolic refs. They are read, never followed by the system.
                return os.readlink(path)
            data = read_small(path, _MOST)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        if data is None:
            return None
        if data.startswith(b"ref:"):
            return data[4:].strip().decode("utf-8", "surrogateescape")
        digits = data[: 2 * self._size]
        try:
            hash_ = bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            hash_ = b""
        if len(hash_) != self._size or data[2 * self._size :].strip():
            raise Corrupted(path, 0, None, f"{data[:60]!r} is no id of an object")
        return Hash(hash_)

    def _followed(self, ref: str) -> str:
        """The ref that `ref` stands for, if it is symbolic, or itself. Corrupted for a loop, or one that leads out."""
        first = ref
        for _ in range(_MOST_LINKS + 1):
            found = self._raw(ref)
            if not isinstance(found, str):
                return ref
            if not found.startswith("refs/") or not is_valid(found):
                raise Corrupted(
                    os.path.join(self._common, first), 0, None, f"it stands for {found[:60]!r}, no ref"
                )
            ref = found
        raise Corrupted(
            os.path.join(self._common, first), 0, None, "symbolic refs that lead round in a circle"
        )

    def _resolved(self, ref: str) -> Hash | None:
        ref = self._followed(ref)
        found = self._raw(ref)
        if isinstance(found, Hash):
            return found
        packed = self.packed().get(ref)
        if packed is None and found is None:
            # It may have been packed between the two looks.
            again = self._raw(ref)
            return again if isinstance(again, Hash) else None
        return None if packed is None else Hash(packed)

    # -- writing ---------------------------------------------------------------------------------------------

    def update(
        self, updates: Sequence[RefUpdate], logs: Mapping[bytes, bytes] | None
    ) -> list[RefChange] | None:
        """Move refs, if all conditions hold; what changed, in order, or None if one does not hold.

        `logs` gives who moves a branch, by the new hash, for the reflog; None: there is none. Locked if somebody else
        holds the lock of a ref for too long; StorageError if a ref would be a directory of another.
        """
        names = sorted({check(update.name) for update in updates})
        with ExitStack() as stack:
            locks: dict[str, LockFile] = {}
            refs = {name: self._followed(_HEADS + name) for name in names}
            for name, ref in sorted(refs.items(), key=lambda item: item[1]):
                if ref not in locks:
                    path = self._file(ref)
                    if path is None:
                        raise StorageError(f"{ref}: a link of the file system stands in its way")
                    try:
                        lock = locks[ref] = LockFile(path, self._timeout)
                    except (NotADirectoryError, FileExistsError):
                        raise StorageError(
                            f"the branch {name!r}: there is one that is a part of its name"
                        ) from None
                    stack.callback(self._prune, ref)
                    stack.callback(lock.release)
            before: dict[str, Hash | None] = {ref: self._resolved(ref) for ref in locks}
            now = dict(before)
            changes: list[RefChange] = []
            for update in updates:
                ref = refs[update.name]
                if update.test is not ANY and now[ref] != update.test:
                    return None
                if now[ref] != update.set:
                    changes.append(RefChange(update.name, now[ref], update.set))
                now[ref] = update.set
            moved = {ref: hash_ for ref, hash_ in now.items() if hash_ != before[ref]}
            self._check_names([ref for ref, hash_ in moved.items() if hash_ is not None], moved)
            for ref, hash_ in moved.items():
                if hash_ is not None:
                    locks[ref].write(hash_.hex().encode() + b"\n", sync=self._sync)
            gone = [ref for ref, hash_ in moved.items() if hash_ is None]
            self._unpack(gone)
            for ref in gone:
                with suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(os.path.join(self._common, ref))
            for ref, hash_ in moved.items():
                if hash_ is not None:
                    locks[ref].commit()
                    if logs is not None:
                        self._log(ref, before[ref], hash_, logs.get(hash_))
            if self._sync:
                for folder in {os.path.dirname(locks[ref].path) for ref in moved}:
                    sync_directory(folder)
        for ref in gone:
            with suppress(OSError):
                os.unlink(os.path.join(self._common, "logs", ref))
            self._prune(ref, "logs")
        return changes

    def _check_names(self, new: Sequence[str], moved: Mapping[str, Hash | None]) -> None:
        """No ref may be a part of the name of another."""
        if not new:
            return
        known = [ref for ref in self.packed() if moved.get(ref, b"") is not None]
        for ref in new:
            for other in (*known, *new):
                if other.startswith(ref + "/") or ref.startswith(other + "/"):
                    raise StorageError(
                        f"{ref} and {other} cannot both be there: one would be a directory of the other"
                    )
            path = os.path.join(self._common, ref)
            for _, _, files in os.walk(path):
                if any(not file.endswith(".lock") for file in files):
                    raise StorageError(f"{ref} cannot be made: there are refs whose names go on from it")

    def _unpack(self, gone: Sequence[str]) -> None:
        """Take refs out of packed-refs."""
        if not gone or not any(ref in self.packed() for ref in gone):
            return
        path = os.path.join(self._common, "packed-refs")
        lock = LockFile(path, self._timeout)
        try:
            out: list[bytes] = []
            skipping = False
            for line in (read_small(path, 1 << 30) or b"").splitlines(keepends=True):
                if line[:1] == b"^":
                    if not skipping:
                        out.append(line)
                    continue
                name = line.partition(b" ")[2].rstrip(b"\n").decode("utf-8", "surrogateescape")
                skipping = line[:1] != b"#" and name in gone
                if not skipping:
                    out.append(line)
            lock.write(b"".join(out) or _HEADER, sync=self._sync)
            lock.commit()
            if self._sync:
                sync_directory(self._common)
        finally:
            lock.release()
            self._packed = (None, {})

    def _log(self, ref: str, before: Hash | None, after: Hash, who: bytes | None) -> None:
        path = os.path.join(self._common, "logs", ref)
        make_directory(os.path.dirname(path))
        old = before.hex() if before is not None else "0" * 2 * self._size
        line = f"{old} {after.hex()} ".encode() + (who or b"irminpy <irminpy> 0 +0000") + b"\tirminpy\n"
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            write_all(fd, line)
        finally:
            os.close(fd)

    def _prune(self, ref: str, below: str = "") -> None:
        """Remove directories that are empty now, and would stand in the way of a ref of their name."""
        top = os.path.join(self._common, below)
        folder, stop = os.path.dirname(os.path.join(top, ref)), os.path.join(top, "refs", "heads")
        with suppress(OSError):
            while len(folder) > len(stop):
                os.rmdir(folder)
                folder = os.path.dirname(folder)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        at = os.stat(path)
    except FileNotFoundError:
        return None
    return at.st_mtime_ns, at.st_size, at.st_ino
