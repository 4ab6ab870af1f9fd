"""`repo.check()`: a walk over all objects with their hashes computed again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from irminpy import Corrupted, Hash, Info, Repo, Schema
from irminpy.check import Problem, check
from irminpy.contents import Json
from irminpy.errors import Closed
from irminpy.formats import Native
from irminpy.hash import BLAKE3
from irminpy.key import Key, hash_of_key
from irminpy.objects import CONTENTS, CONTENTS_META, DIRECTORY, Kind, Objects
from irminpy.objects import Commit as CommitVal
from irminpy.testing.strategies import bindings, schemas
from irminpy_mem import Memory

SMALL = Schema(format=Native(2, 2))


@pytest.fixture
def repo() -> Repo[bytes, None]:
    """Two commits of a directory with inner nodes."""
    repo = Repo.open(Memory(), SMALL, clock=lambda: 0)
    for i in range(2):
        with repo.main().edit("d", message=str(i)) as ed:
            for j in range(6):
                ed[f"{i}{j}"] = b"v%d%d" % (i, j)
    return repo


def objects_of(repo: Repo[Any, Any]) -> Objects:
    objects: Objects = repo._opened.backend._store.objects  # type: ignore[attr-defined]
    return objects


def faults(repo: Repo[Any, Any]) -> list[tuple[str, str]]:
    return [(problem.fault, problem.kind) for problem in repo.check().problems]


def with_root(schema: Schema[Any, Any], *objects: tuple[Kind, bytes]) -> Repo[Any, Any]:
    """A repository whose main is a commit of the last node of `objects`, none of them checked."""
    repo: Repo[Any, Any] = Repo.open(Memory(), schema)
    repo.main().set("x", b"" if schema == SMALL else 0)
    store, codec = objects_of(repo), schema.codec
    root = Hash(b"")
    for kind, data in objects:
        root = Hash(codec.digest(data))
        store.of_kind(kind)[root] = data
    val = codec.encode_commit(CommitVal(root, (), Info(0)))
    store.commits[codec.digest(val)] = val
    repo._opened.backend._store.refs["main"] = Hash(codec.digest(val))  # type: ignore[attr-defined]
    return repo


@given(bindings(20), schemas())
def test_what_was_written_is_in_order(items: dict[Any, bytes], schema: Schema[bytes, None]) -> None:
    repo = Repo.open(Memory(), schema)
    assert repo.check().to_json() == {
        "ok": True,
        "branches": 0,
        "commits": 0,
        "nodes": 0,
        "contents": 0,
        "problems": [],
    }
    with repo.main().edit(message="m", allow_empty=True) as ed:
        for path, value in items.items():
            ed[path] = value
    report = repo.check()
    assert report.ok, str(report)
    assert report.contents == len(set(items.values()))


def test_an_object_that_is_gone_is_dangling(repo: Repo[bytes, None]) -> None:
    """Each of them, whatever it is; and a problem says who refers to it."""
    store = objects_of(repo)
    before = repo.check()
    assert before.ok
    for kind in Kind:
        group = store.of_kind(kind)
        for hash_ in list(group):
            data = group.pop(hash_)
            (problem,) = repo.check().problems
            assert (problem.fault, problem.kind, problem.hash) == ("dangling", kind.name.lower(), hash_)
            assert problem.where.startswith("the ")
            group[hash_] = data
    assert repo.check() == before
    assert (before.branches, before.commits, before.contents) == (1, 2, 12)


def test_every_flipped_byte_is_a_hash_mismatch(repo: Repo[bytes, None]) -> None:
    store = objects_of(repo)
    for kind in Kind:
        group = store.of_kind(kind)
        for hash_, data in list(group.items()):
            for at in {0, len(data) // 2, len(data) - 1}:
                group[hash_] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                report = repo.check()
                assert ("hash-mismatch", hash_) in [(p.fault, p.hash) for p in report.problems]
            group[hash_] = data
    assert repo.check().ok


def test_all_problems_are_told_and_the_report_goes_to_json(repo: Repo[bytes, None]) -> None:
    store = objects_of(repo)
    for hash_ in list(store.contents)[:3]:
        del store.contents[hash_]
    report = repo.check()
    assert not report.ok
    assert len(report.problems) == 3
    value = json.loads(json.dumps(report.to_json()))
    assert value["ok"] is False
    assert value["problems"][0]["fault"] == "dangling"
    assert "problems: 3" in str(report)
    assert "dangling: contents" in str(report)


def test_bytes_that_are_not_canonical() -> None:
    """Their hash is right, and no encoder gives them."""
    node = SMALL.codec.encode_node([], b"", b"", [])
    assert faults(with_root(SMALL, (Kind.NODE, node + b"\0"))) == [("non-canonical", "node")]
    schema = Schema(Json())
    value = b"B[1, 2]"
    root = schema.codec.encode_node(["k"], bytes([CONTENTS]), schema.codec.digest(value), [])
    assert faults(with_root(schema, (Kind.CONTENTS, value), (Kind.NODE, root))) == [
        ("non-canonical", "contents")
    ]
    # Metadata in a schema that has none.
    root = SMALL.codec.encode_node(["k"], bytes([CONTENTS_META]), SMALL.codec.digest(b"B"), [b"x"])
    assert faults(with_root(SMALL, (Kind.CONTENTS, b"B"), (Kind.NODE, root)))[0] == ("non-canonical", "node")


def test_wrong_kinds() -> None:
    """An object that is stored as another kind, and one whose bytes are of another kind."""
    value = SMALL.codec.digest(b"Bv")
    root = SMALL.codec.encode_node(["d"], bytes([DIRECTORY]), value, [])
    assert faults(with_root(SMALL, (Kind.CONTENTS, b"Bv"), (Kind.NODE, root))) == [("wrong-kind", "node")]
    assert faults(with_root(SMALL, (Kind.NODE, b"Bv"), (Kind.NODE, root))) == [("wrong-kind", "node")]


def bucket_faults(shape: str) -> list[tuple[str, str]]:
    """The faults of a directory whose inner node lies in the way that `shape` says."""
    codec = SMALL.codec
    objects: list[tuple[Kind, bytes]] = [(Kind.CONTENTS, b"Bv")]
    value = codec.digest(b"Bv")

    def leaf(*steps: str) -> bytes:
        data = codec.encode_node(sorted(steps), bytes([CONTENTS]) * len(steps), value * len(steps), [])
        objects.append((Kind.NODE, data))
        return codec.digest(data)

    def inode(depth: int, counts: list[int], *children: bytes, buckets: bytes = b"\0\1") -> bytes:
        data = codec.encode_inode(depth, buckets, counts, b"".join(children))
        objects.append((Kind.NODE, data))
        return codec.digest(data)

    by: dict[tuple[int, int], list[str]] = {(a, b): [] for a in (0, 1) for b in (0, 1)}
    for i in range(60):
        by[codec.digit(str(i), 0), codec.digit(str(i), 1)].append(str(i))
    zz, zo, oz = by[0, 0], by[0, 1], by[1, 0]
    match shape:
        case "right":
            inode(0, [3, 1], inode(1, [2, 1], leaf(*zz[:2]), leaf(zo[0])), leaf(oz[0]))
        case "swapped":
            inode(0, [1, 2], leaf(oz[0]), leaf(*zz[:2]))
        case "mixed":
            inode(0, [2, 1], leaf(zz[0], oz[0]), leaf(oz[1]))
        case "count":
            inode(0, [1, 2], leaf(*zz[:2]), leaf(*oz[:2]))
        case "deep step":  # right at its own level, wrong at the one above
            inode(0, [3, 1], inode(1, [2, 1], leaf(*oz[:2]), leaf(zo[0])), leaf(oz[2]))
        case "deep digit":  # all below share a digit that is not the bucket's
            inode(0, [1, 3], leaf(oz[2]), inode(1, [2, 1], leaf(*zz[:2]), leaf(zo[0])))
        case "depth":
            inode(0, [3, 1], inode(2, [2, 1], leaf(*zz[:2]), leaf(zo[0])), leaf(oz[0]))
        case "root":
            inode(1, [2, 1], leaf(*zz[:2]), leaf(zo[0]))
    return faults(with_root(SMALL, *objects))


@pytest.mark.parametrize("shape", ["swapped", "mixed", "count", "deep step", "deep digit", "depth", "root"])
def test_steps_counts_and_depths_below_inner_nodes(shape: str) -> None:
    assert bucket_faults("right") == []
    assert bucket_faults(shape) == [("wrong-bucket", "node")]


def test_nodes_that_share_buckets_again_and_again_are_walked_once() -> None:
    """Sixty levels whose two buckets are one and the same: a walk that follows every path would never end."""
    codec = SMALL.codec
    leaf = codec.encode_node(["a", "b"], bytes([CONTENTS]) * 2, codec.digest(b"Bv") * 2, [])
    objects = [(Kind.CONTENTS, b"Bv"), (Kind.NODE, leaf)]
    child, count = codec.digest(leaf), 2
    for depth in reversed(range(60)):
        data = codec.encode_inode(depth, b"\0\1", [count, count], child * 2)
        objects.append((Kind.NODE, data))
        child, count = codec.digest(data), 2 * count
    assert faults(with_root(SMALL, *objects)) == [("wrong-bucket", "node")]


class Checking:
    """A reader that refuses damaged objects, as a store on a disk does."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        data: bytes | None = self.reader.read(kind, key)
        if data is not None and BLAKE3().digest(data) != hash_of_key(key):
            raise Corrupted("a file", 7, hash_of_key(key), "flipped")
        return data

    def read_many(self, kind: Kind, keys: Any, /) -> list[bytes | None]:
        return [self.read(kind, key) for key in keys]


