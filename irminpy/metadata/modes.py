"""The modes of files, as Git's trees have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from irminpy.errors import DecodeError
from irminpy.merge import default

if TYPE_CHECKING:
    from irminpy.merge import Conflict, Merge, Old

__all__ = ["Mode", "Modes"]


class Mode(Enum):
    """What Git knows of a file besides its bytes."""

    NORMAL = 0o100644
    EXEC = 0o100755
    """A program."""
    LINK = 0o120000
    """A symbolic link, whose contents are where it leads."""
    EVERYBODY = 0o100664
    """Writable by a group, as only old repositories have it."""


_MODES = {b"%o" % mode.value: mode for mode in Mode}
_merge_modes: Merge[Mode] = default()


@dataclass(frozen=True, slots=True)
class Modes:
    """A `Mode`, by default NORMAL; a merge takes the side that changed, if only one did."""

    id: str = field(default="git-mode/1", init=False)
    default: Mode = field(default=Mode.NORMAL, init=False)

    def encode(self, value: Mode, /) -> bytes:
        """The octal digits that Git's trees have; TypeError if `value` is no Mode."""
        if not isinstance(value, Mode):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"metadata of type {self.id} are a Mode, not {type(value).__name__}")
        return b"%o" % value.value

    def decode(self, data: bytes, /) -> Mode:
        """The mode with these digits; DecodeError for all others."""
        mode = _MODES.get(data)
        if mode is None:
            raise DecodeError(f"metadata of type {self.id}", f"{data!r:.40} is none of the modes", 0)
        return mode

    def merge(self, old: Old[Mode], ours: Mode, theirs: Mode, /) -> Mode | Conflict:
        """The side that changed, or what both agree on."""
        return _merge_modes(old, ours, theirs)
