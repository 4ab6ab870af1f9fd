"""The index of the pack: what it answers, and what it refuses to answer from."""

from __future__ import annotations

import itertools
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from irminpy.core import Words
from irminpy.errors import Closed, InvalidHash, ReadOnly, StorageError
from irminpy_pack import index as index_
from irminpy_pack import runs
from irminpy_pack.fingerprint import Fingerprint
from irminpy_pack.index import Index, IndexDamaged
from tests.pack_index import block_of, change, entries, opened

RUN = b"\0\0\0\1"  # what the keys of blocks of the first run begin with
DOCUMENT = (Path(__file__).parents[2] / "docs/formats/index.md").read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "index")


# What it answers


def test_what_was_added_is_found_under_its_kind_and_nothing_else(place: str) -> None:
    index = opened(place)
    index.add({b"\1" + b"a" * 32: 5, b"\2" + b"b" * 32: 6}, 64)
    assert index.find(1, b"a" * 32) == 5
    assert index.find(2, b"b" * 32) == 6
    assert index.find(2, b"a" * 32) == index.find(3, b"b" * 32) == index.find(1, b"c" * 32) == 0
    index.close()


def test_many_are_found_in_the_order_asked(place: str) -> None:
    index = opened(place)
    index.add({b"\1" + i.to_bytes(32, "big"): i + 1 for i in range(0, 3000, 2)}, 64)
    asked = [i.to_bytes(32, "big") for i in reversed(range(3000))]
    assert index.find_many(1, asked) == [0 if i % 2 else i + 1 for i in reversed(range(3000))]
    assert index.find_many(1, []) == []
    index.close()


def test_an_entry_added_again_gets_the_new_word_and_counts_once(place: str) -> None:
    index = opened(place)
    index.add({b"\1" + b"a" * 32: 5}, 64)
    index.add({b"\1" + b"a" * 32: 7, b"\1" + b"b" * 32: 8}, 128)
    assert (index.find(1, b"a" * 32), index.count, index.end) == (7, 2, 128)
    index.close()


def test_entries_end_and_count_are_there_after_reopening(place: str) -> None:
    there = entries(5000)
    index = opened(place)
    assert (index.end, index.count, list(index.dump())) == (0, 0, [])
    index.add(there, 1 << 44)
    index.close()
    index = opened(place, readonly=True)
    assert (index.end, index.count) == (1 << 44, 5000)
    assert list(index.dump()) == sorted(there.items())
    assert index.close() is None


def test_entries_by_kind_are_added_as_those_under_whole_keys(place: str) -> None:
    there = entries(3000)
    by_kind = {kind: Words(32) for kind in (1, 2, 3)}
    for key, word in there.items():
        by_kind[key[0]].add({key[1:]: word})
    index = opened(place)
    index.add_kinds(by_kind, 64)
    assert (index.end, index.count, list(index.dump())) == (64, 3000, sorted(there.items()))
    with pytest.raises(ValueError, match="hashes of 31 bytes for an index of hashes of 32"):
        index.add_kinds(by_kind | {2: Words(31)}, 128)
    with pytest.raises(InvalidHash, match="have 32 bytes") as refused:
        index.add({b"\2" + b"a" * 31: 1}, 128)
    assert refused.value.value == "61" * 31
    assert (index.end, index.count) == (64, 3000)
    index.close()


def test_nothing_may_be_added_but_the_end(place: str) -> None:
    index = opened(place)
    index.add({}, 4096)
    assert (index.end, index.count) == (4096, 0)
    index.close()


@pytest.mark.parametrize("size", [1, 20, 64, 505])
def test_hashes_of_other_sizes_are_held(place: str, size: int) -> None:
    there = entries(100, hash_size=size)
    index = opened(place, hash_size=size)
    index.add(there, 8)
    assert dict(index.dump()) == there
    assert all(index.find(key[0], key[1:]) == word for key, word in there.items())
    index.close()


@pytest.mark.parametrize("size", [0, 506])
def test_hashes_that_lmdb_cannot_hold_as_keys_are_refused(place: str, size: int) -> None:
    with pytest.raises(StorageError, match="1 to 505 bytes"):
        opened(place, hash_size=size)
    assert not os.path.exists(place)


