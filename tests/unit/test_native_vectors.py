"""irminpy against the vectors of the native format, and the vectors against the sketch that wrote them."""

from __future__ import annotations

import json
import runpy
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from irminpy import hash as hashes
from irminpy.contents import Own, by_id
from irminpy.errors import DecodeError
from irminpy.formats import FlatNative, Native
from irminpy.hash import BLAKE3, Hash
from irminpy.info import Info
from irminpy.metadata import NoMetadata
from irminpy.metadata import Own as OwnMetadata
from irminpy.objects import Commit, Inode
from irminpy.reshape import apply
from irminpy.schema import Schema
from irminpy.shape import EMPTY, build, entries, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irminpy.formats import Codec
    from irminpy.shape import Load

# The second run of CI, with the core in Python, takes these too (decision 056).
pytestmark = pytest.mark.profiled

VECTORS = Path(__file__).parent.parent / "vectors" / "native"
# What follows the document without a line of irminpy.
SKETCH = SimpleNamespace(**runpy.run_path(str(VECTORS / "generate.py")))


def rows(name: str, key: str) -> list[Any]:
    found: list[Any] = json.loads((VECTORS / name).read_text())[key]
    return found


def loader(codec: Codec, nodes: dict[bytes, bytes]) -> Load:
    return lambda hash, word=0: codec.decode_node(nodes[hash])


def bindings(codec: Codec, first: int, last: int) -> dict[str, bytes]:
    return {f"k{i}": b"\1" + codec.digest(b"Bv%d" % i) for i in range(first, last)}


def directories() -> Iterator[Any]:
    for name in ("nodes.json", "inodes.json"):
        for row in rows(name, "directories"):
            yield pytest.param(row, id=f"{row['fanout']},{row['leaf']}: {row['name']}")


def test_the_files_are_what_the_sketch_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert SKETCH.main(["--check"]) == 0, capsys.readouterr().out


def test_the_first_vectors() -> None:
    """These seven were fixed before any code was written, and never change."""
    codec = Native().bind(BLAKE3())
    nodes: dict[bytes, bytes] = {}
    root, _ = apply(codec, loader(codec, nodes), nodes, EMPTY, bindings(codec, 0, 33))
    small = Native(2, 2).bind(BLAKE3())
    commit = codec.encode_commit(Commit(Hash(codec.empty)))
    found = {
        "contents of no bytes": codec.digest(codec.encode_contents([b""])[0]),
        "the empty directory": codec.empty,
        "k0 to k31": apply(codec, loader(codec, nodes), nodes, EMPTY, bindings(codec, 0, 32))[0],
        "k0 to k32": root,
        "k0 to k2, fan-out 2, leaf limit 2": apply(
            small, loader(small, nodes), nodes, EMPTY, bindings(small, 0, 3)
        )[0],
        "commit of the empty directory, no parents, date 0, empty author and message": codec.digest(commit),
        "identity of the default schema": Schema().identity,
    }
    first = json.loads((VECTORS / "first.json").read_text())
    assert {name: hash.hex() for name, hash in found.items()} == first["hashes"]
    assert len(nodes[root]) == first["bytes of the object of k0 to k32"]
    assert found["the empty directory"].hex() == (
        "f7072fe934ad8e00a57cf2fefae234775a589f69d3e536126e0af4bafccb703a"
    )
    assert found["k0 to k32"].hex() == "ab67bac817f3c02be6ed8690182bf55f294922cbeea3d51a08b6dc85e4eb3d74"


def untagged(tagged: list[Any]) -> Any:
    kind, *rest = tagged
    if kind == "nil":
        return None
    value = rest[0]
    if kind == "int":
        return int(value)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(value))[0]
    if kind == "bin":
        return bytes.fromhex(value)
    if kind == "list":
        return [untagged(item) for item in value]
    if kind == "map":
        return {untagged(key): untagged(below) for key, below in value}
    return value


