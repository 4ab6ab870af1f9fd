"""What a store tells about the past: the log, when a path was modified, the graph, common ancestors.

Reads only. The graph itself is the business of `irminpy.history`; here commits have trees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, Literal

from ..commit import Commit, hash_of_commit, hashes_of
from ..errors import DanglingHash, DecodeError
from ..hash import Hash
from ..history import History, by_date, check_count, first_parents, lcas, walk, window
from ..info import Info
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
        shallow: bool = False,
    ) -> Iterator[Commit[C, M]]:
        """The commits from the head back, at most `n`, without the first `skip`; nothing without a head.

        `order` "topological": children before parents, the newest first where that leaves a choice; "date":
        the newest first of all that have come in sight. `first_parent` follows the first parent of each
        commit only, in either order. With `path`, only commits that changed it: what is there differs from
        that of each parent (of the first, with `first_parent`). Cost: one read per commit, when the iterator
        reaches it; see `history.walk`.
        """
        check_count("n", n)
        check_count("skip", skip)
        if order not in ("topological", "date"):
            raise DecodeError("order", f'{order!r:.80}: use "topological" or "date"')
        steps = None if path is None else self._opened.home.codec.steps(path)
        head = self.find_head()
        if head is None or n == 0:
            return iter(())
        commits = self._log(head.hash, steps, order, first_parent, shallow)
        return islice(commits, skip, None if n is None else skip + n)

    def _log(
        self, head: Hash, path: Sequence[str] | None, order: Order, first_parent: bool, shallow: bool
    ) -> Iterator[Commit[C, M]]:
        past = _Past(self._past(), path, first_parent=first_parent, shallow=shallow)
        if first_parent:
            nodes = first_parents(past, head)
        elif order == "date":
            nodes = by_date(past, [head])
        else:
            nodes = walk(past, [head])
        for node in nodes:
            if path is None or past.changed(node):
                yield node.commit
            past.forget(node)

    def last_modified(self, path: PathLike, *, n: int = 1, depth: int | None = None) -> list[Commit[C, M]]:
        """The last `n` commits that changed the contents at `path`, the oldest first; [] if none ever did.

        A commit changed them if they differ from those of every parent, or if it has no parents and holds
        some: making and removing count, directories and metadata do not. Looked for from the head back, the
        newest commit in sight first, and at most `depth` steps away from the head; 0 means the head only. []
        without a head. Cost: one read per commit and one look at its tree.
        """
        check_count("n", n)
        check_count("depth", depth)
        steps = self._opened.home.codec.steps(path)
        head = self.find_head()
        if head is None or n == 0:
            return []
        past = _Past(self._past(), steps, contents=True)
        within = None if depth is None else window(past, [head.hash], depth)
        nodes = by_date(past, [head.hash], within)
        return list(islice((node.commit for node in nodes if past.changed(node)), n))[::-1]

    def history(
        self,
        depth: int | None = None,
        min: Iterable[Hash | Commit[C, M]] = (),
        max: Iterable[Hash | Commit[C, M]] | None = None,
        *,
        shallow: bool = False,
    ) -> History[Commit[C, M]]:
        """The graph of the commits from the head back; empty without a head.

        `max`: start at these commits instead of the head. `min`: go back to these and not to their parents.
        `depth`: how many steps to go back; 0 gives what it starts at. DanglingHash where the history was cut
        off, unless `shallow`: then parents that are not here are left out. Cost: one read per commit.
        """
        check_count("depth", depth)
        if max is None:
            head = self.find_head()
            starts = [] if head is None else [head.hash]
        else:
            self._opened.check()
            starts = hashes_of(max)
        past = _Past(self._past(), None, shallow=shallow)
        nodes = window(past, starts, depth, set(hashes_of(min))).values()
        return History(node.commit for node in nodes)

    # -- common ancestors ------------------------------------------------------------------------------------

    def lcas(
        self, other: HistoricStore[C, M], *, max_depth: int | None = None, n: int | None = None
    ) -> list[Commit[C, M]]:
        """The least common ancestors of this head and that of `other`; NotFound if one has no head.

        `max_depth` bounds how far back to look, `n` how many to look for; raises MaxDepthReached and
        TooManyLcas, see `history.lcas`.
        """
        if not isinstance(other, HistoricStore):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a Store is expected, not {type(other).__name__}; lcas_with_branch takes a name")
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
        found = lcas(self._past(), self.head().hash, hash_of_commit(commit), max_depth=max_depth, n=n)
        return [self._opened.get(hash_, "a common ancestor") for hash_ in found]


class _Node(Generic[C, M]):
    """A commit in a walk: its past are the parents that count."""

    __slots__ = ("commit", "past")

    def __init__(self, commit: Commit[C, M], past: tuple[Hash, ...]) -> None:
        self.commit = commit
        self.past = past

    @property
    def info(self) -> Info:
        return self.commit.info


class _Past(Generic[C, M]):
    """Commits and what is at one path in them, each read once as long as it is not forgotten.

    `first_parent`: no other parent counts. `shallow`: nor does one that is not here; to find out they are read,
    which they soon are anyway.
    """

    __slots__ = ("_commits", "_contents", "_first_parent", "_path", "_read", "_shallow", "_values")

    def __init__(
        self,
        read: Callable[[Hash], Commit[C, M]],
        path: Sequence[str] | None,
        *,
        contents: bool = False,
        first_parent: bool = False,
        shallow: bool = False,
    ) -> None:
        self._read = read
        self._path = path
        self._contents = contents
        self._first_parent = first_parent
        self._shallow = shallow
        self._commits: dict[Hash, Commit[C, M]] = {}
        self._values: dict[Hash, KindedHash | Hash | None] = {}

    def __call__(self, hash: Hash) -> _Node[C, M]:
        commit = self._commit(hash)
        # Of what was cut off the first parent is none, rather than the second.
        past = commit.past
        parents = tuple([p for p in commit.parents[:1] if p in past]) if self._first_parent else past
        return _Node(commit, tuple(filter(self._is_here, parents)) if self._shallow else parents)

    def _commit(self, hash: Hash) -> Commit[C, M]:
        commit = self._commits.get(hash)
        if commit is None:
            commit = self._commits[hash] = self._read(hash)
        return commit

    def _is_here(self, hash: Hash) -> bool:
        try:
            self._commit(hash)
        except DanglingHash:
            return False
        return True

    def forget(self, node: _Node[C, M]) -> None:
        self._commits.pop(node.commit.hash, None)
        self._values.pop(node.commit.hash, None)

    def changed(self, node: _Node[C, M]) -> bool:
        """Whether what is at the path differs from that of every parent; of no parents, whether it is there."""
        here = self._value(node.commit)
        if not node.past:
            return here is not None
        return all(self._value(self._commit(parent)) != here for parent in node.past)

    def _value(self, commit: Commit[C, M]) -> KindedHash | Hash | None:
        if commit.hash not in self._values:
            found = commit.tree().find_tree(self._path or ())
            value: KindedHash | Hash | None = None if found is None else found.kinded_hash()
            if self._contents and isinstance(value, KindedHash):
                value = value.hash if value.kind == "contents" else None
            self._values[commit.hash] = value
        return self._values[commit.hash]
