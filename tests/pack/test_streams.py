"""Large contents in a pack: how they lie in the segments, what is read of them, and what damage does."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from irminpy import Repo, Schema, contents
from irminpy.errors import Closed, Corrupted, DanglingHash, DecodeError
from irminpy.hash import SHA256, Hash, Own
from irminpy.objects import Kind, Objects
from irminpy_pack import Pack
from irminpy_pack.backend import PackBackend
from irminpy_pack.files import Files
from irminpy_pack.frame import BLOB, LARGE, Frame
from irminpy_pack.fsck import fsck
from irminpy_pack.large import LIMIT, Large, put
from irminpy_pack.segment import HEADER_SIZE

MIB = 1 << 20


def noise(size: int, seed: str = "") -> bytes:
    return blake3(b"streams" + seed.encode()).digest(size)


VALUE = noise(3 * MIB)


class Counting(Files):
    """Counts the bytes that are read."""

    def __init__(self) -> None:
        self.read = 0

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        data = super().pread(fd, size, offset)
        self.read += len(data)
        return data


def pack(folder: Path, files: Files | None = None, **options: str) -> Pack:
    folder.mkdir(exist_ok=True)
    return Pack(
        str(folder / "store"),
        io="pread",
        index=options.get("index", "always"),
        files=Files() if files is None else files,
    )


def backend_of(repo: Repo[bytes, None]) -> PackBackend:
    backend = repo._opened.backend
    assert isinstance(backend, PackBackend)
    return backend


def frames(folder: Path) -> list[tuple[Path, int, Frame]]:
    """All frames of a store that is closed: file, offset in it, frame."""
    with Repo.open(pack(folder), readonly=True) as repo:
        state = backend_of(repo).state
        found: list[tuple[Path, int, Frame]] = []
        for segment in state.log.table.segments:
            start, end = segment.base + HEADER_SIZE, segment.end
            for offset, frame in state.framing.scan(state.log.table.read, start, end):
                found.append((Path(segment.path), offset - segment.base, frame))
        return found


def kinds(folder: Path) -> Counter[int]:
    return Counter(frame.kind for _, _, frame in frames(folder))


def flip(file: Path, offset: int) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 1
    file.write_bytes(data)


def by_set(repo: Repo[bytes, None], path: str, value: bytes) -> None:
    repo.main().set(path, value)


def by_stream(repo: Repo[bytes, None], path: str, value: bytes) -> None:
    repo.main().write_stream(path, io.BytesIO(value))


WAYS: list[Callable[[Repo[bytes, None], str, bytes], None]] = [by_set, by_stream]
both_ways = pytest.mark.parametrize("write", WAYS)


@both_ways
def test_contents_beyond_the_limit_are_chunks_and_one_record(
    tmp_path: Path, write: Callable[[Repo[bytes, None], str, bytes], None]
) -> None:
    with Repo.open(pack(tmp_path)) as repo:
        write(repo, "at the limit", VALUE[:LIMIT])
    assert (kinds(tmp_path)[BLOB], kinds(tmp_path)[LARGE]) == (1, 0)
    with Repo.open(pack(tmp_path)) as repo:
        write(repo, "beyond", VALUE)
    found = kinds(tmp_path)
    assert found[LARGE] == 1
    assert found[BLOB] > 6
    with Repo.open(pack(tmp_path)) as repo:
        assert repo.main().get("beyond") == VALUE
        assert repo.main().get("at the limit") == VALUE[:LIMIT]


def test_both_ways_write_the_same_frames(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path)) as repo:
        by_set(repo, "a", VALUE)
    before = kinds(tmp_path)
    with Repo.open(pack(tmp_path)) as repo:
        by_stream(repo, "b", VALUE)
        by_set(repo, "c", VALUE)
    after = kinds(tmp_path)
    assert (after[BLOB], after[LARGE]) == (before[BLOB], before[LARGE])


@both_ways
def test_versions_and_values_share_chunks(
    tmp_path: Path, write: Callable[[Repo[bytes, None], str, bytes], None]
) -> None:
    edited = VALUE[:MIB] + b"something else" + VALUE[MIB:]
    with Repo.open(pack(tmp_path)) as repo:
        write(repo, "a", VALUE)
    before = kinds(tmp_path)[BLOB]
    with Repo.open(pack(tmp_path)) as repo:
        write(repo, "a", edited)
        write(repo, "b", VALUE + edited)
    assert kinds(tmp_path)[BLOB] - before <= 8
    with Repo.open(pack(tmp_path)) as repo:
        assert repo.main().get("a") == edited
        assert repo.main().get("b") == VALUE + edited


def test_a_chunk_is_contents_like_any_other(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path)) as repo:
        by_set(repo, "a", VALUE)
    chunk = next(frame for _, _, frame in frames(tmp_path) if frame.kind == BLOB)
    before = kinds(tmp_path)[BLOB]
    with Repo.open(pack(tmp_path)) as repo:
        assert repo.find_contents(Hash(chunk.hash)) == chunk.canonical[1:]
        by_set(repo, "chunk", chunk.canonical[1:])
    assert kinds(tmp_path)[BLOB] == before


def test_a_range_reads_no_more_than_the_chunks_it_touches(tmp_path: Path) -> None:
    value = noise(24 * MIB, "long")
    files = Counting()
    with Repo.open(pack(tmp_path, files)) as repo:
        by_stream(repo, "a", value)
        with repo.main().open_stream("a") as file:
            files.read = 0
            file.seek(13 * MIB)
            assert file.read(1000) == value[13 * MIB : 13 * MIB + 1000]
            assert 0 < files.read <= 2 * MIB + 64 * 1024
            before = files.read
            file.read(1000)
            assert files.read == before


@pytest.mark.parametrize("index", ["always", "minimal"])
def test_writing_and_opening_a_stream_read_no_chunk(tmp_path: Path, index: str) -> None:
    """Else a value would be in memory as a whole, three times over."""
    files = Counting()
    with Repo.open(pack(tmp_path, files, index=index)) as repo:
        main = repo.main()
        files.read = 0
        main.write_stream("a", io.BytesIO(VALUE))
        assert files.read < 64 << 10
        with main.open_stream("a"):
            assert files.read < 64 << 10


def test_finding_a_key_reads_no_chunk(tmp_path: Path) -> None:
    files = Counting()
    with Repo.open(pack(tmp_path, files)) as repo:
        by_stream(repo, "a", VALUE)
        hash_ = Hash(Schema().codec.digest(b"B" + VALUE))
        files.read = 0
        (key,) = backend_of(repo).find_keys(Kind.CONTENTS, [hash_])
        assert key is not None
        assert files.read < 10_000


def test_another_handle_reads_what_was_streamed(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path)) as repo, Repo.open(pack(tmp_path), readonly=True) as other:
        by_stream(repo, "a", VALUE)
        with other.main().open_stream("a") as file:
            assert file.read() == VALUE
        by_stream(repo, "b", VALUE[::-1])
        assert other.main().get("b") == VALUE[::-1]


def test_a_stream_of_a_closed_store_is_closed(tmp_path: Path) -> None:
    repo = Repo.open(pack(tmp_path))
    by_stream(repo, "a", VALUE)
    file = repo.main().open_stream("a")
    file.read(1)
    repo.close()
    file.seek(2 * MIB)
    with pytest.raises(Closed):
        file.read(1)


def test_contents_that_are_nowhere_open_no_stream(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path)) as repo:
        assert backend_of(repo).open_stream(Hash(bytes(32))) is None


def test_bytes_that_are_no_contents_are_kept_as_they_are(tmp_path: Path) -> None:
    """A backend keeps what it is given; only what decodes can be cut."""
    data = b"?" + VALUE
    with Repo.open(pack(tmp_path)) as repo:
        hash_ = Schema().codec.digest(data)
        backend_of(repo).write(Objects(contents={hash_: data}))
        assert backend_of(repo).read(Kind.CONTENTS, Hash(hash_)) == data
    assert kinds(tmp_path)[LARGE] == 0


@pytest.mark.parametrize("function", [SHA256(), Own("mine", 32, lambda data: blake3(data).digest())])
def test_other_hash_functions_stream_too(tmp_path: Path, function: SHA256 | Own) -> None:
    schema = Schema(hash=function)
    with Repo.open(pack(tmp_path), schema) as repo:
        by_stream(repo, "a", VALUE)
        expected = Hash(function.digest(b"B" + VALUE))
        found = repo.main().hash("a")
        assert found is not None
        assert found.hash == expected
        with repo.main().open_stream("a") as file:
            assert file.read() == VALUE


# -- other types of contents -----------------------------------------------------------------------------------


def test_text_streams_as_its_utf_8(tmp_path: Path) -> None:
    text = "größer " * 200_000
    with Repo.open(pack(tmp_path), Schema(contents.String())) as repo:
        repo.main().write_stream("a", io.BytesIO(text.encode()))
        assert repo.main().get("a") == text
        with repo.main().open_stream("a") as file:
            assert file.read() == text.encode()


@pytest.mark.parametrize("at", [0, 1, 5, LIMIT - 1, LIMIT + 1])
def test_bytes_that_are_no_text_are_refused_where_they_stop_being_it(tmp_path: Path, at: int) -> None:
    data = bytearray(b"a" * (2 * LIMIT))
    data[at : at + 2] = b"\xc3("
    with Repo.open(pack(tmp_path), Schema(contents.String())) as repo:
        with pytest.raises(DecodeError) as caught:
            repo.main().write_stream("a", io.BytesIO(bytes(data)))
        assert caught.value.offset == at
        assert repo.main().find_head() is None


def test_text_that_ends_within_a_character_is_refused(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path), Schema(contents.String())) as repo:
        with pytest.raises(DecodeError) as caught:
            repo.main().write_stream("a", io.BytesIO(b"a\xe2\x82"))
        assert caught.value.offset == 1


def test_contents_with_a_form_of_their_own_do_not_stream(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path), Schema(contents.Json())) as repo:
        repo.main().set("a", {"b": 1})
        with pytest.raises(DecodeError, match="json"):
            repo.main().open_stream("a")
        with pytest.raises(DecodeError, match="json"):
            repo.main().write_stream("a", io.BytesIO(b"{}"))


# -- damage ------------------------------------------------------------------------------------------------------


def test_a_damaged_chunk_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path)) as repo:
        by_stream(repo, "a", VALUE)
    blobs = [(file, at, frame) for file, at, frame in frames(tmp_path) if frame.kind == BLOB]
    file_, at, frame = blobs[2]
    start = sum(len(other.canonical) - 1 for _, _, other in blobs[:2])
    flip(file_, at + frame.size - 9)
    with Repo.open(pack(tmp_path)) as repo:
        with pytest.raises(Corrupted) as caught:
            repo.main().get("a")
        assert (caught.value.file, caught.value.offset) == (str(file_), at)
        assert caught.value.hash == frame.hash
        with repo.main().open_stream("a") as file:
            assert file.read(1000) == VALUE[:1000]
            file.seek(start)
            with pytest.raises(Corrupted):
                file.read(10)
            beyond = start + len(frame.canonical) - 1
            file.seek(beyond)
            assert file.read() == VALUE[beyond:]


@both_ways
def test_writing_a_value_again_heals_a_damaged_chunk(
    tmp_path: Path, write: Callable[[Repo[bytes, None], str, bytes], None]
) -> None:
    with Repo.open(pack(tmp_path)) as repo:
        write(repo, "a", VALUE)
    file, at, frame = next(found for found in frames(tmp_path) if found[2].kind == BLOB)
    flip(file, at + frame.size - 9)
    with Repo.open(pack(tmp_path)) as repo:
        write(repo, "b", VALUE)
        assert repo.main().get("b") == VALUE
        assert repo.main().get("a") == VALUE


def test_a_damaged_record_is_corrupted_whichever_byte_it_is(tmp_path: Path) -> None:
    """Where its header says another length, kind or hash, the index that is made from it does not lead to it."""
    with Repo.open(pack(tmp_path)) as repo:
        by_stream(repo, "a", VALUE)
    file, at, frame = next(found for found in frames(tmp_path) if found[2].kind == LARGE)
    rng = random.Random(1)
    whole = file.read_bytes()
    for i in [0, 4, 8, 12, 13, 16, 48, frame.size - 1, *(rng.randrange(frame.size) for _ in range(25))]:
        flip(file, at + i)
        with Repo.open(pack(tmp_path), readonly=True) as repo:
            wrong = (Corrupted, DanglingHash) if 4 <= i < 48 else Corrupted
            with pytest.raises(wrong):
                repo.main().get("a")
            with pytest.raises(wrong):
                repo.main().open_stream("a").read()
        file.write_bytes(whole)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_with_any_flipped_byte_of_its_frames_what_is_read_is_right_or_an_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    value = VALUE[: LIMIT + 400_000]
    if not (tmp_path / "store").exists():
        with Repo.open(pack(tmp_path)) as repo:
            by_stream(repo, "a", value)
    found = [row for row in frames(tmp_path) if row[2].kind in (BLOB, LARGE)]
    file, at, frame = data.draw(st.sampled_from(found))
    where = at + data.draw(st.integers(0, frame.size - 1))
    flip(file, where)
    try:
        with Repo.open(pack(tmp_path), readonly=True) as repo, repo.main().open_stream("a") as stream:
            start = data.draw(st.integers(0, len(value)))
            stream.seek(start)
            assert stream.read(70_000) == value[start : start + 70_000]
            assert repo.main().get("a") == value
    except (Corrupted, DanglingHash):
        pass
    finally:
        flip(file, where)


# -- fsck --------------------------------------------------------------------------------------------------------


def faults(folder: Path, schema: Schema[Any, Any]) -> list[str]:
    return [finding.fault for finding in fsck(str(folder / "store"), schema).findings]


def test_fsck_finds_nothing_wrong_with_large_contents_of_any_type(tmp_path: Path) -> None:
    """A chunk of text may begin within a character, and a chunk of JSON is none."""
    text = "größer " * 300_000
    values: list[tuple[Schema[Any, Any], Any]] = [
        (Schema(), VALUE),
        (Schema(contents.String()), text),
        (Schema(contents.Json()), {"text": text}),
    ]
    for i, (schema, value) in enumerate(values):
        with Repo.open(pack(tmp_path / str(i)), schema) as repo:
            repo.main().set("a", value)
        assert faults(tmp_path / str(i), schema) == []


def test_fsck_does_not_mind_a_stream_that_was_given_up(tmp_path: Path) -> None:
    schema = Schema(contents.String())
    with Repo.open(pack(tmp_path), schema) as repo, pytest.raises(DecodeError):
        repo.main().write_stream("a", io.BytesIO("größer ".encode() * 600_000 + b"\xff"))
    assert faults(tmp_path, schema) == []


def test_fsck_tells_contents_that_are_not_of_the_type_of_the_schema(tmp_path: Path) -> None:
    schema = Schema(contents.String())
    codec = schema.codec
    for value in (b"\xff", b"\xff" * (2 * MIB)):
        data = b"B" + value
        hash_ = codec.digest(data)
        node = codec.encode_node(["a"], b"\x01", hash_, [])
        folder = tmp_path / str(len(value))
        with Repo.open(pack(folder), schema) as repo:
            repo._opened.backend.write(Objects(contents={hash_: data}, nodes={codec.digest(node): node}))
        assert faults(folder, schema) == ["object"]


def test_fsck_tells_a_damaged_chunk_and_a_damaged_record(tmp_path: Path) -> None:
    with Repo.open(pack(tmp_path)) as repo:
        by_stream(repo, "a", VALUE)
    found = frames(tmp_path)
    for kind in (BLOB, LARGE):
        file, at, frame = next(row for row in found if row[2].kind == kind)
        flip(file, at + frame.size - 9)
        assert "frame" in faults(tmp_path, Schema())
        flip(file, at + frame.size - 9)
    assert faults(tmp_path, Schema()) == []


def test_fsck_tells_a_record_whose_chunks_are_not_the_whole(tmp_path: Path) -> None:
    codec = Schema().codec
    with Repo.open(pack(tmp_path)) as repo:
        writer = backend_of(repo)._writer
        assert writer is not None
        large = put(io.BytesIO(VALUE), codec, Schema().hash, writer)
        assert isinstance(large, Large)
        other = codec.digest(b"B" + VALUE[::-1])
        backend = backend_of(repo)
        writer.put_large(large._replace(hash=other), lambda: backend.reader, backend.reader)
        with pytest.raises(Corrupted, match="joined"):
            backend_of(repo).read(Kind.CONTENTS, Hash(other))
    assert faults(tmp_path, Schema()) == ["hash"]


@both_ways
def test_a_store_that_indexes_commits_only_finds_large_contents_by_their_words(
    tmp_path: Path, write: Callable[[Repo[bytes, None], str, bytes], None]
) -> None:
    with Repo.open(pack(tmp_path, index="minimal")) as repo:
        write(repo, "a/b", VALUE)
    with Repo.open(pack(tmp_path, index="minimal")) as repo:
        with repo.main().open_stream("a/b") as file:
            assert type(file.raw).__name__ == "_Stream"
            assert file.read() == VALUE
        assert repo.main().get("a/b") == VALUE
