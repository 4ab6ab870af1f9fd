"""Looking at trees from outside: rows TR-15, TR-16, TR-22, TR-23."""

from __future__ import annotations

import re
from typing import Any

import pytest

from irminpy.contents import Own
from irminpy.errors import DanglingHash, PrunedHash
from irminpy.key import KindedHash
from irminpy.schema import Schema
from irminpy.tree import LazyContents, Tree
from tests.tree_repo import TreeRepo


def test_a_tree_made_in_memory_is_a_map() -> None:
    """TR-22, and TI-01: hashing does not change it."""
    for tree in (Tree.empty(), Tree.empty().add("a/b", b"1"), Tree.of_concrete({"a": b"1"})):
        assert tree.inspect() == "map"
        tree.hash()
        assert tree.inspect() == "map"
        assert tree.add("x/y", b"2").inspect() == "map"
        assert tree.remove("a").inspect() == "map"


def test_a_tree_of_a_store_is_a_key() -> None:
    repo = TreeRepo()
    tree = repo.save(Tree.empty().add("a/b", b"1"))
    assert tree.inspect() == "key"
    assert repo.fresh(tree).inspect() == "key"
    assert repo.fresh(tree).get_tree("a").inspect() == "key"
    assert repo.shallow(Tree.singleton("no", b"where")).inspect() == "key"


def test_a_tree_of_a_store_with_changes_is_a_value() -> None:
    """TR-22, TI-01."""
    repo = TreeRepo()
    tree = repo.fresh(Tree.empty().add("a/b", b"1").add("c", b"2"))
    edited = tree.add("a/d", b"3")
    for one in (edited, edited.get_tree("a"), tree.remove("c")):
        assert one.inspect() == "value"
        one.hash()
        assert one.inspect() == "value"
    assert tree.inspect() == "key"
    assert edited.add("e", b"4").inspect() == "value"
    repo.save(edited)
    assert edited.inspect() == "key"


def test_a_map_that_embeds_a_key_is_a_map() -> None:
    repo = TreeRepo()
    tree = Tree.empty().add_tree("x", repo.fresh(Tree.singleton("a", b"1")))
    assert tree.inspect() == "map"
    assert tree.get_tree("x").inspect() == "key"
    tree.hash()
    assert tree.inspect() == "map"


def test_contents_and_pruned() -> None:
    tree = Tree.singleton("a", b"1")
    assert tree.get_tree("a").inspect() == "contents"
    assert Tree.pruned(tree.kinded_hash()).inspect() == "pruned"
    assert Tree.pruned(tree.get_tree("a").kinded_hash()).inspect() == "contents"
    assert Tree.empty().add_tree("p", Tree.pruned(tree.kinded_hash())).get_tree("p").inspect() == "pruned"


def test_destruct_a_directory() -> None:
    """TR-16."""
    tree = Tree.singleton("a", b"1")
    match tree.destruct():
        case ("node", node):
            assert node is tree
        case _:
            pytest.fail("a directory")


def test_destruct_contents() -> None:
    """TR-15, TR-16."""
    repo = TreeRepo()
    saved = Tree.singleton("a", b"1")
    hash_ = saved.get_tree("a").hash()
    lazy = repo.fresh(saved).get_tree("a")
    repo.forget()
    match lazy.destruct():
        case ("contents", contents, None):
            assert isinstance(contents, LazyContents)
            assert contents.hash() == hash_
            assert contents.key() == contents.hash()
            assert repo.reader.reads == []
            assert contents.find() == b"1"
            assert contents.force() == b"1"
            assert len(repo.reader.reads) == 1
            contents.clear()
            assert contents.force(cache=False) == b"1"
            assert contents.force() == b"1"
            assert len(repo.reader.reads) == 3
            assert "LazyContents" in repr(contents)
        case _:
            pytest.fail("contents")


def test_lazy_contents_that_are_not_there() -> None:
    repo = TreeRepo()
    gone = Tree.of_contents(b"gone")
    for tree, error in ((repo.shallow(gone), DanglingHash), (Tree.pruned(gone.kinded_hash()), PrunedHash)):
        contents: Any = tree.destruct()[1]
        assert contents.find() is None
        with pytest.raises(error):
            contents.force()
        contents.clear()
        assert contents.hash() == gone.hash()
    assert repo.shallow(gone).destruct()[1].key() == gone.hash()


