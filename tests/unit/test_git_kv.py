"""The Git key-value store: its rows, the quirks of the one in OCaml, and its life beside git as the remote."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from irminpy.errors import (
    Closed,
    DecodeError,
    InvalidStep,
    MergeConflict,
    NotFound,
    RemoteError,
    SchemaMismatch,
)
from irminpy.metadata import Mode
from irminpy_git import PushRejected, Transport
from irminpy_git.kv import (
    Add,
    AlreadyPresent,
    Batch,
    Change,
    Clean,
    DictionaryExpected,
    Dirty,
    Diverged,
    GitKv,
    Modified,
    NestedChange,
    NotPushed,
    Remove,
    ValueExpected,
    connect,
    of_octets,
    store,
)
from irminpy_git.kv.octets import read_state
from tests.git_repositories import git

pytestmark = pytest.mark.needs("git")

NOWHERE = Transport(git="no-such-git")


class There:
    """A bare repository as the remote, which may go away and come back."""

    def __init__(self, at: Path, *options: str) -> None:
        self.at = at / "there.git"
        self.url = f"file://{self.at}"
        self._ticks = count(1_700_000_000)
        git(at, "init", "-q", "--bare", "-b", "main", *options, str(self.at))

    def clock(self) -> float:
        return next(self._ticks)

    def connect(self, url: str = "", **how: Any) -> GitKv:
        return connect(url or self.url, clock=self.clock, **how)

    def again(self, kv: GitKv, **how: Any) -> GitKv:
        """The store after a restart."""
        return of_octets(kv.to_octets(), remote=self.url, clock=self.clock, **how)

    def go(self) -> None:
        self.at.rename(self.at.with_suffix(".gone"))

    def come(self) -> None:
        self.at.with_suffix(".gone").rename(self.at)

    def git(self, *arguments: str, data: bytes = b"") -> str:
        return git(self.at, *arguments, data=data).decode().strip()

    def show(self, path: str) -> bytes:
        return git(self.at, "show", f"main:{path}")

    def count(self) -> int:
        return int(self.git("rev-list", "--count", "main"))

    def hook(self, text: str | None) -> None:
        at = self.at / "hooks" / "pre-receive"
        if text is None:
            at.unlink()
            return
        at.parent.mkdir(exist_ok=True)
        at.write_text(f"#!/bin/sh\n{text}\n")
        at.chmod(0o755)

    def commit(self, files: dict[str, tuple[str, bytes]]) -> None:
        """A commit by git with these files alone, each with its mode."""
        rows = b""
        for path, (mode, data) in files.items():
            kind = b"commit" if mode == "160000" else b"blob"
            id = data if mode == "160000" else git(self.at, "hash-object", "-w", "--stdin", data=data).strip()
            rows += f"{mode} {kind.decode()} ".encode() + id + f"\t{path}\n".encode()
        tree = git(self.at, "mktree", "--missing", data=rows).decode().strip()
        done = self.git("commit-tree", tree, "-m", "by git", *self._parents())
        self.git("update-ref", "refs/heads/main", done)

    def _parents(self) -> list[str]:
        found = self.git("for-each-ref", "--format=%(objectname)", "refs/heads/main")
        return ["-p", found] if found else []


@pytest.fixture
def there(tmp_path: Path) -> There:
    return There(tmp_path)


# -- the rows ------------------------------------------------------------------------------------------------


def test_a_store_is_connected_to_a_remote(there: There) -> None:
    """SD-01: it fetches what is there, of a branch with nothing it is empty, and what is no remote is an error."""
    with there.connect() as kv:
        assert (kv.commit, kv.remote_head, kv.branch, kv.exists("/")) == (None, None, "main", None)
        kv.set("foo", b"1")
        with there.connect() as other:
            assert other.get("/foo") == b"1"
            assert other.commit == kv.commit == Clean(kv.remote_head or b"")  # type: ignore[arg-type]
    there.git("branch", "dev", "main")
    with there.connect(f"{there.url}#dev") as kv:
        kv.set("foo", b"2")
        assert kv.branch == "dev"
    assert there.show("foo") == b"1"
    for url in (f"{there.url}x", "git://127.0.0.1:1/x"):
        with pytest.raises(RemoteError):
            connect(url)
    for url in ("", "x", "ext::sh", f"{there.url}#a#b", "git@-oProxyCommand=x:y"):
        with pytest.raises((DecodeError, RemoteError)):
            connect(url)


def test_its_state_grows_while_it_is_not_pushed_and_shrinks_then(there: There) -> None:
    """SD-02: the newest commit alone, and what the remote has not."""
    with there.connect() as kv:
        kv.set("foo", b"start")
        sizes = [len(kv.to_octets())]
        there.go()
        for i in range(4):
            with pytest.raises(NotPushed):
                kv.set(f"key{i}", b"%d" % i * 100)
            sizes.append(len(kv.to_octets()))
            assert len(kv.pending) == i + 1
        assert sizes == sorted(sizes)
        assert len(set(sizes)) == 5
        there.come()
        assert kv.push()
        assert not kv.push()
        assert kv.pending == []
        assert len(kv.to_octets()) < sizes[-1]
        assert there.count() == 5


def test_its_state_is_restored_without_a_word_to_the_remote(there: There) -> None:
    """SD-03, K2: in pieces of any size; whatever is no state is one typed error."""
    with there.connect() as kv:
        kv.set("a/foo", b"1" * 1000)
        kv.set("bar", b"2")
        data = kv.to_octets()
        there.go()
        for pieces in (data, [data], [bytes([byte]) for byte in data], iter([data[:7], data[7:]])):
            with of_octets(pieces, remote=there.url, transport=NOWHERE) as again:
                assert again.get("a/foo") == b"1" * 1000
                assert again.commit == kv.commit
                assert again.remote_head == kv.remote_head
        with pytest.raises(DecodeError):
            of_octets(data[:-1], remote=there.url)
        for at in range(len(data)):
            with pytest.raises(DecodeError):
                read_state(kv._repo, data[:at])
            flipped = bytearray(data)
            flipped[at] ^= 0x40
            with pytest.raises(DecodeError):
                read_state(kv._repo, bytes(flipped))


def test_a_pull_tells_what_has_changed(there: There) -> None:
    """SD-04, K3: keys that came, that went, that changed; directories only where asked for."""
    with there.connect() as kv, there.connect() as other:
        kv.set("foo", b"1")
        kv.set("dir/one", b"1")
        assert other.pull() == [Add("/dir/one"), Add("/foo")]
        with there.again(kv) as restored:
            other.set("bar", b"2")
            assert restored.pull(include_directories=True) == [Change("/"), Add("/bar")]
            assert (restored.get("bar"), restored.get("foo")) == (b"2", b"1")
        assert kv.pull() == [Add("/bar")]
        assert kv.pull() == []

        def change(batch: Batch) -> None:
            batch.remove("dir/one")
            batch.set("foo", b"x")
            batch.set("new/a", b"")
            batch.remove("bar")
            batch.set("bar/below", b"")

        other.change_and_push(change)
        assert kv.pull(include_directories=True) == [
            Change("/"),
            Change("/bar"),
            Add("/bar/below"),
            Remove("/dir"),
            Remove("/dir/one"),
            Change("/foo"),
            Add("/new"),
            Add("/new/a"),
        ]
        there.git("update-ref", "-d", "refs/heads/main")
        with pytest.raises(RemoteError, match="no branch 'main'"):
            kv.pull()
        assert kv.push(force=True)
        assert there.show("foo") == b"x"


def test_each_write_is_a_commit_that_is_pushed(there: There) -> None:
    """SD-05, K13, K16: and one that does nothing is none; what cannot be pushed is kept."""
    with there.connect(author="Kay <kay@x>") as kv:
        kv.set("foo", b"1")
        kv.rename("foo", "dir/bar")
        kv.set("dir/bar", b"1")
        assert there.count() == 2
        kv.set_partial("dir/bar", b"X", offset=3)
        assert there.show("dir/bar") == b"1\0\0X"
        kv.remove("dir/bar")
        kv.remove("dir/bar")
        kv.allocate("zeros", 4)
        assert there.count() == 5
        assert there.git("log", "-1", "--format=%an %ae %cn %s") == "Kay kay@x Kay Committed by git-kv"
        there.go()
        with pytest.raises(NotPushed, match="kept here"):
            kv.remove("zeros")
        assert kv.exists("zeros") is None
        there.come()
        with there.again(kv) as restored:
            assert restored.exists("zeros") is None
            restored.set("more", b"1")
        assert there.count() == 7


def test_a_change_of_many_keys_is_one_commit_and_one_push(there: There) -> None:
    """SD-06, K4, K7, K16, K17: seen within at once, by others at the end; no change within a change."""
    with there.connect() as kv, there.connect() as other:
        kv.set("old", b"1")

        def change(batch: Batch) -> str:
            batch.set("a", b"1")
            batch.set("b/c", b"2")
            assert batch.get("old") == b"1"
            batch.remove("old")
            assert batch.exists("a") == "value"
            assert [key for key, _ in batch.list()] == ["/a", "/b"]
            assert kv.get("old") == b"1"
            assert kv.exists("a") is None
            for inner in (batch.change_and_push, kv.change_and_push):
                with pytest.raises(NestedChange, match="Nested change_and_push"):
                    inner(lambda _: None)
            return "result"

        assert kv.change_and_push(change, author="Ann <ann@x>", message="two at once") == "result"
        assert there.count() == 2
        assert there.git("log", "-1", "--format=%an %ae %s") == "Ann ann@x two at once"
        assert other.pull() == [Add("/a"), Add("/b/c")]
        assert kv.change_and_push(lambda batch: 7) == 7
        assert there.count() == 2


def test_values_and_dictionaries_are_read(there: There) -> None:
    """SD-07, K1, K14: exists, get, get_partial, list, last_modified, digest, size."""
    there.commit(
        {
            "a": ("100644", b"0123456789"),
            "run": ("100755", b"#!/bin/sh\n"),
            "lib": ("120000", b"a"),
            "module": ("160000", b"12" * 20),
        }
    )
    with there.connect() as kv:
        kv.set("dir/x", b"")
        kv.set("dir.x", b"")
        assert kv.exists("a") == "value"
        assert kv.exists("dir") == kv.exists("/") == kv.exists("module") == "dictionary"
        assert kv.exists("none") is kv.exists("lib") is kv.exists("a/b") is None
        assert kv.get("a") == kv.get("/a") == kv.get(("a",)) == b"0123456789"
        assert kv.get_partial("a", offset=2, length=3) == b"234"
        assert kv.get_partial("a", offset=8, length=9) == b"89"
        assert kv.get_partial("a", offset=11, length=1) == b""
        for offset, length in ((-1, 1), (0, -1)):
            with pytest.raises(DecodeError):
                kv.get_partial("a", offset=offset, length=length)
        assert kv.size("a") == 10
        # As Git sorts them: a directory as if its name ended with "/".
        assert kv.list() == [
            ("/a", "value"),
            ("/dir.x", "value"),
            ("/dir", "dictionary"),
            ("/module", "dictionary"),
            ("/run", "value"),
        ]
        assert kv.list("dir") == [("/dir/x", "value")]
        assert kv.get_with_permissions("lib") == (Mode.LINK, b"a")
        assert kv.get_with_permissions("run")[0] is Mode.EXEC
        assert kv.digest("a").hex() == there.git("rev-parse", "main:a")
        assert kv.digest("dir").hex() == there.git("rev-parse", "main:dir")
        assert kv.digest().hex() == there.git("rev-parse", "main^{tree}")
        for read in (kv.get, kv.size, kv.get_with_permissions):
            with pytest.raises(NotFound):
                read("none")
            for key in ("dir", "/", "module"):
                with pytest.raises(ValueExpected):
                    read(key)
        for odd in ("lib", "module"):
            with pytest.raises(ValueExpected):
                kv.digest(odd)
        with pytest.raises(ValueExpected):
            kv.get("lib")
        with pytest.raises(DictionaryExpected):
            kv.list("a")
        with pytest.raises(NotFound):
            kv.list("none")
        assert there.git("ls-tree", "main", "module").startswith("160000 commit 1212")


# -- the quirks that are not copied -----------------------------------------------------------------------


def test_quirk_1_a_rejection_is_told_and_nothing_has_changed(there: There) -> None:
    with there.connect() as kv:
        kv.set("foo", b"1")
        before = (kv.commit, kv.to_octets())
        there.hook("echo 'closed for lunch' >&2; exit 1")
        with pytest.raises(PushRejected, match="closed for lunch") as e:
            kv.set("foo", b"2")
        assert (e.value.ref, e.value.why) == ("main", "hook")
        assert (kv.commit, kv.to_octets()) == before
        assert kv.get("foo") == there.show("foo") == b"1"
        there.hook(None)
        kv.set("foo", b"2")
        assert there.show("foo") == b"2"
        copy = pickle.loads(pickle.dumps(e.value))
        assert (str(copy), copy.why) == (str(e.value), "hook")


def test_quirk_2_nothing_that_others_pushed_is_overwritten(there: There) -> None:
    with there.connect() as kv, there.connect() as other:
        kv.set("foo", b"1")
        other.pull()
        kv.set("foo", b"2")
        with pytest.raises(PushRejected) as e:
            other.set("bar", b"1")
        assert e.value.why == "stale"
        assert other.exists("bar") is None
        other.pull()
        other.set("bar", b"1")
        assert (there.show("foo"), there.show("bar")) == (b"2", b"1")


def test_a_write_that_has_returned_is_at_the_remote_even_if_it_changed_nothing(there: There) -> None:
    """The value was kept when the remote was away: writing it once more pushes it."""
    with there.connect() as kv:
        kv.set("foo", b"1")
        there.go()
        with pytest.raises(NotPushed):
            kv.set("foo", b"2")
        with pytest.raises(NotPushed):
            kv.set("foo", b"2")
        there.come()
        kv.set("foo", b"2")
        assert there.show("foo") == b"2"
        assert kv.pending == []
        assert there.count() == 2


@pytest.mark.parametrize("keep", [True, False])
def test_quirk_3_what_is_not_pushed_is_kept_or_dropped_as_was_asked(there: There, keep: bool) -> None:
    with there.connect(on_push_error="keep" if keep else "rollback") as kv:
        kv.set("foo", b"1")
        there.go()
        with pytest.raises(NotPushed if keep else RemoteError) as e:
            kv.set("foo", b"2")
        assert isinstance(e.value, NotPushed) is keep
        assert kv.get("foo") == (b"2" if keep else b"1")
        there.come()
        assert kv.push() is keep
        assert there.show("foo") == (b"2" if keep else b"1")
    with pytest.raises(DecodeError, match="on_push_error"):
        there.connect(on_push_error="forget")


def test_quirk_4_a_pull_never_drops_what_is_not_pushed(there: There) -> None:
    """Fast-forward, merge, conflict, or Diverged."""
    with there.connect() as kv, there.connect() as other:
        kv.set("foo", b"1")
        other.pull()
        there.go()
        with pytest.raises(NotPushed):
            kv.set("mine", b"1")
        there.come()
        other.set("theirs", b"1")
        assert kv.pull() == [Add("/theirs")]
        assert kv.get("mine") == b"1"
        assert len(kv.pending) == 2
        with there.again(kv) as restored:
            assert restored.get("theirs") == b"1"
            other.set("theirs", b"2")
            assert restored.pull() == [Change("/theirs")]
            assert restored.push()
        assert there.show("mine") == b"1"
        there.git("fsck", "--full", "--strict")
        kv.pull()
        assert kv.pending == []

        there.go()
        with pytest.raises(NotPushed):
            kv.set("foo", b"mine")
        there.come()
        other.pull()
        other.set("foo", b"theirs")
        state = (kv.commit, kv.pending)
        with pytest.raises(MergeConflict):
            kv.pull()
        assert (kv.commit, kv.pending) == state
        assert kv.pull(on_conflict="ours") == []
        kv.push()
        assert there.show("foo") == b"mine"

        there.go()
        with pytest.raises(NotPushed):
            kv.set("foo", b"on top")
        there.come()
        tree = there.git("rev-parse", "main^{tree}")
        there.git("update-ref", "refs/heads/main", there.git("commit-tree", tree, "-m", "another history"))
        with pytest.raises(Diverged):
            kv.pull()
        assert kv.get("foo") == b"on top"
        assert kv.push(force=True)
        assert there.show("foo") == b"on top"


def test_quirk_5_two_files_with_equal_contents_are_two_changes(there: There) -> None:
    with there.connect() as kv, there.connect() as other:

        def change(batch: Batch) -> None:
            for key in ("a", "b", "c/d"):
                batch.set(key, b"same")

        kv.change_and_push(change)
        assert other.pull() == [Add("/a"), Add("/b"), Add("/c/d")]


def test_quirk_6_times_are_seconds_since_1970(there: There) -> None:
    """K8, K11: the date of the head, wherever its author was."""
    there.commit({"a": ("100644", b"1")})
    stamp = int(there.git("log", "-1", "--format=%at"))
    with there.connect() as kv:
        assert kv.last_modified("a") == kv.last_modified() == stamp
        tree = there.git("rev-parse", "main^{tree}")
        body = f"tree {tree}\nauthor A <a@x> 1234567890 +0900\ncommitter A <a@x> 1234567899 -0300\n\nm\n"
        odd = there.git("hash-object", "-t", "commit", "-w", "--stdin", data=body.encode())
        there.git("update-ref", "refs/heads/main", odd)
        kv.pull()
        assert kv.last_modified("a") == 1234567890
        seen: list[int] = [kv.last_modified("a")]

        def change(batch: Batch) -> None:
            seen.append(batch.last_modified("a"))
            batch.set("a", b"2")
            seen.append(batch.last_modified("a"))

        kv.change_and_push(change)
        seen.append(kv.last_modified("a"))
        assert seen == sorted(seen)
        assert seen[-1] == int(there.git("log", "-1", "--format=%at"))


def test_quirk_7_what_is_not_there_is_removed_by_nothing(there: There) -> None:
    with there.connect() as kv:
        kv.set("dir/foo", b"1")
        for key in ("none", "dir/none", "no/way", "dir/foo/x"):
            kv.remove(key)
            with pytest.raises(NotFound):
                kv.last_modified(key)
        assert there.count() == 1


def test_quirk_8_a_directory_that_is_empty_goes(there: There) -> None:
    with there.connect() as kv:
        kv.set("a/b/c", b"1")
        kv.set("x", b"1")
        kv.remove("a/b/c")
        assert kv.list() == [("/x", "value")]
        kv.remove("x")
        assert kv.list() == []
        assert there.git("ls-tree", "-r", "-t", "main") == ""
        kv.set("dir/x", b"1")
        kv.remove("dir")
        assert kv.exists("dir") is None


def test_quirk_9_keys_that_make_no_sense_are_typed_errors(there: There) -> None:
    there.commit({"foo": ("100644", b"1"), "module": ("160000", b"12" * 20)})
    with there.connect() as kv:
        writes: list[Callable[[str], object]] = [
            lambda key: kv.set(key, b""),
            lambda key: kv.allocate(key, 3),
            lambda key: kv.rename("foo", key),
            lambda key: kv.set_with_permissions(key, Mode.EXEC, b""),
        ]
        for write in writes:
            with pytest.raises((ValueExpected, AlreadyPresent)):
                write("/")
            with pytest.raises(InvalidStep):
                write("a/.git/b")
        for write in (writes[0], writes[1], writes[3]):
            with pytest.raises(DictionaryExpected) as e:
                write("foo/bar/baz")
            assert e.value.key == "/foo"
        with pytest.raises(ValueExpected):
            kv.remove("/")
        with pytest.raises(ValueExpected):
            kv.remove("module")
        assert kv.exists("module") == "dictionary"
        with pytest.raises(NotFound):
            kv.rename("none", "x")
        with pytest.raises(ValueExpected):
            kv.rename("module", "x")
        with pytest.raises(AlreadyPresent):
            kv.allocate("foo", 1)
        with pytest.raises(NotFound):
            kv.set_partial("none", b"", offset=0)
        with pytest.raises(DecodeError):
            kv.set_partial("foo", b"", offset=-1)
        with pytest.raises(DecodeError):
            kv.allocate("x", -1)
        kv.rename("foo", "foo/bar")
        assert kv.get("foo/bar") == b"1"
        assert there.count() == 2


def test_quirk_10_the_head_is_the_commit_that_nothing_is_on_top_of(there: There, tmp_path: Path) -> None:
    """K10's order of entries does not matter; several tips, or a doubt about the remote, are errors."""
    with there.connect() as kv:
        kv.set("foo", b"1")
        kv.set("foo", b"2")
        one, two = there.git("rev-list", "main").split()
        tree = there.git("rev-parse", "main^{tree}")
        other = there.git("commit-tree", tree, "-m", "another", "-p", two)
        for ids, fine in (([one], True), ([one, other], False), ([one, two], False), ([], False)):
            objects = [
                line.split()[0]
                for line in there.git("rev-list", "--objects", *(ids or ["main"]), "--no-walk").split("\n")
            ]
            wanted = objects if ids else [id for id in objects if id != one]
            pack = git(there.at, "pack-objects", "--stdout", "-q", data="\n".join(wanted).encode() + b"\n")
            if fine:
                assert of_octets(pack, remote=there.url).get("foo") == b"2"
            else:
                with pytest.raises(DecodeError, match="state"):
                    of_octets(pack, remote=there.url)


