"""JSON contents: TY-18, TY-19."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy.contents import Json, JsonObject
from irminpy.errors import DecodeError
from irminpy.hash import Hash
from irminpy.merge import NO_ANCESTOR, Conflict

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, -0.0, 1.0])
    | st.sampled_from("ab"),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from("ab"), below, max_size=2),
)


def bytes_of(value: Any) -> bytes:
    """Canonical bytes: they differ where types or signs do, unlike Python's equality."""
    return Json().encode(value)


def reason(result: object) -> str:
    assert isinstance(result, Conflict)
    return result.reason


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"null"),
        ([True, False, 1, 1.0, -0.0, 1e16, 1e-7, 0.1], b"[true,false,1,1.0,-0.0,1e+16,1e-07,0.1]"),
        ({"b": 1, "a": {}, "": []}, b'{"":[],"a":{},"b":1}'),
        ({"\U00010000": 1, "\uffff": 2, "é": 3}, '{"é":3,"\uffff":2,"\U00010000":1}'.encode()),
        ('"\\\n\x01é', '"\\"\\\\\\n\\u0001é"'.encode()),
        (10**30, b"1" + b"0" * 30),
        (10**4300 - 1, b"9" * 4300),
    ],
    ids=lambda value: "",
)
def test_json_has_one_spelling(value: Any, data: bytes) -> None:
    """TY-19"""
    assert Json().encode(value) == data
    assert Json().decode(data) == value


NOT_CANONICAL = [
    *(
        b"",
        b" 1",
        b"1 ",
        b"[1, 2]",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b"1E5",
        b"1e5",
        b"1.00",
        b"-0",
        b"01",
    ),
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b'"\\u0041"', b'"\\/"', b'"\\ud800"', b'"\\ud83d\\ude00"'),
    *(b'"\xff"', b"\xef\xbb\xbf1", b"tru", b"9" * 4301, b'{"a":1,}', b"[1]x", b'"\n"', b"{1:2}"),
    *(b"[" * 100_000, b"[" * 129 + b"]" * 129, b"[" * 2000 + b"]" * 2000, b'{"a":' * 5000),
]


@pytest.mark.parametrize("data", NOT_CANONICAL, ids=lambda data: repr(data[:16]))
def test_json_in_another_spelling_is_refused(data: bytes) -> None:
    """TY-19"""
    with pytest.raises(DecodeError):
        Json().decode(data)


@pytest.mark.parametrize("text", ['["é", 1]', '["é",x]'])
def test_a_refusal_of_json_says_at_which_byte(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Json().decode(text.encode())
    assert caught.value.offset == 6


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), 10**4300, -(10**4300)], ids=lambda value: ""
)
def test_json_has_no_such_number(value: Any) -> None:
    """TY-19"""
    with pytest.raises(DecodeError):
        Json().encode([value])


@pytest.mark.parametrize("value", [b"", (1,), {1: 2}, {"a": {None: 1}}, object(), {1}, Hash(b"")])
def test_json_has_no_such_type(value: Any) -> None:
    with pytest.raises(TypeError):
        Json().encode(value)


def test_json_nests_to_a_limit() -> None:
    value: Any = 0
    for i in range(128):
        value = [value] if i % 2 else {"a": value}
    assert Json().decode(Json().encode(value)) == value
    with pytest.raises(DecodeError, match="128"):
        Json().encode([value])


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless += [endless, endless]
    with pytest.raises(DecodeError, match="128"):
        Json().encode(endless)


@pytest.mark.parametrize("value", [None, [], "a", 1])
def test_a_json_object_is_an_object(value: Any) -> None:
    """TY-18"""
    with pytest.raises(TypeError):
        JsonObject().encode(value)
    with pytest.raises(DecodeError):
        JsonObject().decode(Json().encode(value))