def test_objects_that_the_backend_refuses_do_not_end_the_check(repo: Repo[bytes, None]) -> None:
    store = objects_of(repo)
    damaged = list(store.contents)[:2]
    for hash_ in damaged:
        store.contents[hash_] += b"x"
    backend = repo._opened.backend
    report = check(Checking(backend), backend.refs(), SMALL.codec, bytes, bytes)
    assert {problem.hash for problem in report.problems} == set(damaged)
    assert {problem.fault for problem in report.problems} == {"unreadable"}
    assert report.contents == 10
    assert isinstance(report.problems[0], Problem)


def test_commits_that_no_branch_leads_to_are_checked_by_name(repo: Repo[bytes, None]) -> None:
    detached = repo.at("main")
    own = detached.set("own", b"only here")
    assert own is not None
    head = repo.main().head()
    before = repo.check()
    with_own = repo.check([own])
    assert (with_own.branches, with_own.commits, with_own.contents) == (1, 3, before.contents + 1)
    assert repo.check(roots=[own.hash, head]).to_json() == with_own.to_json()
    value = repo.find_key(own.tree().get_tree("own"))
    assert value is not None
    objects = objects_of(repo).contents
    del objects[hash_of_key(value.key)]
    assert repo.check().ok
    (problem,) = repo.check([own]).problems
    assert (problem.fault, problem.hash) == ("dangling", hash_of_key(value.key))
    (problem,) = repo.check([Hash(b"x" * 32)], shallow=True).problems
    assert (problem.fault, problem.where) == ("dangling", "the commits to check")


def test_parents_that_are_gone_are_no_problem_where_the_caller_says_so(repo: Repo[bytes, None]) -> None:
    """GR-12: but what is there is checked, and heads must be there."""
    head = repo.main().head()
    commits = objects_of(repo).commits
    del commits[head.parents[0]]
    assert faults(repo) == [("dangling", "commit")]
    report = repo.check(shallow=True)
    assert report.ok
    assert report.commits == 1
    del objects_of(repo).nodes[head.tree_hash]
    assert [p.kind for p in repo.check(shallow=True).problems] == ["node"]
    del commits[head.hash]
    assert [p.kind for p in repo.check(shallow=True).problems] == ["commit"]


def test_a_closed_repository_is_not_checked(repo: Repo[bytes, None]) -> None:
    repo.close()
    with pytest.raises(Closed):
        repo.check()
