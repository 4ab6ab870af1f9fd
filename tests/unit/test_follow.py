"""Watchers of a store whose commits are collected while they watch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import irminpy
from irminpy import Commit, Repo, Store
from irminpy.backend import Options
from irminpy.diff import Added, Removed, Updated
from irminpy.hash import Hash
from irminpy.schema import Schema
from irminpy_mem import Memory

WAIT = 60.0
NAME = "followed"


@pytest.fixture
def repo() -> Iterator[Repo[bytes]]:
    with Repo.open(Memory(NAME), clock=lambda: 0) as repo:
        repo.remove_branch("main")
        yield repo


@pytest.fixture
def main(repo: Repo[bytes]) -> Store[bytes]:
    return repo.main()


def made(commit: Commit[bytes] | None) -> Commit[bytes]:
    assert commit is not None
    return commit


def forget(*commits: Commit[bytes]) -> None:
    """What a collection of garbage does to commits that nothing leads to; their root directories go too."""
    handle: Any = Memory(NAME).open(Schema(), Options())[0]
    for commit in commits:
        handle._store.objects.commits.pop(commit.hash)
        handle._store.objects.nodes.pop(commit.tree_hash)


class Told:
    """A callback that remembers, and waits at each call until it may go on."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, *event: Any) -> None:
        self.events.append(event[0] if len(event) == 1 else event)
        self.free.wait(WAIT)

    def wait(self, n: int) -> list[Any]:
        end = time.monotonic() + WAIT
        while len(self.events) < n:
            assert time.monotonic() < end, f"{self.events} of {n}"
            time.sleep(0.0005)
        return self.events


def test_a_watcher_hears_of_a_change_from_a_commit_that_is_gone(
    repo: Repo[bytes], main: Store[bytes]
) -> None:
    """WA-01, WA-02, WA-04. The commit before was read again at each change: if it had been collected meanwhile,
    the watcher was never told of the new one, nor of any later.
    """
    one = made(main.set("d/x", b"1", message="gone soon"))
    told, at, everywhere = Told(), Told(), Told()
    with (
        main.watch(told, init=one),
        main.watch_key("d", at, init=one),
        repo.watch_all(everywhere, init={"main": one}),
    ):
        before = one.tree().get_tree("d")
        main.set_head(None)
        assert told.wait(1) == [Removed(one)]
        two = made(main.set("d/x", b"2"))
        assert told.wait(2) == [Removed(one), Added(two)]
        everywhere.wait(2)
        at.wait(2)
        side = made(repo.detached(two).set("e", b"3", parents=[]))
        forget(two)
        main.set_head(side)
        assert told.wait(3)[2] == Updated(two, side)
        assert everywhere.wait(3)[2] == ("main", Updated(two, side))
        main.remove("d")
        assert at.wait(3)[0] == Removed((one, before))
        assert type(at.events[2]) is Removed


def test_a_step_in_between_that_is_gone_is_not_told(main: Store[bytes]) -> None:
    """WA-06: the last state is."""
    one = made(main.set("a", b"1"))
    told = Told()
    told.free.clear()
    with main.watch(told):
        two = made(main.set("a", b"2"))
        told.wait(1)
        three = made(main.set("a", b"3"))
        main.set_head(one)
        forget(three)
        told.free.set()
        assert told.wait(2) == [Added(two), Updated(two, one)]


def test_a_branch_that_leads_nowhere_is_logged(main: Store[bytes], caplog: pytest.LogCaptureFixture) -> None:
    """WA-06, TR-19: that is damage, not a step that was missed; what comes after it is told."""
    one = made(main.set("a", b"1"))
    told = Told()
    with main.watch(told, init=one):
        handle, _ = Memory(NAME).open(Schema(), Options())
        nowhere = Hash(bytes(32))
        handle.write(irminpy.objects.Objects(), [irminpy.backend.RefUpdate("main", nowhere)])
        end = time.monotonic() + WAIT
        while "DanglingHash" not in caplog.text:
            assert time.monotonic() < end
            time.sleep(0.0005)
        main.set_head(None)
        assert told.wait(1) == [Removed(one)]
