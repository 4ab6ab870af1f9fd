"""The files of an irmin-pack store one by one: branches, index, control, mapping, dict."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from pathlib import Path

import pytest

from irminpy.errors import Corrupted, UnsupportedVersion
from irminpy.hash import Hash
from irminpy_upstream.control import Control, Gced, Volume, read_control, read_volume
from irminpy_upstream.heads import Heads
from irminpy_upstream.index import Index
from irminpy_upstream.names import names
from irminpy_upstream.space import Space
from tests.irmin_packs import int63, legacy, write_index

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "irmin"


def hash_of(n: int) -> bytes:
    return hashlib.sha256(b"%d" % n).digest()


def record(name: bytes, hash: bytes) -> bytes:
    return len(name).to_bytes(4, "big") + name + hash


def test_later_branches_hold_zeros_remove_and_other_names_are_left_out(tmp_path: Path) -> None:
    one, two = hash_of(1), hash_of(2)
    rows = [
        *(record(b"main", one), record(b"x", one), record(b"main", two)),
        *(record(b"x", bytes(32)), record(b"a..b", one), record(b"\xff", one), record(b"a/b", two)),
    ]
    heads = Heads(str(tmp_path), 32)
    assert heads.all() == {}
    file = tmp_path / "store.branches"
    for data in (legacy(b"".join(rows), 1), bytes(16) + b"".join(rows), legacy(b"".join(rows), 1) + b"left"):
        file.write_bytes(data)
        os.utime(file, ns=(len(data), len(data)))
        assert heads.all() == {"a/b": Hash(two), "main": Hash(two)}
    for damaged in (b"", b"short", legacy(rows[0], 1)[:-1], legacy(rows[0][:-1], 1), b"x" * 16):
        file.write_bytes(damaged)
        with pytest.raises(Corrupted):
            Heads(str(tmp_path), 32).all()
    file.write_bytes(legacy(rows[0], 7))
    with pytest.raises(UnsupportedVersion):
        Heads(str(tmp_path), 32).all()


@pytest.mark.parametrize("merged", [False, True])
def test_every_entry_of_an_index_is_found_and_no_other(merged: bool, tmp_path: Path) -> None:
    rows = {hash_of(i): (1000 * i, i + 1, b"D") for i in range(500)}
    write_index(tmp_path, rows, merged=merged)
    index = Index(str(tmp_path), 32)
    for hash_, (offset, _, _) in rows.items():
        assert list(index.find(hash_)) == [offset]
    assert list(index.find(hash_of(-1))) == []
    assert sorted(index.hashes()) == sorted(rows)


def test_the_newest_entry_comes_first(tmp_path: Path) -> None:
    """log_async, then log, then data; in a log the last one."""
    hash_ = hash_of(0)
    write_index(tmp_path, {hash_: (1, 1, b"B")}, merged=True)

    def log(name: str, *offsets: int) -> None:
        data = b"".join(hash_ + int63(offset) + bytes(4) + b"B" for offset in offsets)
        (tmp_path / "index" / name).write_bytes(int63(len(data)) + b"00000001" + bytes(16) + data + b"more")

    log("log", 2, 3)
    log("log_async", 4)
    assert list(Index(str(tmp_path), 32).find(hash_)) == [4, 3, 2, 1]


def test_a_damaged_index_is_told(tmp_path: Path) -> None:
    write_index(tmp_path, {hash_of(i): (i, 1, b"D") for i in range(9)}, merged=True)
    data = tmp_path / "index" / "data"
    whole = data.read_bytes()
    for damaged in (
        b"",
        whole[:20],
        whole[:-1],
        int63(45 * 10) + whole[8:],
        whole[:24] + int63(3) + whole[32:],
    ):
        data.write_bytes(damaged)
        with pytest.raises(Corrupted):
            Index(str(tmp_path), 32)
    data.write_bytes(whole[:24] + int63(24) + whole[32:56] + whole[64:])  # three groups
    with pytest.raises(Corrupted):
        list(Index(str(tmp_path), 32).find(hash_of(1)))
    with pytest.raises(Corrupted, match="another size"):
        Index(str(VECTORS / "store-kv-minimal"), 20)
    (tmp_path / "none").mkdir()
    with pytest.raises(Corrupted):
        Index(str(tmp_path / "none"), 32)


def test_the_control_files_of_real_stores_say_what_the_files_are() -> None:
    found = read_control(str(VECTORS / "store-archive-kv"))
    assert found == Control(
        version=5,
        dict_end=1635,
        suffix_end=11248,
        first_chunk=1,
        chunks=2,
        volumes=2,
        gced=Gced(start=52934, generation=2, dead=10784, mapping=1176),
    )
    lower = VECTORS / "store-archive-kv-lower"
    assert read_volume(str(lower / "volume.1" / "volume.control")) == Volume(40064, 52934, 504)
    assert len(names(str(VECTORS / "store-archive-kv"), found)) == 204
    space = Space(str(VECTORS / "store-archive-kv"), found, str(lower))
    assert [len(part.read(52934 - 10, 20)) for part in space.parts] == [0, 10, 10, 0]


def test_every_byte_of_a_control_file_is_covered(tmp_path: Path) -> None:
    data = (VECTORS / "store-gc1-kv" / "store.control").read_bytes()
    file = tmp_path / "store.control"
    for at in range(len(data)):
        for bit in range(8):
            file.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            with pytest.raises((Corrupted, UnsupportedVersion)):
                read_control(str(tmp_path))
        file.write_bytes(data[:at])
        with pytest.raises((Corrupted, UnsupportedVersion)):
            read_control(str(tmp_path))


def test_ranges_that_do_not_follow_each_other_are_damage(tmp_path: Path) -> None:
    (tmp_path / "store.0.suffix").write_bytes(b"s" * 10)
    (tmp_path / "store.1.prefix").write_bytes(b"0123456789")
    control = Control(4, 0, 10, gced=Gced(100, 1, 0))
    mapping = tmp_path / "store.1.mapping"
    good = [(5, 0, 4), (20, 4, 6)]
    mapping.write_bytes(b"".join(struct.pack("<qqq", *row) for row in good))
    space = Space(str(tmp_path), control, None)
    assert [space.read(at, 3) for at in (4, 5, 8, 9, 20, 25, 26, 99, 100, 109, 110)] == [
        *(b"", b"012", b"3", b"", b"456", b"9", b"", b"", b"sss", b"s", b"")
    ]
    for bad in (
        [(5, 1, 4), (20, 5, 6)],
        [(5, 0, 4), (8, 4, 6)],
        [(20, 0, 4), (5, 4, 6)],
        [(5, 0, 4), (20, 4, 7)],
        [(5, 0, 0), (20, 0, 6)],
        [(-5, 0, 4), (20, 4, 6)],
        [(5, 0, 1 << 62), (1 << 62, 1 << 62, 6)],
    ):
        mapping.write_bytes(b"".join(struct.pack("<qqq", *row) for row in bad))
        with pytest.raises(Corrupted):
            Space(str(tmp_path), control, None)
    mapping.write_bytes(b"12345")
    with pytest.raises(Corrupted):
        Space(str(tmp_path), control, None)


def test_a_dict_that_ends_within_a_step_is_damage(tmp_path: Path) -> None:
    (tmp_path / "store.dict").write_bytes(record(b"abc", b"") + record(b"", b"") + b"\0\0\0\x09abc")
    assert names(str(tmp_path), Control(5, 11, 0)) == [b"abc", b""]
    for end in (8, 12, 18, 19):
        with pytest.raises(Corrupted):
            names(str(tmp_path), Control(5, end, 0))


def test_a_volume_whose_control_file_waits_to_be_renamed_is_read(tmp_path: Path) -> None:
    """Garbage was collected, and the process died before the last step, which the next writer would do."""

    def control(start: int, end: int, mapping: int) -> bytes:
        fields = int63(start) + int63(end) + int63(mapping)
        return b"00000005" + fields + int63(zlib.adler32(fields + bytes(8)))

    (tmp_path / "store.0.suffix").write_bytes(b"s" * 10)
    (tmp_path / "store.1.prefix").write_bytes(b"")
    (tmp_path / "store.1.mapping").write_bytes(b"")
    folder = tmp_path / "lower" / "volume.0"
    folder.mkdir(parents=True)
    (folder / "volume.control").write_bytes(control(0, 0, 0))
    state = Control(5, 0, 10, volumes=1, gced=Gced(4, 1, 0, 0))
    assert Space(str(tmp_path), state, str(tmp_path / "lower")).read(0, 4) == b""
    (folder / "volume.data").write_bytes(b"abcd")
    (folder / "volume.mapping").write_bytes(struct.pack("<qqq", 0, 0, 4))
    (folder / "volume.1.control").write_bytes(control(0, 4, 24))
    assert Space(str(tmp_path), state, str(tmp_path / "lower")).read(0, 9) == b"abcd"
