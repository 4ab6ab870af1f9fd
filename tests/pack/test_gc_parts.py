"""The parts of garbage collection: sets of places on disk, and where objects went."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy_pack.files import Files
from irminpy_pack.gc.bitmap import Bitmap
from irminpy_pack.gc.relocate import Relocation
from irminpy_pack.generation import Generation, decode_generation, encode_generation

places = st.one_of(st.integers(0, 1 << 21), st.integers(0, (1 << 42) - 1))


def temporary() -> int:
    fd, path = tempfile.mkstemp()
    os.unlink(path)
    return fd


@given(st.lists(places, max_size=200), st.sets(places, max_size=20), st.integers(1, 4))
def test_a_bitmap_is_a_set(given: list[int], gone: set[int], pages: int) -> None:
    bitmap, model = Bitmap(Files(), temporary(), pages), set[int]()
    for place in given:
        assert bitmap.add(place) is (place not in model)
        model.add(place)
    for place in gone:
        bitmap.discard(place)
        model.discard(place)
    assert all((place in bitmap) is (place in model) for place in [*given, *gone])
    assert bool(bitmap) is bool(model)
    assert list(bitmap.drain_up()) == sorted(model)
    assert not bitmap
    assert list(bitmap.drain_up()) == []
    bitmap.close()


@given(st.dictionaries(places, st.lists(places, max_size=4), max_size=60), st.integers(1, 4))
def test_what_is_put_in_below_while_a_bitmap_is_drained_comes_too(
    edges: dict[int, list[int]], pages: int
) -> None:
    """Marking: each place leads to some below it."""
    bitmap, seen = Bitmap(Files(), temporary(), pages), list[int]()
    below = {place: [other for other in others if other < place] for place, others in edges.items()}
    roots = sorted(edges)[-3:]
    for root in roots:
        bitmap.add(root)
    for place in bitmap.drain_down():
        seen.append(place)
        for other in below.get(place, []):
            bitmap.add(other)
    model, queue = set(roots), list(roots)
    while queue:
        for other in below.get(queue.pop(), []):
            if other not in model:
                model.add(other)
                queue.append(other)
    assert seen == sorted(model, reverse=True)
    bitmap.close()


@given(st.lists(st.sets(places, max_size=700), max_size=4), st.lists(places, max_size=20))
def test_a_relocation_is_a_mapping(runs: list[set[int]], others: list[int]) -> None:
    moved, model = Relocation(Files(), temporary()), dict[int, int]()
    for run in runs:
        moved.turn()
        for place in sorted(run):
            if place not in model:
                model[place] = len(model) + 1
                moved.add(place, model[place])
    for again in (False, True):
        if again:
            moved.forget()
        assert all(moved.find(place) == new for place, new in model.items())
        assert all(moved.find(place) == model.get(place, 0) for place in others)
    assert moved.count == len(model)


def test_what_a_generation_says_is_read_back_and_nothing_else_is() -> None:
    generation = Generation(7, 1 << 50, [b"a" * 32, b"b" * 32])
    data = encode_generation(generation)
    assert decode_generation(data) == generation
    for wrong in (b"", b"\x93", data + b"\0", data[:-1], b"\x01", b"\x92\x01\x02"):
        with pytest.raises(ValueError, match=r"."):
            decode_generation(wrong)
