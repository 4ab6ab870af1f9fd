"""What is given to a store and is of another type: TypeError, saying what is expected, and nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import irminpy
from irminpy import Hash, NotFound, Repo, Store

CALLS: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "detached of a name": (lambda repo, main: repo.detached("main"), "Repo.at"),
    "a commit by its name": (lambda repo, main: repo.commit("main"), "a hash is bytes, not str"),
    "closure of names": (lambda repo, main: repo.closure(["main"]), "a Commit is expected, not str"),
    "closure of one name": (lambda repo, main: repo.closure("main"), "several commits"),
    "export of names": (lambda repo, main: repo.export(max=["main"]), "a Commit is expected, not str"),
    "import of bytes": (lambda repo, main: repo.import_(b"x"), "Slice.from_bytes"),
    "a head that is a name": (lambda repo, main: main.set_head("work"), "a Commit is expected, not str"),
    "a head that is a hash": (lambda repo, main: main.set_head(main.head().hash), "Repo.commit"),
    "a test that is a name": (lambda repo, main: main.test_and_set_head(test="x", set=None), "a Commit"),
    "a fast-forward to a name": (lambda repo, main: main.fast_forward("work"), "a Commit is expected"),
    "a merge with a hash": (lambda repo, main: main.merge_with_commit(main.head().hash), "Repo.commit"),
    "a merge into a name": (lambda repo, main: main.merge_into("work"), "Repo.branch"),
    "a merge with a store": (lambda repo, main: main.merge_with_branch(main), "name of a branch"),
    "lcas with a name": (lambda repo, main: main.lcas("work"), "lcas_with_branch"),
    "lcas with a hash": (lambda repo, main: main.lcas_with_commit(main.head().hash), "a Commit is expected"),
    "a history of names": (lambda repo, main: main.history(max=["main"]), "a Commit is expected, not str"),
    "parents that are names": (
        lambda repo, main: main.set("a", b"2", parents=["main"]),
        "a Commit is expected",
    ),
    "parents that are one": (lambda repo, main: main.set("a", b"2", parents="main"), "several commits"),
    "a tree that is bytes": (lambda repo, main: main.set_tree("a", b"x"), "a Tree is expected, not bytes"),
    "a function of no tree": (
        lambda repo, main: main.with_tree("a", lambda t: 3),
        "a Tree is expected, not int",
    ),
    "info that is text": (lambda repo, main: main.set("a", b"2", info="me"), "use message="),
    "retries that are text": (lambda repo, main: main.set("a", b"2", retries="2"), "retries are"),
    "on_conflict that is a number": (
        lambda repo, main: main.merge_tree("a", repo.empty_tree(), old=None, on_conflict=3),
        "on_conflict is text or a function",
    ),
    "a watcher that is a number": (lambda repo, main: main.watch(3), "a watcher is a function"),
    "a watcher of a path": (lambda repo, main: main.watch_key("a", 3), "a watcher is a function"),
    "a watcher of all": (lambda repo, main: repo.watch_all(3), "a watcher is a function"),
    "init that is a hash": (lambda repo, main: main.watch(print, init=main.head().hash), "a Commit"),
    "init of a path": (lambda repo, main: main.watch_key("a", print, init="main"), "a Commit"),
    "init of all": (lambda repo, main: repo.watch_all(print, init={"main": "x"}), "a Commit"),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_value_of_another_type_is_a_type_error(what: str) -> None:
    call, expected = CALLS[what]
    with irminpy.open("mem:") as repo:
        main = repo.main()
        main.set("a", b"1")
        head = main.head()
        with pytest.raises(TypeError, match=expected):
            call(repo, main)
        assert (main.head(), repo.branches(), repo.watches.stats().threads) == (head, ["main"], 0)


def test_a_hash_stands_for_a_commit_where_there_are_several() -> None:
    with irminpy.open("mem:") as repo:
        main: Store[bytes] = repo.main()
        main.set("a", b"1")
        main.set("a", b"2")
        two = main.head()
        (one,) = two.parents
        assert repo.closure([two.hash]) == repo.closure([two])
        assert main.history(max=[one]).heads == (repo.commit(one),)
        assert len(main.history(min=[two.hash])) == 1


def test_what_is_not_found_is_told_as_it_was_given() -> None:
    """Also where it is nothing at all, or digits that are too few."""
    repo: Repo[bytes] = irminpy.open("mem:")
    commit = repo.main().set("a", b"1")
    assert commit is not None
    with pytest.raises(NotFound, match="revision not found: ''"):
        repo.at("")
    with pytest.raises(NotFound, match="a hash takes 7 digits or more"):
        repo.at(commit.short(6))
    assert repo.at(commit.short(7)).head() == commit
    with pytest.raises(NotFound, match=r"path not found: \(root\)"):
        repo.main().get("")
    with pytest.raises(NotFound, match="commit not found: 7878"):
        repo.commit(Hash(b"x" * 32))
    repo.close()
