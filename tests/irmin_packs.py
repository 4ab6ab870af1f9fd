"""Stores of irmin-pack written by hand, for tests: every version of the files, from the objects of a repository.

Written from docs/formats/irmin-pack.md, not from the reader. Version 1 has hashes for addresses and an index that was
merged, the others have offsets and a log; what is a matter of choice in the format differs between them on purpose.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irminpy import Repo
from irminpy.hash import Hash
from irminpy.objects import DIRECTORY, ROOT, Inode, Kind, Node
from irminpy.path import step_bytes
from irminpy.repr import seeded_hash, varint


def string(data: bytes) -> bytes:
    return varint(len(data)) + data


def int63(n: int) -> bytes:
    return n.to_bytes(8, "big")


@dataclass
class Written:
    """What `write` made: where entries lie, and which."""

    root: Path
    entries: dict[bytes, tuple[int, int, bytes]] = field(default_factory=dict)
    """Hash to offset, length, kind."""


class Packer:
    """Entries in the order in which Irmin writes them: children first."""

    def __init__(self, repo: Repo[Any, Any], version: int) -> None:
        self.codec = repo.schema.codec
        self.objects = repo.export().objects
        self.version = version
        self.data = bytearray()
        self.steps: dict[bytes, int] = {}
        self.entries: dict[bytes, tuple[int, int, bytes]] = {}

    def all(self, commits: list[Hash]) -> None:
        """The commits in order, each with what it needs."""
        for commit in commits:
            val = self.codec.decode_commit(self.objects.commits[commit])
            self.node(val.node, depth=0)
            head = (
                bytes(val.node) + varint(len(val.parents)) + b"".join(val.parents)
                if self.version == 1
                else self.address(val.node)
                + varint(len(val.parents))
                + b"".join(self.address(parent) for parent in val.parents)
            )
            info = val.info
            tail = info.date.to_bytes(8, "big", signed=True)
            tail += string(info.author.encode()) + string(info.message.encode())
            self.entry(commit, b"C" if self.version == 1 else b"D", head + tail)

    def entry(self, hash: bytes, kind: bytes, value: bytes) -> None:
        sized = kind in b"DRO"
        data = hash + kind + (varint(len(value)) if sized else b"") + value
        self.entries[hash] = (len(self.data), len(data), kind)
        self.data += data

    def address(self, hash: bytes) -> bytes:
        """With its tag."""
        return b"\1" + hash if self.version == 1 else b"\0" + int63(self.entries[hash][0])

    def row(self, step: str, kind: int, hash: bytes) -> bytes:
        name = step_bytes(step)
        tag = 2 if kind == DIRECTORY else 0
        if self.version == 1:
            tag += 3
        if len(name) <= 3:
            tag += 6
            shown = string(name)
        else:
            shown = varint(self.steps.setdefault(name, len(self.steps)))
        return varint(tag) + shown + self.address(hash)[1:]

    def node(self, hash: bytes, depth: int) -> None:
        """A directory or a bucket, with all below it."""
        if hash in self.entries:
            return
        record = self.codec.decode_node(self.objects.nodes[hash])
        if isinstance(record, Inode):
            for child in record.children():
                self.node(child, record.depth + 1)
            children = list(zip(record.buckets, record.children(), strict=True))
            self.tree(hash, record.depth, record.count, children, root=record.depth == 0)
            return
        for _, entry in record.entries():
            self.below(entry[0], entry[1 : 1 + self.codec.hash_size])
        rows = [(step, entry[0], entry[1 : 1 + self.codec.hash_size]) for step, entry in record.entries()]
        if record.count <= self.codec.leaf:
            self.values(hash, rows, root=depth == 0)
        else:
            assert record.place == ROOT
            self.pieces(hash, rows, 0)

    def below(self, kind: int, hash: bytes) -> None:
        if kind == DIRECTORY:
            self.node(hash, 0)
        elif hash not in self.entries:
            value = self.codec.decode_contents(self.objects.contents[hash])
            self.entry(hash, b"B", string(value))

    def pieces(self, hash: bytes, rows: list[tuple[str, int, bytes]], depth: int) -> None:
        """A directory that is hashed as one, in parts."""
        groups: dict[int, list[tuple[str, int, bytes]]] = {}
        for row in rows:
            groups.setdefault(self.codec.digit(row[0], depth), []).append(row)
        children: list[tuple[int, bytes]] = []
        for digit in sorted(groups):
            some = sorted(groups[digit], key=lambda row: step_bytes(row[0]))
            assert len(some) <= self.codec.leaf, "one level is enough for a sample"
            steps, kinds = [row[0] for row in some], bytes([row[1] for row in some])
            data = self.codec.encode_bucket(steps, kinds, b"".join([row[2] for row in some]), [])
            own = self.codec.digest(data)
            if own not in self.entries:
                self.values(own, some, root=False)
            children.append((digit, own))
        self.tree(hash, depth, len(rows), children, root=True)

    def kind(self, root: bool, *, stable: bool) -> bytes:
        if self.version == 1:
            return b"N" if stable else b"I"
        return b"R" if root else b"O"

    def values(self, hash: bytes, rows: list[tuple[str, int, bytes]], *, root: bool) -> None:
        value = b"\0" + varint(len(rows)) + b"".join(self.row(*row) for row in rows)
        self.entry(hash, self.kind(root, stable=root), value)

    def tree(
        self, hash: bytes, depth: int, length: int, children: list[tuple[int, bytes]], *, root: bool
    ) -> None:
        value = b"\1" + varint(depth) + varint(length) + varint(len(children))
        value += b"".join(varint(index) + self.address(child) for index, child in children)
        self.entry(hash, self.kind(root, stable=root and length <= self.codec.flat), value)

    @property
    def dict(self) -> bytes:
        return b"".join(len(name).to_bytes(4, "big") + name for name in self.steps)


def legacy(data: bytes, version: int) -> bytes:
    return int63(len(data)) + b"%08d" % version + data


def write_branches(root: Path, heads: dict[str, Hash]) -> None:
    data = b"".join(len(name.encode()).to_bytes(4, "big") + name.encode() + heads[name] for name in heads)
    (root / "store.branches").write_bytes(legacy(data, 1))


def write_index(root: Path, rows: dict[bytes, tuple[int, int, bytes]], *, merged: bool) -> None:
    """As a log; or as data behind a fan-out of four groups, with an empty log beside it."""
    (root / "index").mkdir()
    entries = [
        (hash_, hash_ + int63(offset) + length.to_bytes(4, "big") + kind)
        for hash_, (offset, length, kind) in rows.items()
    ]
    head = b"00000001" + int63(3)
    if not merged:
        data = b"".join(entry for _, entry in entries)
        (root / "index" / "log").write_bytes(int63(len(data)) + head + int63(0) + data)
        return
    entries.sort(key=lambda pair: seeded_hash(0, pair[0]))
    fan = [0] * 4
    for i, (hash_, entry) in enumerate(entries):
        fan[seeded_hash(0, hash_) >> 28] = i * len(entry)
    for i in range(1, 4):
        fan[i] = fan[i] or fan[i - 1]
    data = b"".join(entry for _, entry in entries)
    fanned = b"".join(int63(at) for at in fan)
    (root / "index" / "data").write_bytes(int63(len(data)) + head + int63(len(fanned)) + fanned + data)
    (root / "index" / "log").write_bytes(int63(0) + head + int63(0))


def control(version: int, *parts: bytes, chunks: bytes | None = None, status: bytes) -> bytes:
    """`parts`: the ends of the dict and of the last chunk."""
    before = b"".join(parts)
    if version == 3:
        return b"00000003" + before + status
    before += b"\0"  # not upgraded
    after = (chunks or b"\0\1") + (b"\0" if version == 5 else b"") + status
    total = zlib.adler32(before + bytes(8) + after)
    return b"%08d" % version + before + int63(total) + after


def reachable(packer: Packer, commit: Hash) -> Iterator[bytes]:
    """Hashes of the entries that garbage collection keeps of `commit`: its tree, itself, and its parents' entries."""
    codec = packer.codec
    val = codec.decode_commit(packer.objects.commits[commit])
    yield commit
    yield from val.parents
    stack: list[tuple[Kind, bytes]] = [(Kind.NODE, val.node)]
    while stack:
        kind, hash_ = stack.pop()
        yield hash_
        if kind is Kind.NODE:
            record = codec.decode_node(packer.objects.nodes[hash_])
            if isinstance(record, Node) and record.count > codec.leaf:
                yield from pieces_of(packer, record)
            kinds, hashes = codec.children(packer.objects.nodes[hash_])
            size = codec.hash_size
            stack += [
                (Kind.NODE if kind == DIRECTORY else Kind.CONTENTS, hashes[i * size : (i + 1) * size])
                for i, kind in enumerate(kinds)
            ]


