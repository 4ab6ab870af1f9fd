"""Three-way merges: ME-01 to ME-15."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import merge as m
from irminpy.errors import DecodeError, NotFound
from irminpy.merge import NO_ANCESTOR, Conflict, Merge, Old

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
OLDS = st.just(NO_ANCESTOR) | st.integers(0, 2)


def reason(result: object) -> str:
    assert isinstance(result, Conflict)
    return result.reason


def test_there_is_one_value_for_no_ancestor_and_it_is_not_none() -> None:
    assert pickle.loads(pickle.dumps(NO_ANCESTOR)) is NO_ANCESTOR
    assert repr(NO_ANCESTOR) == "NO_ANCESTOR"
    assert m.map_ancestor(NO_ANCESTOR, str) is NO_ANCESTOR
    assert m.map_ancestor(1, str) == "1"


def test_a_conflict_is_a_value() -> None:
    """ME-01"""
    merge: Merge[int] = m.default()
    result = merge(0, 1, 2)
    assert result == Conflict("both sides changed it", (), 0, 1, 2)
    assert m.is_conflict(result)
    assert not m.is_conflict(1)


def test_a_conflict_pickles_and_goes_to_json_and_back() -> None:
    conflict = Conflict("add/del", ("a", "b"), "base", None, "theirs")
    assert pickle.loads(pickle.dumps(conflict)) == conflict
    assert Conflict.from_json(json.loads(json.dumps(conflict.to_json()))) == conflict


def test_the_sides_of_a_conflict_go_to_json_by_a_codec() -> None:
    conflict = Conflict("add/del", (), b"\x00", None, b"\xff")
    obj = json.loads(json.dumps(conflict.to_json(bytes.hex)))
    assert obj == {"reason": "add/del", "path": [], "base": "00", "ours": None, "theirs": "ff"}
    assert Conflict.from_json(obj, bytes.fromhex) == conflict
    assert conflict.to_json() == obj


@given(
    st.none()
    | st.text()
    | st.dictionaries(
        st.sampled_from(["reason", "path"]), st.none() | st.text() | st.lists(st.text() | st.none())
    )
)
def test_json_that_is_no_conflict_is_a_decode_error(obj: object) -> None:
    try:
        Conflict.from_json(obj)
    except DecodeError:
        return


def test_default_without_ancestor_conflicts_even_if_both_sides_are_equal() -> None:
    """ME-02"""
    merge: Merge[int] = m.default()
    assert reason(merge(NO_ANCESTOR, 1, 1)) == "add/add and no common ancestor"


@pytest.mark.parametrize(("ours", "theirs", "result"), [(0, 0, 0), (0, 1, 1), (1, 0, 1)])
def test_default_takes_the_side_that_changed(ours: int, theirs: int, result: int) -> None:
    """ME-02"""
    merge: Merge[int] = m.default()
    assert merge(0, ours, theirs) == result


@pytest.mark.parametrize(("ours", "theirs"), [(1, 2), (1, 1)])
def test_default_conflicts_where_both_sides_changed(ours: int, theirs: int) -> None:
    """ME-02"""
    merge: Merge[int] = m.default()
    assert reason(merge(0, ours, theirs)) == "both sides changed it"


def test_default_tells_values_apart_as_it_is_told_to() -> None:
    """ME-12"""
    strict: Merge[Any] = m.default(equal=lambda a, b: type(a) is type(b) and a == b)
    loose: Merge[Any] = m.default()
    assert loose(1, True, 2) == 2
    assert m.is_conflict(strict(1, True, 2))


@given(OLDS, st.integers(0, 2))
def test_idempotent_takes_what_both_sides_agree_on(old: Old[int], value: int) -> None:
    """ME-03"""
    merge: Merge[int] = m.idempotent()
    assert merge(old, value, value) == value


@given(OLDS, st.integers(0, 2), st.integers(0, 2))
def test_idempotent_does_as_default_where_the_sides_differ(old: Old[int], ours: int, theirs: int) -> None:
    """ME-03"""
    idempotent: Merge[int] = m.idempotent()
    default: Merge[int] = m.default()
    if ours != theirs:
        assert idempotent(old, ours, theirs) == default(old, ours, theirs)


def always(reason: str) -> Merge[int]:
    return lambda old, ours, theirs: Conflict(reason)


def test_seq_gives_the_first_result_that_is_no_conflict_or_the_last_conflict() -> None:
    """ME-04"""
    assert m.seq(always("one"), m.counter, always("two"))(0, 1, 2) == 3
    assert reason(m.seq(always("one"), always("two"))(0, 1, 2)) == "two"


def test_a_seq_of_nothing_cannot_be_made() -> None:
    """ME-04"""
    with pytest.raises(TypeError):
        m.seq()  # type: ignore[call-arg]


def seen(old: Old[str], ours: str, theirs: str) -> str:
    """An inner merge that shows what it was given."""
    return f"inner({'-' if old is NO_ANCESTOR else old},{ours},{theirs})"


TRUTH_TABLE: list[tuple[Old[str | None], str | None, str | None, str | None]] = [
    (NO_ANCESTOR, None, None, None),
    (NO_ANCESTOR, "x", None, "x"),
    (NO_ANCESTOR, None, "x", "x"),
    (NO_ANCESTOR, "x", "y", "inner(-,x,y)"),
    (None, None, None, None),
    (None, "x", None, "x"),
    (None, None, "x", "x"),
    (None, "x", "y", "inner(-,x,y)"),
    ("o", None, None, None),
    ("o", "o", None, None),
    ("o", None, "o", None),
    ("o", "x", None, "conflict add/del"),
    ("o", None, "x", "conflict add/del"),
    ("o", "x", "o", "x"),
    ("o", "o", "x", "x"),
    ("o", "x", "y", "inner(o,x,y)"),
    # both sides made the same change: the inner merge decides, a counter would count twice
    (NO_ANCESTOR, "x", "x", "inner(-,x,x)"),
    (None, "x", "x", "inner(-,x,x)"),
    ("o", "x", "x", "inner(o,x,x)"),
    ("o", "o", "o", "o"),
]


@pytest.mark.parametrize(("old", "ours", "theirs", "expected"), TRUTH_TABLE)
def test_every_row_of_the_table_of_optional_merges(
    old: Old[str | None], ours: str | None, theirs: str | None, expected: str | None
) -> None:
    """ME-05, US-10"""
    result = m.option(seen)(old, ours, theirs)
    shown = f"conflict {result.reason}" if isinstance(result, Conflict) else result
    assert shown == expected


PAIR: Merge[tuple[int, int]] = m.pair(m.counter, m.default())


def test_a_pair_merges_as_a_whole_and_else_by_component() -> None:
    """ME-06"""
    assert PAIR((0, 0), (0, 0), (5, 5)) == (5, 5)
    assert PAIR((1, 0), (2, 7), (3, 0)) == (4, 7)
    assert reason(PAIR((1, 0), (2, 7), (3, 8))) == "both sides changed it"
    assert reason(PAIR(NO_ANCESTOR, (2, 7), (3, 8))) == "add/add and no common ancestor"


def test_a_pair_gives_its_first_conflict() -> None:
    """ME-06"""
    assert reason(m.pair(always("one"), always("two"))((0, 0), (1, 1), (2, 2))) == "one"
    assert reason(m.pair(m.counter, always("two"))((0, 0), (1, 1), (2, 2))) == "two"


def test_a_triple_merges_as_a_pair_does() -> None:
    """ME-06"""
    triple: Merge[tuple[int, int, int]] = m.triple(m.counter, m.default(), m.counter)
    assert triple((0, 0, 0), (1, 1, 1), (0, 0, 0)) == (1, 1, 1)
    assert triple((1, 0, 0), (2, 7, 1), (3, 0, 1)) == (4, 7, 2)
    assert triple((1, 1, 0), (2, 1, 1), (3, 1, -1)) == (4, 1, 0)
    for broken, name in enumerate(("one", "two", "three")):
        parts: list[Merge[int]] = [m.counter, m.counter, m.counter]
        parts[broken] = always(name)
        assert reason(m.triple(*parts)(NO_ANCESTOR, (1, 1, 1), (2, 2, 2))) == name


def ancestor_shown(key: str) -> Merge[str | None]:
    def merge(old: Old[str | None], ours: str | None, theirs: str | None) -> str | Conflict | None:
        return f"{key}:{old!r}:{ours}:{theirs}"

    return merge


def test_a_list_of_pairs_comes_back_sorted_and_no_ancestor_is_an_empty_one() -> None:
    """ME-07"""
    merge: Merge[Sequence[tuple[str, str]]] = m.alist(ancestor_shown)
    assert merge(NO_ANCESTOR, [("b", "1"), ("a", "2")], [("c", "3")]) == [
        ("a", "a:None:2:None"),
        ("b", "b:None:1:None"),
        ("c", "c:None:None:3"),
    ]


def test_a_map_without_ancestor_merges_its_keys_without_ancestor() -> None:
    """ME-08"""
    merge: Merge[Mapping[str, str]] = m.map_of(ancestor_shown)
    assert merge(NO_ANCESTOR, {"b": "1"}, {"a": "2"}) == {
        "b": "b:NO_ANCESTOR:1:None",
        "a": "a:NO_ANCESTOR:None:2",
    }
    assert merge({"c": "0"}, {"b": "1"}, {}) == {"b": "b:None:1:None"}


def per_key(key: str) -> Merge[int | None]:
    return m.option(m.default())


@pytest.mark.parametrize(
    ("old", "ours", "theirs", "merged"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 3}),
        ({"a": 1}, {"a": 2}, {"a": 1, "b": 1}, {"a": 2, "b": 1}),
        ({"a": 1}, {}, {}, {}),
    ],
)
def test_keys_merge_on_their_own_and_none_drops_a_key(
    old: dict[str, int], ours: dict[str, int], theirs: dict[str, int], merged: dict[str, int]
) -> None:
    """ME-07, ME-08"""
    of_map: Merge[Mapping[str, int]] = m.map_of(per_key)
    of_list: Merge[Sequence[tuple[str, int]]] = m.alist(per_key)
    assert of_map(old, ours, theirs) == merged
    assert of_list(list(old.items()), list(ours.items()), list(theirs.items())) == sorted(merged.items())


def test_a_conflict_of_one_key_is_the_conflict_of_the_whole() -> None:
    """ME-07, ME-08"""
    of_map: Merge[Mapping[str, int]] = m.map_of(per_key)
    of_list: Merge[Sequence[tuple[str, int]]] = m.alist(per_key)
    assert reason(of_map({"a": 0}, {"a": 1, "b": 1}, {"b": 2})) == "add/del"
    assert reason(of_list([("a", 0)], [("b", 1), ("a", 1)], [("b", 2)])) == "add/del"


def test_keys_that_do_not_order_themselves_are_sorted_as_told() -> None:
    """ME-07"""
    merge: Merge[Sequence[tuple[object, int]]] = m.alist(lambda key: m.option(m.counter), sort_key=str)
    assert merge([], [(2, 1), ("1", 1)], [(10, 1)]) == [("1", 1), (10, 1), (2, 1)]


SETS = st.frozensets(st.integers(0, 5))


@given(st.just(NO_ANCESTOR) | SETS, SETS, SETS)
def test_a_set_keeps_what_was_added_and_loses_what_was_removed(
    old: Old[frozenset[int]], ours: frozenset[int], theirs: frozenset[int]
) -> None:
    """ME-09"""
    base = frozenset[int]() if old is NO_ANCESTOR else old
    added = (ours - base) | (theirs - base)
    removed = (base - ours) | (base - theirs)
    assert m.set_(old, ours, theirs) == (base - removed) | added


COUNTS = st.dictionaries(st.integers(0, 3), st.integers(-3, 3))


@given(st.just(NO_ANCESTOR) | COUNTS, COUNTS, COUNTS)
def test_a_multiset_adds_up_the_counts_and_drops_zeros(
    old: Old[dict[int, int]], ours: dict[int, int], theirs: dict[int, int]
) -> None:
    """ME-10"""
    base = {} if old is NO_ANCESTOR else old
    merged = m.multiset(old, ours, theirs)
    assert 0 not in merged.values()
    for key in range(4):
        assert merged.get(key, 0) == ours.get(key, 0) + theirs.get(key, 0) - base.get(key, 0)


def test_a_counter_adds_what_both_sides_counted() -> None:
    """ME-11"""
    assert m.counter(10, 12, 9) == 11
    assert m.counter(NO_ANCESTOR, 2, 3) == 5


@given(st.just(NO_ANCESTOR) | INT64, INT64, INT64)
def test_a_counter_wraps_around_and_never_conflicts(old: Old[int], ours: int, theirs: int) -> None:
    """ME-11"""
    merged = m.counter(old, ours, theirs)
    assert -(1 << 63) <= merged < 1 << 63
    assert (merged - ours - theirs + (0 if old is NO_ANCESTOR else old)) % (1 << 64) == 0


def test_like_merges_in_another_domain() -> None:
    """ME-13"""
    merge = m.like(m.counter, int, str)
    assert merge("1", "2", "3") == "4"
    assert merge(NO_ANCESTOR, "2", "3") == "5"


def test_like_converts_nothing_where_one_side_did_not_change() -> None:
    """ME-13"""

    def refuse(value: str) -> int:
        raise AssertionError(value)

    assert m.like(m.counter, refuse, str)("1", "1", "3") == "3"


@pytest.mark.parametrize("error", [KeyError("x"), NotFound("path", "x")])
def test_a_value_that_like_cannot_convert_is_a_conflict(error: KeyError) -> None:
    """ME-13"""

    def fail(value: object) -> Any:
        raise error

    assert "cannot be converted" in reason(m.like(m.counter, fail, str)("1", "2", "3"))
    assert "cannot be converted" in reason(m.like(m.counter, int, fail)("1", "2", "3"))


def test_like_gives_the_conflict_of_its_inner_merge() -> None:
    """ME-13"""
    assert reason(m.like(always("inner"), int, str)("1", "2", "3")) == "inner"


def test_the_reason_of_a_conflict_can_be_rewritten() -> None:
    """ME-14"""
    merge = m.with_conflict(str.upper, always("one"))
    assert reason(merge(0, 1, 2)) == "ONE"
    assert m.with_conflict(str.upper, m.counter)(0, 1, 2) == 3


def test_bind_goes_on_with_a_result_and_stops_at_a_conflict() -> None:
    """ME-15"""
    assert m.bind(1, lambda value: value + 1) == 2
    conflict = Conflict("one")
    assert m.bind(conflict, str) is conflict