# -- beyond the rows ---------------------------------------------------------------------------------------


def test_a_change_is_dropped_if_the_store_moves_meanwhile(there: There) -> None:
    """K6: the write that came between stands."""
    with there.connect() as kv:

        def change(batch: Batch) -> None:
            batch.set("foo", b"1")
            kv.set("bar", b"2")

        with pytest.raises(Modified, match="please retry"):
            kv.change_and_push(change)
        assert kv.exists("foo") is None
        assert kv.get("bar") == b"2"


def test_a_change_is_dropped_by_an_exception_and_by_abort(there: There) -> None:
    with there.connect() as kv:
        kv.set("foo", b"1")
        kept: list[Batch] = []

        def fails(batch: Batch) -> None:
            kept.append(batch)
            batch.set("foo", b"2")
            raise ZeroDivisionError

        def aborts(batch: Batch) -> str:
            batch.set("foo", b"2")
            batch.abort()
            return "no"

        with pytest.raises(ZeroDivisionError):
            kv.change_and_push(fails)
        assert kv.change_and_push(aborts) == "no"
        assert (kv.get("foo"), there.count()) == (b"1", 1)
        with pytest.raises(Closed):
            kept[0].get("foo")
        with pytest.raises(Closed):
            kept[0].set("foo", b"")
        kv.change_and_push(lambda batch: batch.set("foo", b"3"))
        assert there.show("foo") == b"3"


