"""What a watcher of branches was told last, so that the next change can be told from it.

It is kept as a value, not as a hash to be read again: by the time of the next change a collection of garbage may
have taken the commit that the branch has left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from ..commit import Commit, Opened, hash_of_commit
from ..errors import DanglingHash
from ..hash import Hash
from ..types import C, M

if TYPE_CHECKING:
    from ..diff import Change

__all__ = ["Following"]

V = TypeVar("V")


class Following(Generic[V, C, M]):
    """One watcher of commits of `opened`: `look` says what it is told of a commit, `known` what it knows already."""

    __slots__ = ("_last", "_look", "_opened")

    def __init__(
        self,
        opened: Opened[C, M],
        look: Callable[[Commit[C, M]], V | None],
        known: Mapping[str, Commit[C, M]],
    ) -> None:
        self._opened = opened
        self._look = look
        for commit in known.values():
            hash_of_commit(commit)
        seen = {name: look(commit) for name, commit in known.items()}
        self._last: dict[str, V] = {name: value for name, value in seen.items() if value is not None}

    def change(self, name: str, head: Hash | None) -> Change[V] | None:
        """What to tell now that the branch `name` stands at `head`; None if there was and is nothing to see.

        None too if `head` is gone and the branch no longer stands there: then another change follows. Raises
        DanglingHash if it does stand there.
        """
        from .. import diff  # late: who watches nothing needs no changes

        try:
            now = None if head is None else self._look(self._opened.get(head, f"the branch {name}"))
        except DanglingHash:
            if self._opened.backend.ref(name) == head:
                raise
            return None
        before = self._last.pop(name, None)
        if now is not None:
            self._last[name] = now
        return diff.of(before, now)
