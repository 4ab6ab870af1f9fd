"""Contents of several types in one store: each value of the type that its class says."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy
from irminpy import Schema, Tree, contents, sync
from irminpy.contents import Bytes, Counter, Json, JsonObject, Msgpack, OneOf, Own, String
from irminpy.errors import DecodeError, MergeConflict, SchemaMismatch
from irminpy.merge import NO_ANCESTOR, Conflict, Merge, Old, idempotent

KIND: OneOf[Any] = OneOf({str: String(), int: Counter(), dict: JsonObject(), float: Msgpack()})
JSON = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=3)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.text(), st.integers(-(1 << 63), (1 << 63) - 1), JSON, st.floats(allow_nan=False)
)


@given(VALUES, VALUES)
def test_values_have_the_same_bytes_only_if_they_are_identical(left: Any, right: Any) -> None:
    """US-06."""
    assert repr(KIND.decode(KIND.encode(left))) == repr(left) or isinstance(left, dict)
    assert KIND.decode(KIND.encode(left)) == left
    same = type(left) is type(right) and KIND.cases[KIND.encode(left)[0]][1].encode(left) == (
        KIND.cases[KIND.encode(right)[0]][1].encode(right)
    )
    assert (KIND.encode(left) == KIND.encode(right)) == same


@given(st.binary() | st.builds(lambda at, rest: bytes([at]) + rest, st.integers(0, 4), st.binary()))
def test_any_bytes_are_canonical_or_a_decode_error(data: bytes) -> None:
    try:
        value = KIND.decode(data)
    except DecodeError:
        return
    assert KIND.encode(value) == data


@pytest.mark.parametrize("value", [True, None, b"x", [1], irminpy.Hash(b"x" * 32)])
def test_a_value_of_another_class_is_refused_and_the_classes_are_named(value: Any) -> None:
    """US-06: exactly these classes, so that True is no count."""
    with pytest.raises(TypeError, match="are str, int, dict, float, not"):
        KIND.encode(value)


def test_a_type_that_gives_another_class_is_refused() -> None:
    """Else two bytes would stand for one value, or a value could not be written again."""
    lists: OneOf[Any] = OneOf({list: Json()})
    assert lists.decode(lists.encode([1])) == [1]
    with pytest.raises(DecodeError, match="a dict where json/1 holds list"):
        lists.decode(b"\0{}")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: OneOf({}), "one of 0 types"),
        (lambda: OneOf[Any]({list: Json(), dict: Json()}), "json/1 is the type of two classes"),
    ],
)
def test_cases_that_say_too_little_are_refused(make: Callable[[], object], match: str) -> None:
    with pytest.raises(DecodeError, match=match):
        make()


def test_the_id_tells_the_types_in_order() -> None:
    """US-06: so the schema does, and stores with other cases do not take each other for the same."""
    one = OneOf[str | int]({str: String(), int: Counter()})
    other = OneOf[str | int]({int: Counter(), str: String()})
    assert (one.id, other.id) == ("one-of(string/1,counter/1)/1", "one-of(counter/1,string/1)/1")
    assert one == OneOf({str: String(), int: Counter()}) != other
    assert len({one, OneOf({str: String(), int: Counter()}), other}) == 2
    assert pickle.loads(pickle.dumps(one)) == one
    assert Schema(one) != Schema(other)
    here, there = irminpy.open("mem:", Schema(one)), irminpy.open("mem:", Schema(other))
    here.main().set("a", "text")
    with pytest.raises(SchemaMismatch):
        sync.pull(there.main(), here)


# -- merges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "ours", "theirs", "merged"),
    [
        (5, 7, 6, 8),
        ({"a": 1}, {"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ("x", "x", "y", "y"),
        ("x", 1, "x", 1),
        ("x", "x", 1, 1),
        (1, 1.0, 1, 1.0),
        ("x", 1, 1, 1),
        (NO_ANCESTOR, 2, 3, 5),
        (NO_ANCESTOR, 3, None, 3),
        (None, "x", None, "x"),
        ("x", None, "x", None),
        ("x", None, None, None),
        (None, None, None, None),
        (NO_ANCESTOR, None, None, None),
    ],
)
def test_values_merge_by_their_type(old: Any, ours: Any, theirs: Any, merged: Any) -> None:
    """US-06: counts add up, objects merge key by key; where the class changed, as a whole."""
    for result in (KIND.merge(old, ours, theirs), KIND.merge(old, theirs, ours)):
        assert (type(result), result) == (type(merged), merged)


@pytest.mark.parametrize(
    ("old", "ours", "theirs"),
    [
        ("x", "y", "z"),
        ("x", "y", 1),
        ("x", 1, 2),
        (1, 1.0, 2),
        ("x", 1, None),
        (None, "x", 1),
        (NO_ANCESTOR, "x", 1),
        ("x", {"a": 1}, {"b": 1}),
    ],
)
def test_what_is_not_of_one_type_conflicts(old: Any, ours: Any, theirs: Any) -> None:
    for left, right in ((ours, theirs), (theirs, ours)):
        conflict = KIND.merge(old, left, right)
        assert isinstance(conflict, Conflict)
        assert (conflict.ours, conflict.theirs) == (left, right)


class Invoice:
    """A class of the user's, with a type of its own."""

    def __init__(self, total: int) -> None:
        self.total = total

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Invoice) and other.total == self.total

    __hash__ = None  # type: ignore[assignment]