def test_changes_of_many_threads_run_one_after_the_other(there: There) -> None:
    """K10: each sees what the one before it wrote."""
    with there.connect() as kv:
        kv.set("n", b"0")

        def bump(batch: Batch) -> None:
            batch.set("n", b"%d" % (int(batch.get("n")) + 1))

        threads = [threading.Thread(target=kv.change_and_push, args=(bump,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert kv.get("n") == there.show("n") == b"4"
        assert there.count() == 5


def test_commits_and_digests_within_a_change(there: There) -> None:
    """K9, K18: Clean outside, Dirty inside; digests change as the tree does."""
    with there.connect() as kv:
        kv.set("foo", b"1")
        start, digest = kv.commit, kv.digest()
        assert isinstance(start, Clean)

        def change(batch: Batch) -> None:
            assert batch.commit == Dirty(start.hash)
            assert batch.digest() == digest
            batch.set("foo", b"2")
            assert batch.digest() != digest
            assert batch.commit == Dirty(start.hash)
            assert kv.commit == start

        kv.change_and_push(change)
        assert kv.digest() != digest


def test_modes_are_those_that_git_knows(there: There, tmp_path: Path) -> None:
    """K15: also after a rename; a partial write makes it an ordinary file."""
    with there.connect() as kv:
        kv.set_with_permissions("run", Mode.EXEC, b"#!/bin/sh\n")
        kv.set_with_permissions("link", Mode.LINK, b"run")
        kv.rename("run", "bin/run")
        assert there.git("ls-tree", "-r", "main").split("\n")[0].startswith("100755")
        assert kv.exists("link") is None
        kv.set_partial("bin/run", b"x", offset=0)
        assert kv.get_with_permissions("bin/run") == (Mode.NORMAL, b"x!/bin/sh\n")
    git(tmp_path, "clone", "-q", str(there.at), "clone")
    assert (tmp_path / "clone" / "link").is_symlink()


@pytest.mark.parametrize("level", [0, 9])
def test_git_takes_its_state_for_a_pack(there: There, level: int) -> None:
    """K19, K20: all levels, pushed or not; what is pushed is the objects of one commit, with OFS deltas alone."""
    with there.connect() as kv:
        for i in range(6):
            kv.set(f"dir/{i}", b"line\n" * 100 + b"%d" % i)
        data = kv.to_octets(level)
        at = there.at / "objects" / "pack" / "tmp.pack"
        at.write_bytes(data)
        there.git("index-pack", "--fsck-objects", str(at))
        listed = there.git("verify-pack", "-v", str(at))
        objects = there.git("rev-list", "--objects", "--no-walk", "main").split("\n")
        assert int.from_bytes(data[8:12], "big") == len(objects)
        assert "chain length" in listed
        there.go()
        with pytest.raises(NotPushed):
            kv.set("dir/0", b"changed")
        there.come()
        at.write_bytes(kv.to_octets(level))
        there.git("index-pack", "--fsck-objects", str(at))
        with there.again(kv) as again:
            assert len(again.pending) == 1
            assert again.push()
    with pytest.raises(DecodeError):
        kv.to_octets(10)


def test_the_state_of_an_empty_store_is_the_pack_of_nothing(there: There) -> None:
    with there.connect() as kv:
        assert kv.to_octets()[-20:].hex() == "029d08823bd8a8eab510ad6ac75c823cfd3ed31e"
        with there.again(kv) as again:
            assert again.commit is None
            there.go()
            with pytest.raises(NotPushed):
                again.set("first", b"1")
            with there.again(again) as third:
                assert (third.remote_head, len(third.pending)) == (None, 1)
                there.come()
                assert third.push()
        assert there.show("first") == b"1"


def test_an_answer_that_was_lost_does_no_harm(there: There) -> None:
    """The remote took the push, and went away before it said so."""
    with there.connect() as kv:
        kv.set("foo", b"1")
        take = kv._remote.take
        lost = RemoteError("r", "it went away in the middle")

        def lossy(*how: Any) -> None:
            take(*how)
            raise lost

        kv._remote.take = lossy  # type: ignore[method-assign]
        for value in (b"2", b"3"):
            with pytest.raises(NotPushed):
                kv.set("foo", value)
            kv._remote.take = take  # type: ignore[method-assign]
            if value == b"2":
                assert kv.push()
                kv._remote.take = lossy  # type: ignore[method-assign]
            else:
                assert kv.pull() == []
        assert kv.pending == []
        assert there.count() == 3


def test_memory_holds_the_newest_commit_and_what_is_not_pushed(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old values go, however many there were; what is kept is all there."""
    monkeypatch.setattr(store, "_LEAST_GARBAGE", 60)
    with there.connect() as kv:
        kv._remote.take = lambda objects, updates: None  # type: ignore[method-assign]
        most = 0
        for i in range(100):
            kv.set("foo", b"%d" % i)
            backend: Any = kv._repo._opened.backend
            most = max(most, len(backend._open().objects))
        assert kv.pending == []
        assert 30 < most <= 70
        assert kv.get("foo") == b"99"


def test_a_repository_of_sha256_is_refused(tmp_path: Path) -> None:
    there = There(tmp_path, "--object-format=sha256")
    tree = there.git("mktree", data=b"")
    there.git("update-ref", "refs/heads/main", there.git("commit-tree", tree, "-m", "x"))
    with pytest.raises(SchemaMismatch):
        there.connect()


def test_its_errors_are_pickled() -> None:
    for error in (ValueExpected("/a"), NestedChange(), Modified(), NotPushed("r", "x"), Diverged("y")):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert str(copy) == str(error)


def test_a_life_with_a_remote_that_goes_away_moves_on_and_refuses(there: There) -> None:
    """A service and a colleague; the service restarts from its state between all that happens."""
    kv, other = there.connect(), there.connect()
    kv.set("service/port", b"80")
    other.pull()
    for turn in range(3):
        there.go()
        for key in ("service/a", f"service/{turn}"):
            with pytest.raises(NotPushed):
                kv.set(key, b"%d" % turn)
        with pytest.raises(RemoteError):
            kv.pull()
        kv = there.again(kv)
        there.come()
        other.set("colleague", b"%d" % turn)
        with pytest.raises(PushRejected):
            kv.push()
        kv = there.again(kv)
        there.hook("exit 1")
        assert kv.pull() in ([Add("/colleague")], [Change("/colleague")])
        with pytest.raises(PushRejected):
            kv.push()
        kv = there.again(kv)
        there.hook(None)
        assert kv.push()
        assert {type(change) for change in other.pull()} <= {Add, Change}
        assert kv.commit == other.commit
        assert dict(kv.list("service")) == {
            f"/service/{name}": "value" for name in ["a", "port", *map(str, range(turn + 1))]
        }
    there.git("fsck", "--full", "--strict")
    assert there.count() == 1 + 3 * 4
