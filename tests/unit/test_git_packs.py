"""Packs and their indexes: written, read, refused, and judged by git (git-spec 2.5 and 2.7, D2 to D10)."""

from __future__ import annotations

import hashlib
import io
import shutil
import zlib
from pathlib import Path

import pytest

from irminpy.errors import Corrupted, DanglingHash, InvalidHash, IrminError, NotAStore, UnsupportedVersion
from irminpy_git import Entry, S, Type, Z, deltas, repack, verify
from irminpy_git.delta import copy, insert, varint
from irminpy_git.idx import Idx, MultiIdx, mapped
from irminpy_git.kinds import id_of
from irminpy_git.packing import (
    OFS_DELTA,
    REF_DELTA,
    Packed,
    Row,
    entry_header,
    idx_bytes,
    offset_bytes,
    pack_header,
    write_pack,
)
from irminpy_git.store import ObjectStore
from irminpy_git.unpacking import PackFile, complete, index_pack, scan, verify_pack
from tests.git_repositories import git, make

BLOBS = [b"".join(b"line %d\n" % (i * (n + 7)) for i in range(40)) + b"end %d\n" % n for n in range(6)]
BLOBS += [BLOBS[0] + b"more %d\n" % n for n in range(6)] + [b"", b"x"]
BODIES = {id_of(Type.BLOB, body): body for body in BLOBS}
ENTRIES = [Entry(id_, Type.BLOB, len(body), b"f") for id_, body in BODIES.items()]


def packed(*, ofs: bool = True, level: int = 6) -> tuple[bytes, Packed]:
    sink = io.BytesIO()
    info = write_pack(sink, deltas(ENTRIES, BODIES.get), BODIES.get, ofs=ofs, level=level)
    return sink.getvalue(), info


def pack_of(*entries: bytes, count: int | None = None) -> bytes:
    """A pack of entries as they are, with a right trailer."""
    data = pack_header(len(entries) if count is None else count) + b"".join(entries)
    return data + hashlib.sha1(data).digest()


def entry(kind: int, payload: bytes, *, size: int | None = None, base: bytes = b"") -> bytes:
    return entry_header(kind, len(payload) if size is None else size) + base + zlib.compress(payload)


def delta_of(source: int, result: int, *operations: tuple[int, int] | bytes) -> bytes:
    out = bytearray(varint(source) + varint(result))
    for operation in operations:
        if isinstance(operation, bytes):
            insert(out, operation)
        else:
            copy(out, *operation)
    return bytes(out)


# -- written and read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ofs", [True, False])
@pytest.mark.parametrize("level", [0, 9])
def test_a_pack_gives_its_objects(ofs: bool, level: int) -> None:
    """BODIES by id, by place, and all at once; K20: only OFS deltas if `ofs`."""
    data, info = packed(ofs=ofs, level=level)
    assert info.size == len(data)
    assert info.deltas >= 6
    assert info.trailer == data[-20:]
    assert info.name == f"pack-{data[-20:].hex()}"
    idx = Idx("i", idx_bytes(info.rows, info.trailer))
    idx.check()
    pack = PackFile("p", data, idx)
    for id_, body in BODIES.items():
        assert pack.read(id_) == (Type.BLOB, body)
        at = idx.find(id_)
        assert at is not None
        assert pack.kind_at(at) is Type.BLOB
    assert pack.read(b"?" * 20) is None
    assert list(idx.ids()) == sorted(BODIES)
    for prefix in (b"", bytes([0]), bytes([0x80]), b"\xff", min(BODIES)[:3]):
        assert list(idx.ids(prefix)) == [id_ for id_ in sorted(BODIES) if id_ >= prefix]
    found = index_pack("p", data)
    assert sorted(found.rows, key=lambda row: row.id) == list(idx.rows())
    assert set(found.kinds.values()) == {Type.BLOB}
    assert verify_pack("p", data, idx).objects == len(BODIES)
    kinds = {e.head.kind for e in scan("p", data)}
    assert kinds == {Type.BLOB, OFS_DELTA if ofs else REF_DELTA}


