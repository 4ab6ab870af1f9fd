"""The index under faults: flipped bytes, killed writers, system calls that fail beneath LMDB."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Container
from pathlib import Path

import pytest

from irminpy_pack import index as index_
from irminpy_pack import runs
from irminpy_pack.fingerprint import Fingerprint
from irminpy_pack.index import IndexDamaged
from irminpy_pack.walk import walk
from tests.pack_index import OWN, entries, opened, output, python

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "index")


# Flipped bytes

COUNT = (
    200  # of small blocks several leaves, and a page above them; of those that are usual three pages of rows
)

# For each flip that it is told: what reading all of the index gives. r: right. d: found to be damaged. m: something is
# missing, and a walk would not have noticed. w: something wrong was said. A flip of the newest transaction's number
# makes LMDB go back to the one before: that is an older index, and right as far as its end.
FLIPS = f"""
import os, sys
from irminpy.errors import StorageError
from irminpy_pack.index import IndexDamaged
from irminpy_pack.walk import main
from tests.pack_index import OWN, opened, entries
place, there, absent = sys.argv[1], entries({COUNT}), entries({COUNT}, seed=2)
arguments = [place, OWN["uuid"].hex(), str(OWN["generation"]), str(OWN["hash_size"])]

def read():
    index = opened(place, readonly=True)
    try:
        found = {{key: index.find(key[0], key[1:]) for key in [*there, *absent]}}
        found = {{key: word for key, word in found.items() if word}}
        if not found.items() <= there.items():
            return "w"
        for kind in (1, 2, 3):
            hashes = [key[1:] for key in there if key[0] == kind]
            words = index.find_many(kind, hashes)
            if any(word not in (0, there[bytes((kind,)) + hash_]) for hash_, word in zip(hashes, words)):
                return "w"
            for digit in "0123456789abcdef":
                if not set(index.prefix(kind, digit, 100)) <= set(hashes):
                    return "w"
        if not dict(index.dump()).items() <= there.items():
            return "w"
        return "r" if len(found) == (len(there) if index.end == 16 else len(there) // 2) else "m"
    except IndexDamaged:
        return "d"
    finally:
        index.close()

fd = os.open(os.path.join(place, "data.mdb"), os.O_RDWR)
for line in sys.stdin:
    at, value = map(int, line.split())
    was = os.pread(fd, 1, at)
    os.pwrite(fd, bytes((value,)), at)
    try:
        said = read()
        if said == "m" and "damage" in main(*arguments):
            said = "d"
    except IndexDamaged:
        said = "d"
    os.pwrite(fd, was, at)
    print(said, flush=True)
"""


def flip_all(place: str, flips: list[tuple[int, int]]) -> dict[str, int]:
    """What reading gives after each flip; x: it killed the process."""
    content = Path(place, "data.mdb").read_bytes()
    said = dict.fromkeys("rdmwx", 0)
    while flips:
        Path(place, "data.mdb").write_bytes(content)
        process = python(FLIPS, place)
        out, err = process.communicate("".join(f"{at} {value}\n" for at, value in flips), timeout=3000)
        for letter in out.split():
            said[letter] += 1
        flips = flips[len(out.split()) :]
        if flips:
            assert -process.returncode in (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT), err
            said["x"] += 1
            flips = flips[1:]
    Path(place, "data.mdb").write_bytes(content)
    return said


@pytest.mark.parametrize("block", [100, 4080])
def test_a_flipped_byte_never_makes_it_say_something_wrong(
    place: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal 9. Without a fingerprint: right, or damaged, or dead in the child; a miss only where a walk finds it."""
    monkeypatch.setattr(runs, "_BLOCK", block)
    monkeypatch.setattr(index_, "_JOINED", 1)  # two runs
    index = opened(place)
    index.add(dict(sorted(entries(COUNT).items())[: COUNT // 2]), 8)
    index.add(entries(COUNT), 16)
    index.close()
    size = os.path.getsize(os.path.join(place, "data.mdb"))
    rng = random.Random(block)
    if PROFILE == "deep":
        flips = [(at, value) for at in range(size) for value in (0x00, 0x7F, 0x80, 0xFF)]
    else:
        # Headers and node pointers of pages, where LMDB follows numbers, more often than the rest.
        count = 30 if PROFILE == "quick" else 60
        flips = [(rng.randrange(size), rng.randrange(256)) for _ in range(count)]
        heads = [page + at for page in range(0, size, 4096) for at in range(160)]
        flips += [(at, rng.randrange(256)) for at in rng.sample(heads, min(count, len(heads)))]
    said = flip_all(place, flips)
    assert said["w"] == said["m"] == 0, said
    assert said["d"] > 0, said
    assert said["r"] > 0, said
    assert sum(said.values()) == len(flips)


# Killed writers

# Adds are runs of their own, and merging takes many transactions.
WRITER = """
import sys
from irminpy_pack import index as index_, runs
from tests.pack_index import opened, entries
index_._JOINED, runs._STEP, runs._PIECE = 1, 3, 2
index = opened(sys.argv[1], map_size=1 << 16)
n = index.end
while n < int(sys.argv[2]):
    n += 1
    index.add(entries(400, seed=n), n)
    print(n, flush=True)
    index.merge()
"""


def expect(place: str, states: set[int], fingerprint: Fingerprint | None = None) -> int:
    """The index is that of one of `states`, each the number of adds that WRITER had done; which one."""
    index = opened(place, fingerprint=fingerprint)
    assert index.end in states
    model: dict[bytes, int] = {}
    for n in range(1, index.end + 1):
        model |= entries(400, seed=n)
    assert dict(index.dump()) == model
    assert index.count == len(model)
    index.verify()
    index.add(entries(1, seed=10**6), index.end)  # and it can be written again
    index.merge(wholly=True)  # what was begun is gone on with
    assert (index.runs, dict(index.dump())) == (1, model | entries(1, seed=10**6))
    end = index.end
    index.close()
    return end


def acknowledged(out: str) -> int:
    lines = out.split()
    return int(lines[-1]) if lines else 0


@pytest.mark.parametrize("seed", range(2 if PROFILE == "quick" else 3))
def test_a_writer_killed_at_any_time_leaves_the_old_or_the_new(place: str, seed: int) -> None:
    opened(place).close()
    process = python(WRITER, place, 10**9)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(random.Random(seed).random() * 0.2)
    process.kill()
    rest = process.stdout.read()  # `communicate` would miss what `readline` has read ahead
    process.communicate()
    done = acknowledged(first + rest)
    assert expect(place, {done, done + 1})


def put_away(place: str, adds: int) -> Fingerprint:
    index = opened(place)
    for n in range(1, adds + 1):
        index.add(entries(400, seed=n), n)
    fingerprint = index.close()
    assert fingerprint is not None
    return fingerprint


TRACE = ["-f", "-qq", "-o", "/dev/null"]
SYNCS = ["fdatasync", "fsync", "pwrite64", "writev", "rename"]
NTH = range(1, 12 if PROFILE == "deep" else 5)
QUICK = [(call, n + 1) for n, call in enumerate(SYNCS)]


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    ("call", "nth"), QUICK if PROFILE == "quick" else [(call, nth) for call in SYNCS for nth in NTH]
)
def test_a_writer_killed_at_a_system_call_is_no_damage_to_its_fingerprint(
    place: str, call: str, nth: int, tool_path: dict[str, str]
) -> None:
    """C11 to C13: the old state or the new, and whoever compares the fingerprint knows that there was a writer."""
    fingerprint = put_away(place, 1)
    inject = f"inject={call}:signal=KILL:when={nth}"
    process = python(
        WRITER, place, 3, wrap=[tool_path["strace"], *TRACE, "-e", f"trace={call}", "-e", inject]
    )
    out, err = process.communicate(timeout=60)
    done = max(1, acknowledged(out))
    assert process.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), err
    expect(place, {done, done + 1} if process.returncode else {3}, fingerprint)


# System calls that fail

FAILING = """
import sys
from irminpy.errors import StorageError
from irminpy_pack.index import IndexDamaged
from tests.pack_index import opened, entries
there = entries(400, seed=1)
index = None
try:
    index = opened(sys.argv[1])
    for n in (2, 3):
        try:
            index.add(entries(4000, seed=n), n)  # more than one page in a row: LMDB calls writev too
            print("added", n)
            index.merge(wholly=True)
        except StorageError as error:
            print("refused", n, index.end, dict(index.dump()).items() >= there.items())
        print("closed" if index.close() is None else "put away") if n == 3 else None
except IndexDamaged as error:
    print("damaged")
except StorageError as error:
    print("unusable")
"""


def check(place: str, out: str, fingerprint: Fingerprint) -> None:
    """What FAILING said is what is there."""
    added = [int(line.split()[1]) for line in out.splitlines() if line.startswith("added")]
    try:
        index = opened(place, fingerprint=fingerprint)
    except IndexDamaged:
        assert "damaged" in out.split()
        return
    found = dict(index.dump())
    assert entries(400, seed=1).items() <= found.items()
    for n in added:
        assert entries(4000, seed=n).items() <= found.items()
    assert len(found) in ({400, 4400, 8400} if "damaged" in out else {400 + 4000 * len(added)})
    index.close()


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("fdatasync", "EIO", {"damaged", "added", "put"}),
        ("pwrite64", "EIO", {"damaged", "added", "put", "closed", "unusable"}),
        ("pwrite64", "ENOSPC", {"refused", "added", "put", "damaged", "closed"}),
        ("writev", "ENOSPC", {"refused", "added", "put", "damaged", "closed"}),
        ("fsync", "EIO", {"damaged", "added", "put"}),
        ("rename", "ENOSPC", {"refused", "added", "put"}),
    ],
)
@pytest.mark.parametrize("nth", [1] if PROFILE == "quick" else NTH)
def test_a_system_call_that_fails_is_a_typed_error_and_loses_nothing(
    place: str, call: str, error: str, said: set[str], nth: int, tool_path: dict[str, str]
) -> None:
    """A full disk refuses the entries; a failed sync ends the use of the index, since LMDB would go on."""
    fingerprint = put_away(place, 1)
    inject = f"inject={call}:error={error}:when={nth}"
    out = output(FAILING, place, wrap=[tool_path["strace"], *TRACE, "-e", f"trace={call}", "-e", inject])
    assert {line.split()[0] for line in out.splitlines()} <= said, out
    assert nth > 1 or not out.startswith("added"), out
    check(place, out, fingerprint)


