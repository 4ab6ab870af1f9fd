"""Which commit each value comes from, against a search of the whole history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy
from irminpy import Commit, NotFound, Repo, Tree
from irminpy.blame import blame

PATHS = ("a", "b/c", "b/d", "e/f/g")


def values(tree: Tree[bytes, None]) -> dict[tuple[str, ...], bytes]:
    return tree.fold({}, contents=lambda path, value, acc: {**acc, path: value})


def explained(
    repo: Repo[bytes, None], commit: Commit[bytes, None], path: tuple[str, ...]
) -> Commit[bytes, None]:
    """The commit that bound `path` to what it is: the definition, read slowly."""
    value = commit.tree().find(path)
    for parent in map(repo.commit, commit.parents):
        if parent.tree().find(path) == value:
            return explained(repo, parent, path)
    return commit


STEP = st.tuples(
    st.sampled_from(["one", "two"]), st.sampled_from(PATHS), st.sampled_from([b"1", b"2", b"3", None])
)


@given(st.lists(st.one_of(STEP, st.just("merge")), min_size=1, max_size=12))
def test_blame_is_what_a_walk_from_parent_to_parent_finds(steps: list[object]) -> None:
    with irminpy.open("mem:", clock=iter(range(1000)).__next__) as repo:
        one = repo.branch("one")
        one.set("e/f/g", b"0")
        one.clone("two")
        for step in steps:
            if isinstance(step, str):
                one.merge_with_branch("two", on_conflict="theirs")
                one.clone("two")
            elif isinstance(step, tuple):
                branch, path, value = step
                if value is None:
                    repo.branch(branch).remove(path)
                else:
                    repo.branch(branch).set(path, value)
        found = dict(blame(one))
        head = one.head()
        assert found == {path: explained(repo, head, path) for path in values(head.tree())}
        if one.mem_tree("b"):
            assert dict(blame(one, "b")) == {path: by for path, by in found.items() if path[0] == "b"}


def test_blame_of_one_value_and_of_nothing() -> None:
    with irminpy.open("mem:") as repo:
        main = repo.main()
        with pytest.raises(NotFound):
            list(blame(main))
        main.set("a", b"1")
        commit = main.set("b", b"1")
        assert list(blame(main, "b")) == [(("b",), commit)]
        with pytest.raises(NotFound):
            list(blame(main, "c"))


def test_where_history_was_cut_off_the_oldest_commit_answers(tmp_path: object) -> None:
    with irminpy.open(f"pack:{tmp_path}/store") as repo:
        main = repo.main()
        for i in range(4):
            main.set("a" if i == 0 else "b", b"%d" % i)
        repo.gc(depth=1)
        oldest = [*main.log()][-1]
        assert dict(blame(main))["a",] == oldest


def test_a_walk_ends_where_nothing_is_left_to_explain() -> None:
    with irminpy.open("mem:") as repo:
        main = repo.main()
        for i in range(50):
            main.set("a", b"%d" % i)
        main.set_tree((), Tree.empty().add("a", b"new"))
        repo.counters.reset()
        assert len(list(blame(main))) == 1
        assert repo.counters.node_find < 20
