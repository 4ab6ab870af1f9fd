"""Several processes and forks on one store: goal 17 to 19 of the failure model, in small."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from irminpy.errors import Forked, Locked, NotFound, ReadOnly, TooManyRetries
from irminpy.errors import TestWas as IsNot  # pytest would collect it
from irminpy.testing.watching import PATIENCE
from irminpy_pack.files import Files
from irminpy_pack.fsck import fsck

from .stores import SCHEMA, commits, messages, opened

SPAWN = mp.get_context("spawn")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def _increment(path: str, n: int) -> None:
    with opened(path, durability="none") as repo:
        main = repo.main()
        while n:
            now = main.find("n")
            value = b"%d" % (int(now or b"0") + 1)
            try:
                main.test_and_set("n", test=now, set=value, message=f"{os.getpid()}", retries=0)
            except (IsNot, TooManyRetries):
                continue
            n -= 1


def test_processes_that_compare_and_set_lose_nothing(path: Path) -> None:
    commits(path, "a")
    workers = [SPAWN.Process(target=_increment, args=(str(path), 40)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    with opened(path) as repo:
        assert repo.main().get("n") == b"160"
        assert len(messages(repo)) == 161
    assert fsck(str(path), SCHEMA).ok


def test_a_handle_sees_what_another_process_wrote(path: Path) -> None:
    commits(path, "a")
    with opened(path) as repo, opened(path, readonly=True) as reader:
        assert messages(reader) == ["a"]
        child = SPAWN.Process(target=commits, args=(str(path), "b", "c"))
        child.start()
        child.join()
        for one in (repo, reader):
            assert messages(one) == ["c", "b", "a"]
            assert one.main().get("k/b") == b"b"
        repo.main().set("k/d", b"d", message="d")
        assert reader.main().get("k/d") == b"d"


def test_a_watcher_hears_of_another_process(path: Path) -> None:
    """WA-07."""
    commits(path, "a")
    heard = threading.Event()
    with opened(path) as repo, repo.main().watch(lambda change: heard.set()):
        child = SPAWN.Process(target=commits, args=(str(path), "b"))
        child.start()
        child.join()
        assert heard.wait(PATIENCE)


def test_an_exclusive_handle_keeps_others_out_and_says_who_it_is(path: Path) -> None:
    with opened(path, exclusive=True) as repo:
        repo.main().set("k", b"a", message="a")
        with pytest.raises(Locked) as error:
            opened(path, exclusive=True, timeout=0.05)
        assert error.value.pid == os.getpid()
        with opened(path, timeout=0.05) as other:
            assert messages(other) == ["a"]
            with pytest.raises(Locked):
                other.main().set("k", b"b", message="b")
            repo.main().set("k", b"c", message="c")
            assert messages(other) == ["c", "a"]
    with opened(path, exclusive=True) as repo:
        assert messages(repo) == ["c", "a"]


def test_a_writer_that_was_killed_leaves_no_lock(path: Path) -> None:
    """D8, and D1: what it had acknowledged is there."""
    program = (
        "import sys, irminpy, irminpy_pack\n"
        "repo = irminpy.Repo.open(irminpy_pack.Pack(sys.argv[1]), exclusive=True)\n"
        "for i in range(10**6):\n"
        "    repo.main().set('k', b'%d' % i, message=str(i))\n"
        "    print(i, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 20:
                break
        child.send_signal(signal.SIGKILL)
        acked = [int(line) for line in child.stdout] or [20]
    with opened(path, exclusive=True) as repo:
        last = int(repo.main().get("k"))
        assert last in (acked[-1], acked[-1] + 1)
        assert len(messages(repo)) == last + 1
    assert fsck(str(path), SCHEMA).ok


def test_a_forked_child_reads_and_does_not_write(path: Path) -> None:
    commits(path, "a")
    with opened(path, exclusive=True) as repo:
        repo.main().set("k", b"b", message="b")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover
            answer = b"?"
            try:
                assert repo.main().get("k") == b"b"
                repo.main().set("k", b"child", message="child")
            except Forked:
                answer = b"forked"
            except BaseException as e:
                answer = repr(e).encode()
            os.write(write, answer)
            os._exit(0)
        os.close(write)
        assert os.read(read, 1000) == b"forked"
        os.close(read)
        os.waitpid(child, 0)
        # The child's end did not unlock the parent's store.
        with pytest.raises(Locked):
            opened(path, exclusive=True, timeout=0.05)
        repo.main().set("k", b"c", message="c")
    assert fsck(str(path), SCHEMA).ok


def test_a_child_may_open_the_store_of_its_parent_anew(path: Path) -> None:
    with opened(path) as repo:
        repo.main().set("k", b"a", message="a")
        child = os.fork()
        if child == 0:  # pragma: no cover
            status = 1
            try:
                commits(path, "b")
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert messages(repo) == ["b", "a"]


def test_a_reader_writes_nothing_at_all(path: Path) -> None:
    commits(path, "a", "b")

    def files() -> dict[Path, tuple[bytes, int]]:
        """All but the list of readers that LMDB keeps."""
        kept = [file for file in path.rglob("*") if file.is_file() and file.name != "lock.mdb"]
        return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in kept}

    before = files()
    with opened(path, readonly=True) as repo:
        assert messages(repo) == ["b", "a"]
        with pytest.raises(ReadOnly):
            repo.main().set("k", b"c", message="c")
    assert files() == before


def test_threads_share_one_sync(path: Path) -> None:
    """Group commit: while one syncs the others append, and the next sync is for all of them."""
    begun, go = threading.Event(), threading.Event()

    class Held(Files):
        syncs = 0

        def fdatasync(self, fd: int) -> None:
            Held.syncs += 1
            if Held.syncs == 1:
                begun.set()
                assert go.wait(PATIENCE)
            super().fdatasync(fd)

    with opened(path, files=Held(), exclusive=True) as repo:
        backend: Any = repo._opened.backend
        Held.syncs = 0

        def work(i: int) -> None:
            repo.branch(f"b{i}").set("k", b"%d" % i, message=f"{i}")

        threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
        threads[0].start()
        assert begun.wait(PATIENCE)
        for thread in threads[1:]:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        while len(backend._writer._pending) < 16 and time.monotonic() < deadline:
            time.sleep(0.001)
        go.set()
        for thread in threads:
            thread.join()
        assert Held.syncs == 2, "one for the first, one for the fifteen that came meanwhile"
        for i in range(16):
            assert repo.branch(f"b{i}").get("k") == b"%d" % i
            with pytest.raises(NotFound):
                repo.branch(f"b{i}").get("x")
    assert fsck(str(path), SCHEMA).ok
