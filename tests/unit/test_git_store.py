"""A store in a repository that git uses too: git is the judge, and git is the other writer (git-spec 3.6)."""

from __future__ import annotations

import hashlib
import os
import queue
import random
import threading
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from irminpy import Repo, sync
from irminpy.backend import Options, RefChange, RefUpdate
from irminpy.branch import is_valid
from irminpy.contents import Json, String
from irminpy.errors import (
    Closed,
    Corrupted,
    DanglingHash,
    InvalidBranch,
    Locked,
    NotAStore,
    ReadOnly,
    SchemaMismatch,
    StorageError,
    UnsupportedVersion,
)
from irminpy.formats import Git as GitFormat
from irminpy.formats import Native
from irminpy.hash import SHA1, SHA256, Hash
from irminpy.key import hash_of_key
from irminpy.metadata import Mode, Modes
from irminpy.objects import Kind, Node, Objects
from irminpy.schema import Schema
from irminpy_git import Git, repack
from irminpy_git.config import parse
from irminpy_git.repository import find
from irminpy_git.store import ObjectStore
from irminpy_mem import Memory
from tests.git_repositories import git, make

SCHEMA: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA1(), format=GitFormat())
Repos = Repo[bytes, Mode]


PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
REPOSITORIES = ["project"] if PROFILE == "quick" else ["versions", "project", "mixed"]

# Git shows EVERYBODY as NORMAL.
MODES = [Mode.NORMAL, Mode.EXEC, Mode.LINK]


def opened(at: Path, **how: object) -> Repos:
    """The repository at `at`, in a hurry."""
    ticks = count(1_700_000_000)
    maker = Git(str(at), **{"durability": "none", **how})  # type: ignore[arg-type]
    return Repo.open(maker, SCHEMA, author="Bob <bob@example.com>", clock=lambda: next(ticks))


@pytest.fixture
def at(tmp_path: Path) -> Path:
    return tmp_path / "r.git"


@pytest.fixture
def repo(at: Path) -> Iterator[Repos]:
    with opened(at) as repo:
        yield repo


def strict(at: Path) -> None:
    """G1: git finds nothing wrong."""
    lines = git(at, "fsck", "--full", "--strict").splitlines()
    assert all(line.startswith(b"dangling") for line in lines), lines


def head(repo: Repos, branch: str = "main") -> str:
    return repo.branch(branch).head().hash.hex()


# -- what git sees of what we write ------------------------------------------------------------------------------


@pytest.mark.needs("git")
@pytest.mark.parametrize("pack", [1, 4, 10**6])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_git_agrees_with_what_random_operations_wrote(at: Path, pack: int, algorithm: str) -> None:
    """G1, G2, G9: fsck, log, ls-tree and cat-file say what irminpy says; loose, packed, and both."""
    rng = random.Random(pack)
    schema: Schema[bytes, Mode] = Schema(
        metadata=Modes(), hash=SHA1() if algorithm == "sha1" else SHA256(), format=GitFormat()
    )
    maker = Git(str(at), durability="none", pack=pack)
    ticks = count(1_700_000_000)
    with Repo.open(maker, schema, author="Zoë <z@x>", clock=lambda: next(ticks)) as repo:
        main = repo.main()
        for i in range(25):
            path = f"{rng.choice('abc')}/{rng.choice(['x', 'x.y', 'é', 'x y'])}{rng.randrange(3)}/{rng.randrange(4)}"
            main.set(
                path, rng.randbytes(rng.randrange(100)), metadata=rng.choice(MODES), message=f"set {i}\n"
            )
            if i % 8 == 7:
                side = main.clone(f"side/{i}")
                side.set(f"only/{i}", b"side", message="side")
                main.set(f"more/{i}", b"main", message="main")
                main.merge_with_branch(f"side/{i}", message=f"merge {i}")
        strict(at)
        log = [
            line.split("\x1f")
            for line in git(at, "log", "--format=%H%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%T", "main")
            .decode()
            .splitlines()
        ]
        commits = {c.hash.hex(): c for c in main.log()}
        assert {row[0] for row in log} == commits.keys()
        for hash_, parents, name, email, date, tree in log:
            commit = commits[hash_]
            assert parents.split() == [p.hex() for p in commit.parents]
            assert (f"{name} <{email}>", int(date), tree) == (
                commit.info.author,
                commit.info.date,
                commit.tree_hash.hex(),
            )
        listing = git(at, "ls-tree", "-r", "-z", "main").split(b"\0")[:-1]
        modes = {}
        for line in listing:
            meta, _, name_ = line.partition(b"\t")
            modes[name_.decode()] = int(meta.split()[0], 8)
        tree_ = main.tree()
        paths: list[str] = []
        tree_.fold(None, contents=lambda path, _, out: paths.append("/".join(path)))
        found = {path: tree_.find_all(path) for path in paths}
        assert {path: both[1].value for path, both in found.items() if both is not None} == modes
        for path, both in found.items():
            value = None if both is None else both[0]
            assert git(at, "cat-file", "blob", f"main:{path}") == value
        assert repo.check().ok
        branches = git(at, "for-each-ref", "--format=%(refname:short)", "refs/heads").decode().split()
        assert branches == repo.branches()
    has_packs = any((at / "objects" / "pack").glob("*.pack"))
    assert has_packs is (pack <= 4)


