"""The pack as a `Subject`, with tiny segments, in all its modes."""

from __future__ import annotations

from irminpy_pack.files import Files
from irminpy_pack.maker import Pack

from .subject import Subject

__all__ = ["SEAL", "pack", "packs"]

SEAL = 8192
"""Bytes of a segment: a workload of a dozen steps begins several."""


def pack(index: str = "always", durability: str = "wal", *, seal: int = SEAL, io: str = "pread") -> Subject:
    """Packs opened with these options; read by calls by default, so that a fault is an exception, never a signal."""

    def maker(path: str, files: Files) -> Pack:
        return Pack(path, index=index, durability=durability, seal=seal, io=io, files=files)

    return Subject(f"pack, {index}, {durability}", maker, lossy=durability == "none")


def packs() -> list[Subject]:
    """The modes that differ in what they write, or in when they sync."""
    return [pack(), pack(durability="full"), pack(durability="none")]
