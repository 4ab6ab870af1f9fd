"""Folds over packs take directories in at once (decision 086): rows TF-01 to TF-08, QK-01 and QK-02 as without it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irminpy import Repo, Schema, Tree
from irminpy.errors import Corrupted
from irminpy.formats.native import Native
from irminpy.metadata import Mode, Modes
from irminpy.tree import Depth, empty_marks
from irminpy.tree.lazy import RepoSource
from irminpy_pack import Pack

Seen = list[tuple[str, str, Any]]


def seen(tree: Tree[Any, Any], names: str = "contents", **options: Any) -> Seen:
    """Every call of the callbacks `names`, in order."""
    found: Seen = []

    def callback(name: str) -> Any:
        def note(path: tuple[str, ...], what: Any, acc: None) -> None:
            found.append((name, "/".join(path), what.hash() if isinstance(what, Tree) else what))

        return note

    tree.fold(None, **{name: callback(name) for name in names.split()}, **options)
    return found


def stored(folder: Path, values: dict[str, bytes], schema: Schema[Any, Any] | None = None) -> Repo[Any]:
    """A store of `values`, opened anew, so that nothing of it is in memory."""
    with Repo.open(Pack(str(folder)), schema or Schema()) as repo:
        editor = repo.main().tree().edit()
        for path, value in values.items():
            editor[path] = value
        repo.main().set_tree((), editor.tree())
    return Repo.open(Pack(str(folder)), schema or Schema(), readonly=True)


def many() -> dict[str, bytes]:
    """Directories of all sizes, and values of all lengths."""
    values = {f"two/{i}/{j}/v": b"%d" % i * 30 for i in range(12) for j in range(20)}
    values |= {f"wide/{i}": b"w%d" % i for i in range(300)}
    values |= {f"long/{i}": b"l" * (i * 997) for i in range(12)}
    values |= {f"wider/{i}/j": b"%d" % i for i in range(250)}
    values |= {"/".join("d" * n): b"" for n in (30,)}
    return values


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo[Any]]:
    with stored(tmp_path_factory.mktemp("store"), many()) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irminpy.tree.gathering._MOST", 100)


def fresh(repo: Repo[Any, Any]) -> Tree[Any, Any]:
    """The tree of main with nothing in memory."""
    repo.home.clear()
    return repo.main().tree()


def source_of(tree: Tree[Any, Any]) -> RepoSource:
    root: Any = tree._root
    assert type(root.source) is RepoSource
    return root.source


def test_all_values_come_in_order(repo: Repo[Any]) -> None:
    """TF-01: sorted by step, whatever the size of directories and values."""
    wanted = [("contents", path, value) for path, value in many().items()]
    wanted.sort(key=lambda row: row[1].split("/"))
    assert seen(fresh(repo)) == wanted
    assert sorted(seen(fresh(repo), order="undefined")) == sorted(wanted)


OPTIONS: list[dict[str, Any]] = [
    {"names": "contents pre post"},
    {"names": "contents node"},
    {"names": "contents tree"},
    {"names": "node pre"},
    {"depth": Depth.le(3)},
    {"depth": Depth.eq(2), "names": "contents node"},
    {"depth": Depth.ge(4)},
    {"uniq": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_as_where_everything_is_kept(repo: Repo[Any], options: dict[str, Any]) -> None:
    """TF-02 to TF-08: with `cache` directories are read node by node."""
    more = dict(options)
    names = more.pop("names", "contents")
    for order in ("sorted", "undefined"):
        found = seen(fresh(repo), names, order=order, **more)
        kept = seen(fresh(repo), names, order=order, cache=True, **more)
        assert found == kept if order == "sorted" else sorted(map(repr, found)) == sorted(map(repr, kept))
    shuffled = seen(fresh(repo), names, order=random.Random(1), **more)
    assert shuffled == seen(fresh(repo), names, order=random.Random(1), cache=True, **more)


def test_marks_hold_what_was_entered(repo: Repo[Any]) -> None:
    marks, other = empty_marks(), empty_marks()
    seen(fresh(repo), uniq=marks)
    seen(fresh(repo), uniq=other, cache=True)
    assert marks == other


def test_nothing_is_kept(repo: Repo[Any]) -> None:
    tree = fresh(repo).get_tree("two")
    source = source_of(tree)
    before = len(source.nodes)
    seen(tree)
    assert (len(source.nodes), len(source.values)) == (before, 0)


@pytest.mark.parametrize("room", [0, 100, 3000, 1 << 20])
def test_values_that_find_no_room_are_read_one_by_one(
    repo: Repo[Any], monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    wanted = seen(fresh(repo))
    monkeypatch.setattr("irminpy.tree.fold.ROOM", room)
    assert seen(fresh(repo)) == wanted


def test_what_is_edited_or_loaded_counts_as_it_is(repo: Repo[Any]) -> None:
    tree = fresh(repo)
    assert tree.find("two/3/4/v") is not None
    edited = tree.add("two/3/4/v", b"new").remove("wide/77").add("two/3/5/w", b"more")
    values = many() | {"two/3/4/v": b"new", "two/3/5/w": b"more"}
    del values["wide/77"]
    assert sorted(seen(edited)) == sorted(("contents", path, value) for path, value in values.items())


def test_pages_are_given_back(repo: Repo[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Decision 080: no cache turns in a fold, so it counts what it reads."""
    monkeypatch.setattr("irminpy.tree.source._VALUES", 100_000)
    tree, times = fresh(repo), list[int]()
    monkeypatch.setattr(source_of(tree), "_release", lambda: times.append(1))
    seen(tree)
    assert times


