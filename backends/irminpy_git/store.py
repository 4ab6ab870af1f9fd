"""All objects of a repository: packs, loose ones, and those of the repositories that it borrows from.

Other processes pack, repack and prune meanwhile. So an object that is not found is looked for again among the packs
that there are by then, and only then it is missing.
"""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from irminpy.errors import Corrupted

from .deltas import Entry, Getter, Result, Z
from .files import make_directory, place, read_small, sync_directory, temporary, write_all
from .idx import Idx, MultiIdx, mapped
from .kinds import Type
from .loose import Loose
from .packing import Packed, idx_bytes, write_pack
from .unpacking import LARGEST, PackFile

__all__ = ["ObjectStore"]

_DEEPEST: Final = 5  # of repositories that borrow from each other, as of Git
_FRESH: Final = 2_000_000_000  # nanoseconds in which a directory may change and not look changed
_TRIES: Final = 4


class ObjectStore:
    """The objects below the directory `objects`. Threads may share it."""

    def __init__(
        self,
        objects: str,
        algorithm: str,
        size: int,
        *,
        level: int = 6,
        sync: bool = True,
        largest: int = LARGEST,
        alternates: bool = True,
        depth: int = 0,
    ) -> None:
        self.objects = objects
        self.algorithm = algorithm
        self.size = size
        self.loose = Loose(objects, size, level=level, sync=sync, largest=largest)
        self._level = level
        self.syncs = sync
        self._largest = largest
        self._follow = alternates
        self._depth = depth
        # Replaced as a whole, never changed: readers take no lock.
        self._idx: dict[str, Idx] = {}
        self._multi: MultiIdx | None = None
        self._open: dict[str, PackFile] = {}
        self._mark: tuple[int, int] = (0, 0)
        self._alternates: tuple[tuple[int, int], list[ObjectStore]] = ((-1, -1), [])
        self.refresh()

    # -- packs -----------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> str:
        return os.path.join(self.objects, "pack")

    def refresh(self) -> bool:
        """Look which packs there are now; whether that has changed."""
        try:
            at = os.stat(self._folder)
        except FileNotFoundError:
            return False
        mark = (at.st_mtime_ns, at.st_ino)
        if mark == self._mark and time.time_ns() - at.st_mtime_ns > _FRESH:
            return False
        names = [name for name in os.listdir(self._folder) if name.endswith(".idx")]
        known, found = self._idx, dict[str, Idx]()
        for name in sorted(names):
            path = os.path.join(self._folder, name)
            if name in known:
                found[name] = known[name]
            elif os.path.exists(path[:-4] + ".pack"):
                with suppress(FileNotFoundError):
                    found[name] = Idx(path, mapped(path), self.size)
        multi: MultiIdx | None = None
        with suppress(FileNotFoundError):
            path = os.path.join(self._folder, "multi-pack-index")
            multi = MultiIdx(path, mapped(path), self.size)
        changed = found.keys() != known.keys()
        self._multi = multi
        self._idx = found
        self._open = {name: pack for name, pack in self._open.items() if name in found}
        self._mark = mark
        return changed

    def _pack(self, name: str) -> PackFile | None:
        """The pack of the index `name`, opened; None if it is gone."""
        pack = self._open.get(name)
        if pack is None:
            idx = self._idx.get(name)
            if idx is None:
                return None
            path = idx.path[:-4] + ".pack"
            try:
                pack = PackFile(path, mapped(path), idx, self._largest)
            except FileNotFoundError:
                return None
            self._open = {**self._open, name: pack}
        return pack

    def _places(self, id: bytes) -> Iterator[tuple[PackFile, int]]:
        """Where packs that are known hold the object."""
        multi = self._multi
        covered: frozenset[str] = frozenset()
        if multi is not None:
            covered = frozenset(multi.packs)
            found = multi.find(id)
            if found is not None:
                pack = self._pack(found[0])
                if pack is not None:
                    yield pack, found[1]
                covered = frozenset()  # that pack may be gone, and another have it
        for name, idx in self._idx.items():
            if name not in covered:
                at = idx.find(id)
                if at is not None:
                    pack = self._pack(name)
                    if pack is not None:
                        yield pack, at

    def packs(self) -> list[str]:
        """The names of the indexes of all packs of this repository itself."""
        self.refresh()
        return list(self._idx)

    def close(self) -> None:
        """Let go of all files."""
        self._idx, self._open, self._multi, self._mark = {}, {}, None, (0, 0)

    # -- other repositories ----------------------------------------------------------------------------------

    def alternates(self) -> list[ObjectStore]:
        """The stores that this one borrows from, by `info/alternates`."""
        if not self._follow or self._depth >= _DEEPEST:
            return []
        path = os.path.join(self.objects, "info", "alternates")
        try:
            at = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        mark = (at.st_mtime_ns, at.st_ino)
        if mark != self._alternates[0]:
            found: list[ObjectStore] = []
            text = (read_small(path) or b"").decode("utf-8", "surrogateescape")
            for line in text.splitlines():
                if line and not line.startswith("#"):
                    other = os.path.realpath(os.path.join(self.objects, line.strip('"')))
                    if os.path.isdir(other) and other != self.objects:
                        found.append(
                            ObjectStore(
                                other,
                                self.algorithm,
                                self.size,
                                largest=self._largest,
                                depth=self._depth + 1,
                            )
                        )
            self._alternates = (mark, found)
        return self._alternates[1]

    # -- reading ---------------------------------------------------------------------------------------------

    def read(self, id: bytes) -> tuple[Type, bytes] | bytes | None:
        """(type, body) from a pack, or header and body from a file, or None. Not hashed. Raises Corrupted.

        A damaged copy does not matter where there is another.
        """
        damage: Corrupted | None = None
        for attempt in range(_TRIES):
            for pack, at in self._places(id):
                try:
                    return pack.at(at)
                except Corrupted as e:
                    damage = damage or e
            try:
                found = self.loose.read(id)
            except Corrupted as e:
                found, damage = None, damage or e
            if found is not None:
                return found
            if not self.refresh() and attempt:
                break
        for other in self.alternates():
            borrowed = other.read(id)
            if borrowed is not None:
                return borrowed
        if damage is not None:
            raise damage
        return None

    def body(self, id: bytes) -> tuple[Type, bytes] | None:
        """Type and body of the object, or None. Not hashed."""
        found = self.read(id)
        if not isinstance(found, bytes):
            return found
        end = found.index(b"\0")
        return Type[found[: found.index(b" ")].decode().upper()], found[end + 1 :]

    def body_of(self, id: bytes) -> bytes | None:
        """The body of the object, or None."""
        found = self.body(id)
        return None if found is None else found[1]

    def kind(self, id: bytes) -> Type | None:
        """The type of the object, or None if there is none. Its bytes are not read."""
        for _ in range(2):
            for pack, at in self._places(id):
                return pack.kind_at(at)
            found = self.loose.kind(id)
            if found is not None:
                return found
            if not self.refresh():
                break
        for other in self.alternates():
            found = other.kind(id)
            if found is not None:
                return found
        return None

    def has(self, id: bytes) -> bool:
        """Whether there is an object `id`, here or where this one borrows."""
        return self.kind(id) is not None

    def ids(self, prefix: str = "") -> Iterator[bytes]:
        """The ids whose digits begin with `prefix`, in order, each once."""
        if prefix.strip("0123456789abcdef"):
            return
        self.refresh()
        low = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        if len(prefix) % 2 and prefix:
            low += bytes([int(prefix[-1], 16) << 4])
        streams = [idx.ids(low) for idx in self._idx.values()]
        streams.append(self.loose.ids(prefix))
        streams += [other.ids(prefix) for other in self.alternates()]
        before = b""
        for id in heapq.merge(*streams):
            if not id.hex().startswith(prefix):
                if id > low:
                    return
                continue
            if id != before:
                before = id
                yield id

    # -- writing ---------------------------------------------------------------------------------------------

    def refreshed(self, id: bytes) -> bool:
        """Whether the object is here, and if so, it is young again: a collection that runs now keeps it."""
        if self.loose.touch(id):
            return True
        for pack, _ in self._places(id):
            with suppress(OSError):
                os.utime(pack.path)
            return os.path.exists(pack.path)
        return any(other.has(id) for other in self.alternates())

    def write_loose(self, objects: Iterable[tuple[bytes, bytes]]) -> None:
        """Write objects, ids with header and body, each into a file; durable when it returns, if this store is."""
        written = set[bytes]()
        for id, data in objects:
            self.loose.write(id, data)
            written.add(id)
        self.loose.sync(written)

    def write_pack(self, results: list[tuple[Entry, Result]], getter: Getter) -> Packed:
        """Write a pack with its index, which becomes visible last; durable when it returns, if this store is."""
        make_directory(self._folder)
        fd, path = temporary(self._folder, "tmp_pack_")
        rest = [path]
        try:
            with open(fd, "wb", buffering=1 << 18) as file:
                packed = write_pack(file, results, getter, level=self._level, algorithm=self.algorithm)
                file.flush()
                os.fchmod(file.fileno(), 0o444 & os.fstat(file.fileno()).st_mode)
                if self.syncs:
                    os.fsync(file.fileno())
            self._publish(packed, path, rest)
        except BaseException:
            for left in rest:
                with suppress(FileNotFoundError):
                    os.unlink(left)
            raise
        self.refresh()
        return packed

    def _publish(self, packed: Packed, path: str, rest: list[str]) -> None:
        fd, new = temporary(self._folder, "tmp_idx_")
        rest.append(new)
        try:
            write_all(fd, idx_bytes(packed.rows, packed.trailer, algorithm=self.algorithm))
            os.fchmod(fd, 0o444 & os.fstat(fd).st_mode)
            if self.syncs:
                os.fsync(fd)
        finally:
            os.close(fd)
        name = os.path.join(self._folder, packed.name)
        place(path, name + ".pack")
        place(new, name + ".idx")
        if self.syncs:
            sync_directory(self._folder)

    def write_many(self, objects: list[tuple[bytes, Type, bytes]]) -> Packed:
        """Write objects, (id, type, header and body), as one pack, each whole."""
        bodies = {id: data[data.index(b"\0") + 1 :] for id, _, data in objects}
        results: list[tuple[Entry, Result]] = [
            (Entry(id, kind, len(bodies[id])), Z()) for id, kind, _ in objects
        ]
        return self.write_pack(results, bodies.get)
