"""Commit handles and what writing one does: CH-01 to CH-04, TI-02, TI-07, TI-08, TI-10."""

from __future__ import annotations

import pytest

import irminpy
from irminpy import Hash, Info, KindedHash, Repo, Schema, Tree
from irminpy.contents import Counter, String
from irminpy.errors import Corrupted, DanglingHash, DecodeError, PrunedHash, SchemaMismatch, StorageError
from irminpy.objects import Objects
from irminpy_mem import Memory


def tree_of(repo: Repo[bytes], **bindings: bytes) -> Tree[bytes]:
    tree = repo.empty_tree()
    for step, value in bindings.items():
        tree = tree.add((step, "x"), value)
    return tree


def test_a_commit_is_what_was_given_and_moves_no_branch() -> None:
    """CH-01, CH-02, CH-03: parents keep their order."""
    with irminpy.open("mem:") as repo:
        tree = tree_of(repo, a=b"1")
        roots = [repo.commit_tree(tree, info=Info(i)) for i in range(4)]
        for parents in (roots, roots[::-1]):
            commit = repo.commit_tree(tree, info=Info(7, "me", "why"), parents=parents)
            assert commit.parents == tuple(parent.hash for parent in parents)
            again = repo.commit(commit.hash)
            assert (again.info, again.parents, again.tree_hash) == (commit.info, commit.parents, tree.hash())
            assert again == commit
            assert hash(again) == hash(commit)
            assert again.tree() == tree
            assert repo.commit_tree(tree, info=Info(7, "me", "why"), parents=parents) == commit
        assert repo.branches() == []
        assert repo.find_commit(Hash(bytes(32))) is None
        with pytest.raises(irminpy.NotFound):
            repo.commit(Hash(bytes(32)))


def test_the_hash_is_that_of_the_canonical_bytes() -> None:
    with irminpy.open("mem:") as repo:
        commit = repo.commit_tree(repo.empty_tree(), info=Info())
        assert str(commit.hash) == "80bc0049fbdbc26cd0b1d6081c40f785c6e16fefd42411df79844a27563f28ea"
        assert repo.schema.hash.digest(commit.to_bytes()) == commit.hash
        assert commit.key == commit.hash
        assert commit.short() == "80bc0049fb"
        assert commit.tree().is_empty()


def test_a_commit_prints_in_one_bounded_line() -> None:
    with irminpy.open("mem:") as repo:
        commit = repo.commit_tree(repo.empty_tree(), info=Info(0, "<b>", "x" * 100_000 + "<script>"))
        assert len(repr(commit)) < 100
        assert commit.short() in repr(commit)
        html = commit._repr_html_()
        assert len(html) < 1000
        assert "<b>" not in html


def test_contents_have_no_commit() -> None:
    """CH-01."""
    with irminpy.open("mem:") as repo, pytest.raises(DecodeError, match="directory"):
        repo.commit_tree(Tree.of_contents(b"x"), info=Info())


def test_a_parent_must_be_there() -> None:
    with irminpy.open("mem:") as repo, pytest.raises(DanglingHash):
        repo.commit_tree(repo.empty_tree(), info=Info(), parents=[Hash(bytes(32))])


@pytest.mark.parametrize("clear", [True, False])
def test_after_a_commit_the_tree_reads_from_the_repository(clear: bool) -> None:
    """TI-02, TI-07, TI-10."""
    with irminpy.open("mem:") as repo:
        tree = tree_of(repo, a=b"1", b=b"2")
        assert tree.key() is None
        repo.commit_tree(tree, info=Info(), clear=clear)
        key = tree.key()
        assert key is not None
        assert key.key == tree.hash()
        repo.home.source().clear()
        repo.counters.reset()
        assert tree.get("a/x") == b"1"
        assert tree.get("b/x") == b"2"
        assert tree.mem_tree("c") is False
        reads = repo.counters.node_find, repo.counters.contents_find
        assert reads == ((3, 2) if clear else (0, 0))


def test_commits_on_top_of_kept_trees_read_nothing() -> None:
    """TI-10 with clear=False, commit after commit."""
    with irminpy.open("mem:") as repo:
        tree = repo.empty_tree()
        for i in range(200):
            tree = tree.add(f"d{i % 7}/{i}", b"%d" % i)
            repo.commit_tree(tree, info=Info(i), clear=False)
        repo.home.source().clear()
        repo.counters.reset()
        assert [tree.get(f"d{i % 7}/{i}") for i in range(200)] == [b"%d" % i for i in range(200)]
        assert repo.counters.node_find == repo.counters.contents_find == 0
        fresh = Tree.of_hash(repo, tree.kinded_hash())
        assert fresh is not None
        assert sum(1 for _ in tree.diff(fresh)) == 0
        assert [fresh.get(f"d{i % 7}/{i}") for i in range(200)] == [b"%d" % i for i in range(200)]


