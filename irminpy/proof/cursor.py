"""A place in the bytes of a proof, whatever its form."""

from __future__ import annotations

from ..errors import BadProof

__all__ = ["Cursor"]


class Cursor:
    """A place in bytes. What is read moves on; BadProof where the bytes are not what they must be."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        if type(data) is not bytes:
            raise TypeError(f"a proof is read from bytes, not {type(data).__name__}")
        self.data = data
        self.at = 0

    def refuse(self, reason: str, at: int | None = None) -> BadProof:
        """The error for `reason` at the byte `at`, which is where reading is."""
        return BadProof(reason, f"byte {self.at if at is None else at}")

    def take(self, n: int) -> bytes:
        """The next `n` bytes."""
        end = self.at + n
        if end > len(self.data):
            raise self.refuse(f"truncated: {n} bytes are claimed, {len(self.data) - self.at} are left")
        found = self.data[self.at : end]
        self.at = end
        return found
