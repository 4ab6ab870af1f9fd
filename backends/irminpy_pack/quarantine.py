"""Quarantine: what is damaged is copied aside, and it is told what it affects and what is still whole.

Nothing that is there is changed or removed: the copies are for whoever wants to look into the damage, or to keep it
while a copy of the store is restored. What an object is worth is told from above: by which branches, commits and
paths lead to it.
"""

from __future__ import annotations

import heapq
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from blake3 import blake3

from irminpy.errors import Corrupted, DecodeError, StorageError
from irminpy.objects import Commit, Inode, Node
from irminpy.schema import Schema

from .files import Files, sync_directory, write_file, write_pieces
from .frame import COMMIT, HEADER, LARGE, NODE, Frame
from .fsck import Finding, fsck
from .identity import Root
from .large import Large
from .log import KIND_OF_FRAME
from .scan import Gap, Whole, claimed, scan
from .segment import Segment
from .still import Still
from .word import words_of

__all__ = ["Affected", "Copied", "Quarantine", "Spare", "quarantine"]

_PATHS: Final = 100
"""Paths that are told of a branch."""
_WAYS: Final = 64  # ways down that are kept of one directory
_REPORT: Final = "report.json"


class Copied(NamedTuple):
    """A damaged range and its copy."""

    file: str
    offset: int
    size: int
    copy: str
    """The path of the copy."""
    blake3: str
    """Of its bytes."""


class Spare(NamedTuple):
    """A damaged object of which another frame is whole."""

    hash: str
    file: str
    offset: int


class Affected(NamedTuple):
    """What the damage means for one branch."""

    branch: str
    head: str
    state: str
    """Of the tree of its head: "whole", "damaged", or "lost" if the commit itself cannot be read."""
    commits: int
    """Commits of its history that can be read."""
    damaged: int
    """Those of them whose trees lead to damage, and those whose parents are lost."""
    paths: tuple[str, ...]
    """What cannot be read in the newest damaged tree, the first hundred; a directory stands for all below it."""
    whole: str | None
    """The newest commit of its history whose tree is whole."""


@dataclass(slots=True)
class Quarantine:
    """What was found, copied, and can still be had."""

    path: str
    directory: str | None
    """Where the copies are; None if nothing was damaged."""
    status: int
    """As of `fsck`."""
    findings: list[Finding] = field(default_factory=list[Finding])
    copies: list[Copied] = field(default_factory=list[Copied])
    lost: list[str] = field(default_factory=list[str])
    """Hashes of objects that no frame holds whole; of damaged frames, as they say of themselves."""
    spares: list[Spare] = field(default_factory=list[Spare])
    """An index made anew with the strategy `always` leads to them."""
    branches: list[Affected] = field(default_factory=list[Affected])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            **asdict(self),
            "findings": [finding.to_json() for finding in self.findings],
            "copies": [copy._asdict() for copy in self.copies],
            "spares": [spare._asdict() for spare in self.spares],
            "branches": [branch._asdict() for branch in self.branches],
        }

    def __str__(self) -> str:
        if self.directory is None:
            return f"{self.path}: no data is damaged, nothing was copied"
        lines = [f"{len(self.copies)} damaged ranges copied to {self.directory}"]
        lines += [f"  {copy.size} bytes at byte {copy.offset} of {copy.file}" for copy in self.copies]
        lines += [f"lost: {hash_}" for hash_ in self.lost]
        for spare in self.spares:
            lines.append(f"whole elsewhere: {spare.hash}, at byte {spare.offset} of {spare.file}")
        for branch in self.branches:
            lines.append(
                f"branch {branch.branch}: its head is {branch.state}; {branch.damaged} of {branch.commits} commits "
                "lead to damage"
            )
            lines += [f"  cannot be read: {path or '/'}" for path in branch.paths]
            if branch.state != "whole":
                newest = branch.whole or "none"
                lines.append(f"  the newest whole commit is {newest}")
        return "\n".join(lines)


