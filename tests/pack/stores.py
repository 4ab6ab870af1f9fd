"""What the tests of the pack share: small stores, ways to damage them, faulty files."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import irminpy
from irminpy import Repo, Schema
from irminpy_pack import Pack
from irminpy_pack.files import Files
from irminpy_pack.identity import Root

SCHEMA = Schema()


def opened(
    path: Path | str,
    *,
    readonly: bool = False,
    exclusive: bool = False,
    timeout: float = 5.0,
    create: bool = True,
    **how: Any,
) -> Repo[bytes, None]:
    """The store at `path`, made if it is not there."""
    maker = Pack(str(path), **how)
    return Repo.open(maker, SCHEMA, readonly=readonly, exclusive=exclusive, timeout=timeout, create=create)


def commits(path: Path | str, *values: str, **how: Any) -> list[irminpy.Hash]:
    """One commit for each of `values` on main, in a store that is closed again; their hashes."""
    with opened(path, **how) as repo:
        made = [repo.main().set(f"k/{value}", value.encode(), message=value) for value in values]
        return [commit.hash for commit in made if commit is not None]


def messages(repo: Repo[bytes, None]) -> list[str]:
    """The messages of the commits of main, the newest first."""
    return [commit.info.message for commit in repo.main().log()]


def last_segment(path: Path | str) -> Path:
    """The file that grows."""
    return max(Path(Root(str(path)).packs).iterdir())


class Failing(Files):
    """Files whose call number `n` of those that `counts` picks fails with `code`; from then on all, if `sticky`."""

    def __init__(
        self, counts: Callable[[str], bool], n: int, code: int = errno.EIO, *, sticky: bool = False
    ) -> None:
        self.counts = counts
        self.left = n
        self.code = code
        self.sticky = sticky
        self.hit = 0

    def step(self, call: str) -> None:
        if self.counts(call):
            self.left -= 1
            if self.left == 0 or (self.sticky and self.left < 0):
                self.hit += 1
                raise OSError(self.code, "made to fail", call)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self.step("pwrite")
        return super().pwrite(fd, data, offset)

    def fdatasync(self, fd: int) -> None:
        self.step("fdatasync")
        super().fdatasync(fd)

    def fsync(self, fd: int) -> None:
        self.step("fsync")
        super().fsync(fd)

    def ftruncate(self, fd: int, length: int) -> None:
        self.step("ftruncate")
        super().ftruncate(fd, length)

    def rename(self, old: str, new: str) -> None:
        self.step("rename")
        super().rename(old, new)
