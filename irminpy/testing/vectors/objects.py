"""`trees-*.json`, `commits-*.json`, `inodes-*.json`: roots, pre-images, commits, child order, list order and pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...commit import Commit as Handle
from ...formats import Irmin2
from ...hash import Hash
from ...info import Info
from ...objects import Commit, Inode, Kind, Node
from ...repo import Repo
from ...repr.base import is_dict, is_list
from ...schema import Schema
from ...shape import bucket
from ...tree import Tree
from ...tree.lazy import Stored
from .report import Decided, Outcome, failed, same
from .values import Bound, digest_of, of_bindings, of_concrete, path_of, shown

__all__ = ["commits", "inodes", "trees"]

Named = Iterator[tuple[str, Outcome]]
_HEAD = 64


def trees(repo: Repo[bytes, None], file: dict[str, Any]) -> Named:
    """Trees with all their objects."""
    for case in file["cases"]:
        yield case["name"], _tree(repo, case)


def commits(repo: Repo[bytes, None], file: dict[str, Any]) -> Named:
    """Commits, each with its tree."""
    for case in file["cases"]:
        tree = of_concrete(repo.schema, case["tree_concrete"])
        yield case["name"], same(_commit_checks(repo, tree, case["commit"]))


def _preimage(data: bytes, case: dict[str, Any]) -> tuple[str, Any, Any]:
    if "preimage" in case:
        return "the pre-image", data.hex(), case["preimage"]
    ours = (len(data), data[:_HEAD].hex())
    return "the pre-image", ours, (case["preimage_len"], case["preimage_head"])


def _commit_checks(repo: Repo[bytes, None], tree: Bound, case: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Make the commit through the repository, as a user does, and look at all of it."""
    codec = repo.schema.codec
    info = Info(case["date"], case["author"], case["message"])
    parents = [Hash.of_hex(parent) for parent in case["parents"]]
    val = Commit.stored(Hash.of_hex(case["tree_hash"]), tuple(parents), info)
    # Given in another order: Irmin sorts them.
    if all(repo.find_commit(parent) is not None for parent in parents):
        commit = repo.commit_tree(tree, info=info, parents=parents[::-1])
        again = repo.commit(commit.hash).to_bytes()
    else:
        # The file is a selection, without the commits that this one stands on.
        node = Hash(tree.hash())
        made = Commit.stored(node, codec.parents(parents[::-1]), info)
        again = codec.encode_commit(made)
        commit = made_of(repo, Hash(codec.digest(again)), made)
    data = commit.to_bytes()
    plain = Irmin2(None).bind(repo.schema.hash)  # how commits are stored, whatever is hashed
    checks = [
        ("the tree", commit.tree_hash.hex(), case["tree_hash"]),
        ("the parents", [parent.hex() for parent in commit.parents], case["parents"]),
        ("the hash", commit.hash.hex(), case["hash"]),
        ("the hash as text", codec.show_hash(commit.hash), case["hash_string"]),
        ("the hash of the text", codec.read_hash(case["hash_string"]), commit.hash),
        ("the digest of the bytes", codec.digest(data).hex(), case["hash"]),
        ("the commit of the bytes", codec.decode_commit(data), val),
        ("the commit read again", again, data),
        _preimage(data, case),
    ]
    if "bin" in case:
        checks.append(("the stored form", plain.encode_commit(val).hex(), case["bin"]))
    return checks


def made_of(repo: Repo[bytes, None], hash: Hash, val: Commit) -> Handle[bytes, None]:
    """The commit `val` as a handle, without a repository that holds it."""
    return Handle(repo.home, hash, val)


def _tree(repo: Repo[bytes, None], case: dict[str, Any]) -> Outcome:
    schema, codec = repo.schema, repo.schema.codec
    tree = of_bindings(schema, case["bindings"])
    checks: list[tuple[str, Any, Any]] = [
        ("the root", tree.hash().hex(), case["root_hash"]),
        ("the root as text", codec.show_hash(tree.hash()), case["root_hash_string"]),
    ]
    if "commit" in case:
        checks += _commit_checks(repo, tree, case["commit"])
    else:
        repo.save_tree(tree)
    stored = Tree.shallow(repo, tree.kinded_hash())
    checks += _objects(repo, stored, case["objects"])
    outcome = same(checks)
    if outcome is None and "commit_error" in case:
        # Irmin refuses to commit the empty tree there; we do not.
        made = repo.commit_tree(tree, info=Info())
        ours = codec.decode_commit(made.to_bytes())
        if ours.node != codec.empty or not case["commit_error"].startswith("Failure"):
            return failed(f"Irmin says {case['commit_error']}")
        return Decided("empty-root")
    return outcome


