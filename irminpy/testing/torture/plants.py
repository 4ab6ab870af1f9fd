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
from irminpy_pack.backend import PackBackend
from irminpy_pack.files import Files
from irminpy_pack.frame import Framing
from irminpy_pack.log import Log
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
        with mock.patch.object(Log, "_crc", return_value=_Same()):
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

    return _seam(settle, "walk", stay)


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
    "a segment's header is not written again": ("fsyncgate", _not_hardened()),
    "no hash check on read": ("flip", _no_hash_check()),
    "a frame checked against its own hash": ("words", _own_hash()),
    "dedup without comparing bytes": ("dedup", _unverified_dedup()),
    "no test of refs": ("race", _no_test()),
    "LOCK_UN in a forked child": ("fork", _unlocked_by_a_child()),
}


def planted(subject: Subject, wrap: Wrap) -> Subject:
    """`subject`, with its file layer wrapped."""

    def maker(path: str, files: Files) -> Maker:
        return subject.maker(path, wrap(files))

    return replace(subject, maker=maker)
