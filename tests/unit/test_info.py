"""What a commit says about itself: TY-14."""

from __future__ import annotations

import contextlib
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy.errors import DecodeError
from irminpy.info import Info

INFOS = st.builds(
    Info,
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.text(),
    st.text(),
    st.dictionaries(st.text(min_size=1), st.binary(), max_size=4),
)


def test_an_info_with_nothing_given_is_the_empty_one() -> None:
    """TY-14"""
    assert Info() == Info.empty == Info.none()
    assert Info().is_empty
    assert not Info(1).is_empty


@given(INFOS)
def test_an_info_pickles_and_goes_to_json_and_back(info: Info) -> None:
    assert pickle.loads(pickle.dumps(info)) == info
    assert Info.from_json(json.loads(json.dumps(info.to_json()))) == info


@given(INFOS)
def test_extra_is_sorted_by_the_bytes_of_its_keys(info: Info) -> None:
    keys = [key.encode() for key, _ in info.extra]
    assert keys == sorted(set(keys))


def test_replace_keeps_the_rest() -> None:
    info = Info(1, "a", "m", {"k": b"v"})
    assert info.replace(date=0, message="") == Info(0, "a", "", (("k", b"v"),))
    assert info.replace(extra=()) == Info(1, "a", "m")


@pytest.mark.parametrize(
    "fields",
    [
        {"date": 1 << 63},
        {"date": -(1 << 63) - 1},
        {"date": 10**5000},
        {"author": "\ud800"},
        {"message": "\udc80"},
        {"extra": {"": b""}},
        {"extra": [("a", b"1"), ("a", b"1")]},
        {"extra": {"\ud800": b""}},
    ],
)
def test_what_no_commit_can_hold_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        Info(**fields)


@pytest.mark.parametrize(
    "fields", [{"date": 1.0}, {"date": True}, {"author": b""}, {"extra": {"a": "b"}}, {"extra": {1: b""}}]
)
def test_other_types_are_type_errors(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Info(**fields)


JSON = (
    st.none() | st.integers() | st.text() | st.dictionaries(st.text(), st.text() | st.integers(), max_size=2)
)


@given(JSON | st.dictionaries(st.sampled_from(["date", "author", "message", "extra"]), JSON))
def test_json_that_is_no_info_is_a_decode_error(obj: object) -> None:
    with contextlib.suppress(DecodeError):
        Info.from_json(obj)
