"""The pack under the tiny profile of the harness, and what the harness has found in it so far, one test each.

`python -m irminpy.testing.torture --profile ci` does the same for minutes.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from irminpy.errors import StorageError
from irminpy.testing.torture.carry import carry, slices, snapshots
from irminpy.testing.torture.checker import Promise, check
from irminpy.testing.torture.collecting import littered
from irminpy.testing.torture.command import main
from irminpy.testing.torture.endless import bout
from irminpy.testing.torture.fsyncgate import judge_all, persist
from irminpy.testing.torture.packs import pack
from irminpy.testing.torture.points import POINTS, classify, points
from irminpy.testing.torture.probes import PROBES
from irminpy.testing.torture.program import Step, ledger_of, open_repo, refs_of
from irminpy.testing.torture.recording import Recording
from irminpy.testing.torture.replay import STORE, replay
from irminpy.testing.torture.selftest import selftest
from irminpy.testing.torture.subject import Subject
from irminpy.testing.torture.sweep import sweep
from irminpy.testing.torture.syscalls import syscalls
from irminpy_pack.files import Files

# The third batch goes into a second segment.
PROGRAM = [
    Step("set", "main", "a", b"first"),
    Step("set", "main", "b", b"z" * 9000),
    Step("set", "main", "c", b"third"),
]


@pytest.mark.parametrize("experiment", ["replay", "sweep", "kill", "flip"])
def test_an_experiment_finds_nothing(experiment: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [experiment, "--profile", "tiny", "--seed", "7"]
    assert main(arguments) == 0, capsys.readouterr().out
    assert "0 violations; seed 7" in capsys.readouterr().out


@pytest.mark.parametrize("index", ["always", "minimal"])
@pytest.mark.parametrize("name", sorted(PROBES))
def test_a_probe_finds_nothing(name: str, index: str) -> None:
    assert PROBES[name](pack(index), 1) == []


def test_a_power_cut_in_a_collection_of_garbage_leaves_the_old_or_the_new_state() -> None:
    """C17 to C20."""
    found = replay(pack("minimal"), littered(3, 3), seed=3, limit=1, during="collect", classify=classify)
    assert not found.violations
    assert {"C17", "C18", "C19", "C20"} <= found.points.keys()


def test_a_failing_call_in_a_collection_of_garbage_loses_nothing() -> None:
    found = sweep(pack(), littered(3, 3), seed=3, runs=12, during="collect")
    assert not found.violations
    assert found.errors


def test_a_store_is_carried_to_another_one_or_not() -> None:
    """C25."""
    for way, every, stride in ((slices(), 1, 53), (snapshots(), 12, 331)):
        found = carry(pack("minimal"), seed=5, ways=[way], limit=1, every=every, stride=stride)
        assert not found.violations
        assert found.images > 1
        assert found.faults


def test_a_snapshot_has_no_commits_that_were_on_a_branch_before() -> None:
    """The program with this seed drops a branch: its commits stay in the store, and are in no snapshot of it."""
    found = carry(pack("minimal"), seed=196676841, ways=[snapshots()], limit=1, every=12, stride=331)
    assert not found.violations
    assert found.images > 1


def test_what_is_carried_and_not_whole_is_noticed() -> None:
    """The file is under its name before all of it is written."""

    def torn(subject: Subject, store: str, file: str, files: Files) -> None:
        with open_repo(subject.maker(store, files), create=False, readonly=True) as repo:
            data = repo.export().to_bytes()
        fd = files.open(file, os.O_RDWR | os.O_CREAT)
        for at in range(0, len(data), 700):
            files.pwrite(fd, data[at : at + 700], at)
        files.close(fd)

    way = replace(slices(), save=torn)
    assert carry(pack(), seed=5, ways=[way], limit=1, stride=10**6, stop=1).violations


def test_bouts_go_on_for_the_time_that_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0", "--seed", "3"]) == 0
    assert capsys.readouterr().out == "0 min: 0 bouts, seeds 3 to 2: ; 0 violations\nok\n"


@pytest.mark.skipif(os.environ.get("IRMINPY_PROFILE", "quick") == "quick", reason="ten seconds: profile ci")
def test_a_bout_says_what_it_did_and_finds_nothing() -> None:
    name, figures, wrong = bout(4)
    assert name == "flip, pack, always, wal, seed 4"
    assert figures["flips"] > 50
    assert wrong == []


@pytest.mark.parametrize(
    "name",
    [
        "no pack sync",
        "acknowledged before the sync",
        "refs before objects",
        "trusting what has the right length",
        "a frame checked against its own hash",
        "dedup without comparing bytes",
        "no test of refs",
        "LOCK_UN in a forked child",
        "a handle that goes on after a fork",
        "copying unverified bytes",
        "emitting a retired word",
        "emitting a word that moved meanwhile",
        "an index value without checksum",
    ],
)
def test_a_planted_bug_is_caught(name: str) -> None:
    (caught,) = selftest([name])
    assert caught.ok, caught


def test_the_points_are_25() -> None:
    assert sorted(POINTS) == [f"C{n:02}" for n in range(1, 26)]


@pytest.mark.profiled
@pytest.mark.skipif(os.environ.get("IRMINPY_PROFILE", "quick") == "quick", reason="ten seconds: profile ci")
def test_the_points_of_the_segments_and_of_the_index_are_met() -> None:
    found = points(seed=1, limit=6)
    assert not found.violations
    assert {"C01", "C03", "C08", "C10", *(f"C{n}" for n in range(13, 26))} <= set(found.survived)


# -- found ---------------------------------------------------------------------------------------------------------


def test_batches_that_head_does_not_name_are_found_before_a_segment_that_was_just_begun() -> None:
    """Only the last segment was looked at: a writer went on from HEAD, though it was older than MANIFEST.

    Found by `replay`, seed 1: state 0 after 12 acknowledged commits.
    """
    found = replay(pack(), PROGRAM, seed=1, limit=2)
    assert not found.violations


class Full(Files):
    """The disk is full when a file of this name is opened to be made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.free_again = False

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        if path.endswith(self.name) and flags & os.O_CREAT and not self.free_again:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        return super().open(path, flags, mode)


