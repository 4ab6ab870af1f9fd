"""The graph of all objects: GR-01 to GR-08, with the graphs of TC-067 to TC-070."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

import irminpy
from irminpy import DanglingHash, Hash, Info, Repo, Schema
from irminpy.formats import Native
from irminpy.graph import Branch, Commit, Contents, Element, Node
from irminpy_mem import Memory


def named(name: str) -> Node:
    return Node(Hash(name.encode() * 32))


def graph_of(
    edges: dict[str, str],
) -> tuple[Callable[[Hash], list[Element]], Callable[[Iterable[str]], list[Element]]]:
    """A made-up relation of nodes named by letters, and the elements of some letters."""
    below: dict[Hash, list[Element]] = {
        named(name).hash: [named(other) for other in others] for name, others in edges.items()
    }
    return (lambda hash_: below.get(hash_, [])), (lambda names: [named(name) for name in names])


def walk(edges: dict[str, str], max: str, min: str = "", skip: str = "", **options: Any) -> str:
    pred, elements = graph_of(edges)
    seen: list[str] = []
    skipped = set(elements(skip))
    with irminpy.open("mem:") as repo:
        repo.iter(
            elements(max),
            min=elements(min),
            pred_node=pred,
            node=lambda hash_: seen.append(chr(hash_[0])),
            skip_node=lambda hash_: Node(hash_) in skipped,
            **options,
        )
    return "".join(seen)


# a <- b, c <- d <- e <- f, and b <- e
DIAMOND = {"f": "e", "e": "db", "d": "bc", "c": "a", "b": "a", "a": ""}


def test_the_order_of_a_walk() -> None:
    """GR-01, TC-067: the oldest first, or the newest; each once, shared or not."""
    assert walk({"b": "a"}, "b") == "ab"
    assert walk({"b": "a"}, "b", rev=False) == "ba"
    for rev in (True, False):
        seen = walk(DIAMOND, "f", rev=rev)
        assert sorted(seen) == list("abcdef")
    seen = walk(DIAMOND, "f")
    assert all(seen.index(below) < seen.index(name) for name, all_ in DIAMOND.items() for below in all_)
    assert walk(DIAMOND, "f", rev=False)[:2] == "fe"


def test_skips() -> None:
    """GR-03, TC-068, TC-070: skipped ones are neither visited nor followed."""
    assert walk({"c": "b", "b": "a"}, "c", skip="b") == "c"
    assert sorted(walk(DIAMOND, "f", skip="d")) == list("abef")
    assert sorted(walk(DIAMOND, "f", skip="db")) == list("ef")
    assert walk(DIAMOND, "f", skip="f") == ""


def test_bounds() -> None:
    """GR-02, TC-069: max and min are visited, nothing below min, nothing unrelated."""
    assert walk({"c": "b", "b": "a", "x": "a"}, "c", min="b") == "bc"
    assert walk({"c": "b", "b": "a"}, "b", min="b") == "b"
    assert sorted(walk(DIAMOND, "f", min="bd")) == list("bdef")
    assert sorted(walk(DIAMOND, "d", min="b")) == list("abcd")
    assert walk(DIAMOND, "") == ""


@pytest.mark.parametrize("rev", [True, False])
def test_edges_come_after_their_node_and_lead_to_skipped_ones_too(rev: bool) -> None:
    """GR-03, GR-04."""
    pred, elements = graph_of({"c": "b", "b": "a"})
    said: list[str] = []

    def edge(x: Element, y: Element) -> None:
        assert isinstance(x, Node)
        assert isinstance(y, Node)
        said.append(chr(x.hash[0]) + chr(y.hash[0]))

    with irminpy.open("mem:") as repo:
        repo.iter(
            elements("c"),
            pred_node=pred,
            rev=rev,
            skip_node=lambda hash_: hash_[:1] == b"a",
            node=lambda hash_: said.append(chr(hash_[0])),
            edge=edge,
        )
    assert said == (["b", "ba", "c", "cb"] if rev else ["c", "cb", "b", "ba"])


def test_a_bounded_cache_may_visit_twice_and_visits_all() -> None:
    """GR-01."""
    assert set(walk(DIAMOND, "f", cache_size=1)) == set("abcdef")
    assert len(walk(DIAMOND, "f", cache_size=100)) == 6


def test_a_long_chain_needs_no_recursion() -> None:
    seen: list[Hash] = []

    def pred(hash_: Hash) -> list[Element]:
        n = int(hash_.hex(), 16)
        return [Node(Hash((n - 1).to_bytes(32, "big")))] if n else []

    top = Node(Hash((20_000).to_bytes(32, "big")))
    with irminpy.open("mem:") as repo:
        repo.iter([top], pred_node=pred, node=seen.append)
    assert seen == sorted(seen)
    assert len(seen) == 20_001


@pytest.fixture
def repo() -> Repo[bytes, None]:
    """Three commits on main, one more on dev; a directory of many entries with inner nodes."""
    repo = Repo.open(Memory(), Schema(format=Native(2, 2)), clock=lambda: 0)
    main = repo.main()
    for i in range(3):
        with main.edit("d", message=str(i)) as ed:
            for j in range(5):
                ed[f"{i}{j}"] = b"v%d" % j
    main.clone("dev").set("dev", b"dev", message="dev")
    return repo


def seen_of(repo: Repo[bytes, None], max: Iterable[Element] | None = None, **options: Any) -> list[Element]:
    seen: list[Element] = []
    repo.iter(
        max,
        branch=lambda name: seen.append(Branch(name)),
        commit=lambda hash_: seen.append(Commit(hash_)),
        node=lambda hash_: seen.append(Node(hash_)),
        contents=lambda hash_: seen.append(Contents(hash_)),
        **options,
    )
    return seen


def test_a_walk_over_a_repository(repo: Repo[bytes, None]) -> None:
    """GR-01, GR-02: all objects, each after what it leads to; the defaults are all heads and no bound."""
    seen = seen_of(repo)
    assert len(seen) == len(set(seen))
    report = repo.check()
    assert [sum(type(x) is kind for x in seen) for kind in (Commit, Node, Contents)] == [
        report.commits,
        report.nodes,
        report.contents,
    ]
    place = {element: i for i, element in enumerate(seen)}
    edges: list[tuple[Element, Element]] = []
    repo.iter(edge=lambda x, y: edges.append((x, y)))
    assert all(place[y] < place[x] for x, y in edges)
    assert set(seen_of(repo, [Branch("main"), Branch("dev")])) == set(seen) | {Branch("main"), Branch("dev")}
    assert seen_of(repo, [Branch("none")]) == [Branch("none")]
    assert set(seen_of(repo, rev=False)) == set(seen)


def test_a_commit_as_bound_hides_its_parents_and_not_its_tree(repo: Repo[bytes, None]) -> None:
    """GR-02: and a branch as bound stands for its commit too."""
    head, dev = repo.main().head(), repo.branch("dev").head()
    seen = seen_of(repo, [Commit(dev.hash)], min=[Commit(head.hash)])
    assert [x for x in seen if type(x) is Commit] == [Commit(head.hash), Commit(dev.hash)]
    assert Node(head.tree_hash) in seen
    assert set(seen_of(repo, [Branch("dev")], min=[Branch("main")])) == {*seen, Branch("dev")}
    assert seen_of(repo, [Node(head.tree_hash)], min=[Node(head.tree_hash)]) == [Node(head.tree_hash)]


def test_skips_by_kind_and_own_relations(repo: Repo[bytes, None]) -> None:
    """GR-03, GR-05: and an object that is not here leads nowhere."""
    commits = [x for x in seen_of(repo) if type(x) is Commit]
    assert seen_of(repo, skip_node=lambda _: True) == commits
    assert seen_of(repo, skip_commit=lambda _: True) == []
    assert not any(type(x) is Contents for x in seen_of(repo, skip_contents=lambda _: True))
    assert seen_of(repo, [Branch("main")], skip_branch=lambda name: name == "main") == []
    assert len(seen_of(repo, pred_commit=lambda _: [])) == 2
    nowhere = Commit(Hash(b"x" * 32))
    assert seen_of(repo, [nowhere, Node(nowhere.hash)]) == [nowhere, Node(nowhere.hash)]


def test_breadth_first(repo: Repo[bytes, None]) -> None:
    """GR-06: the nearest first, each once."""
    pred, elements = graph_of(DIAMOND)
    seen: list[str] = []
    repo.breadth_first(elements("f"), pred_node=pred, node=lambda hash_: seen.append(chr(hash_[0])))
    assert "".join(seen) == "fedbca"
    found: list[Hash] = []
    repo.breadth_first(commit=found.append, node=found.append, contents=found.append)
    assert len(found) == len(set(found)) == len(seen_of(repo))


def test_the_closure_of_commits(repo: Repo[bytes, None]) -> None:
    """GR-07, TC-070."""
    main = repo.main()
    three = list(reversed([commit.hash for commit in main.log()]))
    a, b, c = (repo.commit(hash_) for hash_ in three)
    assert [x.hash for x in repo.closure([c])] == three
    assert repo.closure([c], [b]) == [b, c]
    assert repo.closure([c, a], [b]) == repo.closure([a, c], [b])
    assert set(repo.closure([c, a], [b])) == {a, b, c}
    assert repo.closure([b], [c]) == [a, b]
    assert repo.closure([b.hash], [b]) == [b]
    assert repo.closure([]) == []
    other = repo.commit_tree(repo.empty_tree(), info=Info(0))
    assert set(repo.closure([other, b], [a])) == {a, b, other}
    assert len(repo.closure()) == 4
    with pytest.raises(DanglingHash):
        repo.closure([Hash(b"x" * 32)])
