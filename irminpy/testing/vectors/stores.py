"""`store-*.json` and the directories beside them: real stores, read as they are, copied, and made again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from irminpy_upstream import IrminFs, IrminPack

from ... import sync
from ...formats.irmin import IrminCodec
from ...hash import Hash
from ...info import Info
from ...objects import Commit, Kind, Objects
from ...registry import maker_of_uri
from ...repo import Repo
from .objects import check_dump
from .report import Outcome, failed, same
from .values import STORES, of_bindings

__all__ = ["fs_store", "pack_store"]

_FAR = 1 << 30  # parents away: further than any history here goes


def fs_store(path: str, file: dict[str, Any]) -> Iterator[tuple[str, Outcome]]:
    """An irmin-fs directory: branches, commits and contents; a copy of it; its files, made from the contents."""
    schema = STORES["fs-blake2b"]
    branches = {row["branch"]: row["commit"] for row in file["branches"]}
    with (
        Repo.open(IrminFs(path), schema, readonly=True) as repo,
        Repo.open(maker_of_uri("mem:"), schema) as copy,
    ):
        heads = {name: repo.branch(name).head().hash.hex() for name in repo.branches()}
        yield "branches", same([("the branches", heads, branches)])
        for case in file["cases"]:
            yield f"commit {case['message']}", same(_commit(repo, case))
        report = repo.check()
        yield "check", None if report.ok else failed(str(report))
        sync.fetch_all(copy, repo, prefix="")
        yield "copy", same([("the refs", copy._opened.backend.refs(), repo._opened.backend.refs())])  # pyright: ignore[reportPrivateUsage]
        for case in file["cases"]:
            yield f"copy of commit {case['message']}", same(_commit(copy, case))
    with Repo.open(maker_of_uri("mem:"), schema) as repo:
        for case in file["cases"]:
            info = Info(case["date"], case["author"], case["message"])
            parents = [Hash.of_hex(parent) for parent in case["parents"]]
            made = repo.commit_tree(of_bindings(schema, case["contents"]), info=info, parents=parents)
            yield f"made again: {case['message']}", same([("the hash", made.hash.hex(), case["hash"])])
        for name, commit in branches.items():
            repo.branch(name).set_head(repo.commit(Hash.of_hex(commit)))
        ours = {name: data.hex() for name, data in fs_files(repo).items()}
    theirs = {os.path.normpath(row["file"]): row["hex"] for row in file["files"]}
    yield "files", same([("the files", ours, theirs)])


def pack_store(path: str, file: dict[str, Any]) -> Iterator[tuple[str, Outcome]]:
    """An irmin-pack directory: every commit ever made, found or collected, with its contents; each made again from
    these; a copy of all branches.
    """
    schema = STORES[file["store"]]
    branches = {row["branch"]: row["commit"] for row in file["branches"]}
    lower = file.get("lower_root")
    maker = IrminPack(path, None if lower is None else os.path.join(os.path.dirname(path), lower))
    yield "the schema that is found", same([("the schema", maker.default().describe(), schema.describe())])
    with (
        Repo.open(maker, schema, readonly=True) as repo,
        Repo.open(maker_of_uri("mem:"), schema) as copy,
    ):
        heads = {name: repo.branch(name).head().hash.hex() for name in repo.branches()}
        yield "branches", same([("the branches", heads, branches)])
        for case in file["cases"]:
            name = f"commit {case['message']}"
            if not case.get("readable", True):
                yield name, same([("a collected commit", repo.find_commit(Hash.of_hex(case["hash"])), None)])
                continue
            yield name, same(_commit(repo, case))
            if "contents" in case:
                yield f"made again: {case['message']}", same(_made(repo, case))
        report = repo.check()
        yield "check", None if report.ok else failed(str(report))
        # A collected history ends before its beginning.
        sync.fetch_all(copy, repo, prefix="", depth=_FAR)
        yield "copy", same([("the refs", copy._opened.backend.refs(), repo._opened.backend.refs())])  # pyright: ignore[reportPrivateUsage]
        hashes = [Hash.of_hex(case["hash"]) for case in file["cases"]]
        there = [hash_ for hash_ in hashes if repo.find_commit(hash_) is not None]
        copied = [hash_ for hash_ in hashes if copy.find_commit(hash_) is not None]
        yield "histories", same([("the commits", copied, there)])
        for case in file["cases"]:
            if copy.find_commit(Hash.of_hex(case["hash"])) is not None:
                theirs = {key: value for key, value in case.items() if key != "parents_readable"}
                yield f"copy of commit {case['message']}", same(_commit(copy, theirs))


def _made(repo: Repo[bytes, None], case: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The commit made of nothing but what the file says."""
    schema = repo.schema
    node = of_bindings(schema, case["contents"]).hash()
    yield "the root of the contents", node.hex(), case["tree_hash"]
    parents = tuple([Hash.of_hex(parent) for parent in case["parents"]])
    info = Info(case["date"], case["author"], case["message"])
    data = schema.codec.encode_commit(Commit.stored(Hash(node), parents, info))
    yield "the hash of the commit made again", schema.codec.digest(data).hex(), case["hash"]


def _commit(repo: Repo[bytes, None], case: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    commit = repo.commit(Hash.of_hex(case["hash"]))
    info = commit.info
    yield (
        "the date, author and message",
        [info.date, info.author, info.message],
        [case[field] for field in ("date", "author", "message")],
    )
    yield "the parents", [parent.hex() for parent in commit.parents], case["parents"]
    yield "the root", commit.tree_hash.hex(), case["tree_hash"]
    if "hash_string" in case:
        yield "the hash as text", repo.schema.codec.show_hash(commit.hash), case["hash_string"]
    if "parents_readable" in case:
        found = [repo.find_commit(parent) is not None for parent in commit.parents]
        yield "whether the parents are there", found, case["parents_readable"]
    yield from check_dump(commit.tree(), case)


def fs_files(repo: Repo[bytes, None]) -> dict[str, bytes]:
    """The files that irmin-fs has of `repo`: path in the directory to bytes."""
    codec = repo.schema.codec
    assert isinstance(codec, IrminCodec)
    objects: Objects = repo.export().objects
    files: dict[str, bytes] = {}
    for kind in Kind:
        skip = len(codec.domain(kind))
        for hash_, data in objects.of_kind(kind).items():
            digits = hash_.hex()
            files[os.path.join("objects", digits[:2], digits[2:])] = data[skip:]
    for name, head in repo._opened.backend.refs().items():  # pyright: ignore[reportPrivateUsage]
        files[os.path.join("refs", *name.split("/"))] = bytes(head)
    return files
