"""What all contents types promise, and bytes, text, counters and one's own: TY-16, TY-21, CO-01."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from irminpy import contents
from irminpy.contents import Bytes, Contents, Counter, Json, JsonObject, Msgpack, Own, String
from irminpy.errors import DecodeError, IrminError, NotFound
from irminpy.hash import Hash
from irminpy.merge import NO_ANCESTOR, Conflict, Old

BUILT_IN: list[Contents[Any]] = [Bytes(), String(), JsonObject(), Json(), Msgpack(), Counter()]

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
UINT64 = st.integers(-(1 << 63), (1 << 64) - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
)
MSGPACK = st.recursive(
    st.none() | st.booleans() | UINT64 | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text() | st.binary() | UINT64, below, max_size=4)
    ),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bytes": st.binary(),
    "string/1": st.text(),
    "json-object/1": st.dictionaries(st.text(), JSON, max_size=4),
    "json/1": JSON,
    "msgpack/1": MSGPACK,
    "counter/1": INT64,
}
TYPED = st.sampled_from(BUILT_IN).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind.id]))


def identical(left: Any, right: Any) -> bool:
    """Whether the two are equal in value, and in every type and sign within."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(identical, left, right))
    if isinstance(left, dict):
        same_keys = {(type(key), key) for key in left} == {(type(key), key) for key in right}
        return same_keys and all(identical(left[key], right[key]) for key in left)
    return repr(left) == repr(right)


def canonical_or_refused(kind: Contents[Any], data: bytes) -> None:
    try:
        value = kind.decode(data)
    except DecodeError:
        return
    assert kind.encode(value) == data


@given(TYPED)
def test_what_is_decoded_is_what_was_encoded_types_included(typed: tuple[Contents[Any], Any]) -> None:
    kind, value = typed
    assert identical(kind.decode(kind.encode(value)), value)


@given(TYPED, st.data())
def test_two_values_have_the_same_bytes_only_if_they_are_identical(
    typed: tuple[Contents[Any], Any], draw: st.DataObject
) -> None:
    kind, value = typed
    other = draw.draw(VALUES[kind.id])
    assert (kind.encode(value) == kind.encode(other)) == identical(value, other)


@given(st.sampled_from(BUILT_IN), st.binary())
def test_any_bytes_are_canonical_or_a_decode_error(kind: Contents[Any], data: bytes) -> None:
    canonical_or_refused(kind, data)


@given(TYPED, st.data())
def test_bytes_with_one_changed_are_canonical_or_a_decode_error(
    typed: tuple[Contents[Any], Any], draw: st.DataObject
) -> None:
    kind, value = typed
    data = bytearray(kind.encode(value))
    if data:
        byte = st.integers(0, 255) | st.sampled_from(b'[]{}",:0 eE.')
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(byte)
    canonical_or_refused(kind, bytes(data))


ANYTHING = st.one_of(
    JSON,
    MSGPACK,
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.tuples(),
    st.complex_numbers(),
)


@given(
    st.sampled_from(BUILT_IN),
    ANYTHING | st.lists(ANYTHING, max_size=4) | st.dictionaries(st.text() | st.none(), ANYTHING, max_size=4),
)
@example(Json(), {"a": {"b": (1,)}})
def test_any_value_is_encoded_or_a_type_error_or_an_error_of_ours(kind: Contents[Any], value: Any) -> None:
    try:
        data = kind.encode(value)
    except (TypeError, IrminError):
        return
    assert identical(kind.decode(data), value)


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.id)
def test_a_built_in_type_is_a_value_found_by_its_id(kind: Contents[Any]) -> None:
    assert contents.by_id(kind.id) == kind == type(kind)()
    assert pickle.loads(pickle.dumps(kind)) == copy.copy(kind) == kind
    assert hash(type(kind)()) == hash(kind)


def test_built_in_types_are_not_equal_to_each_other() -> None:
    assert len(set(BUILT_IN)) == len(BUILT_IN)


def test_an_id_of_no_built_in_type_is_not_found() -> None:
    with pytest.raises(NotFound, match="invoice/1"):
        contents.by_id("invoice/1")


def test_bytes_are_stored_as_they_are() -> None:
    """TY-16"""
    data = b"\x00\xff" * 10
    assert Bytes().encode(data) is data
    assert Bytes().decode(data) is data
    assert type(Bytes().encode(Hash(b"abc"))) is bytes


@pytest.mark.parametrize("value", [bytearray(b"a"), memoryview(b"a"), "a", None, 1])
def test_other_types_are_no_bytes(value: Any) -> None:
    with pytest.raises(TypeError):
        Bytes().encode(value)