def quarantine(
    path: str,
    schema: Schema[Any, Any],
    directory: str | None = None,
    *,
    files: Files,
    progress: Callable[[int, int], None] | None = None,
) -> Quarantine:
    """Check the store at `path` up to "graph", copy what is damaged into `directory`, and tell what that affects.

    `directory` is made, in the store's `lost/` if it is None; StorageError if something is in it. It gets the ranges,
    and `report.json`, what this returns. Without damage nothing is made. Raises as `fsck`. Cost: that check, and three
    more passes over the segments. Memory: some 300 bytes per commit, and per object that leads to damage.
    """
    report = fsck(path, schema, "graph", files=files, progress=progress)
    root = Root(os.path.abspath(path))
    result = Quarantine(root.path, None, report.status)
    result.findings = [finding for finding in report.findings if not finding.heals]
    if not result.findings:
        return result
    try:
        result.directory = _directory(files, root, directory)
        try:
            still = Still.open(path, files)
        except StorageError:
            _copy_whole(files, result)
        else:
            _Run(still, schema, result).run()
        record = json.dumps(result.to_json(), indent=1).encode()
        write_file(files, os.path.join(result.directory, _REPORT), record)
    except OSError as e:
        raise StorageError(f"{root.path}: what is damaged cannot be copied: {e}") from e
    return result


def _directory(files: Files, root: Root, wanted: str | None) -> str:
    if wanted is None:
        if not files.exists(root.lost):
            files.mkdir(root.lost)
        wanted = os.path.join(root.lost, f"quarantine-{time.time_ns()}")
    wanted = os.path.abspath(wanted)
    if not files.exists(wanted):
        files.mkdir(wanted)
        sync_directory(files, os.path.dirname(wanted))
    elif not os.path.isdir(wanted) or files.listdir(wanted):
        raise StorageError(
            f"{wanted} is not empty, and quarantine overwrites nothing; choose a new directory"
        )
    return wanted


def _copy_whole(files: Files, result: Quarantine) -> None:
    """The segments do not make a store: copy the files that the check names."""
    for file in dict.fromkeys(finding.file for finding in result.findings):
        if os.path.isfile(file):
            fd = files.open(file, os.O_RDONLY)
            try:
                size = files.size(fd)
                pieces = (files.pread(fd, 1 << 20, at) for at in range(0, size, 1 << 20))
                _copy(files, result, file, 0, size, pieces)
            finally:
                files.close(fd)


def _copy(
    files: Files, result: Quarantine, file: str, offset: int, size: int, pieces: Iterator[bytes]
) -> None:
    assert result.directory is not None
    digest = blake3()
    copy = os.path.join(result.directory, f"{os.path.basename(file)}-{offset}")

    def told() -> Iterator[bytes]:
        for piece in pieces:
            digest.update(piece)
            yield piece

    write_pieces(files, copy, told())
    result.copies.append(Copied(file, offset, size, copy, digest.hexdigest()))


