"""`StoreMachine`: random writes, merges and moves of branches, each compared with plain values.

A subclass says where the repository lives; hypothesis runs it with `run_state_machine_as_test`, or through
`.TestCase`:

    class MyMachine(StoreMachine):
        reopens = True
        def make(self): return Mine(tempfile.mkdtemp())
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ..backend import Maker
from ..commit import Commit
from ..diff import Change
from ..errors import MergeConflict, NoChange, NotFound, Rejected, TestWas
from ..hash import Hash
from ..info import Info
from ..path import Path
from ..repo import Repo
from ..repo import open as open_repo
from ..schema import Schema
from ..store import Store
from ..store.read import hash_of
from ..tree import Tree
from ..watch import Watch
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
from .strategies import bindings, paths, values

__all__ = ["StoreMachine"]

T = TypeVar("T")
Repos = Repo[bytes, Any]
Stores = Store[bytes, Any]
Commits = Commit[bytes, Any]
Trees = Tree[bytes, Any]

BRANCHES = ("main", "dev", "topic/x")
DETACHED = ("@0", "@1")
PATIENCE = 10.0

_branches = st.sampled_from(BRANCHES)
_places = st.sampled_from(BRANCHES + DETACHED)
_below = paths(1, 3)
_any = paths(0, 2)
_messages = st.sampled_from(["", "why"])
_prefer: st.SearchStrategy[Any] = st.sampled_from([None, "ours", "theirs"])
_edits = st.lists(st.tuples(_below, st.none() | values), max_size=8)


class StoreMachine(RuleBasedStateMachine):
    """A repository against plain values, and beside it one in memory to which the same happens.

    A subclass gives `make`, and may choose a `schema` (of bytes) and say that the maker `reopens`.
    """

    schema: ClassVar[Schema[bytes, Any]] = Schema()
    reopens: ClassVar[bool] = False

    def make(self) -> Maker:
        """A maker for a store that does not exist yet: override this."""
        raise NotImplementedError("a subclass of StoreMachine overrides `make`")

    def __init__(self) -> None:
        super().__init__()
        self.maker = self.make()
        twin: Repos = open_repo("mem:", self.schema, author="suite", clock=lambda: 0)
        self.repos: list[Repos] = [self._open(), twin]
        # The model: commits are numbers; a place is a branch or a detached store.
        self.parents: list[tuple[int, ...]] = []
        self.bindings: list[Bindings] = []
        self.hashes: list[Hash] = []
        self.known: dict[tuple[tuple[int, ...], frozenset[tuple[Path, bytes]], str], int] = {}
        self.roots: dict[frozenset[tuple[Path, bytes]], Hash] = {}
        self.heads: dict[str, int | None] = dict.fromkeys(BRANCHES + DETACHED)
        self.stores: list[dict[str, Stores]] = [
            {name: repo.branch(name) for name in BRANCHES} | {name: repo.empty() for name in DETACHED}
            for repo in self.repos
        ]
        self.watched: list[_Watched] = []

    def _open(self) -> Repos:
        return Repo.open(self.maker, self.schema, author="suite", clock=lambda: 0)

    def teardown(self) -> None:
        """Close both repositories, after a look at what was watched."""
        try:
            self._end_watches()
        finally:
            for repo in self.repos:
                repo.close()

    # -- the model ---------------------------------------------------------------------------------------------

    def _now(self, place: str) -> Bindings:
        head = self.heads[place]
        return {} if head is None else self.bindings[head]

    def _both(self, place: str, act: Callable[[Stores], T]) -> list[T]:
        return [act(stores[place]) for stores in self.stores]

    def _moved(self, place: str, head: int | None) -> None:
        self.heads[place] = head
        for watched in self.watched:
            if watched.name == place:
                watched.expected.append(None if head is None else self.hashes[head])

    def _known(
        self, made: Sequence[Commits | None], parents: Sequence[int], now: Bindings, message: str
    ) -> int:
        """The number of the commit that was made in both repositories, which holds `now`."""
        items = frozenset(now.items())
        one, two = made
        assert one is not None, "no commit was made"
        assert two is not None
        assert one.hash == two.hash, "memory has another hash"
        assert one.to_bytes() == two.to_bytes()
        assert (one.info, one.parents) == (
            Info(0, "suite", message),
            tuple([self.hashes[parent] for parent in parents]),
        )
        assert self.roots.setdefault(items, one.tree_hash) == one.tree_hash, "equal bindings, two hashes"
        number = self.known.setdefault((tuple(parents), items, message), len(self.hashes))
        if number == len(self.hashes):
            assert one.hash not in self.hashes
            self.parents.append(tuple(parents))
            self.bindings.append(now)
            self.hashes.append(one.hash)
        assert one.hash == self.hashes[number]
        return number

    def _written(
        self, place: str, made: Sequence[Commits | None], now: Bindings, message: str, *, empty: bool = False
    ) -> None:
        """Check that a write which leads to `now` made a commit, or none if nothing changes."""
        head = self.heads[place]
        if head is not None and now == self.bindings[head] and not empty:
            assert made == [None, None], "a commit of no change"
            return
        self._moved(place, self._known(made, () if head is None else (head,), now, message))

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

    @rule(place=_places, path=_any, message=_messages)
    def remove(self, place: str, path: Path, message: str) -> None:
        """`Store.remove`, also of nothing and of the root."""
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

    @rule(name=_branches)
    def remove_branch(self, name: str) -> None:
        """`Repo.remove_branch`, also of none."""
        for repo in self.repos:
            repo.remove_branch(name)
        self._moved(name, None)

    @rule(part=bindings(6), data=st.data(), message=_messages)
    def commit_tree(self, part: Bindings, data: st.DataObject, message: str) -> None:
        """`Repo.commit_tree`, with any parents; no branch moves."""
        count = len(self.hashes)
        parents = data.draw(st.lists(st.integers(0, count - 1), max_size=3, unique=True)) if count else []
        made = [
            repo.commit_tree(
                built(self.schema, part),
                info=Info(0, "suite", message),
                parents=[self.hashes[parent] for parent in parents],
            )
            for repo in self.repos
        ]
        self._known(made, parents, part, message)

    @precondition(lambda self: self.hashes)
    @rule(place=_places, test=_places, data=st.data(), how=st.sampled_from(["set", "test", "forward"]))
    def move(self, place: str, test: str, data: st.DataObject, how: str) -> None:
        """`set_head`, `test_and_set_head`, `fast_forward` to any commit that there is."""
        number = data.draw(st.integers(0, len(self.hashes) - 1))
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
        repo = self.repos[0] = self._open()
        stores = self.stores[0] = {name: repo.branch(name) for name in BRANCHES}
        for name in DETACHED:
            head = self.heads[name]
            stores[name] = repo.empty() if head is None else repo.detached(repo.commit(self.hashes[head]))

    # -- merges ------------------------------------------------------------------------------------------------

    @rule(src=_places, into=_places, prefer=_prefer, how=st.sampled_from(["into", "branch", "commit"]))
    def merge(self, src: str, into: str, prefer: Prefer, how: str) -> None:
        """Merges of branches and detached stores, of every kind of history."""
        theirs, ours = self.heads[src], self.heads[into]

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
        bases = set[int]() if ours is None else lowest(self.parents, ours, theirs)
        if theirs in bases:
            assert [act(stores) for stores in self.stores] == [None, None]
            return
        if ours is None or ours in bases:
            for made in [act(stores) for stores in self.stores]:
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
                both = [act(stores) for stores in self.stores]
            except MergeConflict:
                self._conflicts(lambda: act(self.stores[1]))
                return
            assert both[0] is not None
            after = bindings_of(both[0].tree())
        elif after is None:
            for stores in self.stores:
                self._conflicts(lambda stores=stores: act(stores))  # type: ignore[misc]
            return
        else:
            both = [act(stores) for stores in self.stores]
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
            self.watched.append(_Watched(self.stores[0][name]))

    @rule()
    def unwatch(self) -> None:
        """Every watcher has heard of the last state, and of the others in their order."""
        self._end_watches()

    def _end_watches(self) -> None:
        watched, self.watched = self.watched, []
        for one in watched:
            one.end()

    # -- invariants --------------------------------------------------------------------------------------------

    @invariant()
    def every_place_is_as_in_the_model(self) -> None:
        """Heads, bindings and the list of branches."""
        for repo, stores in zip(self.repos, self.stores, strict=True):
            assert repo.branches() == sorted(name for name in BRANCHES if self.heads[name] is not None)
            for place, head in self.heads.items():
                commit = stores[place].find_head()
                if head is None:
                    assert commit is None
                else:
                    assert commit is not None
                    assert commit.hash == self.hashes[head]
                assert bindings_of(stores[place].tree()) == self._now(place)


class _Watched:
    """A watcher of a branch, what it was told, and all heads that the branch has had since."""

    def __init__(self, store: Stores) -> None:
        assert store.name is not None
        self.name = store.name
        head = store.find_head()
        self.expected: list[Hash | None] = [None if head is None else head.hash]
        self.told: list[tuple[Hash | None, Hash | None]] = []
        self.watch: Watch = store.watch(self._hear, init=head)

    def _hear(self, change: Change[Commits]) -> None:
        before, after = change.before, change.after
        self.told.append((hash_of(before), hash_of(after)))

    def end(self) -> None:
        """Wait for the last state, and check the way there."""
        end = time.monotonic() + PATIENCE
        start, last = self.expected[0], self.expected[-1]
        while (self.told[-1][1] if self.told else start) != last:
            assert time.monotonic() < end, f"{self.name} was not told of its last head"
            time.sleep(0.0005)
        self.watch.unwatch()
        now, heads = start, iter(self.expected)
        for before, after in self.told:
            assert before == now != after
            assert any(head == after for head in heads), "told of a head that never was, or out of order"
            now = after