@pytest.mark.needs("git")
def test_a_clone_has_the_same_files(at: Path, repo: Repos, tmp_path: Path) -> None:
    """G3: bytes and modes; over a file, and as a checkout."""
    main = repo.main()
    main.set("bin/run", b"#!/bin/sh\n", metadata=Mode.EXEC)
    main.set("link", b"bin/run", metadata=Mode.LINK)
    main.set("data/é", bytes(range(256)))
    git(tmp_path, "clone", "-q", "--no-local", str(at), "work")
    work = tmp_path / "work"
    assert os.access(work / "bin/run", os.X_OK)
    assert os.readlink(work / "link") == "bin/run"
    assert (work / "data/é").read_bytes() == bytes(range(256))
    assert git(work, "status", "--porcelain") == b""
    git(at, "worktree", "add", "-q", str(tmp_path / "tree"), "main")
    with opened(tmp_path / "tree") as other:
        assert other.main().get("link") == b"bin/run"
        assert other.main().head() == main.head()


@pytest.mark.needs("git")
def test_an_empty_tree_is_a_root_and_histories_without_a_common_ancestor_are_merged(
    at: Path, repo: Repos
) -> None:
    """G22: Irmin's issue 349."""
    main = repo.main()
    commit = main.set_tree((), repo.empty_tree(), message="nothing", allow_empty=True)
    assert commit is not None
    assert commit.tree_hash.hex() == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    other = repo.branch("orphan")
    other.set("b", b"2")
    main.merge_with_branch("orphan", message="merge")
    strict(at)
    assert git(at, "log", "--format=%P", "-1", "main").decode().split() == [
        p.hex() for p in main.head().parents
    ]
    assert len(main.head().parents) == 2


def test_contents_are_blobs_of_their_text(tmp_path: Path) -> None:
    """TC-124: Irmin's own vectors; the tree's hash is the key it is saved under."""
    for contents, value, blob in (
        (String(), "foo", b"blob 3\0foo"),
        (String(), "", b"blob 0\0"),
        (Json(), {"Y": ["foo", "bar"]}, b'blob 19\0{"Y":["foo","bar"]}'),
        (Json(), {"X": [1, 2]}, b'blob 11\0{"X":[1,2]}'),
    ):
        schema: Schema[Any, Mode] = Schema(contents, metadata=Modes(), hash=SHA1(), format=GitFormat())
        with Repo.open(Git(str(tmp_path / str(len(blob)))), schema) as repo:
            key = repo.save_contents(value)
            assert repo._opened.backend.read(Kind.CONTENTS, key) == blob
            tree = repo.empty_tree().add("a/b", value)
            saved = repo.save_tree(tree)
            assert hash_of_key(saved.key) == tree.hash()


def test_a_store_in_git_is_pulled_into_memory_and_back(repo: Repos, tmp_path: Path) -> None:
    """TC-125, US-03: with equal hashes on both sides."""
    main = repo.main()
    for i in range(5):
        main.set(f"d{i % 2}/{i}", b"%d" % i, metadata=MODES[i % 3])
    with Repo.open(Memory(), SCHEMA) as memory:
        copy = memory.main()
        assert sync.pull(copy, repo, "set") == main.head()
        assert copy.tree() == main.tree()
        copy.set("new", b"from memory")
        sync.push(copy, repo)
        assert main.head() == copy.head()
        assert main.get("new") == b"from memory"


@pytest.mark.needs("git")
def test_a_store_has_the_branches_and_no_other_refs(at: Path, repo: Repos) -> None:
    """TC-123: tags, remotes and notes are for git."""
    repo.main().set("a", b"1")
    for ref in (
        "refs/tags/v1",
        "refs/remotes/origin/main",
        "refs/notes/commits",
        "refs/stash",
        "refs/heads/b/c",
    ):
        git(at, "update-ref", ref, head(repo))
    for _ in range(2):
        assert repo.branches() == ["b/c", "main"]
        assert repo._opened.backend.ref("tags/v1") is None
        git(at, "pack-refs", "--all")


def test_a_path_is_a_file_then_a_directory_then_a_file(tmp_path: Path) -> None:
    """TC-126: in a repository with a work tree."""
    with opened(tmp_path / "w", bare=False) as repo:
        main = repo.main()
        main.set("a/b", b"file")
        main.set("a/b/c", b"in a directory")
        assert main.get("a/b/c") == b"in a directory"
        assert main.find("a/b") is None
        main.set("a/b", b"file again")
        assert (main.get("a/b"), main.find("a/b/c")) == (b"file again", None)


# -- what we see of what git writes ------------------------------------------------------------------------------


