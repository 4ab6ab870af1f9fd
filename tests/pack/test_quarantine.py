"""What is damaged is copied aside, and it is told what that affects; what is derived is mended."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from blake3 import blake3

from irminpy.errors import Corrupted, StorageError
from irminpy.upkeep import Mending, Salvaging
from irminpy_pack import Pack
from irminpy_pack.fsck import fsck
from irminpy_pack.traverse import Row

from .stores import SCHEMA, commits, last_segment, opened
from .test_upkeep import flip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def two_branches(path: Path) -> list[str]:
    """ "a" to "d" on main, one path each; "side" begins at the second. The hashes on main."""
    made = commits(path, *"abcd")
    with opened(path) as repo:
        side = repo.branch("side")
        side.set_head(repo.commit(made[1]))
        side.set("k/side", b"side", message="side")
    return [one.hex() for one in made]


def row_of(path: Path, value: bytes) -> Row:
    """The frame of the contents `value`."""
    wanted = SCHEMA.codec.digest(SCHEMA.codec.encode_contents([value])[0]).hex()
    return next(row for row in Pack(str(path)).traverse() if row.hash == wanted)


def everything(path: Path) -> dict[str, bytes]:
    files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_a_store_in_order_has_nothing_to_quarantine(path: Path, tmp_path: Path) -> None:
    two_branches(path)
    (path / "HEAD").unlink()  # derived: no damage
    done = Pack(str(path)).quarantine(directory=str(tmp_path / "q"))
    assert done.directory is None
    assert not (tmp_path / "q").exists()
    assert done.status == 1
    assert "nothing was copied" in str(done)
    assert isinstance(Pack(str(path)), Salvaging)


def test_a_damaged_value_is_copied_and_who_leads_to_it_is_told(path: Path, tmp_path: Path) -> None:
    made = two_branches(path)
    row = row_of(path, b"c")
    flip(last_segment(path), row.at + row.bytes - 8)
    before = everything(path)
    done = Pack(str(path)).quarantine(directory=str(tmp_path / "q"))
    assert everything(path) == before
    (copy,) = done.copies
    data = last_segment(path).read_bytes()[row.at : row.at + row.bytes]
    assert (copy.offset, copy.size) == (row.at, row.bytes)
    assert Path(copy.copy).read_bytes() == data
    assert copy.blake3 == blake3(data).hexdigest()
    assert done.lost == [row.hash]
    main, side = done.branches
    assert (main.branch, main.state, main.damaged, main.commits) == ("main", "damaged", 2, 4)
    assert main.paths == ("k/c",)
    assert main.whole == made[1]
    assert (side.state, side.damaged, side.paths, side.whole) == ("whole", 0, (), side.head)
    assert json.loads((tmp_path / "q" / "report.json").read_text()) == json.loads(json.dumps(done.to_json()))
    text = str(done)
    assert "cannot be read: k/c" in text
    assert f"the newest whole commit is {made[1]}" in text
    with opened(path) as repo:
        # What it says can be read can be read, and the rest cannot.
        assert repo.main().get("k/d") == b"d"
        with pytest.raises(Corrupted):
            repo.main().get("k/c")
        whole = repo.at(main.whole)
        assert [whole.get(f"k/{name}") for name in "ab"] == [b"a", b"b"]


def test_a_damaged_directory_stands_for_what_is_below(path: Path) -> None:
    two_branches(path)
    rows = list(Pack(str(path)).traverse())
    newest = [row for row in rows if row.kind == "C"][3]
    root = next(row for row in rows if row.hash == newest.refs[0][0])
    below = next(row for row in rows if row.hash == root.refs[0][0])
    flip(last_segment(path), below.at + below.bytes - 8)
    done = Pack(str(path)).quarantine()
    assert done.directory is not None
    assert done.directory.startswith(str(path / "lost"))
    main = done.branches[0]
    assert (main.state, main.damaged, main.paths) == ("damaged", 1, ("k",))
    assert fsck(str(path), SCHEMA).status == 5  # nothing was repaired in silence
    assert Pack(str(path)).stats().lost_files == 2


def test_a_lost_commit_cuts_the_history_of_those_who_lead_to_it(path: Path) -> None:
    made = two_branches(path)
    rows = {row.hash: row for row in Pack(str(path)).traverse()}
    for hash_ in (made[2], rows[made[0]].hash):
        row = rows[hash_]
        flip(last_segment(path), row.at + row.bytes - 8)
    done = Pack(str(path)).quarantine()
    assert done.lost == [made[0], made[2]]
    main, side = done.branches
    assert (main.state, main.commits, main.damaged) == ("whole", 1, 1)
    assert (side.state, side.commits, side.damaged) == ("whole", 2, 1)
    newest = rows[made[3]]
    flip(last_segment(path), newest.at + newest.bytes - 8)
    assert Pack(str(path)).quarantine().branches[0].state == "lost"


def test_an_object_that_lies_whole_elsewhere_is_not_lost(path: Path) -> None:
    commits(path, "a", index="minimal")
    with opened(path, index="minimal") as repo:
        repo.main().set("k/b", b"b", message="b")
        repo.main().remove("k/b", message="as before")  # writes the directories of "a" once more
    assert fsck(str(path), SCHEMA, "graph").ok
    rows = [row for row in Pack(str(path)).traverse() if row.kind == "N"]
    twice = [row for row in rows if [other.hash for other in rows].count(row.hash) == 2]
    flip(last_segment(path), twice[0].at + twice[0].bytes - 8)
    done = Pack(str(path)).quarantine()
    assert done.lost == []
    assert [spare.hash for spare in done.spares] == [twice[0].hash]
    assert "whole elsewhere" in str(done)
    assert all(branch.damaged == 0 for branch in done.branches)


def test_a_length_that_is_damaged_swallows_no_more_than_its_frame(path: Path) -> None:
    two_branches(path)
    row = row_of(path, b"b")
    flip(last_segment(path), row.at + 5)
    done = Pack(str(path)).quarantine()
    assert [(copy.offset, copy.size) for copy in done.copies] == [(row.at, row.bytes)]
    assert row.hash in done.lost
    assert done.branches[0].paths == ("k/b",)


def test_a_store_that_cannot_be_put_together_is_copied_by_files(path: Path) -> None:
    two_branches(path)
    segment = last_segment(path)
    flip(segment, 3)
    done = Pack(str(path)).quarantine()
    (copy,) = done.copies
    assert Path(copy.copy).read_bytes() == segment.read_bytes()
    assert (copy.file, done.branches) == (str(segment), [])


def test_nothing_is_overwritten(path: Path, tmp_path: Path) -> None:
    two_branches(path)
    row = row_of(path, b"b")
    flip(last_segment(path), row.at + 40)
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "mine").write_bytes(b"mine")
    with pytest.raises(StorageError, match="not empty"):
        Pack(str(path)).quarantine(directory=str(tmp_path / "q"))
    with pytest.raises(StorageError, match="cannot be copied"):
        Pack(str(path)).quarantine(directory=str(tmp_path / "no" / "such"))


# -- mending


def test_what_is_derived_is_mended_and_data_is_not_touched(path: Path) -> None:
    made = two_branches(path)
    (path / "HEAD").unlink()
    (path / "pack" / "000099.pack").write_bytes(b"torn")
    flip(path / "index" / "1-always" / "data.mdb", *range(4096, 20000, 512))
    row = row_of(path, b"b")
    done = Pack(str(path)).mend()
    assert {finding.fault for finding in done.before.findings} == {"head", "stray", "index"}
    assert done.ok
    assert done.status == 0
    assert [one.strategy for one in done.rebuilt] == ["always"]
    assert "before: " in str(done)
    assert done.to_json()["after"]["ok"] is True
    shutil.rmtree(path / "index")  # to walk over one takes a process
    flip(last_segment(path), row.at + row.bytes - 8)
    damaged = last_segment(path).read_bytes()
    again = Pack(str(path)).mend()
    assert again.status == 5
    assert last_segment(path).read_bytes() == damaged
    assert again.rebuilt == ()
    assert isinstance(Pack(str(path)), Mending)
    with opened(path, readonly=True) as repo:
        assert repo.main().head().hash.hex() == made[3]


def test_a_store_in_order_is_left_as_it_is(path: Path) -> None:
    two_branches(path)
    before = everything(path)
    done = Pack(str(path)).mend()
    assert done.ok
    assert "nothing was to be mended" in str(done)
    assert everything(path).keys() == before.keys()
    assert {name: data for name, data in everything(path).items() if "lock" not in name} == {
        name: data for name, data in before.items() if "lock" not in name
    }
