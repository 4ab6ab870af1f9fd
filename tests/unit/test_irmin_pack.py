"""Stores of irmin-pack, read as they are: real ones of version 5, and ones of every version written by hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import irminpy
from irminpy import Repo, Schema
from irminpy.backend import Locating, Options, RefUpdate
from irminpy.errors import (
    Closed,
    Corrupted,
    IrminError,
    NotAStore,
    ReadOnly,
    SchemaMismatch,
    StorageError,
    UnsupportedVersion,
)
from irminpy.formats import Inodes, Irmin, Irmin2, Tezos
from irminpy.hash import BLAKE2B, SHA1, SHA256, Hash
from irminpy.info import Info
from irminpy.objects import Kind, Objects
from irminpy_mem import Memory
from irminpy_upstream import IrminPack
from tests.irmin_packs import write

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "irmin"
KV: Schema[bytes, None] = Schema(hash=BLAKE2B(64), format=Irmin(Inodes(32, 256, "seeded")))
PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
MORE = PROFILE != "quick"
PLACES = {"quick": 12, "ci": 40}.get(PROFILE, 1 << 30)
"""In how many places a file is damaged."""
LATER = [pytest.mark.profiled, pytest.mark.skipif(not MORE, reason="runs in the profiles ci and deep")]

SCHEMAS: dict[str, Schema[bytes, None]] = {
    "irmin2": Schema(hash=SHA1(), format=Irmin2(Inodes(32, 256, "seeded"))),
    "tezos": Schema(hash=BLAKE2B(32), format=Tezos()),
    "irmin": Schema(hash=SHA256(), format=Irmin(Inodes(4, 6, "hash-bits"))),
}


def filled(schema: Schema[bytes, None], large: int, n: int) -> Repo[bytes, None]:
    """A line of `n` commits, each with its date as message, and a branch beside main."""
    repo = Repo.open(Memory(), schema)
    main = repo.main()
    for date in range(n):
        editor = main.tree().edit()
        for i in range(large):
            editor.add(f"large/step{i}", b"%d %d" % (i, date if i < 2 else 0))
        for i in range(max(5, large // 6)):
            editor.add(f"middle/k{i}", b"m%d" % i)
        editor.add("a/b/c", b"x" * 4200 if large > 20 else b"x")
        editor.add("long step/\udcff", b"")
        main.set_tree((), editor.tree(), info=Info(date, "author", f"commit {date}"))
    repo.branch("side").set_head(main.head())
    return repo


def history(repo: Repo[bytes, None]) -> list[Hash]:
    return [commit.hash for commit in reversed(list(repo.main().log()))]


def seen(repo: Repo[bytes, None]) -> list[Any]:
    """All that a reader sees."""
    heads = repo._opened.backend.refs()
    commits: list[Any] = []
    known: set[Hash] = set()
    for name in heads:
        for commit in repo.branch(name).log():
            if commit.hash not in known:
                known.add(commit.hash)
                commits.append((commit.hash, commit.info, commit.parents, commit.tree().to_concrete()))
    return [heads, commits]


def variants() -> Iterator[tuple[int, dict[str, Any]]]:
    for version in (1, 2, 3, 4, 5):
        yield version, {}
        if version > 1:
            yield version, {"minimal": True}
        if version > 2:
            yield version, {"upgraded": True}
            yield version, {"minimal": True, "target": 1}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_version_written_by_hand_is_read(name: str, tmp_path: Path) -> None:
    """Versions 1 to 5, always and minimal, upgraded, collected: branches, commits, whole trees, all checks."""
    schema = SCHEMAS[name]
    with filled(schema, 290 if MORE else 60, 3) as repo:
        commits = history(repo)
        everything = seen(repo)
        for version, how in variants():
            kept = how.get("target")
            how = how if kept is None else how | {"target": commits[kept]}
            root = tmp_path / f"{version}-{'-'.join(how)}"
            write(root, repo, commits, everything[0], version, **how)
            with Repo.open(IrminPack(str(root)), schema) as store:
                expected = everything[1] if kept is None else everything[1][: len(commits) - kept]
                assert seen(store) == [everything[0], expected]
                report = store.check()
                assert report.ok, report
                assert report.commits == len(expected)
                assert [c.hash for c in store.main().log()] == [row[0] for row in expected]
                found = [store.find_commit(commit) is not None for commit in commits]
                assert found == [kept is None or i >= kept for i in range(len(commits))]
                assert store.at(commits[-1].hex()[:12]).head().hash == commits[-1]


def test_the_usual_schemas_are_found(tmp_path: Path) -> None:
    """And where that cannot be, the error says what to give."""
    for name, schema in SCHEMAS.items():
        with filled(schema, 60, 1) as repo:
            root = tmp_path / name
            write(root, repo, history(repo), repo._opened.backend.refs(), 5, minimal=True)
        if name != "irmin":
            with irminpy.open(f"irmin-pack:{root}") as store:
                assert store.schema == schema
                assert store.main().get("middle/k3") == b"m3"
            continue
        with pytest.raises(StorageError, match="entries=, stable=, order="):
            irminpy.open(f"irmin-pack:{root}")
        with irminpy.open(f"irmin-pack:{root}?entries=4&stable=6&order=hash-bits") as store:
            assert store.schema == schema
    ordered: Schema[bytes, None] = Schema(hash=SHA1(), format=Irmin(Inodes(32, 256, "hash-bits")))
    with filled(ordered, 60, 1) as repo:
        write(tmp_path / "ordered", repo, history(repo), repo._opened.backend.refs(), 4)
    with irminpy.open(f"irmin-pack:{tmp_path / 'ordered'}") as store:
        assert store.schema == ordered
    for uri in ("irmin-pack:", "irmin-pack:x?entries=3", "irmin-pack:x?hash=md4", "irmin-pack:x?index=all"):
        with pytest.raises(StorageError, match="irmin-pack:"):
            irminpy.open(uri)


def test_a_wrong_order_of_children_is_seen_in_any_large_directory(tmp_path: Path) -> None:
    """No hash says it: look-ups would go to other buckets, and find nothing."""
    for large in (60, 290):
        schema = SCHEMAS["tezos"]
        with filled(schema, large, 1) as repo:
            write(tmp_path / f"{large}", repo, history(repo), repo._opened.backend.refs(), 5)
        wrong: Schema[bytes, None] = Schema(hash=BLAKE2B(32), format=Tezos(Inodes(32, 256, "hash-bits")))
        with Repo.open(IrminPack(str(tmp_path / f"{large}")), wrong) as store:
            with pytest.raises(Corrupted, match="another order"):
                store.main().find("large/step1")
            assert not store.check().ok


def test_a_real_store_is_read_only_and_locates(tmp_path: Path) -> None:
    backend, schema = IrminPack(str(VECTORS / "store-kv-always")).open(None, Options())
    assert schema == KV
    assert isinstance(backend, Locating)
    head = backend.refs()["main"]
    found = backend.load(Kind.COMMIT, head, 0)
    assert found is not None
    data, words = found
    node = schema.codec.decode_commit(data).node
    word = int.from_bytes(words[:8], "little")
    key = backend.key(node, word)
    assert backend.word(key) == word
    assert backend.word(backend.key(head, word)) == 0
    assert backend.word(node) == 0
    assert backend.read(Kind.NODE, key) == backend.read(Kind.NODE, node) is not None
    assert backend.load(Kind.NODE, node, 12345) == backend.load(Kind.NODE, node, word)
    assert backend.read(Kind.COMMIT, node) is None
    assert backend.read_many(Kind.CONTENTS, [node, head]) == [None, None]
    assert backend.find_keys(Kind.NODE, [node, head, Hash(bytes(64))]) == [key, None, None]
    assert len(backend.find_commits("")) == 4
    with pytest.raises(ReadOnly):
        backend.write(Objects(), [RefUpdate("main", None)])
    backend.close()
    for call in (backend.refs, lambda: backend.read(Kind.NODE, key), lambda: backend.find_commits("")):
        with pytest.raises(Closed):
            call()


def test_volumes_are_asked_for(tmp_path: Path) -> None:
    """A history is not cut off because somebody forgot where its beginning lies."""
    uri = f"irmin-pack:{VECTORS / 'store-archive-kv'}"
    with pytest.raises(StorageError, match="lower=DIR"):
        irminpy.open(uri)
    with irminpy.open(f"{uri}?lower={VECTORS / 'store-archive-kv-lower'}") as repo:
        assert len(list(repo.main().log())) == 15
    with irminpy.open(f"{uri}?lower=none") as repo:
        assert len(list(repo.main().log())) == 7
        assert repo.check().ok
    with pytest.raises(Corrupted, match="missing"):
        irminpy.open(f"{uri}?lower={tmp_path}")


def test_what_is_no_such_store_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent", VECTORS / "store-fs"):
        with pytest.raises(NotAStore):
            irminpy.open(f"irmin-pack:{path}")
    store = IrminPack(str(VECTORS / "store-kv-minimal"))
    for wrong in (Schema(), Schema(hash=BLAKE2B(64), format=Irmin(None))):
        with pytest.raises(SchemaMismatch):
            store.open(wrong, Options())
    with pytest.raises(Corrupted, match="another schema"):
        store.open(SCHEMAS["tezos"], Options())
    shutil.copytree(VECTORS / "store-kv-minimal", tmp_path / "later")
    control = tmp_path / "later" / "store.control"
    control.write_bytes(b"00000006" + control.read_bytes()[8:])
    with pytest.raises(UnsupportedVersion):
        irminpy.open(f"irmin-pack:{tmp_path / 'later'}")


def test_what_another_program_writes_is_seen(tmp_path: Path) -> None:
    """Branches are read anew, and with them all files."""
    schema = SCHEMAS["irmin2"]
    with filled(schema, 8, 2) as repo:
        first, second = history(repo)
        root = tmp_path / "store"
        write(root, repo, [first], {"main": first}, 5)
        with Repo.open(IrminPack(str(root)), schema) as store:
            assert store.main().head().hash == first
            write(tmp_path / "new", repo, [first, second], {"main": second}, 5)
            shutil.rmtree(root)
            (tmp_path / "new").rename(root)
            assert store.main().head().hash == second
            assert store.check().ok


# -- damage --------------------------------------------------------------------------------------------------


def test_a_step_that_was_altered_in_an_inode_is_found_and_never_served(tmp_path: Path) -> None:
    """What Irmin's own check accepts (irmin-pack-spec 5.1): inodes are not hashed there. A real store, one byte."""
    for place, old, new in (("store.dict", b"readme", b"readmf"), ("store.0.suffix", b"\x03big", b"\x03bih")):
        root = tmp_path / place
        shutil.copytree(VECTORS / "store-kv-always", root)
        file = root / place
        data = file.read_bytes()
        assert old in data
        file.write_bytes(data.replace(old, new, 1))
        with Repo.open(IrminPack(str(root)), KV) as repo:
            report = repo.check()
            assert not report.ok
            assert any("another hash" in problem.reason for problem in report.problems)
            bad = 0
            for commit in repo.main().log():
                try:
                    tree = commit.tree().to_concrete()
                except Corrupted:
                    bad += 1
                else:
                    assert new.decode("latin-1").lstrip("\x03") not in repr(tree)
            assert bad


