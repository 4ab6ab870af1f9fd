"""What an open repository counts of its work."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from reprlib import repr as brief
from typing import Any

from ..errors import DecodeError

__all__ = ["Counters"]


@dataclass(slots=True)
class Counters:
    """How often a repository was read and written, in objects, since it was opened or `reset`."""

    contents_find: int = 0
    """Contents objects read."""
    contents_add: int = 0
    """Contents objects written."""
    contents_hash: int = 0
    """Contents objects hashed."""
    contents_mem: int = 0
    """Look-ups of a contents key by hash."""
    node_find: int = 0
    """Directory objects and inner nodes read."""
    node_add: int = 0
    """Directory objects and inner nodes written."""
    node_hash: int = 0
    """Directories hashed."""
    node_mem: int = 0
    """Look-ups of a directory key by hash."""

    def reset(self) -> None:
        """Set all to zero."""
        for field in fields(self):
            setattr(self, field.name, 0)

    def to_json(self) -> dict[str, int]:
        """Name to number."""
        return asdict(self)

    @staticmethod
    def from_json(value: Any) -> Counters:
        """The inverse of `to_json`; DecodeError for anything else."""
        try:
            counters = Counters(**value)
        except TypeError:
            raise DecodeError("counters", f"{brief(value):.80}", None) from None
        if any(type(n) is not int or n < 0 for n in asdict(counters).values()):
            raise DecodeError("counters", f"{brief(value):.80}", None)
        return counters

    def dump(self) -> str:
        """One line per counter that is not zero, for people."""
        return "\n".join(f"{name:>16} {n}" for name, n in asdict(self).items() if n)
