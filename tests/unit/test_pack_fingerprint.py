"""What an index was when it was put away, and the walk over one of which that is not known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from irminpy_pack.files import Files
from irminpy_pack.fingerprint import Fingerprint, compare
from irminpy_pack.index import IndexDamaged
from irminpy_pack.walk import walk
from tests.pack_index import OWN, block_of, change, entries, opened


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "index")


# Fingerprints


def put_away(place: str, count: int = 40) -> Fingerprint:
    index = opened(place)
    index.add(entries(count), 8)
    fingerprint = index.close()
    assert fingerprint is not None
    return fingerprint


def test_an_index_that_is_what_it_was_is_checked(place: str) -> None:
    index = opened(place)
    assert index.checked  # nobody had a chance to damage it
    index.close()
    fingerprint = put_away(place)
    for readonly in (True, False):
        index = opened(place, readonly=readonly, fingerprint=fingerprint)
        assert index.checked
        index.close()
    index = opened(place)
    assert not index.checked  # nobody knows
    index.close()


def test_an_index_that_was_only_read_keeps_its_fingerprint(place: str) -> None:
    fingerprint = put_away(place)
    index = opened(place, fingerprint=fingerprint)
    assert index.fingerprint() == fingerprint
    assert index.close() == fingerprint


def test_an_index_that_was_written_since_is_not_compared(place: str) -> None:
    fingerprint = put_away(place)
    index = opened(place, fingerprint=fingerprint)
    index.add({b"\1" + b"a" * 32: 5}, 16)
    newer = index.close()
    assert newer is not None
    assert newer.transaction == fingerprint.transaction + 1
    index = opened(place, fingerprint=fingerprint)
    assert not index.checked
    index.close()
    index = opened(place, fingerprint=newer)
    assert index.checked
    index.close()


def test_a_fingerprint_of_an_index_that_was_set_aside_says_nothing_of_the_new_one(place: str) -> None:
    fingerprint = put_away(place)
    os.rename(place, place + "-aside")
    index = opened(place, fingerprint=fingerprint)
    index.add(entries(3), 8)
    index.close()
    index = opened(place, fingerprint=fingerprint)
    assert (index.count, index.checked) == (3, False)
    index.close()


def test_an_older_copy_beside_a_newer_fingerprint_is_found(place: str) -> None:
    put_away(place)
    shutil.copytree(place, place + "-old")
    index = opened(place)
    index.add({b"\1" + b"a" * 32: 5}, 16)
    newer = index.close()
    shutil.rmtree(place)
    os.rename(place + "-old", place)
    with pytest.raises(IndexDamaged, match="not what it was when it was put away"):
        opened(place, fingerprint=newer)


def test_nothing_is_mapped_before_the_comparison(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = put_away(place)
    with open(os.path.join(place, "data.mdb"), "r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes((byte[0] ^ 1,)))
    monkeypatch.setattr(lmdb, "open", lambda *_, **__: pytest.fail("LMDB has the file"))
    for readonly in (True, False):
        with pytest.raises(IndexDamaged, match="it has other bytes"):
            opened(place, readonly=readonly, fingerprint=fingerprint)


@pytest.mark.parametrize("length", [0, 1, 4096, 8192, 20480])
def test_a_truncated_file_is_found_whatever_may_be_hashed(place: str, length: int) -> None:
    fingerprint = put_away(place)
    os.truncate(os.path.join(place, "data.mdb"), length)
    for check in (0, 1 << 30):
        with pytest.raises(IndexDamaged, match=f"it has {length} bytes, not {fingerprint.length}"):
            opened(place, fingerprint=fingerprint, check=check)


class Counting(Files):
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        self.sizes.append(size)
        return super().pread(fd, size, offset)


def test_files_larger_than_the_check_are_not_hashed(place: str) -> None:
    fingerprint = put_away(place, 2000)
    files = Counting()
    index = opened(place, fingerprint=fingerprint, check=fingerprint.length - 1, files=files)
    assert not index.checked
    assert sum(files.sizes) < 1000
    index.add({}, 16)
    newer = index.close()
    assert newer is not None
    assert newer.digest == b""
    index = opened(place, fingerprint=newer)  # even if it might be now
    assert not index.checked
    index.close()


def test_an_older_transaction_of_a_file_too_large_to_be_hashed_is_found_by_its_number(place: str) -> None:
    put_away(place)
    data = Path(place, "data.mdb")
    old = data.read_bytes()
    index = opened(place, check=0)
    index.add({min(entries(40)): 7}, 16)
    newer = index.close()
    assert newer is not None
    data.write_bytes(old + bytes(newer.length - len(old)))
    with pytest.raises(IndexDamaged, match="its newest transaction is"):
        opened(place, fingerprint=newer, check=0)


def test_the_file_is_hashed_in_pieces(place: str) -> None:
    fingerprint = put_away(place, 40_000)
    files = Counting()
    assert opened(place, fingerprint=fingerprint, files=files).close() is not None
    assert fingerprint.length > 1 << 20
    assert max(files.sizes) <= 1 << 20


def flips(content: bytes) -> Iterator[tuple[int, int]]:
    """Every byte with one other value, and in longer runs with two more."""
    for at, byte in enumerate(content):
        yield at, byte ^ 1 << at % 8
        if os.environ.get("IRMINPY_PROFILE", "quick") != "quick":
            yield from ((at, value) for value in (0, 0xFF) if value != byte)


@pytest.mark.profiled
def test_every_flipped_byte_is_found_by_the_fingerprint(place: str) -> None:
    """All of them, also those that LMDB never reads, and those of transaction numbers."""
    fingerprint = put_away(place)
    path = Path(place, "data.mdb")
    content = path.read_bytes()
    fd, files, found, tried = os.open(path, os.O_RDWR), Files(), 0, 0
    try:
        for at, value in flips(content):
            os.pwrite(fd, bytes((value,)), at)
            tried += 1
            try:
                compare(files, place, fingerprint, 1 << 30)
            except IndexDamaged:
                found += 1
            os.pwrite(fd, content[at : at + 1], at)
    finally:
        os.close(fd)
    assert found == tried >= fingerprint.length
    assert compare(files, place, fingerprint, 1 << 30)


def test_every_damage_of_the_mark_of_writers_is_found(place: str) -> None:
    fingerprint = put_away(place)
    path = Path(place, "written")
    content = path.read_bytes()
    cut = [content[:length] for length in range(len(content))] + [content + b"\0"]
    flipped = [content[:at] + bytes((byte,)) + content[at + 1 :] for at, byte in flips(content)]
    for damaged in cut + flipped:
        path.write_bytes(damaged)
        with pytest.raises(IndexDamaged, match="its file written is damaged"):
            opened(place, fingerprint=fingerprint)
    path.unlink()
    with pytest.raises(IndexDamaged):
        opened(place, fingerprint=fingerprint)


# The walk in another process


def test_a_walk_counts_the_entries(place: str) -> None:
    put_away(place)
    assert walk(place, **OWN) == (40, 8, False)
    assert walk(place, **OWN, still=True) == (40, 8, hasattr(lmdb, "ProblemError"))  # as of py-lmdb 3.0


def test_a_walk_finds_a_damaged_entry(place: str) -> None:
    put_away(place)
    rows = bytearray(block_of(entries(40)))
    rows[40] ^= 1  # in the word of the first one
    change(place, b"objects", lambda txn, db: txn.put(b"\0\0\0\1" + max(entries(40)), bytes(rows), db=db))
    with pytest.raises(IndexDamaged, match="has a wrong checksum"):
        walk(place, **OWN)


def test_a_walk_finds_rows_that_are_missing(place: str) -> None:
    put_away(place)
    rows = block_of(entries(40))[45:]
    change(place, b"objects", lambda txn, db: txn.put(b"\0\0\0\1" + max(entries(40)), rows, db=db))
    with pytest.raises(IndexDamaged, match="its run 1 has 39 rows, and says 40"):
        walk(place, **OWN)


def test_a_walk_over_nothing_or_another_index_says_so(place: str) -> None:
    with pytest.raises(IndexDamaged, match="there is none"):
        walk(place, **OWN)
    put_away(place)
    with pytest.raises(IndexDamaged, match="its generation is 3, not 4"):
        walk(place, **{**OWN, "generation": 4})


def test_a_walk_that_does_not_end_in_time_is_a_finding(place: str) -> None:
    put_away(place)
    with pytest.raises(IndexDamaged, match="did not end within 0 seconds"):
        walk(place, **OWN, timeout=0.001)


def test_a_walk_that_dies_of_the_damage_is_a_finding(place: str) -> None:
    """The state is found, but the pages behind the file's new end are not: SIGBUS, which Python cannot catch."""
    put_away(place, 5000)
    path = Path(place, "data.mdb")
    assert path.stat().st_size > 50 * 4096
    with open(path, "r+b") as file:
        content = file.read()
        newest = 4096 * (
            int.from_bytes(content[144:152], "little") < int.from_bytes(content[4240:4248], "little")
        )
        assert content[newest + 40 + 48 + 40 : newest + 40 + 48 + 48] != b"\xff" * 8
        file.seek(newest + 40 + 48 + 40)
        file.write((1 << 20).to_bytes(8, "little"))  # the root of the tables, far beyond the end
        file.seek(newest + 40 + 96)
        file.write((1 << 21).to_bytes(8, "little"))  # the last page, which LMDB compares it with
    with pytest.raises(IndexDamaged, match=r"died of SIG(BUS|SEGV)"):
        walk(place, **OWN)