def pieces_of(packer: Packer, record: Node) -> Iterator[bytes]:
    """The parts of a directory that is hashed as one."""
    codec, size = packer.codec, packer.codec.hash_size
    groups: dict[int, list[tuple[str, int, bytes]]] = {}
    for step, entry in record.entries():
        groups.setdefault(codec.digit(step, 0), []).append((step, entry[0], entry[1 : 1 + size]))
    for rows in groups.values():
        rows.sort(key=lambda row: step_bytes(row[0]))
        data = codec.encode_bucket(
            [row[0] for row in rows], bytes([row[1] for row in rows]), b"".join([row[2] for row in rows]), []
        )
        yield codec.digest(data)


def write(
    root: Path,
    repo: Repo[Any, Any],
    commits: list[Hash],
    heads: dict[str, Hash],
    version: int,
    *,
    minimal: bool = False,
    target: Hash | None = None,
    upgraded: bool = False,
) -> Written:
    """A store of format `version` with `commits`, in this order, and `heads`.

    `target`: garbage was collected before this commit. `upgraded`: made by version 1 or 2 and opened since.
    """
    root.mkdir(parents=True)
    packer = Packer(repo, version)
    packer.all(commits)
    data, steps = bytes(packer.data), packer.dict
    rows = {hash_: row for hash_, row in packer.entries.items() if not minimal or row[2] in (b"C", b"D")}
    write_index(root, rows, merged=version == 1)
    write_branches(root, heads)
    made = Written(root, packer.entries)
    if version < 3:
        (root / "store.pack").write_bytes(legacy(data, version))
        (root / "store.dict").write_bytes(legacy(steps, version))
        return made
    ends = (int63(len(steps)),)
    if target is not None:
        _collected(root, packer, data, target, version, ends)
        (root / "store.dict").write_bytes(steps)
        return made
    header = legacy(b"", 2) if upgraded else b""
    status = b"\0" + int63(len(data)) if upgraded else b"\1"
    (root / "store.dict").write_bytes(header + steps)
    if version == 3:
        (root / "store.0.suffix").write_bytes(header + data + b"garbage")
        (root / "store.control").write_bytes(control(3, *ends, int63(len(data)), status=status))
        return made
    # Two chunks: split where some commit ends.
    offset, length, _ = packer.entries[commits[0]]
    split = offset + length
    (root / "store.0.suffix").write_bytes(header + data[:split])
    (root / "store.1.suffix").write_bytes(data[split:] + b"garbage")
    end = int63(len(data) - split)
    (root / "store.control").write_bytes(control(version, *ends, end, chunks=b"\0\2", status=status))
    return made


