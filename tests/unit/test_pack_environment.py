"""LMDB environments among threads and processes: one each, forked children, maps that grow, killed readers."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import lmdb
import pytest

from irminpy.errors import Closed, StorageError
from irminpy_pack.damage import IndexDamaged
from irminpy_pack.environment import Environment, Writing
from tests.pack_index import entries, opened, output, python

SMALL: dict[str, Any] = {"map_size": 1 << 16}  # an index of any size has to grow out of it


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "index")


# Maps that grow


def test_the_map_grows_as_far_as_it_must(place: str) -> None:
    there = entries(20_000)
    index, reader = opened(place, **SMALL), opened(place, readonly=True, **SMALL)
    index.add(there, 8)
    assert index.count == reader.count == 20_000
    assert dict(reader.dump()) == there
    reader.close()
    index.close()


def test_look_ups_go_on_in_other_threads_while_the_map_grows(place: str) -> None:
    first, more = entries(100), entries(30_000, seed=2)
    index = opened(place, **SMALL)
    index.add(first, 8)
    failed: list[BaseException] = []
    done = threading.Event()

    def look() -> None:
        try:
            while not done.is_set():
                for key, word in first.items():
                    assert index.find(key[0], key[1:]) == word
                assert index.count in range(100, 30_101)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    keys = sorted(more)
    for start in range(0, len(keys), 5000):
        index.add({key: more[key] for key in keys[start : start + 5000]}, 8)
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert dict(index.dump()) == first | more
    index.close()


READER = """
import sys
from tests.pack_index import opened, entries
index = opened(sys.argv[1], readonly=True, map_size=1 << 16)
for line in sys.stdin:
    there = entries(int(line))
    found = all(index.find(key[0], key[1:]) == word for key, word in there.items())
    print(found, index.count, index.end, dict(index.dump()) == there, flush=True)
"""


def test_a_reader_in_another_process_follows_the_writer_through_growth(place: str) -> None:
    index = opened(place, **SMALL)
    with python(READER, place) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        for count in (10, 1000, 20_000):
            index.add(entries(count), count * 8)
            print(count, file=reader.stdin, flush=True)
            assert reader.stdout.readline() == f"True {count} {count * 8} True\n"
        reader.stdin.close()
    index.close()


def test_two_processes_that_write_lose_nothing(place: str) -> None:
    """Each has its own map, finds it too small when the other grew the file, and goes on with merges of the other."""
    code = """
        import sys
        from irminpy_pack import index as index_, runs
        from tests.pack_index import opened, entries
        index_._JOINED, runs._STEP, runs._PIECE = 1, 3, 2
        index = opened(sys.argv[1], map_size=1 << 16)
        there = sorted(entries(6000, seed=int(sys.argv[2])).items())
        for start in range(0, 6000, 500):
            index.add(dict(there[start:start + 500]), start)
            index.merge()
        print(index.close() is not None)
    """
    opened(place).close()
    writers = [python(code, place, seed) for seed in (1, 2)]
    for writer in writers:
        out, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err
        assert out in ("True\n", "False\n")  # None if the other was writing at that moment
    index = opened(place, readonly=True)
    assert dict(index.dump()) == entries(6000, seed=1) | entries(6000, seed=2)
    index.verify()
    assert index.runs < 16
    index.close()


def test_less_address_space_than_we_like_to_have_is_enough(place: str) -> None:
    code = """
        import resource, sys
        from tests.pack_index import opened, entries
        resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
        index = opened(sys.argv[1])
        index.add(entries(1000), 8)
        print(index.count)
    """
    assert output(code, place) == "1000"


def test_a_map_that_cannot_grow_any_more_is_an_error_and_changes_nothing(place: str) -> None:
    code = """
        import mmap, resource, sys
        import lmdb
        from irminpy.errors import StorageError
        from irminpy_pack.environment import Writing
        from tests.pack_index import opened, entries

        def full(txn, key, value):
            raise lmdb.MapFullError("full")

        index = opened(sys.argv[1], map_size=1 << 30)
        index.add(entries(10), 8)
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE + (1 << 29), -1))
        put, Writing.put = Writing.put, full
        for _ in range(2):
            try:
                index.add(entries(100), 16)
            except StorageError as error:
                print("cannot be used now" in str(error))
            print(index.end, dict(index.dump()) == entries(10))
        Writing.put = put
        index.add(entries(100), 16)
        print(index.end, index.count)
    """
    assert output(code, place).split() == ["True", "8", "True"] * 2 + ["16", "100"]


# Forks

FORK = """
import os, sys
from irminpy.errors import ReadOnly
from tests.pack_index import opened, entries
there = entries(1000)
index = opened(sys.argv[1])
index.add(there, 8)
key = min(there)
pid = os.fork()
if pid == 0:
    status = 1
    try:
        assert index.find(key[0], key[1:]) == there[key]
        assert dict(index.dump()).items() >= there.items()  # the parent adds meanwhile
        try:
            index.add({}, 16)
        except ReadOnly:
            index.close()
            again = opened(sys.argv[1], readonly=True)
            assert again.count >= 1000
            again.close()
            status = 0
    finally:
        os._exit(status)
