"""Decision 088: edits, finds and batches in one call of the core come out as they do step by step.

Each script runs twice, on stores of their own: with the functions of the compiled core, and with their twins in Python,
which have no answer, so that the modules that ask do the same directory by directory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from struct import unpack
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy.tree.at_once
import irminpy.tree.edit
import irminpy.tree.read
import irminpy.tree.source
import irminpy.tree.tree
import irminpy_pack.append
from irminpy import Repo, Schema, Tree, _edits, _frames, core
from irminpy.contents import Bytes
from irminpy.errors import IrminError
from irminpy.formats import Native
from irminpy.objects import Inode, Node
from irminpy.tree.lazy import Stored
from irminpy.tree.stage import Staged
from irminpy_pack import Pack
from irminpy_pack.scan import Whole, scan
from irminpy_pack.word import offset_of

from ..marks import MARKS

pytestmark = pytest.mark.skipif(core.CORE != "c", reason="only the compiled core does anything at once")

SHAPES = {"default": Native(), "narrow": Native(2, 2), "wide": Native(256, 2), "middle": Native(4, 3)}
Script = list[tuple[str, str, bytes]]


@contextmanager
def step_by_step() -> Iterator[None]:
    """What asks the core for whole edits gets no answer."""
    with (
        patch.object(irminpy.tree.edit, "bind_below", _edits.bind),
        patch.object(irminpy.tree.tree, "rebind", _edits.rebind),
        patch.object(irminpy.tree.read, "find_below", _edits.find),
        patch.object(irminpy.tree.at_once, "settle", _edits.settle),
        patch.object(irminpy.tree.source, "placed", _edits.placed),
        patch.object(irminpy_pack.append, "frames", _frames.frames),
        patch.object(core, "record_at", _frames.record_at),
    ):
        yield


def frames(path: Path) -> list[tuple[int, bytes, bytes]]:
    """(kind, hash, canonical bytes) of all frames of objects of the store at `path`, in no order.

    The words in each were found to lead to its children, which come before it. Nodes that are differences are whole.
    """
    from irminpy.backend import Options

    backend, _ = Pack(str(path)).open(None, Options(readonly=True))
    try:
        state = backend.state
        codec, at = state.view.codec, dict[int, bytes]()
        found: list[tuple[int, bytes, bytes]] = []
        for segment in state.log.table.segments:
            for whole in scan(state.framing, segment):
                if not isinstance(whole, Whole) or chr(whole.frame.kind) not in "NDBXC":
                    continue
                frame = state.log.whole(segment.base + whole.at, whole.frame)
                at[segment.base + whole.at] = frame.hash
                found.append((frame.kind, frame.hash, frame.canonical))
                words = unpack(f"<{len(frame.hints) // 8}Q", frame.hints)
                if chr(frame.kind) == "N":
                    _, hashes = codec.children(frame.canonical)
                    assert b"".join([at[offset_of(word)] for word in words]) == hashes
                if chr(frame.kind) == "C":
                    commit = codec.decode_commit(frame.canonical)
                    led = zip(words, (commit.node, *commit.parents), strict=True)
                    assert all(not word or at[offset_of(word)] == hash_ for word, hash_ in led)
        return sorted(found)
    finally:
        backend.close()


def told(f: Callable[[], Any]) -> Any:
    """What `f` gives, or what it raises, as text."""
    try:
        return f()
    except IrminError as e:
        return type(e).__name__, str(e)


def run(repo: Repo[bytes], script: Script) -> list[Any]:
    """What each line of the script gives."""
    main = repo.main()
    tree = main.tree()
    older = tree
    found: list[Any] = []
    date = 0
    for what, path, value in script:
        if what == "add":
            tree = tree.add(path, value)
        elif what == "remove":
            tree = tree.remove(path)
        elif what == "find":
            found.append(tree.find(path))
        elif what == "older":
            found.append(older.find(path))
            older = tree
        elif what == "fork":
            tree = older.add(path, value)
        elif what == "hash":
            found.append(tree.hash())
        elif what == "edit":
            editor = tree.edit()
            editor[path] = value
            editor[path + "x"] = value
            tree = editor.tree()
        else:
            date += 1
            done = main.set_tree((), tree, date=date, clear=what == "commit")
            found.append(done and done.hash)
            if what == "commit":
                tree = main.tree()
        # Also of the directories on the way, whose entries are counted before they are hashed.
        steps = path.split("/")
        found += [told(partial(tree.length, "/".join(steps[:n]))) for n in range(len(steps))]
    found.append(sorted((str(path), value) for path, value in tree.items()) if hasattr(tree, "items") else [])
    found.append(tree.hash())
    return found


some_steps = st.sampled_from(["a", "b", "c", "d", "é", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"])
paths = st.lists(some_steps, min_size=1, max_size=4).map("/".join)
values = st.one_of(st.binary(max_size=3), st.just(b"v" * 5000))
lines = st.tuples(
    st.sampled_from(
        ["add"] * 8 + ["find"] * 3 + ["remove", "older", "fork", "hash", "edit", "commit", "commit", "keep"]
    ),
    paths,
    values,
)


@given(
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from(["minimal", "always"]),
    st.dictionaries(paths, values, max_size=40),
    st.lists(lines, max_size=30),
)
def test_a_script_gives_the_same_answers_and_the_same_frames(
    tmp_path_factory: pytest.TempPathFactory, shape: str, index: str, first: dict[str, bytes], script: Script
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    schema = Schema(Bytes(), format=SHAPES[shape])
    told_by: list[list[Any]] = []
    for way in ("at once", "step by step"):
        path = folder / way

        def both(path: Path = path) -> list[Any]:
            with Repo.open(Pack(str(path), index=index, durability="none"), schema) as repo:
                tree = Tree.empty(schema)
                for at, value in first.items():
                    tree = tree.add(at, value)
                repo.main().set_tree((), tree, date=0, allow_empty=True)
            with Repo.open(Pack(str(path), index=index, durability="none"), schema) as repo:
                return run(repo, script)

        if way == "at once":
            told_by.append(both())
        else:
            with step_by_step():
                told_by.append(both())
    assert told_by[0] == told_by[1]
    assert frames(folder / "at once") == frames(folder / "step by step")


@given(
    st.sampled_from(sorted(SHAPES)),
    st.dictionaries(paths, values, max_size=40),
    st.lists(lines, max_size=30),
)
def test_a_script_gives_the_same_in_memory(shape: str, first: dict[str, bytes], script: Script) -> None:
    schema = Schema(Bytes(), format=SHAPES[shape])

    def both() -> list[Any]:
        import irminpy

        with irminpy.open("mem:", schema) as repo:
            tree = Tree.empty(schema)
            for at, value in first.items():
                tree = tree.add(at, value)
            repo.main().set_tree((), tree, date=0, allow_empty=True)
            return run(repo, script)

    at_once = both()
    with step_by_step():
        assert at_once == both()


@given(st.sampled_from(["default", "narrow", "middle"]), st.data())
def test_nodes_that_lie_are_told_alike(shape: str, data: st.DataObject) -> None:
    """A record that stands in the place of another is Corrupted, or leads where it leads, in both ways."""
    import irminpy

    schema = Schema(Bytes(), format=SHAPES[shape])
    names = [f"d{i}/k{j}" for i in range(6) for j in range(12)]
    swaps = data.draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=4))
    sought = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=6))

    def both() -> list[Any]:
        with irminpy.open("mem:", schema) as repo:
            tree = Tree.empty(schema)
            for name in names:
                tree = tree.add(name, name.encode())
            repo.main().set_tree((), tree, date=0)
            repo.home.clear()
            source = repo.home.source()
            repo.main().tree().fold(0, contents=lambda path, value, acc: acc + 1)
            records = dict(sorted(source.nodes.iter()))
            hashes = list(records)
            for one, other in swaps:
                source.nodes.add(hashes[one % len(hashes)], records[hashes[other % len(hashes)]])
            found = [told(partial(repo.main().tree().find, name)) for name in sought]
            tree = repo.main().tree()
            for name in sought:
                after = told(partial(tree.add, name, b"other"))
                tree = after if isinstance(after, Tree) else tree
                found.append(None if isinstance(after, Tree) else after)
            found.append(told(tree.hash))
            return found

    at_once = both()
    with step_by_step():
        assert at_once == both()


def test_what_the_core_makes_has_every_attribute(tmp_path: Path) -> None:
    """`part.h` sets what `__init__` sets."""
    with Repo.open(Pack(str(tmp_path / "s"), durability="none"), Schema()) as repo:
        tree = Tree.empty(repo.schema)
        for i in range(200):
            tree = tree.add(f"d{i % 5}/e/k{i}", b"%d" % i)
        repo.main().set_tree((), tree, date=0)
        repo.home.clear()
        tree = repo.main().tree()
        assert tree.find("d1/e/k1") == b"1"
        edited = tree.add("d1/e/k1", b"new").add("d2/e/k2", b"new")
        staged = edited._root
        edited.hash()
        seen: list[Any] = [staged, tree._root]
        kinds: set[type[Any]] = set()
        for part in seen:
            kinds.add(type(part))
            for name in type(part).__slots__:
                getattr(part, name)  # AttributeError if it was not set
            seen += [child for child in part.now.values() if type(child) in (Stored, Staged)]
            if type(part) is Staged and part.base is not None:
                seen.append(part.base)
        assert kinds == {Stored, Staged}
        assert len(seen) > 8


def test_the_usual_edits_are_done_at_once(tmp_path: Path) -> None:
    """Else all of the above would compare one way with itself."""
    answers: dict[str, list[bool]] = {}

    def watched(name: str, unknown: object) -> Callable[..., Any]:
        function = getattr(core, name)

        def call(*arguments: Any) -> Any:
            found = function(*arguments)
            answers.setdefault(name, []).append(found is not unknown)
            return found

        return call

    with Repo.open(Pack(str(tmp_path / "s"), durability="none"), Schema()) as repo:
        tree = Tree.empty(repo.schema)
        for i in range(2000):
            tree = tree.add(f"d{i % 5}/e{i % 7}/k{i}", b"%d" % i)
        repo.main().set_tree((), tree, date=0)
        with (
            patch.object(irminpy.tree.edit, "bind_below", watched("bind", None)),
            patch.object(irminpy.tree.tree, "rebind", watched("rebind", False)),
            patch.object(irminpy.tree.read, "find_below", watched("find", False)),
            patch.object(irminpy.tree.at_once, "settle", watched("settle", None)),
        ):
            tree = repo.main().tree()
            for i in range(0, 2000, 50):
                assert tree.find(f"d{i % 5}/e{i % 7}/k{i}") == b"%d" % i
            for i in range(0, 2000, 50):
                tree = tree.add(f"d{i % 5}/e{i % 7}/k{i}", b"new")
            repo.main().set_tree((), tree, date=1)
            assert repo.main().find("d0/e0/k0") == b"new"
            # Steps that are new: in directories, in parts of them that then are too large, with new directories.
            tree = repo.main().tree()
            for i in range(1200):
                tree = tree.add(f"d{i % 5}/e{i % 7}/n{i}", b"%d" % i)
            for i in range(20):
                tree = (
                    tree.add(f"d{i % 5}/new{i}/k", b"1")
                    .add(f"d{i % 5}/new{i}/j", b"2")
                    .add(f"d1/e{i}/a/b/c", b"3")
                )
            before = repo.counters.node_hash, repo.counters.contents_hash
            repo.main().set_tree((), tree, date=2)
            after = repo.counters.node_hash, repo.counters.contents_hash
            assert repo.main().find("d1/e3/a/b/c") == b"3"
            # The root, d0 to d4, 35 below them and 13 that were not there, 20 new ones, and a/b in 20.
            assert (after[0] - before[0], after[1] - before[1]) == (1 + 5 + 35 + 13 + 20 + 40, 1200 + 60)
            editor = repo.main().tree().edit()
            for i in range(40):
                editor[f"d1/e{i % 5}/edited{i}"] = b"4"
            editor["top"] = b"5"
            repo.main().set_tree((), editor.tree(), date=3)
            assert repo.main().find("top") == b"5"
    assert {name: all(found) for name, found in answers.items()} == dict.fromkeys(
        ("bind", "rebind", "find", "settle"), True
    )


@pytest.mark.parametrize("index", ["minimal", "always"])
@pytest.mark.parametrize(
    ("shape", "many"), [("default", 30), ("default", 500), ("narrow", 2), ("narrow", 40), ("wide", 60)]
)
def test_a_part_that_becomes_too_large_is_parted_and_what_was_there_is_led_to(
    tmp_path: Path, shape: str, many: int, index: str
) -> None:
    schema = Schema(Bytes(), format=SHAPES[shape])
    folders = {"at once": tmp_path / "at once", "step by step": tmp_path / "step by step"}
    roots: list[Any] = []
    for way, folder in folders.items():
        answered: list[bool] = []

        def settle(*arguments: Any, answered: list[bool] = answered) -> Any:
            found = core.settle(*arguments)
            answered.append(found is not None)
            return found

        with Repo.open(Pack(str(folder), index=index, durability="none"), schema) as repo:
            tree = Tree.empty(schema)
            for i in range(many):
                tree = tree.add(f"d/k{i}", b"%d" % i).add(f"d/s{i}/x", b"1")
            repo.main().set_tree((), tree, date=0)
        with Repo.open(Pack(str(folder), index=index, durability="none"), schema) as repo:
            tree = repo.main().tree()
            for i in range(2 * many):
                tree = tree.add(f"d/n{i}", b"n%d" % i)
            if way == "at once":
                with patch.object(irminpy.tree.at_once, "settle", settle):
                    repo.main().set_tree((), tree, date=1)
                assert answered == [True]
            else:
                with step_by_step():
                    repo.main().set_tree((), tree, date=1)
            roots.append(repo.main().head().hash)
        with Repo.open(Pack(str(folder), index=index, durability="none"), schema) as repo:
            assert [repo.main().find(f"d/k{i}") for i in range(many)] == [b"%d" % i for i in range(many)]
            assert [repo.main().find(f"d/s{i}/x") for i in range(many)] == [b"1"] * many
            assert repo.main().find(f"d/n{2 * many - 1}") == b"n%d" % (2 * many - 1)
    assert roots[0] == roots[1]
    assert frames(folders["at once"]) == frames(folders["step by step"])


def test_a_record_keeps_its_words_and_its_class_when_it_is_placed() -> None:
    flat = Node({"a": 0}, b"\1", bytes(32), {}, b"", b"head")
    inner = Inode(0, b"\1\2", [3, 4], bytes(64), b"", b"head")
    for placed in (core.placed, _edits.placed):
        records = {b"f": flat, b"i": inner, b"other": flat, b"bare": inner}
        found = placed(
            records,
            dict.fromkeys([b"f", b"i", b"bare"], b""),
            {b"f": b"w" * 8, b"i": b"w" * 16},
            True,
            False,
            Node,
            Inode,
        )
        assert found == {b"f": flat.located(b"w" * 8), b"i": inner.located(b"w" * 16)}
        assert [type(record) for record in found.values()] == [Node, Inode]
        assert placed(records, {b"bare": b""}, {}, False, False, Node, Inode) == {b"bare": inner}
    assert [core.weight(flat), core.weight(inner)] == [_edits.weight(flat), _edits.weight(inner)] == [9, 10]


def test_records_that_nobody_else_has_get_their_words_in_place() -> None:
    def records() -> dict[bytes, Any]:
        # Made here, so that only the dict has them.
        return {
            b"f": Node({"a": 0}, b"\1", bytes(32), {}, b"", b"head"),
            b"i": Inode(0, b"\1\2", [3, 4], bytes(64), b"", b"head"),
        }

    nodes, hints = dict.fromkeys([b"f", b"i"], b""), {b"f": b"w" * 8, b"i": b"w" * 16}
    expected = _edits.placed(records(), nodes, hints, True, False, Node, Inode)
    mine = records()
    ids = {hash_: id(record) for hash_, record in mine.items()}
    found = core.placed(mine, nodes, hints, True, True, Node, Inode)
    assert found == expected == mine
    assert {hash_: id(record) for hash_, record in found.items()} == ids
    assert [type(record) for record in found.values()] == [Node, Inode]
    # One that somebody else has, one without words, one that was not written, or words that are not right there: all
    # stay as they were.
    for held, known, written, own in (
        (b"f", hints, nodes, True),
        (b"i", hints, nodes, True),
        (None, {b"f": b"w" * 8}, nodes, True),
        (None, hints | {b"i": b""}, nodes, True),
        (None, hints, {b"i": b""}, True),
        (None, hints, nodes, False),
    ):
        mine = records()
        somebody = mine.get(held or b"")
        answer = core.placed(mine, written, known, True, own, Node, Inode)
        assert answer == _edits.placed(records(), written, known, True, own, Node, Inode)
        assert mine == records()
        assert somebody is None or not somebody.words


def test_a_tree_from_before_a_commit_reads_on_as_it_did(tmp_path: Path) -> None:
    """Records of its pool have words since: those of the store that it was made on."""
    with (
        Repo.open(Pack(str(tmp_path / "s"), durability="none"), Schema()) as repo,
        Repo.open(Pack(str(tmp_path / "o"), durability="none"), Schema()) as other,
    ):
        main = repo.main()
        first = Tree.empty(repo.schema)
        for i in range(500):
            first = first.add(f"d{i % 5}/k{i}", b"%d" % i)
        main.set_tree((), first, date=0)
        edited = main.tree().add("d1/k1", b"new").add("d2/k2", b"new")
        hash_ = edited.hash()
        aside = edited.add("d3/k3", b"aside")
        again = Tree.empty(repo.schema).add_tree("x", edited)
        main.set_tree((), edited, date=1)
        assert aside.find("d1/k1") == again.find("x/d1/k1") == b"new"
        assert aside.find("d2/k7") == again.find("x/d2/k7") == b"7"
        main.set_tree((), aside, date=2)
        main.set_tree((), again, date=3)
        assert main.find("x/d4/k499") == b"499"
        assert main.head().tree().get_tree("x").hash() == hash_
        other.main().set_tree((), Tree.of_concrete(again.to_concrete(), repo.schema), date=0)
        assert other.main().tree() == again
        assert repo.check().ok
        assert other.check().ok


def test_nodes_of_the_newest_version_stay_at_hand_and_take_the_place_of_those_before(tmp_path: Path) -> None:
    with Repo.open(Pack(str(tmp_path / "s"), durability="none"), Schema()) as repo:
        main = repo.main()
        tree = Tree.empty(repo.schema)
        for i in range(2000):
            tree = tree.add(f"d{i % 5}/k{i}", b"%d" % i)
        main.set_tree((), tree, date=0)
        old = main.head()
        for i in range(200, 2000, 3):  # all directories, and what they lead to, are at hand
            assert main.find(f"d{i % 5}/k{i}") == b"%d" % i
        nodes = repo._opened.source.nodes
        for round in range(2):
            before = len(nodes)
            repo.counters.reset()
            for n in range(1, 200):
                main.set_tree((), main.tree().add(f"d{n % 5}/k{n}", b"%d new %d" % (round, n)), date=n)
            assert len(nodes) <= before + repo.counters.node_find
        assert repo.counters.node_find == 0
        assert main.find("d3/k3") == b"1 new 3"
        # The first version is read again, and is as it was.
        assert [old.tree().find(f"d{n % 5}/k{n}") for n in range(200)] == [b"%d" % n for n in range(200)]
        assert repo.check().ok


def test_the_same_contents_without_their_metadata_are_a_change() -> None:
    import irminpy

    schema = Schema(Bytes(), metadata=MARKS)
    with irminpy.open("mem:", schema) as repo:
        tree = Tree.empty(schema).add("d/a", b"1", metadata=b"m").add("d/b", b"1").add("e/c", b"1")
        repo.main().set_tree((), tree)
        for edited in (repo.main().tree(), repo.main().tree().add("e/c", b"2")):
            assert edited.add("d/a", b"1").get_all("d/a") == (b"1", b"")
            assert edited.add("d/a", b"1").hash() != edited.hash()
            assert edited.add("d/b", b"1").hash() == edited.hash()
