"""Stores: writes, races, heads, merges, the log: SW-01 to SW-22, CH-05 to CH-14, WA-01, WA-02."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import irminpy
from irminpy import Info, NotFound, Repo, Schema, Store, TestWas, Tree
from irminpy.backend import ANY, Options
from irminpy.contents import Counter, String
from irminpy.diff import Added, Change, Removed, Updated
from irminpy.errors import (
    DanglingHash,
    DecodeError,
    MergeConflict,
    NoChange,
    Rejected,
    TooManyRetries,
)
from irminpy_mem import Memory

Stores = Store[str, None]
SCHEMA = Schema(String())


@pytest.fixture
def repo() -> Iterator[Repo[str, None]]:
    ticks = iter(range(10**9))
    with Repo.open(Memory(), SCHEMA, clock=lambda: next(ticks)) as opened:
        yield opened


@pytest.fixture
def main(repo: Repo[str, None]) -> Stores:
    return repo.main()


def made(commit: irminpy.Commit[str] | None) -> irminpy.Commit[str]:
    assert commit is not None
    return commit


def no_parent(commit: irminpy.Commit[str]) -> bool:
    return commit.parents == ()


# -- reads and plain writes


def test_reads_are_those_of_the_current_tree(main: Stores) -> None:
    """SW-01, SW-02, RS-07."""
    main.set("a/b", "1")
    main.set("a/c", "2")
    assert (main.kind("a"), main.kind("a/b"), main.kind("x")) == ("node", "contents", None)
    assert main.find_all("a/b") == main.get_all("a/b") == ("1", None)
    assert (main.mem("a"), main.mem_tree("a"), "a" in main, main["a/b"]) == (False, True, True, "1")
    assert main.length("a") == 2
    assert [step for step, _ in main.list("a", sorted=True)] == ["b", "c"]
    assert main.get_tree("a").get("b") == "1"
    assert main.find_tree("x") is None
    assert main.hash("a/b") == Tree.of_contents("1", SCHEMA).kinded_hash()
    key = main.key("a")
    assert key is not None
    assert key.kind == "node"
    assert main.key("x") is None
    assert main.hash("x") is None
    with pytest.raises(NotFound):
        main.get_tree("x")
    assert main.tree() is main.tree()
    before = main.tree()
    main.set("x", "3")
    assert before.find("x") is None
    assert main.tree().find("x") == "3"


def test_no_change_is_no_commit(main: Stores) -> None:
    """SW-06, SW-07, QK-06: but the first commit is made, even of nothing."""
    root = made(main.remove("nothing"))
    assert no_parent(root)
    assert root.tree().is_empty()
    assert main.remove("nothing") is None
    assert main.set("a", "1") is not None
    assert main.set("a", "1") is None
    assert main.set_tree((), main.tree()) is None
    assert main.set_tree("a", main.get_tree("a")) is None
    same = made(main.set("a", "1", allow_empty=True))
    assert same.tree_hash == repo_tree(main).hash()
    assert len(list(main.log())) == 3


def repo_tree(store: Stores) -> Tree[str, None]:
    return store.tree()


def test_the_root_cannot_be_contents(main: Stores) -> None:
    """SW-03."""
    leaf = Tree.of_contents("x", SCHEMA)
    attempts: list[Callable[[], Any]] = [
        lambda: main.set((), "x"),
        lambda: main.set_tree("", leaf),
        lambda: main.test_and_set((), test=None, set="x"),
        lambda: main.with_tree((), lambda tree: leaf),
    ]
    for attempt in attempts:
        with pytest.raises(DecodeError):
            attempt()
    assert main.find_head() is None


def test_directories_and_contents_replace_each_other(main: Stores) -> None:
    """SW-04, SW-05, SW-21."""
    main.set("fst", "1")
    main.set("fst/snd", "2")
    assert main.kind("fst") == "node"
    main.set("fst", "3")
    assert main.find("fst/snd") is None
    main.set_tree("fst", Tree.empty(SCHEMA).add("x/y", "4"))
    assert main.get("fst/x/y") == "4"
    main.set("other", "5")
    main.set_tree("fst", Tree.empty(SCHEMA))
    assert not main.mem_tree("fst")
    main.remove(())
    assert main.tree().is_empty()


def test_info_is_made_once_for_each_attempted_commit(main: Stores) -> None:
    """SW-09."""
    calls: list[int] = []

    def info() -> Info:
        calls.append(1)
        return Info(len(calls), "thunk")

    assert made(main.set("a", "1", info=info)).info == Info(1, "thunk")
    assert main.set("a", "1", info=info) is None
    assert len(calls) == 1
    value = Info(9, "x", "y", {"k": b"v"})
    assert made(main.set("a", "2", info=value)).info == value
    assert made(main.set("a", "3", author="me", date=-5, message="m")).info == Info(-5, "me", "m")
    with pytest.raises(TypeError):
        main.set("a", "4", info=value, message="both")


def test_a_misspelt_keyword_is_refused(main: Stores) -> None:
    for attempt in (main.set, main.remove, main.edit):
        with pytest.raises(TypeError):
            attempt("a", *(["1"] if attempt == main.set else []), mesage="typo")  # type: ignore[call-arg]
    assert main.find_head() is None


def test_parents_may_be_given(main: Stores, repo: Repo[str, None]) -> None:
    """SW-08: they replace the head."""
    first = made(main.set("a", "1"))
    second = made(main.set("a", "2"))
    assert made(main.set("a", "3", parents=[first])).parents == (first.hash,)
    assert made(main.set("a", "4", parents=[])).parents == ()
    assert made(main.set("a", "5", parents=[second.hash, first])).parents == (second.hash, first.hash)
    with pytest.raises(DanglingHash):
        main.set("a", "6", parents=[irminpy.Hash(bytes(32))])


# -- races


def racing(
    repo: Repo[str, None], monkeypatch: pytest.MonkeyPatch, times: int, act: Callable[[int], Any]
) -> None:
    """Before each of the next `times` compare-and-sets of main, do `act`."""
    backend = repo._opened.backend
    write = backend.write
    left = [times]

    def slow(objects: Any, updates: Any = ()) -> bool:
        if updates and updates[0].test is not ANY and left[0]:
            left[0] -= 1
            kept, left[0] = left[0], 0
            act(kept)
            left[0] = kept
        return write(objects, updates)

    monkeypatch.setattr(backend, "write", slow)


def test_a_lost_race_starts_over(
    main: Stores, repo: Repo[str, None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SW-10."""
    calls: list[int] = []

    def info() -> Info:
        calls.append(1)
        return Info()

    racing(repo, monkeypatch, 3, lambda i: repo.main().set(f"other/{i}", "x"))
    main.set("mine", "1", info=info)
    assert len(calls) == 4
    assert main.length("other") == 3
    assert main.get("mine") == "1"