def test_contents_in_memory_have_no_key_and_keep_their_value() -> None:
    contents: Any = Tree.of_contents(b"x").destruct()[1]
    assert contents.key() is None
    contents.hash()
    contents.clear()
    assert contents.find() == b"x"


def test_repr() -> None:
    """TR-23: short, and reads nothing."""
    repo = TreeRepo()
    tree = Tree.empty().add("a", b"1")
    assert repr(tree) == "<Tree node map>", "not hashed yet"
    hash_ = tree.hash().hex()[:8]
    assert repr(tree) == f"<Tree node map {hash_}>"
    lazy = repo.fresh(tree)
    repo.forget()
    assert repr(lazy) == f"<Tree node key {hash_}>"
    assert repr(lazy.add("b", b"2")).startswith("<Tree node value")
    assert repr(Tree.of_contents(b"x")) == "<Tree contents>"
    assert repr(Tree.pruned(KindedHash("node", tree.hash()))) == f"<Tree node pruned {hash_}>"


def test_dump_shows_the_internal_state() -> None:
    """TR-23."""
    repo = TreeRepo()
    tree = repo.fresh(Tree.empty().add("a/b", b"1").add("a/c", b"22").add("d", b"3"))
    repo.forget()
    assert re.fullmatch(r"stored \w{8}, not loaded, 0 in memory, from the repository\n  … more", tree.dump())
    assert tree.get("a/c") == b"22"
    repo.forget()
    edited = tree.add("new/x", b"4")
    text = edited.dump()
    assert "staged, version 1 (newest), 3 entries, on top of stored" in text
    assert "    'c' value of 2 bytes" in text
    assert "'d' leaf" in text
    assert "unread" in text
    assert "'new' staged" in text
    older = edited.add("new/y", b"5")
    assert "of 2" in edited.dump()
    assert "frozen" in Tree.empty().add_tree("f", older).dump()
    settled = older
    settled.hash()
    assert "not saved" in settled.dump()
    assert repo.reader.reads == []
    assert len(edited.dump(limit=3).splitlines()) == 4
    assert "from nowhere" in Tree.pruned(tree.kinded_hash()).dump()


def test_html_is_escaped_and_bounded() -> None:
    tree = Tree.empty().add("<b>", b"<script>").add("long", b"x" * 10_000)
    html = tree._repr_html_()
    assert "<b>" not in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "10000 bytes" in html
    editor = Tree.empty().edit()
    for i in range(50_000):
        editor[f"{i % 300}/{i}"] = b"x"
    wide = editor.tree()
    for _ in range(2):
        html = wide._repr_html_()
        assert 200 <= html.count("<tr>") <= 202
        assert "more" in html
        assert len(html) < 50_000
        wide.hash()
    assert Tree.singleton(("d",) * 5000, b"x")._repr_html_().count("<tr>") <= 202


def test_html_never_reads() -> None:
    repo = TreeRepo()
    editor = Tree.empty().edit()
    for i in range(100):
        editor[f"{i:02}"] = b"v"
    tree = repo.fresh(editor.tree())
    repo.forget()
    assert "more" in tree._repr_html_()
    assert repo.reader.reads == []
    assert tree.get("17") == b"v"
    repo.forget()
    html = tree._repr_html_()
    assert "17" in html
    assert "99 more" in html
    edited = tree.add("x", b"v")
    repo.forget()
    assert "b&#x27;v&#x27;" in edited._repr_html_()
    assert repo.reader.reads == []


def test_html_of_values_that_do_not_decode() -> None:
    def refuse(data: bytes) -> str:
        from irminpy.errors import DecodeError

        raise DecodeError("text", "never")

    schema: Schema[str, None] = Schema(Own("never/1", str.encode, refuse, lambda old, ours, theirs: ours))
    assert "3 bytes" in Tree.empty(schema).add("a", "abc")._repr_html_()
