"""Planted bugs: each takes one guard out of the pack, for the harness to show that it would notice.

A plant is a context manager. Some replace a seam of the engine, which must exist under that name; some stand between
the engine and its files.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from irminpy_pack import lock, settle, state
from irminpy_pack.backend import PackBackend, PackReader
from irminpy_pack.files import Files
from irminpy_pack.frame import Frame, Framing
from irminpy_pack.gc.collect import Collection
from irminpy_pack.gc.copy import Copier
from irminpy_pack.gc.output import Output
from irminpy_pack.index import Index
from irminpy_pack.log import Log
from irminpy_pack.manifest import Manifest
from irminpy_pack.trailer import Tip
from irminpy_pack.view import View
from irminpy_pack.writer import Writer

from ...backend import Maker, RefUpdate
from ...objects import Kind, Objects
from .subject import Subject

__all__ = ["PLANTS", "Plant", "planted"]

Wrap = Callable[[Files], Files]
Plant = Callable[[], AbstractContextManager[Wrap]]
"""Gives what wraps the file layer of the subject while the bug is planted."""


class _Through(Files):
    """All calls go to `inner`: the base of layers that leave something out."""

    def __init__(self, inner: Files) -> None:
        for name in ("open", "close", "pread", "pwrite", "ftruncate", "size", "rename", "unlink", "mkdir"):
            setattr(self, name, getattr(inner, name))
        for name in ("rmdir", "listdir", "exists", "flock", "mmap", "free"):
            setattr(self, name, getattr(inner, name))
        self.inner = inner

    def fdatasync(self, fd: int) -> None:
        self.inner.fdatasync(fd)

    def fsync(self, fd: int) -> None:
        self.inner.fsync(fd)


class _NoPackSync(_Through):
    def fdatasync(self, fd: int) -> None:
        pass


class _NoDirectorySync(_Through):
    def fsync(self, fd: int) -> None:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            self.inner.fsync(fd)


class _Retry(_Through):
    """A failed sync is tried again, and the second one, which does nothing, believed."""

    def fdatasync(self, fd: int) -> None:
        try:
            self.inner.fdatasync(fd)
        except OSError:
            self.inner.fdatasync(fd)


def _unwrapped(files: Files) -> Files:
    return files


def _layer(kind: Callable[[Files], Files]) -> Plant:
    @contextmanager
    def plant() -> Generator[Wrap, None, None]:
        yield kind

    return plant


def _seam(target: Any, name: str, value: Any) -> Plant:
    @contextmanager
    def plant() -> Generator[Wrap, None, None]:
        with mock.patch.object(target, name, value):
            yield _unwrapped

    return plant


def _head_before_sync() -> Plant:
    """HEAD names a batch, and its listeners hear of it, before its bytes are synced."""
    publish = Writer._publish
    synced = Writer._sync_and_publish

    def early(self: Writer) -> None:
        with self.mutex:
            if self._pending:
                pending = list(self._pending)
                publish(self, pending[-1].tip)
                self._pending.extend(pending)
        synced(self)

    return _seam(Writer, "_sync_and_publish", early)


def _unsynced_ack() -> Plant:
    """A commit is acknowledged as soon as it is appended."""

    def flush(self: Writer, tip: object) -> None:
        with self.mutex:
            self._publish(self._pending[-1].tip)
            self._leave()

    return _seam(Writer, "_flush", flush)


def _refs_first() -> Plant:
    write = PackBackend.write

    def split(self: PackBackend, objects: Objects, updates: Any = (), /) -> bool:
        if not write(self, Objects(), updates):
            return False
        return write(self, objects, ())

    return _seam(PackBackend, "write", split)


def _no_test() -> Plant:
    tested = Writer._tested

    def anyway(self: Writer, updates: Any) -> Any:
        return tested(self, [RefUpdate(one.name, one.set) for one in updates])

    return _seam(Writer, "_tested", anyway)


class _Same(bytes):
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = bytes.__hash__


def _no_hash_check() -> Plant:
    init = View.__init__

    def unchecked(self: View, *rest: Any) -> None:
        init(self, *rest)
        digest = self.digest

        def same(data: bytes) -> bytes:
            return _Same(digest(data))

        self.digest = same

    return _seam(View, "__init__", unchecked)


def _own_hash() -> Plant:
    """A frame is checked against the hash that it states itself."""
    at = View.at

    def own(self: View, word: int, hash: bytes, **how: Any) -> Any:
        found = at(self, word, hash, **how)
        if found is None and word:
            frame = Log(self.framing, self.table).frame((word >> 22) << 3)
            return None if frame is None else at(self, word, frame.hash, **how)
        return found

    return _seam(View, "at", own)


def _own_crc() -> Plant:
    """The crc of a frame is not compared, nor that of a batch: what has the right length is believed."""
    parse = Framing.parse
    following = Log.following

    def unchecked(self: Framing, data: bytes) -> Any:
        with mock.patch("irminpy_pack.frame.crc32", return_value=int.from_bytes(data[:4], "little")):
            return parse(self, data)

    def trusting(self: Log, tip: Any) -> Any:
        with mock.patch("irminpy_pack.log.crc32", return_value=_Same()):
            return following(self, tip)

    @contextmanager
    def plant() -> Generator[Wrap, None, None]:
        with mock.patch.object(Framing, "parse", unchecked), mock.patch.object(Log, "following", trusting):
            yield _unwrapped

    return plant


def _unverified_dedup() -> Plant:
    """What the index knows is taken to lie there, and is not written again."""

    def dedup(self: Writer, objects: Objects) -> Objects:
        lookup = self._state.lookup
        rest = Objects(words=objects.words, hints=objects.hints)
        for kind in (Kind.CONTENTS, Kind.NODE, Kind.COMMIT):
            for hash_, data in objects.of_kind(kind).items():
                word = lookup.find(kind, hash_) if kind is not Kind.NODE else 0
                if word:
                    objects.words[kind][hash_] = word
                else:
                    rest.of_kind(kind)[hash_] = data
        return rest

    return _seam(Writer, "_dedup", dedup)


def _no_adoption() -> Plant:
    """Whole batches behind the published end are cut off with the torn tail."""

    def stay(log: Log, tip: Tip) -> tuple[Tip, int]:
        return tip, 0

    @contextmanager
    def plant() -> Generator[Wrap, None, None]:
        with mock.patch.object(settle, "walk", stay), mock.patch.object(state, "walk", stay):
            yield _unwrapped

    return plant


def _nothing(*_: object) -> None:
    pass


def _not_written_again() -> Plant:
    return _seam(settle, "_write_again", _nothing)


def _not_hardened() -> Plant:
    return _seam(state, "harden", _nothing)


def _unlocked_by_a_child() -> Plant:
    def forked(self: lock.Lock) -> None:
        fd, self._fd, self.held = self._fd, None, False
        if fd is not None:
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    return _seam(lock.Lock, "forked", forked)


def _forgotten_fork() -> Plant:
    """The child of a fork takes its parent's handle for its own."""
    return _seam(PackBackend, "forked", _nothing)