def test_after_all_retries_it_is_an_error(
    main: Stores, repo: Repo[str, None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SW-10, SW-19, SW-22, US-11: raised, with a message, not answered."""
    racing(repo, monkeypatch, 99, lambda i: repo.main().set("other", str(i)))
    with pytest.raises(TooManyRetries) as caught:
        main.set("mine", "1", retries=2)
    assert caught.value.retries == 2
    assert "2" in str(caught.value)
    assert main.find("mine") is None


def test_a_test_comes_before_the_rule_of_no_change(main: Stores) -> None:
    """SW-11, SW-12, QK-05, D14."""
    main.set("a", "1")
    with pytest.raises(TestWas) as caught:
        main.test_and_set("a", test="0", set="1")
    assert (caught.value.current, caught.value.path) == ("1", "a")
    assert made(main.test_and_set("a", test="1", set="2")).tree().get("a") == "2"
    assert main.test_and_set("a", test="2", set="2") is None
    with pytest.raises(TestWas):
        main.test_and_set("a", test=None, set="3")
    assert main.test_and_set("a", test="2", set=None) is not None
    assert main.test_and_set("a", test=None, set="1") is not None
    main.set("d/x", "1")
    with pytest.raises(TestWas) as caught:
        main.test_and_set("d", test=None, set="1")
    assert isinstance(caught.value.current, Tree)
    tree = main.get_tree("d")
    main.test_and_set_tree("d", test=tree, set=tree.add("y", "2"))
    assert main.get("d/y") == "2"
    with pytest.raises(TestWas):
        main.test_and_set_tree("d", test=tree, set=None)


def test_threads_that_test_and_set_lose_nothing() -> None:
    """SW-10, CH-18: sixteen threads count together."""
    with Repo.open(Memory(), Schema(Counter())) as repo:
        each, threads = 8, 16
        errors: list[BaseException] = []

        def count() -> None:
            store = repo.main()
            try:
                for _ in range(each):
                    while True:
                        now = store.find("n")
                        try:
                            store.test_and_set("n", test=now, set=(now or 0) + 1, retries=100)
                            break
                        except TestWas:
                            continue
            except BaseException as e:
                errors.append(e)

        running = [threading.Thread(target=count) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert errors == []
        assert repo.main().get("n") == each * threads
        assert len(list(repo.main().log())) == each * threads


def test_threads_that_set_different_paths_lose_nothing(repo: Repo[str, None]) -> None:
    """CH-18, also on a detached store that threads share."""
    for store in (repo.main(), repo.empty()):

        def write(i: int, store: Stores = store) -> None:
            for j in range(5):
                store.set(f"{i}/{j}", "x", retries=1000)

        running = [threading.Thread(target=write, args=(i,)) for i in range(8)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert [store.length(str(i)) for i in range(8)] == [5] * 8


def test_with_tree_maps_the_subtree(main: Stores) -> None:
    """SW-14."""
    assert main.with_tree("d", lambda tree: None if tree is None else tree.add("x", "1")) is not None
    seen: list[Any] = []

    def f(tree: Tree[str, None] | None) -> Tree[str, None]:
        seen.append(tree)
        return (tree or Tree.empty(SCHEMA)).add("x", "1")

    main.with_tree("d", f, message="make")
    assert seen == [None]
    assert main.get("d/x") == "1"
    assert main.with_tree("d", lambda tree: tree) is None
    main.with_tree("d", lambda tree: None)
    assert not main.mem_tree("d")
    with pytest.raises(DecodeError):
        main.with_tree("d", lambda tree: tree, strategy="hope")  # type: ignore[arg-type]


def test_with_tree_runs_again_on_a_lost_race(main: Stores, repo: Repo[str, None]) -> None:
    """SW-16, US-11."""
    main.set("d/x", "0")
    runs: list[str] = []

    def f(tree: Tree[str, None] | None) -> Tree[str, None]:
        assert tree is not None
        runs.append(tree.get("x"))
        if len(runs) < 3:
            repo.main().set("d/x", str(len(runs)))
        return tree.add("y", "done after " + tree.get("x"))

    main.with_tree("d", f)
    assert runs == ["0", "1", "2"]
    assert main.get("d/y") == "done after 2"

    def always(tree: Tree[str, None] | None) -> Tree[str, None]:
        assert tree is not None
        repo.main().set("d/x", tree.get("x") + "+")
        return tree.add("z", "")

    with pytest.raises(TestWas):
        main.with_tree("d", always, retries=0)
    with pytest.raises(TooManyRetries):
        main.with_tree("d", always, retries=2)
    assert main.find("d/z") is None


def test_with_tree_minds_its_own_subtree_only(main: Stores, repo: Repo[str, None]) -> None:
    main.set("d/x", "0")
    runs: list[int] = []

    def f(tree: Tree[str, None] | None) -> Tree[str, None]:
        assert tree is not None
        runs.append(1)
        repo.main().set("elsewhere", str(len(runs)))
        return tree.add("y", "1")

    main.with_tree("d", f)
    assert runs == [1]
    assert main.get("elsewhere") == "1"
    assert main.get("d/y") == "1"


def test_the_other_strategies_of_with_tree(main: Stores, repo: Repo[str, None]) -> None:
    """SW-15, SW-17."""

    def meanwhile(path: str, value: str) -> Callable[[Tree[str, None] | None], Tree[str, None]]:
        def f(tree: Tree[str, None] | None) -> Tree[str, None]:
            assert tree is not None
            repo.main().set(path, value)
            return tree.add("mine", "1")

        return f

    main.set("d/x", "0")
    main.with_tree("d", meanwhile("d/theirs", "2"), strategy="merge")
    assert (main.get("d/mine"), main.get("d/theirs")) == ("1", "2")
    main.with_tree("d", meanwhile("d/lost", "2"), strategy="set", allow_empty=True)
    assert main.find("d/lost") is None
    main.remove("d/mine")
    with pytest.raises(MergeConflict):
        main.with_tree("d", meanwhile("d/mine", "other"), strategy="merge", retries=0)
    main.remove("d/mine")
    main.with_tree("d", meanwhile("d/mine", "other"), strategy="merge", retries=0, on_conflict="theirs")
    assert main.get("d/mine") == "1"


def test_an_edit_is_one_commit_or_nothing(main: Stores, repo: Repo[str, None]) -> None:
    with main.edit("font", message="fonts") as ed:
        ed["name"] = "serif"
        ed["sub"] = Tree.empty(SCHEMA).add("x", "1")
        ed["gone"] = "?"
        del ed["gone"]
        with pytest.raises(NotFound):
            del ed["nothing"]
    assert ed.commit == main.head()
    assert main.head().info.message == "fonts"
    assert main.get("font/sub/x") == "1"
    assert len(list(main.log())) == 1
    with main.edit() as ed:
        assert ed["font/name"] == "serif"
    assert ed.commit is None

    def fails() -> None:
        with main.edit() as ed:
            ed["a"] = "1"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert main.find("a") is None

    def race(path: str, mine: str, theirs: dict[str, str], on_race: Any) -> None:
        with main.edit("font", on_race=on_race) as ed:
            ed[path] = mine
            for name, value in theirs.items():
                repo.main().set(("font", name), value)

    with pytest.raises(TestWas):
        race("name", "mine", {"other": "theirs"}, "raise")
    assert main.get("font/name") == "serif"
    race("name", "mine", {"other": "again"}, "merge")
    assert (main.get("font/name"), main.get("font/other")) == ("mine", "again")
    with pytest.raises(MergeConflict):
        race("name", "one", {"name": "two"}, "merge")
    with pytest.raises(DecodeError):
        race("name", "one", {}, "hope")


# -- heads


def test_heads_move_as_told(main: Stores, repo: Repo[str, None]) -> None:
    """CH-05 to CH-07."""
    with pytest.raises(NotFound):
        main.head()
    first, second = made(main.set("a", "1")), made(main.set("a", "2"))
    main.set_head(first)
    assert main.get("a") == "1"
    assert not main.test_and_set_head(test=second, set=second)
    assert not main.test_and_set_head(test=None, set=second)
    assert main.test_and_set_head(test=first, set=second)
    assert main.test_and_set_head(test=second, set=None)
    assert main.find_head() is None
    assert main.tree().is_empty()
    assert main.test_and_set_head(test=None, set=first)
    with Repo.open(Memory(), SCHEMA) as other, pytest.raises(DanglingHash):
        main.set_head(made(other.main().set("x", "y")))
    detached = repo.detached(first)
    assert not detached.test_and_set_head(test=second, set=None)
    assert detached.test_and_set_head(test=first, set=second)
    detached.set_head(None)
    assert str(detached.status) == "empty"


def test_fast_forward(main: Stores, repo: Repo[str, None]) -> None:
    """CH-08."""
    first, second = made(main.set("a", "1")), made(main.set("a", "2"))
    dev = repo.branch("dev")
    dev.fast_forward(first)
    dev.fast_forward(second)
    assert dev.head() == second
    with pytest.raises(NoChange):
        dev.fast_forward(second)
    with pytest.raises(Rejected):
        dev.fast_forward(first)
    dev.set("b", "1")
    third = made(main.set("a", "3"))
    with pytest.raises(Rejected):
        dev.fast_forward(third)


# -- merges


def test_merges_that_need_no_commit(main: Stores, repo: Repo[str, None]) -> None:
    """CH-09, CH-10."""
    with pytest.raises(NotFound):
        main.merge_with_branch("nope")
    assert repo.empty().merge_into(main) is None
    first = made(main.set("a", "1"))
    dev = repo.branch("dev")
    assert dev.merge_with_branch("main") == first
    second = made(main.set("a", "2"))
    assert main.merge_with_commit(first) is None
    assert main.merge_with_commit(second) is None
    assert dev.merge_with_branch("main") == second
    assert dev.head() == second


def test_a_merge_has_both_as_parents(main: Stores, repo: Repo[str, None]) -> None:
    main.set("a", "1")
    dev = main.clone("dev")
    theirs = made(dev.set("b", "2"))
    ours = made(main.set("c", "3"))
    merge = made(dev.merge_into(main, message="merge"))
    assert merge.parents == (ours.hash, theirs.hash)
    assert [main.get(path) for path in "abc"] == ["1", "2", "3"]
    assert dev.head() == theirs


def test_a_conflict_changes_nothing_unless_it_is_settled(main: Stores) -> None:
    main.set("a", "1")
    dev = main.clone("dev")
    dev.set("a", "2")
    ours = main.set("a", "3")
    with pytest.raises(MergeConflict) as caught:
        main.merge_with_branch("dev")
    (conflict,) = caught.value.conflicts
    assert isinstance(conflict, irminpy.Conflict)
    assert (conflict.path, conflict.base, conflict.ours, conflict.theirs) == (("a",), "1", "3", "2")
    assert main.head() == ours
    main.merge_with_branch("dev", on_conflict=lambda c: c.ours + c.theirs)
    assert main.get("a") == "32"


def test_a_file_and_a_directory_of_one_name_conflict(main: Stores) -> None:
    """CH-13, US-02, QK-11."""
    main.set("x", "1")
    dev = main.clone("dev")
    dev.set("a/b", "2")
    main.set("a", "3")
    with pytest.raises(MergeConflict):
        main.merge_with_branch("dev")


def test_unrelated_histories(main: Stores, repo: Repo[str, None]) -> None:
    """CH-12."""
    main.set("a", "1")
    main.set("same", "s")
    other = repo.branch("other")
    other.set("b", "2")
    other.set("same", "s")
    main.merge_with_branch("other")
    assert [main.get(path) for path in ("a", "b", "same")] == ["1", "2", "s"]
    third = repo.branch("third")
    third.set("a", "different")
    with pytest.raises(MergeConflict):
        main.merge_with_branch("third")


def criss_cross(repo: Repo[str, None], main: Stores) -> Stores:
    """Two branches that merged each other's first commit, so that both of those are least common ancestors."""
    main.set("base", "0")
    dev = main.clone("dev")
    a, b = made(main.set("a", "1")), made(dev.set("b", "1"))
    main.merge_with_commit(b)
    dev.merge_with_commit(a)
    main.set("only/main", "m")
    dev.set("only/dev", "d")
    return dev


def test_a_criss_cross_history_is_merged_over_a_virtual_ancestor(main: Stores, repo: Repo[str, None]) -> None:
    """CH-11: what both sides removed since stays removed."""
    dev = criss_cross(repo, main)
    main.remove("a")
    dev.set("b", "2")
    main.merge_with_branch("dev")
    assert main.find("a") is None
    assert [main.get(path) for path in ("base", "b", "only/main", "only/dev")] == ["0", "2", "m", "d"]
    for i in range(5):
        ours, theirs = main.head(), dev.head()
        main.set(f"m{i}", "")
        dev.set(f"d{i}", "")
        ours, theirs = main.head(), dev.head()
        main.merge_with_commit(theirs)
        dev.merge_with_commit(ours)
    main.set("last", "1")
    dev.set("last2", "1")
    main.merge_with_branch("dev")
    assert all(main.mem(f"{side}{i}") for side in "md" for i in range(5))


def test_ancestors_that_conflict_are_no_silent_answer(main: Stores, repo: Repo[str, None]) -> None:
    main.set("x", "0")
    dev = main.clone("dev")
    a, b = made(main.set("x", "1")), made(dev.set("x", "2"))
    main.merge_with_commit(b, on_conflict="ours")
    dev.merge_with_commit(a, on_conflict="ours")
    with pytest.raises(MergeConflict, match="Recursive merging of common ancestors"):
        main.merge_with_branch("dev")


def test_a_merge_starts_over_when_another_writer_was_quicker(
    main: Stores, repo: Repo[str, None], monkeypatch: pytest.MonkeyPatch
) -> None:
    main.set("a", "1")
    dev = main.clone("dev")
    dev.set("b", "2")
    main.set("c", "3")
    racing(repo, monkeypatch, 2, lambda i: repo.main().set(f"r{i}", ""))
    merge = made(main.merge_with_branch("dev"))
    assert merge.tree().mem("r0")
    assert merge.tree().mem("r1")
    assert len(list(main.log())) == 6


# -- the log


def test_the_log(main: Stores, repo: Repo[str, None]) -> None:
    assert list(main.log()) == []
    main.set("a", "1", message="1")
    dev = main.clone("dev")
    main.set("b", "1", message="2")
    dev.set("c/x", "1", message="3")
    main.merge_with_branch("dev", message="4")
    main.remove("a", message="5")

    def told(**how: Any) -> list[str]:
        return [commit.info.message for commit in main.log(**how)]

    assert told() == ["5", "4", "3", "2", "1"]
    assert told(n=2) == ["5", "4"]
    assert told(n=0) == []
    assert told(path="a") == ["5", "1"]
    assert told(path="c") == ["3"]
    assert told(path="c", n=1) == ["3"]
    assert told(path="nothing") == []
    for n in (-1, True, 1.5):
        with pytest.raises(DecodeError):
            main.log(n=n)  # type: ignore[arg-type]


# -- watches


class Told:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, change: Any) -> None:
        self.events.append(change)

    def wait(self, n: int) -> list[Any]:
        end = time.monotonic() + 60
        while len(self.events) < n:
            assert time.monotonic() < end, self.events
            time.sleep(0.001)
        return list(self.events)


def test_a_store_is_watched(main: Stores, repo: Repo[str, None]) -> None:
    """WA-01, WA-03, WA-05."""
    first = made(main.set("a", "1"))
    plain, known = Told(), Told()
    watcher = main.watch(plain)
    main.watch(known, init=first)
    second = made(main.set("a", "2"))
    main.set_head(None)
    assert plain.wait(2) == [Added(second), Removed(second)]
    assert known.wait(2) == [Updated(first, second), Removed(second)]
    watcher.unwatch()
    main.set("a", "3")
    known.wait(3)
    assert len(plain.events) == 2
    with pytest.raises(NotFound):
        repo.empty().watch(plain)


def test_a_path_is_watched(main: Stores, repo: Repo[str, None]) -> None:
    """WA-02, QK-03: only real changes below it; Removed when the branch goes."""
    first = made(main.set("d/x/y", "1"))
    told = Told()
    all_: list[Change[Any]] = []
    main.watch_key("d", told, init=first)
    main.watch(all_.append)
    main.set("other", "1")
    deep = made(main.set("d/x/y", "2"))
    gone = made(main.remove("d"))
    back = made(main.set("d/z", "3"))
    main.set_head(None)
    events = told.wait(4)
    assert [type(event) for event in events] == [Updated, Removed, Added, Removed]
    assert events[0].after == (deep, deep.tree().get_tree("d"))
    assert events[2].after[0] == back
    assert gone.tree().find_tree("d") is None


def test_an_empty_tree_is_written_again_where_what_was_saved_of_another_is_gone() -> None:
    """Each store without commits has a tree of its own."""
    maker = Memory("forgets")
    with Repo.open(maker, Schema(String())) as repo:
        repo.branch("kept").set("a", "1")
        repo.commit_tree(repo.main().tree())
        handle: Any = maker.open(repo.schema, Options())[0]
        handle._store.objects = repo.export(max=repo.heads()).objects
        made = repo.main().set_tree((), repo.main().tree(), allow_empty=True)
        assert made is not None
        report = repo.check()
        assert report.ok, str(report)
        assert repo.commit(made.hash).tree().is_empty()
