"""Walks, common ancestors and graphs of commits, against their definitions on random graphs and against
Irmin on its own: CH-08, CH-11, CH-14, CH-15, CH-19.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy
from irminpy import Info, NotFound, Repo, Schema, Store, Tree
from irminpy.contents import String
from irminpy.errors import (
    DanglingHash,
    DecodeError,
    MaxDepthReached,
    MergeConflict,
    NoChange,
    Rejected,
    TooManyLcas,
)
from irminpy.hash import Hash
from irminpy.history import Graph, History, by_date, first_parents, lcas, walk, window
from irminpy.objects import Commit
from irminpy_mem import Memory


def name(i: int) -> Hash:
    return Hash(i.to_bytes(2, "big"))


Dag = dict[Hash, Commit]


def dag(*rows: tuple[int, ...], dates: list[int] | None = None) -> Dag:
    """Commit i has the parents rows[i]."""
    return {
        name(i): Commit(name(i), tuple(map(name, row)), Info(i if dates is None else dates[i]))
        for i, row in enumerate(rows)
    }


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    n = draw(st.integers(1, 14))
    rows = [
        tuple(draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True)) if i else ()) for i in range(n)
    ]
    # Dates may lie.
    return dag(*rows, dates=draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))


def ancestors(graph: Dag, start: Hash) -> set[Hash]:
    seen: set[Hash] = set()
    stack = [start]
    while stack:
        hash_ = stack.pop()
        if hash_ not in seen:
            seen.add(hash_)
            stack.extend(graph[hash_].parents)
    return seen


@given(dags(), st.data())
def test_lcas_are_the_common_ancestors_that_no_other_one_leads_to(graph: Dag, data: st.DataObject) -> None:
    """CH-14: also on graphs that are not transitively reduced."""
    a, b = (data.draw(st.sampled_from(sorted(graph))) for _ in range(2))
    common = ancestors(graph, a) & ancestors(graph, b)
    below = {hash_ for one in common for hash_ in ancestors(graph, one) - {one}}
    found = lcas(graph.__getitem__, a, b)
    assert len(found) == len(set(found))
    assert set(found) == common - below


@given(dags(), st.data())
def test_a_walk_gives_all_ancestors_once_children_first(graph: Dag, data: st.DataObject) -> None:
    heads = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, max_size=3))
    order = [commit.node for commit in walk(graph.__getitem__, heads)]
    assert len(order) == len(set(order))
    assert set(order) == {hash_ for head in heads for hash_ in ancestors(graph, head)}
    place = {hash_: i for i, hash_ in enumerate(order)}
    for hash_ in order:
        assert all(place[parent] > place[hash_] for parent in graph[hash_].parents)


def test_a_walk_takes_the_newest_of_those_that_may_come() -> None:
    graph = dag((), (0,), (0,), (1,), (2,), (3, 4))
    assert [commit.node for commit in walk(graph.__getitem__, [name(5)])] == [
        name(i) for i in (5, 4, 3, 2, 1, 0)
    ]


def test_a_walk_reads_no_further_than_it_has_to() -> None:
    rows: list[tuple[int, ...]] = [()]
    rows += [(i,) for i in range(1000)]
    rows += [(1000,), (1000,), (1001, 1002)]
    graph = dag(*rows)
    reads: list[Hash] = []

    def read(hash: Hash) -> Commit:
        reads.append(hash)
        return graph[hash]

    steps = walk(read, [name(1003)])
    for _ in range(5):
        next(steps)
    assert len(reads) < 10


def test_lcas_of_a_long_history_look_at_the_near_part_only() -> None:
    """US-09."""
    rows: list[tuple[int, ...]] = [()]
    rows += [(i,) for i in range(5000)]
    rows += [(5000,), (5000,)]
    graph = dag(*rows)
    reads: list[Hash] = []

    def read(hash: Hash) -> Commit:
        reads.append(hash)
        return graph[hash]

    assert lcas(read, name(5001), name(5002)) == [name(5000)]
    assert len(reads) < 10
    assert lcas(read, name(5001), name(4990)) == [name(4990)]
    assert len(reads) < 60


def test_a_virtual_commit_has_the_ancestors_of_its_parents() -> None:
    """CH-11: a criss-cross merge."""
    graph = Graph(dag((), (0,), (0,), (1, 2), (2, 1)).__getitem__)
    bases = lcas(graph, name(3), name(4))
    assert set(bases) == {name(1), name(2)}
    assert lcas(graph, graph.virtual(*bases), name(4)) == bases or set(bases) == {name(1), name(2)}


# -- histories that were cut off


@given(dags(), st.data())
def test_common_ancestors_on_a_part_of_a_history_are_right_or_an_error(
    graph: Dag, data: st.DataObject
) -> None:
    """GR-12: whatever is absent, there is the answer of the whole history or DanglingHash, never another."""
    a, b = (data.draw(st.sampled_from(sorted(graph))) for _ in range(2))
    absent = data.draw(st.sets(st.sampled_from(sorted(graph)))) - {a, b}

    def read(hash: Hash) -> Commit:
        if hash in absent:
            raise DanglingHash("the history", hash)
        return graph[hash]

    for limits in ({}, {"max_depth": len(graph)}):
        try:
            found = lcas(read, a, b, **limits)
        except DanglingHash as e:
            assert e.hash in absent  # noqa: PT017
        else:
            assert set(found) == least(graph, a, b)


def test_what_lies_behind_the_only_common_ancestor_is_not_needed() -> None:
    """GR-12: two branches from the last commit of a history that was cut off; but not where there are two."""
    graph = dag((), (0,), (1,), (2,), (2,), (0,), (3, 5), (4, 5))

    def read(hash: Hash) -> Commit:
        if hash in (name(0), name(1)):
            raise DanglingHash("the history", hash)
        return graph[hash]

    for limits in ({}, {"max_depth": 9}):
        assert lcas(read, name(3), name(4), **limits) == [name(2)]
        assert lcas(read, name(3), name(2), **limits) == [name(2)]
        with pytest.raises(DanglingHash):
            lcas(read, name(6), name(7), **limits)


@given(st.data())
def test_a_history_that_was_cut_off_below_all_forks_does_no_harm_whatever_the_dates(
    data: st.DataObject,
) -> None:
    """GR-12: who fetches a part, commits on it and pushes within one second has commits of one date."""
    line, above = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    fork = line
    rows: list[tuple[int, ...]] = [(), *((i,) for i in range(line))]
    for i in range(fork + 1, fork + 1 + above):
        parents = data.draw(st.lists(st.integers(fork, i - 1), min_size=1, max_size=2, unique=True))
        rows.append(tuple(parents))
    dates = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    graph = dag(*rows, dates=dates)
    absent = {name(i) for i in range(data.draw(st.integers(1, line)))}
    a, b = (name(data.draw(st.integers(fork, len(rows) - 1))) for _ in range(2))
    expected = least(graph, a, b)

    def read(hash: Hash) -> Commit:
        if hash in absent:
            raise DanglingHash("the history", hash)
        return graph[hash]

    for limits in ({}, {"max_depth": len(graph)}):
        if len(expected) == 1:
            assert set(lcas(read, a, b, **limits)) == expected


# -- limits of the search for common ancestors


def common_ancestors(graph: Dag, a: Hash, b: Hash) -> set[Hash]:
    return ancestors(graph, a) & ancestors(graph, b)


def least(graph: Dag, a: Hash, b: Hash) -> set[Hash]:
    common = common_ancestors(graph, a, b)
    return common - {hash_ for one in common for hash_ in ancestors(graph, one) - {one}}


@given(dags(), st.data())
def test_a_limit_of_depth_that_is_not_reached_changes_nothing(graph: Dag, data: st.DataObject) -> None:
    """CH-14: the search by layers against the definition."""
    a, b = (data.draw(st.sampled_from(sorted(graph))) for _ in range(2))
    found = lcas(graph.__getitem__, a, b, max_depth=len(graph))
    assert len(found) == len(set(found))
    assert set(found) == least(graph, a, b)


@given(dags(), st.data())
def test_a_limit_of_depth_loses_no_common_ancestor(graph: Dag, data: st.DataObject) -> None:
    """CH-14: all least ones are found, or it is an error; what is found too much leads to nothing new."""
    a, b = (data.draw(st.sampled_from(sorted(graph))) for _ in range(2))
    max_depth = data.draw(st.integers(0, 4))
    try:
        found = set(lcas(graph.__getitem__, a, b, max_depth=max_depth))
    except MaxDepthReached:
        return
    assert least(graph, a, b) <= found <= common_ancestors(graph, a, b)


@given(dags(), st.data())
def test_a_limit_of_number_gives_common_ancestors_and_no_more(graph: Dag, data: st.DataObject) -> None:
    """CH-14."""
    a, b = (data.draw(st.sampled_from(sorted(graph))) for _ in range(2))
    n = data.draw(st.integers(1, 3))
    for max_depth in (None, len(graph)):
        found = lcas(graph.__getitem__, a, b, max_depth=max_depth, n=n)
        assert len(found) == len(set(found))
        assert set(found) <= common_ancestors(graph, a, b)
        # What stops early has n; what does not is complete.
        assert len(found) == n or set(found) == least(graph, a, b)


def test_common_ancestors_on_a_line() -> None:
    """TC-018, CH-14: the depth counts the generations that were asked for their parents."""
    graph = dag((), (0,), (1,), (2,), (3,))
    for a, depth in ((3, 0), (2, 1), (1, 2)):
        for x, y in ((a, 4), (4, a)):
            assert lcas(graph.__getitem__, name(x), name(y), max_depth=depth, n=3) == [name(a)]
            with pytest.raises(MaxDepthReached) as caught:
                lcas(graph.__getitem__, name(x), name(y), max_depth=depth - 1, n=3)
            assert caught.value.max_depth == depth - 1
    assert lcas(graph.__getitem__, name(4), name(4), max_depth=0, n=1) == [name(4)]


def test_limits_that_allow_nothing() -> None:
    """CH-14, CH-19: even for a commit and itself; the depth is looked at first."""
    graph = dag(())
    with pytest.raises(MaxDepthReached):
        lcas(graph.__getitem__, name(0), name(0), max_depth=-1, n=0)
    with pytest.raises(TooManyLcas) as caught:
        lcas(graph.__getitem__, name(0), name(0), n=0)
    assert caught.value.n == 0


def test_common_ancestors_where_there_are_short_cuts() -> None:
    """TC-022, CH-14: a commit that names its grandparent as a parent too."""
    #        0 <- 1 <- 2 <- 3 <- 4, with 0 <- 3 and 1 <- 4; 5 and 6 branch off with short cuts of their own
    graph = dag((), (0,), (1,), (2, 0), (3, 1), (2, 0), (1, 4, 0))
    cases = [((3, 4), 3), ((2, 4), 2), ((1, 4), 1), ((5, 4), 2), ((5, 6), 2)]
    for (a, b), expected in cases:
        for limits in ({}, {"max_depth": 4}, {"max_depth": 4, "n": 5}):
            assert lcas(graph.__getitem__, name(a), name(b), **limits) == [name(expected)], (a, b)


def test_a_criss_cross_in_a_long_history_is_settled_near_by() -> None:
    """CH-14, CH-11: several candidates, and one line below them."""
    rows: list[tuple[int, ...]] = [()]
    rows += [(i,) for i in range(5000)]
    rows += [(5000,), (5000,), (5001, 5002), (5002, 5001)]
    graph = dag(*rows)
    for limits in ({}, {"max_depth": 1}, {"max_depth": 100}):
        reads: list[Hash] = []

        def read(hash: Hash, reads: list[Hash] = reads) -> Commit:
            reads.append(hash)
            return graph[hash]

        assert set(lcas(read, name(5003), name(5004), **limits)) == {name(5001), name(5002)}
        assert len(reads) < 10


def test_common_ancestors_in_a_busy_history_cost_one_read_per_commit() -> None:
    """CH-14, US-09: two branches that merge each other again and again."""
    rows: list[tuple[int, ...]] = [(), (0,), (0,)]
    for i in range(1, 4001, 2):
        rows += [(i, i + 1), (i + 1, i)]
    graph = dag(*rows)
    last = len(rows) - 1
    for limits in ({}, {"max_depth": 5000}):
        reads: list[Hash] = []

        def read(hash: Hash, reads: list[Hash] = reads) -> Commit:
            reads.append(hash)
            return graph[hash]

        assert set(lcas(read, name(last), name(last - 1), **limits)) == {name(last - 2), name(last - 3)}
        assert len(reads) == len(set(reads)) <= len(rows)


# -- walks by date and windows


@given(dags(), st.data())
def test_by_date_gives_all_ancestors_once(graph: Dag, data: st.DataObject) -> None:
    heads = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, max_size=3))
    order = [commit.node for commit in by_date(graph.__getitem__, heads)]
    assert len(order) == len(set(order))
    assert set(order) == {hash_ for head in heads for hash_ in ancestors(graph, head)}
    for i, hash_ in enumerate(order):
        # The newest of all that a commit before it, or the start, has brought into sight.
        sight = set(heads) | {parent for before in order[:i] for parent in graph[before].parents}
        assert graph[hash_].info.date == max(graph[one].info.date for one in sight - set(order[:i]))


def test_first_parents_are_a_line() -> None:
    graph = dag((), (0,), (0,), (2, 1), (3, 1))
    assert [commit.node for commit in first_parents(graph.__getitem__, name(4))] == [
        name(i) for i in (4, 3, 2, 0)
    ]


@given(dags(), st.data())
def test_a_window_is_what_its_bounds_say(graph: Dag, data: st.DataObject) -> None:
    """CH-15."""
    some = st.lists(st.sampled_from(sorted(graph)), max_size=3)
    heads, ends = data.draw(some), data.draw(some)
    depth = data.draw(st.none() | st.integers(0, 4))
    expected: set[Hash] = set()
    layer, away = set(heads), 0
    while layer and (depth is None or away <= depth):
        expected |= layer
        layer = {parent for one in layer - set(ends) for parent in graph[one].parents} - expected
        away += 1
    order = list(window(graph.__getitem__, heads, depth, set(ends)))
    assert set(order) == expected
    place = {hash_: i for i, hash_ in enumerate(order)}
    for hash_ in order:
        assert all(place[parent] > place[hash_] for parent in graph[hash_].parents if parent in place)


# -- stores

Stores = Store[str, None]
SCHEMA = Schema(String())


@pytest.fixture
def repo() -> Iterator[Repo[str, None]]:
    ticks = iter(range(10**9))
    with Repo.open(Memory(), SCHEMA, clock=lambda: next(ticks)) as opened:
        yield opened


def put(
    repo: Repo[str, None], path: str, *parents: irminpy.Commit[str], date: int | None = None
) -> irminpy.Commit[str]:
    """A commit that binds `path` besides what its parents hold."""
    tree = repo.empty_tree()
    for parent in parents:
        tree = tree.merge(parent.tree(), old=repo.empty_tree(), on_conflict="theirs")
    info = None if date is None else Info(date, message=path)
    return repo.commit_tree(tree.add(path, path), parents=parents, info=info)


def test_the_graph_of_one_commit_has_one_vertex(repo: Repo[str, None]) -> None:
    """TC-024, CH-15, CG-01."""
    main = repo.main()
    assert len(main.history()) == 0
    assert main.history().heads == ()
    main.set("a", "1")
    history = main.history()
    assert len(history) == 1
    assert history.commits == history.heads == (main.head(),)
    assert history.to_edges() == []
    assert history.pred(main.head()) == history.succ(main.head()) == []
    assert main.head() in history
    assert main.head().hash in history
    assert "a" not in history


def test_the_graph_of_a_commit_with_two_parents(repo: Repo[str, None]) -> None:
    """TC-047, CH-15."""
    a, b = put(repo, "a"), put(repo, "b")
    merge = repo.commit_tree(repo.empty_tree().add("x", "1"), parents=(a, b), info=Info.none())
    store = repo.detached(merge)
    history = store.history()
    assert history.pred(merge) == [a, b]
    assert history.succ(a.hash) == history.succ(b) == [merge]
    assert history.heads == (merge,)
    assert history.to_edges() == [(a, merge), (b, merge)]
    assert history.edges == ((a.hash, merge.hash), (b.hash, merge.hash))
    assert next(iter(history)) == merge
    assert merge.info.is_empty
    assert history == History(history.commits)
    assert repr(history) == "<History of 3 commits>"
    with pytest.raises(NotFound):
        history.pred(put(repo, "c"))


def test_windows_of_a_graph(repo: Repo[str, None]) -> None:
    """TC-060, CH-15, QK-04."""
    root = put(repo, "root")
    first = put(repo, "1", root)
    second = put(repo, "2", first)
    third = put(repo, "3", second)
    aside = put(repo, "x", first)
    store = repo.detached(third)
    assert len(store.history()) == 4
    window = store.history(min=[first])
    assert set(window) == {first, second, third}
    assert len(window.to_edges()) == 2
    assert store.history(depth=0).commits == (third,)
    assert store.history(depth=1).commits == (third, second)
    # What is asked for counts, head or not.
    assert set(store.history(max=[aside])) == {aside, first, root}
    assert set(store.history(max=[aside, second], min=[first])) == {aside, second, first}
    assert set(repo.empty().history(max=[aside], depth=1)) == {aside, first}
    assert len(store.history(max=[])) == 0
    with pytest.raises(DecodeError):
        store.history(depth=-1)


def test_common_ancestors_of_stores(repo: Repo[str, None]) -> None:
    """CH-14."""
    main = repo.main()
    main.set("a", "1")
    base = main.head()
    dev = main.clone("dev")
    dev.set("b", "2")
    main.set("c", "3")
    assert main.lcas(dev) == dev.lcas(main) == main.lcas_with_branch("dev") == [base]
    assert main.lcas_with_commit(base, max_depth=0) == [base]
    assert main.lcas(dev, max_depth=0, n=1) == [base]
    assert main.lcas(main, max_depth=0) == [main.head()]
    main.set("c", "4")
    with pytest.raises(MaxDepthReached):
        dev.lcas_with_branch("main", max_depth=0)
    with pytest.raises(TooManyLcas):
        dev.lcas(main, n=0)
    with pytest.raises(NotFound):
        main.lcas_with_branch("nope")
    with pytest.raises(NotFound):
        repo.empty().lcas(main)
    assert main.lcas_with_commit(put(repo, "other")) == []


def test_limits_of_a_fast_forward(repo: Repo[str, None]) -> None:
    """CH-08, CH-19."""
    main = repo.main()
    main.set("a", "1")
    dev = main.clone("dev")
    for i in range(3):
        main.set("a", str(i + 2))
    start, end = dev.head(), main.head()
    with pytest.raises(MaxDepthReached):
        dev.fast_forward(end, max_depth=1)
    with pytest.raises(TooManyLcas):
        dev.fast_forward(end, n=0)
    assert dev.head() == start
    dev.fast_forward(end, max_depth=2, n=1)
    assert dev.head() == end
    with pytest.raises(NoChange):
        dev.fast_forward(end, max_depth=-1)
    with pytest.raises(Rejected):
        dev.fast_forward(start)
    new = repo.branch("new")
    new.fast_forward(start, max_depth=0)
    assert new.head() == start


def test_limits_of_a_merge(repo: Repo[str, None]) -> None:
    """CH-11, QK-12: an error, unless asked to do without an ancestor."""
    main = repo.main()
    main.set("a", "1")
    dev = main.clone("dev")
    dev.set("b", "2")
    for i in range(3):
        main.set("c", str(i))
    before = dev.head(), main.head()
    ways: tuple[Callable[..., object], ...] = (
        lambda **how: dev.merge_with_branch("main", **how),
        lambda **how: main.merge_into(dev, **how),
        lambda **how: dev.merge_with_commit(main.head(), **how),
    )
    for merge in ways:
        with pytest.raises(MaxDepthReached):
            merge(max_depth=1)
        with pytest.raises(TooManyLcas):
            merge(n=0)
        with pytest.raises(DecodeError):
            merge(on_limit="hope")
    assert (dev.head(), main.head()) == before
    dev.set("a", "3")
    with pytest.raises(MergeConflict):
        dev.merge_with_branch("main", max_depth=1, on_limit="no-ancestor")
    kept = dev.merge_with_branch("main", max_depth=1, on_limit="no-ancestor", on_conflict="ours")
    assert kept is not None
    assert (dev.get("a"), dev.get("b"), dev.get("c")) == ("3", "2", "2")
    assert kept.parents == (kept.parents[0], before[1].hash)


def test_orders_of_the_log(repo: Repo[str, None]) -> None:
    """CH-15: topological, by date, first parents, by path."""
    root = put(repo, "root", date=0)
    old = put(repo, "old", root, date=1)
    lies = put(repo, "lies", root, date=9)
    later = put(repo, "later", lies, date=5)
    merge = put(repo, "merge", old, later, date=10)
    store = repo.detached(merge)
    assert list(store.log()) == [merge, later, lies, old, root]
    assert list(store.log(order="date")) == [merge, later, lies, old, root]
    assert list(store.log(first_parent=True)) == [merge, old, root]
    assert list(store.log(first_parent=True, order="date")) == [merge, old, root]
    assert list(store.log(2, skip=1)) == [later, lies]
    assert list(store.log(skip=9)) == list(store.log(0)) == []
    # A parent newer than its child comes as soon as it is in sight, not when all children have come.
    fork = put(repo, "fork", lies, merge, date=11)
    forked = repo.detached(fork)
    assert list(forked.log(order="date")) == [fork, merge, lies, later, old, root]
    assert list(forked.log(order="topological")) == [fork, merge, later, lies, old, root]
    assert list(store.log(path="lies")) == [lies]
    assert list(store.log(path="lies", first_parent=True)) == [merge]
    assert list(store.log(1, path="root", order="date")) == [root]
    assert list(store.log(path="root", skip=1)) == []
    for wrong in ({"order": "hope"}, {"skip": -1}, {"n": True}):
        with pytest.raises(DecodeError):
            store.log(**wrong)


def test_a_log_by_path_reads_each_commit_once(repo: Repo[str, None], monkeypatch: pytest.MonkeyPatch) -> None:
    commit = put(repo, "0")
    for i in range(1, 20):
        sides = [put(repo, f"{i}.{j}", commit) for j in range(3)]
        commit = put(repo, str(i), *sides)
    store = repo.detached(commit)
    reads: list[Hash] = []
    get = store._past()

    def parent(hash: Hash) -> irminpy.Commit[str]:
        reads.append(hash)
        return get(hash)

    monkeypatch.setattr(type(store), "_past", lambda _: parent)
    assert len(list(store.log(path="5"))) == 1
    assert len(reads) == len(set(reads)) == 77


# -- Irmin's own histories

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "irmin" / "diff-merge.json").read_text(encoding="utf-8")
)["cases"]
COMMITS = [case for case in VECTORS if case["type"] == "history_commit"]
MERGES = [case for case in VECTORS if case["type"] == "history_merge"]


def concrete(value: dict[str, Any]) -> dict[str, Any]:
    """Irmin's JSON of a tree, as nested dicts."""
    return {
        step: concrete(child) if "Tree" in child else child["Contents"][0] for step, child in value["Tree"]
    }