def test_a_pack_of_nothing() -> None:
    """git-spec 1.2: its trailer is known."""
    sink = io.BytesIO()
    info = write_pack(sink, [], BODIES.get)
    assert (len(sink.getvalue()), info.trailer.hex()) == (32, "029d08823bd8a8eab510ad6ac75c823cfd3ed31e")
    assert index_pack("p", sink.getvalue()).rows == []


def test_offsets_of_64_bits_are_read_and_written() -> None:
    """D10: with a border that is lower than two gibibytes."""
    data, info = packed()
    raw = idx_bytes(info.rows, info.trailer, large=100)
    idx = Idx("i", raw)
    idx.check()
    assert list(idx.rows()) == sorted(info.rows, key=lambda row: row.id)
    assert len(raw) > len(idx_bytes(info.rows, info.trailer))
    far = [Row(bytes([i]) * 20, i, (i + 1) << 33) for i in range(5)]
    assert [row.offset for row in Idx("i", idx_bytes(far, b"t" * 20)).rows()] == [
        (i + 1) << 33 for i in range(5)
    ]
    assert verify_pack("p", data, idx).deltas == info.deltas


def test_numbers_of_entries_are_as_in_git() -> None:
    assert entry_header(3, 0) == b"\x30"
    assert entry_header(1, 15) == b"\x1f"
    assert entry_header(1, 16) == b"\x90\x01"
    assert entry_header(2, 2**32) == bytes([0xA0, 0x80, 0x80, 0x80, 0x80, 0x01])
    assert [offset_bytes(n) for n in (1, 127, 128, 16511, 16512)] == [
        *(b"\x01", b"\x7f", b"\x80\x00", b"\xff\x7f", b"\x80\x80\x00"),
    ]


def test_a_thin_pack_is_read_with_the_bases_it_lacks_and_completed() -> None:
    """SD-09: a base beyond the list is named by its hash."""
    base, other = BLOBS[0], BLOBS[6]
    thin = [Entry(id_of(Type.BLOB, other), Type.BLOB, len(other), b"f", id_of(Type.BLOB, base))]
    sink = io.BytesIO()
    results = deltas(thin, BODIES.get)
    assert isinstance(results[0][1], S)
    write_pack(sink, results, BODIES.get)
    data = sink.getvalue()
    with pytest.raises(DanglingHash):
        index_pack("p", data)

    def getter(id: bytes) -> tuple[Type, bytes] | None:
        return (Type.BLOB, BODIES[id]) if id in BODIES else None

    found = index_pack("p", data, getter)
    assert found.missing == (id_of(Type.BLOB, base),)
    assert [row.id for row in found.rows] == [thin[0].id]
    whole = complete(data, found, getter)
    assert sorted(row.id for row in index_pack("p", whole).rows) == sorted([thin[0].id, found.missing[0]])


def test_an_object_that_is_gone_when_the_pack_is_written_is_an_invalid_hash() -> None:
    with pytest.raises(InvalidHash):
        write_pack(io.BytesIO(), [(ENTRIES[0], Z())], lambda id: None)


# -- what is refused ---------------------------------------------------------------------------------------------

A = entry(3, b"hello world, hello world")
BASE = id_of(Type.BLOB, b"hello world, hello world")
D = delta_of(24, 29, (0, 24), b"again")
LONG = b"z" * 100_000

