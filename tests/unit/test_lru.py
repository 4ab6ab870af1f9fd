"""The map that forgets: BE-13, TC-102."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from irminpy.lru import Lru


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    """BE-13"""
    lru = Lru[str, int](2)
    lru.add("a", 1)
    lru.add("b", 2)
    lru.add("c", 3)
    assert list(lru.iter()) == [("b", 2), ("c", 3)]


def test_find_and_mem_count_as_use() -> None:
    """BE-13"""
    lru = Lru[str, int](2)
    lru.add("a", 1)
    lru.add("b", 2)
    assert lru.find("a") == 1
    lru.add("c", 3)
    assert lru.mem("a")
    lru.add("d", 4)
    assert [key for key, _ in lru.iter()] == ["a", "d"]
    assert lru.find("b") is None
    assert not lru.mem("b")


def test_a_capacity_of_zero_holds_nothing() -> None:
    """BE-13"""
    lru = Lru[str, int](0)
    lru.add("a", 1)
    assert len(lru) == lru.weight == 0
    weightless = Lru[str, int](0, weigh=lambda value: 0)
    weightless.add("a", 1)
    assert not weightless.mem("a")


def test_a_negative_capacity_is_no_bound() -> None:
    """BE-13"""
    lru = Lru[int, int](-1)
    for i in range(1000):
        lru.add(i, i)
    assert len(lru) == lru.weight == 1000


def test_drop_forgets_the_oldest_and_clear_everything() -> None:
    """BE-13"""
    lru = Lru[str, int](3)
    assert lru.drop() is None
    lru.add("a", 1)
    lru.add("b", 2)
    assert lru.drop() == ("a", 1)
    lru.clear()
    assert (len(lru), lru.weight, list(lru.iter())) == (0, 0, [])


def test_adding_a_key_again_replaces_its_value_and_weight() -> None:
    lru = Lru[str, bytes](10, weigh=len)
    lru.add("a", b"12345")
    lru.add("a", b"12")
    assert (lru.find("a"), lru.weight) == (b"12", 2)
    lru.remove("a")
    lru.remove("a")
    assert (len(lru), lru.weight) == (0, 0)


def test_a_value_too_heavy_is_not_held_and_pushes_nothing_out() -> None:
    lru = Lru[str, bytes](4, weigh=len)
    lru.add("a", b"1")
    lru.add("b", b"2")
    lru.add("a", b"12345")
    assert list(lru.iter()) == [("b", b"2")]


def test_as_many_as_needed_are_forgotten_to_make_room() -> None:
    lru = Lru[str, bytes](4, weigh=len)
    for key in "abc":
        lru.add(key, b"1")
    lru.add("d", b"123")
    assert [key for key, _ in lru.iter()] == ["c", "d"]


def test_it_may_be_changed_while_it_is_iterated() -> None:
    lru = Lru[int, int](-1)
    for i in range(3):
        lru.add(i, i)
    for key, _ in lru.iter():
        lru.remove(key)
    assert len(lru) == 0


KEYS = st.integers(0, 9)
STEPS = st.lists(
    st.tuples(st.just("add"), KEYS) | st.tuples(st.sampled_from(["clear", "remove", "find", "mem"]), KEYS)
)


@given(STEPS, st.sampled_from([-1, 10]))
def test_below_its_capacity_it_is_a_map_also_after_clear(steps: list[tuple[str, int]], capacity: int) -> None:
    """TC-102, CG-13: in one release of Irmin the map did not work any more after it had been cleared."""
    lru, model = Lru[int, int](capacity), dict[int, int]()
    for i, (step, key) in enumerate(steps):
        if step == "add":
            lru.add(key, i)
            model[key] = i
        elif step == "remove":
            lru.remove(key)
            model.pop(key, None)
        elif step == "clear":
            lru.clear()
            model.clear()
        elif step == "mem":
            assert lru.mem(key) == (key in model)
        else:
            assert lru.find(key) == model.get(key)
        assert dict(lru.iter()) == model
        assert lru.weight == len(lru) == len(model)


@given(STEPS, st.integers(0, 12))
def test_the_weight_is_the_sum_of_weights_and_within_the_capacity(
    steps: list[tuple[str, int]], capacity: int
) -> None:
    lru = Lru[int, int](capacity, weigh=lambda value: value)
    for step, key in steps:
        if step == "clear":
            lru.clear()
        else:
            lru.add(key, key)
        assert lru.weight == sum(value for _, value in lru.iter()) <= capacity


def test_threads_may_share_it() -> None:
    lru = Lru[int, int](50)

    def work(seed: int) -> None:
        for i in range(2000):
            key = (i * seed) % 97
            lru.add(key, key)
            assert lru.find((i * 7) % 97) in (None, (i * 7) % 97)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 5, 11, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lru.weight == len(lru) == 50