def test_a_hash_of_another_length_is_refused(place: str) -> None:
    index = opened(place)
    for ask in (
        lambda: index.find(1, b"a" * 31),
        lambda: index.find_many(1, [b"a" * 32, b""]),
        lambda: index.add({b"\1" + b"a" * 33: 1}, 8),
    ):
        with pytest.raises(InvalidHash, match="have 32 bytes"):
            ask()
    index.close()


@pytest.mark.parametrize("word", [0, -1, 1 << 64])
def test_a_word_that_means_nothing_is_not_added(place: str, word: int) -> None:
    index = opened(place)
    with pytest.raises(ValueError, match="no word"):
        index.add({b"\1" + b"a" * 32: word}, 8)
    assert index.count == 0
    index.close()


HASHES = st.lists(st.binary(min_size=2, max_size=2), max_size=40, unique=True)


@settings(max_examples=settings().max_examples // 3)
@given(HASHES, st.text("0123456789abcdefAg", max_size=5), st.integers(0, 20))
def test_a_prefix_gives_the_first_hashes_whose_digits_begin_so(
    tmp_path_factory: pytest.TempPathFactory, hashes: list[bytes], prefix: str, limit: int
) -> None:
    index = opened(tmp_path_factory.mktemp("index") / "1", hash_size=2)
    index.add({bytes((kind,)) + hash_: 1 for hash_ in hashes for kind in (1, 2, 3)}, 8)
    expected = [hash_ for hash_ in sorted(hashes) if hash_.hex().startswith(prefix)][:limit]
    assert index.prefix(2, prefix, limit) == expected
    assert index.prefix(3, prefix, limit) == expected
    index.close()


def test_entries_may_be_added_while_they_are_dumped(place: str) -> None:
    there, more = entries(10_000), entries(10_000, seed=2)
    index = opened(place)
    index.add(there, 8)
    dump = index.dump()
    seen = dict(itertools.islice(dump, 5000))
    index.add(more, 16)
    seen |= dict(dump)
    assert there.items() <= seen.items() <= (there | more).items()
    index.close()


def test_a_closed_index_answers_nothing(place: str) -> None:
    index = opened(place)
    index.close()
    for ask in (
        lambda: index.find(1, b"a" * 32),
        lambda: index.find_many(1, []),
        lambda: index.prefix(1, "", 1),
        lambda: index.add({}, 0),
        lambda: list(index.dump()),
        lambda: index.end,
        lambda: index.count,
    ):
        with pytest.raises(Closed):
            ask()
    assert index.close() is None


# Readers


def test_a_reader_makes_nothing_and_writes_nothing(place: str) -> None:
    with pytest.raises(IndexDamaged, match="there is none"):
        opened(place, readonly=True)
    assert not os.path.exists(place)
    opened(place).close()
    reader = opened(place, readonly=True)
    with pytest.raises(ReadOnly):
        reader.add({}, 8)
    reader.close()


def test_readers_and_writers_of_one_process_share_what_is_written(place: str, tmp_path: Path) -> None:
    opened(place).close()
    other = tmp_path / "other"
    other.symlink_to(place)
    reader = opened(place, readonly=True)
    writer = opened(other)  # by another path, and for writing though it is open for reading
    writer.add({b"\1" + b"a" * 32: 5}, 8)
    assert reader.find(1, b"a" * 32) == 5
    assert writer.close() is not None
    assert reader.find(1, b"a" * 32) == 5
    second = opened(place)
    second.add({b"\1" + b"a" * 32: 6}, 16)
    reader.close()
    assert second.find(1, b"a" * 32) == 6
    second.close()


# Another index than the one asked for


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"uuid": b"x" * 16}, "its store is"),
        ({"generation": 4}, "its generation is 3, not 4"),
        ({"hash_size": 20}, "its hash size is 32, not 20"),
    ],
)
def test_the_index_of_something_else_is_not_used(place: str, option: dict[str, Any], reason: str) -> None:
    opened(place).close()
    with pytest.raises(IndexDamaged, match=reason):
        opened(place, **option)
    opened(place).close()


def test_a_lost_block_is_missed_in_the_count(place: str) -> None:
    index = opened(place)
    index.add(entries(100), 8)
    index.close()
    change(place, b"objects", lambda txn, db: txn.delete(RUN + max(entries(100)), db=db))
    with pytest.raises(IndexDamaged, match="its count of blocks is 2, not 1"):
        opened(place)