def _objects(
    repo: Repo[bytes, None], tree: Bound, objects: list[dict[str, Any]]
) -> Iterator[tuple[str, Any, Any]]:
    """Every object of the tree, read back from the backend."""
    codec = repo.schema.codec
    backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
    plain = Irmin2(None).bind(repo.schema.hash)
    for row in objects:
        path = path_of(row["path"])
        below = tree.get_tree(path)
        kind = Kind.NODE if row["kind"] == "node" else Kind.CONTENTS
        what = f"of /{'/'.join(path)[:80]}"
        hash_ = below.hash()
        yield f"the hash {what}", hash_.hex(), row["hash"]
        data = backend.read(kind, hash_)
        if data is None and hash_ == codec.empty:
            data = codec.encode_node([], b"", b"", [])
        if data is None:
            yield f"the object {what}", None, row["hash"]
            continue
        yield _preimage(data, row)
        yield f"the digest {what}", codec.digest(data).hex(), row["hash"]
        if kind is Kind.NODE:
            yield f"the length {what}", below.length(), row["length"]
            record = codec.decode_node(data)
            if "bin" in row and type(record) is Node:
                columns = (list(record.index), record.kinds, record.hashes, list(record.metadata.values()))
                yield f"the stored form {what}", plain.encode_node(*columns).hex(), row["bin"]
        else:
            value = codec.decode_contents(data)
            yield f"the length {what}", len(value), row["len"]
            if "bin" in row:
                yield f"the stored form {what}", value.hex(), row["bin"]


def inodes(repo: Repo[bytes, None], file: dict[str, Any]) -> Named:
    """Large directories: their inodes, and the order in which they are listed."""
    schema = repo.schema
    for row in file["child_order"]:
        step, order = row["step"], row["index_by_depth"]
        ours = [schema.codec.digit(step, depth) for depth in range(len(order))]
        yield f"child order of {step}", same([("the child order", ours, order)])
    for case in file["nested"]:
        yield case["name"], _tree(repo, case)
    for case in file["cases"]:
        yield f"n={case['n']}", same(_large(repo, case))
        yield f"n={case['n']} in memory", _in_memory(schema, case)


def _entries(schema: Schema[bytes, None], n: int) -> Bound:
    return of_bindings(schema, [([f"k{i}"], f"v{i}") for i in range(n)])


def _steps(tree: Bound, offset: int = 0, length: int | None = None) -> list[str]:
    return [step for step, _ in tree.list((), offset=offset, length=length)]


def _in_memory(schema: Schema[bytes, None], case: dict[str, Any]) -> Outcome:
    """Irmin sorts a tree that was never saved. We list it as the one that is read back."""
    ours, theirs = _steps(_entries(schema, case["n"])), case.get("list_order_in_memory")
    if theirs is None:  # of the largest, only the hashes are there
        stored = sorted(ours) == sorted(f"k{i}" for i in range(case["n"]))
        return None if stored else failed("a list without some of the entries")
    if ours == theirs:
        return None
    expected = case["list_order_from_store"]
    if theirs == sorted(expected) and ours == expected:
        return Decided("list-order")
    return failed(f"the list in memory is {ours!r:.200}, Irmin has {theirs!r:.200}")


