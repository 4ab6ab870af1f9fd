"""The shape of the error tree, and what every error can do."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import errors
from irminpy.errors import DecodeError, IrminError
from irminpy.merge import Conflict

TREE: dict[str, Any] = {
    "IrminError": {
        "NotFound": {},
        "TestWas": {},
        "MergeConflict": {},
        "RefUpdateError": {
            "NoChange": {},
            "Rejected": {},
            "MaxDepthReached": {},
            "TooManyLcas": {},
            "TooManyRetries": {},
        },
        "DanglingHash": {},
        "PrunedHash": {},
        "PortableValue": {},
        "BadProof": {"ProofMismatch": {}, "StreamTooLong": {}, "StreamTooShort": {}},
        "DecodeError": {},
        "InvalidStep": {"DepthExceeded": {}},
        "InvalidBranch": {},
        "InvalidHash": {},
        "SchemaMismatch": {},
        "RemoteError": {},
        "StorageError": {
            "Closed": {},
            "Forked": {},
            "ReadOnly": {},
            "Locked": {},
            "Corrupted": {},
            "NotAStore": {},
            "UnsupportedVersion": {},
        },
    }
}

ONE_OF_EACH: list[IrminError] = [
    IrminError("something"),
    errors.NotFound("path", "a/b"),
    errors.TestWas(b"\x00\xff", "a/b"),
    errors.TestWas(None, ""),
    errors.MergeConflict((Conflict("add/del", ("a", "b"), b"\x01", None, "x"), Conflict("other"))),
    errors.RefUpdateError("a reason"),
    errors.NoChange(),
    errors.Rejected(),
    errors.Rejected("another reason"),
    errors.MaxDepthReached(3),
    errors.TooManyLcas(4),
    errors.TooManyRetries(5),
    errors.DanglingHash("Tree.find", b"\x01\x02"),
    errors.PrunedHash("Tree.find", b"\x01\x02"),
    errors.PortableValue("Tree.find", b"\x01\x02"),
    errors.BadProof("a reason", "element 3"),
    errors.ProofMismatch("a reason"),
    errors.StreamTooLong("a reason", "element 3"),
    errors.StreamTooShort("a reason", "element 3"),
    DecodeError("commit", "a reason", 12),
    DecodeError("commit", "a reason"),
    errors.InvalidStep("a/b", "a reason"),
    errors.DepthExceeded("a", "a reason"),
    errors.InvalidBranch("..", "a reason"),
    errors.InvalidHash(b"\x01", "a reason"),
    errors.SchemaMismatch("native", "git"),
    errors.RemoteError("http://example.org", "a reason"),
    errors.StorageError("a reason"),
    errors.Closed("repo"),
    errors.Forked("the pack store"),
    errors.ReadOnly("repo"),
    errors.Locked("/x", 17),
    errors.Locked("/x"),
    errors.Corrupted("pack/0.pack", 64, b"\x01", "a reason"),
    errors.Corrupted("HEAD", None, None, "a reason"),
    errors.NotAStore("/x", "a reason"),
    errors.UnsupportedVersion("pack", 2, "1"),
]


def shape(cls: type[IrminError]) -> dict[str, Any]:
    return {sub.__name__: shape(sub) for sub in cls.__subclasses__() if sub.__module__ == errors.__name__}


def test_the_tree_of_errors_is_the_pinned_one() -> None:
    assert {"IrminError": shape(IrminError)} == TREE


def test_the_examples_of_this_file_hold_one_of_each_class() -> None:
    def names(tree: dict[str, Any]) -> set[str]:
        return set(tree) | {name for below in tree.values() for name in names(below)}

    assert {type(error).__name__ for error in ONE_OF_EACH} == names(TREE)


def test_no_two_kinds_of_error_share_a_name_in_json() -> None:
    kinds = {type(error): error.kind for error in ONE_OF_EACH}
    assert len(set(kinds.values())) == len(kinds)


def test_not_found_is_a_key_error_and_prints_its_message_unquoted() -> None:
    error = errors.NotFound("path", "a/b")
    assert isinstance(error, KeyError)
    assert str(error) == "path not found: a/b"


@pytest.mark.parametrize(
    "name", ["DecodeError", "InvalidStep", "InvalidBranch", "InvalidHash", "DepthExceeded"]
)
def test_errors_about_values_are_value_errors(name: str) -> None:
    assert issubclass(getattr(errors, name), ValueError)


def test_no_other_error_is_an_exception_of_pythons_too() -> None:
    both = {
        type(error).__name__ for error in ONE_OF_EACH if isinstance(error, (LookupError, ValueError, OSError))
    }
    assert both == {"NotFound", "DecodeError", "InvalidStep", "DepthExceeded", "InvalidBranch", "InvalidHash"}


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_every_error_pickles(error: IrminError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error) != ""


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_every_error_goes_to_json_and_back(error: IrminError) -> None:
    obj = json.loads(json.dumps(error.to_json()))
    assert obj["error"] == error.kind
    assert obj["message"] == str(error)
    again = errors.from_json(obj)
    assert type(again) is type(error)
    # A current value that was bytes is text afterwards, and so the message words it in another way.
    assert {**again.to_json(), "message": None} == {**obj, "message": None}


def test_a_merge_conflict_shows_its_first_conflict() -> None:
    error = errors.MergeConflict([Conflict("add/del", ("a", "b")), Conflict("other", ("c",))])
    assert (error.path, error.reason) == (("a", "b"), "add/del")
    assert str(error) == "merge conflict at /a/b: add/del (and 1 more)"


def test_a_subclass_made_elsewhere_goes_to_json_as_the_class_of_the_tree_it_is() -> None:
    class Ours(errors.Closed):
        pass

    assert type(errors.from_json(Ours("repo").to_json())) is errors.Closed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
)
FIELDS = st.dictionaries(
    st.sampled_from(["what", "name", "hash", "offset", "reason", "conflicts", "path", "pid", "n", "current"]),
    JSON,
)


@given(
    JSON
    | st.builds(
        lambda kind, fields: {**fields, "error": kind},
        st.sampled_from(ONE_OF_EACH).map(lambda e: e.kind),
        FIELDS,
    )
)
def test_json_that_is_no_error_is_a_decode_error(obj: object) -> None:
    try:
        error = errors.from_json(obj)
    except DecodeError:
        return
    assert isinstance(error, IrminError)