def test_a_state_that_does_not_fit_its_checksum_is_not_used(place: str) -> None:
    opened(place).close()

    def spoil(txn: lmdb.Transaction[bytes], db: Any) -> None:
        state = txn.get(b"state", db=db) or b""
        txn.put(b"state", state[:30] + b"\xff" + state[31:], db=db)

    change(place, b"meta", spoil)
    with pytest.raises(IndexDamaged, match="its state has a wrong checksum"):
        opened(place)
    change(place, b"meta", lambda txn, db: txn.delete(b"state", db=db))
    with pytest.raises(IndexDamaged, match="its state is missing"):
        opened(place)


def test_an_index_of_version_1_is_not_used(place: str) -> None:
    """It is made anew: each object had an entry of LMDB of its own."""
    opened(place).close()
    state = struct.pack("<HH16sQQQ", 1, 32, bytes(range(16)), 3, 64, 0)
    state += zlib.crc32(state).to_bytes(4, "little")
    change(place, b"meta", lambda txn, db: txn.put(b"state", state, db=db))
    with pytest.raises(IndexDamaged, match="its format version is 1, not 2"):
        opened(place)


def test_a_state_that_names_more_runs_than_it_has_is_not_used(place: str) -> None:
    opened(place).close()
    state = struct.pack("<HH16sQQI", 2, 32, bytes(range(16)), 3, 64, 1)
    state += zlib.crc32(state).to_bytes(4, "little")
    change(place, b"meta", lambda txn, db: txn.put(b"state", state, db=db))
    with pytest.raises(IndexDamaged, match="its state's length is 44, not 68"):
        opened(place)


@pytest.mark.parametrize("ask", [Index.verify, partial(Index.merge, wholly=True)])
def test_rows_that_are_out_of_order_are_not_merged(
    place: str, ask: Callable[[Index], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_, "_JOINED", 1)
    there = sorted(entries(40))
    index = opened(place)
    index.add(entries(40), 8)
    index.add(entries(1, seed=2), 16)
    index.close()
    rows = block_of(entries(40))
    swapped = rows[45:90] + rows[:45] + rows[90:]
    change(place, b"objects", lambda txn, db: txn.put(RUN + there[-1], swapped, db=db))
    index = opened(place)
    with pytest.raises(IndexDamaged, match=f"the row {there[0].hex()} is out of order"):
        ask(index)
    assert index.close() is None


def test_a_run_that_lacks_rows_is_not_joined(place: str) -> None:
    index = opened(place)
    index.add(entries(40), 8)
    index.close()
    change(
        place, b"objects", lambda txn, db: txn.put(RUN + max(entries(40)), block_of(entries(40))[45:], db=db)
    )
    index = opened(place)
    with pytest.raises(IndexDamaged, match="its run 1 has not the 40 rows that it should"):
        index.add(entries(100, seed=2), 16)
    index.close()


def test_when_there_are_no_more_numbers_it_is_made_anew(place: str) -> None:
    opened(place).close()
    last = max(entries(1))
    state = struct.pack("<HH16sQQIIIQQ", 2, 32, bytes(range(16)), 3, 64, 1, (1 << 32) - 1, 0, 1, 1)
    state += zlib.crc32(state).to_bytes(4, "little")
    change(place, b"meta", lambda txn, db: txn.put(b"state", state, db=db))
    change(place, b"objects", lambda txn, db: txn.put(b"\xff" * 4 + last, block_of(entries(1)), db=db))
    index = opened(place)
    assert dict(index.dump()) == entries(1)
    with pytest.raises(IndexDamaged, match="no more numbers"):
        index.add(entries(40), 72)
    index.close()


@pytest.mark.parametrize("content", [b"", b"x" * 100, os.urandom(8192)])
def test_a_file_that_is_not_lmdb_is_not_used(place: str, content: bytes) -> None:
    opened(place).close()
    Path(place, "data.mdb").write_bytes(content)
    with pytest.raises(IndexDamaged):
        opened(place, readonly=True)


def test_an_index_whose_making_was_cut_off_is_made(place: str) -> None:
    opened(place).close()
    Path(place, "data.mdb").write_bytes(b"")  # LMDB had opened the file
    index = opened(place)
    assert (index.count, index.checked) == (0, False)
    index.close()


def test_an_environment_without_our_tables_is_not_used(place: str) -> None:
    opened(place).close()
    os.unlink(os.path.join(place, "data.mdb"))
    with lmdb.open(place, max_dbs=2) as env, env.begin(write=True) as txn:
        txn.put(b"a", b"b")
    with pytest.raises(IndexDamaged, match="it lacks its tables"):
        opened(place)


# A damaged entry

WRONG = "has a wrong checksum|of a wrong length"


@pytest.mark.parametrize("value", [b"", b"\5", bytes(12), b"\5" + bytes(11), b"\xff" * 12, b"\5" + bytes(12)])
@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.find(1, b"a" * 32),
        lambda index: index.find_many(1, [b"a" * 32]),
        lambda index: index.prefix(1, "6", 1),
        lambda index: list(index.dump()),
    ],
)
def test_an_entry_that_does_not_fit_its_checksum_condemns_the_index(
    place: str, value: bytes, ask: Callable[[Index], object]
) -> None:
    index = opened(place)
    index.add({b"\1" + b"a" * 32: 5}, 8)
    index.close()
    key = b"\1" + b"a" * 32
    change(place, b"objects", lambda txn, db: txn.put(RUN + key, key + value, db=db))
    index, other = opened(place), opened(place, readonly=True)
    with pytest.raises(IndexDamaged, match=WRONG):
        ask(index)
    for user in (index, other):  # everybody in the process knows
        with pytest.raises(IndexDamaged, match=WRONG):
            user.find(1, b"b" * 32)
    with pytest.raises(IndexDamaged, match=WRONG):
        opened(place)
    os.rename(place, place + "-aside")
    new = opened(place)
    new.add({b"\1" + b"b" * 32: 6}, 8)
    assert new.find(1, b"b" * 32) == 6
    with pytest.raises(IndexDamaged):
        other.find(1, b"b" * 32)
    other.close()
    assert index.close() is None
    assert new.find(1, b"b" * 32) == 6
    new.close()


