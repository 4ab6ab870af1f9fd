"""How much a verifier takes on: bounds that are checked before anything is made room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

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
    explained: int = 5 << 10
    """Bytes at the begin of a proof in which is looked for what is wrong with it, where the compiled core found that
    something is: it does so in less time than it takes to say what, and where.
    """

    @property
    def crowded(self) -> str:
        """What is said of a proof that reveals too much."""
        return (
            f"node limit: more than {self.objects} objects are revealed, or more than {self.density} per MiB, where a "
            "node counts as four"
        )

    def __post_init__(self) -> None:
        for name in ("total", "objects", "density", "depth", "contents", "explained"):
            value = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"{name} is an int, not {type(value).__name__}")
            if value < 0:
                raise ValueError(f"{name} is {value}; use a number from 0 up")


DEFAULT = Limits()


def explain(data: bytes, at: int, limits: Limits, read: Callable[[bytes], object]) -> None:
    """Refuse the proof `data`, which the compiled core found wrong where it had read `at` bytes, with BadProof.

    `at` is negative if more is shown than the limits let pass. `read` is given the begin of the proof, and raises
    BadProof for what is wrong there. Nothing happens if the proof is so short that it may be read again.
    """
    if len(data) <= limits.explained:
        return
    if at < 0:
        raise BadProof(f"byte {-at}: {limits.crowded}")
    try:
        read(data[: limits.explained])
    except BadProof as e:
        if "truncated" not in e.reason:  # that it ends is our doing
            raise
    raise BadProof(
        f"at the byte {at}, or before it, something is not as it has to be; read it with "
        f"Limits(explained={len(data)}), which takes longer, to learn what it is and where"
    )
