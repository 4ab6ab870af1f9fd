"""Garbage collection interrupted at any of its calls on files: the old or the new state stands, and nothing is lost.

Profile quick tries a sample of the calls, ci and deep all of them.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from irminpy import Repo
from irminpy.errors import IrminError
from irminpy_pack.files import Files
from irminpy_pack.fsck import fsck
from irminpy_pack.identity import Root

from .stores import SCHEMA, opened

EVERY = {"quick": 45, "ci": 45, "deep": 1}[os.environ.get("IRMINPY_PROFILE", "quick")]
FAILURES = [(errno.EIO, False), (errno.ENOSPC, True)]
if EVERY == 1:
    FAILURES += [(errno.EIO, True), (errno.ENOSPC, False)]
DEPTH = 3

R = TypeVar("R")


class Killed(BaseException):
    """The process has died."""


class Mortal(Files):
    """Files of a process that fails, or dies, at one call of those made while `armed`."""

    def __init__(self) -> None:
        self.armed = False
        self.calls = 0
        self.at = -1
        self.error: Callable[[], BaseException] = Killed
        self.sticky = False
        self.after = False  # the call is made before it fails
        self.dead = False
        self.fds: set[int] = set()
        self.names: list[str] = []

    def _call(self, name: str, call: Callable[[], R]) -> R:
        if self.dead:
            raise Killed
        if not self.armed:
            return call()
        self.calls += 1
        self.names.append(name)
        if self.calls == self.at or (self.sticky and self.calls > self.at >= 0):
            if self.after:
                call()
            error = self.error()
            self.dead = isinstance(error, Killed)
            raise error
        return call()

    def bury(self) -> None:
        """What the kernel does for a process that has died."""
        self.dead = True
        for fd in self.fds:
            with suppress(OSError):
                os.close(fd)
        self.fds.clear()

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        fd = self._call("open", lambda: super(Mortal, self).open(path, flags, mode))
        self.fds.add(fd)
        return fd

    def close(self, fd: int) -> None:
        if fd in self.fds:
            self.fds.discard(fd)
            super().close(fd)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return self._call("pread", lambda: super(Mortal, self).pread(fd, size, offset))

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        return self._call("pwrite", lambda: super(Mortal, self).pwrite(fd, data, offset))

    def fdatasync(self, fd: int) -> None:
        self._call("fdatasync", lambda: super(Mortal, self).fdatasync(fd))

    def fsync(self, fd: int) -> None:
        self._call("fsync", lambda: super(Mortal, self).fsync(fd))

    def ftruncate(self, fd: int, length: int) -> None:
        self._call("ftruncate", lambda: super(Mortal, self).ftruncate(fd, length))

    def size(self, fd: int) -> int:
        return self._call("size", lambda: super(Mortal, self).size(fd))

    def rename(self, old: str, new: str) -> None:
        self._call("rename", lambda: super(Mortal, self).rename(old, new))

    def unlink(self, path: str) -> None:
        self._call("unlink", lambda: super(Mortal, self).unlink(path))

    def mkdir(self, path: str) -> None:
        self._call("mkdir", lambda: super(Mortal, self).mkdir(path))

    def rmdir(self, path: str) -> None:
        self._call("rmdir", lambda: super(Mortal, self).rmdir(path))

    def listdir(self, path: str) -> list[str]:
        return self._call("listdir", lambda: super(Mortal, self).listdir(path))

    def exists(self, path: str) -> bool:
        return self._call("exists", lambda: super(Mortal, self).exists(path))

    def flock(self, fd: int, operation: int) -> None:
        self._call("flock", lambda: super(Mortal, self).flock(fd, operation))

    def mmap(self, fd: int, length: int) -> mmap.mmap:
        return self._call("mmap", lambda: super(Mortal, self).mmap(fd, length))

    def free(self, path: str) -> int:
        return self._call("free", lambda: super(Mortal, self).free(path))


@pytest.fixture(scope="module", params=["always", "minimal"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store of ten commits in several segments, and what is garbage."""
    path = tmp_path_factory.mktemp("gc") / "store"
    index: str = request.param
    with opened(path, index=index, seal=2048) as repo:
        for i in range(10):
            repo.main().set(f"k{i % 3}/{i}", b"value %d " % i * 10, message=str(i))
        side = repo.branch("side")
        side.set("s", b"garbage" * 50)
        repo.remove_branch("side")
    return path, index


def begun(template: tuple[Path, str], path: Path, files: Files) -> Repo[bytes, None]:
    shutil.copytree(template[0], path)
    return opened(path, index=template[1], seal=2048, files=files)


def collected(repo: Repo[bytes, None], files: Mortal, on_copy: bool = True) -> None:
    """Collect, with a commit on the way, of which the calls are not counted."""
    done: list[str] = []

    def progress(what: str, done_: int, total: int) -> None:
        if what == "copy" and not done:
            done.append(what)
            files.armed = False
            repo.main().set("meanwhile", b"1", message="meanwhile")
            files.armed = True

    files.armed = True
    try:
        repo.gc(depth=DEPTH, progress=progress)
    finally:
        files.armed = False


