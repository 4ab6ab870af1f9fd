"""`StoreModel`: a repository, the same again in memory, and beside both the plain values that they must agree with.

`StoreMachine` and `Exchange` add the rules. A commit is a number here; a place is a branch or a detached store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from ..backend import Maker
from ..commit import Commit
from ..diff import Change
from ..hash import Hash
from ..info import Info
from ..path import Path
from ..repo import Repo
from ..repo import open as open_repo
from ..schema import Schema
from ..store import Store
from ..store.read import hash_of
from ..watch import Watch
from .model import Bindings, ancestors, bindings_of

__all__ = ["BRANCHES", "DETACHED", "Commits", "Repos", "StoreModel", "Stores", "Watched"]

T = TypeVar("T")
Repos = Repo[bytes, Any]
Stores = Store[bytes, Any]
Commits = Commit[bytes, Any]

BRANCHES = ("main", "dev", "topic/x")
DETACHED = ("@0", "@1")


class StoreModel(RuleBasedStateMachine):
    """What a machine of stores remembers, and what holds after each of its steps."""

    schema: ClassVar[Schema[bytes, Any]] = Schema()
    reopens: ClassVar[bool] = False
    patience: ClassVar[float] = 60.0
    """Seconds that a watcher may take to hear of the last state."""

    def make(self) -> Maker:
        """A maker for a store that does not exist yet: override this."""
        raise NotImplementedError("a subclass of StoreMachine overrides `make`")

    def __init__(self) -> None:
        super().__init__()
        self.maker = self.make()
        twin: Repos = open_repo("mem:", self.schema, author="suite", clock=lambda: 0)
        self.repos: list[Repos] = [self._open(self.maker), twin]
        # The model: commits are numbers; a place is a branch or a detached store.
        self.parents: list[tuple[int, ...]] = []
        self.bindings: list[Bindings] = []
        self.hashes: list[Hash] = []
        self.known: dict[tuple[tuple[int, ...], frozenset[tuple[Path, bytes]], str], int] = {}
        self.gone: set[int] = set()  # commits that a collection of garbage may have dropped
        self.roots: dict[frozenset[tuple[Path, bytes]], Hash] = {}
        self.heads: dict[str, int | None] = dict.fromkeys(BRANCHES + DETACHED)
        self.stores: list[dict[str, Stores]] = [
            {name: repo.branch(name) for name in BRANCHES} | {name: repo.empty() for name in DETACHED}
            for repo in self.repos
        ]
        self.watched: list[Watched] = []

    def _open(self, maker: Maker) -> Repos:
        return Repo.open(maker, self.schema, author="suite", clock=lambda: 0)

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

    def _live(self) -> list[int]:
        """The commits that must be there."""
        return [number for number in range(len(self.hashes)) if number not in self.gone]

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
        wanted = self.schema.codec.parents([self.hashes[parent] for parent in parents])
        parents = [self.hashes.index(parent) for parent in wanted]
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
        self.gone.discard(number)
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

    @invariant()
    def the_store_is_sound(self) -> None:
        """`check()` finds nothing wrong, and exactly the commits that the branches lead to."""
        report = self.repos[0].check()
        assert report.ok, str(report)
        heads = [head for name in BRANCHES if (head := self.heads[name]) is not None]
        reached = set[int]().union(*(ancestors(self.parents, head) for head in heads))
        assert (report.branches, report.commits) == (len(heads), len(reached))


class Watched:
    """A watcher of a branch, what it was told, and all heads that the branch has had since."""

    def __init__(self, store: Stores, patience: float) -> None:
        assert store.name is not None
        self.name = store.name
        self.patience = patience
        head = store.find_head()
        self.expected: list[Hash | None] = [None if head is None else head.hash]
        self.told: list[tuple[Hash | None, Hash | None]] = []
        self.watch: Watch = store.watch(self._hear, init=head)

    def _hear(self, change: Change[Commits]) -> None:
        before, after = change.before, change.after
        self.told.append((hash_of(before), hash_of(after)))

    def end(self) -> None:
        """Wait for the last state, and check the way there."""
        end = time.monotonic() + self.patience
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
