"""The cache of two dicts, in Python and in the compiled core."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import cache, core

Class = type[cache.Cache[object, object]]
CLASSES = (cache.Cache, core.Cache) if core.CORE == "c" else (cache.Cache,)
each = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__module__)


@each
def test_what_is_asked_for_in_every_turn_stays(cls: type[cache.Cache[int, str]]) -> None:
    held = cls(20, len)
    held.add(-1, "often")
    for i in range(100):
        held.add(i, "xxx")
        assert held.find(-1) == "often"
    assert held.find(0) is None
    assert held.find(99) == "xxx"


@each
def test_a_value_heavier_than_half_is_not_held_and_takes_the_place_of_no_other(
    cls: type[cache.Cache[str, str]],
) -> None:
    held = cls(10, len)
    held.add("a", "x")
    held.add("a", "longer")
    assert held.find("a") is None
    held.add("a", "fives")
    assert held.find("a") == "fives"
    for capacity in (0, -1, 1):
        nothing = cls(capacity, len)
        nothing.add("a", "x")
        assert nothing.find("a") is None


@each
def test_a_cleared_cache_is_empty(cls: type[cache.Cache[str, str]]) -> None:
    held = cls(10, len)
    held.add("a", "x")
    held.clear()
    assert held.find("a") is None
    assert (len(held), list(held.iter())) == (0, [])


@each
@given(
    capacity=st.integers(0, 40),
    actions=st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=9), st.booleans())),
)
def test_it_holds_what_was_added_last_within_its_bound(
    cls: type[cache.Cache[int, bytes]], capacity: int, actions: list[tuple[int, bytes, bool]]
) -> None:
    held = cls(capacity, len)
    model: dict[int, bytes] = {}
    for key, value, adds in actions:
        if adds:
            held.add(key, value)
            model[key] = value
            assert held.find(key) == (value if len(value) <= capacity // 2 else None)
        else:
            assert held.find(key) in (None, model.get(key))
        now = dict(held.iter())
        assert sum(map(len, now.values())) <= capacity
        assert now.keys() <= model.keys()
        assert len(held) == len(now)


@pytest.mark.skipif(core.CORE != "c", reason="there is one class only")
@given(
    capacity=st.integers(0, 40),
    actions=st.lists(
        st.tuples(st.integers(0, 9), st.binary(max_size=9), st.sampled_from(["add", "find", "drop", "clear"]))
    ),
)
def test_both_hold_the_same(capacity: int, actions: list[tuple[int, bytes, str]]) -> None:
    turns: list[list[int]] = [[], []]
    both: list[cache.Cache[int, bytes]] = [
        cls(capacity, len, partial(mine.append, 1)) for cls, mine in zip(CLASSES, turns, strict=True)
    ]
    for key, value, what in actions:
        if what == "add":
            for held in both:
                held.add(key, value)
        elif what == "clear":
            for held in both:
                held.clear()
        elif what == "drop":
            for held in both:
                held.drop_many([key, key + 1])
                assert held.find(key) is None
        else:
            one, two = (held.find(key) for held in both)
            assert one == two
        mine, its = (list(held.iter()) for held in both)
        assert mine == its
    assert turns[0] == turns[1]


@each
def test_many_at_once_are_held_as_one_by_one(cls: type[cache.Cache[int, str]]) -> None:
    held = cls(20, len)
    held.add_many({1: "abc", 2: "def"})
    assert (held.recent(1), held.find(2), len(held)) == ("abc", "def", 2)
    held.add_many(dict.fromkeys(range(3, 9), "xxxx"))
    assert sum(4 for n in range(9) if held.find(n)) <= 20
    assert held.find(8) == "xxxx"


@each
def test_what_was_dropped_makes_room(cls: type[cache.Cache[int, str]]) -> None:
    turns: list[int] = []
    held = cls(20, len, lambda: turns.append(1))
    held.add(0, "often")
    for n in range(1, 100):
        held.add(n, "abc")
        held.drop_many([n, n - 1, -1])
        if n > 1:
            assert held.find(n) is None
    assert turns == []
    assert (held.find(0), len(held)) == (None, 0)
    held.drop_many([])


@each
def test_what_is_recent_is_found_without_a_turn(cls: type[cache.Cache[str, str]]) -> None:
    held = cls(10, len)
    held.add("a", "12345")
    held.add("b", "12345")
    assert held.recent("b") == "12345"
    assert held.recent("a") in (None, "12345")
    assert held.find("a") == "12345"
    held.clear()
    assert held.recent("a") is None


@each
def test_what_fails_on_the_way_is_raised_and_nothing_is_lost(cls: Class) -> None:
    def turned() -> None:
        raise OSError("no page was given back")

    def weigh(value: object) -> int:
        if isinstance(value, str):
            return len(value)
        raise TypeError("no text")

    held = cls(10, weigh, turned)
    held.add("a", "123")
    with pytest.raises(TypeError, match="no text"):
        held.add("b", b"123")
    with pytest.raises(TypeError, match="unhashable"):
        held.add([], "1")
    with pytest.raises(TypeError, match="unhashable"):
        held.find([])
    with pytest.raises(OSError, match="no page"):
        held.add("c", "12345")
    assert held.find("a") == "123"


@each
def test_a_key_that_clears_the_cache_when_it_is_compared_does_no_harm(cls: Class) -> None:
    held = cls(100, lambda _: 1)

    class Key:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            held.clear()
            return self is other

    for _ in range(20):
        held.add(Key(), "x")
        held.find(Key())
    assert len(held) <= 20


@each
def test_a_cache_that_is_turned_by_what_it_holds_ends_with_it(cls: Class) -> None:
    class Owner:
        held: cache.Cache[object, object]

        def turned(self) -> None:
            pass

    owner = Owner()
    owner.held = cls(10, lambda _: 1, owner.turned)
    owner.held.add(1, owner)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
