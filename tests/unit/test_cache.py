"""The cache of two dicts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irminpy.cache import Cache


def test_what_is_asked_for_in_every_turn_stays() -> None:
    cache: Cache[int, str] = Cache(20, len)
    cache.add(-1, "often")
    for i in range(100):
        cache.add(i, "xxx")
        assert cache.find(-1) == "often"
    assert cache.find(0) is None
    assert cache.find(99) == "xxx"


def test_a_value_heavier_than_half_is_not_held_and_takes_the_place_of_no_other() -> None:
    cache: Cache[str, str] = Cache(10, len)
    cache.add("a", "x")
    cache.add("a", "longer")
    assert cache.find("a") is None
    cache.add("a", "fives")
    assert cache.find("a") == "fives"
    nothing: Cache[str, str] = Cache(0, len)
    nothing.add("a", "x")
    assert nothing.find("a") is None


def test_a_cleared_cache_is_empty() -> None:
    cache: Cache[str, str] = Cache(10, len)
    cache.add("a", "x")
    cache.clear()
    assert cache.find("a") is None
    assert (len(cache), list(cache.iter())) == (0, [])


@given(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=9), st.booleans())))
def test_it_holds_what_was_added_last_within_its_bound(
    capacity: int, actions: list[tuple[int, bytes, bool]]
) -> None:
    cache: Cache[int, bytes] = Cache(capacity, len)
    model: dict[int, bytes] = {}
    for key, value, adds in actions:
        if adds:
            cache.add(key, value)
            model[key] = value
            assert cache.find(key) == (value if len(value) <= capacity // 2 else None)
        else:
            assert cache.find(key) in (None, model.get(key))
        held = dict(cache.iter())
        assert sum(map(len, held.values())) <= capacity
        assert held.keys() <= model.keys()
        assert len(cache) == len(held)


def test_many_at_once_are_held_as_one_by_one() -> None:
    cache: Cache[int, str] = Cache(20, len)
    cache.add_many({1: "abc", 2: "def"})
    assert (cache.recent(1), cache.find(2), len(cache)) == ("abc", "def", 2)
    cache.add_many(dict.fromkeys(range(3, 9), "xxxx"))
    assert sum(4 for n in range(9) if cache.find(n)) <= 20
    assert cache.find(8) == "xxxx"


def test_what_is_recent_is_found_without_a_turn() -> None:
    cache: Cache[str, str] = Cache(10, len)
    cache.add("a", "12345")
    cache.add("b", "12345")
    assert (cache.recent("a"), cache.recent("b")) == (None, "12345")
    assert cache.find("a") == "12345"
    cache.clear()
    assert cache.recent("a") is None
