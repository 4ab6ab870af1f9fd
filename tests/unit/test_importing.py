"""Branches of any store, with their history, in another one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import irminpy
from irminpy import Repo
from irminpy.cli import main
from irminpy.errors import Corrupted, DanglingHash, NotFound, Rejected, SchemaMismatch
from irminpy.formats import Inodes, Irmin
from irminpy.hash import BLAKE2B
from irminpy.importing import import_branches
from irminpy.schema import Schema
from irminpy.transfer import Bounds
from irminpy_mem import Memory
from irminpy_pack import Pack
from irminpy_upstream import IrminFs, IrminPack

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "irmin"
KV = "irmin/3 blake2b-512 32 256 seeded bytes none"


def stores() -> list[str]:
    found = [
        f"irmin-pack:{VECTORS / name}" for name in ("store-kv-always", "store-kv-minimal", "store-gc1-kv")
    ]
    found.append(f"irmin-pack:{VECTORS / 'store-split-kv'}")
    found.append(f"irmin-pack:{VECTORS / 'store-archive-kv'}?lower={VECTORS / 'store-archive-kv-lower'}")
    return [*found, f"irmin-fs:{VECTORS / 'store-fs'}"]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("uri", stores(), ids=lambda uri: uri.partition("?")[0].rpartition("/")[2])
def test_every_real_store_is_imported_with_all_its_hashes(uri: str, tmp_path: Path) -> None:
    """TC-145: by the command, into a pack that is made; branches, commits and trees are the same, and whole."""
    target = f"pack:{tmp_path / 'copy'}?durability=none"
    tried = json.loads(run("--store", target, "--json", "import", "-n", uri).stdout)
    assert not (tmp_path / "copy").exists()
    told = json.loads(run("--store", target, "--json", "import", uri).stdout)
    assert tried == told | {"dry_run": True}
    with irminpy.open(uri) as source, irminpy.open(target, source.schema) as copy:
        assert copy.branches() == source.branches() == sorted(told["branches"])
        assert told["schema"] == source.schema.describe()
        ends = set(told["ends"])
        assert bool(ends) == ("gc1" in uri)
        for name in source.branches():
            ours, theirs = list(copy.branch(name).log()), list(source.branch(name).log())
            assert [c.hash for c in ours] == [c.hash for c in theirs]
            assert [c.tree().to_concrete() for c in ours] == [c.tree().to_concrete() for c in theirs]
        assert copy.check().ok
    whole = json.loads(run("--store", target, "--json", "fsck", "--level", "deep").stdout)
    assert (whole["findings"], whole["refs"]) == ([], len(told["branches"]))
    again = json.loads(run("--store", target, "--json", "import", uri).stdout)
    assert again["moved"] == []
    assert (again["commits"], again["nodes"], again["contents"]) == (0, 0, 0)


def test_the_copy_of_a_copy_and_of_another_backend_is_the_same(tmp_path: Path) -> None:
    first, second = f"pack:{tmp_path / 'a'}?durability=none", f"irmin-fs:{tmp_path / 'b'}?durability=none"
    assert run("--store", first, "import", f"irmin-fs:{VECTORS / 'store-fs'}").exit_code == 0
    result = run("--store", second, "import", first)
    assert result.exit_code == 0
    assert "main" in result.stdout
    with irminpy.open(second) as copy, irminpy.open(f"irmin-fs:{VECTORS / 'store-fs'}") as source:
        assert copy._opened.backend.refs() == source._opened.backend.refs()


def test_one_branch_under_another_name(tmp_path: Path) -> None:
    with (
        irminpy.open(f"irmin-pack:{VECTORS / 'store-kv-always'}") as source,
        Repo.open(Memory(), source.schema) as repo,
    ):
        told = import_branches(repo, source, branches=["feature/x"], prefix="irmin/")
        assert repo.branches() == ["irmin/feature/x"]
        assert told.moved == ("irmin/feature/x",)
        assert repo.branch("irmin/feature/x").head().hash == source.branch("feature/x").head().hash
        with pytest.raises(NotFound):
            import_branches(repo, source, branches=["nowhere"])


def test_a_branch_moves_forward_only_unless_it_is_forced(tmp_path: Path) -> None:
    schema: Schema[bytes, None] = Schema()
    with Repo.open(Memory(), schema) as source, Repo.open(Memory(), schema) as repo:
        source.main().set("a", b"1", message="one")
        import_branches(repo, source)
        source.main().set("a", b"2", message="two")
        assert import_branches(repo, source).sent.commits == 1
        repo.main().set("b", b"3", message="mine")
        mine = repo.main().head()
        source.main().set("a", b"4", message="three")
        with pytest.raises(Rejected, match="would be lost"):
            import_branches(repo, source)
        assert repo.main().head() == mine
        assert import_branches(repo, source, prefix="theirs/").moved == ("theirs/main",)
        import_branches(repo, source, force=True)
        assert repo.main().head().hash == source.main().head().hash


def test_a_store_of_another_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    target = f"pack:{tmp_path / 'native'}?durability=none"
    with irminpy.open(target) as repo:
        repo.main().set("a", b"1", message="one")
        with (
            irminpy.open(f"irmin-pack:{VECTORS / 'store-kv-minimal'}") as source,
            pytest.raises(SchemaMismatch),
        ):
            import_branches(repo, source)
        assert repo.branches() == ["main"]
    result = run("--store", target, "import", f"irmin-pack:{VECTORS / 'store-kv-minimal'}")
    assert result.exit_code == 7
    assert KV in result.stderr
    with pytest.raises(TypeError), irminpy.open(target) as source:
        import_branches(None, source)


def test_a_damaged_source_moves_no_branch(tmp_path: Path) -> None:
    shutil.copytree(VECTORS / "store-kv-minimal", tmp_path / "store")
    file = tmp_path / "store" / "store.0.suffix"
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)
    schema: Schema[bytes, None] = Schema(hash=BLAKE2B(64), format=Irmin(Inodes(32, 256, "seeded")))
    with (
        Repo.open(IrminPack(str(tmp_path / "store")), schema) as source,
        Repo.open(Pack(str(tmp_path / "copy"), durability="none"), schema) as repo,
    ):
        with pytest.raises((Corrupted, DanglingHash)):
            import_branches(repo, source, bounds=Bounds(write=10))
        assert repo.branches() == []
        assert repo.check().ok


def test_a_commit_that_is_missing_but_was_not_collected_is_no_end_of_history(tmp_path: Path) -> None:
    shutil.copytree(VECTORS / "store-fs", tmp_path / "store")
    schema: Schema[bytes, None] = Schema(hash=BLAKE2B(64), format=Irmin(None))
    with Repo.open(IrminFs(str(tmp_path / "store")), schema) as source:
        first = source.main().head().parents[0].hex()
    (tmp_path / "store" / "objects" / first[:2] / first[2:]).unlink()
    with (
        Repo.open(IrminFs(str(tmp_path / "store")), schema) as source,
        Repo.open(Memory(), schema) as repo,
    ):
        with pytest.raises(DanglingHash):
            import_branches(repo, source)
        assert repo.branches() == []


def test_a_store_is_not_imported_into_itself(tmp_path: Path) -> None:
    result = run("--store", f"pack:{tmp_path}", "import", f"pack:{tmp_path}")
    assert result.exit_code == 2
    assert run("import", "mem:").exit_code == 2
    assert run("--store", f"pack:{tmp_path / 'x'}", "import", f"irmin-pack:{tmp_path}").exit_code == 3
    assert not (tmp_path / "x").exists()