more = entries(1000, seed=2)
for n, item in enumerate(more.items()):
    if n % 50 == 0:
        index.add(dict([item]), 16)
    assert index.find(key[0], key[1:]) == there[key]
assert os.waitpid(pid, 0)[1] == 0
index.add(more, 24)
assert dict(index.dump()) == there | more
assert index.close() is not None
print("good")
"""


def test_a_forked_child_opens_the_index_itself_and_only_reads(place: str) -> None:
    assert output(FORK, place) == "good"


def test_a_fork_waits_for_transactions_of_other_threads(place: str) -> None:
    code = """
        import os, sys, threading, warnings
        from tests.pack_index import opened, entries
        warnings.simplefilter("ignore", DeprecationWarning)  # of 3.12, that forking with threads is dangerous
        there = entries(3000)
        index = opened(sys.argv[1], map_size=1 << 16)
        index.add(there, 8)
        stop = threading.Event()
        def write():
            n = 0
            while not stop.is_set():
                index.add(entries(2000, seed=n + 2), 8)
                n = (n + 1) % 5
        def read():
            while not stop.is_set():
                for key, word in there.items():
                    assert index.find(key[0], key[1:]) == word
        threads = [threading.Thread(target=work) for work in (write, read)]
        for thread in threads:
            thread.start()
        failed = 0
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    found = index.find_many(1, [key[1:] for key in there if key[0] == 1])
                    status = int(found != [word for key, word in there.items() if key[0] == 1])
                finally:
                    os._exit(status)
            failed += os.waitpid(pid, 0)[1]
        stop.set()
        for thread in threads:
            thread.join()
        print(failed, dict(index.dump()).items() >= there.items(), index.close() is not None)
    """
    assert output(code, place) == "0 True True"


def test_a_child_forked_inside_a_transaction_says_that_it_has_no_index(place: str) -> None:
    """Only a fork from inside `add` itself comes that far, such as one in a signal handler."""
    code = """
        import os, sys
        from irminpy.errors import StorageError
        from irminpy_pack import environment
        from tests.pack_index import opened, entries
        environment._FORK_WAIT = 0.01
        index = opened(sys.argv[1])
        forked = []
        class Entries(dict):
            def __iter__(self):
                return super().__iter__()
        def work(txn):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    index.find(1, bytes(32))
                except StorageError as error:
                    status = 0 if "forked in the middle" in str(error) else 2
                finally:
                    os._exit(status)
            forked.append(os.waitpid(pid, 0)[1])
        index._environment.write(work)
        index.add(entries(10), 8)
        print(forked, index.count, index.close() is not None)
    """
    assert output(code, place) == "[0] 10 True"


def test_a_child_whose_index_was_replaced_meanwhile_knows(place: str) -> None:
    code = """
        import os, sys
        from irminpy_pack.index import IndexDamaged
        from tests.pack_index import opened, entries
        index = opened(sys.argv[1])
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.read(r, 1)
                index.find(1, bytes(32))
            except IndexDamaged:
                index.close()
                status = 0 if opened(sys.argv[1], readonly=True).count == 10 else 2
            finally:
                os._exit(status)
        index.close()
        os.rename(sys.argv[1], sys.argv[1] + "-aside")
        opened(sys.argv[1]).add(entries(10), 8)
        os.write(w, b"x")
        print(os.waitpid(pid, 0)[1])
    """
    assert output(code, place) == "0"


# Killed readers, full tables, no permission


def test_a_killed_reader_is_forgotten(place: str) -> None:
    code = """
        import sys, lmdb
        env = lmdb.open(sys.argv[1], readonly=True, max_dbs=2)
        txn = env.begin()
        txn.get(b"a")
        print("reading", flush=True)
        sys.stdin.read()
    """
    index = opened(place)
    index.add(entries(100), 8)
    for _ in range(3):
        process = python(code, place)
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        process.kill()
        process.communicate()
    index.close()
    index = opened(place)
    index.close()
    with lmdb.open(place, max_dbs=2) as env:
        assert env.reader_check() == 0  # nothing was left to forget


def test_an_environment_that_somebody_else_has_open_here_is_no_damage(place: str) -> None:
    opened(place).close()
    with lmdb.open(place, max_dbs=2):
        try:
            index = opened(place)
        except StorageError as error:
            assert "cannot be used now" in str(error)  # noqa: PT017
        else:  # py-lmdb before 3.0 allows it
            index.close()


def test_who_may_not_write_reads_without_a_lock() -> None:
    """F14"""
    code = """
        import os, sys
        from tests.pack_index import opened, entries
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        index = opened(sys.argv[1], readonly=True)
        print(dict(index.dump()) == entries(100), os.access(sys.argv[1], os.W_OK))
    """
    with tempfile.TemporaryDirectory() as above:  # pytest's own are for nobody else
        os.chmod(above, 0o755)
        place = os.path.join(above, "index")
        index = opened(place)
        index.add(entries(100), 8)
        index.close()
        try:
            for name in os.listdir(place):
                os.chmod(os.path.join(place, name), 0o444)
            os.chmod(place, 0o555)
            assert output(code, place) == "True False"
            os.chmod(place, 0o755)
            os.unlink(os.path.join(place, "lock.mdb"))
            os.chmod(place, 0o555)
            assert output(code, place) == "True False"
            assert sorted(os.listdir(place)) == ["data.mdb", "written"]
        finally:
            os.chmod(place, 0o755)


@pytest.mark.needs("strace")
def test_read_only_media_are_read_without_a_lock(place: str, tool_path: dict[str, str]) -> None:
    """F14"""
    code = """
        import sys
        from tests.pack_index import opened, entries
        index = opened(sys.argv[1], readonly=True)
        print(dict(index.dump()) == entries(100))
    """
    index = opened(place)
    index.add(entries(100), 8)
    index.close()
    lock = os.path.join(place, "lock.mdb")
    inject = ["-f", "-qq", "-o", "/dev/null", "-P", lock, "-e", "inject=openat:error=EROFS"]
    assert output(code, place, wrap=[tool_path["strace"], *inject]) == "True"


# One environment


def begun(txn: Writing) -> None:
    txn.set(b"state", b"")


def open_environment(place: str, readonly: bool = False) -> Environment:
    os.makedirs(place, exist_ok=True)
    return Environment.open(place, readonly=readonly, initial=begun)


def test_there_is_one_environment_for_all_who_open_a_directory(place: str) -> None:
    first = open_environment(place)
    assert open_environment(place) is open_environment(place, readonly=True) is first
    first.release()
    first.release()
    assert first.read(lambda txn: txn.get(b"state")) == b""
    first.release()
    with pytest.raises(Closed):  # a thread that lost a race with close
        first.read(lambda txn: txn.get(b"state"))
    with pytest.raises(Closed):
        first.write(begun)
    second = open_environment(place)
    assert second is not first
    second.release()


def test_a_directory_that_was_moved_away_is_not_mistaken_for_the_new_one(place: str) -> None:
    old = open_environment(place)
    os.rename(place, place + "-aside")
    new = open_environment(place)
    assert new is not old
    assert open_environment(place + "-aside") is old
    for environment in (old, old, new):
        environment.release()


def test_what_work_raises_undoes_the_transaction(place: str) -> None:
    environment = open_environment(place)

    def work(txn: Writing) -> None:
        txn.put(b"a", b"1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        environment.write(work)
    assert environment.read(lambda txn: txn.seek(b"a")) is None
    environment.write(lambda txn: txn.put(b"a", b"1"))
    assert environment.read(lambda txn: txn.seek(b"a")) == (b"a", b"1")
    environment.release()


def test_keys_are_gone_through_and_dropped_by_what_they_begin_with(place: str) -> None:
    environment = open_environment(place)
    there = [b"a1", b"a2", b"a3", b"b1", b"b\xff", b"c1"]

    def fill(txn: Writing) -> int:
        for key in there:
            txn.put(key, key.upper())
        return txn.entries

    assert environment.write(fill) == 6
    assert environment.read(lambda txn: [*txn.below(b"a", b"2")]) == [(b"a2", b"A2"), (b"a3", b"A3")]
    assert environment.read(lambda txn: [*txn.below(b"b", b"")]) == [(b"b1", b"B1"), (b"b\xff", b"B\xff")]
    assert environment.read(lambda txn: [*txn.below(b"d", b"")]) == []
    for prefix, last in ((b"a", b"a3"), (b"b", b"b\xff"), (b"c", b"c1")):
        assert environment.read(lambda txn, prefix=prefix: txn.last(prefix, 1)) == last  # type: ignore[misc]
    assert environment.write(lambda txn: txn.drop(b"b")) == 2
    assert environment.write(lambda txn: txn.drop(b"d")) == 0
    assert environment.read(lambda txn: [key for key, _ in txn.below(b"", b"a")]) == [
        b"a1",
        b"a2",
        b"a3",
        b"c1",
    ]
    assert environment.write(lambda txn: txn.drop(b"c")) == 1
    with pytest.raises(IndexDamaged, match="no key that begins with 64"):
        environment.read(lambda txn: txn.last(b"d", 1))
    with pytest.raises(IndexDamaged):  # for everybody
        environment.read(lambda txn: txn.seek(b"a"))
    environment.release()


def test_opening_from_many_threads_gives_one_environment(place: str) -> None:
    opened(place).close()
    indexes: list[Any] = []
    threads = [threading.Thread(target=lambda: indexes.append(opened(place))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({index._environment for index in indexes}) == 1
    for index in indexes:
        index.close()
    shutil.rmtree(place)
    with pytest.raises(IndexDamaged):
        opened(place, readonly=True)
