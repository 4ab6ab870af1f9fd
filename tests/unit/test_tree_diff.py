"""`Tree.diff` and `diff_all`: what differs between two trees (TF-10, TC-039)."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import contents, metadata
from irminpy.diff import Added, Change, Removed, Updated
from irminpy.errors import DanglingHash, PrunedHash, SchemaMismatch
from irminpy.key import KindedHash
from irminpy.merge import default
from irminpy.objects import Kind
from irminpy.schema import Schema
from irminpy.tree import Tree
from irminpy.tree.home import Home
from irminpy.tree.lazy import Counters, RepoSource
from tests.tree_repo import SMALL, DictReader, Path, bindings_of, store, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator


Flat = dict[Path, bytes]

VECTORS = File(__file__).parent.parent / "vectors" / "irmin" / "diff-merge.json"


def changes(a: Tree[Any, Any], b: Tree[Any, Any]) -> dict[Path, Change[Any]]:
    found = list(a.diff(b))
    # A path can be twice in it only as Removed and Added in one place, which no diff of bindings gives.
    assert len({path for path, _ in found}) == len(found)
    return dict(found)


def model(a: Flat, b: Flat) -> dict[Path, Change[bytes]]:
    out: dict[Path, Change[bytes]] = {}
    for path in a.keys() | b.keys():
        if path not in b:
            out[path] = Removed(a[path])
        elif path not in a:
            out[path] = Added(b[path])
        elif a[path] != b[path]:
            out[path] = Updated(a[path], b[path])
    return out


STEPS = st.sampled_from("abcdefgh")
VALUES = st.sampled_from([b"", b"1", b"2"])


def _flat(nested: Any, path: Path = ()) -> Iterator[tuple[Path, bytes]]:
    if isinstance(nested, bytes):
        yield path, nested
    else:
        for step, child in nested.items():
            yield from _flat(child, (*path, step))


NESTED = st.recursive(VALUES, lambda below: st.dictionaries(STEPS, below, max_size=6), max_leaves=16)
FLATS = st.dictionaries(STEPS, NESTED, max_size=8).map(lambda nested: dict(_flat(nested)))


# -- unit cases ----------------------------------------------------------------------------------------

BASE: Flat = {("a",): b"1", ("d", "x"): b"x", ("d", "y"): b"y"}


def test_equal_trees_do_not_differ() -> None:
    tree = tree_of(BASE)
    assert list(tree.diff(tree)) == []
    assert list(tree.diff(tree_of(BASE))) == []
    assert list(Tree.empty(SMALL).diff(Tree.empty(SMALL))) == []


def test_an_added_a_removed_and_an_updated_binding() -> None:
    """TC-039."""
    tree = tree_of(BASE)
    assert list(tree.diff(tree.add("b", b"2"))) == [(("b",), Added(b"2"))]
    assert list(tree.diff(tree.remove("a"))) == [(("a",), Removed(b"1"))]
    both = tree.add("a", b"9").add("e", b"e")
    assert changes(tree, both) == {("a",): Updated(b"1", b"9"), ("e",): Added(b"e")}
    assert list(tree.diff(tree.add("d/z/q", b"q"))) == [(("d", "z", "q"), Added(b"q"))]
    assert changes(tree, tree.remove("d")) == {("d", "x"): Removed(b"x"), ("d", "y"): Removed(b"y")}


def test_contents_that_become_a_directory_are_removed_first() -> None:
    """TF-10."""
    tree = tree_of({("a",): b"1", ("z",): b"2"})
    found = list(tree.diff(tree.add("a/b", b"3").add("a/c", b"4")))
    assert found[0] == (("a",), Removed(b"1"))
    assert dict(found[1:]) == {("a", "b"): Added(b"3"), ("a", "c"): Added(b"4")}


def test_a_directory_that_becomes_contents_is_removed_first() -> None:
    tree = tree_of({("a", "b"): b"3", ("a", "c", "d"): b"4"})
    found = list(tree.diff(tree.add("a", b"1")))
    assert dict(found[:2]) == {("a", "b"): Removed(b"3"), ("a", "c", "d"): Removed(b"4")}
    assert found[2:] == [(("a",), Added(b"1"))]


def test_contents_at_the_root() -> None:
    """TF-10."""
    one, two = Tree.of_contents(b"1", SMALL), Tree.of_contents(b"2", SMALL)
    assert list(one.diff(one)) == []
    assert list(one.diff(Tree.of_contents(b"1", SMALL))) == []
    assert list(one.diff(two)) == [((), Updated(b"1", b"2"))]
    assert list(one.diff(Tree.empty(SMALL))) == [((), Removed(b"1"))]
    assert list(Tree.empty(SMALL).diff(one)) == [((), Added(b"1"))]
    node = tree_of({("a",): b"1"})
    assert list(one.diff(node)) == [((), Removed(b"1")), (("a",), Added(b"1"))]
    assert list(node.diff(one)) == [(("a",), Removed(b"1")), ((), Added(b"1"))]


MODE = metadata.Own(
    "mode/1", 0, lambda m: m.to_bytes(2, "big"), lambda b: int.from_bytes(b, "big"), default()
)


def test_a_change_of_metadata_is_an_update() -> None:
    """TF-10."""
    schema = Schema(contents.String(), metadata=MODE)
    tree = Tree.empty(schema).add("a", "1").add("b", "2", metadata=7).add("c", "3", metadata=7)
    other = tree.add("a", "1", metadata=1).add("b", "2").add("c", "x", metadata=8)
    assert changes(tree, other) == {
        ("a",): Updated("1", "1"),
        ("b",): Updated("2", "2"),
        ("c",): Updated("3", "x"),
    }
    assert dict(tree.diff_all(other)) == {
        ("a",): Updated(("1", 0), ("1", 1)),
        ("b",): Updated(("2", 7), ("2", 0)),
        ("c",): Updated(("3", 7), ("x", 8)),
    }
    one = Tree.of_contents("1", schema)
    assert list(one.diff_all(Tree.of_contents("1", schema, metadata=3))) == [
        ((), Updated(("1", 0), ("1", 3)))
    ]


def test_values_are_decoded_and_null_is_a_value() -> None:
    tree = Tree.empty(Schema(contents.Json())).add("a", {"k": [1, None]}).add("n", None)
    other = tree.add("a", None).remove("n").add("m", None)
    assert changes(tree, other) == {
        ("a",): Updated({"k": [1, None]}, None),
        ("n",): Removed(None),
        ("m",): Added(None),
    }


def test_another_schema_is_refused_at_the_call() -> None:
    with pytest.raises(SchemaMismatch):
        Tree.empty(SMALL).diff(Tree.empty())


def test_a_path_of_5000_steps() -> None:
    deep = ("s",) * 5000
    tree = tree_of({("a",): b"1"})
    assert list(tree.diff(tree.add(deep, b"2"))) == [(deep, Added(b"2"))]
    one, two = tree.add(deep, b"2"), tree.add(deep, b"3")
    assert list(one.diff(two)) == [(deep, Updated(b"2", b"3"))]


def test_the_order_is_the_same_for_the_same_trees() -> None:
    a: Flat = {(f"k{i}", f"l{j}"): b"v" for i in range(20) for j in range(3)}
    b = {path: b"w" if path[0] < "k5" else value for path, value in a.items()}
    b[("new",)] = b"n"
    first = list(tree_of(a).diff(tree_of(b)))
    assert first == list(tree_of(dict(reversed(a.items()))).diff(tree_of(dict(reversed(b.items())))))
    reader = DictReader()
    assert first == list(store(reader, tree_of(a)).diff(store(reader, tree_of(b))))


# -- what is not read ----------------------------------------------------------------------------------


def test_equal_subtrees_are_not_read() -> None:
    reader = DictReader()
    tree = tree_of({(d, f"k{i}"): b"v" for d in "abc" for i in range(40)} | {("x",): b"1"}, Schema())
    a, b = store(reader, tree), store(reader, tree.add("x", b"2"))
    assert list(a.diff(b)) == [(("x",), Updated(b"1", b"2"))]
    assert reader.of_kind(Kind.NODE) == 2
    assert reader.of_kind(Kind.CONTENTS) == 2
    reader.reads.clear()
    assert list(store(reader, tree).diff(store(reader, tree))) == []
    assert reader.reads == []


def test_nothing_is_read_before_the_iterator_is_asked() -> None:
    reader = DictReader()
    a, b = store(reader, tree_of({("a",): b"1"})), store(reader, tree_of({("a",): b"2"}))
    found = a.diff(b)
    assert reader.reads == []
    assert next(found) == (("a",), Updated(b"1", b"2"))


def broken(kind: Any, schema: Schema[bytes, None]) -> list[Tree[bytes, None]]:
    """A subtree that points nowhere, and a pruned one, of one hash."""
    value: Tree[bytes, None] = (
        Tree.of_contents(b"gone", schema) if kind == "contents" else tree_of({("k",): b"gone"}, schema)
    )
    hash_ = KindedHash(kind, value.hash())
    home = Home(schema, RepoSource(schema.codec, DictReader(), Counters()))

    class Repo:
        @property
        def home(self) -> Home[bytes, None]:
            return home

    return [Tree.shallow(Repo(), hash_), Tree.pruned(hash_, schema)]


@pytest.mark.parametrize("kind", ["contents", "node"])
def test_identical_broken_subtrees_are_equal(kind: str) -> None:
    """TF-10: neither a dangling nor a pruned hash is looked at where both sides have it."""
    shallow, pruned = broken(kind, SMALL)
    for x in (shallow, pruned):
        for y in (shallow, pruned):
            assert list(x.diff(y)) == []
            a = tree_of(BASE).add_tree("broken", x)
            b = tree_of(BASE).add_tree("broken", y).add("a", b"9")
            assert list(a.diff(b)) == [(("a",), Updated(b"1", b"9"))]


@pytest.mark.parametrize("kind", ["contents", "node"])
def test_broken_subtrees_that_differ_raise(kind: str) -> None:
    for tree, error in zip(broken(kind, SMALL), (DanglingHash, PrunedHash), strict=True):
        a = tree_of(BASE).add_tree("broken", tree)
        found = a.diff(tree_of(BASE).add("broken/k", b"1"))
        with pytest.raises(error):
            list(found)


# -- against a model -----------------------------------------------------------------------------------


@given(FLATS, FLATS)
def test_a_diff_is_that_of_the_dicts(a: Flat, b: Flat) -> None:
    x, y = tree_of(a), tree_of(b)
    expected = model(a, b)
    assert changes(x, y) == expected
    reader = DictReader()
    assert changes(store(reader, x), store(reader, y)) == expected
    assert changes(store(reader, x), y) == expected


@given(FLATS, FLATS)
def test_a_diff_applied_in_order_gives_the_other_tree(a: Flat, b: Flat) -> None:
    x, y = tree_of(a), tree_of(b)
    patched = x
    for path, change in x.diff(y):
        patched = patched.remove(path) if change.after is None else patched.add(path, change.after)
    assert patched == y


@given(FLATS, FLATS)
def test_a_diff_between_versions_of_one_line_of_edits(a: Flat, b: Flat) -> None:
    x = tree_of(a)
    y = x
    for path in a:
        if path not in b:
            y = y.remove(path)
    for path, value in b.items():
        y = y.add(path, value)
    assert changes(x, y) == model(bindings_of(x), bindings_of(y))
    assert changes(y, x) == model(bindings_of(y), bindings_of(x))


# -- Irmin's own answers -------------------------------------------------------------------------------


def cases(type_: str) -> list[Any]:
    return [c for c in json.loads(VECTORS.read_text())["cases"] if c["type"] == type_]


@pytest.mark.parametrize("case", cases("tree_diff"), ids=lambda case: str(case["name"]))
def test_a_diff_is_that_of_irmin(case: Any) -> None:
    """Irmin's diff, whose order is unspecified."""
    schema = Schema(contents.String())
    sides: list[Tree[str, None]] = []
    for side in ("left", "right"):
        tree = Tree.empty(schema)
        for path, value in case[side]:
            tree = tree.add(path, value)
        sides.append(tree)
    found = [[list(path), change.to_json(str)] for path, change in sides[0].diff(sides[1])]
    assert sorted(found, key=repr) == sorted(case["diff"], key=repr)


@pytest.mark.parametrize("count", [20, 500])
def test_directories_that_have_the_same_steps(count: int) -> None:
    """Nodes read from their bytes are compared by columns: what changes is a value, or what a step is bound to."""
    before: Flat = {("d", f"k{i}"): b"%d" % i for i in range(count)}
    after = before | {("d", "k3"): b"new", ("d", "k17"): b"3"}
    del after["d", "k5"]
    after["d", "k5", "below"] = b"5"
    reader = DictReader()
    a, b, c = (store(reader, tree_of(flat, Schema())) for flat in (before, after, before))
    assert changes(a, b) == model(before, after)
    assert changes(b, a) == model(after, before)
    assert changes(a, c) == {}