_whole: Merge[Invoice | None] = idempotent()


def add(old: Old[Invoice | None], ours: Invoice | None, theirs: Invoice | None) -> Invoice | Conflict | None:
    if ours is None or theirs is None or old is None or old is NO_ANCESTOR:
        return _whole(old, ours, theirs)
    return Invoice(ours.total + theirs.total - old.total)


INVOICE = Own[Invoice]("invoice/1", lambda i: b"%d" % i.total, lambda data: Invoice(int(data)), add)


@pytest.mark.parametrize("uri", ["mem:", "pack"])
def test_regions_of_a_store_have_types_of_their_own(uri: str, tmp_path: Any) -> None:
    """US-06: notes, visits and invoices in one store; each merges in its way, wherever it is moved."""
    kind = OneOf[str | int | Invoice]({str: String(), int: Counter(), Invoice: INVOICE})
    with irminpy.open(uri if uri == "mem:" else f"pack:{tmp_path}/s", Schema(kind), author="ann") as repo:
        main = repo.main()
        with main.edit(message="start") as ed:
            ed["notes/a"] = "plan"
            ed["visits/home"] = 10
            ed["invoices/1"] = Invoice(100)
        work = main.clone("work")
        work.set("visits/home", 12, author="bob")
        work.set("invoices/1", Invoice(150), author="bob")
        main.set("visits/home", 13)
        main.set("invoices/1", Invoice(90))
        main.merge_with_branch("work")
        assert (main.get("visits/home"), main.get("invoices/1")) == (15, Invoice(140))
        main.set_tree("archive", main.get_tree("visits"))
        assert main.get("archive/home") == 15
        work.set("notes/a", "theirs", author="bob")
        main.set("notes/a", 7)
        with pytest.raises(MergeConflict) as caught:
            main.merge_with_branch("work")
        (conflict,) = caught.value.conflicts
        assert (conflict.path, conflict.ours, conflict.theirs) == (("notes", "a"), 7, "theirs")
        assert repo.check().ok
        assert Tree.of_concrete(main.tree().to_concrete(), repo.schema) == main.tree()


def test_a_type_that_is_not_built_in_is_not_found_by_its_id() -> None:
    """The classes are the caller's: no id tells them."""
    with pytest.raises(irminpy.NotFound):
        contents.by_id(OneOf[Any]({bytes: Bytes()}).id)