WHOLES: list[tuple[Contents[Any], Any, Any, Any]] = [
    (Bytes(), b"o", b"x", b"y"),
    (String(), "o", "x", "y"),
    (Msgpack(), ["o"], ["x"], ["y"]),
]


@pytest.mark.parametrize(("kind", "old", "x", "y"), WHOLES)
def test_whole_values_merge_idempotently_absence_included(
    kind: Contents[Any], old: Any, x: Any, y: Any
) -> None:
    """TY-16"""
    for ancestor in (NO_ANCESTOR, None, old):
        assert kind.merge(ancestor, x, x) == x
        assert kind.merge(ancestor, None, None) is None
    assert kind.merge(old, old, x) == kind.merge(old, x, old) == x
    assert kind.merge(old, None, old) is None
    assert kind.merge(None, x, None) == x
    for ancestor in (NO_ANCESTOR, None, old):
        assert isinstance(kind.merge(ancestor, x, y), Conflict)
    for ancestor in (NO_ANCESTOR, old):
        assert isinstance(kind.merge(ancestor, x, None), Conflict)


def test_text_is_its_utf8() -> None:
    assert String().encode("é") == "é".encode()
    with pytest.raises(DecodeError) as caught:
        String().decode(b"ab\xff")
    assert caught.value.offset == 2


@pytest.mark.parametrize("value", [b"a", None, 1])
def test_other_types_are_no_text(value: Any) -> None:
    with pytest.raises(TypeError):
        String().encode(value)


SURROGATES: list[tuple[Contents[Any], Any]] = [
    (String(), "a\ud800"),
    (Json(), ["a\ud800"]),
    (Json(), {"\ud800": 1}),
    (Msgpack(), "a\ud800"),
    (Msgpack(), {"\ud800": 1}),
]


@pytest.mark.parametrize(("kind", "value"), SURROGATES, ids=lambda value: "")
def test_a_surrogate_is_named_in_the_refusal(kind: Contents[Any], value: Any) -> None:
    with pytest.raises(DecodeError, match=r"'\\ud800'"):
        kind.encode(value)


def test_a_counter_is_eight_bytes_big_endian() -> None:
    assert Counter().encode(258) == b"\0\0\0\0\0\0\1\2"
    assert Counter().encode(-1) == b"\xff" * 8


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_other_types_are_no_count(value: Any) -> None:
    with pytest.raises(TypeError):
        Counter().encode(value)


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 10**5000], ids=lambda value: "")
def test_a_count_of_more_than_64_bits_is_refused(value: int) -> None:
    with pytest.raises(DecodeError, match="64-bit"):
        Counter().encode(value)


@pytest.mark.parametrize(
    ("old", "ours", "theirs", "merged"),
    [
        (10, 12, 9, 11),
        (1, 2, 2, 3),
        (NO_ANCESTOR, 2, 3, 5),
        (None, 2, 3, 5),
        (None, 2, None, 2),
        (NO_ANCESTOR, None, 3, 3),
        (5, None, 5, None),
        (5, None, None, None),
        (0, (1 << 63) - 1, 1, -(1 << 63)),
    ],
)
def test_counters_add_up_and_absent_is_zero(
    old: Old[int | None], ours: int | None, theirs: int | None, merged: int | None
) -> None:
    """CO-01, ME-11"""
    assert Counter().merge(old, ours, theirs) == merged


def test_to_delete_a_counter_that_the_other_side_counted_on_conflicts() -> None:
    """ME-05"""
    result = Counter().merge(5, None, 6)
    assert isinstance(result, Conflict)
    assert result.reason == "add/del"


def encode_set(value: frozenset[int]) -> bytes:
    return bytes(sorted(value))


def decode_set(data: bytes) -> frozenset[int]:
    value = frozenset(data)
    if encode_set(value) != data:
        raise DecodeError("set/1", "bytes in ascending order are expected")
    return value


def merge_set(
    old: Old[frozenset[int] | None], ours: frozenset[int] | None, theirs: frozenset[int] | None
) -> frozenset[int] | Conflict | None:
    return None if ours is None or theirs is None else (ours | theirs) or None


def test_contents_of_ones_own_see_none_for_absent_and_may_delete() -> None:
    """TY-21"""
    own: Contents[frozenset[int]] = Own[frozenset[int]]("set/1", encode_set, decode_set, merge_set)
    one, two = frozenset({1}), frozenset({2})
    assert own.decode(own.encode(one | two)) == one | two
    assert own.merge(None, one, two) == one | two
    assert own.merge(NO_ANCESTOR, frozenset(), frozenset()) is None
    assert own.merge(frozenset(), one, None) is None
    assert own == Own("set/1", encode_set, decode_set, merge_set)
    assert pickle.loads(pickle.dumps(own)) == own