@pytest.mark.parametrize("where", ["value", "node"])
def test_damage_is_told_where_it_is_reached(tmp_path: Path, where: str) -> None:
    values = {f"d/{i}/v": b"value %d of some" % i for i in range(9)}
    stored(tmp_path, values).close()
    (segment,) = [
        file for file in tmp_path.rglob("*") if file.is_file() and b"value 4 of some" in file.read_bytes()
    ]
    data = bytearray(segment.read_bytes())
    at = data.index(b"value 4 of some")
    if where == "node":
        with Repo.open(Pack(str(tmp_path)), Schema(), readonly=True) as repo:
            root: Any = repo.main().tree().get_tree("d/4")._root
            at = (root.word >> 22 << 3) + 48 + 8  # behind the header, the hash and one word
    data[at + 2] ^= 1
    segment.write_bytes(data)
    found: list[str] = []
    with Repo.open(Pack(str(tmp_path)), Schema(), readonly=True) as repo, pytest.raises(Corrupted):
        repo.main().tree().fold(None, contents=lambda path, value, acc: found.append("/".join(path)))
    assert found == [f"d/{i}/v" for i in range(4)]


@pytest.mark.parametrize("schema", [Schema(format=Native(2, 2)), Schema(format=Native(256, 256))])
def test_other_shapes_and_metadata(tmp_path: Path, schema: Schema[Any, Any]) -> None:
    values = {f"{i % 7}/{i}": b"%d" % i for i in range(600)}
    with stored(tmp_path, values, schema) as repo:
        assert sorted(seen(fresh(repo))) == sorted(
            ("contents", path, value) for path, value in values.items()
        )


def test_metadata(tmp_path: Path) -> None:
    schema = Schema(metadata=Modes())
    with Repo.open(Pack(str(tmp_path)), schema) as repo:
        tree = Tree[bytes, Mode].empty(schema)
        for i in range(60):
            tree = tree.add(f"{i % 7}/{i}", b"%d" % i, metadata=Mode.EXEC if i % 7 == 3 else None)
        repo.main().set_tree((), tree)
        assert sorted(seen(fresh(repo))) == sorted(("contents", f"{i % 7}/{i}", b"%d" % i) for i in range(60))


STEP = st.sampled_from(["a", "b", "é", "\U0001f600", "aa", "~"])


@given(
    st.dictionaries(st.lists(STEP, min_size=1, max_size=5).map("/".join), st.binary(max_size=9), max_size=40)
)
@settings(max_examples=25)
def test_trees_of_any_shape(tmp_path_factory: pytest.TempPathFactory, values: dict[str, bytes]) -> None:
    schema = Schema(format=Native(2, 2))
    tree = Tree[bytes, None].empty(schema)
    for path, value in values.items():
        tree = tree.add(path, value)
    with Repo.open(Pack(str(tmp_path_factory.mktemp("any"))), schema) as repo:
        repo.main().set_tree((), tree)
        for options in ({}, {"names": "contents node pre"}, {"uniq": True}):
            more: dict[str, Any] = dict(options)
            names = more.pop("names", "contents")
            assert seen(fresh(repo), names, **more) == seen(tree, names, **more)
