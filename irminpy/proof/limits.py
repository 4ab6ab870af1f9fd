"""How much a verifier takes on: bounds that are checked before anything is made room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from .. import core
from ..errors import BadProof

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFAULT", "MIB", "Limits", "explain"]

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
    explained: int = 64 << 10
    """Bytes at the begin of a proof in which is looked for what is wrong with it, where the compiled core found that
    something is: it does so in less time than it takes to say what, and where.
    """

    def __post_init__(self) -> None:
        for name in ("total", "objects", "density", "depth", "contents", "explained"):
            value = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"{name} is an int, not {type(value).__name__}")
            if value < 0:
                raise ValueError(f"{name} is {value}; use a number from 0 up")


DEFAULT = Limits()


def explain(data: bytes, limits: Limits, read: Callable[[bytes], object]) -> None:
    """Refuse the proof `data`, which the compiled core would have read if it were right, with BadProof.

    `read` is given the begin of it, and raises BadProof for what is wrong there. If the proof is so short that it may be
    read again, nothing happens.
    """
    if core.CORE != "c" or len(data) <= limits.explained:
        return
    try:
        read(data[: limits.explained])
    except BadProof as e:
        if "truncated" not in e.reason:  # that it ends is our doing
            raise
    raise BadProof(
        f"something is not as it has to be behind the first {limits.explained} bytes; read it with "
        f"Limits(explained={len(data)}), which takes longer, to learn what it is and where"
    )