def _large(repo: Repo[bytes, None], case: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    n, codec = case["n"], repo.schema.codec
    tree = _entries(repo.schema, n)
    yield "the root", tree.hash().hex(), case["root_hash"]
    yield "the root as text", codec.show_hash(tree.hash()), case["root_hash_string"]
    yield from _commit_checks(repo, tree, case["commit"])
    backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
    data = backend.read(Kind.NODE, tree.hash())
    if data is None:
        yield "the root in the store", None, case["root_hash"]
        return
    yield _preimage(data, case)
    record = codec.decode_node(data)
    yield "whether it is flat", type(record) is Node and record.count <= codec.flat, case["stable"]
    fewer = tree
    for i in range(0, n, 2):
        fewer = fewer.remove((f"k{i}",))
    yield "the root after removals", fewer.hash().hex(), case["root_hash_after_removing_even_i"]
    again = Tree.empty(repo.schema).edit()
    for i in range(1, n, 2):
        again.add((f"k{i}",), b"v%d" % i)
    yield "the root of the rest", again.tree().hash().hex(), case["root_hash_after_removing_even_i"]
    stored = Tree.shallow(repo, tree.kinded_hash())
    if "list_order_from_store" in case:
        yield "the list", _steps(stored), case["list_order_from_store"]
    if "list_offset3_length5" in case:
        yield "the page", _steps(Tree.shallow(repo, tree.kinded_hash()), 3, 5), case["list_offset3_length5"]
    if case.get("inode") is not None:
        yield from _structure(repo, stored, case["inode"])


def _structure(
    repo: Repo[bytes, None], tree: Bound, expected: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """The inodes as they are stored; those of a directory that is hashed flat are made of its entries."""
    codec = repo.schema.codec
    directory = tree._settled()  # pyright: ignore[reportPrivateUsage]
    assert isinstance(directory, Stored)
    load = directory.source.node
    record = directory.record()
    if type(record) is Node and record.count > codec.leaf:
        yield from _virtual(repo.schema, tree, expected)
        return
    stack: list[tuple[Node | Inode, dict[str, Any]]] = [(record, expected)]
    while stack:
        record, row = stack.pop()
        if type(record) is Node:
            yield "the steps of a bucket", list(record.index), row.get("values")
            continue
        assert type(record) is Inode
        yield "the depth of an inode", record.depth, row.get("depth")
        yield "the length of an inode", record.count, row.get("length")
        pointers = row.get("pointers", [])
        yield "the indices of an inode", list(record.buckets), [pointer["index"] for pointer in pointers]
        for i, pointer in enumerate(pointers):
            yield "the hash of a bucket", record.child(i).hex(), pointer["hash"]
            child = bucket(load, record, i)
            if "preimage" in pointer:
                data = repo._opened.backend.read(Kind.NODE, Hash(record.child(i)))  # pyright: ignore[reportPrivateUsage]
                yield "the pre-image of a bucket", data and data.hex(), pointer["preimage"]
            stack.append((child, pointer["tree"]))


def _virtual(
    schema: Schema[bytes, None], tree: Bound, expected: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """The inodes that a flat directory stands for, bottom up, by the codec alone."""
    codec = schema.codec
    entries = {step: child.hash() for step, child in tree.list(())}

    def build(steps: list[str], depth: int) -> tuple[bytes, Any]:
        if len(steps) <= codec.leaf:
            steps.sort(key=codec.order)
            kinds = b"\1" * len(steps)
            data = codec.encode_bucket(steps, kinds, b"".join([entries[step] for step in steps]), [])
            return data, {"values": steps}
        groups = codec.split(steps, codec.keys(steps), range(len(steps)), depth)
        pointers: list[Any] = []
        hashes: list[bytes] = []
        for digit, rows in enumerate(groups):
            if rows:
                data, below = build([steps[i] for i in rows], depth + 1)
                hashes.append(codec.digest(data))
                pointers.append(
                    {"index": digit, "hash": hashes[-1].hex(), "preimage": data.hex(), "tree": below}
                )
        indices = bytes([pointer["index"] for pointer in pointers])
        row = {"depth": depth, "length": len(steps), "pointers": pointers}
        return codec.encode_inode(depth, indices, [len(steps)], b"".join(hashes)), row

    _, ours = build(list(entries), 0)
    yield "the inodes", _like(ours, expected), expected


def _like(ours: Any, expected: Any) -> Any:
    """`ours` without the fields that `expected` leaves out: pre-images of large inodes."""
    if is_dict(ours) and is_dict(expected):
        return {key: _like(ours[key], expected[key]) for key in expected if key in ours}
    if is_list(ours) and is_list(expected) and len(ours) == len(expected):
        return [_like(a, b) for a, b in zip(ours, expected, strict=True)]
    return ours


def dump(tree: Bound) -> list[Any]:
    """`[[path, contents], …]` in sorted order, as the files have them."""

    def row(path: tuple[str, ...], value: bytes, acc: list[Any]) -> list[Any]:
        acc.append([[shown(step.encode("utf-8", "surrogateescape")) for step in path], shown(value)])
        return acc

    return tree.fold([], contents=row, order="sorted")


def check_dump(tree: Bound, case: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """`contents` of a case, and what else there is about them."""
    rows = dump(tree)
    if "contents" in case:
        theirs = [[list(path), value] for path, value in case["contents"]]
        yield "the contents", rows, theirs
    if "contents_count" in case:
        yield "the number of contents", len(rows), case["contents_count"]
    if "contents_sha256" in case:
        yield "the digest of the contents", digest_of(rows), case["contents_sha256"]
