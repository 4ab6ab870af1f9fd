"""`StoreMachine`: random writes, merges and moves of branches, each compared with plain values.

A subclass says where the repository lives; hypothesis runs it with `run_state_machine_as_test`, or through
`.TestCase`:

    class MyMachine(StoreMachine):
        reopens = True
        def make(self): return Mine(tempfile.mkdtemp())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ..errors import MergeConflict, NoChange, NotFound, Rejected, TestWas
from ..info import Info
from ..path import Path
from ..tree import Tree
from .exchange import Exchange
from .model import (
    Bindings,
    Prefer,
    added,
    ancestors,
    below,
    bindings_of,
    built,
    grafted,
    lowest,
    merged,
    merged_at,
    removed,
)
from .store_model import BRANCHES, DETACHED, Commits, Stores, Watched
from .strategies import bindings, paths, values

__all__ = ["StoreMachine"]

Trees = Tree[bytes, Any]

_branches = st.sampled_from(BRANCHES)
_places = st.sampled_from(BRANCHES + DETACHED)
_below = paths(1, 3)
_any = paths(0, 2)
_messages = st.sampled_from(["", "why"])
_prefer: st.SearchStrategy[Any] = st.sampled_from([None, "ours", "theirs"])
_edits = st.lists(st.tuples(_below, st.none() | values), max_size=8)


class StoreMachine(Exchange):
    """A repository against plain values, and beside it one in memory to which the same happens.

    A subclass gives `make`, and may choose a `schema` (of bytes), say that the maker `reopens`, and say that
    the store `collects` garbage and how.
    """

    # -- writes ------------------------------------------------------------------------------------------------

    @rule(
        place=_places,
        path=_below,
        value=values,
        message=_messages,
        empty=st.booleans(),
        again=st.integers(0, 3),
    )
    def set_(self, place: str, path: Path, value: bytes, message: str, empty: bool, again: int) -> None:
        """`Store.set`, one time in four of what is there."""
        if again == 3 and self._now(place):
            path, value = min(self._now(place).items())
        made = self._both(place, lambda s: s.set(path, value, message=message, allow_empty=empty))
        self._written(place, made, added(self._now(place), path, value), message, empty=empty)

    @rule(place=_places, path=_any, message=_messages, near=st.none() | st.integers(0, 99))
    def remove(self, place: str, path: Path, message: str, near: int | None) -> None:
        """`Store.remove`, also of nothing and of the root; `near`: of what is there, or a directory above it."""
        if near is not None and self._now(place):
            there = sorted(self._now(place))
            path = there[near % len(there)]
            path = path[: len(path) - near % 2]
        made = self._both(place, lambda s: s.remove(path, message=message))
        self._written(place, made, removed(self._now(place), path), message)

    @rule(place=_places, path=_any, part=bindings(8), message=_messages)
    def set_tree(self, place: str, path: Path, part: Bindings, message: str) -> None:
        """`Store.set_tree` of a tree in memory; an empty one removes."""
        made = self._both(place, lambda s: s.set_tree(path, built(self.schema, part), message=message))
        self._written(place, made, grafted(self._now(place), path, part), message)

    @rule(place=_places, path=_below, other=_places, at=_any, message=_messages)
    def copy(self, place: str, path: Path, other: str, at: Path, message: str) -> None:
        """`Store.set_tree` of a subtree of another branch."""
        part = below(self._now(other), at)
        made: list[Commits | None] = []
        for stores in self.stores:
            tree = stores[other].find_tree(at) or Tree.empty(self.schema)
            made.append(stores[place].set_tree(path, tree, message=message))
        self._written(place, made, grafted(self._now(place), path, part), message)

    @rule(place=_places, path=_below, test=st.none() | values, new=st.none() | values, right=st.booleans())
    def test_and_set(
        self, place: str, path: Path, test: bytes | None, new: bytes | None, right: bool
    ) -> None:
        """`Store.test_and_set`: the test comes first, whatever is set."""
        part = below(self._now(place), path)
        if right:
            test = part.get(())
        if part == ({} if test is None else {(): test}):
            made = self._both(place, lambda s: s.test_and_set(path, test=test, set=new))
            after = grafted(self._now(place), path, {} if new is None else {(): new})
            self._written(place, made, after, "")
            return
        for stores in self.stores:
            try:
                stores[place].test_set_and_get(path, test=test, set=new)
            except TestWas as e:
                assert not isinstance(e.current, bytes) or e.current == part[()]  # noqa: PT017
            else:
                raise AssertionError("the test did not fail")

    @rule(place=_places, path=_any, edits=_edits, message=_messages)
    def edit(self, place: str, path: Path, edits: list[tuple[Path, bytes | None]], message: str) -> None:
        """`Store.edit`: one commit, or none if all is as it was, even on a store without a head."""
        before = below(self._now(place), path)
        part = before
        for inner, value in edits:
            part = removed(part, inner) if value is None else added(part, inner, value)
        made: list[Commits | None] = []
        for stores in self.stores:
            with stores[place].edit(path, message=message) as editor:
                for inner, value in edits:
                    if value is None:
                        editor.remove(inner)
                    else:
                        editor[inner] = value
            made.append(editor.commit)
        if part == before:
            assert made == [None, None]
        else:
            self._written(place, made, grafted(self._now(place), path, part), message)

    @rule(
        place=_places,
        path=_any,
        inner=_below,
        value=st.none() | values,
        strategy=st.sampled_from(["test_and_set", "set", "merge"]),
        meddle=st.none() | st.tuples(_below, values),
        prefer=_prefer,
    )
    def with_tree(
        self,
        place: str,
        path: Path,
        inner: Path,
        value: bytes | None,
        strategy: Literal["test_and_set", "set", "merge"],
        meddle: tuple[Path, bytes] | None,
        prefer: Prefer,
    ) -> None:
        """`Store.with_tree`, with another writer that is quicker the first time."""

        def change(part: Bindings) -> Bindings:
            return removed(part, inner) if value is None else added(part, inner, value)

        made: list[Commits | None] = []
        other: list[Commits | None] = []
        runs: list[int] = []
        for stores in self.stores:
            store = stores[place]
            calls: list[Trees | None] = []

            def f(
                tree: Trees | None, calls: list[Trees | None] = calls, store: Stores = store
            ) -> Trees | None:
                calls.append(tree)
                if len(calls) == 1 and meddle is not None:
                    other.append(store.set(meddle[0], meddle[1], message="meddled"))
                tree = Tree.empty(self.schema) if tree is None else tree
                return tree.remove(inner) if value is None else tree.add(inner, value)

            made.append(store.with_tree(path, f, strategy=strategy, on_conflict=prefer))
            runs.append(len(calls))
        seen = below(self._now(place), path)
        if meddle is not None:
            self._written(place, other, added(self._now(place), *meddle), "meddled")
        now = self._now(place)
        part: Bindings | None = change(seen)
        again = False
        if below(now, path) != seen:
            if strategy == "test_and_set":
                again = True
            elif strategy == "merge":
                part = merged_at(path, seen, below(now, path), change(seen), prefer)
                again = part is None
        if again:
            part = change(below(now, path))
        assert part is not None
        assert runs == [1 + again] * 2
        self._written(place, made, grafted(now, path, part), "")

    @rule(place=_places, path=_any, old=bindings(5), new=bindings(5), near=st.booleans(), prefer=_prefer)
    def merge_at(
        self, place: str, path: Path, old: Bindings, new: Bindings, near: bool, prefer: Prefer
    ) -> None:
        """`Store.merge_tree` at a path, `near` what is there or far from it."""
        ours = below(self._now(place), path)
        if near and () not in ours:
            old = ours
            for inner, value in new.items():
                new = added(old, inner, value)
        found = merged_at(path, old, ours, new, prefer)
        base, theirs = built(self.schema, old), built(self.schema, new)
        if found is None:
            for stores in self.stores:
                self._conflicts(lambda s=stores[place]: s.merge_tree(path, theirs, old=base))  # type: ignore[misc]
            return
        made = self._both(place, lambda s: s.merge_tree(path, theirs, old=base, on_conflict=prefer))
        self._written(place, made, grafted(self._now(place), path, found), "")

    # -- heads and branches ------------------------------------------------------------------------------------

    @rule(src=_places, name=_branches)
    def clone(self, src: str, name: str) -> None:
        """`Store.clone`; without a head the branch goes."""
        for clone in self._both(src, lambda s: s.clone(name)):
            assert clone.name == name
        self._moved(name, self.heads[src])

    @rule(src=_places, place=st.sampled_from(DETACHED))
    def detach(self, src: str, place: str) -> None:
        """A store with a head of its own, where another stands."""
        for repo, stores in zip(self.repos, self.stores, strict=True):
            head = stores[src].find_head()
            stores[place] = repo.empty() if head is None else repo.detached(head)
        self.heads[place] = self.heads[src]

    @rule(name=_branches, listen=st.booleans())
    def remove_branch(self, name: str, listen: bool) -> None:
        """`Repo.remove_branch`, also of none; then, or later, its watchers have heard of it."""
        for repo in self.repos:
            repo.remove_branch(name)
        self._moved(name, None)
        if listen:
            self._end_watches()

    @rule(part=bindings(6), data=st.data(), message=_messages)
    def commit_tree(self, part: Bindings, data: st.DataObject, message: str) -> None:
        """`Repo.commit_tree`, with any parents; no branch moves."""
        live = self._live()
        parents = data.draw(st.lists(st.sampled_from(live), max_size=3, unique=True)) if live else []
        made = [
            repo.commit_tree(
                built(self.schema, part),
                info=Info(0, "suite", message),
                parents=[self.hashes[parent] for parent in parents],
            )
            for repo in self.repos
        ]
        self._known(made, parents, part, message)

    @precondition(lambda self: self._live())
    @rule(place=_places, test=_places, data=st.data(), how=st.sampled_from(["set", "test", "forward"]))
    def move(self, place: str, test: str, data: st.DataObject, how: str) -> None:
        """`set_head`, `test_and_set_head`, `fast_forward` to any commit that there is."""
        number = data.draw(st.sampled_from(self._live()))
        head = self.heads[place]
        if how == "test":
            expected = self.heads[test]
        elif how == "set":
            expected = head
        else:
            expected = head if head is None or head in ancestors(self.parents, number) else -1
        for repo, stores in zip(self.repos, self.stores, strict=True):
            commit = repo.commit(self.hashes[number])
            if how == "set":
                stores[place].set_head(commit)
            elif how == "test":
                was = stores[test].find_head()
                assert stores[place].test_and_set_head(test=was, set=commit) is (expected == head)
            else:
                try:
                    stores[place].fast_forward(commit)
                except NoChange:
                    assert head == number
                except Rejected:
                    assert expected == -1
                else:
                    assert expected == head != number
        if expected == head != number:
            self._moved(place, number)

    @precondition(lambda self: self.reopens)
    @rule()
    def reopen(self) -> None:
        """Close, and open again: branches and commits are there, detached stores start where they stood."""
        self._end_watches()
        self.repos[0].close()
        repo = self.repos[0] = self._open(self.maker)
        stores = self.stores[0] = {name: repo.branch(name) for name in BRANCHES}
        for name in DETACHED:
            head = self.heads[name]
            stores[name] = repo.empty() if head is None else repo.detached(repo.commit(self.hashes[head]))

    # -- merges ------------------------------------------------------------------------------------------------

    @rule(src=_places, into=_places, prefer=_prefer, how=st.sampled_from(["into", "branch", "commit"]))
    def merge(self, src: str, into: str, prefer: Prefer, how: str) -> None:
        """Merges of branches and detached stores, of every kind of history."""
        theirs = self.heads[src]

        def act(stores: dict[str, Stores]) -> Commits | None:
            one, two = stores[src], stores[into]
            if how == "branch" and src in BRANCHES:
                return two.merge_with_branch(src, on_conflict=prefer)
            if how == "commit" and theirs is not None:
                return two.merge_with_commit(one.head(), on_conflict=prefer)
            return one.merge_into(two, on_conflict=prefer)

        if theirs is None:
            for stores in self.stores:
                try:
                    assert act(stores) is None
                except NotFound:
                    assert how == "branch"
            return
        self._merge(into, theirs, [partial(act, stores) for stores in self.stores], prefer)

    @rule(one=_places, two=_places, prefer=_prefer, other=_prefer, data=st.data())
    def cross(self, one: str, two: str, prefer: Prefer, other: Prefer, data: st.DataObject) -> None:
        """Both merge what the other was before, so that they have two common ancestors; then they merge again,
        after a write where the ancestors differ.
        """
        a, b = self.heads[one], self.heads[two]
        if one == two or a is None or b is None:
            return
        merges: list[tuple[str, int, Prefer]] = [(one, b, prefer), (two, a, other)]
        for into, theirs, how in merges:
            hash_ = self.hashes[theirs]
            acts: Sequence[Callable[[], Commits | None]] = [
                partial(stores[into].merge_with_commit, repo.commit(hash_), on_conflict=how)
                for repo, stores in zip(self.repos, self.stores, strict=True)
            ]
            self._merge(into, theirs, acts, how)
        apart = [path for path, _ in self.bindings[a].items() ^ self.bindings[b].items()]
        if apart:
            path = data.draw(st.sampled_from(sorted(set(apart))))
            self.set_(place=one, path=path, value=b"crossed", message="", empty=False, again=0)
        self.merge(src=two, into=one, prefer=None, how="into")

    def _merge(
        self,
        into: str,
        theirs: int,
        acts: Sequence[Callable[[], Commits | None]],
        prefer: Prefer,
    ) -> None:
        """Let `acts` merge the commit `theirs`, one in each repository, and check what comes of it."""
        ours = self.heads[into]
        bases = set[int]() if ours is None else lowest(self.parents, ours, theirs)
        if theirs in bases:
            assert [act() for act in acts] == [None, None]
            return
        if ours is None or ours in bases:
            for made in [act() for act in acts]:
                assert made is not None
                assert made.hash == self.hashes[theirs]
            self._moved(into, theirs)
            return
        old = self._ancestor(bases)
        after = None
        if isinstance(old, dict):
            after = merged(old, self.bindings[ours], self.bindings[theirs], prefer)
        if old == "unknown":
            # With three ancestors or more the order in which they are merged may decide.
            try:
                both = [act() for act in acts]
            except MergeConflict:
                self._conflicts(acts[1])
                return
            assert both[0] is not None
            after = bindings_of(both[0].tree())
        elif after is None:
            for act in acts:
                self._conflicts(act)
            return
        else:
            both = [act() for act in acts]
        self._moved(into, self._known(both, (ours, theirs), after, ""))

    def _ancestor(self, bases: set[int]) -> Bindings | Literal["unknown", "conflict"]:
        """What stands for the common ancestor, if there are at most two everywhere."""
        if len(bases) < 2:
            return self.bindings[bases.pop()] if bases else {}
        if len(bases) > 2:
            return "unknown"
        one, two = bases
        below_ = self._ancestor(lowest(self.parents, one, two))
        if isinstance(below_, str):
            return below_
        found = merged(below_, self.bindings[one], self.bindings[two])
        return "conflict" if found is None else found

    def _conflicts(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except MergeConflict as e:
            assert e.conflicts  # noqa: PT017
        else:
            raise AssertionError("a merge found no conflict where there is one")

    # -- looking -----------------------------------------------------------------------------------------------

    @rule(place=_places)
    def log(self, place: str) -> None:
        """The log has every ancestor once, and no commit before one of its children."""
        head = self.heads[place]
        wanted = set[int]() if head is None else ancestors(self.parents, head)
        for found in self._both(place, lambda s: [commit.hash for commit in s.log()]):
            assert len(found) == len(wanted)
            at = {hash_: i for i, hash_ in enumerate(found)}
            for number in wanted:
                for parent in self.parents[number]:
                    assert at[self.hashes[number]] < at[self.hashes[parent]]

    @rule(name=_branches)
    def watch(self, name: str) -> None:
        """Start to watch a branch, from where it stands now."""
        if len(self.watched) < 4:
            self.watched.append(Watched(self.stores[0][name], self.patience))

    @rule()
    def unwatch(self) -> None:
        """Every watcher has heard of the last state, and of the others in their order."""
        self._end_watches()
