"""`WatchSuite`: what a backend owes to those who watch its refs, and the fixtures of all backend suites."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..backend import Backend, Maker, Options, RefChange, RefUpdate
from ..hash import Hash
from ..objects import Objects
from ..schema import Schema
from .samples import history, in_threads

__all__ = ["WatchSuite"]

# A backend may tell of changes from a thread of its own: this long a test waits for what must come.
PATIENCE = 60.0


class Heard:
    """A listener that remembers what it was told, and what it saw in the store at that moment."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.changes: list[RefChange] = []
        self.seen: list[Hash | None] = []
        self.overlaps = 0
        self._inside = threading.Lock()
        self._more = threading.Condition()

    def __call__(self, change: RefChange) -> None:
        if not self._inside.acquire(blocking=False):
            self.overlaps += 1
            return
        try:
            self.seen.append(self.backend.ref(change.name))
            with self._more:
                self.changes.append(change)
                self._more.notify_all()
        finally:
            self._inside.release()

    def wait(self, n: int) -> list[RefChange]:
        """The changes, once there are `n`."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.changes) >= n, PATIENCE), (
                f"{len(self.changes)} of {n}"
            )
        return self.changes


class WatchSuite:
    """The part of the contract about `Backend.watch`. `BackendSuite` holds all of it.

    `rounds`: how often each of many threads does what it does, at most 25.
    """

    reopens: bool = True
    rounds: int = 25

    @pytest.fixture
    def maker(self) -> Maker:
        """A maker for a store that does not exist yet: override this."""
        raise NotImplementedError("a subclass of BackendSuite overrides the fixture `maker`")

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        """The schema of the store."""
        return Schema()

    @pytest.fixture
    def backend(self, maker: Maker, schema: Schema[Any, Any]) -> Iterator[Backend]:
        """An open store."""
        backend, _ = maker.open(schema, Options())
        yield backend
        backend.close()

    def test_a_listener_hears_each_change_in_order_after_it_is_visible(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-05: also those of one batch; and it may read the store."""
        made, (one, two) = history(schema, 2)
        heard = Heard(backend)
        backend.watch(heard)
        assert backend.write(made, [RefUpdate("a", one), RefUpdate("b", one)])
        assert backend.write(Objects(), [RefUpdate("a", two, one)])
        assert backend.write(Objects(), [RefUpdate("b", None)])
        assert heard.wait(4) == [
            RefChange("a", None, one),
            RefChange("b", None, one),
            RefChange("a", one, two),
            RefChange("b", one, None),
        ]
        assert heard.seen[0] in (one, two)
        assert heard.seen[2:] == [two, None]

    def test_a_listener_hears_nothing_where_nothing_changes(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """A batch that fails, a ref that is set to what it is, the removal of what is not there."""
        made, (one, two) = history(schema, 2)
        assert backend.write(made, [RefUpdate("a", one)])
        heard = Heard(backend)
        backend.watch(heard)
        assert not backend.write(Objects(), [RefUpdate("z", two), RefUpdate("a", two, two)])
        assert backend.write(Objects(), [RefUpdate("a", one), RefUpdate("gone", None)])
        assert backend.write(Objects(), [RefUpdate("end", two)])
        assert heard.wait(1) == [RefChange("end", None, two)]

    def test_a_listener_that_was_stopped_hears_nothing_more(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """Stopping twice does nothing; other listeners go on, even the same function watching twice."""
        made, (one, two) = history(schema, 2)
        first, second = Heard(backend), Heard(backend)
        stop = backend.watch(first)
        backend.watch(second)
        stop_again = backend.watch(first)
        stop_again()
        assert backend.write(made, [RefUpdate("a", one)])
        second.wait(1)
        first.wait(1)
        stop()
        stop()
        assert backend.write(Objects(), [RefUpdate("a", two)])
        assert second.wait(2) == [RefChange("a", None, one), RefChange("a", one, two)]
        assert first.changes == [RefChange("a", None, one)]

    def test_a_listener_may_stop_itself(self, backend: Backend, schema: Schema[Any, Any]) -> None:
        """From inside the call."""
        made, (one, two) = history(schema, 2)
        calls: list[RefChange] = []
        stops: list[Callable[[], None]] = []

        def listener(change: RefChange) -> None:
            calls.append(change)
            stops[0]()

        stops.append(backend.watch(listener))
        after = Heard(backend)
        backend.watch(after)
        assert backend.write(made, [RefUpdate("a", one)])
        assert backend.write(Objects(), [RefUpdate("a", two)])
        after.wait(2)
        assert calls == [RefChange("a", None, one)]

    def test_a_listener_may_write_and_all_still_hear_in_order(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """The change it makes comes after the one it was told of, for every listener."""
        made, (one, two) = history(schema, 2)
        inside: list[bool] = []

        def listener(change: RefChange) -> None:
            assert not inside, "called inside itself"
            inside.append(True)
            if change.name == "a":
                assert backend.write(Objects(), [RefUpdate("b", two)])
            inside.pop()

        backend.watch(listener)
        heard = Heard(backend)
        backend.watch(heard)
        assert backend.write(made, [RefUpdate("a", one)])
        assert heard.wait(2) == [RefChange("a", None, one), RefChange("b", None, two)]
        assert not heard.overlaps

    def test_a_listener_may_watch_and_close(self, backend: Backend, schema: Schema[Any, Any]) -> None:
        """From inside the call; a new listener hears later changes only."""
        made, (one, two) = history(schema, 2)
        late = Heard(backend)
        begun = threading.Event()

        def listener(change: RefChange) -> None:
            if not begun.is_set():
                backend.watch(late)
                begun.set()
            else:
                backend.close()

        backend.watch(listener)
        assert backend.write(made, [RefUpdate("a", one)])
        assert begun.wait(PATIENCE)
        assert late.changes == []
        assert backend.write(Objects(), [RefUpdate("a", two)])

    def test_no_change_is_lost_or_out_of_order_with_eight_writers(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-12: the changes of each ref form a chain, and a listener is never called twice at once."""
        made, heads = history(schema, 40)
        assert backend.write(made)
        heard = Heard(backend)
        backend.watch(heard)
        each = self.rounds

        def work(n: int) -> None:
            for i in range(each):
                while True:
                    before = backend.ref("shared")
                    after = heads[(n * each + i) % 40]
                    if after == before:
                        after = heads[(n * each + i + 1) % 40]
                    if backend.write(Objects(), [RefUpdate("shared", after, before)]):
                        break
                assert backend.write(Objects(), [RefUpdate(f"own{n}", heads[i])])

        in_threads(8, work)
        changes = heard.wait(2 * 8 * each)
        assert len(changes) == 2 * 8 * each
        assert not heard.overlaps
        now: dict[str, Hash | None] = {}
        for change in changes:
            assert change.before == now.get(change.name)
            now[change.name] = change.after
        assert now == backend.refs()

    def test_no_call_comes_after_stopping_has_returned(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """With writers on other threads all the while."""
        made, heads = history(schema, 2)
        assert backend.write(made)
        done = threading.Event()
        late: list[RefChange] = []

        def work(n: int) -> None:
            if n:
                i = 0
                while not done.is_set():
                    i += 1
                    assert backend.write(Objects(), [RefUpdate(f"r{n}", heads[i % 2])])
                return
            try:
                for _ in range(4 * self.rounds):
                    stopped: list[bool] = []

                    def listener(change: RefChange, stopped: list[bool] = stopped) -> None:
                        if stopped:
                            late.append(change)

                    stop = backend.watch(listener)
                    stop()
                    stopped.append(True)
            finally:
                done.set()

        in_threads(3, work)
        assert late == []

    def test_a_closed_handle_hears_nothing_more(
        self, maker: Maker, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """Another handle on the store goes on; each hears what the other writes."""
        if not self.reopens:
            pytest.skip("this maker opens a fresh store each time")
        made, (one, two) = history(schema, 2)
        other, _ = maker.open(schema, Options(create=False))
        mine, theirs = Heard(backend), Heard(backend)
        backend.watch(mine)
        other.watch(theirs)
        assert backend.write(made, [RefUpdate("a", one)])
        assert theirs.wait(1) == mine.wait(1) == [RefChange("a", None, one)]
        other.close()
        assert backend.write(Objects(), [RefUpdate("a", two)])
        mine.wait(2)
        assert len(theirs.changes) == 1
