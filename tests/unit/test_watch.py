"""Watching refs by itself: BE-12, WA-05, WA-06."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from irminpy.backend import RefChange, RefListener
from irminpy.diff import Added, Change, Removed, Updated
from irminpy.errors import Closed
from irminpy.hash import Hash
from irminpy.watch import Changes, Stats, Watches, changed

A, B, C = (Hash(bytes([i]) * 4) for i in range(3))
WAIT = 60.0


class Refs:
    """A backend's refs and nothing else."""

    def __init__(self) -> None:
        self.now: dict[str, Hash] = {}
        self.listeners: list[RefListener] = []

    def subscribe(self, listener: RefListener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def set(self, name: str, value: Hash | None) -> None:
        change = RefChange(name, self.now.get(name), value)
        if value is None:
            self.now.pop(name, None)
        else:
            self.now[name] = value
        for listener in list(self.listeners):
            listener(change)

    def watches(self) -> Watches:
        return Watches(self.subscribe, self.now.get, lambda: dict(self.now))


class Told:
    """A callback that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Change[Hash]]] = []
        self.condition = threading.Condition()

    def __call__(self, name: str, change: Change[Hash]) -> None:
        with self.condition:
            self.events.append((name, change))
            self.condition.notify_all()

    def wait(self, n: int) -> list[tuple[str, Change[Hash]]]:
        with self.condition:
            assert self.condition.wait_for(lambda: len(self.events) >= n, WAIT), self.events
            return list(self.events)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_changes_are_told_in_order_as_differences_from_the_last_one() -> None:
    """BE-12, WA-01: without `init` the first event is Added."""
    refs, told = Refs(), Told()
    refs.set("x", A)
    watches = refs.watches()
    watches.watch("x", told)
    for value in (B, B, C, None, A):
        refs.set("x", value)
    refs.set("other", A)
    assert told.wait(4) == [("x", Added(B)), ("x", Updated(B, C)), ("x", Removed(C)), ("x", Added(A))]
    watches.close()


def test_with_init_what_happened_since_is_told_at_once() -> None:
    refs, told, same = Refs(), Told(), Told()
    refs.set("x", B)
    watches = refs.watches()
    watches.watch("x", same, init=B)
    watches.watch("x", told, init=A)
    assert told.wait(1) == [("x", Updated(A, B))]
    refs.set("x", C)
    assert same.wait(1) == [("x", Updated(B, C))]
    watches.close()


def test_all_refs_can_be_watched() -> None:
    """WA-04."""
    refs, told, known = Refs(), Told(), Told()
    refs.set("x", A)
    watches = refs.watches()
    watches.watch_all(told)
    watches.watch_all(known, init={"x": B, "gone": C})
    assert dict(known.wait(2)) == {"gone": Removed(C), "x": Updated(B, A)}
    refs.set("y", A)
    refs.set("y", None)
    assert told.wait(2) == [("y", Added(A)), ("y", Removed(A))]
    watches.close()


def test_one_thread_from_the_first_watcher_to_the_last() -> None:
    refs, told = Refs(), Told()
    watches = refs.watches()
    before = threading.active_count()
    assert watches.stats() == Stats(0, 0, 0)
    first, second = watches.watch("x", told), watches.watch_all(told)
    assert watches.stats() == Stats(1, 1, 1)
    assert threading.active_count() == before + 1
    first.unwatch()
    first.unwatch()
    assert watches.stats() == Stats(0, 1, 1)
    second.unwatch()
    assert watches.stats() == Stats(0, 0, 0)
    assert threading.active_count() == before
    assert refs.listeners == []
    with watches.watch("x", told):
        refs.set("x", A)
        told.wait(1)
    assert watches.stats() == Stats(0, 0, 0)


def test_an_exception_is_logged_and_swallowed(caplog: pytest.LogCaptureFixture) -> None:
    """WA-06."""
    refs, told = Refs(), Told()
    watches = refs.watches()

    def fails(name: str, change: Change[Hash]) -> None:
        raise ValueError("a bad callback")

    watches.watch("x", fails)
    watches.watch("x", told)
    with caplog.at_level(logging.ERROR, "irminpy.watch"):
        refs.set("x", A)
        refs.set("x", B)
        told.wait(2)
        wait_for(lambda: len(caplog.records) == 2)
    assert "a watcher of x failed" in caplog.text
    watches.close()


def test_a_slow_watcher_blocks_no_writer_and_hears_of_the_last_state() -> None:
    refs, go = Refs(), threading.Event()
    told = Told()

    def slow(name: str, change: Change[Hash]) -> None:
        go.wait(WAIT)
        told(name, change)

    watches = refs.watches()
    watches.watch("x", slow)
    values = [Hash(i.to_bytes(4, "big")) for i in range(5000)]
    for value in values:
        refs.set("x", value)
    go.set()
    wait_for(lambda: bool(told.events) and told.events[-1][1].after == values[-1])
    assert len(told.events) < 3000
    for (_, one), (_, next_) in zip(told.events, told.events[1:], strict=False):
        assert next_.before == one.after
    watches.close()


def test_an_iterator_that_nobody_asks_keeps_a_bounded_number_and_the_last_state() -> None:
    """WA-06: steps of one ref become one; a ref that ends as it began is not told of."""
    refs = Refs()
    refs.set("back", A)
    watches = refs.watches()
    changes: Changes[Hash, tuple[str, Change[Hash]]] = Changes(lambda name, change: (name, change), changed)
    watch = watches.watch_all(changes.put, init={"back": A})
    values = [Hash(i.to_bytes(4, "big")) for i in range(5000)]
    with changes.of(watch):
        for value in values:
            refs.set("x", value)
            refs.set("back", value)
        refs.set("back", A)
        refs.set("last", B)
        told: dict[str, list[Change[Hash]]] = {"x": [], "back": []}
        for name, change in changes:
            if name == "last":
                break
            told[name].append(change)
    assert told["x"][0].before is None
    assert told["x"][-1].after == values[-1]
    assert not told["back"] or told["back"][-1].after == A
    for steps in told.values():
        assert all(one.after == two.before for one, two in pairwise(steps))
    assert list(changes) == []
    assert watches.stats() == Stats(0, 0, 0)


def test_a_watcher_that_is_slow_is_told_the_last_value_of_each_ref() -> None:
    """WA-05, WA-06: also where more changes wait than are kept."""
    refs, told = Refs(), Told()
    entered, free = threading.Event(), threading.Event()

    def slow(name: str, change: Change[Hash]) -> None:
        if name == "gate":
            entered.set()
            assert free.wait(WAIT)
        told(name, change)

    values = [Hash(i.to_bytes(4, "big")) for i in range(1, 1026)]
    with refs.watches().watch_all(slow, init={}):
        refs.set("gate", A)
        assert entered.wait(WAIT)
        for value in values:
            refs.set("x", value)
        free.set()
        assert told.wait(2) == [("gate", Added(A)), ("x", Added(values[-1]))]


def test_steps_that_are_kept_become_one() -> None:
    """WA-06: however many came, at most some two thousand wait."""
    changes: Changes[Hash, Change[Hash]] = Changes(lambda name, change: change, changed)
    changes.put("x", Added(A))
    for _ in range(2000):
        changes.put("x", Updated(A, B))
        changes.put("x", Updated(B, A))
    got: list[Change[Hash]] = []
    while (change := changes.wait(0)) is not None:
        got.append(change)
    assert len(got) <= 2048
    assert (got[0].before, got[-1].after) == (None, A)
    for i in range(3000):
        changes.put("x", Updated(A, B) if i % 2 == 0 else Updated(B, A))
    changes.put("x", Removed(A))
    got = []
    while (change := changes.wait(0)) is not None:
        got.append(change)
    assert got[-1].after is None


def test_a_watch_that_has_ended_ends_what_is_made_of_it() -> None:
    watches = Refs().watches()
    changes: Changes[Hash, Change[Hash]] = Changes(lambda name, change: change, changed)
    watch = watches.watch("x", changes.put)
    watches.close()
    assert list(changes.of(watch)) == []


def test_nothing_is_told_after_unwatch_has_returned() -> None:
    """WA-05: and it waits for a call that is under way."""
    refs, inside, go = Refs(), threading.Event(), threading.Event()
    calls: list[str] = []

    def callback(name: str, change: Change[Hash]) -> None:
        inside.set()
        go.wait(WAIT)
        calls.append(name)

    watches = refs.watches()
    other = watches.watch("y", Told())
    watcher = watches.watch("x", callback)
    refs.set("x", A)
    refs.set("x", B)
    assert inside.wait(WAIT)
    stopper = threading.Thread(target=watcher.unwatch)
    stopper.start()
    time.sleep(0.01)
    assert stopper.is_alive()
    go.set()
    stopper.join(WAIT)
    assert calls == ["x"]
    refs.set("x", C)
    other.unwatch()
    assert calls == ["x"]


def test_a_callback_may_unwatch_itself_watch_and_write() -> None:
    refs, told = Refs(), Told()
    watches = refs.watches()
    handle: list[Any] = []

    def callback(name: str, change: Change[Hash]) -> None:
        handle[0].unwatch()
        watches.watch("y", told)
        refs.set("y", A)
        told("x", change)

    handle.append(watches.watch("x", callback))
    refs.set("x", A)
    refs.set("x", B)
    assert {name for name, _ in told.wait(2)} == {"x", "y"}
    wait_for(lambda: watches.stats() == Stats(1, 0, 1))
    watches.close()


def test_after_close_nothing_can_be_watched() -> None:
    watches = Refs().watches()
    watches.watch("x", Told())
    watches.close()
    watches.close()
    assert watches.stats() == Stats(0, 0, 0)
    with pytest.raises(Closed):
        watches.watch("x", Told())