def _collected(
    root: Path, packer: Packer, data: bytes, target: Hash, version: int, ends: tuple[bytes, ...]
) -> None:
    offset, length, _ = packer.entries[target]
    start = offset + length
    ranges = sorted({packer.entries[hash_][:2] for hash_ in reachable(packer, target)})
    fused: list[list[int]] = []
    for at, size in ranges:
        if fused and fused[-1][0] + fused[-1][1] == at:
            fused[-1][1] += size
        else:
            fused.append([at, size])
    kept = bytearray(data)
    for parent in packer.codec.decode_commit(packer.objects.commits[target]).parents:
        kept[packer.entries[parent][0] + packer.codec.hash_size] = ord("P")
    prefix, mapping = b"", b""
    for at, size in fused:
        mapping += struct.pack("<qqq", at, len(prefix), size)
        prefix += kept[at : at + size]
    (root / "store.1.prefix").write_bytes(prefix)
    (root / "store.1.mapping").write_bytes(mapping)
    status = b"\3" + int63(start) + b"\1"
    if version == 3:
        (root / "store.1.suffix").write_bytes(data[start:])
        (root / "store.control").write_bytes(control(3, *ends, int63(len(data) - start), status=status))
        return
    dead = 7  # bytes of the chunk that were written before, and are not looked at
    status += int63(offset) + int63(dead) + (b"\xff" + int63(len(mapping)) if version == 5 else b"")
    (root / "store.2.suffix").write_bytes(data[start - dead : start] + data[start:])
    end = int63(dead + len(data) - start)
    (root / "store.control").write_bytes(control(version, *ends, end, chunks=b"\2\1", status=status))