class _Run:
    """What is damaged in a store that can be opened."""

    def __init__(self, still: Still, schema: Schema[Any, Any], result: Quarantine) -> None:
        self.still = still
        self.schema = schema
        self.codec = schema.codec
        self.result = result
        self.segments = {segment.path: segment for segment in still.table.segments}
        self.bad: set[int] = set()
        """Virtual offsets of frames that are damaged."""
        self.lost: dict[bytes, None] = {}
        # Object that leads to damage, to (step, child) for the children that do; no step for a bucket.
        self.ways: dict[bytes, list[tuple[str | None, bytes]]] = {}
        self.commits: dict[bytes, tuple[tuple[bytes, ...], bytes, int]] = {}

    def run(self) -> None:
        for finding in self.result.findings:
            self.take(finding)
        self.find_spares()
        self.result.lost = [hash_.hex() for hash_ in self.lost]
        self.ways = {hash_: [] for hash_ in self.lost}
        before = -1
        while before < len(self.ways):
            # Children lie below their parents, as a rule: then the second pass finds nothing more.
            before = len(self.ways)
            for _, found in self.frames():
                self.follow(found.frame)
        self.tell()

    def frames(self) -> Iterator[tuple[Segment, Whole]]:
        for segment in self.still.table.segments:
            for found in scan(self.still.framing, segment):
                if not isinstance(found, Gap):
                    with suppress(ValueError):  # a finding of its own
                        whole = self.still.log.whole(segment.base + found.at, found.frame)
                        found = found._replace(frame=whole)
                    yield segment, found

    # -- what is damaged -------------------------------------------------------------------------------------

    def take(self, finding: Finding) -> None:
        """Copy the bytes of `finding`, and note which object it was."""
        if finding.missing is not None:
            self.lost[bytes.fromhex(finding.missing)] = None
            return
        segment = self.segments.get(finding.file)
        if segment is None or finding.offset is None or finding.fault == "hint":
            return
        at, framing = finding.offset, self.still.framing
        size = finding.size
        if size is None:
            try:
                size = framing.length(segment.read(at, HEADER.size))
            except ValueError:
                return  # a batch that begins with a damaged frame, which has a finding of its own
        if segment.base + at not in self.bad:
            begin = segment.base + at
            self.bad.add(begin)
            pieces = self.still.table.pieces(begin, begin + size)
            _copy(self.still.files, self.result, segment.path, at, size, pieces)
        if finding.fault == "frame":
            hash_ = claimed(framing, segment, at)
            if hash_ is not None:
                self.lost[hash_] = None
        elif finding.hash is not None:
            self.lost[bytes.fromhex(finding.hash)] = None

    def find_spares(self) -> None:
        """Objects that lie whole in another place are not lost."""
        for segment, found in self.frames():
            frame = found.frame
            if frame.hash not in self.lost or frame.kind not in KIND_OF_FRAME:
                continue
            if segment.base + found.at in self.bad or not self.whole(frame):
                continue
            del self.lost[frame.hash]
            self.result.spares.append(Spare(frame.hash.hex(), segment.path, found.at))

    def whole(self, frame: Frame) -> bool:
        if frame.kind != LARGE:
            return self.codec.digest(frame.canonical) == frame.hash
        try:
            Large.decode(frame.hash, frame.canonical, words_of(frame.hints), self.schema.hash)
        except DecodeError:
            return False
        return True

    # -- what leads there ------------------------------------------------------------------------------------

    def follow(self, frame: Frame) -> None:
        """Note whether `frame` leads to what is lost."""
        if frame.kind not in (NODE, COMMIT, LARGE) or frame.hash in self.lost:
            return
        try:
            if frame.kind == NODE:
                found = self.below(self.codec.decode_node(frame.canonical))
            elif frame.kind == LARGE:
                large = Large.decode(frame.hash, frame.canonical, words_of(frame.hints), self.schema.hash)
                found = self.buckets(list(large.hashes))
            else:
                self.commit(frame.hash, self.codec.decode_commit(frame.canonical))
                return
        except DecodeError:
            return  # a finding of its own
        if found:
            self.ways[frame.hash] = found[:_WAYS]

    def below(self, record: Node | Inode) -> list[tuple[str | None, bytes]]:
        ways, size = self.ways, self.codec.hash_size
        if type(record) is Inode:
            return self.buckets(record.children())
        assert type(record) is Node
        hashes = record.hashes
        return [
            (step, hashes[i * size : (i + 1) * size])
            for step, i in record.index.items()
            if hashes[i * size : (i + 1) * size] in ways
        ]

    def buckets(self, children: list[bytes]) -> list[tuple[str | None, bytes]]:
        return [(None, child) for child in children if child in self.ways]

    def commit(self, hash_: bytes, commit: Commit) -> None:
        parents = tuple(map(bytes, commit.parents))
        self.commits[hash_] = (parents, bytes(commit.node), commit.info.date)

    # -- what that means -------------------------------------------------------------------------------------

    def tell(self) -> None:
        try:
            refs = self.still.log.branches_at(self.still.tip)
        except Corrupted:
            return  # the findings say so
        for name, (head, _) in sorted(refs.items()):
            self.result.branches.append(self.branch(name, head))

    def damaged(self, commit: bytes) -> bool:
        parents, node, _ = self.commits[commit]
        return node in self.ways or any(parent in self.lost for parent in parents)

    def branch(self, name: str, head: bytes) -> Affected:
        commits = self.commits
        if head not in commits:
            return Affected(name, head.hex(), "lost", 0, 0, (), None)
        state = "damaged" if commits[head][1] in self.ways else "whole"
        whole: str | None = None
        newest: bytes | None = None
        damaged = 0
        queue = [(-commits[head][2], head)]
        seen = {head}
        while queue:
            _, commit = heapq.heappop(queue)
            parents, node, _ = commits[commit]
            damaged += self.damaged(commit)
            if node in self.ways:
                newest = newest or commit
            elif whole is None:
                whole = commit.hex()
            for parent in parents:
                if parent in commits and parent not in seen:
                    seen.add(parent)
                    heapq.heappush(queue, (-commits[parent][2], parent))
        paths = () if newest is None else tuple(self.paths(commits[newest][1]))
        return Affected(name, head.hex(), state, len(seen), damaged, paths, whole)

    def paths(self, root: bytes) -> list[str]:
        """The paths below `root` at which something is lost, at most `_PATHS`, in the order of the tree."""
        found: list[str] = []
        stack: list[tuple[bytes, str]] = [(root, "")]
        while stack and len(found) < _PATHS:
            hash_, path = stack.pop()
            ways = self.ways[hash_]
            if not ways:
                found.append(path)
            for step, child in reversed(ways):
                below = path if step is None else f"{path}/{step}" if path else step
                stack.append((child, below))
        return list(dict.fromkeys(found))