BAD_PACKS: dict[str, bytes] = {
    "nothing": b"",
    "too short": pack_of(A)[:31],
    "another magic": b"PUCK" + pack_of(A)[4:],
    "version 3": pack_of(A)[:4] + b"\0\0\0\3" + pack_of(A)[8:],
    "version 0": pack_of(A)[:4] + bytes(4) + pack_of(A)[8:],
    "2^32 - 1 objects": pack_of(A, count=2**32 - 1),
    "more objects than there are": pack_of(A, A, count=3),
    "fewer objects than there are": pack_of(A, entry(3, b"b"), count=1),
    "no object of one": pack_of(count=1),
    "something behind": pack_of(A + b"\0" * 9),
    "the wrong trailer": pack_of(A)[:-1] + b"?",
    "type 0": pack_of(entry(0, b"x")),
    "type 5": pack_of(entry(5, b"x")),
    "a size that is too small": pack_of(entry(3, b"hello", size=4)),
    "a size that is too large": pack_of(entry(3, b"hello", size=6)),
    "a size without an end": pack_of(b"\xb0" + b"\x80" * 20),
    "a size of 2^62": pack_of(b"\xb0" + b"\x80" * 7 + b"\x7f" + zlib.compress(b"")),
    "no zlib": pack_of(entry_header(3, 5) + b"hello, this is no stream"),
    "a stream cut off": pack_of(entry(3, b"hello")[:-4] + b""),
    "a stream with a wrong checksum": pack_of(entry(3, b"hello")[:-1] + b"?"),
    "a bomb": pack_of(entry(3, bytes(10**6), size=100)),
    "a distance of zero": pack_of(A, entry(OFS_DELTA, D, base=offset_bytes(0))),
    "a distance beyond the beginning": pack_of(A, entry(OFS_DELTA, D, base=offset_bytes(10**6))),
    "a distance into the header": pack_of(A, entry(OFS_DELTA, D, base=offset_bytes(len(A) + 5))),
    "a distance where no entry begins": pack_of(A, entry(OFS_DELTA, D, base=offset_bytes(len(A) - 1))),
    "a distance without an end": pack_of(A, entry_header(OFS_DELTA, 3) + b"\xff" * 20),
    "a base that is nowhere": pack_of(entry(REF_DELTA, D, base=b"?" * 20)),
    "a base that ends too early": pack_of(A, entry_header(REF_DELTA, 3) + b"short"),
    "two that are made of each other": pack_of(
        entry(REF_DELTA, D, base=id_of(Type.BLOB, b"one")), entry(REF_DELTA, D, base=id_of(Type.BLOB, b"two"))
    ),
    "a delta for another source": pack_of(A, entry(REF_DELTA, delta_of(23, 5, b"again"), base=BASE)),
    "a copy beyond the source": pack_of(A, entry(REF_DELTA, delta_of(24, 10, (20, 10)), base=BASE)),
    "a result that is too short": pack_of(A, entry(REF_DELTA, delta_of(24, 10, (0, 9)), base=BASE)),
    "a result that is too long": pack_of(A, entry(REF_DELTA, delta_of(24, 10, (0, 11)), base=BASE)),
    "operation zero": pack_of(A, entry(REF_DELTA, delta_of(24, 1) + b"\0", base=BASE)),
    "an empty delta": pack_of(A, entry(REF_DELTA, b"", base=BASE)),
    "a delta bomb": pack_of(
        entry(3, LONG),
        entry(REF_DELTA, delta_of(len(LONG), 10**11, *[(0, 65536)] * 100), base=id_of(Type.BLOB, LONG)),
    ),
    "one object twice": pack_of(A, A),
}


@pytest.mark.parametrize("why", BAD_PACKS)
def test_a_malformed_pack_is_refused(why: str) -> None:
    """G01 to G06, D9: typed, and without taking the memory that it claims."""
    with pytest.raises((Corrupted, DanglingHash)):
        index_pack("p", BAD_PACKS[why])


@pytest.mark.parametrize("why", BAD_PACKS)
def test_a_malformed_pack_with_an_index_gives_no_wrong_object(why: str) -> None:
    """Reading single objects trusts the index no more than the pack."""
    data = BAD_PACKS[why]
    offsets = [12, 12 + len(A)]
    rows = [Row(bytes([i]) * 20, 0, offset) for i, offset in enumerate(offsets)]
    count = int.from_bytes(data[8:12], "big")
    idx = Idx("i", idx_bytes(rows[: min(count, 2)], data[-20:].rjust(20)))
    try:
        pack = PackFile("p", data, idx)
    except Corrupted:
        return
    for row in rows:
        try:
            found = pack.read(row.id)
        except Corrupted:
            continue
        # Whatever is given is what the entry says: whoever asked compares it with the hash.
        assert found is None or found[0] is Type.BLOB


def test_a_pack_cut_at_each_byte_is_refused() -> None:
    """D9."""
    data = pack_of(A, entry(REF_DELTA, D, base=BASE), entry(1, b"tree"))
    index_pack("p", data)
    for end in range(len(data)):
        with pytest.raises(Corrupted):
            index_pack("p", data[:end])
        again = data[:end] + hashlib.sha1(data[:end]).digest()
        if again == data:
            continue
        with pytest.raises((Corrupted, DanglingHash)):
            index_pack("p", again)


