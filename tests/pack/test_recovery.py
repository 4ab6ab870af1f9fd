"""What a store is after a fault: crash points C01 to C09, C15 and C24 of our own files, deletions, old copies.

D1 to D8 name the promises: nothing acknowledged is lost, refs are of one moment, nothing dangles, no manual step,
settling twice changes nothing, damage is told, no lock stays behind.
"""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from pathlib import Path

import pytest

from irminpy.errors import Corrupted, NotAStore, SchemaMismatch, StorageError, UnsupportedVersion
from irminpy_pack import Degraded, Pack
from irminpy_pack.files import Files
from irminpy_pack.fsck import fsck
from irminpy_pack.identity import Root

from .stores import SCHEMA, Failing, commits, last_segment, messages, opened


def healthy(path: Path) -> None:
    """Nothing is wrong, and a second look changes nothing: D3, D5."""
    report = fsck(str(path), SCHEMA)
    assert report.ok, str(report)
    before = {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
    opened(path).close()
    after = {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
    assert {file.name for file in before} <= {file.name for file in after}
    assert [
        data for file, data in before.items() if "index" not in file.parts and file.name != "MANIFEST"
    ] == [data for file, data in after.items() if "index" not in file.parts and file.name != "MANIFEST"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_directory_without_format_is_no_store(path: Path) -> None:
    """C01."""
    path.mkdir()
    with pytest.raises(NotAStore):
        opened(path, create=False)
    commits(path, "a")
    with opened(path) as repo:
        assert messages(repo) == ["a"]


def test_a_directory_with_something_else_in_it_is_not_touched(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    with pytest.raises(NotAStore, match="something else"):
        opened(path)
    assert [file.name for file in path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
def test_making_a_store_that_fails_leaves_nothing_under_its_name(path: Path, call: str) -> None:
    """C02, C03, C04: temporary directory, sync, rename."""
    for n in range(1, 30):
        files = Failing(lambda name: name == call, n)
        try:
            opened(path, files=files).close()
        except StorageError:
            assert not path.exists() or not (path / "FORMAT").exists() or files.hit
            assert [entry for entry in path.parent.iterdir() if entry.name != "store"] == []
        if not files.hit:
            break
    else:
        pytest.fail("the sweep did not come to an end")
    commits(path, "a")


def test_every_prefix_of_the_last_batch_is_cut_off_unless_it_is_whole(path: Path) -> None:
    """C05, C06, C08, C09: D1, D2."""
    commits(path, "a")
    segment = last_segment(path)
    before = segment.read_bytes()
    head = Path(Root(str(path)).head).read_bytes()
    commits(path, "b")
    after = segment.read_bytes()
    for size in [*range(len(before), len(after), 61), len(after) - 1, len(after)]:
        segment.write_bytes(after[:size])
        Path(Root(str(path)).head).write_bytes(head)
        Path(Root(str(path)).manifest).unlink(missing_ok=True)  # written at close, it may know of the batch
        with opened(path) as repo:
            assert messages(repo) == (["b", "a"] if size == len(after) else ["a"])
        assert segment.stat().st_size == (len(after) if size == len(after) else len(before))
    healthy(path)


def test_zeros_behind_the_end_are_cut_off(path: Path) -> None:
    """C07: the length grew and the data did not."""
    commits(path, "a")
    segment = last_segment(path)
    size = segment.stat().st_size
    for extra in (1, 8, 512, 8192):
        with segment.open("ab") as file:
            file.write(bytes(extra))
        with opened(path) as repo:
            assert messages(repo) == ["a"]
        assert segment.stat().st_size == size


def test_what_is_left_of_a_longer_failed_batch_is_not_taken_for_a_batch(path: Path) -> None:
    commits(path, "a")
    segment = last_segment(path)
    size = segment.stat().st_size
    commits(path, "b" * 2000)
    rest = segment.read_bytes()[size:]
    commits(path, "c")
    with segment.open("ab") as file:
        file.write(rest)
    with opened(path) as repo:
        assert messages(repo) == ["c", "b" * 2000, "a"]
    healthy(path)


@pytest.mark.parametrize("name", ["HEAD", "MANIFEST"])
def test_a_derived_file_may_be_deleted_or_old_and_nothing_is_lost(path: Path, name: str) -> None:
    commits(path, "a", seal=512)
    old = (path / name).read_bytes()
    commits(path, "b", "c", "d", seal=512)
    for bytes_ in (None, old, b"", old[:100], bytes(len(old)), b"\xff" * len(old)):
        if bytes_ is None:
            (path / name).unlink()
        else:
            (path / name).write_bytes(bytes_)
        with opened(path, readonly=True) as repo:
            assert messages(repo) == ["d", "c", "b", "a"]
        with opened(path, seal=512) as repo:
            assert messages(repo) == ["d", "c", "b", "a"]
        healthy(path)


def test_head_and_manifest_deleted_together_lose_nothing(path: Path) -> None:
    commits(path, "a", "b", "c", seal=512)
    (path / "HEAD").unlink()
    (path / "MANIFEST").unlink()
    with opened(path) as repo:
        assert messages(repo) == ["c", "b", "a"]
    healthy(path)


def test_damage_below_a_synced_end_is_told_and_the_bytes_are_kept(path: Path) -> None:
    """D6: with HEAD gone, what follows the damage cannot be reached any more, and is not thrown away."""
    commits(path, "a", "b", "c")
    segment = last_segment(path)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    (path / "HEAD").unlink()
    (path / "MANIFEST").unlink()
    with pytest.warns(Degraded, match="kept in"):
        opened(path).close()
    with opened(path) as repo:
        kept = messages(repo)
    assert kept in (["a"], ["b", "a"])
    lost = list((path / "lost").iterdir())
    assert lost
    assert all(bytes(data).endswith(file.read_bytes()) for file in lost)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with opened(path) as repo:
            assert messages(repo) == kept
    healthy(path)


def test_a_segment_of_another_store_is_refused(path: Path, tmp_path: Path) -> None:
    commits(path, "a")
    other = tmp_path / "other"
    commits(other, "x")
    shutil.copy(last_segment(other), last_segment(path))
    with pytest.raises(Corrupted, match="of the store"):
        opened(path)
    with pytest.raises(Corrupted, match="of the store"):
        opened(path, readonly=True)


def test_head_of_another_store_is_not_believed(path: Path, tmp_path: Path) -> None:
    commits(path, "a", "b")
    other = tmp_path / "other"
    commits(other, "x")
    shutil.copy(other / "HEAD", path / "HEAD")
    with opened(path) as repo:
        assert messages(repo) == ["b", "a"]


def test_a_manifest_of_another_store_is_refused(path: Path, tmp_path: Path) -> None:
    commits(path, "a")
    commits(tmp_path / "other", "x")
    shutil.copy(tmp_path / "other" / "MANIFEST", path / "MANIFEST")
    with pytest.raises(Corrupted, match="belongs to the store"):
        opened(path)


def test_a_missing_segment_is_told(path: Path) -> None:
    commits(path, *"abcdef", seal=512)
    segments = sorted(Path(Root(str(path)).packs).iterdir())
    assert len(segments) > 2
    segments[1].unlink()
    with pytest.raises(Corrupted):
        opened(path, readonly=True)
    with pytest.raises(Corrupted):
        opened(path)
    assert segments[2].exists()


def test_every_bit_of_format_counts(path: Path) -> None:
    commits(path, "a")
    format_ = path / "FORMAT"
    good = format_.read_bytes()
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1
        format_.write_bytes(bad)
        with pytest.raises((Corrupted, NotAStore, UnsupportedVersion, SchemaMismatch)):
            opened(path)
        format_.write_bytes(good[:at])
        with pytest.raises((Corrupted, NotAStore, UnsupportedVersion, SchemaMismatch)):
            opened(path)
    format_.write_bytes(good.replace(b"irminpy pack 2", b"irminpy pack 3"))
    with pytest.raises(UnsupportedVersion):
        opened(path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_write_that_fails_leaves_the_handle_good(path: Path, code: int) -> None:
    commits(path, "a")
    files = Failing(lambda name: name == "pwrite", 0, code)
    with opened(path, files=files) as repo:
        files.left = 1
        with pytest.raises(StorageError, match="was not written"):
            repo.main().set("k", b"b", message="b")
        assert files.hit
        assert messages(repo) == ["a"]
        repo.main().set("k", b"c", message="c")
        assert messages(repo) == ["c", "a"]
    healthy(path)


@pytest.mark.parametrize("sticky", [False, True])
def test_after_a_failed_sync_a_handle_promises_nothing_more(path: Path, sticky: bool) -> None:
    """No later acknowledgement and no retry of the sync; opened again, the store is good."""
    commits(path, "a")
    files = Failing(lambda name: name == "fdatasync", 1 << 30, sticky=sticky)
    repo = opened(path, files=files)
    files.left = 1
    with pytest.raises(StorageError, match="cannot be synced"):
        repo.main().set("k", b"b", message="b")
    hits = files.left
    for _ in range(3):
        with pytest.raises(StorageError, match="open it again"):
            repo.main().set("k", b"c", message="c")
    assert files.left == hits, "the sync was tried again"
    repo.close()
    with opened(path) as repo:
        assert messages(repo) in (["a"], ["b", "a"])  # in flight: either is right
        repo.main().set("k", b"d", message="d")
    healthy(path)


def test_adopted_bytes_are_written_again_before_head_names_them(path: Path) -> None:
    """After a failed sync reading back proves nothing."""
    commits(path, "a")
    head = (path / "HEAD").read_bytes()
    manifest = (path / "MANIFEST").read_bytes()
    size = last_segment(path).stat().st_size
    commits(path, "b")
    (path / "HEAD").write_bytes(head)
    (path / "MANIFEST").write_bytes(manifest)
    calls: list[tuple[str, int, int]] = []

    class Recording(Failing):
        def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            calls.append((os.readlink(f"/proc/self/fd/{fd}"), offset, len(data)))
            return super().pwrite(fd, data, offset)

        def fdatasync(self, fd: int) -> None:
            calls.append((os.readlink(f"/proc/self/fd/{fd}"), -1, 0))
            super().fdatasync(fd)

    with opened(path, files=Recording(lambda name: False, 0)) as repo:
        assert messages(repo) == ["b", "a"]
    names = [(os.path.basename(name), offset) for name, offset, _ in calls]
    again = names.index((last_segment(path).name, size))
    synced = names.index((last_segment(path).name, -1), again)
    published = next(i for i, (name, _) in enumerate(names) if name == "HEAD")
    assert again < synced < published


def test_a_reader_adopts_what_nobody_is_writing_any_more(path: Path) -> None:
    commits(path, "a")
    head = (path / "HEAD").read_bytes()
    manifest = (path / "MANIFEST").read_bytes()
    commits(path, "b")
    (path / "HEAD").write_bytes(head)
    (path / "MANIFEST").write_bytes(manifest)
    before = last_segment(path).read_bytes()
    with opened(path, readonly=True) as repo:
        assert messages(repo) == ["b", "a"]
    assert last_segment(path).read_bytes() == before
    assert (path / "HEAD").read_bytes() == head


def test_a_flipped_byte_of_an_object_is_never_served(path: Path) -> None:
    """D7 of the design: every read is checked against the hash that led there."""
    with opened(path) as repo:
        repo.main().set("k", b"the value " * 50, message="a")
    segment = last_segment(path)
    good = segment.read_bytes()
    at = good.index(b"the value the value")
    for offset in (0, 100, 499):
        bad = bytearray(good)
        bad[at + offset] ^= 0x10
        segment.write_bytes(bad)
        for io in ("mmap", "pread"):
            with opened(path, readonly=True, io=io) as repo, pytest.raises(Corrupted) as error:
                repo.main().get("k")
            assert error.value.file == str(segment)
            assert error.value.offset is not None
        report = fsck(str(path), SCHEMA, "frames")
        assert [finding.fault for finding in report.findings][:1] == ["frame"]
        assert report.status == 5
    segment.write_bytes(good)
    healthy(path)


def test_options_that_do_not_exist_are_told(path: Path) -> None:
    for bad in ({"index": "some"}, {"durability": "full!"}, {"lock": "none"}, {"io": "aio"}):
        with pytest.raises(StorageError, match="is none of"):
            Pack(str(path), **bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        Pack.of_uri("x", {"colour": "blue"})
    with pytest.raises(TypeError, match="path"):
        Pack.of_uri("", {})


def test_a_segment_that_was_sealed_for_a_batch_that_failed_is_known_to_other_writers(tmp_path: Path) -> None:
    """The batch for which a segment was begun does not fit on the disk: HEAD names nothing in it."""

    class Full(Files):
        full = False

        def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            if self.full and offset == 64 and len(data) > 64:
                raise OSError(errno.ENOSPC, "no space")
            return super().pwrite(fd, data, offset)

    files = Full()
    with opened(tmp_path / "store", seal=1024, files=files) as one, opened(tmp_path / "store") as two:
        one.main().set("a", bytes(2000))
        assert two.main().get("a") == bytes(2000)
        two.main().set("b", b"1")
        files.full = True
        with pytest.raises(StorageError, match="no space"):
            one.main().set("c", b"1")
        files.full = False
        two.main().set("d", b"1")
        one.main().set("e", b"1")
    with opened(tmp_path / "store") as repo:
        assert [step for step, _ in repo.main().list()] == ["a", "b", "d", "e"]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_slot_of_head_that_names_a_lost_batch_is_gone_once_the_store_was_opened_for_writing(
    path: Path, tmp_path: Path, lost: int
) -> None:
    """D5, D8. Found by `replay`, seed 1: fsck found it again and again, until somebody made a commit."""
    image = tmp_path / "image"
    with opened(path, durability="none") as repo:
        repo.main().set("a", b"a", message="a")
        repo.close()
    with opened(path, durability="none") as repo:
        length = last_segment(path).stat().st_size
        for i in range(lost):
            repo.main().set("b", b"%d" % i, message="b")
        shutil.copytree(path, image)
    # The power goes: HEAD has reached the disk, and the segment has not.
    os.truncate(last_segment(image), length)
    with opened(image, durability="none") as repo:
        assert messages(repo) == ["a"]
    healthy(image)


class Reading(Files):
    """Counts the bytes that are read more than 4 KiB at a time."""

    def __init__(self) -> None:
        self.bytes = 0

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        data = super().pread(fd, size, offset)
        self.bytes += len(data) if size > 4096 else 0
        return data


def test_a_long_tail_is_walked_over_once_and_head_names_it(path: Path, tmp_path: Path) -> None:
    """It was read 37 times: by opening, by settling, by loading after that, and a MiB for each batch of 50 kB."""
    image, before = tmp_path / "image", tmp_path / "before"
    commits(path, "a")
    shutil.copytree(path, before)
    with opened(path) as repo:
        began = last_segment(path).stat().st_size
        for i in range(20):
            repo.main().set(f"k{i}", os.urandom(50_000), message=str(i))
        tail = last_segment(path).stat().st_size - began
        shutil.copytree(path, image)
    for name in ("HEAD", "MANIFEST"):
        shutil.copy(before / name, image / name)
    files = Reading()
    with opened(image, files=files, io="pread") as repo:
        # For the frames, for the crc of batches, to be written again, and the headers for the index.
        assert files.bytes < 8 * tail
        assert len(messages(repo)) == 21
        shutil.rmtree(path)
        shutil.copytree(image, path)
    again = Reading()
    with opened(path, files=again, io="pread"):
        # The headers for the index, and nothing else: HEAD names what was adopted.
        assert again.bytes < 2 * tail