def test_the_checksum_binds_the_word_to_its_key(place: str) -> None:
    index = opened(place)
    index.add({b"\1" + b"a" * 32: 5, b"\1" + b"b" * 32: 6}, 8)
    index.close()

    a, b = block_of({b"\1" + b"a" * 32: 5}), block_of({b"\1" + b"b" * 32: 6})
    swapped = a[:33] + b[33:] + b[:33] + a[33:]
    change(place, b"objects", lambda txn, db: txn.put(RUN + b"\1" + b"b" * 32, swapped, db=db))
    index = opened(place)
    with pytest.raises(IndexDamaged):
        index.find(1, b"a" * 32)
    assert index.close() is None


# Bytes


def test_the_bytes_are_those_of_the_format_document(place: str) -> None:
    """docs/formats/index.md"""
    index = opened(place)
    held: dict[bytes, bytes | None] = {}
    index.close()
    change(place, b"meta", lambda txn, db: held.update({b"state": txn.get(b"state", db=db)}))

    def example(number: int) -> bytes:
        lines = DOCUMENT.split("```text\n")[number].split("```")[0].splitlines()
        return bytes.fromhex("".join(line.partition("  ")[0] for line in lines))

    assert held[b"state"] == example(1)
    index = opened(place)
    index.add({b"\1" + b"a" * 32: 5}, 8)
    index.close()
    change(place, b"meta", lambda txn, db: held.update({b"state": txn.get(b"state", db=db)}))
    change(place, b"objects", lambda txn, db: held.update(txn.cursor(db)))
    assert held[b"state"] == example(2)
    word = (5).to_bytes(8, "little")
    row = b"\1" + b"a" * 32 + word + zlib.crc32(b"\1" + b"a" * 32 + word).to_bytes(4, "little")
    assert row == example(3)
    assert held == {b"state": example(2), RUN + b"\1" + b"a" * 32: row}
    mark = Path(place, "written").read_bytes()
    assert (mark[:8], mark[16:24]) == (
        b"IRMPYIDX",
        (1).to_bytes(8, "little"),
    )  # after the one that made the tables
    assert mark[24:] == zlib.crc32(mark[:24]).to_bytes(4, "little")


# Against a dict


