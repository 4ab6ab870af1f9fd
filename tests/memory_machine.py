"""`StoreMachine` over named memory stores, whose garbage a test may collect as it pleases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from irminpy.backend import Maker, Options
from irminpy.hash import Hash
from irminpy.testing import StoreMachine
from irminpy_mem import Memory

__all__ = ["MemoryMachine"]


class MemoryMachine(StoreMachine):
    """Memory that forgets what nothing leads to."""

    reopens = True
    collects = True

    def make(self) -> Maker:
        return Memory(uuid4().hex)

    def collect(self, keep: Sequence[Hash]) -> None:
        repo = self.repos[0]
        kept = repo.export(max=[*repo.heads(), *keep]).objects
        handle: Any = self.maker.open(self.schema, Options())[0]
        handle._store.objects = kept
