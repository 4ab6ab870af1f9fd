"""Decision 092: a diff that compares many nodes in one call of the core tells what it tells node by node."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy.tree.diff
from irminpy import Repo, Schema, _edits, core
from irminpy.errors import Corrupted
from irminpy.formats import FlatNative, Format, Native
from irminpy.objects import Node
from irminpy.tree.lazy import Stored
from irminpy_pack import Pack

pytestmark = pytest.mark.skipif(core.CORE != "c", reason="only the compiled core does anything at once")

SHAPES: dict[str, Format] = {
    "default": Native(),
    "narrow": Native(2, 2),
    "middle": Native(4, 3),
    "flat": FlatNative(),
}
STEPS = st.sampled_from([f"k{n}" for n in range(12)])
PATHS = st.lists(STEPS, min_size=1, max_size=4).map("/".join)
EDITS = st.lists(
    st.tuples(st.sampled_from(["add", "again", "remove"]), PATHS, st.integers(0, 3)), max_size=25
)


@contextmanager
def opened(path: str, shape: str) -> Iterator[Repo[bytes, None]]:
    with Repo.open(Pack(path, durability="none", index="minimal"), Schema(format=SHAPES[shape])) as repo:
        yield repo


def changes(repo: Repo[bytes, None], most: int | None, touched: list[str]) -> list[Any]:
    """What differs between the heads of two branches, read anew; node by node for None."""
    repo.home.clear()
    a, b = repo.branch("a").tree(), repo.branch("b").tree()
    for path in touched:
        for tree in (a, b):
            tree.find_tree(path)  # what is in memory is above, not below: no step is mistaken for another one
    name, value = ("unlike", _edits.unlike) if most is None else ("_MOST", most)
    with patch.object(irminpy.tree.diff, name, value):
        return [list(a.diff(b)), list(b.diff(a)), list(a.diff_all(b))]


@pytest.mark.parametrize("shape", SHAPES)
@given(first=EDITS, second=EDITS, wide=st.booleans())
def test_what_differs_is_the_same_in_any_number_of_nodes_at_once(
    shape: str, first: list[tuple[str, str, int]], second: list[tuple[str, str, int]], wide: bool
) -> None:
    touched = [f"k{n}" for n in range(60)]
    with tempfile.TemporaryDirectory() as folder, opened(folder + "/s", shape) as repo:
        edit = repo.main().tree().edit()
        for n in range(60 if wide else 0):
            edit[f"k0/k{n}"] = edit[f"k{n}/k1/k2"] = b"%d" % n
        for branch, edits in (("a", first), ("b", first + second)):
            for what, path, n in edits:
                if what == "remove":
                    edit.remove(path)
                else:
                    edit[path] = b"%d" % n
            repo.branch(branch).set_tree((), edit.tree())
        expected = changes(repo, None, touched)
        for most in (1, 2, 5, 256):
            assert changes(repo, most, touched) == expected


def test_a_diff_of_commits_is_that_of_their_bindings_and_asks_the_core(tmp_path: Path) -> None:
    with opened(str(tmp_path / "s"), "default") as repo:
        before = {f"d{n % 7}/e{n % 50}/k{n}": b"%d" % n for n in range(3000)}
        edit = repo.main().tree().edit()
        for path, value in before.items():
            edit[path] = value
        repo.branch("a").set_tree((), edit.tree())
        after = before | {path: b"new " + value for path, value in before.items() if value.endswith(b"33")}
        for path, value in after.items():
            edit[path] = value
        repo.branch("b").set_tree((), edit.tree())
        answers: list[bool] = []

        def counted(*given: Any) -> Any:
            found = core.unlike(*given)
            answers.append(found is not None)
            return found

        with patch.object(irminpy.tree.diff, "unlike", counted):
            found = repo.branch("a").tree().diff(repo.branch("b").tree())
            assert {"/".join(path) for path, _ in found} == {p for p, v in after.items() if v != before[p]}
        assert answers == [True]


def record(repo: Repo[bytes, None], branch: str) -> Node:
    """The root node of the head."""
    root = repo.branch(branch).tree()._root
    assert type(root) is Stored
    found = root.record()
    assert type(found) is Node
    return found


def test_what_a_node_is_told_to_be_and_is_not_is_found_out(tmp_path: Path) -> None:
    """A bucket in the place of a directory, which no store writes, is for Python to refuse."""
    with opened(str(tmp_path / "s"), "narrow") as repo:
        for branch, value in (("a", b"1"), ("b", b"2")):
            repo.branch(branch).set_tree((), repo.main().tree().add("x/y", value))
        source = repo.home.source()
        load, recent = source.node, source.nodes.recent
        x, y = (record(repo, name) for name in "ab")
        below: Any = load(y.hashes, int.from_bytes(y.words, "little"))
        other = load(x.hashes, int.from_bytes(x.words, "little"))

        def wrong(hash: bytes, word: int = 0) -> Any:
            return below._replace(place=2) if hash == y.hashes else load(hash, word)

        assert core.unlike(x, y, recent, load, recent, load, 9) == [(("x", "y"), other, below, 0)]
        assert core.unlike(x, y, recent, load, lambda _: None, wrong, 9) == [(("x",), x, y, 0)]
        assert core.unlike(x, x, recent, load, recent, load, 9) == []

        def fails(hash: bytes, word: int = 0) -> Any:
            raise Corrupted("file", 8, None, "made to fail")

        with pytest.raises(Corrupted, match="made to fail"):
            core.unlike(x, y, recent, load, lambda _: None, fails, 9)
        assert core.unlike(x, below, recent, load, recent, load, 9) is None
        assert core.unlike(x, y, recent, load, recent, load, 0) is None
        assert core.unlike(x, None, recent, load, recent, load, 9) is None
