"""Making a store, and finding the segments of one: by MANIFEST, or by the headers of the files without it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Final

from irminpy.errors import Corrupted, NotAStore, StorageError
from irminpy.fields import NamedTuple, replaced
from irminpy.schema import Schema

from .files import Files, read_at, sync_directory, write_at, write_file
from .frame import GENERATION, Framing
from .head import HEAD_SIZE, Slot, place
from .identity import Identity, Root
from .log import Log
from .manifest import Manifest, Row
from .segment import HEADER_SIZE, Header, Segment, Table
from .trailer import NOTHING, Tip

__all__ = [
    "BEGIN",
    "Found",
    "create",
    "find",
    "harden",
    "manifest_bytes",
    "open_table",
    "write_manifest",
    "write_segment",
]

FIRST: Final = 1
"""Number of the first segment, and of the first generation."""
BEGIN: Final = Tip(0, HEADER_SIZE, NOTHING, 0)
"""The end of a log without batches."""
_MOST: Final = 1 << 24  # bytes of MANIFEST that are read


def create(files: Files, path: str, schema: Schema[Any, Any]) -> None:
    """Make an empty store at `path`, which does not exist or is an empty directory.

    Made under another name, synced and renamed: there is never half a store at `path`. If somebody else made one
    meanwhile, theirs stays. Raises NotAStore if something else is there.
    """
    path = os.path.abspath(path)
    if files.exists(path) and (not os.path.isdir(path) or files.listdir(path)):
        raise NotAStore(path, "something else is there, and a store is made in a new or an empty directory")
    import uuid  # late: only a new store gets one

    identity = Identity.of(uuid.uuid4().bytes, schema)
    temporary = f"{path}.new-{identity.uuid.hex()}"
    root = Root(temporary)
    try:
        _make(files, root, identity)
        try:
            files.rename(temporary, path)
        except OSError:
            if not files.exists(Root(path).format):
                raise
            _remove(files, root)
        sync_directory(files, os.path.dirname(path))
    except OSError as e:
        with suppress(OSError):
            _remove(files, root)
        raise StorageError(f"the store {path} cannot be made: {e}") from e


def _make(files: Files, root: Root, identity: Identity) -> None:
    for directory in (root.path, root.packs, root.indexes, root.lost):
        files.mkdir(directory)
    header = Header(identity.uuid, identity.hash_size, FIRST, FIRST, 0, 0)
    write_segment(files, root, header)
    slot = Slot(identity.uuid, FIRST, BEGIN, BEGIN, 0).encode()
    head = bytearray(HEAD_SIZE)
    head[place(0) : place(0) + len(slot)] = slot
    write_file(files, root.head, bytes(head))
    write_file(files, root.lock, b"")
    write_manifest(files, root, Manifest(identity.uuid, FIRST, (Row(FIRST, 0, 0),), BEGIN))
    write_file(files, root.format, identity.encode())


def _remove(files: Files, root: Root) -> None:
    for directory in (root.packs, root.indexes, root.lost, root.path):
        if files.exists(directory):
            for name in files.listdir(directory):
                entry = os.path.join(directory, name)
                if not os.path.isdir(entry):
                    files.unlink(entry)
            files.rmdir(directory)


def write_segment(files: Files, root: Root, header: Header) -> Header:
    """A new segment without frames; it and its name are durable. The header it was given.

    Its number is the first from `header.number` on that no file has: garbage collection, or a process that died, may
    have made one meanwhile.
    """
    while True:
        try:
            fd = files.open(root.segment(header.number), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            header = header._replace(number=header.number + 1)
            continue
        try:
            try:
                write_at(files, fd, header.encode(), 0)
                files.fsync(fd)
            finally:
                files.close(fd)
            sync_directory(files, root.packs)
        except OSError:
            with suppress(OSError):
                files.unlink(root.segment(header.number))
            raise
        return header


def harden(files: Files, root: Root, segment: Segment) -> None:
    """Make the header and the name of a segment durable that somebody else began, and may not have synced."""
    # Written again: after a failed sync of theirs, another one would do nothing.
    write_at(files, segment.fd, segment.header.encode(), 0)
    files.fsync(segment.fd)
    sync_directory(files, root.packs)


def write_manifest(files: Files, root: Root, manifest: Manifest) -> None:
    """Replace MANIFEST, durably."""
    write_file(files, root.manifest, manifest.encode())


class Found(NamedTuple):
    """The segments that make the store now, and the files in its directory of segments that do not belong to it."""

    manifest: Manifest
    strays: tuple[str, ...]
    """Paths: left behind by a process that died, of this generation or older ones."""
    unborn: tuple[str, ...]
    """Paths: of a generation that garbage collection is making, or was when it died, and those that are torn."""
    rebuilt: str | None
    """Why MANIFEST could not be used as it was; None if it could."""
    unlisted: tuple[int, ...] = ()
    """Numbers of segments that MANIFEST does not name: whoever began them may have died before they were durable."""


def find(files: Files, root: Root, identity: Identity) -> Found:
    """What the store is made of. Cost: one read per segment.

    Raises Corrupted if no set of segments makes sense, or one of another store lies among them.
    """
    headers = _headers(files, root, identity)
    manifest, reason = _read_manifest(files, root, identity, headers)
    while manifest is None:
        # Garbage collection may have replaced the segments between the two: then others are there now.
        listed, headers = headers, _headers(files, root, identity)
        if headers == listed:
            break
        manifest, reason = _read_manifest(files, root, identity, headers)
    if manifest is None:
        manifest = _rebuilt(files, root, identity, headers)
    if manifest is None:
        raise Corrupted(root.packs, None, None, f"no segments that make a store are here, and {reason}")
    more = _following(headers, manifest)
    if more:
        manifest = replaced(manifest, segments=manifest.segments + more)
    ours = {row.number for row in manifest.segments}
    strays: list[str] = []
    unborn: list[str] = []
    for number, header in sorted(headers.items()):
        if number not in ours:
            old = 0 < header.generation <= manifest.generation
            (strays if old else unborn).append(root.segment(number))
    unlisted = tuple([row.number for row in more])
    return Found(manifest, tuple(strays), tuple(unborn), reason, unlisted)


def _headers(files: Files, root: Root, identity: Identity) -> dict[int, Header]:
    headers: dict[int, Header] = {}
    try:
        names = files.listdir(root.packs)
    except FileNotFoundError:
        raise Corrupted(root.packs, None, None, "the directory of the segments is missing") from None
    for name in names:
        stem, dot, suffix = name.partition(".")
        if not (dot and suffix == "pack" and stem.isascii() and stem.isdigit()):
            continue
        number = int(stem)
        path = root.segment(number)
        try:
            fd = files.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # removed since, after a garbage collection
        try:
            header = Header.decode(read_at(files, fd, HEADER_SIZE, 0))
        finally:
            files.close(fd)
        if header is None:
            # Torn while it was made, or damaged: `Segment.open` says so if the store needs it.
            headers[number] = Header(identity.uuid, identity.hash_size, number, 0, 0, 0)
        elif header.uuid != identity.uuid or header.number != number:
            found = f"segment {header.number} of the store {header.uuid.hex()}"
            raise Corrupted(path, 0, None, f"it is {found}, not segment {number} of {identity.uuid.hex()}")
        else:
            headers[number] = header
    return headers


def manifest_bytes(files: Files, root: Root) -> bytes:
    """MANIFEST as it is now; nothing where it is missing. Cost: one read. Raises OSError."""
    try:
        fd = files.open(root.manifest, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return read_at(files, fd, _MOST, 0)
    finally:
        files.close(fd)


def _read_manifest(
    files: Files, root: Root, identity: Identity, headers: dict[int, Header]
) -> tuple[Manifest | None, str | None]:
    data = manifest_bytes(files, root)
    if not data:
        return None, "MANIFEST is missing, or empty"
    manifest = Manifest.decode(data)
    if manifest is None:
        return None, "MANIFEST is damaged"
    if manifest.uuid != identity.uuid:
        raise Corrupted(root.manifest, None, None, f"it belongs to the store {manifest.uuid.hex()}")
    missing = [row.number for row in manifest.segments if row.number not in headers]
    if missing:
        return None, f"segment {missing[0]}, which MANIFEST names, is missing"
    return manifest, None


def _chain(headers: dict[int, Header], generation: int) -> list[Row]:
    """The segments of `generation` in the order of their batches; the last one is open."""
    ours = {number: header for number, header in headers.items() if header.generation == generation}
    nexts = {header.previous: header for header in ours.values()}
    first = [header for header in ours.values() if header.previous not in ours]
    rows: list[Row] = []
    header = first[0] if len(first) == 1 else None
    while header is not None:
        rows.append(Row(header.number, header.base, 0))
        header = nexts.get(header.number)
    return rows


def _following(headers: dict[int, Header], manifest: Manifest) -> tuple[Row, ...]:
    """Segments that continue those of the manifest but are not in it: it is older than they are."""
    nexts = {
        header.previous: header for header in headers.values() if header.generation == manifest.generation
    }
    known = {row.number for row in manifest.segments}
    found: list[Row] = []
    header = nexts.get(manifest.segments[-1].number)
    while header is not None and header.number not in known:
        found.append(Row(header.number, header.base, 0))
        header = nexts.get(header.number)
    return tuple(found)


def _rebuilt(files: Files, root: Root, identity: Identity, headers: dict[int, Header]) -> Manifest | None:
    """What the headers and the frames say; None if they make no store.

    A generation that garbage collection did not finish has no G frame that its batches lead to. One that was finished
    may be damaged since: it is taken if there is no other.
    """
    found: list[Manifest] = []
    for generation in sorted({header.generation for header in headers.values()}, reverse=True):
        rows = _chain(headers, generation)
        if not rows:
            continue
        begin = BEGIN._replace(end=rows[0].base + HEADER_SIZE)
        manifest = Manifest(identity.uuid, generation, tuple(rows), begin)
        if generation == FIRST:
            found.append(manifest)
            continue
        try:
            table = open_table(files, root, identity.uuid, rows, mapped=False, write=False)
        except Corrupted:
            continue
        log = Log(Framing(identity.hash_size), table)
        tip, at = log.flip(begin)
        if at:
            return replaced(manifest, tip=tip, flip=at)
        at = _flip_frame(log)
        if at:
            found.append(replaced(manifest, flip=at))
    return found[-1] if found else None


def _flip_frame(log: Log) -> int:
    """The offset of the first G frame that can be found segment by segment; 0 for none."""
    for segment in log.table.segments:
        for offset, frame in log.framing.scan(log.table.read, segment.base + HEADER_SIZE, segment.end):
            if frame.kind == GENERATION:
                return offset
    return NOTHING


def open_table(
    files: Files, root: Root, uuid: bytes, rows: tuple[Row, ...] | list[Row], *, mapped: bool, write: bool
) -> Table:
    """The segments `rows`, open. A row of length 0 is as long as its file. Raises Corrupted."""
    segments: list[Segment] = []
    for row in rows:
        length = row.length or None
        segment = Segment.open(files, root.segment(row.number), uuid, length, mapped=mapped, write=write)
        if segment.base != row.base or segment.header.number != row.number:
            raise Corrupted(segment.path, 0, None, "its header is not that of the segment MANIFEST names")
        segments.append(segment)
    return Table(segments)