def test_each_flipped_byte_is_found() -> None:
    """G07: of the pack and of its index."""
    data, info = packed()
    raw = idx_bytes(info.rows, info.trailer)
    for at in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[at] ^= 0x10
        with pytest.raises(Corrupted):
            index_pack("p", bytes(flipped))
    for at in range(0, len(raw), 5):
        flipped = bytearray(raw)
        flipped[at] ^= 0x10
        with pytest.raises((Corrupted, UnsupportedVersion)):
            Idx("i", bytes(flipped)).check()


def test_a_chain_of_more_than_4095_is_refused() -> None:
    """G03: as Git does."""
    entries, at, last = [A], 12, b"hello world, hello world"
    places = [12]
    for _ in range(4097):
        at += len(entries[-1])
        made = delta_of(len(last), len(last) + 1, (0, len(last)), b"x")
        entries.append(entry(OFS_DELTA, made, base=offset_bytes(at - places[-1])))
        places.append(at)
        last += b"x"
    data = pack_of(*entries)
    with pytest.raises(Corrupted, match="4095"):
        index_pack("p", data)
    rows = [Row(bytes(18) + i.to_bytes(2, "big"), 0, place) for i, place in enumerate(places)]
    pack = PackFile("p", data, Idx("i", idx_bytes(rows, data[-20:])))
    with pytest.raises(Corrupted, match="chain"):
        pack.at(places[-1])
    assert pack.at(places[4000])[1] == b"hello world, hello world" + b"x" * 4000


def test_limits_hold_for_one_object_and_for_all() -> None:
    """G01, G02."""
    data = pack_of(entry(3, LONG), entry(3, LONG + b"1"))
    index_pack("p", data, budget=len(LONG) * 2 + 1)
    with pytest.raises(Corrupted, match="more than"):
        index_pack("p", data, budget=len(LONG) * 2)
    with pytest.raises(Corrupted, match="limit"):
        index_pack("p", data, largest=len(LONG))
    grown = entry(
        REF_DELTA, delta_of(len(LONG), len(LONG) + 1, (0, len(LONG)), b"1"), base=id_of(Type.BLOB, LONG)
    )
    with pytest.raises(Corrupted, match="more than"):
        index_pack("p", pack_of(entry(3, LONG), grown), largest=len(LONG))


_, INFO = packed()
IDX = idx_bytes(INFO.rows, INFO.trailer)
BAD_IDX: dict[str, bytes] = {
    "nothing": b"",
    "version 1": IDX[8:],
    "version 3": IDX[:4] + b"\0\0\0\3" + IDX[8:],
    "cut in the fan-out": IDX[:500],
    "cut in the ids": IDX[:1100],
    "cut in the trailers": IDX[:-1],
    "longer": IDX + b"x",
    "longer by a row that nothing needs": IDX + b"x" * 8 * 100,
    "a fan-out that descends": IDX[:8] + b"\xff" * 4 + IDX[12:],
    "a count of 2^32 - 1": IDX[: 8 + 1020] + b"\xff" * 4 + IDX[8 + 1024 :],
}


@pytest.mark.parametrize("why", BAD_IDX)
def test_a_malformed_index_is_refused(why: str) -> None:
    with pytest.raises((Corrupted, UnsupportedVersion)):
        Idx("i", BAD_IDX[why])


def test_an_index_that_leads_beyond_is_refused_when_it_is_asked() -> None:
    data, info = packed()
    rows = [Row(row.id, row.crc, 10**9) for row in info.rows]
    with pytest.raises(Corrupted, match="beyond"):
        PackFile("p", data, Idx("i", idx_bytes(rows, info.trailer))).read(info.rows[0].id)
    raw = bytearray(IDX)
    n = len(info.rows)
    raw[8 + 1024 + 24 * n] = 0x80
    raw[8 + 1024 + 24 * n + 3] = 0x7F
    with pytest.raises(Corrupted, match="table"):
        Idx("i", bytes(raw)).find(min(BODIES))
    with pytest.raises(Corrupted, match="another pack"):
        PackFile("p", data, Idx("i", idx_bytes(info.rows, b"?" * 20)))
    wrong = [Row(row.id, row.crc ^ 1, row.offset) for row in info.rows]
    with pytest.raises(Corrupted, match="does not say"):
        verify_pack("p", data, Idx("i", idx_bytes(wrong, info.trailer)))


