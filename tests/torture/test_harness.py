"""The harness itself: it must find nothing in an honest store, and something in each dishonest one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from irminpy.backend import RefUpdate
from irminpy.objects import Objects
from irminpy.testing.torture.faults import Failing, Fault
from irminpy.testing.torture.forks import Died, Raised, call, spread
from irminpy.testing.torture.fsyncgate import fsyncgate
from irminpy.testing.torture.images import images
from irminpy.testing.torture.kill import kill
from irminpy.testing.torture.lapse import lapse
from irminpy.testing.torture.program import Step, ledger_of, random_program
from irminpy.testing.torture.recording import Event, Recording, Tree, load, tree_of
from irminpy.testing.torture.replay import replay
from irminpy.testing.torture.subject import Subject
from irminpy.testing.torture.sweep import sweep

from .honest import Log, LogBackend

PROGRAM = [
    Step("set", "main", "a", b"first"),
    Step("set", "dev", "b", b"x" * 1200),
    Step("merge", "main", other="dev"),
    Step("reopen"),
    Step("remove", "main", "a"),
]


def subject(backend: type[LogBackend] = LogBackend) -> Subject:
    return Subject("log", lambda path, files: Log(path, files, backend))


class Unsynced(LogBackend):
    def sync(self) -> None:
        pass


class Unnamed(LogBackend):
    def sync_parent(self) -> None:
        pass


class Trusting(LogBackend):
    def checksum_ok(self, body: bytes, crc: int) -> bool:
        return True

    def verified(self, kind: object, hash_: bytes, data: bytes) -> bytes:
        return data


class Reading(LogBackend):
    """Believes what it reads back after a failed sync."""

    def adopt(self, data: bytes) -> None:
        pass


class Retrying(LogBackend):
    def sync(self) -> None:
        try:
            super().sync()
        except OSError:
            super().sync()


class Leaving(LogBackend):
    """Leaves what a failed write left."""

    def undo(self) -> None:
        self.end += 1


# -- nothing in an honest store ------------------------------------------------------------------------------------


def test_an_honest_store_survives_every_crash_image() -> None:
    found = replay(subject(), PROGRAM, seed=1, limit=12)
    assert not found.violations
    assert found.distinct >= 25
    assert {"all", "none", "torn", "zeros", "head", "length"} <= set(found.variants)


def test_an_honest_store_survives_every_failing_call() -> None:
    found = sweep(subject(), PROGRAM, seed=1, runs=60)
    assert not found.violations
    assert found.errors > 30


def test_an_honest_store_survives_failed_syncs_that_forget() -> None:
    found = fsyncgate(subject(), PROGRAM[:3], seed=1, stride=2)
    assert not found.violations
    assert found.syncs > 3


def test_an_honest_store_survives_a_death_and_then_a_power_cut() -> None:
    found = lapse(subject(), PROGRAM[:2], seed=1, stride=4)
    assert not found.violations
    assert found.deaths > 3


def test_an_honest_store_survives_kills_at_random_moments() -> None:
    found = kill(subject(), PROGRAM, seed=1, kills=4, delays_only=True)
    assert not found.violations
    assert found.killed["delay"] >= 4


@pytest.mark.needs("strace")
def test_an_honest_store_survives_kills_at_system_calls() -> None:
    found = kill(subject(), PROGRAM, seed=1, kills=6)
    assert not found.violations
    assert found.killed.keys() - {"delay"}


# -- something in a dishonest one ----------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", [Unsynced, Unnamed, Trusting])
def test_replay_notices(backend: type[LogBackend]) -> None:
    assert replay(subject(backend), PROGRAM, seed=1, limit=12, stop=1).violations


@pytest.mark.parametrize("backend", [Reading, Retrying])
def test_failed_syncs_notice(backend: type[LogBackend]) -> None:
    assert fsyncgate(subject(backend), PROGRAM[:3], seed=1, stride=-1, stop=1).violations


def test_a_sweep_notices_what_a_failed_write_leaves() -> None:
    assert sweep(subject(Leaving), PROGRAM, seed=1, faults=["ENOSPC"], stop=1).violations


def test_a_sweep_notices_an_error_without_a_type() -> None:
    class Untyped(LogBackend):
        def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
            self.files.size(self.log)  # raises OSError as it comes
            return super().write(objects, updates)

    found = sweep(subject(Untyped), PROGRAM, seed=1, faults=["EIO"], only=lambda one: one.call == "size")
    assert any("D6" in one for one in found.violations)


def test_a_death_before_the_parent_is_synced_is_noticed() -> None:
    assert lapse(subject(Unnamed), PROGRAM[:2], seed=1, stop=1).violations


# -- its parts -----------------------------------------------------------------------------------------------------


def recorded(act: Callable[[Recording, str], None], root: Path) -> Recording:
    files = Recording(root)
    act(files, str(root))
    return files


def write(files: Recording, path: str, data: bytes) -> int:
    fd = files.open(path, os.O_RDWR | os.O_CREAT)
    files.pwrite(fd, data, 0)
    return fd


def test_what_is_synced_is_in_every_image_and_what_is_not_is_missing_in_one(tmp_path: Path) -> None:
    def act(files: Recording, root: str) -> None:
        fd = write(files, f"{root}/a", b"x" * 600)
        files.fsync(fd)
        directory = files.open(root, os.O_RDONLY)
        files.fsync(directory)
        files.pwrite(fd, b"y" * 600, 600)
        files.rename(f"{root}/a", f"{root}/b")
        for one in (fd, directory):
            files.close(one)

    found = recorded(act, tmp_path)
    last = [image.tree for image in images(found.start, found.events) if image.at == len(found.events) - 1]
    contents = {next(iter(tree.values())) for tree in last}
    assert {name for tree in last for name in tree} == {"a", "b"}
    assert all(data is not None and data.startswith(b"x" * 600) for data in contents)
    assert {b"x" * 600, b"x" * 600 + b"y" * 600, b"x" * 600 + bytes(600)} <= contents
    assert b"x" * 600 + b"y" * 424 in contents  # torn at byte 1024 of the file


def test_a_failed_sync_makes_nothing_durable_and_a_later_one_does_not_either(tmp_path: Path) -> None:
    broken = [True]

    def before(name: str, what: str | int, creates: bool) -> None:
        if name == "fdatasync" and broken:
            broken.clear()
            raise OSError(errno.EIO, "injected")

    files = Recording(tmp_path, before)
    fd = write(files, f"{tmp_path}/a", b"x")
    with pytest.raises(OSError, match="injected"):
        files.fdatasync(fd)
    files.fdatasync(fd)
    directory = files.open(str(tmp_path), os.O_RDONLY)
    files.fsync(directory)
    assert list(images(files.start, files.events))[-1].tree == {"a": b""}
    files.pwrite(fd, b"x", 0)  # written again
    files.fdatasync(fd)
    assert list(images(files.start, files.events))[-1].tree == {"a": b"x"}
    for one in (fd, directory):
        files.close(one)


def test_an_event_survives_json() -> None:
    event = Event("write", 3, offset=7, data=b"\0\xff", path="p", phase="set")
    assert Event.of_json(event.to_json()) == event


def test_the_image_of_a_finished_run_is_what_is_on_the_disk(tmp_path: Path) -> None:
    def act(files: Recording, root: str) -> None:
        files.mkdir(f"{root}/d")
        files.close(write(files, f"{root}/d/a", b"1"))
        files.close(write(files, f"{root}/d/b", b"2"))
        files.rename(f"{root}/d/a", f"{root}/d/b")
        files.close(write(files, f"{root}/c", b"3"))
        files.unlink(f"{root}/c")

    found = recorded(act, tmp_path)
    tree = Tree()
    for event in found.events:
        tree.apply(event)
    assert tree.walk() == tree_of(tmp_path)


@pytest.mark.parametrize(("fault", "code"), [("EIO", errno.EIO), ("ENOSPC", errno.ENOSPC)])
@pytest.mark.parametrize("sticky", [True, False])
def test_the_nth_call_fails_once_or_for_good(tmp_path: Path, fault: Fault, code: int, sticky: bool) -> None:
    files = Failing(2, fault, sticky=sticky)
    fd = files.open(str(tmp_path / "a"), os.O_RDWR | os.O_CREAT)
    with pytest.raises(OSError, match="injected") as e:
        files.pwrite(fd, b"abc", 0)
    assert e.value.errno == code
    if sticky:
        with pytest.raises(OSError, match="injected"):
            files.pwrite(fd, b"abc", 0)
        files.heal()
    assert files.pwrite(fd, b"abc", 0) == 3
    files.close(fd)


def test_a_short_transfer_moves_a_part(tmp_path: Path) -> None:
    files = Failing(2, "SHORT", sticky=True)
    fd = files.open(str(tmp_path / "a"), os.O_RDWR | os.O_CREAT)
    assert files.pwrite(fd, b"abcd", 0) == 2
    assert files.pread(fd, 2, 0) == b"a"
    files.close(fd)


def test_a_child_that_dies_hangs_or_raises_is_told_apart() -> None:
    assert call(lambda: [1, "a"], 60) == [1, "a"]
    assert call(lambda: os._exit(3), 60) == Died(code=3)
    died = call(lambda: [0 for _ in iter(int, 1)], 0.2)
    assert isinstance(died, Died)
    assert "hung" in str(died)
    raised = call(lambda: 1 // 0, 60)
    assert isinstance(raised, Raised)
    assert "ZeroDivisionError" in str(raised)


def test_the_items_of_a_dead_child_are_run_by_another() -> None:
    def act(item: int) -> int:
        if item == 3:
            os._exit(9)
        return item * item

    answers = dict(spread(act, range(8), timeout=60, batch=8))
    assert answers.pop(3) == Died(code=9)
    assert answers == {item: item * item for item in range(8) if item != 3}


@pytest.mark.parametrize("seed", range(5))
def test_a_random_program_is_legal_and_is_the_same_for_a_seed(seed: int) -> None:
    program = random_program(seed, 30)
    assert program == random_program(seed, 30)
    ledger = ledger_of(program)
    assert len(ledger.states) == 31
    assert any(len(state.refs) > 1 for state in ledger.states)


def test_an_image_can_be_loaded(tmp_path: Path) -> None:
    image = {"d": None, "d/a": b"1", "b": b""}
    load(tmp_path, image)
    assert tree_of(tmp_path) == image