@pytest.mark.parametrize("name", ["000002.pack", "MANIFEST.tmp"])
def test_a_disk_that_is_full_while_a_segment_is_begun_leaves_the_handle_good(
    tmp_path: Path, name: str
) -> None:
    """Found by `sweep`, seed 1, call 208: the handle failed for good."""
    path = str(tmp_path / STORE)
    with open_repo(pack().maker(path, Files())) as repo:
        repo.branch("main").set("a", b"x" * 9000)
    files = Full(name)
    with open_repo(pack().maker(path, files), create=False) as repo:
        with pytest.raises(StorageError, match="free some space"):
            repo.branch("main").set("b", b"1")
        assert repo.branch("main").get("a") == b"x" * 9000
        files.free_again = True
        repo.branch("main").set("b", b"1")
        assert repo.branch("main").get("b") == b"1"


class Broken(Files):
    """Nothing can be read."""

    broken = False

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        return super().pread(fd, size, offset)


def test_a_read_that_the_system_refuses_is_a_storage_error(tmp_path: Path) -> None:
    """Found by `sweep`, seed 1, call 61 and others: OSError came out of opening, reading and writing."""
    path = str(tmp_path / STORE)
    files = Broken()
    with open_repo(pack().maker(path, files)) as repo:
        repo.branch("main").set("a", b"1")
        head = repo.branch("main").head()
        files.broken = True
        for act in (
            lambda: refs_of(repo),
            lambda: repo.branch("main").set("b", b"2"),
            lambda: repo.find_commit(head.hash),
            lambda: open_repo(pack().maker(path, files), create=False, readonly=True),
        ):
            with pytest.raises(StorageError, match="Input/output error"):
                act()
        files.broken = False
        repo.branch("main").set("b", b"2")


@pytest.mark.needs("strace")
def test_an_index_whose_last_page_cannot_be_written_is_given_up_without_a_word(tmp_path: Path) -> None:
    """Found by `syscalls`, seed 3, pwrite64 ENOSPC 3: closing raised IndexDamaged, which no user knows."""
    found = syscalls(pack(), PROGRAM, seed=3, first=3, calls=["pwrite64"])
    assert not found.violations
    assert found.reached


def test_an_index_of_a_later_time_does_not_stop_an_older_store(tmp_path: Path) -> None:
    """Found by `replay`, seed 1: opening raised IndexDamaged where the file beside the index was missing too."""
    old, new = tmp_path / "old", tmp_path / "new"
    with open_repo(pack().maker(str(old), Files())) as repo:
        first = repo.branch("main").set("a", b"1")
    shutil.copytree(old, new)
    with open_repo(pack().maker(str(new), Files())) as repo:
        repo.branch("main").set("b", b"2")
    for file in old.rglob("index/*/*"):
        file.unlink()
    for file in new.rglob("data.mdb"):
        shutil.copy(file, old / file.relative_to(new))
    with open_repo(pack().maker(str(old), Files()), create=False) as repo:
        assert repo.branch("main").head() == first
        repo.branch("main").set("c", b"3")
        assert repo.check().ok


def gate(root: Path, broken: Callable[[str], bool]) -> list[str | int]:
    """The violations where the first sync of a file for which `broken` holds fails, and the disk forgets it."""
    done: list[str] = []

    def before(name: str, what: str | int, creates: bool) -> None:
        path = os.readlink(f"/proc/self/fd/{what}") if name in ("fsync", "fdatasync") else ""
        if path and not done and broken(os.path.relpath(path, root)):
            done.append(path)
            raise OSError(errno.EIO, "Input/output error (injected)", path)

    recording = Recording(root, before)
    ledger = ledger_of(PROGRAM)
    wrong = persist(pack(), str(root / STORE), recording, PROGRAM, ledger)
    assert done
    return [*wrong, *judge_all(pack(), ledger, recording, 1)[1:]]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the path of a descriptor is asked of /proc")
@pytest.mark.parametrize(
    ("what", "broken"),
    [
        ("the header of a second segment", lambda path: path.endswith("000002.pack")),
        ("the name of the store", lambda path: path == "."),
        ("a batch", lambda path: path == f"{STORE}/pack/000001.pack"),
    ],
)
def test_what_a_failed_sync_has_left_is_made_durable_before_it_is_used(
    tmp_path: Path, what: str, broken: Callable[[str], bool]
) -> None:
    """Found by `fsyncgate`, seed 1, syncs 11 and 25: commits were acknowledged in a segment, and in a store, whose
    names or headers were on no disk.
    """
    assert gate(tmp_path, broken) == []


def test_a_store_without_syncs_may_be_in_the_first_of_two_states_with_the_same_refs(tmp_path: Path) -> None:
    """Found by the endless run, seed 1099: a commit was asked for that was lost, as D7 allows."""
    subject = pack(durability="none")
    ledger = ledger_of([Step("set", "main", "a", b"1"), Step("drop", "main")])
    assert ledger.states[0].refs == ledger.states[2].refs
    path = str(tmp_path / STORE)
    open_repo(subject.maker(path, Files())).close()
    assert not check(subject, path, ledger, Promise.after(2, ledger, lossy=True)).violations
    assert check(pack(), path, ledger, Promise.after(2, ledger)).violations