@pytest.mark.needs("git")
@pytest.mark.parametrize("name", REPOSITORIES)
def test_every_object_of_a_real_repository_is_encoded_again_to_its_own_bytes(
    tmp_path: Path, name: str
) -> None:
    """N of N: commits, trees and blobs, and the whole history is walked."""
    at = make(tmp_path, name, 4)
    listing = git(at, "cat-file", "--batch-check", "--batch-all-objects").decode().split("\n")[:-1]
    codec = SCHEMA.codec
    backend, _ = Git(str(at)).open(None, Options(readonly=True))
    kinds = {"blob": Kind.CONTENTS, "tree": Kind.NODE, "commit": Kind.COMMIT}
    seen = 0
    for line in listing:
        digits, word, _ = line.split()
        data = backend.read(kinds[word], Hash.of_hex(digits))
        assert data is not None
        if word == "commit":
            assert codec.encode_commit(codec.decode_commit(data)) == data
        elif word == "tree":
            node = codec.decode_node(data)
            assert type(node) is Node
            metadata = [node.metadata[i] for i in sorted(node.metadata)]
            assert codec.encode_node(list(node.index), node.kinds, node.hashes, metadata) == data
        else:
            assert codec.encode_contents([codec.decode_contents(data)]) == [data]
        seen += 1
    assert seen == len(listing) > 50
    backend.close()
    with opened(at) as repo:
        assert len(list(repo.main().log())) == int(git(at, "rev-list", "--count", "main"))
        report = repo.check()
        assert report.ok


@pytest.mark.needs("git")
def test_commits_amends_and_merges_by_git_are_seen_without_opening_again(
    at: Path, repo: Repos, tmp_path: Path
) -> None:
    """G4."""
    main = repo.main()
    main.set("a", b"1")
    git(tmp_path, "clone", "-q", str(at), "work")
    work = tmp_path / "work"
    for n in range(3):
        (work / "b").write_bytes(b"%d" % n)
        git(work, "add", "b")
        git(work, "commit", "-qm", f"by git {n}")
        git(work, "push", "-q", "origin", "HEAD:main")
        assert main.get("b") == b"%d" % n
        assert main.head().info.message == f"by git {n}\n"
        assert main.head().info.author == "A U Thor <author@example.com>"
        main.set(f"c{n}", b"by irminpy")
        git(work, "pull", "-q", "--rebase", "origin", "main")
    git(work, "commit", "-q", "--amend", "-m", "amended")
    git(work, "push", "-qf", "origin", "HEAD:main")
    assert main.head().info.message == "amended\n"
    assert main.get("c2") == b"by irminpy"
    strict(at)


@pytest.mark.needs("git")
def test_collections_and_repacks_by_git_lose_nothing_that_is_open(at: Path, repo: Repos) -> None:
    """G5: objects are found in the packs that there are by then; also with an index of many packs, and bitmaps."""
    main = repo.main()
    old = []
    for n, steps in enumerate(
        (
            [["gc", "-q"]],
            [["repack", "-adfq"], ["pack-refs", "--all"]],
            [["gc", "-q", "--prune=now"]],
            [["repack", "-q"], ["multi-pack-index", "write"], ["commit-graph", "write", "--reachable"]],
            [["repack", "-adbq", "--write-midx"], ["prune-packed"]],
        )
    ):
        for i in range(4):
            main.set(f"d/{n}/{i}", b"value %d %d" % (n, i), message="m\n")
        old.append((main.head(), main.tree()))
        for step in steps:
            git(at, *step)
        for commit, tree in old:
            assert repo.find_commit(commit.hash) is not None
            assert tree.get("d/0/3") == b"value 0 3"
            assert [len(list(commit.tree().list(f"d/{k}"))) for k in range(1)] == [4]
        assert main.get(f"d/{n}/2") == b"value %d 2" % n
        assert repo.check().ok
    strict(at)
    repack(str(at))
    assert main.get("d/1/1") == b"value 1 1"
    strict(at)


@pytest.mark.needs("git")
def test_an_object_that_was_just_written_survives_a_collection(at: Path, repo: Repos) -> None:
    """G6: nothing leads to it yet. One that was there for long is young again once it is written again."""
    key = repo.save_contents(b"young")
    hash_ = Hash.of_hex(hashlib.sha1(b"blob 5\0young").hexdigest())
    file = at / "objects" / hash_.hex()[:2] / hash_.hex()[2:]
    os.utime(file, (1, 1))
    assert repo.save_contents(b"young") == key
    assert file.stat().st_mtime > 10**9
    git(at, "gc", "-q")
    assert repo.find_contents(key) == b"young"


@pytest.mark.needs("git")
def test_a_watcher_hears_of_what_git_does(at: Path, repo: Repos) -> None:
    """WA-01: moves, packing (which is none), new branches, deletions; each once, in order."""
    main = repo.main()
    main.set("a", b"1")
    first = main.head().hash
    main.set("a", b"2")
    second = main.head().hash
    heard: queue.Queue[tuple[str, Any]] = queue.Queue()
    with repo.watch_all(lambda name, change: heard.put((name, change))):
        git(at, "update-ref", "refs/heads/main", first.hex())
        name, change = heard.get(timeout=60)
        assert (name, getattr(change, "after", None)) == ("main", _commit(repo, first))
        git(at, "pack-refs", "--all")
        git(at, "update-ref", "refs/heads/new/branch", second.hex())
        name, change = heard.get(timeout=60)
        assert name == "new/branch"
        git(at, "update-ref", "-d", "refs/heads/new/branch")
        name, change = heard.get(timeout=60)
        assert (name, type(change).__name__) == ("new/branch", "Removed")
        repo.branch("own").set("x", b"y")
        assert heard.get(timeout=60)[0] == "own"
    assert heard.empty()