# -- garbage collection --------------------------------------------------------------------------------------------


def _unlinked_first() -> Plant:
    """The old generation is removed, durably, before MANIFEST names the new one, of which not all is synced.

    Once all of it is synced it would be found without MANIFEST, which is derived.
    """
    flip = Collection._flip

    def early(self: Collection, manifest: Manifest) -> None:
        self._remove(self._state.manifest.segments)
        flip(self, manifest)

    def unsynced(self: Output) -> None:
        self._write()

    @contextmanager
    def plant() -> Generator[Wrap, None, None]:
        with mock.patch.object(Collection, "_flip", early), mock.patch.object(Output, "sync", unsynced):
            yield _unwrapped

    return plant


class _Blind:
    """A codec by which everything has the hash that it should."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def digest(self, data: bytes) -> bytes:
        return _Same(self._codec.digest(data))


def _unverified_copies() -> Plant:
    """Frames are copied into the new generation without a look at what their bytes hash to."""
    run = Copier.run

    def blind(self: Copier, *rest: Any) -> None:
        old: Any = self._old
        codec, old.codec = old.codec, _Blind(old.codec)
        try:
            run(self, *rest)
        finally:
            old.codec = codec

    return _seam(Copier, "run", blind)


def _stale_differences() -> Plant:
    """Differences are copied with the word of what they are from as it was in the old generation."""

    def stale(self: Copier, data: bytes, frame: Frame) -> bytes:
        return data

    return _seam(Copier, "_difference", stale)


def _one_reader() -> Plant:
    """The words of an older generation are taken for words of the present one."""

    def same(self: PackBackend) -> PackReader:
        reader = self._reader
        reader.view, reader.generation = self.state.view, self.state.manifest.generation
        return reader

    return _seam(PackBackend, "reader", property(same))


def _no_look_at_moves() -> Plant:
    """Nobody asks whether objects moved between the gathering of a batch and its writing."""

    def write(self: PackBackend, objects: Objects, updates: Any = (), /) -> bool:
        return self._writing().write(objects, updates)

    return _seam(PackBackend, "write", write)


# -- the index -----------------------------------------------------------------------------------------------------


def _unchecked_entries() -> Plant:
    """The words of the index are believed, whatever their checksum says."""

    def word(self: Index, key: bytes, value: bytes) -> int:
        return int.from_bytes(value[:8], "little")

    return _seam(Index, "_word", word)


PLANTS: dict[str, tuple[str, Plant]] = {
    # name -> (the experiment that must notice, the bug)
    "no pack sync": ("replay", _layer(_NoPackSync)),
    "no directory sync": ("replay", _layer(_NoDirectorySync)),
    "HEAD before the sync": ("replay", _head_before_sync()),
    "acknowledged before the sync": ("replay", _unsynced_ack()),
    "refs before objects": ("replay", _refs_first()),
    "trusting what has the right length": ("replay", _own_crc()),
    "cutting off whole batches": ("replay", _no_adoption()),
    "a failed sync is tried again": ("fsyncgate", _layer(_Retry)),
    "adopting without writing again": ("fsyncgate", _not_written_again()),
    "a segment's header is not written again": ("lapse", _not_hardened()),
    "no hash check on read": ("flip", _no_hash_check()),
    "a frame checked against its own hash": ("words", _own_hash()),
    "dedup without comparing bytes": ("dedup", _unverified_dedup()),
    "no test of refs": ("race", _no_test()),
    "LOCK_UN in a forked child": ("fork", _unlocked_by_a_child()),
    "a handle that goes on after a fork": ("fork", _forgotten_fork()),
    "unlinking before MANIFEST is durable": ("collect", _unlinked_first()),
    "copying unverified bytes": ("copies", _unverified_copies()),
    "a difference from where a node was": ("differences", _stale_differences()),
    "emitting a retired word": ("retired", _one_reader()),
    "emitting a word that moved meanwhile": ("retired", _no_look_at_moves()),
    "an index value without checksum": ("entries", _unchecked_entries()),
}


def planted(subject: Subject, wrap: Wrap) -> Subject:
    """`subject`, with its file layer wrapped."""

    def maker(path: str, files: Files) -> Maker:
        return subject.maker(path, wrap(files))

    return replace(subject, maker=maker)
