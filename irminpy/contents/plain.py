"""Contents that are one piece: bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from irminpy.merge import NO_ANCESTOR, Conflict, Old


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes, stored as they are; a merge takes what both sides agree on, or the side that changed."""

    id: str = field(default="bytes", init=False)

    def encode(self, value: bytes, /) -> bytes:
        """`value` itself; TypeError if it is not bytes."""
        if type(value) is bytes:
            return value
        if isinstance(value, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            return bytes(value)
        raise TypeError(f"contents are bytes, not {type(value).__name__}; wrap it in bytes()")

    def decode(self, data: bytes, /) -> bytes:
        """`data` itself."""
        return data

    def merge(
        self, old: Old[bytes | None], ours: bytes | None, theirs: bytes | None, /
    ) -> bytes | Conflict | None:
        """What both sides agree on, or the side that changed."""
        if ours == theirs:
            return ours
        if old is NO_ANCESTOR:
            return Conflict("add/add and no common ancestor", ours=ours, theirs=theirs)
        if old == ours:
            return theirs
        if old == theirs:
            return ours
        return Conflict("both sides changed it", base=old, ours=ours, theirs=theirs)
