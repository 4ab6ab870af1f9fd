"""The filter before the index of the pack (decision 090): what was added is never taken for absent."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from irminpy import core
from irminpy_pack import absent
from irminpy_pack.absent import Absent
from irminpy_pack.index import Index, IndexDamaged
from tests.pack_index import change, entries, opened

CONTENTS = 2


def some(count: int, seed: int, size: int = 32) -> dict[bytes, int]:
    rng = random.Random(seed)
    return {rng.randbytes(size): rng.randrange(1, 1 << 64) for _ in range(count)}


def put(index: Index, filtered: Absent, words: dict[bytes, int]) -> None:
    index.add({bytes((CONTENTS,)) + hash_: word for hash_, word in words.items()}, index.end + 8)
    filtered.add([*words], index)


def test_a_filter_finds_all_that_was_added_and_few_others() -> None:
    bits, there = bytearray(1 << 14), [*some(10_000, 1)]
    core.filter_add(bits, there[:5000], 0)
    core.filter_add(bits, [b"\2" + hash_ for hash_ in there[5000:]], 1)
    assert core.filter_find(bits, there) == there
    assert len(core.filter_find(bits, [*some(10_000, 2)])) < 500


def test_a_filter_takes_no_other_sizes() -> None:
    for size in (0, 32, 96):
        with pytest.raises(ValueError, match=f"a filter of {size} bytes"):
            core.filter_find(bytearray(size), [b"a" * 32])
    with pytest.raises(ValueError, match="has 15 bytes, a filter takes 16 or more"):
        core.filter_add(bytearray(64), [b"a" * 16], 1)


def test_before_much_was_asked_nothing_is_known_to_be_absent(tmp_path: Path) -> None:
    index, filtered = opened(tmp_path / "index"), Absent(CONTENTS)
    put(index, filtered, some(100, 1))
    asked = [*some(2, 2)]
    assert filtered.rest(asked) == asked
    put(index, filtered, some(100, 3))  # four of two hundred: not worth the pass
    assert filtered.rest(asked) == asked
    index.close()


def test_what_went_into_the_index_before_and_after_is_not_absent(tmp_path: Path) -> None:
    index, filtered = opened(tmp_path / "index"), Absent(CONTENTS)
    index.add(entries(9000), 8)  # more than one page, of all kinds
    before = [key[1:] for key in entries(9000) if key[0] == CONTENTS]
    others = [key[1:] for key in entries(9000) if key[0] != CONTENTS]
    new = [*some(1000, 7)]
    assert filtered.rest(new) == new
    put(index, filtered, some(100, 1))
    put(index, filtered, some(100, 2))
    there = [*before, *some(100, 1), *some(100, 2)]
    assert filtered.rest(there) == there
    assert len(filtered.rest(new)) < 50
    assert len(filtered.rest(others)) < len(others) // 2
    filtered.forget()
    assert filtered.rest(new) == new
    index.close()


def test_a_filter_that_became_too_small_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absent, "_LEAST", 100)
    index, filtered = opened(tmp_path / "index"), Absent(CONTENTS)
    there: dict[bytes, int] = {}
    for seed in range(20):
        filtered.rest([*some(100, 99)])
        there |= some(200, seed)
        put(index, filtered, some(200, seed))
        assert filtered.rest([*there]) == [*there]
        assert len(filtered.rest([*some(1000, 98)])) < 200
    index.close()


def test_large_indexes_and_short_hashes_have_no_filter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = opened(tmp_path / "short", hash_size=15)
    filtered, asked = Absent(CONTENTS), [*some(1000, 2, 15)]
    assert filtered.rest(asked) == asked
    put(short, filtered, some(10, 1, 15))
    assert filtered.rest(asked) == asked
    short.close()
    index, filtered, asked = opened(tmp_path / "index"), Absent(CONTENTS), [*some(1000, 2)]
    filtered.rest(asked)
    put(index, filtered, some(100, 1))
    assert filtered.rest(asked) != asked
    monkeypatch.setattr(absent, "MOST", 150)
    monkeypatch.setattr(filtered, "_room", 0)
    put(index, filtered, some(100, 3))
    assert filtered.rest(asked) == asked
    index.close()


def test_keys_of_a_wrong_length_are_damage(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    index.add(entries(100), 8)
    index.close()
    there, run = sorted(entries(100)), b"\0\0\0\1"
    change(
        str(tmp_path / "index"), b"objects", lambda txn, db: txn.put(run + there[89], bytes(89 * 45), db=db)
    )
    index = opened(tmp_path / "index")
    with pytest.raises(IndexDamaged, match="wrong length"):
        list(index.keys(CONTENTS))
    index.close()