def plain(tree: Tree[str, None]) -> dict[str, Any]:
    return {step: child.get() if child.kind() == "contents" else plain(child) for step, child in tree.list()}


def grown(tree: Tree[str, None], value: dict[str, Any], at: str = "") -> Tree[str, None]:
    for step, child in value.items():
        path = f"{at}/{step}" if at else step
        tree = grown(tree, child, path) if isinstance(child, dict) else tree.add(path, child)
    return tree


def named(repo: Repo[str, None]) -> dict[str, irminpy.Commit[str]]:
    """Irmin's hash to our commit. The hashes differ, as the formats do; graphs, dates and trees are the same."""
    made: dict[str, irminpy.Commit[str]] = {}
    names: dict[str, str] = {}
    for case in COMMITS:
        tree = grown(repo.empty_tree(), concrete(case["concrete"]))
        info = Info(case["date"], case["author"], case["message"])
        made[case["hash"]] = repo.commit_tree(tree, parents=[made[p] for p in case["parents"]], info=info)
        names[case["name"]] = case["hash"]
    # One commit is named as a head only: the other side of the criss-cross, which adds x3.
    (cross,) = {case["from"] for case in MERGES} - made.keys()
    sides = [made[names["l1"]], made[names["r1"]]]
    tree = sides[0].tree().add("r", "1").add("x3", "1")
    made[cross] = repo.commit_tree(tree, parents=sides, info=Info(107, "t", "c7"))
    return made


