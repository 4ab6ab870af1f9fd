"""What a store tells about the past: the log, when a path was modified, the graph, common ancestors.

Reads only. The graph itself is the business of `irminpy.history`; here commits have trees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, Literal

from ..commit import Commit
from ..errors import DecodeError
from ..hash import Hash
from ..history import History, by_date, first_parents, lcas, walk, window
from ..key import KindedHash
from ..path import PathLike
from ..types import C, M
from .read import ReadableStore

__all__ = ["HistoricStore", "Order"]

Order = Literal["topological", "date"]


class HistoricStore(ReadableStore[C, M]):
    """What can be asked of a store about the past."""

    __slots__ = ()

    # -- history ---------------------------------------------------------------------------------------------

    def log(
        self,
        n: int | None = None,
        path: PathLike | None = None,
        *,
        order: Order = "topological",
        first_parent: bool = False,
        skip: int = 0,
    ) -> Iterator[Commit[C, M]]:
        """The commits from the head back, at most `n`, without the first `skip`; nothing without a head.

        `order` "topological": children before parents, the newest first where that leaves a choice; "date":
        the newest first of all that have come in sight. `first_parent` follows the first parent of each
        commit only, in either order. With `path`, only commits that changed it: what is there differs from
        that of each parent (of the first, with `first_parent`). Cost: one read per commit, when the iterator
        reaches it; see `history.walk`.
        """
        _count("n", n)
        _count("skip", skip)
        if order not in ("topological", "date"):
            raise DecodeError("order", f'{order!r:.80}: use "topological" or "date"')
        steps = None if path is None else self._opened.home.codec.steps(path)
        head = self.find_head()
        if head is None or n == 0:
            return iter(())
        commits = self._log(head.hash, steps, order, first_parent)
        return islice(commits, skip, None if n is None else skip + n)

    def _log(
        self, head: Hash, path: Sequence[str] | None, order: Order, first_parent: bool
    ) -> Iterator[Commit[C, M]]:
        past = _Past(self._past(), path)
        if first_parent:
            commits = first_parents(past.commit, head)
        elif order == "date":
            commits = by_date(past.commit, [head])
        else:
            commits = walk(past.commit, [head])
        for commit in commits:
            if path is None or past.changed(commit, first_parent):
                yield commit
            past.forget(commit)

    def last_modified(self, path: PathLike, *, n: int = 1, depth: int | None = None) -> list[Commit[C, M]]:
        """The last `n` commits that changed the contents at `path`, the oldest first; [] if none ever did.

        A commit changed them if they differ from those of every parent, or if it has no parents and holds
        some: making and removing count, directories and metadata do not. Looked for from the head back, the
        newest commit in sight first, and at most `depth` steps away from the head; 0 means the head only. []
        without a head. Cost: one read per commit and one look at its tree.
        """
        _count("n", n)
        _count("depth", depth)
        steps = self._opened.home.codec.steps(path)
        head = self.find_head()
        if head is None or n == 0:
            return []
        past = _Past(self._past(), steps, contents=True)
        within = None if depth is None else window(past.commit, [head.hash], depth)
        commits = by_date(past.commit, [head.hash], within)
        return list(islice((commit for commit in commits if past.changed(commit)), n))[::-1]

    def history(
        self,
        depth: int | None = None,
        min: Iterable[Commit[C, M]] = (),
        max: Iterable[Commit[C, M]] | None = None,
    ) -> History[Commit[C, M]]:
        """The graph of the commits from the head back; empty without a head.

        `max`: start at these commits instead of the head. `min`: go back to these and not to their parents.
        `depth`: how many steps to go back; 0 gives what it starts at. Cost: one read per commit.
        """
        _count("depth", depth)
        if max is None:
            head = self.find_head()
            starts = [] if head is None else [head.hash]
        else:
            self._opened.check()
            starts = [commit.hash for commit in max]
        return History(window(self._past(), starts, depth, {commit.hash for commit in min}).values())

    # -- common ancestors ------------------------------------------------------------------------------------

    def lcas(
        self, other: HistoricStore[C, M], *, max_depth: int | None = None, n: int | None = None
    ) -> list[Commit[C, M]]:
        """The least common ancestors of this head and that of `other`; NotFound if one has no head.

        `max_depth` bounds how far back to look, `n` how many to look for; raises MaxDepthReached and
        TooManyLcas, see `history.lcas`.
        """
        return self.lcas_with_commit(other.head(), max_depth=max_depth, n=n)

    def lcas_with_branch(
        self, name: str, *, max_depth: int | None = None, n: int | None = None
    ) -> list[Commit[C, M]]:
        """As `lcas`, with the head of the branch `name`."""
        other: HistoricStore[C, M] = HistoricStore(self._opened, self._watches, name)
        return self.lcas(other, max_depth=max_depth, n=n)

    def lcas_with_commit(
        self, commit: Commit[C, M], *, max_depth: int | None = None, n: int | None = None
    ) -> list[Commit[C, M]]:
        """As `lcas`, with `commit`."""
        found = lcas(self._past(), self.head().hash, commit.hash, max_depth=max_depth, n=n)
        return [self._opened.get(hash_, "a common ancestor") for hash_ in found]


class _Past(Generic[C, M]):
    """Commits and what is at one path in them, each read once as long as it is not forgotten."""

    __slots__ = ("_commits", "_contents", "_path", "_read", "_values")

    def __init__(
        self, read: Callable[[Hash], Commit[C, M]], path: Sequence[str] | None, *, contents: bool = False
    ) -> None:
        self._read = read
        self._path = path
        self._contents = contents
        self._commits: dict[Hash, Commit[C, M]] = {}
        self._values: dict[Hash, KindedHash | Hash | None] = {}

    def commit(self, hash: Hash) -> Commit[C, M]:
        commit = self._commits.get(hash)
        if commit is None:
            commit = self._commits[hash] = self._read(hash)
        return commit

    def forget(self, commit: Commit[C, M]) -> None:
        self._commits.pop(commit.hash, None)
        self._values.pop(commit.hash, None)

    def changed(self, commit: Commit[C, M], first_parent: bool = False) -> bool:
        """Whether what is at the path differs from that of every parent; of no parents, whether it is there."""
        here = self._value(commit)
        parents = commit.past[:1] if first_parent else commit.past
        if not parents:
            return here is not None
        return all(self._value(self.commit(parent)) != here for parent in parents)

    def _value(self, commit: Commit[C, M]) -> KindedHash | Hash | None:
        if commit.hash not in self._values:
            found = commit.tree().find_tree(self._path or ())
            value: KindedHash | Hash | None = None if found is None else found.kinded_hash()
            if self._contents and isinstance(value, KindedHash):
                value = value.hash if value.kind == "contents" else None
            self._values[commit.hash] = value
        return self._values[commit.hash]


def _count(what: str, n: int | None) -> None:
    if n is not None and (type(n) is not int or n < 0):
        raise DecodeError(what, f"{n!r:.80}; use a number from 0 up, or None for all")
