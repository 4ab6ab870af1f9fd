"""Garbage collection while others read and write: threads, other processes, handles from before."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irminpy import Repo
from irminpy.errors import IrminError
from irminpy_pack import PackBackend
from irminpy_pack.fsck import fsck

from .stores import SCHEMA, opened

INDEX = pytest.mark.parametrize("index", ["always", "minimal"])
_fork = multiprocessing.get_context("spawn")


def started(path: Path, index: str, n: int = 30, **how: Any) -> Repo[bytes, None]:
    repo = opened(path, durability="none", index=index, **how)
    for i in range(n):
        repo.main().set(f"base/{i % 5}/{i}", b"base %d" % i)
    return repo


def sound(repo: Repo[bytes, None], path: Path, index: str) -> None:
    report = repo.check()
    assert report.ok, str(report)
    found = fsck(str(path), SCHEMA)
    assert found.ok, found.findings


def in_thread(target: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            target()
        except BaseException as e:
            errors.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


@INDEX
@pytest.mark.parametrize("depth", [None, 3])
def test_a_thread_commits_while_garbage_is_collected_ten_times(
    tmp_path: Path, index: str, depth: int | None
) -> None:
    """TC-151: writes and several collections."""
    path = tmp_path / "store"
    with started(path, index) as repo:
        done = threading.Event()
        written: list[int] = []

        def write() -> None:
            main = repo.main()
            i = 0
            while not done.is_set():
                main.set(f"live/{i % 11}/{i}", b"live %d" % i)
                written.append(i)
                i += 1

        def read() -> None:
            while not done.is_set():
                n = len(written)
                tree = repo.main().tree()
                if n:
                    assert tree.get(f"live/{(n - 1) % 11}/{n - 1}") == b"live %d" % (n - 1)
                assert tree.get("base/3/3") == b"base 3"

        threads = [in_thread(write), in_thread(read), in_thread(read)]
        try:
            for _ in range(10):
                repo.gc(depth=depth)
        finally:
            done.set()
            for thread, _ in threads:
                thread.join()
        for _, errors in threads:
            assert not errors, errors[0]
        assert written, "the writer waited all the time"
        for i in written:
            assert repo.main().get(f"live/{i % 11}/{i}") == b"live %d" % i
        if depth is None:
            assert len(list(repo.main().log())) == 30 + len(written)
        sound(repo, path, index)
    with opened(path, index=index) as repo:
        assert repo.main().get(f"live/{written[-1] % 11}/{written[-1]}") == b"live %d" % written[-1]


@INDEX
def test_threads_edit_trees_that_they_hold_while_garbage_is_collected(tmp_path: Path, index: str) -> None:
    path = tmp_path / "store"
    with started(path, index) as repo:
        done = threading.Event()
        held = repo.main().tree()

        def edit(name: str) -> Callable[[], None]:
            def run() -> None:
                branch = repo.branch(name)
                i = 0
                while not done.is_set():
                    branch.set_tree((), held.add(f"{name}/{i}", b"%d" % i), message=str(i))
                    i += 1

            return run

        threads = [in_thread(edit("a")), in_thread(edit("b"))]
        try:
            for _ in range(5):
                repo.gc(depth=1)
        finally:
            done.set()
            for thread, _ in threads:
                thread.join()
        for _, errors in threads:
            assert not errors, errors[0]
        for name in ("a", "b"):
            assert repo.branch(name).get("base/3/3") == b"base 3"
        sound(repo, path, index)


def _write(path: str, index: str, ready: Any, enough: Any, written: Any) -> None:
    """Writes until `enough` is set, and for 60 writes at least; `written` is how many it made."""
    with opened(path, index=index, durability="none", timeout=60.0) as repo:
        ready.set()
        i = 0
        while i < 60 or not enough.is_set():
            repo.main().set(f"other/{i % 7}/{i}", b"%d" % i, retries=1000)
            i += 1
        written.value = i


@INDEX
def test_another_process_writes_in_turn(tmp_path: Path, index: str) -> None:
    path, rounds = tmp_path / "store", 4
    with started(path, index, timeout=60.0) as repo:
        ready, enough, written = _fork.Event(), _fork.Event(), _fork.Value("i", 0)
        other = _fork.Process(target=_write, args=(str(path), index, ready, enough, written))
        other.start()
        assert ready.wait(60)
        for n in range(rounds):
            repo.gc(depth=5)
            repo.main().set(f"mine/{n}", b"%d" % n, retries=1000)
        enough.set()
        other.join()
        assert other.exitcode == 0
        assert written.value >= 60
        for i in range(written.value):
            assert repo.main().get(f"other/{i % 7}/{i}") == b"%d" % i
        for n in range(rounds):
            assert repo.main().get(f"mine/{n}") == b"%d" % n
        sound(repo, path, index)


def _read(path: str, index: str, ready: Any, done: Any, problems: Any) -> None:
    try:
        with opened(path, index=index, readonly=True) as repo:
            n = 0
            while not done.is_set():
                tree = repo.main().tree()
                assert tree.get("base/3/3") == b"base 3"
                count = tree.get_tree("live").length() if tree.mem_tree("live") else 0
                assert count >= n, "a reader went back"
                n = count
                for step, child in tree.list("live") if n else []:
                    assert child is not None
                    assert tree.get(("live", step)) == step.encode()
                ready.set()
    except BaseException as e:
        problems.put(repr(e))
        raise


@INDEX
def test_another_process_reads_all_the_time(tmp_path: Path, index: str) -> None:
    path = tmp_path / "store"
    with started(path, index) as repo:
        ready, done, problems = _fork.Event(), _fork.Event(), _fork.Queue()
        other = _fork.Process(target=_read, args=(str(path), index, ready, done, problems))
        other.start()
        assert ready.wait(60)
        for i in range(8):
            repo.main().set(f"live/{i}", str(i).encode())
            repo.gc(depth=i % 3)
        done.set()
        other.join()
        assert problems.empty(), problems.get()
        assert other.exitcode == 0


@INDEX
def test_a_reader_over_two_collections_reads_what_it_held_and_then_what_is(
    tmp_path: Path, index: str
) -> None:
    path = tmp_path / "store"
    with started(path, index) as repo, opened(path, index=index, readonly=True) as reader:
        held, log = reader.main().tree(), [commit.hash for commit in reader.main().log()]
        assert held.get("base/1/1") == b"base 1"
        for i in range(2):
            repo.main().set("base/1/1", b"new %d" % i)
            repo.gc(depth=0)
        assert held.get("base/2/2") == b"base 2", "not read before"
        assert held.get("base/1/1") == b"base 1"
        assert reader.main().get("base/1/1") == b"new 1"
        assert len(list(reader.main().log())) == 1
        assert held.get("base/4/4") == b"base 4"
        assert len(log) == 30
        report = reader.check()
        assert report.ok, str(report)


@INDEX
def test_a_writer_over_two_collections_commits_a_tree_that_it_held(tmp_path: Path, index: str) -> None:
    path = tmp_path / "store"
    with started(path, index) as repo, opened(path, index=index) as other:
        held = other.main().tree()
        for i in range(2):
            repo.main().set("base/1/1", b"new %d" % i)
            repo.remove_branch("main") if i else None
            repo.gc(depth=0)
        other.main().set_tree((), held.add("more", b"1"), message="held")
        assert repo.main().get("base/2/2") == b"base 2"
        assert repo.main().get("more") == b"1"
        sound(repo, path, index)


@INDEX
def test_old_files_are_let_go_with_the_last_tree_that_reads_them(tmp_path: Path, index: str) -> None:
    path = tmp_path / "store"
    with started(path, index) as repo:
        backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
        assert isinstance(backend, PackBackend)
        held = repo.main().tree()
        moves = backend._moves  # pyright: ignore[reportPrivateUsage]
        for i in range(3):
            repo.main().set("x", b"%d" % i)
            repo.gc()
        assert len(moves) == 3, "one for each generation that something held since"
        del held
        repo.main().set("x", b"y")
        repo.gc()
        assert len(moves) == 1


def test_a_collection_waits_for_a_writer_and_no_longer_than_told(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with (
        started(path, "always", timeout=0.2) as repo,
        opened(path, exclusive=True) as _,
        pytest.raises(IrminError, match="lock"),
    ):
        repo.gc()
