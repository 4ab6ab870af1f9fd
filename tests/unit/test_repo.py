"""Repositories: opening, closing, branches, revisions: RS-01 to RS-09, CH-17, WA-04."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

import irminpy
from irminpy import Hash, Info, KindedHash, KindedKey, NotFound, Repo, Schema, Tree
from irminpy.backend import Options, Reader, RefUpdate
from irminpy.contents import Json, String
from irminpy.diff import Added, Change, Removed
from irminpy.errors import Closed, DanglingHash, DecodeError, InvalidBranch, ReadOnly
from irminpy.objects import DIRECTORY, Kind, Node, Objects
from irminpy_mem import Memory


def test_the_sample_session() -> None:
    with Repo.open(Memory(), Schema(String())) as repo:
        main = repo.main()
        first = main.set("theme/name", "dark", message="pick a theme")
        assert first is not None
        assert first.parents == ()
        assert main.get("theme/name") == "dark"
        assert main.find("theme/font") is None
        with pytest.raises(KeyError):
            main.get("theme/font")
        with main.edit("font", message="fonts") as ed:
            ed["name"] = "serif"
        old = repo.at("main~1")
        assert "font" not in old
        assert old.get("theme/name") == "dark"
        assert main["font/name"] == "serif"


def test_closing() -> None:
    """RS-01: everything after close raises Closed."""
    repo = irminpy.open("mem:")
    main, detached = repo.main(), repo.empty()
    commit = main.set("a/b", b"1")
    assert commit is not None
    detached.set("a", b"1")
    tree = commit.tree()
    unread = commit.tree()
    assert tree.get("a/b") == b"1"
    repo.close()
    repo.close()
    assert repo.closed
    attempts: list[Callable[[], Any]] = [
        repo.main,
        repo.empty,
        repo.branches,
        repo.heads,
        repo.empty_tree,
        lambda: repo.home,
        lambda: repo.branch("x"),
        lambda: repo.at("main"),
        lambda: repo.detached(commit),
        lambda: repo.commit(commit.hash),
        lambda: repo.commit_tree(tree, info=Info()),
        lambda: repo.save_tree(tree),
        lambda: repo.save_contents(b"x"),
        lambda: repo.find_contents(Hash(bytes(32))),
        lambda: repo.find_key(tree),
        lambda: repo.remove_branch("main"),
        lambda: repo.watch_all(lambda name, change: None),
        main.tree,
        main.head,
        lambda: main.get("a/b"),
        lambda: main.set("a", b"2"),
        lambda: main.set_head(None),
        lambda: main.clone("other"),
        lambda: main.log(),
        lambda: main.watch(lambda change: None),
        detached.tree,
        lambda: detached.set("a", b"2"),
        lambda: detached.set_head(None),
        lambda: unread.get("a/b"),
        lambda: Tree.of_hash(repo, KindedHash("node", Hash(bytes(32)))),
    ]
    for attempt in attempts:
        with pytest.raises(Closed):
            attempt()
    assert "closed" in repr(repo)


def test_a_read_only_repository() -> None:
    with irminpy.open("mem:readonly") as repo, irminpy.open("mem:readonly", readonly=True) as reader:
        commit = repo.main().set("a", b"1")
        assert commit is not None
        main = reader.main()
        assert main.get("a") == b"1"
        for attempt in (
            lambda: main.set("a", b"2"),
            lambda: main.set_head(None),
            lambda: main.test_and_set_head(test=commit, set=None),
            lambda: reader.remove_branch("main"),
            lambda: reader.save_contents(b"x"),
            lambda: reader.commit_tree(reader.empty_tree(), info=Info()),
        ):
            with pytest.raises(ReadOnly):
                attempt()
        assert repo.main().head() == commit


def test_stores_of_every_kind() -> None:
    """RS-02 to RS-06."""
    with irminpy.open("mem:") as repo:
        main, empty = repo.main(), repo.empty()
        assert (main.name, str(main.status)) == ("main", "branch main")
        assert (empty.name, str(empty.status)) == (None, "empty")
        commit = main.set("a", b"1")
        assert commit is not None
        one, two = repo.detached(commit), repo.detached(commit)
        assert str(one.status) == f"commit {commit.hash}"
        made = one.set("a", b"2")
        assert made is not None
        assert made.parents == (commit.hash,)
        assert (one.get("a"), two.get("a"), main.get("a")) == (b"2", b"1", b"1")
        root = empty.set("x", b"1")
        assert root is not None
        assert root.parents == ()
        assert empty.head() == root
        assert repo.branches() == ["main"]
        for name in ("", "a..b", "x~1", "/"):
            with pytest.raises(InvalidBranch):
                repo.branch(name)


def test_branches_and_heads() -> None:
    """RS-08, RS-09, CH-17."""
    with irminpy.open("mem:") as repo:
        main = repo.main()
        assert (repo.branches(), repo.heads()) == ([], [])
        commit = main.set("a", b"1")
        dev = main.clone("dev")
        assert repo.branches() == ["dev", "main"]
        assert repo.heads() == [commit, commit]
        dev.set("a", b"2")
        assert main.get("a") == b"1"
        repo.empty().clone("dev")
        assert repo.branches() == ["main"]
        repo.remove_branch("main")
        repo.remove_branch("main")
        assert main.find_head() is None
        with pytest.raises(NotFound):
            main.head()
        with pytest.raises(InvalidBranch):
            repo.remove_branch("a b")


def test_a_branch_whose_commit_is_not_here_has_no_head_among_the_heads() -> None:
    """RS-08: it is listed, and whoever reads it is told."""
    with irminpy.open("mem:") as repo:
        commit = repo.main().set("a", b"1")
        repo._opened.backend.write(Objects(), [RefUpdate("lost", Hash(b"x" * 32))])
        assert repo.branches() == ["lost", "main"]
        assert repo.heads() == [commit]
        with pytest.raises(DanglingHash):
            repo.branch("lost").head()
        assert [problem.fault for problem in repo.check().problems] == ["dangling"]


def test_revisions() -> None:
    with irminpy.open("mem:", clock=lambda: 5.5) as repo:
        main = repo.main()
        for i in range(3):
            main.set("n", b"%d" % i)
        work = repo.at("main~2").clone("work")
        work.set("w", b"1")
        merge = main.merge_with_branch("work")
        assert merge is not None
        assert merge.info == Info(5, "irminpy", "")

        def n(revision: str) -> bytes:
            return repo.at(revision).get("n")

        assert [n("main"), n("main~"), n("main^"), n("main~1"), n("main~2"), n("main^0")] == [
            b"2",
            b"2",
            b"2",
            b"2",
            b"1",
            b"2",
        ]
        assert repo.at("main^2").head() == work.head()
        assert repo.at("main^2~1").head() == repo.at("main~3").head()
        assert n(merge.hash.hex()) == n(merge.hash.hex()[:7]) == n(merge.hash.hex()[:12].upper()) == b"2"
        assert n(merge.hash.hex()[:20] + "~2") == b"1"
        bad = ("nope", "main~9", "main^3", "", "~1", merge.hash.hex()[:6], "0" * 64, "main~x", "0000000")
        for revision in bad:
            with pytest.raises(NotFound):
                repo.at(revision)
        repo.branch(merge.hash.hex()[:8]).set_head(work.head())
        assert repo.at(merge.hash.hex()[:8]).head() == work.head()
        detached = repo.at("main")
        detached.set("n", b"detached")
        assert main.get("n") == b"2"


def test_a_place_is_a_revision_and_a_path() -> None:
    """REV:PATH gives contents or a subtree; the first colon ends the revision, a path may hold more."""
    with irminpy.open("mem:") as repo:
        main = repo.main()
        first = main.set("theme/name", b"dark")
        assert first is not None
        main.set("theme/name", b"light")
        main.set("a:b/c:d", b"colons")
        work = main.clone("feature/x")
        assert repo.get("main:theme/name") == repo.get("main:/theme//name/") == b"light"
        assert repo.get("main~2:theme/name") == repo.get(f"{first.short()}:theme/name") == b"dark"
        assert repo.get("main:a:b/c:d") == repo.get("feature/x:a:b/c:d") == b"colons"
        assert repo.get_tree("main~:theme") == repo.at("main~").get_tree("theme")
        assert repo.get_tree("main:theme/name").kind() == "contents"
        assert repo.get_tree("main:") == repo.get_tree("main") == work.tree()
        for place in ("nope:theme", "main~9:theme", ":theme/name", "main:nope", "main:theme/name/x"):
            with pytest.raises(NotFound):
                repo.get(place)
            with pytest.raises(NotFound):
                repo.get_tree(place)
        for directory in ("main:theme", "main:", "main"):
            with pytest.raises(NotFound):
                repo.get(directory)
        with pytest.raises(DecodeError, match=r"Repo\.get_tree"):
            repo.at("main:theme/name")
        for no_text in (5, None, b"main:a"):
            with pytest.raises(TypeError):
                repo.get(no_text)  # type: ignore[arg-type]
    with pytest.raises(Closed):
        repo.get("main:theme/name")


def test_the_author_and_the_clock_of_a_repository() -> None:
    with irminpy.open("mem:", author="ada", clock=lambda: 41.9) as repo:
        commit = repo.main().set("a", b"1", message="why")
        assert commit is not None
        assert commit.info == Info(41, "ada", "why")


def test_all_branches_can_be_watched_from_another_handle() -> None:
    """WA-04, WA-07."""
    told: list[tuple[str, Change[irminpy.Commit[bytes]]]] = []
    done = threading.Event()

    def callback(name: str, change: Change[irminpy.Commit[bytes]]) -> None:
        told.append((name, change))
        if isinstance(change, Removed):
            done.set()

    with irminpy.open("mem:watched-all") as writer, irminpy.open("mem:watched-all") as reader:
        reader.watch_all(callback)
        commit = writer.branch("x").set("a", b"1")
        assert commit is not None
        writer.remove_branch("x")
        assert done.wait(60)
        assert told == [("x", Added(commit)), ("x", Removed(commit))]
        assert reader.watches.stats().threads == 1
    assert reader.watches.stats() == (0, 0, 0)


def test_contents_may_be_none() -> None:
    with Repo.open(Memory(), Schema(Json())) as repo:
        main = repo.main()
        main.set("a", None)
        assert main.get("a") is None
        assert main.find("b") is None
        assert main.mem("a")
        assert not main.mem("b")


def test_a_store_holds_no_threads_until_it_is_watched() -> None:
    before = threading.active_count()
    with irminpy.open("mem:") as repo:
        repo.main().set("a", b"1")
        assert threading.active_count() == before


def test_the_default_author_names_no_host_and_no_process() -> None:
    """TY-15, decision 12: what nobody meant to tell is not told."""
    with irminpy.open("mem:") as repo:
        commit = repo.main().set("a", b"1")
        assert commit is not None
        assert commit.info.author == "irminpy"
        assert commit.info.message == ""
        told = str(commit.info.to_json())
        assert socket.gethostname() not in told
        assert str(os.getpid()) not in commit.info.author


def test_the_clock_and_the_author_are_given_to_the_repository() -> None:
    """TY-15: dates are whole seconds, and read when a commit is made."""
    times = iter([1.999, 2.0, 1e9 + 0.5])
    with Repo.open(Memory(), author="ada", clock=lambda: next(times)) as repo:
        main = repo.main()
        for n in range(3):
            main.set("n", b"%d" % n)
        infos = [commit.info for commit in main.log()]
    assert [info.date for info in infos] == [1_000_000_000, 2, 1]
    assert {info.author for info in infos} == {"ada"}
    assert all(type(info.date) is int for info in infos)


def test_the_same_commit_at_the_same_second_has_the_same_hash_anywhere() -> None:
    """TY-15."""
    hashes: set[Hash] = set()
    for _ in range(2):
        with Repo.open(Memory(), clock=lambda: 12.3) as repo:
            commit = repo.main().set("a", b"1", message="m")
            assert commit is not None
            hashes.add(commit.hash)
    assert len(hashes) == 1


def test_keys_that_are_hashes_lead_where_the_hashes_lead() -> None:
    """TY-26."""
    with irminpy.open("mem:") as repo:
        tree = repo.empty_tree().add("d/x", b"1")
        for part in (tree, tree.get_tree("d"), tree.get_tree("d/x")):
            assert part.key() is None
            key = repo.save_tree(part, clear=False)
            assert key.key == part.hash()
            assert key.kinded_hash == part.kinded_hash()
            by_key, by_hash = Tree.of_key(repo, key), Tree.of_hash(repo, key.kinded_hash)
            assert by_key is not None
            assert by_key == by_hash == part
            assert by_key.key() == repo.find_key(part) == key
        absent = Tree.empty().add("never", b"saved")
        assert Tree.of_hash(repo, absent.kinded_hash()) is None
        assert Tree.of_key(repo, KindedKey("node", absent.hash())) is None
        assert repo.find_key(absent) is None


def test_the_backend_form_of_a_tree_is_its_objects() -> None:
    """TI-09, decision 14: from a tree to canonical bytes and back, and a commit too."""
    maker = Memory("backend forms")
    with Repo.open(maker) as repo:
        codec = repo.schema.codec
        tree = repo.empty_tree().add("a", b"1").add("d/x", b"2")
        assert tree.key() is None  # an unsaved tree has no such form
        key = repo.save_tree(tree)
        backend, _ = maker.open(None, Options(readonly=True))
        data = backend.read(Kind.NODE, key.key)
        assert data is not None
        node = codec.decode_node(data)
        assert isinstance(node, Node)
        assert list(node.index) == ["a", "d"]
        assert node.entry("d") == bytes([DIRECTORY]) + tree.get_tree("d").hash()
        assert Tree.of_key(repo, KindedKey("node", Hash(codec.digest(data)))) == tree

        commit = repo.commit_tree(tree, info=Info(1, "a", "m"))
        written = backend.read(Kind.COMMIT, commit.hash)
        assert written is not None
        value = codec.decode_commit(written)
        assert (value.node, value.parents, value.info) == (tree.hash(), (), Info(1, "a", "m"))
        assert codec.encode_commit(value) == written


def test_a_tree_has_nothing_to_write_with() -> None:
    """TY-23, decision 6: reading is a type of its own; that a store is read-only is found when it is asked."""
    assert not {"write", "close", "watch"} & set(dir(Reader))
    with irminpy.open("mem:who may write") as writer:
        writer.main().set("a", b"1")
        with irminpy.open("mem:who may write", readonly=True) as reader:
            main = reader.main()
            assert main.get("a") == b"1"
            edited = main.tree().add("b", b"2")  # in memory everyone may
            attempts: list[Callable[[], Any]] = [
                lambda: main.set("b", b"2"),
                lambda: reader.save_tree(edited),
                lambda: reader.remove_branch("main"),
            ]
            for attempt in attempts:
                with pytest.raises(ReadOnly):
                    attempt()
        assert writer.main().find("b") is None
