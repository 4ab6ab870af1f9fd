"""The store: a handle on a branch, or on a head of its own, that is read like a tree and written by commits.

Every write is optimistic: the new tree is made from a snapshot of the head, the commit is written together
with a compare-and-set of the head, and if another writer was quicker all of it happens again. No lock is held
meanwhile. A store works on an open backend; it knows no repository.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from ..backend import Readable, RefUpdate
from ..commit import Commit, Head, a_tree, unless_same
from ..errors import (
    DecodeError,
    MaxDepthReached,
    MergeConflict,
    NoChange,
    NotFound,
    Rejected,
    TestWas,
    TooManyLcas,
    TooManyRetries,
)
from ..fields import replaced
from ..hash import Hash
from ..history import Graph, lcas
from ..objects import Objects
from ..path import PathLike, join
from ..tree import Editor, OnConflict, Tree
from ..types import C, M
from .history import HistoricStore
from .read import hash_of
from .stream import put_stream
from .writing import Writing, attempts, check, pause, retries

if TYPE_CHECKING:
    from ..merge import Conflict

__all__ = ["Edit", "Store", "Writing"]


Strategy = Literal["test_and_set", "set", "merge"]

OnLimit = Literal["raise", "no-ancestor"]


class Store(HistoricStore[C, M]):
    """A branch of a repository, or a detached head: reads of its tree, and writes that are commits.

    Get one from `Repo.main`, `Repo.branch`, `Repo.at`, `Repo.detached` or `Repo.empty`. Reads look at the
    head as it is at that moment; take `tree()` for several reads of one snapshot. Writes give the commit, or
    None if nothing changed. Free to share between threads.
    """

    __slots__ = ()

    # -- writing ---------------------------------------------------------------------------------------------

    def set(
        self, path: PathLike, value: C, *, metadata: M | None = None, **how: Unpack[Writing]
    ) -> Commit[C, M] | None:
        """Bind `path` to `value`, in one commit; None if that is so already.

        The metadata is the default one unless given. DecodeError for the root path.
        """
        self._below_root(path)
        return self._update(lambda tree: tree.add(path, value, metadata=metadata), how)

    def write_stream(
        self, path: PathLike, file: Readable, *, metadata: M | None = None, **how: Unpack[Writing]
    ) -> Commit[C, M] | None:
        """Bind `path` to contents whose bytes are all that `file` gives, in one commit; None if that is so already.

        `file` is read once, to its end, in pieces; what is kept in memory does not depend on its length where
        the backend has `Streams`, else it is the whole value. For contents that are stored as they are: Bytes, and
        String, whose UTF-8 is checked on the way; DecodeError for other types and for the root path. If `file`
        raises, so does this, and nothing is bound.
        """
        self._below_root(path)
        check(how)
        return self.set_tree(path, put_stream(self._opened, file, metadata), **how)

    def set_tree(self, path: PathLike, tree: Tree[C, M], **how: Unpack[Writing]) -> Commit[C, M] | None:
        """Bind `path` to `tree`, in one commit; an empty tree removes. None if nothing changes.

        `tree` is saved with it and reads from the repository from then on, if `path` is the root.
        """
        self._opened.require(tree)
        if path != () and self._opened.home.codec.steps(path):
            return self._update(lambda now: now.add_tree(path, tree), how)
        if tree.kind() == "contents":
            self._below_root(path)
        return self._update(partial(unless_same, tree), how)

    def remove(self, path: PathLike, **how: Unpack[Writing]) -> Commit[C, M] | None:
        """Remove what is at `path`, contents or a directory, in one commit; None if there is nothing."""
        return self._update(lambda tree: tree.remove(path), how)

    def test_and_set(
        self, path: PathLike, *, test: C | None, set: C | None, **how: Unpack[Writing]
    ) -> Commit[C, M] | None:
        """Bind `path` to `set` if it is bound to `test` now (None: to nothing), else raise TestWas.

        The test comes first: it fails even if `path` is bound to `set` already. None if both are equal.
        """
        return self.test_and_set_tree(path, test=self._contents(test), set=self._contents(set), **how)

    def test_and_set_tree(
        self, path: PathLike, *, test: Tree[C, M] | None, set: Tree[C, M] | None, **how: Unpack[Writing]
    ) -> Commit[C, M] | None:
        """As `test_and_set`, for subtrees; metadata counts. An empty tree stands for nothing."""
        new = _present(set)
        if new is not None and new.kind() == "contents":
            self._below_root(path)

        def build(tree: Tree[C, M]) -> Tree[C, M]:
            self._require(tree, path, test)
            return tree.remove(path) if new is None else tree.add_tree(path, new)

        return self._update(build, how)

    def test_set_and_get(
        self, path: PathLike, *, test: C | None, set: C | None, **how: Unpack[Writing]
    ) -> Commit[C, M] | None:
        """`test_and_set`, by the name that says what it gives: the commit, None if none was made."""
        return self.test_and_set(path, test=test, set=set, **how)

    def test_set_and_get_tree(
        self, path: PathLike, *, test: Tree[C, M] | None, set: Tree[C, M] | None, **how: Unpack[Writing]
    ) -> Commit[C, M] | None:
        """`test_and_set_tree`, by the name that says what it gives: the commit, None if none was made."""
        return self.test_and_set_tree(path, test=test, set=set, **how)

    def merge(
        self,
        path: PathLike,
        value: C | None,
        *,
        old: C | None,
        on_conflict: OnConflict[C, M] | None = None,
        **how: Unpack[Writing],
    ) -> Commit[C, M] | None:
        """Merge `value` into what `path` is bound to now, with `old` as their ancestor, in one commit.

        None stands for nothing, on either side. None if nothing changes. MergeConflict as in `merge_tree`.
        """
        new, base = self._contents(value), self._contents(old)
        return self.merge_tree(path, new, old=base, on_conflict=on_conflict, **how)

    def merge_tree(
        self,
        path: PathLike,
        tree: Tree[C, M] | None,
        *,
        old: Tree[C, M] | None,
        on_conflict: OnConflict[C, M] | None = None,
        **how: Unpack[Writing],
    ) -> Commit[C, M] | None:
        """As `merge`, for subtrees; an empty one is nothing. The rules are those of `Tree.merge`.

        MergeConflict, with paths from the root and nothing changed, unless `on_conflict` settles every
        conflict.
        """
        return self.replace_tree(path, old, tree, "merge", on_conflict, how)

    def with_tree(
        self,
        path: PathLike,
        f: Callable[[Tree[C, M] | None], Tree[C, M] | None],
        *,
        strategy: Strategy = "test_and_set",
        on_conflict: OnConflict[C, M] | None = None,
        **how: Unpack[Writing],
    ) -> Commit[C, M] | None:
        """Replace the subtree at `path` by `f` of it (None: nothing there), in one commit.

        What happens if the subtree has changed while `f` ran, says `strategy`: "test_and_set" runs `f` again on what
        is there now; "set" overwrites it; "merge" merges (ours: what is there now, theirs: what `f` gave, ancestor:
        what it saw) and runs `f` again on a conflict. `f` is run again `retries` times at most, then TooManyRetries;
        with `retries=0`, TestWas or MergeConflict at once. Changes elsewhere in the tree never make `f` run again.
        """
        if strategy not in ("test_and_set", "set", "merge"):
            raise DecodeError("strategy", f'{strategy!r:.80}: use "test_and_set", "set" or "merge"')
        check(how)
        most = retries(how)
        runs = 0
        while True:
            seen = self.find_tree(path)
            new = None if (tree := f(seen)) is None else a_tree(tree)
            runs += 1
            try:
                return self.replace_tree(path, seen, new, strategy, on_conflict, how)
            except (TestWas, MergeConflict):
                if most <= 0:
                    raise
                if runs > most:
                    raise TooManyRetries(most) from None

    def edit(
        self,
        path: PathLike = (),
        *,
        on_race: Literal["raise", "merge"] = "raise",
        on_conflict: OnConflict[C, M] | None = None,
        **how: Unpack[Writing],
    ) -> Edit[C, M]:
        """A context manager: an editor of the subtree at `path`, and one commit at its end, or none if all is
        as it was.

        An exception inside makes no commit. If the subtree has changed meanwhile, `on_race` "raise" raises
        TestWas and "merge" merges; in a MergeConflict `ours` is what is there now, `theirs` what was edited.
        """
        if on_race not in ("raise", "merge"):
            raise DecodeError("on_race", f'{on_race!r:.80}: use "raise" or "merge"')
        check(how)
        return Edit(self, path, "merge" if on_race == "merge" else "test_and_set", on_conflict, how)

    # -- heads -----------------------------------------------------------------------------------------------

    def set_head(self, commit: Commit[C, M] | None) -> None:
        """Make `commit` the head, whatever it was; None removes the head, and with it the branch."""
        self._opened.check()
        new = self._known(commit)
        if self._branch is None:
            with self._lock:
                self._seen = self._head_at(new)
        else:
            self._opened.backend.write(Objects(), [RefUpdate(self._branch, hash_of(new))])

    def test_and_set_head(self, *, test: Commit[C, M] | None, set: Commit[C, M] | None) -> bool:
        """Make `set` the head if it is `test` now, atomically; whether that was so. None stands for no head."""
        return self._move(hash_of(test), self._known(set))

    def clone(self, name: str) -> Store[C, M]:
        """The branch `name`, moved to where this store stands; without a head here it is removed."""
        other = Store(self._opened, self._watches, name)
        other.set_head(self.find_head())
        return other

    def fast_forward(
        self, commit: Commit[C, M], *, max_depth: int | None = None, n: int | None = None
    ) -> None:
        """Move the head to `commit`, a descendant of it.

        Raises NoChange if it is there already, Rejected if the head is no ancestor of `commit` or has just
        moved. `max_depth` and `n` bound the search for the head behind `commit`, as in `lcas`: MaxDepthReached
        and TooManyLcas; nothing is moved then.
        """
        head = self.find_head()
        commit = self._opened.own(commit, "the commit of a head")
        if head is not None:
            if head == commit:
                raise NoChange
            if lcas(self._past(), head.hash, commit.hash, max_depth=max_depth, n=n) != [head.hash]:
                raise Rejected
        if not self._move(hash_of(head), commit):
            raise Rejected

    # -- merges ----------------------------------------------------------------------------------------------

    def merge_with_branch(
        self,
        name: str,
        *,
        on_conflict: OnConflict[C, M] | None = None,
        max_depth: int | None = None,
        n: int | None = None,
        on_limit: OnLimit = "raise",
        **how: Unpack[Writing],
    ) -> Commit[C, M] | None:
        """Merge the head of the branch `name` into this store; see `merge_with_commit`. NotFound without one."""
        theirs = Store(self._opened, self._watches, name).find_head()
        if theirs is None:
            raise NotFound("branch", name)
        return self.merge_with_commit(
            theirs, on_conflict=on_conflict, max_depth=max_depth, n=n, on_limit=on_limit, **how
        )

    def merge_into(
        self,
        into: Store[C, M],
        *,
        on_conflict: OnConflict[C, M] | None = None,
        max_depth: int | None = None,
        n: int | None = None,
        on_limit: OnLimit = "raise",
        **how: Unpack[Writing],
    ) -> Commit[C, M] | None:
        """Merge the head of this store into another; see `merge_with_commit`. None if there is no head."""
        if not isinstance(into, Store):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a Store is expected, not {type(into).__name__}; Repo.branch(name) gives one")
        head = self.find_head()
        if head is None:
            return None
        return into.merge_with_commit(
            head, on_conflict=on_conflict, max_depth=max_depth, n=n, on_limit=on_limit, **how
        )

    def merge_with_commit(
        self,
        commit: Commit[C, M],
        *,
        on_conflict: OnConflict[C, M] | None = None,
        max_depth: int | None = None,
        n: int | None = None,
        on_limit: OnLimit = "raise",
        **how: Unpack[Writing],
    ) -> Commit[C, M] | None:
        """Merge `commit` into this store; the new head, or None if the head has all of it already.

        Where the head is an ancestor of `commit`, or there is no head, the head moves and no commit is made.
        Otherwise the commit has both as parents, the head first. Raises MergeConflict, with nothing changed,
        unless `on_conflict` settles every conflict ("ours", "theirs" or a function, as in `Tree.merge`).

        `max_depth` and `n` bound the search for common ancestors, as in `lcas`. Where it ends without an
        answer, `on_limit` "raise" raises MaxDepthReached or TooManyLcas; "no-ancestor" merges as if the two
        had nothing in common, so that whatever differs is a conflict.
        """
        if on_limit not in ("raise", "no-ancestor"):
            raise DecodeError("on_limit", f'{on_limit!r:.80}: use "raise" or "no-ancestor"')
        commit = self._opened.own(commit, "the commit that is merged")
        parents = self._opened.parents(how.get("parents"))
        for attempt in attempts(how):
            pause(attempt)
            head = self._head()
            ours = head.commit
            if ours is None:
                if self._move(None, commit):
                    return commit
                continue
            graph = Graph(self._past())
            search = partial(lcas, graph, max_depth=max_depth, n=n)
            try:
                bases = search(ours.hash, commit.hash)
                if bases == [commit.hash]:
                    return None
                if bases == [ours.hash]:
                    if self._move(ours.hash, commit):
                        return commit
                    continue
                old = self._ancestor(graph, bases, search)
            except (MaxDepthReached, TooManyLcas):
                if on_limit == "raise":
                    raise
                old = None
            merged = head.tree.merge(commit.tree(), old=old, on_conflict=on_conflict)
            own = (ours.hash, commit.hash)
            made = self._commit(head, merged, own if parents is None else parents, how)
            if made is not None:
                return made
        raise TooManyRetries(retries(how))

    def _ancestor(
        self, graph: Graph, bases: Sequence[Hash], search: Callable[[Hash, Hash], list[Hash]]
    ) -> Tree[C, M] | None:
        """The tree that stands for all of `bases`: the merge of them, where there are several; None for none.

        They are merged two by two, each pair on top of its own common ancestors, and so on down.
        MergeConflict if that does not work out: any tree taken for the ancestor could silently undo what
        somebody settled by hand.
        """
        trees: dict[Hash, Tree[C, M]] = {}

        def tree_of(hash: Hash) -> Tree[C, M]:
            return trees[hash] if hash in trees else self._opened.get(hash, "a common ancestor").tree()

        if not bases:
            return None
        # A stack of its own: criss-cross merges may lie below each other without end. Each level ends as one
        # commit.
        stack = [list(bases)]
        below: list[Hash] | None = None
        while len(stack) > 1 or len(stack[-1]) > 1:
            level = stack[-1]
            if len(level) == 1:
                below = stack.pop()
                continue
            if below is None:
                below = search(level[0], level[1])
                if len(below) > 1:
                    stack.append(below)
                    below = None
                    continue
            old = tree_of(below[0]) if below else None
            merged = _virtual_merge(tree_of(level[0]), tree_of(level[1]), old)
            name = graph.virtual(*level[:2])
            trees[name] = merged
            level[:2] = [name]
            below = None
        return tree_of(stack[0][0])

    # -- inside ----------------------------------------------------------------------------------------------

    def _move(self, test: Hash | None, commit: Commit[C, M] | None) -> bool:
        if self._branch is None:
            self._opened.check()
            with self._lock:
                if self._seen.hash != test:
                    return False
                self._seen = self._head_at(commit)
                return True
        self._opened.check()
        return self._opened.backend.write(Objects(), [RefUpdate(self._branch, hash_of(commit), test)])

    def _commit(
        self, head: Head[C, M], tree: Tree[C, M], parents: Sequence[Hash], how: Writing
    ) -> Commit[C, M] | None:
        """Commit `tree` on top of `head`; None if the head has moved meanwhile."""
        opened, name, test = self._opened, self._branch, head.hash
        info = opened.info(how.get("message"), how.get("author"), how.get("date"), how.get("info"))

        def move(hash: Hash) -> list[RefUpdate]:
            return [] if name is None else [RefUpdate(name, hash, test)]

        now = opened.commit(tree, info, parents, clear=how.get("clear", True), move=move)
        if now is None:
            return None
        with self._lock:
            if name is None and self._seen is not head:
                return None
            self._seen = now
        return now.commit

    def _update(self, build: Callable[[Tree[C, M]], Tree[C, M]], how: Writing) -> Commit[C, M] | None:
        """Commit `build` of the current tree; None if that is the same tree."""
        parents = self._opened.parents(how.get("parents"))
        for attempt in attempts(how):
            pause(attempt)
            head = self._head()
            tree = build(head.tree)
            if head.commit is None:
                own: tuple[Hash, ...] = ()
            else:
                if tree is head.tree and not how.get("allow_empty", False):
                    return None
                own = (head.commit.hash,)
            made = self._commit(head, tree, own if parents is None else parents, how)
            if made is not None:
                return made
        raise TooManyRetries(retries(how))

    def replace_tree(
        self,
        path: PathLike,
        seen: Tree[C, M] | None,
        new: Tree[C, M] | None,
        strategy: Strategy,
        on_conflict: OnConflict[C, M] | None,
        how: Writing,
    ) -> Commit[C, M] | None:
        """Put `new` at `path`, where `seen` was; `strategy` says what if it is not so any more."""
        for tree in (seen, new):
            if tree is not None and tree.kind() == "contents":
                self._below_root(path)

        def build(tree: Tree[C, M]) -> Tree[C, M]:
            put = new
            if strategy == "test_and_set":
                self._require(tree, path, seen)
            elif strategy == "merge":
                now = tree.find_tree(path)
                if not _same(now, seen):
                    put = self._merged(path, now, new, seen, on_conflict)
            return tree.remove(path) if put is None else tree.add_tree(path, put)

        return self._update(build, how)

    def _merged(
        self,
        path: PathLike,
        ours: Tree[C, M] | None,
        theirs: Tree[C, M] | None,
        old: Tree[C, M] | None,
        on_conflict: OnConflict[C, M] | None,
    ) -> Tree[C, M] | None:
        """The merge of subtrees that were all at `path`; None for nothing there."""
        steps = tuple(self._opened.home.codec.steps(path))
        last, above = steps[-1:], steps[:-1]
        # In a directory of their own: there each can be absent, which a root cannot.
        a, b, base = (self.or_empty(None).add_tree(last, self.or_empty(t)) for t in (ours, theirs, old))

        def settle(conflict: Conflict) -> Any:
            conflict = replaced(conflict, path=above + conflict.path)
            return on_conflict(conflict) if callable(on_conflict) else conflict

        settled = settle if on_conflict is None or callable(on_conflict) else on_conflict
        return a.merge(b, old=base, on_conflict=settled).find_tree(last)

    def or_empty(self, tree: Tree[C, M] | None) -> Tree[C, M]:
        """`tree`, or an empty one for None."""
        home = self._opened.home
        return Tree(home, home.empty()) if tree is None else tree

    def _require(self, tree: Tree[C, M], path: PathLike, test: Tree[C, M] | None) -> None:
        now = tree.find_tree(path)
        if not _same(now, test):
            current: Any = now
            if now is not None and now.kind() == "contents":
                value, metadata = now.get_all()
                if metadata == self._opened.home.schema.metadata.default:
                    current = value
            raise TestWas(current, join(tuple(self._opened.home.codec.steps(path))))

    def _contents(self, value: C | None) -> Tree[C, M] | None:
        return None if value is None else Tree.of_contents(value, self._opened.home.schema)

    def _below_root(self, path: PathLike) -> None:
        if not self._opened.home.codec.steps(path):
            raise DecodeError("path", "contents cannot be set at the root; name a path below it")

    def _known(self, commit: Commit[C, M] | None) -> Commit[C, M] | None:
        """`commit`, if it is in this repository."""
        return None if commit is None else self._opened.own(commit, "the commit of a head")


class Edit(Editor[C, M]):
    """What `Store.edit` gives: an editor that commits at its end. `commit` is the result, None before and if
    nothing changed.
    """

    __slots__ = ("_how", "_on_conflict", "_path", "_seen", "_start", "_store", "_strategy", "commit")

    def __init__(
        self,
        store: Store[C, M],
        path: PathLike,
        strategy: Strategy,
        on_conflict: OnConflict[C, M] | None,
        how: Writing,
    ) -> None:
        self._store = store
        self._path = path
        self._strategy: Strategy = strategy
        self._on_conflict: OnConflict[C, M] | None = on_conflict
        self._how = how
        self._seen = store.find_tree(path)
        self.commit: Commit[C, M] | None = None
        self._start = store.or_empty(self._seen)
        super().__init__(self._start)

    def __enter__(self) -> Edit[C, M]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        new = self.tree()
        if kind is None and (not _same(new, self._start) or self._how.get("allow_empty", False)):
            self.commit = self._store.replace_tree(
                self._path, self._seen, new, self._strategy, self._on_conflict, self._how
            )


def _present(tree: Tree[C, M] | None) -> Tree[C, M] | None:
    return None if tree is None or tree.is_empty() else tree


def _same(a: Tree[C, M] | None, b: Tree[C, M] | None) -> bool:
    """True if both are the same binding; an empty directory is none."""
    a, b = _present(a), _present(b)
    return b is None if a is None else b is not None and (a is b or a == b)


def _virtual_merge(ours: Tree[C, M], theirs: Tree[C, M], old: Tree[C, M] | None) -> Tree[C, M]:
    try:
        return ours.merge(theirs, old=old)
    except MergeConflict as e:
        found = [cast("Conflict", conflict) for conflict in e.conflicts]
        told = [replaced(c, reason=f"Recursive merging of common ancestors: {c.reason}") for c in found]
        raise MergeConflict(told) from e
