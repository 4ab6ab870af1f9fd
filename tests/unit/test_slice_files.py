"""Slices between a store and a file, in bounded memory: the same bytes and the same objects as with `Slice`."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import irminpy
from irminpy import Repo, Schema
from irminpy.errors import DanglingHash, DecodeError, NotFound, SchemaMismatch
from irminpy.formats import FlatNative
from irminpy.slice import Slice
from irminpy.slice_files import read_slice, write_slice
from irminpy.slice_stream import Limits

MIB = 1 << 20


def filled(uri: str = "mem:") -> Repo[bytes, None]:
    repo = irminpy.open(uri, author="ann", clock=lambda: 0)
    main = repo.main()
    for n in range(3):
        with main.edit("", message=f"{n}") as tree:
            for i in range(100):  # beyond a leaf: there are inner nodes
                tree[f"wide/{i}"] = b"%d %d" % (n, i)
            tree[f"deep/er/{n}"] = b"%d" % n
    main.clone("dev").set("x", b"1", message="dev")
    return repo


def written(repo: Repo[Any, Any], **how: Any) -> io.BytesIO:
    file = io.BytesIO()
    told = write_slice(repo, file, **how)
    assert told.bytes == file.tell()
    file.seek(0)
    return file


def test_what_is_written_holds_what_an_export_holds() -> None:
    with filled() as repo:
        main = repo.main().head()
        for how in ({}, {"max": [main]}, {"max": [main], "depth": 1}, {"max": [main], "min": main.parents}):
            found = Slice.from_bytes(written(repo, **how).getvalue(), repo.schema)
            expected = repo.export(**how)
            assert set(found.iter()) == set(expected.iter())
            assert set(found.heads) == set(expected.heads)


def test_what_is_read_is_a_copy_with_its_heads_and_branches() -> None:
    with filled() as repo, irminpy.open("mem:") as copy:
        file = written(repo, branches=["main", "dev"])
        taken = read_slice(copy, file)
        assert file.read() == b""
        assert taken.objects == len(repo.export())
        assert taken.branches == {name: repo.branch(name).head().hash for name in ("main", "dev")}
        assert copy.branches() == []
        for name, head in taken.branches.items():
            copy.branch(name).set_head(copy.at(head.hex()).head())
        assert copy.check().ok
        assert copy.main().tree() == repo.main().tree()
        file.seek(0)
        assert read_slice(copy, file).objects == 0
        with pytest.raises(NotFound):
            write_slice(repo, io.BytesIO(), branches=["absent"])


def test_a_part_of_a_history_is_read_only_as_such() -> None:
    with filled() as repo, irminpy.open("mem:") as copy:
        file = written(repo, max=[repo.main().head()], depth=0)
        with pytest.raises(DanglingHash):
            read_slice(copy, file)
        assert copy.branches() == []
        file.seek(0)
        (head,) = read_slice(copy, file, shallow=True).heads
        assert head == repo.main().head().hash
        file = written(repo, max=[repo.main().head()], min=repo.main().head().parents)
        with irminpy.open("mem:") as empty, pytest.raises(DanglingHash):
            read_slice(empty, file)


def test_a_slice_that_is_cut_off_damaged_or_too_long_changes_nothing() -> None:
    with filled() as repo:
        data = written(repo).getvalue()
        for wrong in (data[:-1], data[:1000], data[:200] + bytes([data[200] ^ 1]) + data[201:], b""):
            with irminpy.open("mem:") as copy:
                with pytest.raises(DecodeError):
                    read_slice(copy, io.BytesIO(wrong))
                with pytest.raises(NotFound):
                    copy.at(repo.main().head().hash.hex())
        with irminpy.open("mem:") as copy, pytest.raises(DecodeError):
            read_slice(copy, io.BytesIO(data), limits=Limits(total=1000))
        with irminpy.open("mem:", Schema(format=FlatNative())) as other, pytest.raises(SchemaMismatch):
            read_slice(other, io.BytesIO(data))


def test_a_slice_of_many_values_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """48 MiB of values go out and in; a quarter of that may be in memory at once."""
    with (
        irminpy.open(f"pack:{tmp_path / 'one'}?durability=none") as repo,
        repo.main().edit("", message="much") as tree,
    ):
        for n in range(48):
            tree[f"values/{n}"] = n.to_bytes(4, "big") * (MIB // 4)
    with (
        irminpy.open(f"pack:{tmp_path / 'one'}") as repo,
        irminpy.open(f"pack:{tmp_path / 'two'}?durability=none") as copy,
    ):
        tracemalloc.start()
        try:
            with open(tmp_path / "slice", "w+b") as file:
                assert write_slice(repo, file).bytes > 48 * MIB
                out = tracemalloc.get_traced_memory()[1]
                tracemalloc.reset_peak()
                file.seek(0)
                taken = read_slice(copy, file)
                into = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert taken.heads == (repo.main().head().hash,)
        assert copy.at(taken.heads[0].hex()).get("values/47") == (47).to_bytes(4, "big") * (MIB // 4)
    assert out < 20 * MIB
    assert into < 20 * MIB