@pytest.mark.parametrize("id", ["bytes", "string/1", "json/1", "json-object/1", "msgpack/1", "counter/1"])
def test_contents(id: str) -> None:
    codec, kind = Native().bind(BLAKE3()), by_id(id)
    tested = 0
    for row in rows("contents.json", "contents"):
        if row["type"] != id:
            continue
        value = untagged(row["value"] if "value" in row else row["repeated"])
        if "times" in row:
            value *= row["times"]
        data = kind.encode(value)
        assert len(data) == row["size"] if "size" in row else data.hex() == row["bytes"]
        assert kind.encode(kind.decode(data)) == data
        [stored] = codec.encode_contents([data])
        assert codec.digest(stored).hex() == row["hash"]
        assert codec.decode_contents(stored) == data
        tested += 1
    assert tested


@pytest.mark.parametrize("row", list(directories()))
def test_directories(row: Any) -> None:
    codec = Native(row["fanout"], row["leaf"]).bind(hashes.by_name(row["hash"]))
    if "generated" in row:
        given = bindings(codec, 0, row["generated"])
    else:
        given = {s: bytes([kind]) + bytes.fromhex(hash + meta) for s, kind, hash, meta in row["entries"]}
    nodes: dict[bytes, bytes] = {}
    kinds = bytes([entry[0] for entry in given.values()])
    metadata = {step: entry[33:] for step, entry in given.items() if entry[0] == 2}
    root = build(codec, nodes, list(given), kinds, [entry[1:33] for entry in given.values()], metadata)
    assert root.hex() == row["root"]
    assert sorted(hash.hex() for hash in nodes) == sorted(row["objects"])
    if isinstance(row["objects"], dict):
        assert {hash.hex(): data.hex() for hash, data in nodes.items()} == row["objects"]
    load = loader(codec, nodes)
    record = load(root)
    assert record.count == row["length"]
    assert dict(entries(load, record)) == given
    assert [step for step, _ in entries(load, record)] == row["order"]
    for offset, length, steps in row["pages"]:
        assert [step for step, _ in page(load, record, offset, length)][:10] == steps
    for hash, data in nodes.items():
        assert codec.digest(data) == hash
        found = codec.decode_node(data)
        if type(found) is Inode:
            assert codec.encode_inode(found.depth, found.buckets, found.counts, found.hashes) == data
    built: dict[bytes, bytes] = {}
    assert apply(codec, load, built, EMPTY, given) == (root, len(given))
    assert built == nodes


def test_digits() -> None:
    for row in rows("digits.json", "digits"):
        assert BLAKE3().digest(row["step"].encode()).hex() == row["hash"]
        for fanout, digits in row["digits"].items():
            codec = Native(int(fanout), 2).bind(BLAKE3())
            assert [codec.digit(row["step"], depth) for depth in range(len(digits))] == digits
            assert [codec.digit(row["step"], depth) for depth in range(len(digits))] == digits


def test_nested_directories() -> None:
    codec = Native().bind(BLAKE3())
    document = json.loads((VECTORS / "nested.json").read_text())
    nodes: dict[bytes, bytes] = {}

    def directory(below: dict[tuple[str, ...], bytes]) -> bytes:
        parts: dict[str, dict[tuple[str, ...], bytes]] = {}
        for path, data in below.items():
            parts.setdefault(path[0], {})[path[1:]] = data
        made: dict[str, bytes | None] = {
            step: b"\1" + codec.digest(b"B" + part[()]) if () in part else b"\0" + directory(part)
            for step, part in parts.items()
        }
        return apply(codec, loader(codec, nodes), nodes, EMPTY, made)[0]

    paths = {tuple(codec.steps(path)): bytes.fromhex(data) for path, data in document["paths"].items()}
    assert directory(paths).hex() == document["root"]
    assert {hash.hex(): data.hex() for hash, data in nodes.items()} == document["objects"]


