"""When a path was modified: CH-16, QK-18."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Commit, Info, Repo, Schema, Store, Tree
from irminpy.contents import String
from irminpy.errors import DecodeError
from irminpy.hash import Hash
from irminpy_mem import Memory

SCHEMA = Schema(String())
Bindings = dict[str, str]


@pytest.fixture
def repo() -> Iterator[Repo[str, None]]:
    ticks = iter(range(10**9))
    with Repo.open(Memory(), SCHEMA, clock=lambda: next(ticks)) as opened:
        yield opened


def commit(
    repo: Repo[str, None], bindings: Bindings, *parents: Commit[str], date: int | None = None
) -> Commit[str]:
    tree: Tree[str, None] = repo.empty_tree()
    for path, value in bindings.items():
        tree = tree.add(path, value)
    return repo.commit_tree(tree, parents=parents, info=None if date is None else Info(date))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Hash]:
    """The hashes of the commits that stores read from now on."""
    read: list[Hash] = []
    past = Store._past

    def counting(self: Store[str, None]) -> Callable[[Hash], Commit[str]]:
        get = past(self)

        def parent(hash: Hash) -> Commit[str]:
            read.append(hash)
            return get(hash)

        return parent

    monkeypatch.setattr(Store, "_past", counting)
    return read


def test_it_is_the_last_commit_that_changed_the_contents(repo: Repo[str, None]) -> None:
    """CH-16, US-12: making and removing count, the oldest comes first."""
    main = repo.main()
    assert main.last_modified("a") == []
    main.set("a", "1")
    made = main.head()
    main.set("b", "1")
    assert main.last_modified("a") == [made]
    main.set("a", "2")
    changed = main.head()
    main.remove("a")
    removed = main.head()
    main.set("c", "1")
    assert main.last_modified("a") == [removed]
    assert main.last_modified("a", n=2) == [changed, removed]
    assert main.last_modified("a", n=9) == [made, changed, removed]
    assert main.last_modified("a", n=0) == []
    assert main.last_modified("nothing", n=9) == []


def test_a_root_commit_counts_if_it_holds_the_path(repo: Repo[str, None]) -> None:
    """CH-16."""
    with_it, without = commit(repo, {"a": "1"}), commit(repo, {"b": "1"})
    assert repo.detached(with_it).last_modified("a") == [with_it]
    assert repo.detached(without).last_modified("a") == []


def test_directories_never_count(repo: Repo[str, None]) -> None:
    """CH-16; that contents become a directory, or the other way round, is a change of the contents."""
    main = repo.main()
    main.set("d/a", "1")
    main.set("d/b", "2")
    assert main.last_modified("d", n=9) == []
    assert main.last_modified((), n=9) == []
    main.set("d", "contents")
    turned = main.head()
    main.set("d/a", "1")
    assert main.last_modified("d", n=9) == [turned, main.head()]


def test_a_merge_counts_if_it_differs_from_every_parent(repo: Repo[str, None]) -> None:
    """CH-16."""
    root = commit(repo, {"a": "0"})
    one, two = commit(repo, {"a": "1"}, root), commit(repo, {"a": "2"}, root)
    takes_one = commit(repo, {"a": "1"}, one, two)
    new = commit(repo, {"a": "3"}, one, two)
    assert repo.detached(takes_one).last_modified("a", n=9) == [root, one, two]
    assert repo.detached(new).last_modified("a", n=9) == [root, one, two, new]


def test_the_newest_in_sight_is_looked_at_first(repo: Repo[str, None]) -> None:
    root = commit(repo, {}, date=0)
    newer = commit(repo, {"a": "1"}, root, date=5)
    older = commit(repo, {"a": "2"}, root, date=3)
    merge = commit(repo, {"a": "2"}, older, newer, date=6)
    assert repo.detached(merge).last_modified("a") == [newer]
    assert repo.detached(merge).last_modified("a", n=2) == [older, newer]


def test_depth_bounds_the_distance_from_the_head(repo: Repo[str, None]) -> None:
    """CH-16: 0 is the head only; parents are compared with however far they are."""
    main = repo.main()
    for i in range(4):
        main.set("a", str(i))
    commits = list(main.log())[::-1]
    for depth in range(6):
        assert main.last_modified("a", n=9, depth=depth) == commits[max(3 - depth, 0) :]
    main.set("b", "1")
    assert main.last_modified("a", depth=0) == []
    assert main.last_modified("a", depth=1) == [commits[-1]]


def test_the_shortest_way_is_the_distance(repo: Repo[str, None]) -> None:
    root = commit(repo, {"a": "1"}, date=0)
    middle = commit(repo, {"a": "1"}, root, date=5)
    end = commit(repo, {"a": "1"}, middle, root, date=6)
    assert repo.detached(end).last_modified("a", depth=1) == [root]


def test_wrong_bounds(repo: Repo[str, None]) -> None:
    main = repo.main()
    for bounds in ({"n": -1}, {"depth": -1}, {"n": True}):
        with pytest.raises(DecodeError):
            main.last_modified("a", **bounds)


def test_each_commit_is_examined_once(repo: Repo[str, None], monkeypatch: pytest.MonkeyPatch) -> None:
    """QK-18: a history in which 2 ** 30 ways lead to the root."""
    root = commit(repo, {"a": "1"})
    one, two = commit(repo, {"a": "1", "x": "1"}, root), commit(repo, {"a": "1", "x": "2"}, root)
    for i in range(30):
        both = (one, two)
        one, two = (commit(repo, {"a": "1", "x": f"{i}{side}"}, *both) for side in "lr")
    head = commit(repo, {"a": "1"}, one, two)
    store = repo.detached(head)
    read = counted(monkeypatch)
    looked: list[Hash] = []
    tree = Commit.tree

    def look(self: Commit[str]) -> Tree[str, None]:
        looked.append(self.hash)
        return tree(self)

    monkeypatch.setattr(Commit, "tree", look)
    for depth in (None, 100):
        read.clear()
        looked.clear()
        assert store.last_modified("a", n=5, depth=depth) == [root]
        assert len(read) == len(set(read)) == 64
        assert len(looked) == len(set(looked)) == 64


def test_it_reads_no_further_than_it_has_to(repo: Repo[str, None], monkeypatch: pytest.MonkeyPatch) -> None:
    main = repo.main()
    for i in range(200):
        main.set("a" if i == 190 else "b", str(i))
    reads = counted(monkeypatch)
    assert len(main.last_modified("a")) == 1
    assert len(reads) <= 12


@given(st.data())
def test_it_is_what_the_definition_says(data: st.DataObject) -> None:
    """CH-16, on random histories with honest dates."""
    with Repo.open(Memory(), SCHEMA) as repo:
        rows: list[tuple[Commit[str], Bindings, list[int]]] = []
        for i in range(data.draw(st.integers(1, 8))):
            parents = data.draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True)) if i else []
            bindings: Bindings = data.draw(
                st.sampled_from([{}, {"a": "1"}, {"a": "2"}, {"a/b": "1"}, {"c": "1"}])
            )
            rows.append((commit(repo, bindings, *(rows[p][0] for p in parents), date=i), bindings, parents))
        seen: set[int] = set()
        stack = [len(rows) - 1]
        while stack:
            at = stack.pop()
            if at not in seen:
                seen.add(at)
                stack.extend(rows[at][2])
        expected = [
            rows[at][0]
            for at in sorted(seen)
            if all(rows[p][1].get("a") != rows[at][1].get("a") for p in rows[at][2])
            and (rows[at][2] or "a" in rows[at][1])
        ]
        n = data.draw(st.integers(1, 4))
        assert repo.detached(rows[-1][0]).last_modified("a", n=n) == expected[-n:]