# -- git as the judge --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of hundreds of commits with a tag, packed by git."""
    folder = tmp_path_factory.mktemp("project")
    at = make(folder, "mixed", 12)
    git(at, "tag", "-a", "-m", "a tag", "v1")
    git(at, "repack", "-adfq")
    return at


def objects_of(at: Path) -> dict[bytes, tuple[Type, bytes]]:
    """All objects as git gives them."""
    answer = git(at, "cat-file", "--batch", "--batch-all-objects")
    found: dict[bytes, tuple[Type, bytes]] = {}
    position = 0
    while position < len(answer):
        end = answer.index(b"\n", position)
        id_, kind, size = answer[position:end].decode().split()
        found[bytes.fromhex(id_)] = (Type[kind.upper()], answer[end + 1 : end + 1 + int(size)])
        position = end + 2 + int(size)
    return found


@pytest.mark.needs("git")
@pytest.mark.parametrize("effort", ["block", "line"])
def test_git_accepts_our_packs_and_makes_the_same_index(project: Path, tmp_path: Path, effort: str) -> None:
    """D2, D3, D4, D5."""
    known = objects_of(project)
    names = dict(
        row.split(b" ", 1)
        for row in git(project, "rev-list", "--objects", "--all").splitlines()
        if b" " in row
    )
    entries = [
        Entry(id_, kind, len(body), names.get(id_.hex().encode())) for id_, (kind, body) in known.items()
    ]
    bodies = {id_: body for id_, (_, body) in known.items()}
    sink = io.BytesIO()
    info = write_pack(sink, deltas(entries, bodies.get, depth=20, effort=effort), bodies.get)
    assert info.deltas > len(entries) // 3
    git(tmp_path, "init", "-q", "--bare", "r")
    at = tmp_path / "r"
    name = git(at, "index-pack", "--strict", "--stdin", data=sink.getvalue()).decode().split()[-1]
    assert name == info.trailer.hex()
    idx = at / "objects" / "pack" / f"pack-{name}.idx"
    assert idx.read_bytes() == idx_bytes(info.rows, info.trailer)
    listing = git(at, "verify-pack", "-v", str(idx)).decode()
    assert max(int(line.split()[5]) for line in listing.splitlines() if len(line.split()) == 7) <= 20
    head = git(project, "rev-parse", "main").decode().strip()
    git(at, "update-ref", "refs/heads/main", head)
    git(at, "fsck", "--full", "--strict")
    git(tmp_path, "clone", "-q", "--no-local", "--bare", str(at), "again")
    git(at, "repack", "-adfq")
    git(at, "fsck", "--full", "--strict")


@pytest.mark.needs("git")
@pytest.mark.parametrize("how", ["ofs", "ref", "deep"])
def test_packs_of_git_are_read(project: Path, tmp_path: Path, how: str) -> None:
    """D10: REF and OFS deltas, chains of more than fifty, and every object of it."""
    at = tmp_path / "copy"
    shutil.copytree(project, at)
    config = {"ofs": [], "ref": ["-c", "repack.useDeltaBaseOffset=false"], "deep": []}[how]
    git(at, *config, "repack", "-adfq", *(["--depth=200", "--window=50"] if how == "deep" else []))
    known = objects_of(at)
    (path,) = (at / "objects" / "pack").glob("*.idx")
    idx = Idx(str(path), mapped(str(path)))
    pack_path = str(path.with_suffix(".pack"))
    pack = PackFile(pack_path, mapped(pack_path), idx)
    assert {id_: pack.read(id_) for id_ in idx.ids()} == known
    found = verify(str(path))
    assert found.objects == len(known)
    listing = git(at, "verify-pack", "-v", str(path)).decode().splitlines()
    assert found.deltas == sum(len(line.split()) == 7 for line in listing)
    seen = index_pack(pack_path, mapped(pack_path))
    assert idx_bytes(seen.rows, seen.trailer) == path.read_bytes()


