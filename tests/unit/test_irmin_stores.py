"""Stores in the formats of Tezos and Irmin 3 through the ordinary interface, on memory and pack; and the commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import irminpy
from irminpy import Info, Schema
from irminpy.cli import main
from irminpy.errors import MergeConflict
from irminpy.formats import Inodes, Irmin, Tezos
from irminpy.hash import BLAKE2B, SHA1

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "irmin"
TEZOS: Schema[bytes, None] = Schema(hash=BLAKE2B(32), format=Tezos())
IRMIN: Schema[bytes, None] = Schema(hash=SHA1(), format=Irmin(Inodes(32, 256, "seeded")))


def uris(tmp_path: Path) -> list[str]:
    return ["mem:", f"pack:{tmp_path / 'a'}?durability=none", f"pack:{tmp_path / 'm'}?index=minimal"]


def test_a_tezos_store_on_memory_and_pack_has_the_hashes_that_irmin_asserts(tmp_path: Path) -> None:
    """TY-17, TC-117: those of irmin-pack's own test_hashes.ml, shown as Tezos does; the text is a revision."""
    for uri in uris(tmp_path):
        with irminpy.open(uri, TEZOS) as repo:
            first = repo.main().set("singleton-step", b"singleton-val", info=Info())
            assert first is not None
            assert first.hash.hex() == "634d894802f9032ef48bbe1253563dbeb2aad7dc684da83bdea5692fde2185ae"
            editor = repo.main().tree().edit()
            del editor["singleton-step"]
            for step in ("00", "01"):
                editor.add(step, b"0" * 10)
            repo.main().set_tree((), editor.tree(), info=Info(0, "Tezos", ""))
            head = repo.main().head()
            text = "CoW7mALEs2vue5cfTMdJfSAjNmjmALYS1YyqSsYr9siLcNEcrvAm"
            assert TEZOS.codec.show_hash(head.hash) == text
            assert repo.at(text).head() == head
            assert repo.at(f"{text}~1").get("singleton-step") == b"singleton-val"
            assert repo.check().ok


@pytest.mark.parametrize("schema", [TEZOS, IRMIN], ids=["tezos", "irmin"])
def test_branches_merges_and_pages_go_as_in_any_store(schema: Schema[bytes, None], tmp_path: Path) -> None:
    """US-08: and every backend has the same hashes."""
    roots: set[bytes] = set()
    for uri in uris(tmp_path):
        with irminpy.open(uri, schema) as repo:
            store = repo.main()
            editor = store.tree().edit()
            for i in range(300):
                editor.add(f"dir/step{i}", b"%d" % i)
            editor.add("a/b", b"base")
            store.set_tree((), editor.tree(), info=Info(1, "a", "first"))
            other = store.clone("other")
            store.set("dir/step7", b"ours", info=Info(2, "a", "ours"))
            other.set("dir/step8", b"theirs", info=Info(3, "a", "theirs"))
            merged = store.merge_with_branch("other", info=Info(4, "a", "merge"))
            assert merged is not None
            assert (store.get("dir/step7"), store.get("dir/step8")) == (b"ours", b"theirs")
            assert store.tree().length("dir") == 300
            assert len(list(store.tree().list("dir", offset=100, length=20))) == 20
            store.set("a/b", b"mine", info=Info(5, "a", "x"))
            other.set("a/b", b"yours", info=Info(6, "a", "y"))
            with pytest.raises(MergeConflict):
                store.merge_with_branch("other", info=Info(7, "a", "clash"))
            assert [c.info.message for c in store.log()][:2] == ["x", "merge"]
            assert repo.check().ok
            roots.add(store.head().hash)
    assert len(roots) == 1


def test_fsck_tells_of_an_altered_step_in_a_real_store(tmp_path: Path) -> None:
    """By the command, which opens the store by what it finds, or by what it is told."""
    run = CliRunner().invoke
    assert run(main, ["--store", f"irmin-pack:{VECTORS / 'store-kv-minimal'}", "fsck"]).exit_code == 0
    shutil.copytree(VECTORS / "store-kv-minimal", tmp_path / "store")
    file = tmp_path / "store" / "store.0.suffix"
    data = file.read_bytes()
    assert b"\x03big" in data
    file.write_bytes(data.replace(b"\x03big", b"\x03bih"))
    told = "format=irmin&hash=blake2b-512&entries=32&stable=256&order=seeded"
    result = run(main, ["--store", f"irmin-pack:{tmp_path / 'store'}?{told}", "fsck"])
    assert result.exit_code == 5
    assert "another hash" in result.stdout
    found = run(main, ["--store", f"irmin-pack:{tmp_path / 'store'}", "fsck"])
    assert found.exit_code != 0
    assert "another hash" in found.stderr
