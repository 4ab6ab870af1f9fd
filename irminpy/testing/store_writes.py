"""What stores owe for their kinds and their writes. The letters name rows of Irmin's own list. `StoreSuite` has all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..backend import Maker
from ..errors import (
    Closed,
    DanglingHash,
    DecodeError,
    InvalidBranch,
    MergeConflict,
    NotFound,
    TestWas,
    TooManyRetries,
)
from ..hash import Hash
from ..info import Info
from ..merge import Conflict
from ..repo import Repo
from ..schema import Schema
from ..tree import Tree
from .model import Bindings, bindings_of, built
from .store_fixtures import Repos, StoreFixtures, Stores, made

__all__ = ["WriteSuite"]


def _calls(store: Stores, tree: Tree[bytes, Any]) -> list[Callable[[], Any]]:
    """One call of each kind."""
    return [
        store.tree,
        store.find_head,
        lambda: store.find("a"),
        lambda: store.set("a", b"2"),
        lambda: store.remove("a"),
        lambda: store.merge("a", b"2", old=None),
        lambda: store.set_tree("b", tree),
        lambda: store.test_and_set("a", test=None, set=b"2"),
        lambda: store.edit(),
        lambda: store.clone("x"),
        lambda: store.set_head(None),
    ]


def _same(tree: Tree[bytes, Any] | None) -> Tree[bytes, Any] | None:
    return tree


class WriteSuite(StoreFixtures):
    """Kinds of stores, reads, and writes with one writer or with one that is quicker."""

    # -- stores ------------------------------------------------------------------------------------------------

    def test_a_branch_need_not_exist_and_has_an_empty_tree(self, repo: Repos, main: Stores) -> None:
        """RS-02, RS-03, RS-06, RS-07, TC-025."""
        assert (main.name, str(main.status)) == ("main", "branch main")
        assert main.find_head() is None
        assert main.tree().is_empty()
        assert main.tree() is main.tree()
        assert repo.branches() == []
        with pytest.raises(NotFound):
            main.head()
        for name in ("", "a..b", "x~1", "/", "a b"):
            with pytest.raises(InvalidBranch):
                repo.branch(name)
        first = made(main.set("a", b"1", info=Info()))
        alone = repo.commit_tree(built(repo.schema, {("a",): b"1"}), info=Info())
        assert main.head() == first == alone
        assert str(main.status) == "branch main"

    def test_detached_stores_move_by_themselves(self, repo: Repos, main: Stores) -> None:
        """RS-04, RS-05, RS-06."""
        first = made(main.set("a", b"1"))
        one, two, empty = repo.detached(first), repo.detached(first), repo.empty()
        assert (one.name, one.status.commit, empty.status.commit) == (None, first, None)
        assert made(one.set("a", b"2")).parents == (first.hash,)
        assert made(empty.set("x", b"3")).parents == ()
        assert (one.get("a"), two.get("a"), main.get("a"), empty.find("a")) == (b"2", b"1", b"1", None)
        assert repo.branches() == ["main"]
        assert str(one.status) == f"commit {one.head().hash}"

    def test_heads_and_branches(self, repo: Repos, main: Stores) -> None:
        """RS-08, RS-09, CH-17, TC-027, TC-031: one head a branch; a clone of nothing is no branch."""
        commit = made(main.set("a", b"1"))
        dev = main.clone("dev")
        assert (dev.name, dev.get("a"), dev.status.branch) == ("dev", b"1", "dev")
        assert (repo.branches(), repo.heads()) == (["dev", "main"], [commit, commit])
        assert (main.mem("a"), dev.mem("a"), main.mem("")) == (True, True, False)
        made(dev.set("a", b"2"))
        assert main.get("a") == b"1"
        made(dev.remove("a"))
        assert (dev.find("a"), main.find("a")) == (None, b"1")
        dev.set_head(commit)
        assert (dev.find("a"), repo.heads()) == (b"1", [commit, commit])
        repo.empty().clone("dev")
        assert (repo.branches(), dev.find_head()) == (["main"], None)
        repo.remove_branch("main")
        repo.remove_branch("main")
        assert (repo.branches(), repo.heads(), main.find_head()) == ([], [], None)
        main.set_head(commit)
        assert main.get("a") == b"1"

    def test_after_close_stores_raise_closed(self, repo: Repos, main: Stores) -> None:
        """RS-01, TC-032."""
        made(main.set("a", b"1"))
        detached = repo.empty()
        tree = main.tree()
        repo.close()
        for store in (main, detached):
            for call in _calls(store, tree):
                with pytest.raises(Closed):
                    call()
        for call in (repo.main, repo.branches, lambda: repo.commit_tree(tree), lambda: repo.save_tree(tree)):
            with pytest.raises(Closed):
                call()

    def test_a_store_is_there_when_it_is_opened_again(self, maker: Maker, schema: Schema[bytes, Any]) -> None:
        """Branches, commits and values."""
        if not self.reopens:
            pytest.skip("this maker opens a fresh store each time")
        with Repo.open(maker, schema) as repo:
            head = made(repo.main().set("a/b", b"1"))
        with Repo.open(maker, schema) as repo:
            assert repo.main().head() == head
            assert repo.main().get("a/b") == b"1"

    # -- reads -------------------------------------------------------------------------------------------------

    def test_reads_are_those_of_the_tree_of_the_head(self, main: Stores, schema: Schema[bytes, Any]) -> None:
        """SW-01, SW-02, SW-18, RS-07."""
        model: Bindings = {("a", "b"): b"1", ("a", "c"): b"2", ("d",): b"3"}
        made(main.set_tree((), built(schema, model)))
        tree = main.tree()
        assert bindings_of(tree) == model
        for path in ("", "a", "a/b", "a/x", "d", "nowhere"):
            assert main.kind(path) == tree.kind(path)
            assert main.find(path) == tree.find(path)
            assert main.find_all(path) == tree.find_all(path)
            assert (main.mem(path), main.mem_tree(path)) == (tree.mem(path), tree.mem_tree(path))
            assert main.length(path) == tree.length(path)
            assert [step for step, _ in main.list(path)] == [step for step, _ in tree.list(path)]
            part = tree.find_tree(path)
            assert main.hash(path) == (None if part is None else part.kinded_hash())
            assert main.key(path) == (None if part is None else part.key())
            if tree.mem(path):
                assert main.get(path) == main[path] == main.get_all(path)[0]
            else:
                with pytest.raises(NotFound):
                    main.get(path)
        made(main.set("d", b"4"))
        assert tree.get("d") == b"3"

    # -- plain writes ------------------------------------------------------------------------------------------

    def test_no_change_is_no_commit_but_the_first(self, main: Stores, schema: Schema[bytes, Any]) -> None:
        """SW-06, SW-07, SW-09: nor is the info asked for."""
        calls: list[int] = []

        def info() -> Info:
            calls.append(1)
            return Info()

        root = made(main.remove("nothing", info=info))
        assert (root.parents, root.tree().is_empty(), len(calls)) == ((), True, 1)
        made(main.set("a/b", b"1", info=info))
        again = main.get_tree("a")
        noops: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
            (main.set, ("a/b", b"1"), {}),
            (main.set_tree, ("a", again), {}),
            (main.set_tree, ((), main.tree()), {}),
            (main.remove, ("x",), {}),
            (main.test_and_set, ("a/b",), {"test": b"1", "set": b"1"}),
            (main.merge, ("a/b", b"1"), {"old": b"0"}),
            (main.with_tree, ("a", _same), {}),
        ]
        for write, given, named in noops:
            assert write(*given, **named, info=info) is None
            assert len(calls) == 2
            head = main.head()
            same = made(write(*given, **named, allow_empty=True))
            assert (same.tree_hash, same.parents) == (head.tree_hash, (head.hash,))

    def test_the_root_is_a_directory(self, main: Stores, schema: Schema[bytes, Any]) -> None:
        """SW-03, SW-04, SW-05, TC-029."""
        leaf = Tree.of_contents(b"x", schema)
        calls: list[Callable[[], Any]] = [
            lambda: main.set((), b"x"),
            lambda: main.set_tree((), leaf),
            lambda: main.test_and_set((), test=None, set=b"x"),
            lambda: main.merge((), b"x", old=None),
            lambda: main.with_tree((), lambda tree: leaf),
        ]
        for call in calls:
            with pytest.raises(DecodeError):
                call()
        assert main.find_head() is None
        assert main.find(()) is None
        made(main.set("a/b", b"1"))
        assert made(main.remove(())).tree().is_empty()

    def test_contents_and_directories_replace_each_other(
        self, main: Stores, schema: Schema[bytes, Any]
    ) -> None:
        """SW-04, SW-05, SW-21, TC-045, TC-049."""
        main.set("fst", b"1")
        main.set("fst/snd", b"2")
        assert bindings_of(main.tree()) == {("fst", "snd"): b"2"}
        main.set("fst", b"3")
        assert bindings_of(main.tree()) == {("fst",): b"3"}
        model: Bindings = {(f"d{i % 2}", f"s{i}"): b"%d" % i for i in range(100)}
        for path in (("fst",), ("copy",)):
            main.set_tree(path, built(schema, model))
        assert bindings_of(main.get_tree("fst")) == bindings_of(main.get_tree("copy")) == model
        main.set_tree("fst", Tree.of_contents(b"4", schema))
        assert main.get("fst") == b"4"
        main.set_tree("fst", Tree.empty(schema))
        main.remove("copy/d0")
        main.remove("copy/d1")
        assert main.tree().is_empty()

    def test_parents_and_info_are_as_given(self, main: Stores, schema: Schema[bytes, Any]) -> None:
        """SW-08, SW-09, TC-047: parents replace the head and keep their order, unless the format sorts them."""
        first, second = made(main.set("a", b"1")), made(main.set("a", b"2"))
        both = made(main.set("a", b"3", parents=[second, first.hash], info=Info(7, "x", "y")))
        assert (both.parents, both.info) == (
            schema.codec.parents([second.hash, first.hash]),
            Info(7, "x", "y"),
        )
        assert made(main.set("a", b"4", parents=[])).parents == ()
        info = made(main.remove("a", author="me", date=self.early, message="m")).info
        assert info == Info(self.early, "me", "m")
        head = main.head()
        with pytest.raises(DanglingHash):
            main.set("a", b"5", parents=[Hash(bytes(len(head.hash)))])
        with pytest.raises(TypeError):
            main.set("a", b"5", info=Info(), message="both")
        assert main.head() == head

    def test_what_was_committed_reads_from_the_store(self, main: Stores, schema: Schema[bytes, Any]) -> None:
        """SW-20: `clear`, the default, leaves nothing of it in memory; without, it is all there."""
        for clear in (None, True, False):
            tree = built(schema, {("a", str(clear)): b"1", ("b",): b"2"})
            made(main.set_tree((), tree) if clear is None else main.set_tree((), tree, clear=clear))
            assert tree.key() is not None
            assert tree.inspect() == "key"
            assert (tree.stats().skips, tree.stats().leafs) == ((0, 2) if clear is False else (1, 0))
            assert bindings_of(tree) == bindings_of(main.tree())

    def test_there_are_thirteen_retries_unless_it_is_said(self, main: Stores, repo: Repos) -> None:
        """SW-10, SW-09: one attempt more than retries, and at least one; the info is made for each."""
        main.set("mine", b"0")
        attempts: list[int] = []

        def info() -> Info:
            attempts.append(1)
            made(repo.main().set("other", b"", allow_empty=True))
            return Info(len(attempts))

        for how, expected in (({}, 14), ({"retries": 2}, 3), ({"retries": 0}, 1), ({"retries": -1}, 1)):
            attempts.clear()
            with pytest.raises(TooManyRetries):
                main.set("mine", b"1", info=info, **how)  # type: ignore[arg-type]
            assert len(attempts) == expected
        assert main.get("mine") == b"0"

    # -- tests, merges and functions -----------------------------------------------------------------------------

    def test_a_test_comes_before_the_rule_of_no_change(
        self, main: Stores, schema: Schema[bytes, Any]
    ) -> None:
        """SW-11, SW-12, SW-22, TC-033."""
        one = made(main.test_set_and_get("a", test=None, set=b"1", message="one"))
        two = made(main.test_set_and_get("a", test=b"1", set=b"2", message="two"))
        assert [(c.info.message, c.tree().get("a")) for c in (one, two)] == [("one", b"1"), ("two", b"2")]
        assert main.test_set_and_get("a", test=b"2", set=b"2") is None
        for test, new in ((b"1", b"2"), (None, b"2"), (b"1", None)):
            with pytest.raises(TestWas) as caught:
                main.test_and_set("a", test=test, set=new)
            assert (caught.value.current, caught.value.path) == (b"2", "a")
            assert "a" in str(caught.value)
        made(main.test_and_set("a", test=b"2", set=None))
        tree = built(schema, {("x",): b"1"})
        made(main.test_and_set_tree("d", test=None, set=tree))
        made(main.test_set_and_get_tree("d", test=tree, set=tree.add("y", b"2")))
        with pytest.raises(TestWas):
            main.test_and_set_tree("d", test=tree, set=None)
        with pytest.raises(TestWas):
            main.test_and_set("d", test=None, set=b"1")
        made(main.test_and_set_tree("d", test=tree.add("y", b"2"), set=None))
        assert main.tree().is_empty()

    def test_values_and_subtrees_are_merged_at_a_path(self, main: Stores, schema: Schema[bytes, Any]) -> None:
        """SW-13, SW-22, TC-026, TC-046."""
        old = built(schema, {("a",): b"1", ("b",): b"2"})
        made(main.merge_tree("d", old, old=None))
        made(main.set("d/mine", b"3"))
        made(main.merge_tree("d", old.add("theirs", b"4").remove("a"), old=old))
        assert bindings_of(main.get_tree("d")) == {("b",): b"2", ("mine",): b"3", ("theirs",): b"4"}
        made(main.merge("d/b", b"5", old=b"2"))
        assert main.merge("d/b", b"2", old=b"2") is None
        assert main.merge("d/b", b"5", old=None) is None
        head = main.head()
        with pytest.raises(MergeConflict) as caught:
            main.merge("d/b", b"6", old=b"2")
        assert "d/b" in str(caught.value)
        (conflict,) = caught.value.conflicts
        assert isinstance(conflict, Conflict)
        assert (conflict.path, conflict.base, conflict.ours, conflict.theirs) == (
            ("d", "b"),
            b"2",
            b"5",
            b"6",
        )
        assert main.head() == head
        made(main.merge("d/b", b"6", old=b"2", on_conflict=lambda c: c.ours + c.theirs))
        assert main.get("d/b") == b"56"

    @pytest.mark.parametrize("strategy", ["test_and_set", "set", "merge"])
    def test_with_tree_when_another_writer_is_quicker(self, main: Stores, repo: Repos, strategy: Any) -> None:
        """SW-14 to SW-18, TC-062: elsewhere in the tree another write disturbs nobody."""
        main.set("d/x", b"0")
        seen: list[bytes | None] = []

        def f(tree: Tree[bytes, Any] | None) -> Tree[bytes, Any]:
            assert tree is not None
            seen.append(tree.find("x"))
            if len(seen) < 3:
                repo.main().set("d/x", b"theirs %d" % len(seen))
                repo.main().set("elsewhere", b"%d" % len(seen))
            return tree.add("x", b"mine")

        made(main.with_tree("d", f, strategy=strategy))
        assert seen == ([b"0"] if strategy == "set" else [b"0", b"theirs 1", b"theirs 2"])
        assert (main.get("d/x"), main.get("elsewhere")) == (b"mine", b"%d" % min(len(seen), 2))
        made(main.with_tree("d", lambda tree: None, strategy=strategy))
        assert (main.mem_tree("d"), main.mem("elsewhere")) == (False, True), "None removes"

    def test_with_tree_gives_up(self, main: Stores, repo: Repos) -> None:
        """SW-10, SW-16, SW-17, SW-22: at once without retries, else after all of them."""
        main.set("d/x", b"0")
        runs: list[int] = []

        def f(tree: Tree[bytes, Any] | None) -> Tree[bytes, Any]:
            assert tree is not None
            runs.append(1)
            repo.main().set("d/x", b"theirs %d" % len(runs))
            return tree.add("x", b"mine")

        with pytest.raises(TestWas):
            main.with_tree("d", f, retries=0)
        with pytest.raises(MergeConflict):
            main.with_tree("d", f, strategy="merge", retries=0)
        assert len(runs) == 2
        for strategy in ("test_and_set", "merge"):
            runs.clear()
            with pytest.raises(TooManyRetries) as caught:
                main.with_tree("d", f, strategy=strategy, retries=2)
            assert (caught.value.retries, len(runs)) == (2, 3)
        assert main.get("d/x").startswith(b"theirs")

    def test_an_edit_is_one_commit_or_none(self, main: Stores, repo: Repos) -> None:
        """The editor starts from the subtree; a lost race raises, or merges."""
        with main.edit("d", message="edited") as editor:
            editor["x"] = b"1"
            editor["y/z"] = b"2"
        assert editor.commit == main.head()
        assert main.head().info.message == "edited"
        with main.edit("d") as editor:
            editor["w"] = b"3"
            del editor["w"]
        assert editor.commit is None

        def race(mine: str, theirs: str, on_race: Any) -> None:
            with main.edit("d", on_race=on_race) as editor:
                editor[mine] = b"mine"
                repo.main().set(("d", theirs), b"theirs")

        with pytest.raises(TestWas):
            race("x", "a", "raise")
        assert main.get("d/x") == b"1"
        race("x", "b", "merge")
        assert (main.get("d/x"), main.get("d/b")) == (b"mine", b"theirs")
        with pytest.raises(MergeConflict):
            race("c", "c", "merge")
        with pytest.raises(ZeroDivisionError), main.edit() as editor:
            editor["never"] = b"%d" % (1 // 0)
        assert not main.mem("never")
