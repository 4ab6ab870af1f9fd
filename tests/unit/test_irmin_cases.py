"""Cases of Irmin's own tests that no other test here stands for, on memory; each test names its own."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import irminpy
from irminpy import Closed, Commit, Info, Repo, Schema, Store, Tree
from irminpy.diff import Added, Change, Removed, Updated
from irminpy.errors import DanglingHash
from irminpy.formats import Native
from irminpy.key import KindedHash
from irminpy.path import Path
from irminpy.registry import maker_of_uri
from irminpy.testing.model import Bindings, bindings_of, built
from irminpy_mem import Memory

WAIT = 60.0
INFO = Info(1, "me", "why")


@pytest.fixture(params=[Native(), Native(2, 2)], ids=repr)
def repo(request: pytest.FixtureRequest) -> Iterator[Repo[bytes]]:
    with irminpy.open("mem:", Schema(format=request.param), author="me", clock=lambda: 1) as repo:
        yield repo


@pytest.fixture
def main(repo: Repo[bytes]) -> Store[bytes]:
    return repo.main()


def made(commit: Commit[bytes] | None) -> Commit[bytes]:
    assert commit is not None
    return commit


def tree_of(repo: Repo[bytes], *steps: str) -> Tree[bytes]:
    return built(repo.schema, {(step,): b"v" for step in steps})


# -- contents, nodes and commits by their keys -------------------------------------------------------------------


def test_contents_have_one_key_however_often_they_are_added(repo: Repo[bytes]) -> None:
    """TC-001, TC-006."""
    for value in (b"", random.Random(1).randbytes(10)):
        key = repo.save_contents(value)
        assert repo.save_contents(value) == key
        assert repo.find_contents(key) == value
    tree = tree_of(repo, "x")
    calls: list[Callable[[], Any]] = [
        lambda: repo.save_contents(b"late"),
        lambda: repo.find_contents(key),
        lambda: repo.save_tree(tree),
        lambda: repo.breadth_first(),
        lambda: repo.iter(),
        lambda: repo.closure(),
    ]
    repo.close()
    for call in calls:
        with pytest.raises(Closed):
            call()


def test_the_key_of_a_node_is_the_hash_it_had_before_it_was_saved(repo: Repo[bytes]) -> None:
    """TC-002: and what is added and removed again leaves no trace."""
    for steps in ((), ("x",), ("x", "y"), ("x", "y", "z")):
        tree = tree_of(repo, *steps)
        hash_ = tree.hash()
        key = repo.save_tree(tree)
        assert key.key == hash_
        back = Tree.of_key(repo, key)
        assert back is not None
        assert back == tree
        assert back.add("w", b"new").remove("w").hash() == hash_
        for step in steps:
            assert back.add(step, b"v") is back
            assert back.remove(step).add(step, b"v").hash() == hash_


def test_nodes_are_looked_up_and_listed_in_pages(repo: Repo[bytes]) -> None:
    """TC-003."""
    tree = tree_of(repo, "x", "y", "z")
    repo.save_tree(tree)
    assert [tree.find(step) for step in ("x", "y", "z", "a", "")] == [b"v", b"v", b"v", None, None]
    whole = [step for step, _ in tree.list()]
    assert sorted(whole) == ["x", "y", "z"]
    assert [step for step, _ in tree.list(length=1)] == whole[:1]
    assert [step for step, _ in tree.list(offset=1)] == whole[1:]
    assert [step for step, _ in tree.list(offset=1, length=1)] == whole[1:2]


def test_paths_lead_through_saved_nodes(repo: Repo[bytes]) -> None:
    """TC-004: t3 leads by a to t2, by b to t1, by x to a value."""
    value = Tree.of_contents(b"v", repo.schema)

    def saved(step: str, child: Tree[bytes]) -> Tree[bytes]:
        found = Tree.of_key(repo, repo.save_tree(repo.empty_tree().add_tree(step, child)))
        assert found is not None
        return found

    t1 = saved("x", value)
    t2 = saved("b", t1)
    t3 = saved("a", t2)
    assert (t1.get("x"), t2.get("b/x"), t3.get("a/b/x")) == (b"v", b"v", b"v")
    assert (t3.get_tree("a"), t3.get_tree("a/b")) == (t2, t1)
    by_hand = saved("a", t2.add_tree("c", t1))
    assert t3.add("a/c/x", b"v") == by_hand
    assert repo.save_tree(t3.add("a/c/x", b"v")) == by_hand.key()


def test_equal_commits_have_one_key_and_closures_are_their_histories(repo: Repo[bytes]) -> None:
    """TC-007."""
    r1, again = (repo.commit_tree(tree_of(repo, "x"), info=INFO) for _ in range(2))
    assert (r1, r1.to_bytes()) == (again, again.to_bytes())
    r2 = repo.commit_tree(tree_of(repo, "y"), info=INFO, parents=[r1])
    assert repo.closure([r1]) == [r1]
    assert repo.closure([r2]) == [r1, r2]
    assert repo.commit(r2.hash).info == INFO
    repo.close()
    for call in (lambda: repo.commit(r1.hash), lambda: repo.closure([r1])):
        with pytest.raises(Closed):
            call()


# -- merges by hand ----------------------------------------------------------------------------------------------


def test_contents_nodes_and_commits_merge(repo: Repo[bytes], main: Store[bytes]) -> None:
    """TC-011, TC-012, TC-013: the commit is the one that is made by hand."""
    v1, v2 = repo.save_contents(b"v1"), repo.save_contents(b"v2")
    assert repo.merge_contents(v1, v1, v1) == v1
    assert repo.merge_contents(v1, v1, v2) == v2
    t1 = tree_of(repo, "x")
    empty = repo.empty_tree()
    left, right = empty.add_tree("b", t1), empty.add_tree("c", t1)
    both = left.merge(right, old=empty)
    assert both == empty.add_tree("b", t1).add_tree("c", t1)
    r0 = repo.commit_tree(empty, info=INFO)
    r1, r2 = (repo.commit_tree(tree, info=INFO, parents=[r0]) for tree in (left, right))
    main.set_head(r1)
    merged = made(main.merge_with_commit(r2, info=INFO))
    by_hand = repo.commit_tree(both, info=INFO, parents=[r1, r2])
    assert (merged, merged.to_bytes()) == (by_hand, by_hand.to_bytes())


# -- trees in a store --------------------------------------------------------------------------------------------


def test_the_state_of_a_tree_changes_with_edits_and_commits_only(
    repo: Repo[bytes], main: Store[bytes]
) -> None:
    """TC-016: key, value, value though hashed, key again; what was read is not read again, nor written."""
    made(main.set("foo/a", b"1"))
    tree = main.tree()
    assert tree.inspect() == "key"
    edited = tree.add("foo/b", b"1")
    assert edited.inspect() == "value"
    edited.hash()
    assert edited.inspect() == "value"
    made(main.set_tree((), edited))
    assert edited.inspect() == "key"
    assert edited.get("foo/b") == b"1"
    reads, written = repo.counters.node_find, repo.counters.node_add
    assert [edited.get(path) for path in ("foo/a", "foo/b", "foo/a")] == [b"1"] * 3
    assert repo.save_tree(edited) == edited.key()
    assert (repo.counters.node_find, repo.counters.node_add) == (reads, written)


def test_the_longest_step_and_a_recursive_remove(main: Store[bytes]) -> None:
    """TC-028, decision 27: a step has at most 4,096 bytes."""
    longest = "a" * 4096
    made(main.set((longest, "b", longest), b"v"))
    assert main.get((longest, "b", longest)) == b"v"
    assert [step for step, _ in main.list()] == [longest]
    with pytest.raises(irminpy.errors.InvalidStep):
        main.set((longest + "a",), b"v")
    made(main.remove((longest,)))
    assert main.list() == []


def test_an_emptied_tree_is_committed_as_the_empty_node(repo: Repo[bytes], main: Store[bytes]) -> None:
    """TC-037: the root, whatever emptied it."""
    empty = repo.empty_tree().hash()
    for path in ("a/b", "c"):
        made(main.set(path, b"1"))
        assert made(main.remove(path)).tree_hash == empty
    assert repo.find_key(repo.empty_tree()) is not None
    assert main.tree().is_empty()


def test_the_length_is_that_of_the_list(main: Store[bytes], repo: Repo[bytes]) -> None:
    """TC-040."""
    made(main.set_tree("foo", tree_of(repo, *"abcdef")))
    made(main.set_tree("foo/sub", tree_of(repo, *"gh")))
    for path in ((), "foo", "foo/sub", "foo/a", "nowhere"):
        assert main.length(path) == len(main.list(path))
    root = Tree.of_contents(b"v", repo.schema)
    assert root.length() == len(root.list()) == 0


def test_a_concrete_tree_makes_the_same_tree(main: Store[bytes], repo: Repo[bytes]) -> None:
    """TC-043."""
    bindings: Bindings = {
        ("foo", "1"): b"1",
        ("foo", "2"): b"2",
        ("bar", "d", "a"): b"3",
        ("bar", "d", "b"): b"4",
    }
    made(main.set_tree((), built(repo.schema, bindings)))
    tree = main.tree()
    back = Tree.of_concrete(tree.to_concrete(), repo.schema)
    assert list(tree.diff(back)) == []
    for path in ("", "foo", "bar/d"):
        assert back.list(path) == tree.list(path)
    assert back.hash() == tree.hash()


def test_shallow_trees_are_bound_unread(main: Store[bytes], repo: Repo[bytes]) -> None:
    """TC-056: with parents as given; what they lead to is looked for when it is read."""
    elsewhere = built(repo.schema, {("x", "y"): b"never saved here"})
    nowhere = Tree.shallow(repo, elsewhere.kinded_hash())
    leaf = Tree.shallow(repo, KindedHash("contents", Tree.of_contents(b"lost", repo.schema).hash()))
    first = made(main.set("0", b"here"))
    made(main.set_tree("1", nowhere))
    made(main.set_tree("2", leaf))
    node = repo.empty_tree().add_tree("child", nowhere).add("own", b"1")
    commit = made(main.set_tree("3", node, parents=[first]))
    assert commit.parents == (first.hash,)
    assert main.find_tree("1") == nowhere
    assert main.find_tree("2") == leaf
    assert main.get_tree("3/child").kinded_hash() == nowhere.kinded_hash()
    assert (main.get("0"), main.get("3/own")) == (b"here", b"1")
    for read in (lambda: main.list("1"), lambda: main.get("2"), lambda: main.get("3/child/x/y")):
        with pytest.raises(DanglingHash):
            read()
    faults = {problem.fault for problem in repo.check().problems}
    assert faults == {"dangling"}
    repo.save_tree(elsewhere)
    assert main.get("1/x/y") == main.get("3/child/x/y") == b"never saved here"


# -- directories alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("portable", [False, True])
def test_a_directory_holds_what_was_added(repo: Repo[bytes], portable: bool) -> None:
    """TC-073, TC-075: one in memory, and one that knows only hashes."""

    def form(tree: Tree[bytes]) -> Tree[bytes]:
        if not portable:
            return tree
        repo.save_tree(tree)
        return Tree.shallow(repo, tree.kinded_hash())

    empty = form(repo.empty_tree())
    assert (empty.is_empty(), empty.length(), empty.list()) == (True, 0, [])
    assert empty.remove("foo") is empty
    two = form(form(empty.add("foo", b"1")).add("bar", b"2"))
    assert (two.is_empty(), two.length()) == (False, 2)
    assert form(two.remove("foo")).remove("bar") == empty
    rng = random.Random(0)
    bindings: Bindings = {(rng.randbytes(8).hex(),): rng.randbytes(8) for _ in range(256)}
    many = form(built(repo.schema, bindings))
    assert many.length() == 256
    assert all(many.find(path) == value for path, value in bindings.items())
    assert many.find("absent") is None


@pytest.mark.parametrize("portable", [False, True])
def test_directories_are_equal_when_their_bindings_are(repo: Repo[bytes], portable: bool) -> None:
    """TC-074, TC-075: in whatever order they were added; the bytes lead back to an equal one."""
    rng = random.Random(1)
    items: list[tuple[Path, bytes]] = [((f"{i:x}",), b"%d" % i) for i in range(100)]
    one = built(repo.schema, dict(items))
    rng.shuffle(items)
    two = built(repo.schema, dict(items))
    some = built(repo.schema, dict(items[:50]))
    if portable:
        repo.save_tree(two)
        two = Tree.shallow(repo, two.kinded_hash())
    assert one == two != some
    key = repo.save_tree(one)
    whole = repo.export(max=[repo.commit_tree(two)]).objects.nodes
    assert repo.schema.codec.digest(whole[one.hash()]) == one.hash()
    assert bindings_of(Tree.of_key(repo, key) or repo.empty_tree()) == bindings_of(two)


def test_bindings_are_listed_by_their_bytes() -> None:
    """TC-076: in a directory that is one object, and anywhere when they are asked for sorted."""
    bindings: Bindings = {(step,): b"" for step in ("aa", "ab", "a", "b")}
    assert [step for step, _ in built(Schema(), bindings).list()] == ["a", "aa", "ab", "b"]
    deep = built(Schema(format=Native(2, 2)), bindings)
    assert [step for step, _ in deep.list(sorted=True)] == ["a", "aa", "ab", "b"]


# -- watches -----------------------------------------------------------------------------------------------------


class Tally:
    """Counts additions, updates and removals, for many watchers at once."""

    def __init__(self) -> None:
        self.counts: Counter[type] = Counter()
        self._lock = threading.Lock()

    def __call__(self, change: Change[Any]) -> None:
        with self._lock:
            self.counts[type(change)] += 1

    def wait(self, added: int, updated: int, removed: int) -> None:
        wanted = (added, updated, removed)
        end = time.monotonic() + WAIT
        while (now := tuple(self.counts[kind] for kind in (Added, Updated, Removed))) != wanted:
            assert time.monotonic() < end, f"{now}, not {wanted}"
            time.sleep(0.001)


def test_a_hundred_watchers_of_two_repositories() -> None:
    """TC-072: all hear of everything, half of them are ended, and the threads stop with the last."""
    with Repo.open(Memory("watched")) as one, Repo.open(Memory("watched")) as two:
        tally = Tally()
        watches = [repo.main().watch(tally) for repo in (one, two) for _ in range(50)]
        made(one.main().set("a", b"1"))
        tally.wait(100, 0, 0)
        made(two.main().set("a", b"2"))
        tally.wait(100, 100, 0)
        one.remove_branch("main")
        tally.wait(100, 100, 100)
        assert [repo.watches.stats() for repo in (one, two)] == [(50, 0, 1)] * 2
        for watch in watches[::2]:
            watch.unwatch()
        made(two.main().set("a", b"3"))
        tally.wait(150, 100, 100)
        for watch in watches:
            watch.unwatch()
        assert [repo.watches.stats() for repo in (one, two)] == [(0, 0, 0)] * 2
        made(one.main().set("a", b"4"))
        tally.wait(150, 100, 100)


def test_all_branches_and_deep_paths_are_watched_from_what_is_known(
    repo: Repo[bytes], main: Store[bytes]
) -> None:
    """TC-072: with `init` nothing is told twice; a change far below a watched directory is one of it."""
    first = made(main.set("d/x/y/z", b"1"))
    every, at = Tally(), Tally()
    repo.watch_all(lambda name, change: every(change), init={"main": first})
    main.watch_key("d", at, init=first)
    main.clone("dev")
    every.wait(1, 0, 0)
    made(main.set("d/x/y/z", b"2"))
    made(main.set("elsewhere", b"3"))
    every.wait(1, 2, 0)
    made(main.remove("d"))
    made(main.set("d/again", b"4"))
    at.wait(1, 1, 1)
    repo.remove_branch("dev")
    every.wait(1, 4, 1)


# -- what Irmin's configuration tests ask ------------------------------------------------------------------------


def test_two_makers_keep_their_own_place() -> None:
    """TC-103, TC-105: options are arguments, equal where they say the same (decision 1)."""
    one, two = maker_of_uri("mem:one"), maker_of_uri("mem:two")
    assert (one, two) == (Memory("one"), Memory("two"))
    assert one != two
    with pytest.raises(irminpy.StorageError, match="colour"):
        maker_of_uri("mem:one?colour=red")


def test_an_option_given_twice_is_refused() -> None:
    """TC-104: it is not the last one that counts."""
    with pytest.raises(irminpy.StorageError, match=r"colour.*twice"):
        maker_of_uri("mem:one?colour=red&colour=blue")
