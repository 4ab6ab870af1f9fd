"""Walks and common ancestors against their definitions, on random graphs: CH-14, CH-15."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irminpy.hash import Hash
from irminpy.history import Graph, lcas, walk
from irminpy.info import Info
from irminpy.objects import Commit


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
