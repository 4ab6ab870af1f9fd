"""Slices: GR-09 to GR-11, TC-059, and that damaged bytes change nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from irminpy import (
    Commit,
    Corrupted,
    DanglingHash,
    DecodeError,
    Hash,
    Info,
    IrminError,
    Repo,
    Schema,
    SchemaMismatch,
    StorageError,
    UnsupportedVersion,
)
from irminpy.contents import Json, String
from irminpy.errors import InvalidHash
from irminpy.formats import FlatNative, Native
from irminpy.objects import CONTENTS, DIRECTORY, Kind
from irminpy.objects import Commit as CommitVal
from irminpy.slice import Limits, Slice
from irminpy.testing.strategies import bindings, schemas
from irminpy_mem import Memory

SMALL = Schema(format=Native(2, 2))


def opened(schema: Schema[bytes, None] = SMALL) -> Repo[bytes, None]:
    return Repo.open(Memory(), schema, clock=lambda: 0)


@pytest.fixture
def repo() -> Repo[bytes, None]:
    """Four commits in a line, with inner nodes."""
    repo = opened()
    main = repo.main()
    for i in range(4):
        with main.edit("d", message=str(i)) as ed:
            for j in range(4):
                ed[f"{i}{j}"] = b"v%d%d" % (i, j)
    return repo


def line(repo: Repo[bytes, None]) -> list[Commit[bytes, None]]:
    return list(reversed(list(repo.main().log())))


def everything(repo: Repo[Any, Any]) -> set[tuple[Kind, bytes]]:
    """All that a memory store holds."""
    objects = repo._opened.backend._store.objects  # type: ignore[attr-defined]
    return {(kind, hash_) for kind in Kind for hash_ in objects.of_kind(kind)}


def commits_of(slice: Slice) -> list[bytes]:
    return list(slice.objects.commits)


def test_a_slice_of_all_copies_a_repository(repo: Repo[bytes, None]) -> None:
    """GR-09, GR-11: no branch is touched; a second import writes nothing."""
    slice_ = repo.export()
    other = opened()
    assert other.import_(slice_) == len(slice_) > 20
    assert other.branches() == []
    (head,) = slice_.heads
    store = other.main()
    assert store.find_head() is None
    copied = other.commit(head)
    assert copied.tree() == repo.main().tree()
    assert dict(copied.tree().get_tree("d").list())
    assert len(other.closure([copied])) == 4
    assert other.import_(slice_) == 0


def test_the_bounds_of_an_export(repo: Repo[bytes, None]) -> None:
    """GR-08, GR-09: max, min and depth as in the closure; without full commits only."""
    a, b, c, d = (commit.hash for commit in line(repo))
    assert commits_of(repo.export(full=False)) == [a, b, c, d]
    assert commits_of(repo.export(max=[b])) == [a, b]
    assert commits_of(repo.export(max=[d], min=[b])) == [b, c, d]
    assert commits_of(repo.export(depth=0)) == [d]
    assert commits_of(repo.export(depth=2)) == [b, c, d]
    assert commits_of(repo.export(max=[])) == []
    bare = repo.export(full=False)
    assert not bare.objects.nodes
    assert not bare.objects.contents
    for depth in (-1, True, "1"):
        with pytest.raises(DecodeError, match="not a valid depth"):
            repo.export(depth=depth)  # type: ignore[arg-type]
    with pytest.raises(DanglingHash):
        repo.export(max=[Hash(b"x" * 32)])
    assert commits_of(repo.export(min=[Hash(b"x" * 32)])) == [a, b, c, d]


def test_what_min_holds_is_left_out_and_must_be_there(repo: Repo[bytes, None]) -> None:
    """GR-09, GR-11: an incremental slice fits a store that has the commits of min."""
    commits = line(repo)
    first, second = repo.export(max=[commits[1]]), repo.export(min=[commits[1]])
    assert not first.objects.contents.keys() & second.objects.contents.keys()
    assert not first.objects.nodes.keys() & second.objects.nodes.keys()
    other = opened()
    with pytest.raises(DanglingHash):
        other.import_(second)
    assert everything(other) == set()
    other.import_(first)
    other.import_(second)
    assert first.bounds == frozenset()
    assert second.bounds == {commits[1].hash}
    assert repo.export(min=[Hash(b"x" * 32), commits[0]]).bounds == {commits[0].hash}
    assert repo.export(full=False, min=[commits[1]]).bounds == frozenset()
    assert other.commit(commits[3].hash).tree() == repo.main().tree()
    assert everything(other) >= {(kind, hash_) for kind, hash_, _ in repo.export()}


def test_a_part_of_a_history_is_imported_only_as_such(repo: Repo[bytes, None]) -> None:
    """GR-09, GR-11: parents that are nowhere need `shallow`; trees are always needed."""
    other = opened()
    with pytest.raises(DanglingHash):
        other.import_(repo.export(depth=1))
    with pytest.raises(DanglingHash):
        other.import_(repo.export(full=False), shallow=True)
    assert everything(other) == set()
    other.import_(repo.export(depth=1), shallow=True)
    (head,) = repo.heads()
    assert other.commit(head.hash).tree() == head.tree()
    assert len(other.closure([head.hash])) == 2
    assert len(other.export(max=[head.hash]).objects.commits) == 2


@given(bindings(12), bindings(12), schemas())
def test_round_trips(one: dict[Any, bytes], two: dict[Any, bytes], schema: Schema[bytes, None]) -> None:
    """GR-10, TC-059: bytes and JSON give an equal slice, whatever it holds."""
    repo = opened(schema)
    for some in (one, two):
        with repo.main().edit(message="m") as ed:
            for path, value in some.items():
                ed[path] = value
    slice_ = repo.export()
    again = Slice.from_bytes(slice_.to_bytes(), schema)
    assert again == slice_
    assert again.to_bytes() == slice_.to_bytes()
    assert Slice.from_json(json.loads(json.dumps(slice_.to_json())), schema) == slice_
    built = Slice.empty(schema)
    for kind, hash_, data in slice_.iter():
        assert built.add(kind, data) == hash_
    built.heads = slice_.heads
    assert built == slice_
    other = opened(schema)
    assert other.import_(again) == len(slice_)
    for head in again.heads:
        other.branch("main").set_head(other.commit(head))
    assert other.check().ok


def test_a_slice_with_bounds_round_trips_and_has_a_version_of_its_own(repo: Repo[bytes, None]) -> None:
    """GR-10."""
    commits = line(repo)
    slice_ = repo.export(min=[commits[2], commits[0]])
    assert slice_.to_bytes()[8] == 3
    assert repo.export().to_bytes()[8] == 1
    again = Slice.from_bytes(slice_.to_bytes(), SMALL)
    assert again == slice_
    assert again.bounds == {commits[2].hash, commits[0].hash}
    assert again.to_bytes() == slice_.to_bytes()
    assert Slice.from_json(json.loads(json.dumps(slice_.to_json())), SMALL) == slice_
    again.bounds = frozenset()
    assert again != slice_
    older = bytearray(slice_.to_bytes())
    older[8] = 2
    with pytest.raises(DecodeError, match="an unknown frame, 7"):
        Slice.from_bytes(bytes(older), SMALL)
    with pytest.raises(DecodeError, match="a bound of 5 bytes"):
        Slice.from_bytes(resealed(head_of(SMALL, 3) + frame(7, b"short"), 0), SMALL)


def test_a_stream_is_read_to_the_end_of_its_slice(repo: Repo[bytes, None], tmp_path: Path) -> None:
    file = tmp_path / "slices"
    first, second = repo.export(depth=0), repo.export()
    with file.open("wb") as out:
        first.write(out)
        second.write(out)
    with file.open("rb") as source:
        assert Slice.read(source, SMALL) == first
        assert Slice.read(source, SMALL) == second
        with pytest.raises(DecodeError, match="too early"):
            Slice.read(source, SMALL)
    with pytest.raises(DecodeError, match="trailing"):
        Slice.from_bytes(file.read_bytes(), SMALL)


def test_every_damaged_byte_and_every_cut_is_seen() -> None:
    """A typed error, and nothing is written."""
    source = opened()
    with source.main().edit(message="m") as ed:
        for i in range(5):
            ed[f"a/{i}"] = b"%d" % i
    data = source.export().to_bytes()
    target = opened()

    def refused(damaged: bytes) -> None:
        with pytest.raises((DecodeError, SchemaMismatch, UnsupportedVersion, Corrupted, DanglingHash)):
            target.import_(Slice.from_bytes(damaged, SMALL))

    for i in range(len(data)):
        refused(data[:i])
        for mask in (1, 0x80, 0xFF):
            refused(data[:i] + bytes([data[i] ^ mask]) + data[i + 1 :])
    refused(data + b"\0")
    assert everything(target) == set()
    assert target.import_(Slice.from_bytes(data, SMALL))


def resealed(body: bytes, count: int) -> bytes:
    """A slice with a right end, as somebody would make who wants to be believed."""
    body += b"\0" + (40).to_bytes(8, "big") + count.to_bytes(8, "big")
    return body + blake3(body).digest()


@given(st.data())
def test_damage_under_a_right_digest_is_refused_too(data: st.DataObject) -> None:
    """Every object of a slice is needed by another or a head: no byte of one can change unseen."""
    source = opened()
    with source.main().edit(message="m") as ed:
        for i in range(4):
            ed[f"a/{i}"] = b"%d" % i
    slice_ = source.export()
    kind, hash_, old = data.draw(st.sampled_from(list(slice_.iter())))
    at = data.draw(st.integers(0, len(old) - 1))
    new = old[:at] + bytes([old[at] ^ data.draw(st.integers(1, 255))]) + old[at + 1 :]
    forged = Slice.empty(SMALL)
    for k, h, d in slice_.iter():
        forged.add(k, new if (k, h) == (kind, hash_) else d)
    forged.heads = slice_.heads
    target = opened()
    with pytest.raises((DecodeError, Corrupted, DanglingHash)):
        target.import_(Slice.from_bytes(forged.to_bytes(), SMALL))
    assert everything(target) == set()


def frame(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + len(data).to_bytes(8, "big") + data


def head_of(schema: Schema[Any, Any], version: int = 1) -> bytes:
    return b"\x89irmslc\n" + bytes([version, 32]) + schema.identity


def test_the_bytes_of_a_slice_are_those_of_the_document() -> None:
    """docs/formats/slice.md, "An example"."""
    slice_ = Slice.empty(Schema())
    slice_.add(Kind.CONTENTS, b"Bv")
    written = slice_.to_bytes()
    document = Path(__file__).resolve().parents[2] / "docs/formats/slice.md"
    example = document.read_text(encoding="utf-8").split("```")[1].split("\n", 1)[1]
    assert "".join(line.split("  ")[0].strip() for line in example.splitlines()) == written.hex()


def test_order_and_duplicates() -> None:
    """Children first, each object once."""
    codec = SMALL.codec
    value = b"Bv"
    node = codec.encode_node(["k"], bytes([CONTENTS]), codec.digest(value), [])
    top = codec.encode_node(["d"], bytes([DIRECTORY]), codec.digest(node), [])
    contents, inner, root = frame(2, value), frame(1, node), frame(1, top)
    head = head_of(SMALL)
    target = opened()
    for frames, count in (
        ([inner, contents, root], 3),
        ([contents, contents, inner, root], 4),
        ([contents, inner, root, frame(7, b"")], 3),
        ([contents, root, inner], 3),
        ([contents, inner, root], 2),
        ([contents, inner, root, frame(4, b"short")], 3),
    ):
        with pytest.raises(DecodeError):
            target.import_(Slice.from_bytes(resealed(head + b"".join(frames), count), SMALL))
    nowhere = frame(4, b"x" * 32)
    with pytest.raises(DanglingHash):
        target.import_(Slice.from_bytes(resealed(head + contents + inner + root + nowhere, 3), SMALL))
    assert everything(target) == set()
    right = Slice.from_bytes(resealed(head + contents + inner + root, 3), SMALL)
    assert target.import_(right) == 3
    assert Slice.from_bytes(resealed(head, 0), SMALL) == Slice.empty(SMALL)


def test_a_lie_about_buckets_is_refused(repo: Repo[bytes, None]) -> None:
    """Steps, counts and depths below an inner node are compared with it, whatever the hashes say."""
    codec = SMALL.codec
    made = Slice.empty(SMALL)
    value = made.add(Kind.CONTENTS, b"Bv")

    def leaf(*steps: str) -> Hash:
        return made.add(
            Kind.NODE, codec.encode_node(sorted(steps), bytes([1]) * len(steps), value * len(steps), [])
        )

    by_digit: dict[int, list[str]] = {0: [], 1: []}
    for i in range(20):
        by_digit[codec.digit(str(i), 0)].append(str(i))
    zero, one = by_digit[0], by_digit[1]
    for counts, children in (
        ([2, 1], [leaf(*one[:2]), leaf(zero[0])]),  # in each other's bucket
        ([2, 1], [leaf(zero[0], one[0]), leaf(one[1])]),  # one step of two
        ([2, 2], [leaf(*zero[:2]), leaf(one[0])]),  # a count
    ):
        bad = Slice(SMALL, made.objects)
        hash_ = bad.add(Kind.NODE, codec.encode_inode(0, b"\0\1", counts, b"".join(children)))
        with pytest.raises(Corrupted, match="wrong-bucket"):
            opened().import_(bad)
        del bad.objects.nodes[hash_]
    deep = Slice(SMALL, made.objects)
    inner = deep.add(Kind.NODE, codec.encode_inode(1, b"\0\1", [2, 1], leaf(*zero[:2]) + leaf(zero[2])))
    val = codec.encode_commit(CommitVal(inner, (), Info(0)))
    deep.add(Kind.COMMIT, val)
    with pytest.raises(Corrupted, match="wrong-bucket"):
        opened().import_(deep)


def test_wrong_kinds_are_refused() -> None:
    codec = SMALL.codec
    target = opened()
    slice_ = Slice.empty(SMALL)
    value = slice_.add(Kind.CONTENTS, b"Bv")
    slice_.add(Kind.NODE, codec.encode_node(["d"], bytes([DIRECTORY]), value, []))
    with pytest.raises(DanglingHash):
        target.import_(slice_)
    slice_ = Slice.empty(SMALL)
    slice_.add(Kind.CONTENTS, codec.encode_node([], b"", b"", []))
    with pytest.raises((Corrupted, DecodeError)):
        target.import_(slice_)
    assert everything(target) == set()


def test_contents_of_the_schema_are_checked() -> None:
    schema = Schema(Json())
    slice_ = Slice.empty(schema)
    slice_.add(Kind.CONTENTS, b'B{"b":1, "a":2}')
    repo = Repo.open(Memory(), schema)
    with pytest.raises(DecodeError):
        repo.import_(slice_)
    assert everything(repo) == set()


def test_schemas_must_agree(repo: Repo[bytes, None]) -> None:
    slice_ = repo.export()
    for other in (Schema(), Schema(format=FlatNative()), Schema(String(), format=Native(2, 2))):
        with pytest.raises(SchemaMismatch):
            Slice.from_bytes(slice_.to_bytes(), other)
        with pytest.raises(SchemaMismatch):
            Slice.from_json(slice_.to_json(), other)
        with pytest.raises(SchemaMismatch):
            Repo.open(Memory(), other).import_(slice_)


def test_limits(repo: Repo[bytes, None]) -> None:
    """And a claimed length takes no memory before its bytes have come."""
    data = repo.export().to_bytes()
    for limits in (Limits(total=len(data) - 1), Limits(object=10), Limits(objects=3)):
        with pytest.raises(DecodeError, match="limit"):
            Slice.from_bytes(data, SMALL, limits)
    assert Slice.from_bytes(data, SMALL, Limits(total=len(data), objects=1000))
    with pytest.raises(DecodeError, match="limit"):
        Slice.read(io.BytesIO(head_of(SMALL) + b"\x02" + b"\xff" * 8), SMALL)
    with pytest.raises(DecodeError, match="too early"):
        Slice.read(io.BytesIO(head_of(SMALL) + b"\x02" + (1 << 29).to_bytes(8, "big")), SMALL)


@pytest.mark.parametrize(
    "damage",
    [
        {"heads": 3},
        {"bounds": 3},
        {"bounds": ["zz"]},
        {"contents": [1]},
        {"nodes": ["*"]},
        {"heads": ["zz"]},
        {"x": 1},
    ],
)
def test_json_that_is_no_slice(repo: Repo[bytes, None], damage: dict[str, Any]) -> None:
    good = repo.export().to_json()
    with pytest.raises((DecodeError, InvalidHash)):
        Slice.from_json(good | damage, SMALL)
    with pytest.raises(DecodeError):
        Slice.from_json([good], SMALL)
    assert Slice.from_json(good, SMALL) == repo.export()


def test_a_read_only_store_takes_nothing(repo: Repo[bytes, None]) -> None:
    with Repo.open(Memory(), SMALL, readonly=True) as other, pytest.raises(StorageError):
        other.import_(repo.export())
    assert issubclass(StorageError, IrminError)