def _commit(repo: Repos, hash_: Hash) -> object:
    found = repo.find_commit(hash_)
    assert found is not None
    return found


# -- refs --------------------------------------------------------------------------------------------------------


@pytest.mark.needs("git")
def test_packed_refs_are_read_moved_and_deleted(at: Path, repo: Repos) -> None:
    """G7: with tags that are peeled beside them."""
    main = repo.main()
    main.set("a", b"1")
    old = main.head().hash
    for name in ("b", "deep/er", "z"):
        main.clone(name)
    git(at, "tag", "-a", "-m", "t", "v1", old.hex())
    git(at, "pack-refs", "--all")
    assert not (at / "refs/heads/b").exists()
    assert repo.branches() == ["b", "deep/er", "main", "z"]
    main.set("a", b"2")
    assert git(at, "rev-parse", "main").decode().strip() == head(repo)
    repo.remove_branch("b")
    repo.remove_branch("main")
    assert repo.branches() == ["deep/er", "z"]
    text = (at / "packed-refs").read_text()
    assert "refs/heads/b\n" not in text
    assert "refs/heads/main\n" not in text
    assert "refs/tags/v1\n^" in text
    assert git(at, "for-each-ref", "--format=%(refname)").decode().split() == [
        "refs/heads/deep/er",
        "refs/heads/z",
        "refs/tags/v1",
    ]
    repo.branch("b").set("x", b"y")
    assert git(at, "cat-file", "blob", "b:x") == b"y"
    assert not list(at.rglob("*.lock"))
    strict(at)


@pytest.mark.needs("git")
def test_a_symbolic_branch_is_read_and_written_through(at: Path, repo: Repos) -> None:
    """G7, G13: HEAD stays as it is, also where it is detached."""
    main = repo.main()
    main.set("a", b"1")
    git(at, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    alias = repo.branch("alias")
    assert alias.head() == main.head()
    alias.set("a", b"2")
    assert main.get("a") == b"2"
    assert (at / "refs/heads/alias").read_text() == "ref: refs/heads/main\n"
    git(at, "update-ref", "--no-deref", "HEAD", head(repo))
    main.set("a", b"3")
    assert (at / "HEAD").read_text().strip() != head(repo)
    assert git(at, "rev-parse", "refs/heads/alias").decode().strip() == head(repo)


HOSTILE_REFS: dict[str, bytes] = {
    "no digits": b"hello\n",
    "too short": b"12345\n",
    "too long": b"1" * 44 + b"\n",
    "empty": b"",
    "spaces in the digits": b"1 " * 20 + b"\n",
    "something behind": b"1" * 40 + b" x\n",
    "a loop": b"ref: refs/heads/bad\n",
    "out of the repository": b"ref: ../../etc/passwd\n",
    "out of refs": b"ref: HEAD\n",
    "absolute": b"ref: /etc/passwd\n",
    "through dots": b"ref: refs/../config\n",
    "a config": b"ref: refs/heads/../../config\n",
    "not utf-8": b"ref: refs/heads/\xff..\n",
}


@pytest.mark.parametrize("why", HOSTILE_REFS)
def test_a_ref_that_names_nothing_is_damage_and_no_other_file_is_read(
    at: Path, repo: Repos, why: str
) -> None:
    """G12, G13, G20: D7 holds for the others."""
    repo.main().set("a", b"1")
    (at / "refs/heads/bad").write_bytes(HOSTILE_REFS[why])
    with pytest.raises(Corrupted):
        repo.branch("bad").find_head()
    assert repo.main().get("a") == b"1"


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../config",
        "x.lock",
        "a//b",
        "/a",
        "a/",
        ".a",
        "a/.b",
        "a..b",
        "a@{1}",
        "a b",
        "a\x01",
        "@",
        "x" * 5000,
        "a\\b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a.",
        "",
    ],
)
def test_a_name_that_no_branch_may_have_is_refused_and_not_read(at: Path, repo: Repos, name: str) -> None:
    """G12, G16: by the rules of check-ref-format."""
    backend = repo._opened.backend
    repo.main().set("a", b"1")
    with pytest.raises(InvalidBranch):
        backend.write(Objects(), [RefUpdate(name, repo.main().head().hash)])
    assert backend.ref(name) is None
    assert repo.branches() == ["main"]


@pytest.mark.needs("git")
def test_names_are_judged_as_git_does(tmp_path: Path) -> None:
    """G16."""
    names = [
        "a",
        "a/b",
        "..",
        ".a",
        "a.lock",
        "a.lock/b",
        "a b",
        "a~",
        "a^",
        "a:",
        "a?",
        "a*",
        "a[",
        "a\\",
        "a@{",
        "a.",
        "a/",
        "a//b",
        "\x7f",
        "@",
        "a@b",
        "é",
        "a.b",
        "{",
        "-a",
    ]
    for name in names:
        # As a whole ref "refs/heads/@" is legal for git; as a branch it is not.
        git(tmp_path, "check-ref-format", f"refs/heads/{name}", fails=not is_valid(name) and name != "@")


