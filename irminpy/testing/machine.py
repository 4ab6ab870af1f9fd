"""`TreeMachine`: random edits of many trees at once, each compared with a plain dict.

A subclass says where trees are stored; hypothesis runs it with `run_state_machine_as_test`, or through `.TestCase`:

    class MyMachine(TreeMachine):
        schema = Schema(format=Native(2, 2))
        def make(self): return Mine(tempfile.mkdtemp())

    TestMyTrees = MyMachine.TestCase
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from ..backend import Maker, Options
from ..path import Path
from ..schema import Schema
from ..tree import Tree
from .model import Bindings, Shelf, added, below, bindings_of, built, grafted, removed
from .strategies import paths, values

__all__ = ["Handle", "TreeMachine"]

Handle = tuple[Tree[bytes, Any], Bindings]
"""A tree, and what it must hold. Neither ever changes."""

_places = paths(1, 3)
_nothing = multiple(*list[Any]())
_edits = st.lists(
    st.tuples(st.sampled_from(["add", "add", "remove", "graft", "look"]), _places, values), max_size=30
)


class TreeMachine(RuleBasedStateMachine):
    """Trees in memory and in a backend against dicts. A subclass gives `make`, and may choose a `schema`."""

    schema: ClassVar[Schema[bytes, Any]] = Schema()

    trees: Bundle[Handle] = Bundle("trees")

    def make(self) -> Maker:
        """A maker for a store that does not exist yet: override this."""
        raise NotImplementedError("a subclass of TreeMachine overrides `make`")

    def __init__(self) -> None:
        super().__init__()
        self.backend, _ = self.make().open(self.schema, Options())
        self.shelf = Shelf(self.backend, self.schema)
        # The handles of the last steps, looked at after every step: a later edit must not show in them.
        self.recent: list[Handle] = []

    def teardown(self) -> None:
        """Close the store."""
        self.backend.close()

    def _edited(self, before: Handle, tree: Tree[bytes, Any], model: Bindings) -> Handle:
        if model == before[1]:
            assert tree is before[0], "an edit that changes nothing gave another object"
        return self._kept(tree, model)

    def _kept(self, tree: Tree[bytes, Any], model: Bindings) -> Handle:
        self.recent = [*self.recent[-7:], (tree, model)]
        return tree, model

    # -- rules -------------------------------------------------------------------------------------------------

    @initialize(target=trees)
    def start(self) -> Handle:
        """The empty tree."""
        return self._kept(Tree.empty(self.schema), {})

    @rule(target=trees, handle=trees, path=_places, value=values)
    def add(self, handle: Handle, path: Path, value: bytes) -> Handle:
        """`Tree.add`."""
        tree, model = handle
        return self._edited(handle, tree.add(path, value), added(model, path, value))

    @rule(target=trees, handle=trees, start=_places, items=st.lists(st.tuples(_places, values), max_size=40))
    def add_one_by_one(self, handle: Handle, start: Path, items: list[tuple[Path, bytes]]) -> Handle:
        """A chain of `Tree.add`; the handles between are dropped."""
        tree, model = handle
        for path, value in items:
            tree, model = tree.add(start[:1] + path, value), added(model, start[:1] + path, value)
        return self._kept(tree, model)

    @rule(target=trees, handle=trees, path=_places)
    def remove(self, handle: Handle, path: Path) -> Handle:
        """`Tree.remove`."""
        tree, model = handle
        return self._edited(handle, tree.remove(path), removed(model, path))

    @rule(target=trees, handle=trees, data=st.data())
    def remove_something(self, handle: Handle, data: st.DataObject) -> Handle:
        """`Tree.remove` of what is there."""
        tree, model = handle
        path = data.draw(st.sampled_from(sorted(model) or [("a",)]))
        path = path[: data.draw(st.integers(1, max(1, len(path))))]
        return self._edited(handle, tree.remove(path), removed(model, path))

    @rule(target=trees, handle=trees, path=_places, other=trees)
    def add_tree(self, handle: Handle, path: Path, other: Handle) -> Handle:
        """`Tree.add_tree` of another handle: of the same line, of an older one, or of another."""
        return self._edited(handle, handle[0].add_tree(path, other[0]), grafted(handle[1], path, other[1]))

    @rule(target=trees, handle=trees, path=_places)
    def find_tree(self, handle: Handle, path: Path) -> Any:
        """A subtree becomes a handle of its own."""
        tree, model = handle
        part = below(model, path)
        found = tree.find_tree(path)
        assert (found is not None) is bool(part)
        if found is None:
            return _nothing
        return self._kept(found, part)

    @rule(target=trees, handle=trees, path=_places, value=st.none() | values)
    def update(self, handle: Handle, path: Path, value: bytes | None) -> Handle:
        """`Tree.update`, with a function that is called once."""
        tree, model = handle
        given: list[bytes | None] = []

        def f(old: bytes | None) -> bytes | None:
            given.append(old)
            return value

        after = removed(model, path) if value is None else added(model, path, value)
        result = self._edited(handle, tree.update(path, f), after)
        assert given == [model.get(path)]
        return result

    @rule(target=trees, handle=trees, path=_places, inner=_places, value=values)
    def update_tree(self, handle: Handle, path: Path, inner: Path, value: bytes) -> Handle:
        """`Tree.update_tree`, with an edit of the subtree."""
        tree, model = handle

        def f(old: Tree[bytes, Any] | None) -> Tree[bytes, Any] | None:
            return (Tree.empty(self.schema) if old is None else old).add(inner, value)

        part = {p: v for p, v in below(model, path).items() if p}
        return self._edited(
            handle, tree.update_tree(path, f), grafted(model, path, added(part, inner, value))
        )

    @rule(target=trees, handle=trees, edits=_edits, other=trees)
    def edit(self, handle: Handle, edits: list[tuple[str, Path, bytes]], other: Handle) -> Any:
        """`Tree.edit`, with many changes, and with trees taken out between them."""
        tree, model = handle
        editor = tree.edit()
        out: list[Handle] = []
        for what, path, value in edits:
            if what == "add":
                editor[path] = value
                model = added(model, path, value)
            elif what == "remove":
                assert editor.remove(path) is bool(below(model, path))
                model = removed(model, path)
            elif what == "graft":
                editor[path] = other[0]
                model = grafted(model, path, other[1])
            else:
                assert editor.find(path) == model.get(path)
                assert (path in editor) is bool(below(model, path))
                out.append(self._kept(editor.tree(), model))
        return multiple(*out, self._kept(editor.tree(), model))

    @rule(target=trees, handle=trees)
    def save_and_load(self, handle: Handle) -> Handle:
        """The same tree, from the store."""
        stored = self.shelf.put(handle[0])
        assert stored == handle[0]
        return self._kept(stored, handle[1])

    @rule(handle=trees)
    def settle(self, handle: Handle) -> None:
        """Hashing a handle changes how it is kept, and nothing else."""
        handle[0].hash()

    @rule(handle=trees, depth=st.integers(0, 2))
    def clear(self, handle: Handle, depth: int) -> None:
        """Forgetting what can be read again."""
        handle[0].clear(depth)

    @rule(handle=trees, path=paths(0, 3))
    def look(self, handle: Handle, path: Path) -> None:
        """All ways to look at one path."""
        tree, model = handle
        part = below(model, path)
        steps = {p[0] for p in part if p}
        assert tree.find(path) == model.get(path)
        assert tree.mem(path) is (path in model)
        assert tree.mem_tree(path) is (bool(part) or not path)
        assert tree.kind(path) == ("contents" if path in model else "node" if part or not path else None)
        assert tree.length(path) == len(steps)

    @rule(handle=trees, path=paths(0, 2), size=st.integers(1, 5))
    def pages(self, handle: Handle, path: Path, size: int) -> None:
        """Pages, one after the other, are the list; sorted is by bytes."""
        tree, model = handle
        steps = {p[0] for p in below(model, path) if p}
        whole = [step for step, _ in tree.list(path)]
        assert sorted(whole) == sorted(steps)
        paged = [
            step
            for at in range(0, len(whole) + 1, size)
            for step, _ in tree.list(path, offset=at, length=size)
        ]
        assert paged == whole
        assert [step for step, _ in tree.list(path, sorted=True)] == sorted(steps, key=str.encode)

    @rule(handle=trees, other=trees)
    def compare(self, handle: Handle, other: Handle) -> None:
        """Trees are equal exactly when their dicts are."""
        assert (handle[0] == other[0]) is (handle[1] == other[1])

    @rule(handle=trees)
    def rebuild(self, handle: Handle) -> None:
        """The hash is that of a tree made from the dict, and listing finds the dict."""
        tree, model = handle
        assert tree.hash() == built(self.schema, model).hash()
        assert bindings_of(tree) == model

    # -- invariants --------------------------------------------------------------------------------------------

    @invariant()
    def old_handles_are_as_they_were(self) -> None:
        """Nothing that was done since shows in them."""
        for tree, model in self.recent:
            assert tree.is_empty() is (not model)
            assert tree.length() == len({p[0] for p in model if p})
            for path, value in model.items():
                assert tree.find(path) == value
