"""Changes of one value: TY-22."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import diff
from irminpy.diff import Added, Change, Removed, Updated
from irminpy.errors import DecodeError

CHANGES: st.SearchStrategy[Change[bytes]] = st.one_of(
    st.builds(Added[bytes], st.binary()),
    st.builds(Removed[bytes], st.binary()),
    st.builds(Updated[bytes], st.binary(), st.binary()),
)


@pytest.mark.parametrize(
    ("change", "before", "after"), [(Added(1), None, 1), (Removed(1), 1, None), (Updated(1, 2), 1, 2)]
)
def test_every_change_has_a_before_and_an_after(
    change: Change[int], before: int | None, after: int | None
) -> None:
    """TY-22"""
    assert (change.before, change.after) == (before, after)
    assert diff.of(before, after) == change


def test_from_nothing_to_nothing_is_no_change() -> None:
    assert diff.of(None, None) is None


@given(CHANGES)
def test_a_change_pickles_and_goes_to_json_and_back(change: Change[bytes]) -> None:
    """TY-22"""
    assert pickle.loads(pickle.dumps(change)) == change
    assert diff.from_json(json.loads(json.dumps(change.to_json(bytes.hex))), bytes.fromhex) == change


@pytest.mark.parametrize(
    "obj", [None, [], {}, {"added": 1, "removed": 2}, {"updated": 1}, {"updated": [1]}, {"x": 1}]
)
def test_json_that_is_no_change_is_a_decode_error(obj: object) -> None:
    with pytest.raises(DecodeError):
        diff.from_json(obj, lambda value: value)


@given(
    st.recursive(
        st.none() | st.text(),
        lambda below: (
            st.lists(below) | st.dictionaries(st.sampled_from(["added", "removed", "updated", "x"]), below)
        ),
    )
)
def test_any_json_is_a_change_or_a_decode_error(obj: object) -> None:
    try:
        change = diff.from_json(obj, lambda value: value)
    except DecodeError:
        return
    assert change.to_json(lambda value: value) == obj


def test_a_change_can_be_made_by_its_subscripted_name() -> None:
    """A frozen generic dataclass with slots raised TypeError here under Python 3.11."""
    assert Added[int](1) == Added(1)
    assert Removed[int](1) == Removed(1)
    assert Updated[int](1, 2) == Updated(1, 2)
