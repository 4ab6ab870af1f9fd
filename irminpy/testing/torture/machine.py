"""`TortureMachine`: `StoreMachine` with crashes, lost files, forks, second writers and readers among its rules.

Garbage is collected between the others.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import rule

from irminpy_pack.files import Files
from irminpy_pack.maker import Pack

from ...backend import Maker
from ...errors import IrminError
from ...hash import Hash
from ...repo import Repo
from ..model import bindings_of
from ..store_machine import StoreMachine
from .forks import call
from .packs import pack
from .replay import STORE
from .subject import Subject

__all__ = ["TortureMachine"]

_ALARM = 120.0
_DERIVED = ("HEAD", "MANIFEST", "index")


def _directory(maker: Maker) -> Path:
    return Path(cast("Pack", maker).path)


class TortureMachine(StoreMachine):
    """A pack against plain values, through crashes of its process."""

    reopens = True
    collects = True
    subject: Subject = pack()

    def make(self) -> Any:
        """A pack in a directory of its own."""
        if not hasattr(self, "root"):
            self.root = Path(tempfile.mkdtemp(prefix="torture."))
            self.places = 0
        self.places += 1
        return self.subject.maker(str(self.root / f"{STORE}.{self.places}"), Files())

    def collect(self, keep: Sequence[Hash]) -> None:
        """Drop what neither a branch nor `keep` leads to."""
        self.repos[0].gc(keep=keep)

    def teardown(self) -> None:
        """Close, and remove the directories."""
        try:
            super().teardown()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    @rule(lost=st.sampled_from([None, *_DERIVED]))
    def crash(self, lost: str | None) -> None:
        """The process dies as it stands, and `lost`, which is derived, with it; another goes on."""
        image = _directory(self.maker)
        self.maker = self.make()
        place = _directory(self.maker)
        shutil.copytree(image, place)
        if lost == "index":
            shutil.rmtree(place / lost)
        elif lost is not None:
            (place / lost).unlink(missing_ok=True)
        self.reopen()  # closes the old one, over files that nobody looks at any more
        shutil.rmtree(image)

    def _other(self, **how: Any) -> Repo[bytes, Any]:
        return self._open(self.maker) if not how else Repo.open(self.maker, self.schema, **how)

    @rule()
    def reader(self) -> None:
        """Another process sees what is acknowledged, without being told."""
        wanted = {name: head for name in self.repos[0].branches() if (head := self.heads[name]) is not None}

        def look() -> list[str]:
            wrong: list[str] = []
            with self._other(readonly=True) as repo:
                for name, head in wanted.items():
                    if bindings_of(repo.branch(name).tree()) != self.bindings[head]:
                        wrong.append(name)
                return wrong + sorted(set(repo.branches()) ^ set(wanted))

        assert call(look, _ALARM) == []

    @rule()
    def second_writer(self) -> None:
        """Another process writes a branch and removes it again: this one takes that over."""

        def write() -> str:
            with self._other() as repo:
                repo.branch("other").set("x", b"y")
                repo.remove_branch("other")
                return "done"

        assert call(write, _ALARM) == "done"

    @rule()
    def fork(self) -> None:
        """The child of a fork reads what its parent has, and may not write."""

        def child() -> list[str]:
            repo = self.repos[0]
            wrong = [
                name
                for name in repo.branches()
                if (head := self.heads[name]) is None
                or bindings_of(repo.branch(name).tree()) != self.bindings[head]
            ]
            try:
                repo.branch("main").set("x", b"child", allow_empty=True)
            except IrminError:
                return wrong
            return [*wrong, "it wrote"]

        assert call(child, _ALARM) == []
