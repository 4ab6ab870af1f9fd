"""What a store stands on, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from ..types import C, M

if TYPE_CHECKING:
    from ..commit import Commit

__all__ = ["Status"]


@dataclass(frozen=True)
class Status(Generic[C, M]):
    """What a store stands on: a branch, a commit of its own, or nothing yet."""

    branch: str | None = None
    commit: Commit[C, M] | None = None

    def __str__(self) -> str:
        if self.branch is not None:
            return f"branch {self.branch}"
        return "empty" if self.commit is None else f"commit {self.commit.hash}"
