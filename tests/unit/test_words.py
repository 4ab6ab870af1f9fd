"""Maps from hashes to words: both classes, against a dict, and the rows of an index that they make."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import _rows, core
from irminpy.hash import Hash

CLASSES = [_rows.Words] if core.Words is _rows.Words else [_rows.Words, core.Words]
both = pytest.mark.parametrize("words_of", CLASSES)
Maker = Callable[[int], _rows.Words]


def rows_of(prefix: bytes, words: dict[bytes, int]) -> bytes:
    """As docs/formats/index.md has it."""
    found = [prefix + hash_ + word.to_bytes(8, "little") for hash_, word in sorted(words.items())]
    return b"".join([row + crc32(row).to_bytes(4, "little") for row in found])


some = st.dictionaries(st.binary(min_size=2, max_size=2), st.integers(1, 2**64 - 1), max_size=90)
asked = st.lists(st.one_of(st.binary(min_size=2, max_size=2), st.binary(max_size=3)), max_size=20)


@both
@given(added=st.lists(st.tuples(some, asked), max_size=8), prefix=st.binary(max_size=3))
def test_it_is_a_dict_of_hashes(
    words_of: Maker, added: list[tuple[dict[bytes, int], list[bytes]]], prefix: bytes
) -> None:
    words, model = words_of(2), dict[bytes, int]()
    for more, hashes in added:
        words.add(more)
        model |= more
        there = {hash_: model[hash_] for hash_ in hashes if hash_ in model}
        assert [words.find(hash_) for hash_ in hashes] == [model.get(hash_, 0) for hash_ in hashes]
        assert words.find_many(hashes) == words.find_many(dict.fromkeys(hashes)) == there
        assert [*words.find_many(hashes)] == [*there]
        assert (len(words), words.size) == (len(model), 2)
        assert words.items() == [*model.items()]
        assert words.hashes() == [*model]
    assert words.rows(prefix) == rows_of(prefix, model)


@both
@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 32, 33, 255, 256, 257, 70_000])
@pytest.mark.parametrize("alike", [0, 2, 8, 20])
def test_hashes_that_begin_alike_or_not_are_found_and_sorted(words_of: Maker, count: int, alike: int) -> None:
    rng = random.Random(count)
    there = {b"\xa7" * alike + rng.randbytes(32 - alike): rng.randrange(1, 1 << 64) for _ in range(count)}
    words = words_of(32)
    words.add({Hash(hash_): word for hash_, word in there.items()})
    assert words.find_many([*there]) == there
    assert words.rows(b"\2") == rows_of(b"\2", there)


@both
@pytest.mark.parametrize("size", [1, 7, 8, 9, 20, 64, 255, 1024])
def test_hashes_of_all_sizes_are_held(words_of: Maker, size: int) -> None:
    rng = random.Random(size)
    words, there = words_of(size), {rng.randbytes(size): n for n in range(1, 200)}
    words.add(there)
    assert dict(words.items()) == there
    assert words.rows(b"") == rows_of(b"", there)


@both
@pytest.mark.parametrize("size", [-1, 0, 1025, 1 << 40])
def test_sizes_that_no_hash_has_are_refused(words_of: Maker, size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes are no size of a hash: 1 to 1024 are"):
        words_of(size)


WRONG: list[tuple[Any, type[Exception], str]] = [
    ({b"abc": 1}, ValueError, "the hash 616263 has 3 bytes, not 2"),
    ({b"": 1}, ValueError, "the hash  has 0 bytes, not 2"),
    ({b"a" * 99: 1}, ValueError, "the hash (61){40} has 99 bytes, not 2"),
    ({b"ab": 0}, ValueError, "0 is no word of an object"),
    ({b"ab": -1}, ValueError, "-1 is no word of an object"),
    ({b"ab": 1 << 64}, ValueError, "18446744073709551616 is no word of an object"),
    ({"ab": 1}, TypeError, "bytes are bound to int, not str to int"),
    ({b"ab": "1"}, TypeError, "bytes are bound to int, not bytes to str"),
]


@both
@pytest.mark.parametrize(("wrong", "error", "said"), WRONG)
def test_what_is_no_hash_or_no_word_is_refused_and_nothing_is_bound(
    words_of: Maker, wrong: dict[bytes, int], error: type[Exception], said: str
) -> None:
    words = words_of(2)
    with pytest.raises(error, match=said):
        words.add({b"xy": 1} | wrong | {b"zz": 2})
    assert (len(words), words.find(b"xy"), words.items()) == (0, 0, [])
    words.add({b"xy": 1})
    assert words.find_many([b"xy"]) == {b"xy": 1}


@both
def test_what_asking_raises_comes_through(words_of: Maker) -> None:
    words = words_of(2)
    words.add({b"ab": 1})

    def failing() -> Any:
        yield b"ab"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        words.find_many(failing())
    with pytest.raises(TypeError):
        words.find_many(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        words.rows("a")  # type: ignore[arg-type]
    assert words.find("ab") == 0  # type: ignore[arg-type]


@both
def test_rows_are_made_and_questions_answered_while_another_thread_adds(words_of: Maker) -> None:
    words, there = words_of(8), {n.to_bytes(8, "big"): n for n in range(1, 3001)}
    words.add(there)
    done = threading.Event()

    def add() -> None:
        for start in range(3001, 30_001, 100):
            words.add({n.to_bytes(8, "big"): n for n in range(start, start + 100)})
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    while not done.is_set():
        made = words.rows(b"\1")
        assert made.startswith(rows_of(b"\1", there))
        assert len(made) % 21 == 0
        assert words.find_many(there) == there
    thread.join()
    assert len(words) == 30_000


@pytest.mark.skipif(core.CORE != "c", reason="the map in Python holds the objects")
def test_hashes_and_words_are_copied() -> None:
    hash_ = random.Random(1).randbytes(32)
    before = sys.getrefcount(hash_)
    words = core.Words(32)
    words.add({hash_: 1 << 60})
    assert sys.getrefcount(hash_) == before


def test_where_a_hash_lies_is_a_secret_of_the_process() -> None:
    """Rows in other slots are found as well: with each secret the map says the same."""
    code = "from irminpy.core import Words; w = Words(4); w.add({n.to_bytes(4, 'big'): n + 1 for n in range(5000)});"
    code += "print(sum(w.find_many([n.to_bytes(4, 'big') for n in range(9000)]).values()))"
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert int(done.stdout) == 5000 * 5001 // 2