@pytest.mark.needs("git")
def test_a_thin_pack_of_git_is_completed(project: Path) -> None:
    """As a fetch brings it."""
    known = objects_of(project)
    revisions = b"main\n^main~3\n"
    thin = git(project, "pack-objects", "--thin", "--stdout", "--revs", "-q", data=revisions)
    with pytest.raises(DanglingHash):
        index_pack("p", thin)
    found = index_pack("p", thin, known.get)
    assert found.missing
    whole = complete(thin, found, known.get)
    again = index_pack("p", whole)
    assert {row.id for row in again.rows} == {row.id for row in found.rows} | set(found.missing)


@pytest.mark.needs("git")
def test_an_index_of_many_packs_is_read(project: Path, tmp_path: Path) -> None:
    at = tmp_path / "copy"
    shutil.copytree(project, at)
    for n in range(3):
        blob = git(at, "hash-object", "-w", "--stdin", data=b"blob %d" % n).decode().strip()
        tree = git(at, "mktree", data=f"100644 blob {blob}\tf\n".encode()).decode().strip()
        head = git(at, "commit-tree", "-m", "m", "-p", "main", tree).decode().strip()
        git(at, "update-ref", "refs/heads/main", head)
        git(at, "repack", "-dq")
    git(at, "multi-pack-index", "write")
    known = objects_of(at)
    path = at / "objects" / "pack" / "multi-pack-index"
    multi = MultiIdx(str(path), mapped(str(path)))
    assert len(multi.packs) == 4
    assert list(multi.ids()) == sorted(known)
    store = ObjectStore(str(at / "objects"), "sha1", 20)
    assert {id_: store.body(id_) for id_ in store.ids()} == known
    for name in multi.packs:
        found = multi.find(min(known))
        assert found is None or found[0] in multi.packs
        assert name.endswith(".idx")
    data = path.read_bytes()
    for bad in (
        b"",
        data[:100],
        b"MIDY" + data[4:],
        data[:4] + b"\2" + data[5:],
        data[:5] + b"\2" + data[6:],
    ):
        with pytest.raises((Corrupted, UnsupportedVersion)):
            MultiIdx("m", bad)
    for place in range(12, 12 + 4 * 12, 4):  # the names and places of its four parts
        flipped = bytearray(data)
        flipped[place] ^= 0xFF
        with pytest.raises(Corrupted):
            MultiIdx("m", bytes(flipped))


@pytest.mark.needs("git")
def test_a_repository_is_repacked_as_small_as_git_does_it(project: Path, tmp_path: Path) -> None:
    """D7 in small; nothing is lost, and git finds nothing wrong."""
    at = tmp_path / "copy"
    shutil.copytree(project, at)
    garbage = git(at, "hash-object", "-w", "--stdin", data=b"nothing leads here").decode().strip()
    (before,) = (at / "objects" / "pack").glob("*.pack")
    size = before.stat().st_size
    known = objects_of(at)
    done = repack(str(at))
    assert (done.packs, done.loose) == (1, 1)
    assert done.objects == len(known)
    assert done.size <= 1.03 * size + 100
    assert objects_of(at) == known
    assert bytes.fromhex(garbage) in known
    git(at, "fsck", "--full", "--strict")
    (path,) = (at / "objects" / "pack").glob("*.idx")
    assert verify(str(path)).objects == done.objects
    assert repack(str(at), effort="line").objects == done.objects
    git(at, "fsck", "--full", "--strict")
    path = next((at / "objects" / "pack").glob("*.idx"))
    path.with_suffix(".keep").touch()
    assert repack(str(at)).objects == 0
    with pytest.raises(NotAStore):
        repack(str(tmp_path / "nothing"))


@pytest.mark.needs("git")
def test_a_repack_that_fails_removes_nothing(project: Path, tmp_path: Path) -> None:
    at = tmp_path / "copy"
    shutil.copytree(project, at)
    blob = git(at, "hash-object", "-w", "--stdin", data=b"will be damaged").decode().strip()
    file = at / "objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(b"damaged")
    before = sorted(path for path in (at / "objects").rglob("*") if path.is_file())
    with pytest.raises(IrminError):
        repack(str(at))
    assert sorted(path for path in (at / "objects").rglob("*") if path.is_file()) == before
