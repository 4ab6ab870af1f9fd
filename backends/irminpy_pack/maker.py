"""Where a pack store is and how it is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from irminpy import branch as branches
from irminpy.backend import Options
from irminpy.branch import MAIN
from irminpy.errors import DecodeError, NotAStore, StorageError
from irminpy.fields import Frozen, frozen, replaced
from irminpy.hash import Hash
from irminpy.recorded import recorded
from irminpy.schema import Schema

from .backend import PackBackend
from .files import Files, typed
from .head import MODES
from .identity import Identity, Root
from .index import CHECK
from .lookup import ALWAYS, INDEXED
from .opening import create
from .settings import Settings
from .state import State

if TYPE_CHECKING:
    from .fsck import Report
    from .mend import Mended
    from .quarantine import Quarantine
    from .reindex import Rebuilt
    from .snapshot import Exported, Restored
    from .stats import Stats
    from .traverse import Row

__all__ = ["Pack"]

_SEAL: Final = 256 << 20
_LOCKS: Final = ("batch", "exclusive")
_IO: Final = ("mmap", "pread")


@frozen
class Pack(Frozen, apart=("files",)):
    """A pack store in the directory `path`.

    `index`: "always" finds every object by its hash, "minimal" commits only, which writes faster; a store can be
    opened with either at any time. `durability`: "full" syncs segments and HEAD with each batch, "wal" the segments
    (enough to lose nothing), "none" nothing, so that the last batches may be lost with the power. `lock`: "batch"
    lets several processes write in turn, "exclusive" keeps others out. `io`: "mmap", or "pread", with which damage of
    the medium is always an exception and never a signal. `linger`: seconds that a sync may wait for other batches.
    `seal`: bytes of a segment before another is begun. `check`: bytes of an index that are compared when it is opened.
    StorageError for other values.
    """

    __slots__ = ("check", "durability", "files", "index", "io", "linger", "lock", "path", "seal")

    path: str
    index: str
    durability: str
    lock: str
    io: str
    linger: float
    seal: int
    check: int
    files: Files

    def __init__(
        self,
        path: str,
        index: str = ALWAYS,
        durability: str = "wal",
        lock: str = "batch",
        io: str = "mmap",
        linger: float = 0.0,
        seal: int = _SEAL,
        check: int = CHECK,
        files: Files | None = None,
    ) -> None:
        for name, value, known in (
            ("index", index, tuple(INDEXED)),
            ("durability", durability, MODES),
            ("lock", lock, _LOCKS),
            ("io", io, _IO),
        ):
            if value not in known:
                raise StorageError(f"{name}={value!r:.40} is none of {', '.join(known)}")
        files = Files() if files is None else files
        self._set(path, index, durability, lock, io, linger, seal, check, files)

    @staticmethod
    def of_uri(rest: str, options: dict[str, str]) -> Pack:
        """The maker for "pack:PATH?index=…&durability=…&lock=…&io=…&linger=…&check=…"."""
        if not rest:
            raise TypeError("pack: needs the path of a directory, as in pack:./ledger")
        known: dict[str, Any] = {}
        for name, value in options.items():
            if name in ("index", "durability", "lock", "io"):
                known[name] = value
            elif name in ("seal", "check") and value.isascii() and value.isdigit():
                known[name] = int(value)
            elif name == "linger" and _is_seconds(value):
                known[name] = float(value)
            else:
                raise TypeError(f"pack: takes no option {name}={value:.40}")
        return Pack(rest, **known)

    def fsck(
        self,
        schema: Schema[Any, Any] | None = None,
        level: str = "deep",
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Report:
        """Check the files of the store; see `irminpy_pack.fsck`. The schema None means the recorded one."""
        from .fsck import (
            LEVELS,
            fsck,
        )  # late, as all that takes care of a store: opening one needs none of it

        if level not in LEVELS:
            raise DecodeError("level", f"{level!r:.40} is none of {', '.join(LEVELS)}")
        with typed(self.path):
            return fsck(self.path, self._wanted(schema), level, files=self.files, progress=progress)

    # -- upkeep; see `irminpy.upkeep` ------------------------------------------------------------------------

    def recorded(self) -> Schema[Any, Any]:
        """The schema that FORMAT records. Raises NotAStore, UnsupportedVersion, Corrupted, SchemaMismatch."""
        with typed(self.path):
            identity = Identity.read(self.files, Root(os.path.abspath(self.path)))
        return recorded(identity.description, bytes.fromhex(identity.schema))

    def _wanted(self, schema: Schema[Any, Any] | None) -> Schema[Any, Any]:
        return self.recorded() if schema is None else schema

    def _reading(self, schema: Schema[Any, Any]) -> PackBackend:
        """A handle for reading, with an index that is there: without one, all its entries are kept in memory."""
        indexes = Root(os.path.abspath(self.path)).indexes
        names = self.files.listdir(indexes) if self.files.exists(indexes) else []
        there = [strategy for strategy in INDEXED if any(name.endswith(f"-{strategy}") for name in names)]
        strategy = self.index if self.index in there or not there else there[0]
        return replaced(self, index=strategy).open(schema, Options(readonly=True, create=False))[0]

    def rebuild_index(
        self, *, timeout: float = 5.0, progress: Callable[[int, int], None] | None = None
    ) -> Rebuilt:
        """Make the index of the strategy `index` anew; see `irminpy_pack.reindex`."""
        from .reindex import rebuild

        return rebuild(
            self.path, self.index, files=self.files, timeout=timeout, check=self.check, progress=progress
        )

    def quarantine(
        self,
        schema: Schema[Any, Any] | None = None,
        directory: str | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Quarantine:
        """Copy what is damaged aside and tell what it affects; see `irminpy_pack.quarantine`."""
        from .quarantine import quarantine

        wanted = self._wanted(schema)
        with typed(self.path):
            return quarantine(self.path, wanted, directory, files=self.files, progress=progress)

    def mend(self, schema: Schema[Any, Any] | None = None, *, timeout: float = 5.0) -> Mended:
        """Put in order what is derived, and check again; see `irminpy_pack.mend`. Raises Locked, StorageError."""
        from .mend import mend

        wanted = self._wanted(schema)

        def rebuilt(strategy: str) -> Rebuilt:
            return replaced(self, index=strategy).rebuild_index(timeout=timeout)

        def reopen() -> None:
            self.open(wanted, Options(create=False, exclusive=True, timeout=timeout))[0].close()

        return mend(lambda: self.fsck(wanted, "deep"), reopen, rebuilt)

    def stats(self, *, garbage: bool = False, progress: Callable[[int, int], None] | None = None) -> Stats:
        """What the store holds; see `irminpy_pack.stats`. `garbage` costs a dry run of a garbage collection."""
        from .stats import measure

        with typed(self.path):
            found = measure(self.path, files=self.files, check=self.check, progress=progress)
        if garbage:
            backend = self._reading(self.recorded())
            try:
                from irminpy.collecting import Keep  # late: only this needs it

                found.garbage = backend.collect(Keep(), dry_run=True)
            finally:
                backend.close()
        return found

    def export_snapshot(
        self,
        file: BinaryIO,
        schema: Schema[Any, Any] | None = None,
        *,
        commit: Hash | None = None,
        branch: str = MAIN,
        depth: int | None = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Exported:
        """Write a snapshot; see `irminpy.upkeep.Snapshots` and `irminpy_pack.snapshot`."""
        from .snapshot import export
        from .still import Still

        wanted = self._wanted(schema)
        backend = self._reading(wanted)
        try:
            with typed(self.path):
                still = Still.open(self.path, self.files)
                lookup = backend.state.lookup
                if commit is None:
                    heads, depth = still.log.branches_at(still.tip), None
                else:
                    heads = {branches.check(branch): (bytes(commit), 0)}
                return export(still, wanted, lookup.find, file, heads, depth=depth, progress=progress)
        finally:
            backend.close()

    def import_snapshot(
        self,
        file: BinaryIO,
        schema: Schema[Any, Any] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Restored:
        """Make the store from a snapshot; see `irminpy.upkeep.Snapshots` and `irminpy_pack.snapshot`."""
        from .snapshot import restore

        wanted = Schema() if schema is None else schema
        return restore(
            self.path, wanted, file, self.index, files=self.files, seal=self.seal, progress=progress
        )

    def traverse(self, schema: Schema[Any, Any] | None = None) -> Iterator[Row]:
        """Every frame, in the order of the log; see `irminpy_pack.traverse`."""
        from .traverse import traverse

        wanted = self._wanted(schema)
        with typed(self.path):
            return traverse(self.path, wanted.codec, wanted.hash, files=self.files)

    def open(
        self, schema: Schema[Any, Any] | None, options: Options, /
    ) -> tuple[PackBackend, Schema[Any, Any]]:
        """A handle on the store; see `irminpy.backend.Maker`."""
        root = Root(os.path.abspath(self.path))
        if schema is None:
            schema = self.recorded() if self.files.exists(root.format) else Schema()
        with typed(root.path):
            return self._open(root, schema, options)

    def _open(
        self, root: Root, wanted: Schema[Any, Any], options: Options
    ) -> tuple[PackBackend, Schema[Any, Any]]:
        files = self.files
        if not files.exists(root.format):
            if not options.create or options.readonly:
                raise NotAStore(root.path, "it has no file FORMAT")
            create(files, root.path, wanted)
        identity = Identity.read(files, root)
        identity.require(wanted)
        exclusive = options.exclusive or self.lock == "exclusive"
        state = State(
            files,
            root,
            identity,
            wanted.codec,
            wanted.hash,
            self.index,
            check=self.check,
            mapped=self.io == "mmap",
            writing=not options.readonly,
        )
        settings = Settings(self.durability, exclusive, options.timeout, self.seal, self.linger)
        return PackBackend(state, wanted, settings, options), wanted


def _is_seconds(text: str) -> bool:
    try:
        return 0 <= float(text) <= 60
    except ValueError:
        return False