def test_files_that_are_no_refs_are_passed_over_and_links_are_not_followed(
    at: Path, repo: Repos, tmp_path: Path
) -> None:
    """G20: a link in place of a ref is what it says; a link in place of a directory leads nowhere."""
    main = repo.main()
    main.set("a", b"1")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "ref").write_text(head(repo) + "\n")
    heads = at / "refs/heads"
    (heads / "linked").symlink_to(outside)
    (heads / "to-main").symlink_to("refs/heads/main")
    (heads / "away").symlink_to(outside / "ref")
    (heads / "x.lock").write_text("")
    (heads / ".hidden").write_text("?")
    assert repo.branch("linked/ref").find_head() is None
    assert repo.branch("to-main").head() == main.head()
    with pytest.raises(Corrupted):
        repo.branch("away").find_head()
    (heads / "away").unlink()
    (heads / "linked").unlink()
    assert repo.branches() == ["main", "to-main"]
    (heads / "linked").symlink_to(outside)
    with pytest.raises(StorageError):
        repo.branch("linked/new").set("x", b"y")
    assert sorted(p.name for p in outside.iterdir()) == ["ref"]


def test_a_branch_may_not_be_a_part_of_the_name_of_another(at: Path, repo: Repos) -> None:
    """git-spec 3.3: the refs below are not deleted; loose or packed."""
    main = repo.main()
    main.set("a", b"1")
    main.clone("x/y")
    for name in ("x", "x/y/z", "main/b"):
        with pytest.raises(StorageError, match=r"branch|refs"):
            main.clone(name)
    packed = "".join(f"{head(repo)} refs/heads/{name}\n" for name in ("main", "x/y"))
    (at / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + packed)
    (at / "refs/heads/x/y").unlink()
    (at / "refs/heads/main").unlink()
    for name in ("x", "x/y/z", "main/b"):
        with pytest.raises(StorageError, match=r"branch|refs"):
            main.clone(name)
    assert repo.branches() == ["main", "x/y"]
    repo.remove_branch("x/y")
    main.clone("x")
    assert repo.branches() == ["main", "x"]


def test_a_lock_that_somebody_holds_is_waited_for_and_never_removed(at: Path) -> None:
    """git-spec 3.3: a stale one is told, with its path."""
    with opened(at) as repo:
        repo.main().set("a", b"1")
    lock = at / "refs/heads/main.lock"
    lock.touch()
    with Repo.open(Git(str(at), durability="none"), SCHEMA, timeout=0.05) as repo:
        with pytest.raises(Locked) as caught:
            repo.main().set("a", b"2")
        assert caught.value.path == str(lock)
        assert lock.exists()
        assert repo.main().get("a") == b"1"
        repo.branch("other").set("a", b"3")
    with opened(at) as repo:
        # Longer than the test takes to remove it.
        timer = threading.Timer(0.1, lock.unlink)
        timer.start()
        repo.main().set("a", b"4")
        timer.join()
        assert repo.main().get("a") == b"4"


@pytest.mark.needs("git")
def test_moves_are_logged_where_the_repository_logs_them(tmp_path: Path) -> None:
    """A work tree has a log by default, a bare repository has none; the option decides over both."""
    for n, (bare, option, logged) in enumerate(
        [(True, None, False), (True, True, True), (False, None, True), (False, False, False)]
    ):
        at = tmp_path / str(n)
        with opened(at, bare=bare, reflog=option) as repo:
            repo.main().set("a", b"1")
            repo.main().set("a", b"2")
            lines = git(at, "reflog", "show", "main").splitlines()
            assert len(lines) == (2 if logged else 0)
            repo.remove_branch("main")
        assert not list(at.rglob("logs/refs/heads/main"))


