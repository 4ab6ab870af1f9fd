"""`Subject`: the store under test, as the harness needs it: how to make it over a file layer, and what it promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from irminpy_pack.files import Files

from ...backend import Maker
from ...repo import Repo

__all__ = ["Health", "Repos", "Subject"]

Repos = Repo[bytes, Any]


@dataclass(frozen=True, slots=True)
class Health:
    """What a store's own offline check says: how many refs there are, and what is wrong."""

    refs: int
    heals: list[str]
    """What opening for writing puts in order, with nothing lost."""
    damage: list[str]


@dataclass(frozen=True, slots=True)
class Subject:
    """A store that lives in one directory, all of whose own file calls go through the layer it is given."""

    name: str
    maker: Callable[[str, Files], Maker]
    lossy: bool = False
    """It acknowledges before bytes are durable: a power cut may lose a suffix of the commits (D7)."""
    collect: Callable[[Repos], None] | None = None
    """Collect garbage, all that no branch leads to."""
    fsck: Callable[[str], Health | None] | None = None
    """What its own offline check says of the store in a directory; None if there is no store."""
