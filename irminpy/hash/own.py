"""A hash function of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from irminpy.errors import InvalidHash

from .base import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Own"]


@dataclass(frozen=True, slots=True)
class Own:
    """A hash function of the caller's: `function` gives exactly `size` bytes, and no other has its `name`.

    A digest of another length raises InvalidHash. It pickles if `function` does.
    """

    name: str
    size: int
    function: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        if not self.name:
            raise InvalidHash(self.name, "a hash function needs a name")
        if self.size < 1:
            raise InvalidHash(self.name, "a digest has at least one byte")
        if self.name in NAMES or self.name.startswith(("blake2b-", "blake2s-")):
            raise InvalidHash(self.name, "a built-in hash function has this name; choose another")

    def digest(self, data: bytes, /) -> bytes:
        """The `size` bytes that `data` hashes to; InvalidHash if the function gives more or fewer."""
        result = self.function(data)
        if not isinstance(result, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the hash function {self.name} gave {type(result).__name__}, not bytes")
        if len(result) != self.size:
            raise InvalidHash(
                result, f"the hash function {self.name} gave {len(result)} bytes, not {self.size}"
            )
        return result

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        return [self.digest(data) for data in items]