@pytest.mark.parametrize(
    "row", rows("edits.json", "sequences"), ids=lambda row: f"{row['fanout']},{row['leaf']}"
)
def test_edits(row: Any) -> None:
    codec = Native(row["fanout"], row["leaf"]).bind(BLAKE3())
    nodes: dict[bytes, bytes] = {}
    load = loader(codec, nodes)
    root, _ = apply(codec, load, nodes, EMPTY, bindings(codec, 0, row["start"]))
    for what, step, expected, length in row["edits"]:
        i = int(step[1:])
        change = bindings(codec, i, i + 1)[step] if what == "add" else None
        root, count = apply(codec, load, nodes, load(root), {step: change})
        assert (root.hex(), count) == (expected, length), (what, step)


def test_commits() -> None:
    codec = Native().bind(BLAKE3())
    for row in rows("commits.json", "commits"):
        extra = {key: bytes.fromhex(value) for key, value in row["extra"].items()}
        info = Info(int(row["date"]), row["author"], row["message"], extra)
        commit = Commit(Hash.of_hex(row["node"]), tuple(map(Hash.of_hex, row["parents"])), info)
        data = codec.encode_commit(commit)
        assert data.hex() == row["bytes"], row["name"]
        assert codec.digest(data).hex() == row["hash"]
        assert codec.decode_commit(data) == commit


def test_schemas() -> None:
    def no_merge(old: Any, ours: Any, theirs: Any) -> Any:
        return ours

    for row in rows("schemas.json", "schemas"):
        name = row["hash"]
        own = name == "mine-256"
        function = hashes.Own(name, 32, hashes.SHA256().digest) if own else hashes.by_name(name)
        kind: Any = Own(row["contents"], bytes, bytes, no_merge)
        if (
            row["contents"] == "bytes"
            or row["contents"].split("/")[0] in "string json json-object msgpack counter"
        ):
            kind = by_id(row["contents"])
        metadata: Any = NoMetadata()
        if row["metadata"] != "none":
            metadata = OwnMetadata(row["metadata"], bytes.fromhex(row["default"]), bytes, bytes, no_merge)
        flat = row["format"] == "native-flat"
        format = FlatNative() if flat else Native(*row["parameters"])
        assert (format.name, format.version) == (row["format"], row["version"])
        schema = Schema(kind, metadata=metadata, hash=function, format=format)
        assert schema.identity.hex() == row["identity"], schema.describe()
        assert function.digest(bytes.fromhex(row["bytes"])) == schema.identity


@pytest.mark.parametrize("what", ["directory", "commit", "contents"])
def test_refused_bytes(what: str) -> None:
    tested = 0
    for row in rows("refused.json", "refused"):
        if row["what"] != what:
            continue
        data = bytes.fromhex(row["bytes"])
        if what == "contents":
            decode: Any = by_id(row["type"]).decode
        elif what == "commit":
            decode = Native().bind(BLAKE3()).decode_commit
        else:
            decode = Native(row["fanout"], row["leaf"]).bind(BLAKE3()).decode_node
        try:
            decode(data)
        except DecodeError:
            tested += 1
        else:
            pytest.fail(f"accepted: {row['rule']}: {data[:60]!r}")
    assert tested


def test_the_document_tells_the_first_vectors_and_its_own_example() -> None:
    document = (VECTORS.parents[2] / "docs" / "formats" / "native.md").read_text(encoding="utf-8")
    for hash in json.loads((VECTORS / "first.json").read_text())["hashes"].values():
        assert hash in document
    codec = Native(4, 3).bind(BLAKE3())
    nodes: dict[bytes, bytes] = {}
    root, _ = apply(codec, loader(codec, nodes), nodes, EMPTY, bindings(codec, 0, 6))
    assert root.hex() in document
    for hash in codec.decode_node(nodes[root]).hashes[0:8], codec.digest(b"Bv0")[:2]:
        assert hash.hex() in document
    assert "the order is k0, k5, k2, k1, k3, k4" in " ".join(
        document.replace("listing order is", "order is").split()
    )
