"""How much a verifier takes on: bounds that are checked before anything is made room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["DEFAULT", "MIB", "Limits"]

MIB = 1 << 20  # bytes


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What a proof may cost at most. A producer holds its proof to the same bounds."""

    total: int = 16 * MIB
    """Bytes of a proof."""
    objects: int = 200_000
    """Directories, inner nodes and contents that it reveals."""
    density: int = 65_536
    """Contents, each, and nodes, four times each, that it reveals per started MiB: they cost time, however small."""
    depth: int = 1024
    """Directories below each other."""
    contents: int = 8 * MIB
    """Bytes of one value."""

    def __post_init__(self) -> None:
        for name in ("total", "objects", "density", "depth", "contents"):
            value = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"{name} is an int, not {type(value).__name__}")
            if value < 0:
                raise ValueError(f"{name} is {value}; use a number from 0 up")


DEFAULT = Limits()