def judged(path: Path, index: str, more: int = 0) -> str:
    """ "old" or "new": the state in which the store is found; anything else fails."""
    with opened(path, index=index) as repo:
        assert not repo._opened.backend.state.degraded  # type: ignore[attr-defined]
        log = [commit.info.message for commit in repo.main().log()]
        last, first = [str(more - 1 - i) for i in range(more)], [str(i) for i in range(9, -1, -1)]
        old = ([*last, *first], [*last, "meanwhile", *first])
        # Of what was there when it began; what came meanwhile is kept besides.
        assert log in (*old, [*last, "meanwhile", *first[: DEPTH + 1]]), log
        for i in range(10):
            assert repo.main().get(f"k{i % 3}/{i}") == b"value %d " % i * 10
        report = repo.check()
        assert report.ok, str(report)
        state = "old" if log in old else "new"
    found = fsck(str(path), SCHEMA)
    assert found.ok, found.findings
    files = sorted(os.listdir(Root(str(path)).packs))
    with opened(path, index=index) as repo:
        table = repo._opened.backend.state.log.table  # type: ignore[attr-defined]
        names = sorted(os.path.basename(segment.path) for segment in table.segments)
    assert files == names, "files of no generation are left"
    return state


def calls(template: tuple[Path, str], path: Path) -> list[str]:
    files = Mortal()
    with begun(template, path, files) as repo:
        collected(repo, files)
    assert judged(path, template[1]) == "new"
    return files.names


def failing(code: int) -> Callable[[], BaseException]:
    return lambda: OSError(code, os.strerror(code))


def swept(template: tuple[Path, str], tmp_path: Path, run: Callable[[int, Path], Any]) -> list[Any]:
    """`run` for each of the calls in question, in a store of its own."""
    names = calls(template, tmp_path / "whole")
    assert len(names) > 60
    assert {"open", "pread", "pwrite", "fdatasync", "fsync", "rename", "unlink"} <= set(names)
    # All around the flip, a sample of the rest.
    flip = max(i for i, name in enumerate(names) if name == "rename")
    picked = sorted(
        {*range(1, len(names) + 1, EVERY), *range(flip - 8, min(flip + 16, len(names)) + 1, 1 + EVERY // 4)}
    )
    found: list[Any] = []
    for n in picked:
        path = tmp_path / str(n)
        found.append(run(n, path))
        shutil.rmtree(path)
    return found


@pytest.mark.parametrize("after", [False, True])
def test_a_process_that_dies_anywhere_leaves_the_old_or_the_new_state(
    template: tuple[Path, str], tmp_path: Path, after: bool
) -> None:
    """C17 to C20."""

    def run(n: int, path: Path) -> str:
        files = Mortal()
        repo = begun(template, path, files)
        files.at, files.after = n, after
        with pytest.raises(Killed):
            collected(repo, files)
        files.bury()
        return judged(path, template[1])

    states = swept(template, tmp_path, run)
    assert states == sorted(states, reverse=True), "once the new state stands it stays"
    assert set(states) == {"old", "new"}


@pytest.mark.parametrize(("code", "sticky"), FAILURES)
def test_a_call_that_fails_anywhere_loses_nothing(
    template: tuple[Path, str], tmp_path: Path, code: int, sticky: bool
) -> None:
    def run(n: int, path: Path) -> None:
        files = Mortal()
        repo = begun(template, path, files)
        files.at, files.error, files.sticky = n, failing(code), sticky
        with suppress(IrminError):
            collected(repo, files)
        # The handle is good, or has failed for good; what it acknowledges is there.
        more = 0
        with suppress(IrminError):
            for i in range(2):
                repo.main().set(f"more/{i}", b"x", message=str(i))
                more += 1
        with suppress(IrminError):
            repo.close()
        files.bury()
        judged(path, template[1], more)

    swept(template, tmp_path, run)


def test_another_writer_goes_on_after_a_process_died_anywhere(
    template: tuple[Path, str], tmp_path: Path
) -> None:
    """It has the store open, and HEAD as it was."""

    def run(n: int, path: Path) -> None:
        files = Mortal()
        repo = begun(template, path, files)
        with opened(path, index=template[1]) as other:
            held = other.main().tree()
            assert held.get("k0/0")
            files.at = n
            with pytest.raises(Killed):
                collected(repo, files)
            files.bury()
            other.main().set_tree((), held.add("more/0", b"x"), message="0")
            assert other.main().get("k1/1") == b"value 1 " * 10
            report = other.check()
            assert report.ok, str(report)
        with opened(path, index=template[1]) as again:
            assert again.main().get("more/0") == b"x"
            assert again.main().get("k2/2") == b"value 2 " * 10
            assert again.check().ok
        found = fsck(str(path), SCHEMA)
        assert found.ok, found.findings

    swept(template, tmp_path, run)