@pytest.mark.needs("git")
def test_no_update_is_lost_between_git_and_us(at: Path) -> None:
    """G18: one thread counts by `git update-ref` with the old value, two by compare-and-set."""
    each = 12
    with opened(at) as repo:
        repo.main().set("n", b"0", message="0")

        def ours() -> None:
            for _ in range(each):
                repo.main().with_tree(
                    (),
                    lambda t: t.add("n", b"%d" % (int(t.get("n")) + 1)) if t else t,
                    message="+",
                    retries=10_000,
                )

        def theirs() -> None:
            done = 0
            while done < each:
                old = git(at, "rev-parse", "main").decode().strip()
                n = int(git(at, "cat-file", "blob", f"{old}:n")) + 1
                blob = git(at, "hash-object", "-w", "--stdin", data=b"%d" % n).decode().strip()
                tree = git(at, "mktree", data=f"100644 blob {blob}\tn\n".encode()).decode().strip()
                new = git(at, "commit-tree", "-p", old, "-m", "+", tree).decode().strip()
                try:
                    git(at, "update-ref", "refs/heads/main", new, old)
                except AssertionError:
                    continue  # somebody was quicker
                done += 1

        threads = [threading.Thread(target=work) for work in (ours, ours, theirs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert repo.main().get("n") == b"%d" % (3 * each)
        assert len(list(repo.main().log())) == 3 * each + 1
    strict(at)


# -- opening -----------------------------------------------------------------------------------------------------


def test_a_repository_is_opened_by_its_uri(tmp_path: Path) -> None:
    """A bare one is made; an option that makes no sense is an error."""
    at = tmp_path / "new"
    maker = Git.of_uri(
        str(at), {"durability": "none", "hash": "sha256", "reflog": "no", "pack": "7", "level": "1"}
    )
    assert maker == Git(str(at), durability="none", hash="sha256", reflog=False, pack=7, level=1)
    with Repo.open(maker) as repo:
        repo.main().set("a", b"1")
        assert repo.schema.hash.name == "sha256"
        both: Any = repo.main().find_all("a")
        assert both == (b"1", Mode.NORMAL)
    with Repo.open(Git(str(at))) as repo:
        assert repo.main().get("a") == b"1"
    for option in ("x=1", "bare=maybe", "level=-1", "hash=md5", "durability=some", "level=11", "pack=x"):
        name, _, value = option.partition("=")
        with pytest.raises((TypeError, StorageError), match=name):
            Git.of_uri(str(at), {name: value})
    with pytest.raises(TypeError, match="path"):
        Git.of_uri("", {})


def test_any_type_of_contents_reads_a_repository_and_no_other_format_does(at: Path, repo: Repos) -> None:
    """A repository records its object format, and no types."""
    repo.main().set("a", "é".encode())
    text: Schema[str, Mode] = Schema(String(), metadata=Modes(), hash=SHA1(), format=GitFormat())
    with Repo.open(Git(str(at)), text) as other:
        assert other.main().get("a") == "é"
    for wrong in (
        Schema(),
        Schema(format=Native(4, 4)),
        Schema(hash=SHA256(), metadata=Modes(), format=GitFormat()),
    ):
        with pytest.raises(SchemaMismatch):
            Git(str(at)).open(wrong, Options())
    with pytest.raises(SchemaMismatch):
        Git(str(at) + "2").open(Schema(), Options())
    assert not Path(str(at) + "2").exists()


def test_what_is_no_repository_is_not_made_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for name in ("file", "full"):
        with pytest.raises(NotAStore):
            Git(str(tmp_path / name)).open(None, Options())
    with pytest.raises(NotAStore):
        Git(str(tmp_path / "absent")).open(None, Options(create=False))
    with pytest.raises(NotAStore):
        Git(str(tmp_path / "absent")).open(None, Options(readonly=True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "full"]


@pytest.mark.needs("git")
def test_a_work_tree_is_left_alone(tmp_path: Path) -> None:
    """git-spec 3.2: its files are for git checkout."""
    git(tmp_path, "init", "-q", "-b", "main", "w")
    work = tmp_path / "w"
    (work / "a").write_text("by hand")
    git(work, "add", "a")
    git(work, "commit", "-qm", "first")
    with opened(work) as repo:
        assert repo.main().get("a") == b"by hand"
        repo.main().set("b", b"new")
    assert sorted(p.name for p in work.iterdir()) == [".git", "a"]
    git(work, "reset", "-q", "--hard")
    assert (work / "b").read_text() == "new"
    # `.git` may be a file that says where the repository is.
    git(tmp_path, "clone", "-q", "--separate-git-dir", "elsewhere", str(work), "v")
    with opened(tmp_path / "v") as repo:
        assert repo.main().get("b") == b"new"


CONFIGS: dict[str, str] = {
    "version 2": "[core]\nrepositoryformatversion = 2\n",
    "an extension": "[core]\nrepositoryformatversion = 1\n[extensions]\nfuture = 1\n",
    "reftable": "[core]\nrepositoryformatversion = 1\n[extensions]\nrefStorage = reftable\n",
    "another hash": "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = md5\n",
}


@pytest.mark.parametrize("why", CONFIGS)
def test_a_repository_that_asks_for_more_than_we_can_is_refused(at: Path, why: str) -> None:
    """G9."""
    opened(at).close()
    (at / "config").write_text(CONFIGS[why])
    with pytest.raises(UnsupportedVersion):
        opened(at)


def test_a_configuration_is_read_as_git_reads_it_and_nothing_is_run() -> None:
    """G18, G20: includes, hooks, commands and filters are words like others."""
    text = """
    # a comment
    [core] bare = true ; another
    \tfsmonitor = "/bin/false # no comment"
    \thooksPath = a\\\\b \\
    c
    bare
    [remote "Ori.gin \\"x\\""]
    \turl = git@host:x   # where
    [include]
    path = /etc/passwd
    [broken
    = nothing
    9key = 1
    """
    found = parse(text)
    assert found["core.bare"] == "true"
    assert found["core.fsmonitor"] == "/bin/false # no comment"
    assert found["core.hookspath"] == "a\\b c"
    assert found['remote.Ori.gin "x".url'] == "git@host:x"
    assert found["include.path"] == "/etc/passwd"
    assert len(found) == 5


def test_nothing_that_a_repository_asks_for_is_run(at: Path, tmp_path: Path) -> None:
    """G18, G19 of git-spec, G20: hooks, a monitor, an ssh command, an editor."""
    with opened(at) as repo:
        repo.main().set("a", b"1")
    trap = tmp_path / "trap"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {trap}\n")
    script.chmod(0o755)
    hooks = at / "hooks"
    hooks.mkdir()
    for name in (
        "pre-receive",
        "update",
        "post-update",
        "reference-transaction",
        "pre-commit",
        "post-commit",
    ):
        (hooks / name).symlink_to(script)
    with (at / "config").open("a") as file:
        file.write(
            f"[core]\nfsmonitor = {script}\nsshCommand = {script}\nhooksPath = {hooks}\n[include]\npath = /dev/zero\n"
        )
    with opened(at) as repo:
        repo.main().set("a", b"2")
        assert repo.main().get("a") == b"2"
        assert repo.check().ok
    assert not trap.exists()


# -- damage, and what is borrowed --------------------------------------------------------------------------------


def loose_file(at: Path, hash_: Hash) -> Path:
    return at / "objects" / hash_.hex()[:2] / hash_.hex()[2:]


BLOB = b"blob 5\0value"
BAD_LOOSE: dict[str, bytes] = {
    "nothing": b"",
    "no zlib": b"hello",
    "cut": zlib.compress(BLOB)[:-3],
    "something behind": zlib.compress(BLOB) + b"x",
    "other contents": zlib.compress(b"blob 5\0other"),
    "too long": zlib.compress(BLOB + b"!"),
    "too short": zlib.compress(BLOB[:-1]),
    "no type": zlib.compress(b"blub 5\0value"),
    "no length": zlib.compress(b"blob \0value"),
    "a length with a zero": zlib.compress(b"blob 05\0value"),
    "a negative length": zlib.compress(b"blob -5\0value"),
    "no end of the header": zlib.compress(b"blob 5"),
    "a bomb": zlib.compress(b"blob 5\0" + bytes(10**6)),
    "a huge length": zlib.compress(b"blob 99999999999999\0value"),
}


@pytest.mark.parametrize("why", BAD_LOOSE)
def test_a_damaged_object_is_never_given(at: Path, repo: Repos, why: str) -> None:
    """G02, G07: typed, with the file."""
    repo.main().set("a", b"value")
    file = loose_file(at, Hash(hashlib.sha1(BLOB).digest()))
    file.chmod(0o644)
    file.write_bytes(BAD_LOOSE[why])
    with opened(at) as again, pytest.raises(Corrupted):
        again.main().get("a")


def test_each_flipped_byte_of_an_object_is_found(at: Path, repo: Repos) -> None:
    """G07."""
    repo.main().set("a", b"value")
    hash_ = Hash(hashlib.sha1(BLOB).digest())
    file = loose_file(at, hash_)
    good = file.read_bytes()
    file.chmod(0o644)
    backend = repo._opened.backend
    found = 0
    for i in range(len(good)):
        flipped = bytearray(good)
        flipped[i] ^= 0x40
        file.write_bytes(bytes(flipped))
        try:
            assert backend.read(Kind.CONTENTS, hash_) == BLOB  # some bits of a stream mean nothing
        except Corrupted:
            found += 1
    assert found > len(good) - 5


@pytest.mark.needs("git")
def test_a_damaged_copy_does_not_matter_where_there_is_another(at: Path, repo: Repos) -> None:
    repo.main().set("a", b"value")
    hash_ = Hash(hashlib.sha1(BLOB).digest())
    good = loose_file(at, hash_).read_bytes()
    git(at, "gc", "-q", "--prune=now")
    loose_file(at, hash_).parent.mkdir(exist_ok=True)
    loose_file(at, hash_).write_bytes(good[:-2])
    assert repo._opened.backend.read(Kind.CONTENTS, hash_) == BLOB
    (pack,) = (at / "objects" / "pack").glob("*.pack")
    loose_file(at, hash_).write_bytes(good)
    data = bytearray(pack.read_bytes())
    pack.chmod(0o644)
    data[20:-20] = bytes(len(data) - 40)
    pack.write_bytes(bytes(data))
    with opened(at) as again:
        assert again._opened.backend.read(Kind.CONTENTS, hash_) == BLOB


@pytest.mark.needs("git")
def test_objects_are_borrowed_and_never_written_where_they_are_borrowed(
    at: Path, repo: Repos, tmp_path: Path
) -> None:
    """G8: relative, nested, with comments; not followed if that is not wanted."""
    repo.main().set("a", b"1")
    git(tmp_path, "clone", "-q", "--bare", "--shared", str(at), "second")
    git(tmp_path, "clone", "-q", "--bare", "--shared", "second", "third")
    (tmp_path / "third/objects/info/alternates").write_text(
        "# a comment\n\n../../second/objects\n/nowhere/at/all\n"
    )
    before = sorted(str(p) for p in at.rglob("*"))
    with opened(tmp_path / "third") as third:
        assert third.main().get("a") == b"1"
        third.main().set("b", b"2")
        assert third.check().ok
        assert [c.hex() for c in third._opened.backend.find_commits("")] == sorted(
            c.hash.hex() for c in third.main().log()
        )
    assert sorted(str(p) for p in at.rglob("*")) == before
    strict(tmp_path / "third")
    with opened(tmp_path / "third", alternates=False) as alone, pytest.raises(DanglingHash):
        alone.main().get("a")
    (at / "objects/info").mkdir(exist_ok=True)
    (at / "objects/info/alternates").write_text("../../third/objects\n")  # round in a circle
    with opened(tmp_path / "third") as third:
        assert third.main().get("a") == b"1"
        assert third._opened.backend.read(Kind.COMMIT, Hash(b"?" * 20)) is None


@pytest.mark.needs("git")
def test_a_shallow_repository_ends_where_it_ends(at: Path, repo: Repos, tmp_path: Path) -> None:
    """G11, GR-09."""
    for i in range(5):
        repo.main().set("a", b"%d" % i)
    git(tmp_path, "clone", "-q", "--bare", "--depth=2", f"file://{at}", "shallow")
    with opened(tmp_path / "shallow") as shallow:
        assert [c.hash for c in shallow.main().log()] == [c.hash for c in list(repo.main().log())[:2]]
        shallow.main().set("b", b"new")
        assert len(list(shallow.main().log())) == 3
    strict(tmp_path / "shallow")


def test_an_object_that_is_missing_dangles(at: Path, repo: Repos) -> None:
    """G10: as in a partial clone."""
    repo.main().set("a", b"value")
    loose_file(at, Hash(hashlib.sha1(BLOB).digest())).unlink()
    with opened(at) as again, pytest.raises(DanglingHash):
        again.main().get("a")


def test_what_an_object_is_called_is_what_it_is(at: Path, repo: Repos) -> None:
    """An object of another type is not found, loose or packed; the kind is the reader's claim."""
    repo.main().set("a", b"value")
    hash_ = Hash(hashlib.sha1(BLOB).digest())
    backend = repo._opened.backend
    for _ in range(2):
        assert backend.read(Kind.CONTENTS, hash_) == BLOB
        assert backend.read(Kind.NODE, hash_) is None
        assert backend.find_keys(Kind.COMMIT, [hash_]) == [None]
        repack(str(at))
    assert not loose_file(at, hash_).exists()


@pytest.mark.parametrize("error", [FileExistsError, FileNotFoundError])
def test_a_directory_that_git_removes_while_it_is_made_is_made_again(
    at: Path, repo: Repos, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    """A prune takes away directories of objects that are empty: between any two calls of ours."""
    mkdir, left = os.mkdir, [3]

    def removed(path: str, mode: int = 0o777) -> None:
        if os.path.basename(os.path.dirname(path)) == "objects" and left[0]:
            left[0] -= 1
            raise error(2, "somebody else was quicker", path)
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", removed)
    repo.main().set("a", b"1", message="a")
    assert not left[0]
    monkeypatch.undo()
    assert repo.main().get("a") == b"1"
    git(at, "fsck", "--strict")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_directory_that_cannot_be_written_is_a_storage_error(at: Path, repo: Repos) -> None:
    """G17."""
    repo.main().set("a", b"1")
    (at / "objects").chmod(0o555)
    try:
        with pytest.raises(StorageError):
            repo.main().set("a", b"2")
    finally:
        (at / "objects").chmod(0o755)
    assert repo.main().get("a") == b"1"


def test_modes_of_files_are_as_git_makes_them(at: Path, repo: Repos) -> None:
    """G21: objects cannot be written to."""
    repo.main().set("a", b"1")
    repo._opened.backend.write(_many(200))
    files = [p for p in (at / "objects").rglob("*") if p.is_file()]
    assert files
    assert all(p.stat().st_mode & 0o222 == 0 for p in files)
    assert not [p for p in files if p.name.startswith("tmp_")]


def _many(n: int) -> Objects:
    data = SCHEMA.codec.encode_contents([b"%d" % i for i in range(n)])
    return Objects(dict(zip(SCHEMA.codec.digest_many(data), data, strict=True)))


def test_an_object_is_never_replaced(at: Path, repo: Repos) -> None:
    """G14: whatever is there under a hash stays."""
    repo.main().set("a", b"value")
    file = loose_file(at, Hash(hashlib.sha1(BLOB).digest()))
    before = file.stat().st_ino
    repo.main().set("b", b"value")
    store = ObjectStore(str(at / "objects"), "sha1", 20)
    store.write_loose([(hashlib.sha1(BLOB).digest(), b"blob 5\0wrong")])
    assert file.stat().st_ino == before
    assert zlib.decompress(file.read_bytes()) == BLOB


def test_a_read_only_handle_and_a_closed_one(at: Path, repo: Repos) -> None:
    repo.main().set("a", b"1")
    with Repo.open(Git(str(at)), SCHEMA, readonly=True) as reader:
        assert reader.main().get("a") == b"1"
        with pytest.raises(ReadOnly):
            reader.main().set("a", b"2")
    with pytest.raises(StorageError, match="exclusive"):
        Git(str(at)).open(None, Options(exclusive=True))
    backend, _ = Git(str(at)).open(None, Options())
    heard: list[RefChange] = []
    backend.watch(heard.append)
    backend.close()
    repo.main().set("a", b"3")
    assert heard == []
    with pytest.raises(Closed):
        backend.refs()
    assert find(str(at / "refs")) is None