def tiny(root: Path, version: int, *, target: bool) -> tuple[Schema[bytes, None], list[Any]]:
    """A store of some kilobytes, and what it holds."""
    schema: Schema[bytes, None] = Schema(hash=BLAKE2B(32), format=Irmin(Inodes(4, 6, "seeded")))
    with filled(schema, 8, 3) as repo:
        commits, heads = history(repo), repo._opened.backend.refs()
        write(root, repo, commits, heads, version, minimal=target, target=commits[1] if target else None)
    with Repo.open(IrminPack(str(root)), schema) as store:
        assert store.check().ok
        return schema, seen(store)


def agrees(root: Path, schema: Schema[bytes, None], expected: list[Any]) -> bool:
    """Whether what is read is what was there, or a typed error; True if it was read."""
    try:
        with Repo.open(IrminPack(str(root)), schema) as store:
            found = seen(store)
    except IrminError:
        return False
    heads = set(expected[0].values())
    # The names of branches are the one thing that nothing covers; a byte of the length makes another of them.
    assert set(found[0].values()) <= heads
    assert [row for row in found[1] if row not in expected[1]] == []
    return True


@pytest.mark.parametrize(
    ("version", "target"),
    [
        (1, False),
        (5, True),
        pytest.param(2, False, marks=LATER),
        pytest.param(5, False, marks=LATER),
        pytest.param(3, True, marks=LATER),
    ],
)
def test_a_flipped_byte_is_harmless_or_a_typed_error(version: int, target: bool, tmp_path: Path) -> None:
    schema, expected = tiny(tmp_path / "store", version, target=target)
    served = refused = 0
    for file in sorted((tmp_path / "store").rglob("*")):
        if file.is_dir():
            continue
        data = file.read_bytes()
        for at in range(0, len(data), 1 + len(data) // PLACES):
            for bit in (at % 8, (at + 5) % 8):
                file.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
                if agrees(tmp_path / "store", schema, expected):
                    served += 1
                else:
                    refused += 1
        file.write_bytes(data)
    assert refused > PLACES // 2 or PROFILE == "deep"
    assert served < refused * 3
    assert agrees(tmp_path / "store", schema, expected)


@pytest.mark.parametrize(("version", "target"), [(1, False), (5, True), pytest.param(4, False, marks=LATER)])
def test_a_file_that_was_cut_is_harmless_or_a_typed_error(version: int, target: bool, tmp_path: Path) -> None:
    """Branches may be missing then, never be others."""
    schema, expected = tiny(tmp_path / "store", version, target=target)
    refused = 0
    for file in sorted((tmp_path / "store").rglob("*")):
        if file.is_dir():
            continue
        data = file.read_bytes()
        for at in range(0, len(data), 1 + len(data) // PLACES):
            file.write_bytes(data[:at])
            refused += not agrees(tmp_path / "store", schema, expected)
        file.unlink()
        agrees(tmp_path / "store", schema, expected)
        file.write_bytes(data)
    assert refused > min(PLACES, 100)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=LATER) for name in ("store-kv-minimal", "store-gc1-kv", "store-archive-kv")],
)
def test_flipped_bytes_of_real_stores(name: str, tmp_path: Path) -> None:
    shutil.copytree(VECTORS / name, tmp_path / "store")
    lower = VECTORS / f"{name}-lower"
    maker = IrminPack(str(tmp_path / "store"), str(lower) if lower.exists() else None)
    with Repo.open(maker, KV) as store:
        expected = seen(store)
    for file in sorted((tmp_path / "store").rglob("*")):
        if file.is_dir() or file.name == "store.branches":
            continue
        data = file.read_bytes()
        for at in range(0, len(data), 1 + 4 * len(data) // PLACES):
            file.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
            try:
                with Repo.open(maker, KV) as store:
                    assert seen(store) == expected
            except IrminError:
                continue
        file.write_bytes(data)


def test_hostile_numbers_neither_hang_nor_fill_the_memory(tmp_path: Path) -> None:
    """Lengths beyond everything, offsets that lead forward, round in a circle, or nowhere."""
    schema, expected = tiny(tmp_path / "store", 5, target=False)
    suffix = tmp_path / "store" / "store.0.suffix"
    data = suffix.read_bytes()
    with Repo.open(IrminPack(str(tmp_path / "store")), schema) as store:
        backend = store._opened.backend
        assert isinstance(backend, Locating)
        places = [backend.key(head, 0) for head in expected[0].values()]
    assert places
    huge = b"\xff\xff\xff\xff\xff\xff\xff\xff\x3f"
    for at in range(33, len(data) - 9, 1 + len(data) // (4 * PLACES)):
        for number in (huge, (1 << 62).to_bytes(8, "big"), at.to_bytes(8, "big"), bytes(8)):
            suffix.write_bytes(data[:at] + number + data[at + len(number) :])
            agrees(tmp_path / "store", schema, expected)
    suffix.write_bytes(data)
    control = tmp_path / "store" / "store.control"
    whole = control.read_bytes()
    for made in (b"", whole * 200, whole + b"\0", b"00000005", b"garbage" * 5):
        control.write_bytes(made)
        with pytest.raises(StorageError):
            Repo.open(IrminPack(str(tmp_path / "store")), schema)