@pytest.mark.needs("fiu")
@pytest.mark.parametrize(
    ("point", "errno", "said"),
    [
        ("posix/io/sync/fdatasync", 5, "damaged"),
        ("posix/io/rw/pwrite", 28, "refused"),
        ("posix/io/rw/pwrite", 5, "damaged"),
    ],
)
def test_a_library_call_that_always_fails_is_a_typed_error_and_loses_nothing(
    place: str, point: str, errno: int, said: str, tool_path: dict[str, str]
) -> None:
    fingerprint = put_away(place, 1)
    # Enabled from inside, once the index is open: Python itself must be able to start.
    out = output(FAILING, place, wrap=[tool_path["fiu"], "-x", "-c", f"enable name={point},failinfo={errno}"])
    assert said in out.split(), out
    check(place, out, fingerprint)


# What a walk finds


def test_what_a_walk_finds_is_what_reading_would_meet(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries behind a flipped key of a page above them are passed by walking and missed by looking: it does both."""
    monkeypatch.setattr(runs, "_BLOCK", 100)
    index = opened(place)
    index.add(entries(COUNT), 8)
    index.close()
    path = Path(place, "data.mdb")
    content = path.read_bytes()
    at = branch_key(content, entries(COUNT))
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(IndexDamaged, match="is not found by its key"):
        walk(place, **OWN)


def branch_key(content: bytes, keys: Container[bytes]) -> int:
    """Where the hash of a key lies in a branch page; pages are 4096 bytes: flags 1, then pointers to nodes."""
    for page in range(2 * 4096, len(content), 4096):
        if int.from_bytes(content[page + 10 : page + 12], "little") == 1:
            # The second node, since the key of the first is empty: 8 bytes, then the key.
            key = page + int.from_bytes(content[page + 18 : page + 20], "little") + 8
            if content[key + 4 : key + 37] in keys:  # behind the number of the run
                return key + 5
    raise AssertionError("there is no branch page")
