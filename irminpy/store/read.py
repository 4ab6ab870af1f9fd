"""The reading half of a store: its head and its tree, and watching it.

Users see `Store`. The tree of the head is kept until the head moves, so that many reads open one tree.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, cast, overload

from .. import branch as branches
from ..commit import Commit, Head, Opened, hash_of_commit
from ..errors import NotFound
from ..hash import Hash
from ..key import KindedHash, KindedKey
from ..late import module
from ..path import PathLike
from ..tree import Tree
from ..types import C, M, R
from ..watch import Changes, Watch, Watches, changed
from .follow import Following

if TYPE_CHECKING:
    from ..diff import Change
    from ..proof import Limits, Proof, StreamProof
    from .status import Status

__all__ = ["PRODUCE", "ReadableStore", "callback", "hash_of"]

PRODUCE = "irminpy.proof.produce"
"""Imported late: a program that proves nothing needs no proofs."""

HeadChanges: TypeAlias = "Changes[Commit[C, M], Change[Commit[C, M]]]"
TreeChanges: TypeAlias = "Changes[tuple[Commit[C, M], Tree[C, M]], Change[tuple[Commit[C, M], Tree[C, M]]]]"


class ReadableStore(Generic[C, M]):
    """What can be asked of a store without writing."""

    __slots__ = ("__weakref__", "_branch", "_lock", "_opened", "_seen", "_watches")

    def __init__(
        self, opened: Opened[C, M], watches: Watches, branch: str | None, commit: Commit[C, M] | None = None
    ) -> None:
        self._opened = opened
        self._watches = watches
        self._branch = None if branch is None else branches.check(branch)
        self._lock = threading.Lock()
        # The head and its tree as last seen; for a detached store, the head itself.
        self._seen: Head[C, M] = self._head_at(commit)

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def name(self) -> str | None:
        """The name of the branch; None for a detached store."""
        return self._branch

    @property
    def status(self) -> Status[C, M]:
        """The branch, whether it has a head or not; or the commit of a detached store; or neither."""
        from .status import Status  # late: few ask for it

        if self._branch is not None:
            return Status(self._branch)
        return Status(None, self.find_head())

    def __repr__(self) -> str:
        if self._branch is not None:
            return f"<Store branch {self._branch}>"
        commit = self._seen.commit
        return "<Store empty>" if commit is None else f"<Store commit {commit.short()}>"

    def find_head(self) -> Commit[C, M] | None:
        """The commit that this store stands on now, or None."""
        return self._head().commit

    def head(self) -> Commit[C, M]:
        """The commit that this store stands on now; NotFound if there is none."""
        commit = self.find_head()
        if commit is None:
            raise NotFound("head", str(self.status))
        return commit

    def tree(self) -> Tree[C, M]:
        """The tree of the head, unread; an empty tree without one. The same object until the head moves."""
        return self._head().tree

    # -- reading ---------------------------------------------------------------------------------------------

    def find(self, path: PathLike = ()) -> C | None:
        """The contents bound to `path`, or None if there is nothing or a directory."""
        return self.tree().find(path)

    def get(self, path: PathLike = ()) -> C:
        """The contents bound to `path`; NotFound where `find` gives None."""
        return self.tree().get(path)

    def find_all(self, path: PathLike = ()) -> tuple[C, M] | None:
        """The contents and the metadata bound to `path`, or None."""
        return self.tree().find_all(path)

    def get_all(self, path: PathLike = ()) -> tuple[C, M]:
        """The contents and the metadata bound to `path`; NotFound where `find_all` gives None."""
        return self.tree().get_all(path)

    def open_stream(self, path: PathLike) -> io.BufferedReader:
        """The contents bound to `path` as a file for reading; see `Tree.open_stream`."""
        return self.tree().open_stream(path)

    def find_tree(self, path: PathLike = ()) -> Tree[C, M] | None:
        """The subtree at `path`, unread, or None if there is nothing."""
        return self.tree().find_tree(path)

    def get_tree(self, path: PathLike = ()) -> Tree[C, M]:
        """The subtree at `path`, unread; NotFound if there is nothing."""
        return self.tree().get_tree(path)

    def kind(self, path: PathLike = ()) -> Literal["contents", "node"] | None:
        """ "contents", "node" (a directory) or None (nothing there)."""
        return self.tree().kind(path)

    def mem(self, path: PathLike = ()) -> bool:
        """True if `path` is bound to contents."""
        return self.tree().mem(path)

    def mem_tree(self, path: PathLike = ()) -> bool:
        """True if `path` is bound to contents or to a directory."""
        return self.tree().mem_tree(path)

    def length(self, path: PathLike = ()) -> int:
        """Number of direct entries at `path`."""
        return self.tree().length(path)

    def hash(self, path: PathLike = ()) -> KindedHash | None:
        """The hash of what `path` is bound to, with its kind, or None."""
        found = self.find_tree(path)
        return None if found is None else found.kinded_hash()

    def key(self, path: PathLike = ()) -> KindedKey | None:
        """The key of what `path` is bound to, or None."""
        found = self.find_tree(path)
        return None if found is None else found.key()

    def __contains__(self, path: object) -> bool:
        """`mem_tree`."""
        return self.mem_tree(cast("PathLike", path))

    def __getitem__(self, path: PathLike) -> C:
        """`get`."""
        return self.get(path)

    def list(self, path: PathLike = (), *, sorted: bool = False) -> list[tuple[str, Tree[C, M]]]:
        """(step, subtree) for the entries at `path`, in the format's order, or by step with `sorted`."""
        return self.tree().list(path, sorted=sorted)

    # -- proofs ----------------------------------------------------------------------------------------------

    def produce_proof(
        self, f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]], limits: Limits | None = None
    ) -> tuple[Proof[C, M], R]:
        """The proof of what `f` does with the tree of the head, and its result; see `Repo.produce_proof`."""
        made: tuple[Proof[C, M], R] = module(PRODUCE).produce_proof(
            self._opened.home, self._fresh_tree(), f, limits
        )
        return made

    def produce_stream(
        self, f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]], limits: Limits | None = None
    ) -> tuple[StreamProof[C, M], R]:
        """As `produce_proof`, a stream proof; see `Repo.produce_stream`."""
        made: tuple[StreamProof[C, M], R] = module(PRODUCE).produce_stream(
            self._opened.home, self._fresh_tree(), f, limits
        )
        return made

    def _fresh_tree(self) -> Tree[C, M]:
        """The tree of the head, of which nothing is in memory."""
        head = self._head()
        return head.tree if head.commit is None else head.commit.tree()

    # -- watches ---------------------------------------------------------------------------------------------

    @overload
    def watch(self, f: None = None, *, init: Commit[C, M] | None = None) -> HeadChanges[C, M]: ...
    @overload
    def watch(
        self, f: Callable[[Change[Commit[C, M]]], None], *, init: Commit[C, M] | None = None
    ) -> Watch: ...
    def watch(
        self, f: Callable[[Change[Commit[C, M]]], None] | None = None, *, init: Commit[C, M] | None = None
    ) -> Watch | HeadChanges[C, M]:
        """Call `f`, on a thread of its own, with each change of the head from now on, made by whatever
        handle.

        Without `init` the first change is Added, even if there is a head; with it, Updated from there. An
        exception in `f` is logged and swallowed. A slow `f` may miss steps in between, never the last one.
        Without `f` an iterator over the changes, which waits for each. NotFound for a detached store, which has no
        branch to watch.
        """
        name = self._watchable()
        if f is None:
            changes: HeadChanges[C, M] = Changes(lambda name, change: change, changed)
            return changes.of(self.watch(partial(changes.put, name), init=init))
        callback(f)
        following = Following(self._opened, _itself, _known(name, init))

        def call(name: str, change: Change[Hash]) -> None:
            found = following.change(name, change.after)
            if found is not None and found.before != found.after:
                f(found)

        return self._watches.watch(name, call, init=hash_of(init))

    @overload
    def watch_key(
        self, path: PathLike, f: None = None, *, init: Commit[C, M] | None = None
    ) -> TreeChanges[C, M]: ...
    @overload
    def watch_key(
        self,
        path: PathLike,
        f: Callable[[Change[tuple[Commit[C, M], Tree[C, M]]]], None],
        *,
        init: Commit[C, M] | None = None,
    ) -> Watch: ...
    def watch_key(
        self,
        path: PathLike,
        f: Callable[[Change[tuple[Commit[C, M], Tree[C, M]]]], None] | None = None,
        *,
        init: Commit[C, M] | None = None,
    ) -> Watch | TreeChanges[C, M]:
        """As `watch`, with pairs of the commit and the subtree at `path`, only where that subtree has
        changed.
        """
        if f is None:
            at = self._watchable()
            changes: TreeChanges[C, M] = Changes(lambda name, change: change, _of_trees)
            return changes.of(self.watch_key(path, partial(changes.put, at), init=init))
        callback(f)
        steps = self._opened.home.codec.steps(path)

        def look(commit: Commit[C, M]) -> tuple[Commit[C, M], Tree[C, M]] | None:
            tree = commit.tree().find_tree(steps)
            return None if tree is None else (commit, tree)

        name = self._watchable()
        following = Following(self._opened, look, _known(name, init))

        def call(name: str, change: Change[Hash]) -> None:
            found = following.change(name, change.after)
            if found is not None and _of_trees(found.before, found.after) is not None:
                f(found)

        return self._watches.watch(name, call, init=hash_of(init))

    def _watchable(self) -> str:
        self._opened.check()
        if self._branch is None:
            raise NotFound("branch", "a detached store has none to watch")
        return self._branch

    # -- inside ----------------------------------------------------------------------------------------------

    def _head_at(self, commit: Commit[C, M] | None) -> Head[C, M]:
        if commit is not None:
            return Head(commit, commit.tree())
        # A tree of its own: what is saved of one may be collected before the next is written.
        home = self._opened.home
        return Head(None, Tree(home, home.empty()))

    def _head(self) -> Head[C, M]:
        """The head and its tree now."""
        opened = self._opened
        opened.check()
        seen = self._seen
        if self._branch is None:
            return seen if seen.source in (None, opened.source) else self._reread(seen)
        now = opened.backend.ref(self._branch)
        if now != seen.hash or seen.source not in (None, opened.source):
            commit = None if now is None else opened.head(now, f"the branch {self._branch}")
            seen = self._seen = self._head_at(commit)
        return seen

    def _reread(self, seen: Head[C, M]) -> Head[C, M]:
        """The head of a detached store, read where its objects lie since they have moved."""
        assert seen.commit is not None
        commit = self._opened.find(seen.commit.hash)
        with self._lock:
            if self._seen is seen and commit is not None:
                self._seen = self._head_at(commit)
            return self._seen

    def _past(self) -> Callable[[Hash], Commit[C, M]]:
        """Gives commits for one walk from a head back."""
        return self._opened.following("a parent of a commit")


def callback(f: object) -> None:
    """Raise TypeError unless `f` can be called."""
    if not callable(f):
        raise TypeError(f"a watcher is a function, not {type(f).__name__}")


def _of_trees(
    before: tuple[Commit[C, M], Tree[C, M]] | None, after: tuple[Commit[C, M], Tree[C, M]] | None
) -> Change[tuple[Commit[C, M], Tree[C, M]]] | None:
    """The change of the subtree; None if it is the same in another commit."""
    if before is not None and after is not None and before[1] == after[1]:
        return None
    return changed(before, after)


def hash_of(commit: Commit[Any, Any] | None) -> Hash | None:
    """The hash of `commit`, None for None."""
    return None if commit is None else hash_of_commit(commit)


def _known(name: str, init: Commit[C, M] | None) -> dict[str, Commit[C, M]]:
    return {} if init is None else {name: init}


def _itself(commit: Commit[C, M]) -> Commit[C, M]:
    return commit
