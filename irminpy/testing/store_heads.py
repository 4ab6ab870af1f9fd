"""What stores owe for commits, heads and merges of histories. `StoreSuite` has all."""

from __future__ import annotations

from typing import Any

import pytest

from ..errors import DanglingHash, DecodeError, MergeConflict, NoChange, NotFound, Rejected
from ..hash import Hash
from ..info import Info
from ..merge import Conflict
from ..objects import Kind
from ..schema import Schema
from ..tree import Tree
from .model import bindings_of, built
from .store_fixtures import Repos, StoreFixtures, Stores, made

__all__ = ["HeadSuite"]


class HeadSuite(StoreFixtures):
    """Commits by themselves, moves of heads, and merges."""

    def test_a_commit_is_its_tree_its_parents_and_its_info(
        self, repo: Repos, main: Stores, schema: Schema[bytes, Any]
    ) -> None:
        """CH-01 to CH-04: no branch moves, parents keep their order, the same thing is the same commit."""
        one, two = made(main.set("a", b"1")), made(main.set("a", b"2"))
        tree = built(schema, {("x", "y"): b"1"})
        info = Info(3, "ada", "why")
        commit = repo.commit_tree(tree, info=info, parents=[two, one])
        assert repo.commit_tree(built(schema, {("x", "y"): b"1"}), info=info, parents=[two, one]) == commit
        order = schema.codec.parents([two.hash, one.hash])
        kept = order != schema.codec.parents([one.hash, two.hash])  # Irmin's formats sort them
        assert (repo.commit_tree(tree, info=info, parents=[one, two]) != commit) == kept
        assert main.head() == two
        found = repo.find_commit(commit.hash)
        assert found is not None
        assert (found, found.info, found.parents) == (commit, info, order)
        assert found.to_bytes() == commit.to_bytes()
        assert found.tree() == tree
        assert found.tree_hash == tree.hash()
        assert commit.hash.hex().startswith(commit.short())
        assert commit.short() in repr(commit)
        absent = Hash(bytes(len(commit.hash)))
        assert repo.find_commit(absent) is None
        with pytest.raises(NotFound):
            repo.commit(absent)
        with pytest.raises(DanglingHash):
            repo.commit_tree(tree, info=info, parents=[absent])
        with pytest.raises(DecodeError):
            repo.commit_tree(Tree.of_contents(b"x", schema), info=info)

    def test_contents_are_never_taken_for_a_directory_or_a_commit(self, repo: Repos, main: Stores) -> None:
        """CH-20, US-08, CG-11: contents with the very bytes of one have another hash, or are found by kind."""
        head = made(main.set("a", b"1"))
        backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
        key = head.tree().key()
        assert key is not None
        node = backend.read(Kind.NODE, key.key)
        assert node is not None
        for data in (bytes(node), head.to_bytes()):
            made(main.set("copy", data))
            assert main.get("copy") == data
            assert main.kind("copy") == "contents"
            found = main.hash("copy")
            assert found is not None
            assert found.hash not in (head.hash, head.tree_hash)
        assert repo.commit(head.hash).tree().get("a") == b"1"

    def test_heads_move_as_told(self, repo: Repos, main: Stores) -> None:
        """CH-05 to CH-07."""
        with pytest.raises(NotFound):
            main.head()
        one, two = made(main.set("a", b"1")), made(main.set("a", b"2"))
        for store in (main, repo.detached(two)):
            assert store.find_head() == store.head() == two
            store.set_head(one)
            assert store.get("a") == b"1"
            assert not store.test_and_set_head(test=two, set=two)
            assert not store.test_and_set_head(test=None, set=two)
            assert store.test_and_set_head(test=one, set=two)
            assert store.test_and_set_head(test=two, set=None)
            assert (store.find_head(), store.tree().is_empty()) == (None, True)
            assert store.test_and_set_head(test=None, set=one)
            assert store.head() == one

    def test_fast_forward_goes_to_descendants_alone(self, repo: Repos, main: Stores) -> None:
        """CH-08, CH-19."""
        one, two = made(main.set("a", b"1")), made(main.set("a", b"2"))
        dev = repo.branch("dev")
        dev.fast_forward(one)
        dev.fast_forward(two)
        assert dev.head() == two
        with pytest.raises(NoChange) as same:
            dev.fast_forward(two)
        with pytest.raises(Rejected) as back:
            dev.fast_forward(one)
        made(dev.set("b", b"1"))
        three = made(main.set("a", b"3"))
        with pytest.raises(Rejected):
            dev.fast_forward(three)
        assert str(same.value) != str(back.value) != ""

    def test_merges_that_need_no_commit(self, repo: Repos, main: Stores) -> None:
        """CH-09, CH-10."""
        with pytest.raises(NotFound):
            main.merge_with_branch("nope")
        assert repo.empty().merge_into(main) is None
        one = made(main.set("a", b"1"))
        dev = repo.branch("dev")
        assert dev.merge_with_branch("main") == one
        two = made(main.set("a", b"2"))
        assert main.merge_with_commit(one) is None
        assert main.merge_with_commit(two) is None
        assert main.merge_into(dev) == two
        assert main.head() == dev.head() == two

    def test_a_merge_has_both_as_parents_and_changes_only_its_own(self, repo: Repos, main: Stores) -> None:
        """CH-09, CH-10, TC-050."""
        main.set("a", b"1")
        dev = main.clone("dev")
        theirs, ours = made(dev.set("b", b"2")), made(main.set("c", b"3"))
        merge = made(dev.merge_into(main, message="merge"))
        both = repo.schema.codec.parents([ours.hash, theirs.hash])
        assert (merge.parents, merge.info.message) == (both, "merge")
        assert bindings_of(main.tree()) == {("a",): b"1", ("b",): b"2", ("c",): b"3"}
        assert dev.head() == theirs

    def test_a_conflict_changes_nothing_unless_it_is_settled(self, repo: Repos, main: Stores) -> None:
        """CH-09, CH-13: a file and a directory of one name are one."""
        main.set("a", b"1")
        dev = main.clone("dev")
        dev.set("a", b"2")
        dev.set("new/x", b"4")
        main.set("a", b"3")
        ours = made(main.set("new", b"5"))
        with pytest.raises(MergeConflict) as caught:
            main.merge_with_branch("dev")
        found: dict[Any, Conflict] = {}
        for conflict in caught.value.conflicts:
            assert isinstance(conflict, Conflict)
            found[conflict.path] = conflict
        assert found.keys() == {("a",), ("new",)}
        a = found["a",]
        assert (a.base, a.ours, a.theirs) == (b"1", b"3", b"2")
        assert main.head() == ours
        one = repo.detached(ours)
        made(one.merge_with_branch("dev", on_conflict="ours"))
        assert (one.get("a"), one.get("new")) == (b"3", b"5")
        made(main.merge_with_branch("dev", on_conflict="theirs"))
        assert (main.get("a"), main.get("new/x")) == (b"2", b"4")

    def test_unrelated_histories_are_merged(self, repo: Repos, main: Stores) -> None:
        """CH-12, TC-051."""
        main.set("a", b"1")
        main.set("same", b"s")
        other = repo.branch("other")
        other.set("b", b"2")
        other.set("same", b"s")
        made(main.merge_with_branch("other"))
        assert bindings_of(main.tree()) == {("a",): b"1", ("b",): b"2", ("same",): b"s"}
        third = repo.branch("third")
        third.set("a", b"different")
        with pytest.raises(MergeConflict):
            main.merge_with_branch("third")

    def test_a_criss_cross_is_merged_over_the_merge_of_its_ancestors(self, main: Stores) -> None:
        """CH-11: what was removed since stays removed, again and again."""
        main.set("base", b"0")
        dev = main.clone("dev")
        for i in range(4):
            main.set(f"m{i}", b"")
            dev.set(f"d{i}", b"")
            ours, theirs = main.head(), dev.head()
            made(main.merge_with_commit(theirs))
            made(dev.merge_with_commit(ours))
            made(main.remove(f"d{i}"))
            made(dev.set(f"m{i}", b"changed"))
        made(main.merge_with_branch("dev"))
        wanted = {("base",): b"0"} | {(f"m{i}",): b"changed" for i in range(4)}
        assert bindings_of(main.tree()) == wanted
