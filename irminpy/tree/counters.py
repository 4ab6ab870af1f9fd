"""What an open repository counts of its work."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

from ..errors import DecodeError
from ..fields import Fields

__all__ = ["Counters"]


class Counters(Fields):
    """How often a repository was read and written, in objects, since it was opened or `reset`."""

    __slots__ = (
        "contents_add",
        "contents_find",
        "contents_hash",
        "contents_mem",
        "node_add",
        "node_find",
        "node_hash",
        "node_mem",
    )

    contents_find: int
    """Contents objects read."""
    contents_add: int
    """Contents objects written."""
    contents_hash: int
    """Contents objects hashed."""
    contents_mem: int
    """Look-ups of a contents key by hash."""
    node_find: int
    """Directory objects and inner nodes read."""
    node_add: int
    """Directory objects and inner nodes written."""
    node_hash: int
    """Directories hashed."""
    node_mem: int
    """Look-ups of a directory key by hash."""

    def __init__(
        self,
        contents_find: int = 0,
        contents_add: int = 0,
        contents_hash: int = 0,
        contents_mem: int = 0,
        node_find: int = 0,
        node_add: int = 0,
        node_hash: int = 0,
        node_mem: int = 0,
    ) -> None:
        # One by one: each verification of a proof counts for itself, and by `_set` this took a tenth of it.
        self.contents_find, self.contents_add = contents_find, contents_add
        self.contents_hash, self.contents_mem = contents_hash, contents_mem
        self.node_find, self.node_add = node_find, node_add
        self.node_hash, self.node_mem = node_hash, node_mem

    def reset(self) -> None:
        """Set all to zero."""
        self._set(*[0] * len(self._names))

    def to_json(self) -> dict[str, int]:
        """Name to number."""
        return {name: getattr(self, name) for name in self._names}

    @staticmethod
    def from_json(value: Any) -> Counters:
        """The inverse of `to_json`; DecodeError for anything else."""
        try:
            counters = Counters(**value)
        except TypeError:
            raise DecodeError("counters", f"{brief(value):.80}", None) from None
        if any(type(n) is not int or n < 0 for n in counters.to_json().values()):
            raise DecodeError("counters", f"{brief(value):.80}", None)
        return counters

    def dump(self) -> str:
        """One line per counter that is not zero, for people."""
        return "\n".join(f"{name:>16} {n}" for name, n in self.to_json().items() if n)
