"""The pack as a `Subject`, with tiny segments, in all its modes."""

from __future__ import annotations

from irminpy_pack.files import Files
from irminpy_pack.fsck import fsck
from irminpy_pack.maker import Pack

from ...errors import NotAStore
from ...schema import Schema
from .subject import Health, Repos, Subject

__all__ = ["SEAL", "pack", "packs"]

SEAL = 8192
"""Bytes of a segment: a workload of a dozen steps begins several."""


def pack(index: str = "always", durability: str = "wal", *, seal: int = SEAL, io: str = "pread") -> Subject:
    """Packs opened with these options; read by calls by default, so that a fault is an exception, never a signal."""

    def maker(path: str, files: Files) -> Pack:
        return Pack(path, index=index, durability=durability, seal=seal, io=io, files=files)

    name = f"pack, {index}, {durability}" + ("" if io == "pread" else f", {io}")
    return Subject(name, maker, lossy=durability == "none", collect=_collect, fsck=_fsck)


def _collect(repo: Repos) -> None:
    repo.gc()


def _fsck(path: str) -> Health | None:
    try:
        report = fsck(path, Schema(), "graph")
    except NotAStore:
        return None
    return Health(
        report.refs,
        [str(finding) for finding in report.findings if finding.heals],
        [str(finding) for finding in report.findings if not finding.heals],
    )


def packs() -> list[Subject]:
    """The modes that differ in what they write, or in when they sync."""
    return [pack(), pack("minimal", "full"), pack(durability="none")]
