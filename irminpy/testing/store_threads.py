"""What stores owe when many write at once, and those who watch them. `StoreSuite` has all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from ..backend import Maker
from ..contents import Counter
from ..diff import Added, Removed, Updated
from ..errors import NotFound, TestWas, TooManyRetries
from ..repo import Repo
from ..schema import Schema
from .samples import in_threads
from .store_fixtures import Repos, StoreFixtures, Stores, made

__all__ = ["ThreadSuite"]

PATIENCE = 60.0


class Told:
    """A callback that remembers what it was told."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, *event: Any) -> None:
        self.events.append(event[0] if len(event) == 1 else event)

    def wait(self, n: int) -> list[Any]:
        """The events, once there are `n`."""
        end = time.monotonic() + PATIENCE
        while len(self.events) < n:
            assert time.monotonic() < end, f"{len(self.events)} of {n} events"
            time.sleep(0.001)
        return list(self.events)


class ThreadSuite(StoreFixtures):
    """Races and watches. `increments` is how often each of sixteen threads counts."""

    increments: int = 100

    @pytest.mark.parametrize("way", ["test_and_set", "merge"])
    def test_sixteen_threads_count_together(self, maker: Maker, schema: Schema[bytes, Any], way: str) -> None:
        """SW-10, SW-11, SW-13, CH-18, TC-053: no increment is lost, nor any commit."""
        counting = Schema(Counter(), hash=schema.hash, format=schema.format)
        with Repo.open(maker, counting) as repo:

            def count_up(n: int) -> None:
                store = repo.main()
                left = self.increments
                while left:
                    now = store.find("n")
                    try:
                        if way == "merge":
                            made(store.merge("n", (now or 0) + 1, old=now))  # type: ignore[arg-type]
                        else:
                            store.test_and_set("n", test=now, set=(now or 0) + 1)
                        left -= 1
                    except (TestWas, TooManyRetries):
                        continue

            in_threads(16, count_up)
            assert repo.main().get("n") == 16 * self.increments
            assert sum(1 for _ in repo.main().log()) == 16 * self.increments

    def test_many_handles_write_one_branch(self, repo: Repos) -> None:
        """CH-18, TC-052, TC-053: of one path the last write stands, of many all do; also detached."""
        for shared in (None, repo.empty()):

            def work(n: int, shared: Stores | None = shared) -> None:
                store = repo.main() if shared is None else shared
                for i in range(10):
                    made(store.set(f"own/{n}-{i}", b"%d" % i, retries=1000))
                    store.set("one", b"%d" % n, retries=1000)
                    assert store.get("one") in (b"0", b"1", b"2", b"3")
                    assert store.get(f"own/{n}-{i}") == b"%d" % i
                    assert repo.find_contents(repo.save_contents(b"shared")) == b"shared"

            in_threads(4, work)
            store = repo.main() if shared is None else shared
            assert store.length("own") == 40
            assert store.get("one") in (b"0", b"1", b"2", b"3")

    def test_merges_and_heads_race_with_writes(self, repo: Repos, main: Stores) -> None:
        """CH-09, CH-18: each merge starts over until the head is its own."""
        main.set("base", b"0")

        def work(n: int) -> None:
            for i in range(8):
                store = repo.main()
                if n % 2:
                    store.set(f"set/{n}-{i}", b"", retries=1000)
                else:
                    side = store.clone(f"side{n}")
                    made(side.set(f"merged/{n}-{i}", b""))
                    side.merge_into(store, retries=1000)

        in_threads(4, work)
        assert (main.length("set"), main.length("merged")) == (16, 16)

    # -- watches -----------------------------------------------------------------------------------------------

    def test_a_store_is_watched(self, repo: Repos, main: Stores) -> None:
        """WA-01, WA-03, WA-05, WA-07: whatever handle writes; nothing is told after unwatch."""
        one = made(main.set("a", b"1"))
        plain, known = Told(), Told()
        watch = main.watch(plain)
        main.watch(known, init=one)
        two = made(repo.branch("main").set("a", b"2"))
        main.set_head(None)
        assert plain.wait(2) == [Added(two), Removed(two)]
        assert known.wait(2) == [Updated(one, two), Removed(two)]
        watch.unwatch()
        made(main.set("a", b"3"))
        known.wait(3)
        assert len(plain.events) == 2
        with pytest.raises(NotFound):
            repo.detached(one).watch(plain)

    def test_a_path_is_watched(self, main: Stores) -> None:
        """WA-02: changes at or below it alone, and Removed when the branch goes."""
        one = made(main.set("d/x/y", b"1"))
        told = Told()
        main.watch_key("d", told, init=one)
        made(main.set("other", b"1"))
        deep = made(main.set("d/x/y", b"2"))
        made(main.remove("d"))
        back = made(main.set("d/z", b"3"))
        main.set_head(None)
        events = told.wait(4)
        assert [type(event) for event in events] == [Updated, Removed, Added, Removed]
        assert events[0].after == (deep, deep.tree().get_tree("d"))
        assert events[2].after[0] == back

    def test_all_branches_are_watched(self, repo: Repos, main: Stores) -> None:
        """WA-04."""
        told = Told()
        with repo.watch_all(told):
            one = made(main.set("a", b"1"))
            main.clone("dev")
            two = made(repo.branch("dev").set("a", b"2"))
            repo.remove_branch("dev")
            assert told.wait(4) == [
                ("main", Added(one)),
                ("dev", Added(one)),
                ("dev", Updated(one, two)),
                ("dev", Removed(two)),
            ]

    def test_changes_are_iterated(self, repo: Repos, main: Stores) -> None:
        """WA-01 to WA-05: of a branch, a path and all branches; it waits, and ends with the watch."""
        one = made(main.set("d/x", b"1"))
        with main.watch(init=one) as heads, main.watch_key("d") as trees, repo.watch_all() as every:
            two = made(main.set("other", b"1"))
            three = made(main.set("d/x", b"2"))
            dev = main.clone("dev")
            repo.remove_branch("dev")
            assert [next(heads), next(heads)] == [Updated(one, two), Updated(two, three)]
            change = next(trees)
            assert (type(change), change.after and change.after[0]) == (Added, two)
            change = next(trees)
            assert change.after == (three, three.tree().get_tree("d"))
            wanted = [("main", Added(two)), ("main", Updated(two, three)), ("dev", Added(three))]
            assert [next(every) for _ in range(4)] == [*wanted, ("dev", Removed(three))]
            assert dev.find_head() is None
            assert heads.wait(timeout=0) is None
            later = threading.Thread(target=lambda: main.set("d/x", b"3"))
            later.start()
            assert next(heads).before == three
            later.join()
        for changes in (heads, trees, every):
            made(main.set("d/x", b"%d" % id(changes)))
            assert list(changes) == []
        assert repo.watches.stats().threads == 0

    def test_whoever_waits_for_a_change_is_told_of_the_end(self, repo: Repos, main: Stores) -> None:
        """WA-05: of the watch, or of the repository."""
        got: list[list[object]] = []
        for whole in (False, True):
            changes = main.watch()

            def ask(changes: Iterable[object] = changes) -> None:
                got.append(list(changes))

            waiting = threading.Thread(target=ask)
            waiting.start()
            repo.close() if whole else changes.unwatch()
            waiting.join(60)
            assert not waiting.is_alive()
            changes.unwatch()
        assert got == [[], []]

    def test_one_who_asks_rarely_hears_of_the_last_state(self, repo: Repos, main: Stores) -> None:
        """WA-06: one after the other, each from where the last one ended."""
        start = made(main.set("n", b"start"))
        with main.watch(init=start) as changes:
            heads = [made(main.set("n", b"%d" % i)) for i in range(40)]
            told = [next(changes)]
            while told[-1].after != heads[-1]:
                told.append(next(changes))
            assert told[0].before == start
            assert all(one.after == two.before for one, two in pairwise(told))

    def test_a_callback_may_fail_and_never_runs_beside_itself(
        self, main: Stores, caplog: pytest.LogCaptureFixture
    ) -> None:
        """WA-06: neither writers nor other watchers notice."""
        inside = threading.Lock()
        overlaps: list[int] = []

        def fails(change: object) -> None:
            if not inside.acquire(blocking=False):
                overlaps.append(1)
                return
            time.sleep(0.001)
            inside.release()
            raise ValueError("a bad callback")

        told = Told()
        main.watch(fails)
        main.watch(told)
        heads = [made(main.set("n", b"%d" % i)) for i in range(10)]
        end = time.monotonic() + PATIENCE
        while not told.events or told.events[-1].after != heads[-1]:
            assert time.monotonic() < end
            time.sleep(0.001)
        assert overlaps == []
