"""A handle that follows what others write sees all of it at once, and never less than it has seen."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from irminpy import Repo
from irminpy.errors import StorageError
from irminpy_pack import PackBackend
from irminpy_pack.files import Files
from irminpy_pack.head import HEAD_SIZE, SLOT_SIZE, place, slots
from irminpy_pack.identity import Identity, Root
from irminpy_pack.indexing import set_aside
from irminpy_pack.lock import Lock
from irminpy_pack.state import State

from .stores import messages, opened

SEGMENTS = os.path.basename(Root("").packs)
INDEX = pytest.mark.parametrize("index", ["always", "minimal"])
DURABILITY = pytest.mark.parametrize("durability", ["none", "wal"])


class Meanwhile(Files):
    """Files that call `then` once, right after they did the `call` on a path that ends with `name`."""

    def __init__(self) -> None:
        self.wanted: tuple[str, str] = "", ""
        self.then: Callable[[], object] = lambda: None
        self._names: dict[int, str] = {}

    def after(self, call: str, name: str, then: Callable[[], object]) -> None:
        self.wanted, self.then = (call, name), then

    @property
    def done(self) -> bool:
        """Whether it was called."""
        return not self.wanted[0]

    def _did(self, call: str, name: str) -> None:
        wanted, then = self.wanted, self.then
        if call == wanted[0] and name.endswith(wanted[1]):
            self.wanted = "", ""
            then()

    def open(self, path: str, flags: int, mode: int = 0o644) -> int:
        fd = super().open(path, flags, mode)
        self._names[fd] = path
        self._did("open", path)
        return fd

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        data = super().pread(fd, size, offset)
        self._did("pread", self._names.get(fd, ""))
        return data

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        done = super().pwrite(fd, data, offset)
        self._did("pwrite", self._names.get(fd, ""))
        return done

    def listdir(self, path: str) -> list[str]:
        found = super().listdir(path)
        self._did("listdir", path)
        return found


@contextmanager
def writing(path: Path) -> Generator[None]:
    """While this lasts, somebody else is writing."""
    lock = Lock(Files(), Root(str(path)).lock)
    assert lock.attempt()
    try:
        yield
    finally:
        lock.close()


def head_of(path: Path) -> bytearray:
    return bytearray(Path(Root(str(path)).head).read_bytes().ljust(HEAD_SIZE, b"\0"))


def newest(path: Path) -> int:
    """Where in HEAD the newest slot lies."""
    uuid = Identity.read(Files(), Root(str(path))).uuid
    return place(slots(bytes(head_of(path)), uuid)[0].tip.batch_no)


@DURABILITY
def test_a_reader_that_meets_half_a_head_does_not_go_back(tmp_path: Path, durability: str) -> None:
    """HEAD is wiped in a garbage collection, page by page: of its two slots the older one may be left alone."""
    path = tmp_path / "store"
    with (
        opened(path, durability=durability) as repo,
        opened(path, readonly=True) as reader,
    ):
        for i in range(3):
            repo.main().set("k", b"%d" % i, message=str(i))
            assert messages(reader)[0] == str(i)
        head = head_of(path)
        at = newest(path)
        head[at : at + SLOT_SIZE] = bytes(SLOT_SIZE)
        with writing(path):
            Path(Root(str(path)).head).write_bytes(head)
            assert messages(reader) == ["2", "1", "0"]
            assert messages(reader) == ["2", "1", "0"]
        repo.main().set("k", b"3", message="3")
        assert messages(reader)[0] == "3"


def test_nobody_meets_the_older_slot_of_head_alone_while_it_is_wiped(tmp_path: Path) -> None:
    path = tmp_path / "store"
    files = Meanwhile()
    met: list[bytes] = []
    with opened(path, files=files) as repo:
        for i in range(2):  # so that either slot is the newest once
            repo.main().set("k", b"%d" % i)
            at = newest(path)
            met.clear()
            files.after("pwrite", "HEAD", lambda: met.append(bytes(head_of(path))))
            repo.gc()
            (half,) = met
            assert half[at : at + SLOT_SIZE].strip(b"\0")
            assert not half[SLOT_SIZE - at : HEAD_SIZE - at].strip(b"\0")
            repo.main().set("k", b"more %d" % i)


def test_a_reader_that_opens_the_old_segments_in_a_collection_is_not_stuck_with_them(tmp_path: Path) -> None:
    path = tmp_path / "store"
    files = Meanwhile()

    def meanwhile() -> None:
        repo.gc()
        repo.main().set("k", b"2", message="2")

    with opened(path) as repo:
        repo.main().set("k", b"0", message="0")
        with opened(path, readonly=True, files=files) as reader:
            repo.gc()
            repo.main().set("k", b"1", message="1")
            segment = os.path.basename(max(Path(Root(str(path)).packs).iterdir()))
            # The header is read twice: to find the segments, and when this one is opened.
            files.after("open", segment, lambda: files.after("open", segment, meanwhile))
            assert messages(reader)[0] in ("1", "2")
            assert files.done
            assert messages(reader)[0] == "2"


def test_a_reader_that_lists_the_old_segments_in_a_collection_takes_the_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "store"
    files = Meanwhile()
    with opened(path) as repo:
        repo.main().set("k", b"0", message="0")
        repo.gc()
        with opened(path, readonly=True, files=files) as reader:
            repo.gc()
            repo.main().set("k", b"1", message="1")
            files.after("listdir", SEGMENTS, repo.gc)
            assert messages(reader) == ["1", "0"]
            assert files.done


def test_two_heads_that_name_nothing_may_have_something_between_them(tmp_path: Path) -> None:
    """A writer that dies while HEAD is wiped, and another one: a reader that looked in between sees their work."""
    path = tmp_path / "store"
    with opened(path) as repo, opened(path, readonly=True) as reader:
        repo.main().set("k", b"0", message="0")
        head = Path(Root(str(path)).head)
        head.write_bytes(bytes(HEAD_SIZE))
        assert messages(reader) == ["0"]
        repo.main().set("k", b"1", message="1")
        head.write_bytes(bytes(HEAD_SIZE))
        assert messages(reader) == ["1", "0"]


def test_a_head_that_names_nothing_is_not_a_reason_to_read_the_log_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "store"
    files = Meanwhile()
    with opened(path) as repo:
        repo.main().set("k", b"0", message="0")
    Path(Root(str(path)).head).unlink()
    with opened(path, readonly=True, files=files) as reader:
        lists: list[int] = []
        files.after("listdir", SEGMENTS, lambda: lists.append(1))
        for _ in range(3):
            assert messages(reader) == ["0"]
        assert not lists
        assert not files.done


def after(files: Meanwhile, n: int, call: str, name: str, then: Callable[[], object]) -> None:
    """As `Meanwhile.after`, right after the `n`-th such call."""
    files.after(call, name, then if n == 1 else lambda: after(files, n - 1, call, name, then))


def state_of(repo: Repo[bytes, None]) -> State:
    backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
    assert isinstance(backend, PackBackend)
    return backend.state


@INDEX
def test_an_index_that_goes_away_while_it_is_filled_is_not_the_readers_trouble(
    tmp_path: Path, index: str
) -> None:
    """A writer that opens the index of a generation right after its end makes it anew; the next one's cleaning up
    removes it under his hands.
    """
    path = tmp_path / "store"
    files = Meanwhile()
    with opened(path, index=index) as repo, opened(path, index=index, files=files) as other:
        repo.main().set("k", b"0", message="0")
        repo.gc()

        def meanwhile() -> None:
            repo.gc()
            files.after("open", f"2-{index}/written", repo.gc)  # it is read before entries are added

        after(files, 3, "pread", "HEAD", meanwhile)
        assert messages(other) == ["0"]
        assert files.done
        repo.main().set("k", b"1", message="1")
        other.main().set("k", b"2", message="2")
        assert messages(repo) == ["2", "1", "0"]
        assert state_of(other).lookup.places is not None
        repo.gc()
    assert [entry.name for entry in Path(Root(str(path)).indexes).iterdir()] == [f"5-{index}"]


@INDEX
@pytest.mark.parametrize("readonly", [False, True])
def test_an_index_that_is_ahead_since_somebody_wrote_meanwhile_is_used(
    tmp_path: Path, index: str, readonly: bool
) -> None:
    path = tmp_path / "store"
    files = Meanwhile()
    with (
        opened(path, index=index) as repo,
        opened(path, index=index, readonly=readonly, files=files) as other,
    ):
        repo.main().set("k", b"0", message="0")
        repo.gc()

        def meanwhile() -> None:
            repo.main().set("k", b"1", message="1")
            backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
            assert isinstance(backend, PackBackend)
            backend._writing().index()  # pyright: ignore[reportPrivateUsage]

        after(files, 3, "pread", "HEAD", meanwhile)
        assert messages(other) == ["1", "0"]
        assert files.done
        lookup = state_of(other).lookup
        assert lookup.places is not None
        assert not len(lookup), "all of it is in the index"
        assert [entry.name for entry in Path(Root(str(path)).indexes).iterdir()] == [f"2-{index}"]
        repo.main().set("k", b"2", message="2")
        assert messages(other) == ["2", "1", "0"]


@INDEX
def test_what_was_damaged_in_an_index_goes_with_its_generation(tmp_path: Path, index: str) -> None:
    path = tmp_path / "store"
    with opened(path, index=index) as repo:
        repo.main().set("k", b"0")
        set_aside(Files(), Root(str(path)).index(1, index))
        indexes = Path(Root(str(path)).indexes)
        assert [entry.name for entry in indexes.iterdir()] == [f"1-{index}.damaged"]
        repo.gc()
        assert [entry.name for entry in indexes.iterdir()] == [f"2-{index}"]


def test_a_refresh_that_failed_half_way_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "store"
    files = Meanwhile()

    def fails() -> None:
        raise OSError(errno.EIO, "made to fail")

    with opened(path) as repo, opened(path, readonly=True, files=files) as reader:
        repo.main().set("k", b"0", message="0")
        assert messages(reader) == ["0"]
        for n in range(1, 40):
            repo.gc(depth=0)
            repo.main().set("k", b"%d" % n, message=str(n))
            after(files, n, "pread", "", fails)
            with suppress(StorageError):
                messages(reader)
            files.after("", "", lambda: None)
            assert messages(reader)[0] == str(n)
            assert reader.main().get("k") == b"%d" % n
