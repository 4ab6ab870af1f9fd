"""`SyncSuite`: what fetch, pull and push owe between two backends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from .. import sync
from ..backend import Maker
from ..errors import (
    DanglingHash,
    DecodeError,
    MergeConflict,
    NotFound,
    Rejected,
)
from ..formats import Native
from ..graph import Branch, Commit, Contents, Node, successors
from ..hash import Hash
from ..objects import Kind
from ..remote import Local
from ..repo import Repo
from ..schema import Schema
from .faulty import Fault, Faulty
from .store_fixtures import Repos, StoreFixtures, Stores, made

__all__ = ["SyncSuite"]

TINY = sync.Bounds(ask=4, write=6, size=300)
"""So that a small store needs many answers and many batches."""


KINDS = {Commit: Kind.COMMIT, Node: Kind.NODE, Contents: Kind.CONTENTS}


def fill(store: Stores, tag: str, n: int = 12, *, at: str | None = None) -> None:
    """Commit a directory of `n` new values beside a nested one, at `at` or at `tag`."""
    at = tag if at is None else at
    with store.edit(message=tag) as ed:
        for i in range(n):
            ed[f"{at}/{i}"] = f"{tag} {i}".encode()
        ed[f"{at}/a/b/c"] = b"deep " + tag.encode()


def messages(store: Stores, **how: Any) -> list[str]:
    return [commit.info.message for commit in store.log(**how)]


class SyncSuite(StoreFixtures):
    """Two repositories, the second of another maker. A subclass overrides `maker` and `other_maker`."""

    @pytest.fixture
    def other_maker(self) -> Maker:
        """A maker for the other store, which does not exist yet: override this."""
        raise NotImplementedError("a subclass of SyncSuite overrides the fixture `other_maker`")

    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        """A small fan-out, so that a dozen entries make inner nodes."""
        return Schema(format=Native(fanout=4, leaf=4))

    @pytest.fixture
    def faulty(self, other_maker: Maker) -> Faulty:
        """The maker of the other store, which can be made to fail."""
        return Faulty(other_maker)

    @pytest.fixture
    def other(self, faulty: Faulty, schema: Schema[bytes, Any]) -> Iterator[Repos]:
        """The other repository."""
        ticks = count(1000)
        with Repo.open(faulty, schema, author="other", clock=lambda: next(ticks)) as repo:
            yield repo
            faulty.reset()

    # -- fetch -----------------------------------------------------------------------------------------------

    def test_a_fetch_brings_a_branch_and_moves_none(self, main: Stores, other: Repos) -> None:
        """GR-12, GR-16: all of its history; a second fetch brings nothing."""
        for tag in ("one", "two", "three"):
            fill(main, tag)
        got = sync.fetch(other.main(), main)
        assert got.head == main.head()
        assert other.branches() == []
        assert (got.sent.commits, got.sent.contents) == (3, 39)
        copied = other.detached(made(got.head))
        assert copied.tree() == main.tree()
        assert messages(copied) == ["three", "two", "one"]
        assert other.check(roots=[main.head().hash]).ok
        again = sync.fetch(other.main(), main)
        assert (again.head, again.sent.objects) == (main.head(), 0)

    def test_which_branch_is_fetched(self, repo: Repos, main: Stores, other: Repos) -> None:
        """GR-12: the named one, that of the remote, that of the store; an own head of a detached remote."""
        fill(main, "one")
        dev = main.clone("dev")
        fill(dev, "two")
        for store, remote, branch, head in (
            (other.main(), repo, None, main.head()),
            (other.branch("dev"), repo, None, dev.head()),
            (other.main(), dev, None, dev.head()),
            (other.main(), repo, "dev", dev.head()),
            (other.empty(), repo, "dev", dev.head()),
            (other.empty(), repo.detached(main.head()), None, main.head()),
            (other.branch("nope"), repo, None, None),
            (other.main(), repo.empty(), None, None),
        ):
            assert sync.fetch(store, remote, branch=branch).head == head
        with pytest.raises(NotFound):
            sync.fetch(other.empty(), repo)
        assert other.branches() == []

    def test_all_branches_are_fetched_at_once(self, repo: Repos, main: Stores, other: Repos) -> None:
        """No branch moves but those behind the prefix, if there is one."""
        fill(main, "one")
        fill(main.clone("dev"), "two")
        fill(other.main(), "own")
        own = other.main().head()
        got = sync.fetch_all(other, repo)
        assert {name: commit.hash for name, commit in got.heads.items()} == repo._opened.backend.refs()
        assert other.branches() == ["main"]
        sync.fetch_all(other, repo, prefix="origin/")
        assert other.branches() == ["main", "origin/dev", "origin/main"]
        assert other.main().head() == own
        assert other.branch("origin/dev").tree() == repo.branch("dev").tree()
        sync.fetch_all(other, repo, prefix="")
        assert other.main().head() == main.head()
        assert other.check().ok

    def test_only_what_is_missing_travels(self, main: Stores, other: Repos) -> None:
        """One changed value: its path, and the commit."""
        with main.edit() as ed:
            for i in range(400):
                ed[f"a/b/{i}"] = b"%d" % i
        assert sync.push(main, other).sent.contents == 400
        main.set("a/b/7", b"new")
        sent = sync.push(main, other).sent
        assert (sent.commits, sent.contents) == (1, 1)
        assert sent.nodes <= 10
        main.set("a/c", b"7")  # these bytes are there already
        assert sync.push(main, other).sent.contents == 0
        main.set("other", b"x")
        main.remove("other")  # the tree is there already
        assert sync.push(main, other).sent.nodes == 1
        assert other.main().tree() == main.tree()
        assert other.check().ok

    # -- a part of the tree ----------------------------------------------------------------------------------

    def test_a_part_of_the_tree_comes_without_the_rest(self, repo: Repos, main: Stores, other: Repos) -> None:
        """US-05: what is at some paths, whole and with the hashes that it has there; and later what has changed."""
        fill(main, "docs", at="docs/en")
        fill(main, "code", 40, at="code")
        main.set("README", b"read me")
        theirs = other.main()
        got = sync.fetch_part(theirs, repo, ["docs", "README", "nowhere"])
        assert got.head == main.head().hash
        assert (got.sent.commits, got.sent.contents) == (0, 14)
        assert other.branches() == []
        assert sorted(step for step, _ in got.tree.list()) == ["README", "docs"]
        commit = made(theirs.set_tree((), got.tree, message="a part"))
        assert theirs.hash("docs") == main.hash("docs")
        assert (theirs.get("docs/en/a/b/c"), theirs.get("README")) == (b"deep docs", b"read me")
        assert other.check().ok
        assert sync.fetch(repo.empty(), theirs).head == commit, "it is a commit like any other"

        main.set("docs/en/3", b"new")
        again = sync.fetch_part(theirs, main, ["docs"])
        assert again.sent.contents == 1
        assert again.sent.nodes <= 6
        theirs.set("docs/fr", b"own")
        theirs.merge_tree("docs", again.tree.get_tree("docs"), old=commit.tree().get_tree("docs"))
        assert (theirs.get("docs/en/3"), theirs.get("docs/fr")) == (b"new", b"own")
        assert other.check().ok

    def test_a_part_that_is_here_does_not_stand_for_the_whole(
        self, repo: Repos, main: Stores, other: Repos
    ) -> None:
        """US-05: all of the commit comes when it is fetched, and only what lacks."""
        fill(main, "docs")
        fill(main, "code")
        sync.fetch_part(other.main(), main, ["docs"])
        assert other.find_commit(main.head().hash) is None
        got = sync.pull(other.main(), main, "set")
        assert got == main.head()
        assert other.main().tree() == main.tree()
        assert other.check().ok

    # -- pull ------------------------------------------------------------------------------------------------

    def test_a_pull_sets_or_merges(self, repo: Repos, main: Stores, other: Repos) -> None:
        """GR-13: the new head, or None where nothing changed."""
        theirs = other.main()
        assert sync.pull(theirs, repo) is None
        fill(main, "one")
        assert sync.pull(theirs, repo, "set") == main.head()
        assert sync.pull(theirs, repo, "set") is None
        fill(main, "two")
        assert sync.pull(theirs, repo) == main.head()
        fill(main, "three")
        fill(theirs, "own")
        before = theirs.head()
        merge = made(sync.pull(theirs, repo, message="merge", author="bob"))
        assert merge.parents == (before.hash, main.head().hash)
        assert (merge.info.message, merge.info.author) == ("merge", "bob")
        assert [step for step, _ in theirs.list(sorted=True)] == ["one", "own", "three", "two"]
        assert sync.pull(theirs, repo) is None
        assert sync.pull(theirs, repo, "set") == main.head()
        assert theirs.head() == main.head()

    def test_a_pull_that_conflicts_changes_nothing(self, repo: Repos, main: Stores, other: Repos) -> None:
        """GR-13: unless the conflict is settled."""
        main.set("a", b"0")
        theirs = other.main()
        sync.pull(theirs, repo, "set")
        main.set("a", b"1")
        own = made(theirs.set("a", b"2"))
        with pytest.raises(MergeConflict) as caught:
            sync.pull(theirs, repo)
        assert caught.value.path == ("a",)
        assert theirs.head() == own
        sync.pull(theirs, repo, on_conflict=lambda c: bytes(c.ours + c.theirs))
        assert theirs.get("a") == b"21"

    def test_keywords_of_a_pull_are_checked_first(self, repo: Repos, main: Stores, other: Repos) -> None:
        """Before anything travels."""
        main.set("a", b"0")
        with pytest.raises(DecodeError):
            sync.pull(other.main(), repo, "rebase")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            sync.pull(other.main(), repo, "set", message="why")
        with pytest.raises(TypeError):
            sync.fetch(other.main(), 5)  # type: ignore[arg-type]
        for depth in (-1, True, "1"):
            with pytest.raises(DecodeError):
                sync.fetch(other.main(), repo, depth=depth)  # type: ignore[arg-type]
        assert other.find_commit(main.head().hash) is None

    # -- push ------------------------------------------------------------------------------------------------

    def test_a_push_moves_the_branch_of_the_remote(self, repo: Repos, main: Stores, other: Repos) -> None:
        """GR-14: made where there is none; a report of what was done."""
        nothing = sync.push(main, other)
        assert (nothing.head, nothing.before, nothing.sent.objects) == (None, None, 0)
        fill(main, "one")
        first = main.head()
        pushed = sync.push(main, other)
        assert (pushed.branch, pushed.before, pushed.head) == ("main", None, first)
        assert pushed.sent.contents == 13
        fill(main, "two")
        assert sync.push(main, other).before == first.hash
        assert other.main().head() == main.head()
        assert sync.push(main, other).sent.objects == 0
        sync.push(main, other.branch("backup"))
        sync.push(main, other, branch="again")
        assert other.branches() == ["again", "backup", "main"]
        for detached in (repo.detached(first), main):
            with pytest.raises(NotFound):
                sync.push(detached, other.empty() if detached is main else other)
        sync.push(repo.detached(first), other, branch="old")
        assert other.branch("old").head() == first
        assert other.check().ok

    def test_a_push_that_is_not_a_fast_forward_is_refused(self, main: Stores, other: Repos) -> None:
        """GR-14, US-03, QK-10: nothing moves, whether their commits are known here or not; force moves it."""
        fill(main, "base")
        sync.push(main, other)
        theirs = other.main()
        fill(theirs, "theirs")
        fill(main, "ours")
        for fetched in (False, True):
            if fetched:
                sync.fetch(main, other)
            with pytest.raises(Rejected):
                sync.push(main, other)
            assert messages(theirs) == ["theirs", "base"]
        sync.pull(main, other, message="merge")
        sync.push(main, other)
        assert theirs.head() == main.head()
        main.set_head(next(main.log(skip=1)))
        with pytest.raises(Rejected):
            sync.push(main, other)
        forced = sync.push(main, other, force=True)
        assert theirs.head() == forced.head == main.head()

    def test_a_push_that_loses_a_race_is_refused(
        self, main: Stores, other: Repos, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """GR-14: somebody moves the branch of the remote while objects travel."""
        fill(main, "one")
        sync.push(main, other)
        fill(main, "two")
        receive = Local.receive

        def raced(self: Local, *args: Any, **how: Any) -> bool:
            if args[1:] and args[1]:
                other.main().set("quick", b"er")
            return receive(self, *args, **how)

        monkeypatch.setattr(Local, "receive", raced)
        with pytest.raises(Rejected):
            sync.push(main, other, bounds=TINY)
        assert other.main().get("quick") == b"er"
        assert "two" not in other.main()

    # -- a part of the history -------------------------------------------------------------------------------

    def test_a_depth_cuts_the_history_off(self, repo: Repos, main: Stores, other: Repos) -> None:
        """GR-12: trees are whole; whoever needs what lies behind is told so, or says that it need not be there."""
        for i in range(6):
            fill(main, str(i), 2)
        theirs = other.main()
        got = sync.pull(theirs, repo, "set", depth=2)
        assert theirs.tree() == main.tree()
        assert made(got).hash == main.head().hash
        with pytest.raises(DanglingHash):
            list(theirs.log())
        assert messages(theirs, n=3) == messages(theirs, shallow=True) == ["5", "4", "3"]
        assert messages(theirs, shallow=True, path="3") == ["3"]
        assert messages(theirs, shallow=True, first_parent=True, order="topological") == ["5", "4", "3"]
        assert len(theirs.history(shallow=True)) == 3
        assert theirs.last_modified("5/0") == [theirs.head()]
        with pytest.raises(DanglingHash):
            theirs.last_modified("0/0")
        with pytest.raises(DanglingHash):
            theirs.history()
        assert [problem.fault for problem in other.check().problems] == ["dangling"]
        assert other.check(shallow=True).ok

    def test_a_part_of_a_history_that_is_all_of_one_second_is_pushed(
        self, main: Stores, other: Repos
    ) -> None:
        """GR-12, GR-14: fetched, committed on and pushed back: dates tell nothing of the order then."""
        for i in range(6):
            made(main.set("a", b"%d" % i, date=7))
        for depth in (0, 1, 2):
            theirs = other.branch(f"work{depth}")
            sync.pull(theirs, main, "set", depth=depth)
            for i in range(3):
                made(theirs.set("b", b"%d %d" % (depth, i), date=7))
            assert sync.push(theirs, main).sent.commits == 3
            assert main.head() == theirs.head()
            made(main.set("a", b"after %d" % depth, date=7))

    def test_work_goes_on_on_a_part_of_a_history(self, repo: Repos, main: Stores, other: Repos) -> None:
        """GR-12, GR-14: merges and pushes need no more than the common ancestor."""
        for i in range(4):
            fill(main, str(i), 2)
        theirs = other.main()
        sync.pull(theirs, repo, "set", depth=0)
        fill(theirs, "theirs")
        sync.push(theirs, repo)
        assert main.head() == theirs.head()
        fill(main, "ours")
        fill(theirs, "more")
        merge = made(sync.pull(theirs, repo))
        assert len(theirs.lcas_with_commit(merge)) == 1
        sync.push(theirs, repo)
        assert main.head() == merge
        assert repo.check().ok

    def test_a_history_that_was_cut_off_is_completed_by_name(
        self, repo: Repos, main: Stores, other: Repos
    ) -> None:
        """GR-12: `deepen` looks behind what is here."""
        for i in range(8):
            fill(main, str(i), 2)
        theirs = other.main()
        sync.pull(theirs, repo, "set", depth=1)
        assert sync.fetch(theirs, repo).sent.objects == 0  # what is here is not looked behind
        assert sync.fetch(theirs, repo, depth=3, deepen=True).sent.commits == 2
        assert messages(theirs, shallow=True) == ["7", "6", "5", "4"]
        sync.fetch(theirs, repo, deepen=True)
        assert messages(theirs) == [str(i) for i in reversed(range(8))]
        assert other.check().ok

    # -- failures --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("way", ["fetch", "push", "serve"])
    def test_a_transfer_may_fail_at_any_call(
        self, repo: Repos, main: Stores, other: Repos, faulty: Faulty, way: str, after: bool
    ) -> None:
        """Refs stay, all that came has all below it, and trying again completes it.

        `way`: the other repository fetches, is pushed to, or is fetched from. `after`: what failed has happened.
        """
        here, there = (other.main(), main) if way == "serve" else (main, other.main())
        fill(here, "base", 6)
        sync.pull(there, here, "set")
        done = False
        rounds = 0
        complete: set[tuple[Kind, Hash]] = set()
        while not done:
            rounds += 1
            before = there.head()
            faulty.reset()
            fill(here, f"round {rounds}", 5, at="now")
            new = here.head()

            def transfer() -> None:
                if way == "push":
                    sync.push(here, there, bounds=TINY)
                else:
                    sync.pull(there, here, "set", bounds=TINY)

            faulty.reset(rounds, after=after)
            try:
                transfer()
                done = True
            except Fault:
                pass
            faulty.reset()
            now = there.head()
            assert now == new if done else now in ((before, new) if after else (before,))
            self.closed_below(here, there, complete)
            transfer()
            assert there.head() == new
        assert rounds > 10
        assert there.tree() == here.tree()
        assert repo.check().ok
        assert other.check().ok

    @staticmethod
    def closed_below(here: Stores, there: Stores, seen: set[tuple[Kind, Hash]]) -> None:
        """INVARIANT: what has come has all below it. What was `seen` is not looked at again."""
        backend, codec = there._opened.trail(), there._opened.home.codec
        source = here._opened.trail()
        stack = [(Kind.COMMIT, here.head().hash)]
        while stack:
            kind, hash_ = stack.pop()
            if (kind, hash_) in seen:
                continue
            seen.add((kind, hash_))
            data = source.read(kind, hash_)
            assert data is not None
            if kind is Kind.CONTENTS:
                continue
            is_here = backend.read(kind, hash_) is not None
            for element in successors(codec, kind, hash_, data):
                assert not isinstance(element, Branch)
                below = (KINDS[type(element)], element.hash)
                stack.append(below)
                assert not is_here or backend.read(*below) is not None

    def test_a_transfer_that_lets_in_too_much_is_refused(
        self, repo: Repos, main: Stores, other: Repos
    ) -> None:
        """A remote that is not trusted is given a limit."""
        fill(main, "one")
        with pytest.raises(DecodeError, match="limit"):
            sync.fetch(other.main(), repo, bounds=sync.Bounds(total=200))
        sync.fetch(other.main(), repo, bounds=sync.Bounds(total=20_000))
        for wrong in ("ask", "write", "size"):
            with pytest.raises(DecodeError):
                sync.Bounds(**{wrong: 0})