@pytest.mark.parametrize("clear", [True, False])
def test_a_tree_that_shares_a_pool_with_a_committed_one_is_still_written(clear: bool) -> None:
    """A subtree is committed first; the tree it came from must not count as saved."""
    with irminpy.open("mem:") as repo:
        tree = tree_of(repo, a=b"1", b=b"2")
        tree.hash()
        newer = tree.add("c", b"3")
        newer.hash()
        repo.commit_tree(tree.get_tree("a"), info=Info(), clear=clear)
        repo.commit_tree(newer, info=Info(), clear=clear)
        assert tree.key() is None
        commit = repo.commit_tree(tree, info=Info(), clear=clear)
        assert commit.tree().get("b/x") == b"2"
        assert repo.find_key(tree) is not None


def test_only_what_is_new_is_written() -> None:
    """TI-07."""
    with irminpy.open("mem:") as repo:
        tree = repo.empty_tree()
        for i in range(20):
            tree = tree.add(f"{i}/x", b"%d" % i)
        repo.commit_tree(tree, info=Info())
        repo.counters.reset()
        repo.commit_tree(tree.add("3/x", b"new"), info=Info())
        assert (repo.counters.node_add, repo.counters.contents_add) == (2, 1)
        repo.counters.reset()
        repo.commit_tree(tree, info=Info(1))
        assert (repo.counters.node_add, repo.counters.contents_add) == (0, 0)
        repo.counters.reset()
        assert repo.counters.dump() == ""


def test_a_tree_of_another_repository_is_refused_unless_it_is_here_too() -> None:
    """TI-08."""
    with irminpy.open("mem:") as repo, irminpy.open("mem:") as other:
        tree = tree_of(other, a=b"1")
        other.commit_tree(tree, info=Info())
        with pytest.raises(StorageError, match="another repository"):
            repo.commit_tree(tree, info=Info())
        with pytest.raises(StorageError, match="another repository"):
            repo.commit_tree(repo.empty_tree().add_tree("sub", tree), info=Info())
        repo.commit_tree(tree_of(repo, a=b"1"), info=Info())
        repo.commit_tree(tree, info=Info())
        assert tree.get("a/x") == b"1"
        with pytest.raises(PrunedHash):
            repo.commit_tree(Tree.pruned(KindedHash("node", Hash(b"1" * 32))), info=Info())
        strings: Tree[str, None] = Tree.empty(Schema(String()))
        with pytest.raises(SchemaMismatch):
            repo.commit_tree(strings, info=Info())  # type: ignore[arg-type]


def test_a_tree_without_a_repository_is_committed() -> None:
    with irminpy.open("mem:") as repo:
        tree = Tree.empty().add("a/b", b"1")
        commit = repo.commit_tree(tree, info=Info())
        assert commit.tree() == tree
        assert tree.key() is not None
        assert tree.add("c", b"2").get("a/b") == b"1"


def test_saving_without_a_commit() -> None:
    """TI-03, TI-07."""
    with irminpy.open("mem:") as repo:
        tree = tree_of(repo, a=b"1")
        twin = tree_of(repo, a=b"1")
        assert repo.find_key(tree) is None
        key = repo.save_tree(tree)
        assert tree.key() == key
        assert repo.find_key(twin) == key
        assert twin.key() is None
        leaf = Tree.of_contents(b"v")
        assert repo.find_key(leaf) is None
        assert repo.save_tree(leaf).kind == "contents"
        assert repo.find_key(leaf) is not None
        assert repo.save_contents(b"v") == leaf.hash()
        assert repo.find_contents(leaf.hash()) == b"v"
        assert repo.find_contents(Hash(bytes(32))) is None


def test_contents_are_merged_by_key() -> None:
    """BE-19."""
    with Repo.open(Memory(), Schema(Counter())) as repo:
        old, left, right = (repo.save_contents(n) for n in (1, 5, 10))
        merged = repo.merge_contents(old, left, right)
        assert merged is not None
        assert repo.find_contents(merged) == 14
        with pytest.raises(irminpy.NotFound):
            repo.merge_contents(old, left, Hash(bytes(32)))
    with Repo.open(Memory(), Schema(String())) as texts:
        a, b, c = (texts.save_contents(text) for text in "abc")
        assert texts.merge_contents(a, a, b) == b
        assert texts.merge_contents(a, None, a) is None
        with pytest.raises(irminpy.MergeConflict):
            texts.merge_contents(a, b, c)


def test_a_commit_that_is_no_canonical_bytes_is_refused() -> None:
    with irminpy.open("mem:bad-commit") as repo:
        data = b"C garbage"
        hash_ = Hash(repo.schema.hash.digest(data))
        repo._opened.backend.write(Objects(commits={hash_: data}))
        with pytest.raises(Corrupted):
            repo.commit(hash_)