@pytest.mark.parametrize(
    ("old", "ours", "theirs", "merged"),
    [
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1}, {}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "z": 3}}, {"a": {"x": 1, "y": 2, "z": 3}}),
        (NO_ANCESTOR, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        (None, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}, {"a": [1, 2]}),
        ({"a": 1}, {"a": None}, {"a": 1}, {"a": None}),
        ({"a": None}, {"a": None}, {}, {}),
        ({"a": 1}, {"a": 1}, {"a": True}, {"a": True}),
        ({"a": 0.0}, {"a": -0.0}, {"a": 0.0}, {"a": -0.0}),
        (None, {"a": 1}, None, {"a": 1}),
        ({"a": 1}, None, {"a": 1}, None),
        (NO_ANCESTOR, None, None, None),
    ],
)
def test_objects_merge_key_by_key(old: Any, ours: Any, theirs: Any, merged: Any) -> None:
    """TY-18, TY-19"""
    for kind in (Json(), JsonObject()):
        assert bytes_of(kind.merge(old, ours, theirs)) == bytes_of(merged)


@pytest.mark.parametrize(
    ("old", "ours", "theirs", "why"),
    [
        (1, 2, 3, "both sides changed it"),
        (1, 2, 2, "both sides changed it"),
        ([1], [2], [3], "both sides changed it"),
        (1, True, 2, "Conflicting JSON datatypes"),
        ("a", "b", 1, "Conflicting JSON datatypes"),
        ("a", 1, 2, "Conflicting JSON datatypes"),
        ({"a": 1}, {"a": {}}, {"a": []}, "Conflicting JSON datatypes"),
        ({"a": 1}, {"a": None}, {"a": None}, "Conflicting JSON datatypes"),
        ({"a": 1}, {}, {"a": 2}, "add/del"),
        ({"a": 1}, {}, {"a": None}, "add/del"),
        ({"a": None}, {}, {"a": 2}, "add/del"),
        (1, 2, None, "add/del"),
        ({}, {"a": 1}, {"a": 1}, "add/add and no common ancestor"),
        (NO_ANCESTOR, 1, 1, "add/add and no common ancestor"),
        (None, "x", "x", "add/add and no common ancestor"),
    ],
)
def test_json_of_other_types_or_changed_on_both_sides_conflicts(
    old: Any, ours: Any, theirs: Any, why: str
) -> None:
    """TY-19"""
    assert reason(Json().merge(old, ours, theirs)) == why


def test_an_ancestor_of_null_is_no_ancestor() -> None:
    """TY-19"""
    merged = Json().merge({"a": None}, {"a": {"x": 1}}, {"a": {"y": 2}})
    assert merged == {"a": {"x": 1, "y": 2}}
    assert reason(Json().merge({"a": None}, {"a": 1}, {"a": 1})) == "add/add and no common ancestor"


def test_arrays_merge_as_a_whole_and_idempotently() -> None:
    """TY-19"""
    assert Json().merge(NO_ANCESTOR, [1], [1]) == [1]
    assert Json().merge([1], [1], [2]) == [2]
    assert reason(Json().merge([1], [1, 2], [1, 3])) == "both sides changed it"


def test_the_deepest_objects_merge() -> None:
    def chain(leaf: Any) -> Any:
        for _ in range(127):
            leaf = {"a": leaf}
        return leaf

    assert Json().merge(chain({}), chain({"x": 1}), chain({"y": 2})) == chain({"x": 1, "y": 2})


@given(JSON, JSON, JSON)
def test_a_merge_of_json_is_json_or_a_conflict(old: Any, ours: Any, theirs: Any) -> None:
    """TY-19"""
    result = Json().merge(old, ours, theirs)
    if not isinstance(result, Conflict):
        Json().encode(result)


@given(JSON, JSON)
def test_a_merge_takes_the_side_that_changed(old: Any, changed: Any) -> None:
    """TY-19"""
    assert bytes_of(Json().merge(old, old, changed)) == bytes_of(changed)
    assert bytes_of(Json().merge(old, changed, old)) == bytes_of(changed)
