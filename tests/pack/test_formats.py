"""The care of a pack in formats that are not native: what is walked, copied and mended goes by the format alone."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest

from irminpy import Proof, Repo, Schema, verify_proof
from irminpy.errors import SchemaMismatch
from irminpy.formats import Git, Inodes, Irmin, Irmin2, Tezos
from irminpy.hash import BLAKE2B, SHA1
from irminpy.objects import Node
from irminpy.tree import Tree
from irminpy_pack import Pack

SCHEMAS: list[Schema[bytes, Any]] = [
    Schema(hash=BLAKE2B(64), format=Irmin(Inodes(2, 3, "hash-bits"))),
    Schema(hash=SHA1(), format=Irmin2(Inodes(4, 4, "seeded"))),
    Schema(hash=BLAKE2B(32), format=Tezos()),
    Schema(hash=SHA1(), format=Irmin(None)),
    Schema(hash=SHA1(), format=Git()),
]

Logs = dict[str, list[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(autouse=True)
def no_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk over the index in a process of its own has its own tests, and takes a second each time."""
    monkeypatch.setattr("irminpy_pack.fsck.indexed.walk", lambda *_, **__: None)


def filled(path: Path, schema: Schema[bytes, Any], index: str) -> Logs:
    """Wide and deep directories, edits of few and of many entries, and values that are the bytes of directories."""
    chosen = random.Random(5)
    with Repo.open(Pack(str(path), index=index, durability="none"), schema) as repo:
        main = repo.main()
        for n in range(4):
            with main.edit(message=f"{n}") as ed:
                for i in range(100):
                    ed[f"wide/{chosen.randrange(300)}"] = b"%d" % (i % 7)
                ed[f"deep/{'/'.join('abcdef')}/{n}"] = b"deep"
        one = Tree.empty(schema).add("k", b"1")
        entry = b"\1" + schema.codec.digest(schema.codec.encode_contents([b"1"])[0])
        data = schema.codec.encode_node(["k"], entry[:1], entry[1:], [])
        assert isinstance(schema.codec.decode_node(data), Node)
        main.set_tree("alike", one.add_tree("d", one).add("v", data), message="alike")
        main.clone("side").set("x", b"side", message="side")
        main.set("wide/new", b"main", message="main")
        main.merge_with_branch("side", message="merge")
        main.remove("wide", message="narrow")
        return logs(repo)


def logs(repo: Repo[bytes, Any]) -> Logs:
    return {name: [str(commit.hash) for commit in repo.branch(name).log()] for name in repo.branches()}


def in_order(path: Path, schema: Schema[bytes, Any], index: str) -> Logs:
    """The histories of a store in which nothing is wrong."""
    report = Pack(str(path), index=index).fsck(schema, level="deep")
    assert report.findings == []
    with Repo.open(Pack(str(path), index=index), schema) as repo:
        assert repo.check().ok
        return logs(repo)


@pytest.mark.parametrize(
    ("schema", "index"),
    [(schema, ("minimal", "always")[i % 2]) for i, schema in enumerate(SCHEMAS)],
    ids=lambda value: value if isinstance(value, str) else value.describe(),
)
def test_a_pack_of_any_format_is_cared_for(
    path: Path, tmp_path: Path, schema: Schema[bytes, Any], index: str
) -> None:
    expected = filled(path, schema, index)
    assert in_order(path, schema, index) == expected
    pack = Pack(str(path), index=index)
    assert pack.recorded() == schema
    assert pack.quarantine(schema, directory=str(tmp_path / "q")).findings == []
    assert sum(len(row.refs) for row in pack.traverse(schema)) > 200
    assert all("damage" not in row.says for row in pack.traverse(schema))
    pack.rebuild_index()
    file = io.BytesIO()
    pack.export_snapshot(file, schema)
    file.seek(0)
    copy = tmp_path / "copy"
    Pack(str(copy), index=index).import_snapshot(file, schema)
    with Repo.open(pack, schema) as repo:
        repo.gc()
    assert in_order(path, schema, index) == expected
    assert in_order(copy, schema, index) == expected


@pytest.mark.parametrize("schema", SCHEMAS, ids=Schema.describe)
def test_proofs_are_made_of_trees_in_a_pack_but_for_those_of_git(
    path: Path, schema: Schema[bytes, Any]
) -> None:
    def read(tree: Tree[bytes, Any]) -> tuple[Tree[bytes, Any], Any]:
        return tree, (tree.find("d/k7"), tree.find("d/none"), tree.length("d"))

    with Repo.open(Pack(str(path), durability="none"), schema) as repo:
        main = repo.main()
        with main.edit(message="a") as edited:
            for i in range(60):
                edited[f"d/k{i}"] = b"%d" % i
        if schema.format.name == "git":
            with pytest.raises(SchemaMismatch, match="proofs"):
                main.produce_proof(read)
            return
        proof, result = main.produce_proof(read)
        root = main.head().tree_hash
    assert result == (b"7", None, 60)
    again = Proof.from_bytes(proof.to_bytes(), schema)
    assert verify_proof(again, read, schema, root=root)[1] == result
