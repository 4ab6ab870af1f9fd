"""`TreeSuite`: what trees owe, over a backend and under several schemas. The letters name rows of Irmin's own list."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ..backend import Maker, Options
from ..errors import InvalidStep, NotFound, SchemaMismatch
from ..formats import Native
from ..key import KindedHash
from ..path import Path
from ..schema import Schema
from ..tree import Tree
from .broken import SMALL, BrokenTreeSuite
from .model import Bindings, Shelf, bindings_of, built

__all__ = ["TreeSuite"]


class TreeSuite(BrokenTreeSuite):
    """Trees stored in a backend and read back. A subclass overrides the fixture `maker`, and may override `schema`.

    `wide` is the size of the largest directory that is made, of `wide_schema`; `illegal` are paths that the schemas
    refuse, `legal` some that others may refuse.
    """

    wide: int = 50_000
    wide_schema: Schema[bytes, Any] = Schema()
    illegal: tuple[Path, ...] = (("",), ("a", "\0"), ("a/b",), ("\ud800",), ("x" * 4097,))
    legal: tuple[Path, ...] = (("x" * 4096,),)

    def test_a_tree_comes_back_from_the_store_as_it_was(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TR-09, TR-12, TI-04, TI-06, CG-06, CG-10: bindings, hash and order of listing."""
        many: Bindings = {(f"d{i % 3}", f"step {i}"): b"%d" % i for i in range(200)}
        models: list[Bindings] = [{}, SMALL, many, SMALL | many]
        for model in models:
            tree = built(schema, model)
            stored = shelf.put(tree)
            assert stored == tree
            assert stored.hash() == tree.hash()
            assert bindings_of(stored) == bindings_of(tree) == model
            for path in ((), ("foo",), ("d1",), ("b",), ("nowhere",)):
                assert [step for step, _ in stored.list(path)] == [step for step, _ in tree.list(path)]

    def test_an_empty_tree_has_nothing_and_equals_an_emptied_one(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TR-01, TR-07, TC-037, TC-098, CG-03."""
        empty = Tree.empty(schema)
        emptied = shelf.put(built(schema, SMALL))
        for step in emptied:
            emptied = emptied.remove((step,))
        for tree in (empty, emptied, shelf.put(emptied), shelf.put(empty)):
            assert tree.is_empty()
            assert (tree.list(), tree.length(), tree.kind()) == ([], 0, "node")
            assert tree == empty
        assert Tree.empty(schema).key() is None

    def test_looking_at_a_path_tells_contents_directories_and_nothing_apart(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TR-06, TR-08 to TR-11, TC-097."""
        tree = built(schema, SMALL)
        for at in (tree, shelf.put(tree)):
            assert at.find("foo") is None
            assert at.find("foo/1") == at.get("foo/1") == at["foo/1"] == b"one"
            assert at.find_all("foo/1") == (b"one", schema.metadata.default)
            assert (at.kind("foo"), at.kind("foo/1"), at.kind("foo/9"), at.kind("b/x")) == (
                "node",
                "contents",
                None,
                None,
            )
            assert (at.mem("foo"), at.mem_tree("foo"), at.mem_tree("foo/9"), at.mem_tree()) == (
                False,
                True,
                False,
                True,
            )
            assert at.find_tree() is at
            assert at.get_tree("foo").get("bar/a") == b""
            for absent in ("foo", "foo/9", "b/x", ""):
                with pytest.raises(NotFound):
                    at.get(absent)
            with pytest.raises(NotFound):
                at.get_tree("b/x")

    def test_a_contents_root_is_found_at_the_root_and_gives_way_to_a_directory(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TR-02, TR-03, TU-01, TC-044, TC-080."""
        root = Tree.of_contents(b"v", schema)
        for tree in (
            root,
            Tree.singleton((), b"v", schema),
            built(schema, SMALL).add((), b"v"),
            shelf.put(root),
        ):
            assert (tree.kind(), tree.find(), tree.length(), tree.list()) == ("contents", b"v", 0, [])
            assert not tree.is_empty()
            assert tree == root
            assert tree.add("foo/1", b"x") == Tree.singleton("foo/1", b"x", schema)
            assert tree.remove(()) == Tree.empty(schema)
            assert tree.remove("x") is tree
            assert tree.add((), b"v") is tree
            assert tree.add((), b"w").find() == b"w"
            assert built(schema, SMALL).add_tree("a", tree).get("a") == b"v"
        for tree in (Tree.empty(schema), shelf.put(Tree.empty(schema))):
            assert tree.add((), b"v") == root
            deep = tree.add("new/way/down", b"1")
            assert (deep.kind("new/way"), deep.get("new/way/down")) == ("node", b"1")
            assert deep.add("new/way/down", b"2").get("new/way/down") == b"2"

    def test_an_edit_that_changes_nothing_gives_the_same_object(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TU-01, TU-03 to TU-06, TC-038, TC-084, CG-05."""
        made = built(schema, SMALL)
        hashed = built(schema, SMALL)
        hashed.hash()
        for tree in (made, hashed, shelf.put(made), shelf.put(made).add("new", b"").remove("new")):
            assert tree.add("foo/1", b"on" + b"e") is tree
            assert tree.remove("foo/9") is tree
            assert tree.remove("b/x") is tree
            assert tree.remove("nowhere/at/all") is tree
            assert tree.update("foo/1", lambda old: old) is tree
            assert tree.update("nowhere", lambda old: old) is tree
            assert tree.update_tree("foo", lambda old: old) is tree
            assert tree.update_tree((), lambda old: old) is tree
            assert tree.add_tree((), tree) is tree
            assert tree.add_tree("foo", built(schema, SMALL).get_tree("foo")) is tree
            assert tree.add_tree("nowhere", Tree.empty(schema)) is tree
            assert tree.add_tree("foo/1", Tree.of_contents(b"one", schema)) is tree

    def test_directories_that_become_empty_vanish(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TU-03, TU-06."""
        tree = Tree.singleton("a/b/c/d", b"v", schema)
        for at in (tree, shelf.put(tree)):
            assert at.remove("a/b/c/d") == Tree.empty(schema)
            assert at.add("a/x", b"").remove("a/b") == Tree.singleton("a/x", b"", schema)
            assert at.add_tree("a/b", Tree.empty(schema)).is_empty()
            assert at.update_tree("a/b/c", lambda old: None).is_empty()
            assert at.update("a/b/c/d", lambda old: None).is_empty()

    def test_the_hash_depends_on_the_bindings_alone(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TU-08, TU-09: whatever the order of the edits, and whatever was stored, hashed or read between."""
        rng = random.Random(0)
        model: Bindings = {(f"d{i % 2}", f"{i:x}"): b"%d" % (i % 7) for i in range(150)}
        wanted = built(schema, model).hash()
        extra: list[Path] = [(f"d{i % 2}", f"extra {i}") for i in range(60)]
        for _ in range(4):
            todo = [*model, *extra]
            rng.shuffle(todo)
            tree: Tree[bytes, Any] = Tree.empty(schema)
            for path in todo:
                tree = tree.add(path, model.get(path, b"extra"))
                if rng.random() < 0.05:
                    tree.hash()
                if rng.random() < 0.05:
                    tree = shelf.put(tree)
                tree.find(rng.choice(todo))
            rng.shuffle(extra)
            for path in extra:
                tree = tree.remove(path)
            assert tree.hash() == wanted
            assert shelf.put(tree).hash() == wanted

    def test_pages_are_slices_of_the_list(self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]) -> None:
        """TR-12, TR-14, TC-042, TC-077: also those that begin or end beyond the end."""
        for n in (0, 1, 5, 33, 130):
            tree = built(schema, {("d", f"{i}"): b"" for i in range(n)})
            for at in (tree, shelf.put(tree)):
                for ordered in (False, True):
                    whole = [step for step, _ in at.list("d", sorted=ordered)]
                    assert len(whole) == at.length("d") == n
                    for offset in (0, 1, n // 2, n - 1, n, n + 7):
                        for length in (0, 1, 3, n, n + 9, None):
                            page = at.list("d", offset=max(0, offset), length=length, sorted=ordered)
                            end = None if length is None else max(0, offset) + length
                            assert [step for step, _ in page] == whole[max(0, offset) : end]
                assert whole == sorted(whole, key=str.encode)

    def test_old_handles_stay_as_they_were(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """Every version of a stored tree that is edited, forked and hashed."""
        base = shelf.put(built(schema, SMALL))
        handles: list[tuple[Tree[bytes, Any], Bindings]] = [(base, SMALL)]
        rng = random.Random(1)
        for i in range(300):
            tree, model = handles[-1] if rng.random() < 0.8 else rng.choice(handles)
            path = rng.choice([*SMALL, ("foo", f"n{i % 20}"), ("new", "x", f"{i % 5}")])
            if rng.random() < 0.3:
                handles.append((tree.remove(path), {p: v for p, v in model.items() if p != path}))
            else:
                handles.append((tree.add(path, b"%d" % i), model | {path: b"%d" % i}))
            if rng.random() < 0.1:
                rng.choice(handles)[0].hash()
        for tree, model in handles:
            assert bindings_of(tree) == model

    def test_by_hash_and_by_key_the_same_tree_is_found_or_none(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TI-02, TI-04, TI-05."""
        tree = built(schema, SMALL)
        assert Tree.of_hash(shelf, tree.kinded_hash()) is None
        assert tree.key() is None
        stored = shelf.put(tree)
        key = stored.key()
        assert key is not None
        one = stored.get_tree("foo/1").key()
        assert one is not None
        found = Tree.of_key(shelf, one)
        assert found is not None
        assert found.get() == b"one"
        leaf = KindedHash("contents", Tree.of_contents(b"one", schema).hash())
        assert one.kinded_hash == leaf
        by_hash = Tree.of_hash(shelf, tree.kinded_hash()), Tree.of_hash(shelf, leaf)
        for found in (Tree.of_key(shelf, key), by_hash[0]) if self.by_hash else (Tree.of_key(shelf, key),):
            assert found is not None
            assert found == tree
            assert bindings_of(found) == SMALL
        if self.by_hash:
            assert by_hash[1] is not None
            assert by_hash[1].get() == b"one"
        else:
            assert by_hash == (None, None)
        assert Tree.of_hash(shelf, KindedHash("contents", tree.hash())) is None

    def test_another_schema_is_another_kind_of_tree(self, schema: Schema[bytes, Any]) -> None:
        """Trees of two schemas are never equal and never go into each other."""
        other = built(Schema(format=Native(8, 8)), SMALL)
        assert other != built(schema, SMALL)
        with pytest.raises(SchemaMismatch):
            built(schema, SMALL).add_tree("a", other)
        with pytest.raises(SchemaMismatch):
            built(schema, SMALL).edit().add_tree("a", other)

    def test_an_illegal_step_is_refused_by_every_method(self, schema: Schema[bytes, Any]) -> None:
        """And the longest legal one is not; TC-028."""
        tree = built(schema, SMALL)
        for path in self.legal:
            assert tree.add(path, b"v").get(path) == b"v"
        for path in self.illegal:
            for call in (tree.find, tree.get, tree.kind, tree.list, tree.length, tree.remove, tree.find_tree):
                with pytest.raises(InvalidStep):
                    call(path)
            with pytest.raises(InvalidStep):
                tree.add(path, b"")

    def test_a_path_of_five_thousand_steps(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TR-18, TU-08: added, hashed, stored, found and removed without recursion."""
        path = ("s",) * 5000
        tree = Tree.singleton(path, b"deep", schema)
        stored = shelf.again(shelf.put(tree))
        for at in (tree, stored):
            assert at.get(path) == b"deep"
            assert at.add((*path[:-1], "t"), b"x").remove((*path[:-1], "t")) == tree
            assert at.remove(path).is_empty()
            assert at.fold(0, contents=lambda path, _, n: n + len(path)) == 5000
            at.clear()

    def test_a_very_wide_directory(self, maker: Maker) -> None:
        """TU-08, TC-065, TC-066, CG-07: added, listed, folded, hashed, emptied."""
        schema = self.wide_schema
        backend, _ = maker.open(schema, Options())
        shelf = Shelf(backend, schema)
        n = self.wide
        editor = Tree.empty(schema).edit()
        for i in range(n):
            editor.add(("d", str(i)), b"v")
        tree = editor.tree()
        before = tree.hash()
        stored = shelf.put(tree)
        assert stored.length("d") == len(stored.list("d")) == n
        assert stored.fold(0, contents=lambda path, _, count: count + 1) == n
        assert stored.remove("d/7").add("d/7", b"v").hash() == before
        editor = stored.edit()
        for i in range(n):
            editor.remove(("d", str(i)))
        assert editor.tree().is_empty()
        assert editor.tree().hash() == schema.codec.empty
        backend.close()