KEYS = st.builds(lambda kind, byte: bytes((kind, byte, byte)), st.integers(1, 3), st.integers(0, 255))


class IndexMachine(RuleBasedStateMachine):
    """Two handles at most, one of them for reading; writes, reopening with fingerprints, all against a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[bytes, int] = {}
        self.end = 0
        self.fingerprint: Fingerprint | None = None
        self.reader: Index | None = None

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.mkdtemp()
        self.options: dict[str, Any] = {"hash_size": 2, "map_size": 1 << 16}
        self.index = opened(self.directory + "/1", **self.options)

    @rule(entries=st.dictionaries(KEYS, st.integers(1, (1 << 64) - 1), max_size=300))
    def add(self, entries: dict[bytes, int]) -> None:
        self.end += 8
        self.index.add(entries, self.end)
        self.model |= entries

    @rule(wholly=st.booleans())
    def merge(self, wholly: bool) -> None:
        self.index.merge(wholly=wholly)
        assert self.index.runs <= self.index.count.bit_length()
        if wholly:
            assert (self.index.count, self.index.runs) == (len(self.model), len(self.model) > 0)
            self.index.verify()

    @rule(steps=st.integers(1, 3))
    def merge_a_little(self, steps: int) -> None:
        """As one whose process ends in the middle of it, or who has no space for more."""
        assert self.index._environment is not None
        for _ in range(steps):
            self.index._environment.write(partial(self.index._merge, True))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=20))
    def find(self, keys: list[bytes]) -> None:
        for index in filter(None, (self.index, self.reader)):
            assert [index.find(key[0], key[1:]) for key in keys] == [self.model.get(key, 0) for key in keys]
            found = index.find_many(keys[0][0], [key[1:] for key in keys])
            assert found == [self.model.get(keys[0][:1] + key[1:], 0) for key in keys]

    @rule(kind=st.integers(1, 3), prefix=st.text("0123456789abcdef", max_size=4), limit=st.integers(1, 20))
    def prefix(self, kind: int, prefix: str, limit: int) -> None:
        hashes = sorted(key[1:] for key in self.model if key[0] == kind and key[1:].hex().startswith(prefix))
        assert self.index.prefix(kind, prefix, limit) == hashes[:limit]

    @rule(recall=st.booleans())
    def reopen(self, recall: bool) -> None:
        self.fingerprint = self.index.close()
        assert self.fingerprint is not None
        recalled = self.fingerprint if recall else None
        self.index = opened(self.directory + "/1", fingerprint=recalled, **self.options)
        assert self.index.checked == recall

    @rule()
    def put_away(self) -> None:
        self.fingerprint = self.index.fingerprint()
        assert self.fingerprint is not None

    @precondition(lambda self: self.reader is None)
    @rule()
    def open_reader(self) -> None:
        self.reader = opened(
            self.directory + "/1", readonly=True, fingerprint=self.fingerprint, **self.options
        )

    @precondition(lambda self: self.reader is not None)
    @rule()
    def close_reader(self) -> None:
        if self.reader is not None:
            self.reader.close()
        self.reader = None

    @invariant()
    def it_is_the_dict(self) -> None:
        if hasattr(self, "index"):
            assert self.index.count >= len(self.model)
            assert self.index.end == self.end
            assert list(self.index.dump()) == sorted(self.model.items())
            for kind in (1, 2, 3):
                keys = [key for page in self.index.keys(kind) for key in page]
                assert keys == sorted(keys)
                assert {key for key in keys if key[0] == kind} == {
                    key for key in self.model if key[0] == kind
                }

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.close_reader()
            self.index.close()
            shutil.rmtree(self.directory)


class SmallMachine(IndexMachine):
    """The same with blocks of some rows, and merges of some blocks at a time, so that there are many of each."""

    SMALL = (
        (runs, "_BLOCK", 50),
        (runs, "_STEP", 3),
        (runs, "_PIECE", 2),
        (index_, "_JOINED", 8),
        (index_, "_PAGE", 2),
    )

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for module, name, value in self.SMALL:
            self.patch.setattr(module, name, value)
        super().begin()

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "patch"):
            self.patch.undo()


TestIndexMachine = IndexMachine.TestCase
TestSmallMachine = SmallMachine.TestCase
TestSmallMachine.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=25)
TestIndexMachine.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=25)
