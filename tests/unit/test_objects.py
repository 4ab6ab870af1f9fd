from __future__ import annotations

import pickle

from irminpy.hash import Hash
from irminpy.info import Info
from irminpy.objects import CONTENTS, CONTENTS_META, DIRECTORY, Commit, Inode, Kind, Node, Objects

A, B, C = (bytes([i]) * 32 for i in (1, 2, 3))
NODE = Node({"a": 0, "b": 1, "c": 2}, bytes([DIRECTORY, CONTENTS, CONTENTS_META]), A + B + C, {2: b"m"})


def test_a_node_gives_its_entries_as_bytes() -> None:
    assert NODE.count == 3
    assert list(NODE.entries()) == [("a", b"\0" + A), ("b", b"\1" + B), ("c", b"\2" + C + b"m")]
    assert [NODE.entry(step) for step in "abcd"] == [b"\0" + A, b"\1" + B, b"\2" + C + b"m", None]
    assert NODE.entry_at(2) == b"\2" + C + b"m"


def test_the_empty_node() -> None:
    empty = Node({}, b"", b"", {})
    assert (empty.count, list(empty.entries()), empty.entry("a")) == (0, [], None)


def test_entries_are_equal_when_their_bytes_are() -> None:
    """Empty metadata that is not the default differs from the default, of which nothing is written."""
    plain = Node({"a": 0}, b"\1", A, {})
    marked = Node({"a": 0}, b"\2", A, {0: b""})
    assert plain.entry("a") != marked.entry("a")


def test_an_inode_gives_its_buckets() -> None:
    inode = Inode(1, b"\0\5\x0f", [10, 20, 30], A + B + C)
    assert inode.count == 60
    assert inode.children() == [A, B, C]
    assert [inode.child(i) for i in range(3)] == [A, B, C]


def test_a_commit_keeps_the_first_of_equal_parents() -> None:
    a, b = Hash(A), Hash(B)
    commit = Commit(Hash(C), (b, a, b, a, b))
    assert commit.parents == (b, a)
    assert commit == Commit(Hash(C), (b, a)) != Commit(Hash(C), (a, b))
    assert commit.info == Info.empty


def test_objects_are_found_by_kind() -> None:
    objects = Objects({A: b"B"}, {B: b"N"}, {C: b"C"})
    assert [objects.of_kind(kind) for kind in (Kind.NODE, Kind.CONTENTS, Kind.COMMIT)] == [
        {B: b"N"},
        {A: b"B"},
        {C: b"C"},
    ]
    assert len(objects) == 3


def test_objects_added_later_come_later() -> None:
    objects = Objects(nodes={A: b"1"})
    objects.update(Objects({C: b"c"}, {B: b"2", A: b"1"}))
    assert list(objects.nodes) == [A, B]
    assert len(objects) == 3
    assert Objects().nodes is not Objects().nodes


def test_values_pickle() -> None:
    for value in (NODE, Inode(0, b"\0", [3], A), Commit(Hash(A), (Hash(B),), Info(1, "a", "b"))):
        assert pickle.loads(pickle.dumps(value)) == value
