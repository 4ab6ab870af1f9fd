"""Trees: what the suites do not say, above all that nothing but errors of the tree comes out of any method."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy.backend import Options
from irminpy.errors import DecodeError, IrminError, NotFound
from irminpy.formats import Native
from irminpy.hash import Hash
from irminpy.key import KindedHash, KindedKey
from irminpy.schema import Schema
from irminpy.testing import strategies
from irminpy.testing.model import Shelf, bindings_of, built
from irminpy.tree import Tree
from irminpy_mem import Memory

AnyTree = Tree[bytes, Any]
NARROW = Schema(format=Native(2, 2))


@given(strategies.schemas(), strategies.bindings(), st.randoms(use_true_random=False))
def test_equal_dicts_have_equal_roots(schema: Schema[bytes, None], model: Any, rng: Any) -> None:
    items = list(model.items())
    rng.shuffle(items)
    assert built(schema, model).hash() == built(schema, dict(items)).hash()
    assert bindings_of(built(schema, model)) == model


@given(strategies.bindings(), strategies.bindings())
def test_different_dicts_have_different_roots(one: Any, two: Any) -> None:
    assert (built(NARROW, one) == built(NARROW, two)) is (one == two)


def closed_tree() -> AnyTree:
    backend, _ = Memory().open(NARROW, Options())
    tree = Shelf(backend, NARROW).put(built(NARROW, {("a", "b"): b"1", ("c",): b"2"}))
    backend.close()
    return tree


def nowhere() -> AnyTree:
    backend, _ = Memory().open(NARROW, Options())
    return Tree.shallow(Shelf(backend, NARROW), KindedHash("node", Hash(bytes(32))))


def trees() -> list[AnyTree]:
    """One of each kind of tree, the broken ones too."""
    made = built(NARROW, {("a", "b"): b"1", ("a", "é"): b"", ("c",): b"2"})
    node, leaf = KindedHash("node", Hash(b"\1" * 32)), KindedHash("contents", Hash(b"\2" * 32))
    return [
        Tree.empty(NARROW),
        made,
        Tree.of_contents(b"v", NARROW),
        closed_tree(),
        nowhere(),
        Tree.pruned(node, NARROW),
        Tree.pruned(leaf, NARROW),
        made.add_tree("p", Tree.pruned(node, NARROW)).add_tree("q", Tree.pruned(leaf, NARROW)),
        made.add_tree("n", nowhere()),
        Tree.empty(),
    ]


HOSTILE: list[Any] = [
    *(None, 0, -1, 1.5, True, "", "a", "a/b", "c", "\0", "\ud800", "x" * 5000, b"", b"a", bytearray(b"a")),
    *(
        (),
        ("a",),
        ("a/b",),
        ("",),
        ("a", "b"),
        [1],
        ["a"],
        {"a": 1},
        {"a"},
        object(),
        Ellipsis,
        1 << 80,
        -(1 << 80),
    ),
    *(Hash(bytes(32)), Schema(), KindedHash("node", Hash(b"short")), KindedKey("node", Hash(b""))),
    *(
        KindedHash("contents", Hash(bytes(32)), b"not empty"),
        lambda *a: a[0] if a else None,
        iter([]),
        range(3),
    ),
]

METHODS: dict[str, int] = {
    "find": 1, "get": 1, "find_all": 1, "get_all": 1, "find_tree": 1, "get_tree": 1, "kind": 1, "mem": 1,
    "mem_tree": 1, "is_empty": 0, "length": 1, "list": 1, "add": 2, "update": 2, "remove": 1, "add_tree": 2,
    "update_tree": 2, "hash": 0, "kinded_hash": 0, "key": 0, "clear": 1, "inspect": 0, "dump": 0, "stats": 0,
    "to_concrete": 0, "destruct": 0, "__eq__": 1, "__lt__": 1, "__contains__": 1, "__getitem__": 1, "__repr__": 0,
}  # fmt: skip


@given(st.data())
def test_no_input_leaves_an_exception_outside_the_error_tree(data: st.DataObject) -> None:
    """But TypeError, for what is of the wrong type in Python."""
    every = trees()
    tree = data.draw(st.sampled_from(every))
    anything = st.sampled_from([*HOSTILE, *every]) | strategies.paths() | strategies.illegal_paths()
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(sorted(METHODS)))
        arguments = [data.draw(anything) for _ in range(METHODS[name])]
        options = {"offset": data.draw(anything), "length": data.draw(anything)} if name == "list" else {}
        if name in ("add", "update") and data.draw(st.booleans()):
            options["metadata"] = data.draw(anything)
        try:
            result = getattr(tree, name)(*arguments, **options)
            if isinstance(result, Tree):
                tree = result
                tree.hash()
        except (IrminError, TypeError):
            pass


@given(st.data())
def test_no_input_to_a_constructor_or_an_editor_leaves_one_either(data: st.DataObject) -> None:
    every = trees()
    anything = st.sampled_from([*HOSTILE, *every])
    a, b = data.draw(anything), data.draw(anything)
    backend, _ = Memory().open(NARROW, Options())
    shelf = Shelf(backend, NARROW)
    calls: list[Any] = [
        lambda: Tree.empty(a),
        lambda: Tree.of_contents(a, b),
        lambda: Tree.singleton(a, b),
        lambda: Tree.of_concrete(a, b),
        lambda: Tree.pruned(a, b),
        lambda: Tree.shallow(shelf, a),
        lambda: Tree.shallow(a, b),
        lambda: Tree.of_hash(shelf, a),
        lambda: Tree.of_key(shelf, a),
        lambda: KindedHash.from_json(a),
        lambda: KindedKey.from_json(a),
    ]
    for call in calls:
        with suppress(IrminError, TypeError):
            call()
    editor = data.draw(st.sampled_from(every)).edit()
    for name in (
        "add",
        "add_tree",
        "__setitem__",
        "remove",
        "__delitem__",
        "find",
        "__getitem__",
        "__contains__",
    ):
        arguments = (a, b) if name in ("add", "add_tree", "__setitem__") else (a,)
        with suppress(IrminError, TypeError):
            getattr(editor, name)(*arguments)


def test_pages_begin_at_zero() -> None:
    tree = built(NARROW, {("a",): b""})
    with pytest.raises(DecodeError):
        tree.list(offset=-1)
    with pytest.raises(DecodeError):
        tree.seq(length=-1)
    with pytest.raises(TypeError):
        tree.list(offset=1.0)  # type: ignore[arg-type]


def test_an_editor_deletes_only_what_is_there() -> None:
    editor = built(NARROW, {("a",): b""}).edit()
    with pytest.raises(NotFound):
        del editor["b"]
    del editor["a"]
    assert editor.tree().is_empty()


def test_values_that_are_subclasses_of_bytes_are_kept_as_bytes() -> None:
    tree: AnyTree = Tree.empty().add("a", Hash(bytes(32)))
    assert type(tree.get("a")) is bytes
    assert tree == Tree.empty().add("a", bytes(32))