@pytest.mark.parametrize("case", MERGES, ids=lambda case: case["name"])
def test_histories_of_irmin(case: dict[str, Any], repo: Repo[str, None]) -> None:
    """CH-11, CH-13, CH-14. One difference by decision: parents keep the order given, Irmin sorts them."""
    made = named(repo)
    into, theirs = made[case["into"]], made[case["from"]]
    store = repo.branch("into")
    store.set_head(into)
    expected = {made[hash_] for hash_ in case["lcas"]}
    assert set(store.lcas_with_commit(theirs)) == expected
    assert set(store.lcas_with_commit(theirs, max_depth=10)) == expected
    ok = case["result"]["ok"]
    store.merge_with_commit(theirs, info=Info(109, "t", ok["message"]))
    head = store.head()
    assert plain(head.tree()) == concrete(ok["concrete"])
    assert head.info.message == ok["message"]
    assert set(head.parents) == {made[hash_].hash for hash_ in ok["parents"]}
    if ok["head"] in made:
        assert head == made[ok["head"]]
    else:
        assert head.parents == (into.hash, theirs.hash)


def test_all_histories_of_irmin_are_run() -> None:
    assert len(COMMITS) == 6
    assert len(MERGES) == 6


def test_unrelated_histories_merge_without_an_ancestor(repo: Repo[str, None]) -> None:
    """CH-11: the unrelated commit among Irmin's."""
    made = named(repo)
    store = repo.branch("into")
    store.set_head(made[next(case["hash"] for case in COMMITS if case["name"] == "l2")])
    other = made[next(case["hash"] for case in COMMITS if case["name"] == "un")]
    assert store.lcas_with_commit(other) == []
    store.merge_with_commit(other)
    assert (store.get("u"), store.get("l")) == ("u", "2")
