"""Metadata: what an entry of a directory may carry beside its contents, such as a file mode.

Entries with the default metadata hash and print as if there were none. Directories never carry any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from irminpy.errors import DecodeError
from irminpy.merge import default

if TYPE_CHECKING:
    from collections.abc import Callable

    from irminpy.merge import Conflict, Merge, Old

M = TypeVar("M")


class Metadata(Protocol[M]):
    """What a schema asks of a type of metadata."""

    @property
    def id(self) -> str:
        """The name, with a version, that stores and proofs record; "none" is taken."""
        ...

    @property
    def default(self) -> M:
        """The metadata of an entry that was given none."""
        ...

    def encode(self, value: M, /) -> bytes:
        """The canonical bytes of `value`: different values give different bytes."""
        ...

    def decode(self, data: bytes, /) -> M:
        """The value whose canonical bytes are `data`; must raise DecodeError for all other bytes."""
        ...

    def merge(self, old: Old[M], ours: M, theirs: M, /) -> M | Conflict:
        """The three-way merge of `ours` and `theirs`."""
        ...


@dataclass(frozen=True, slots=True)
class NoMetadata:
    """No metadata: the only value is None."""

    id: str = field(default="none", init=False)
    default: None = field(default=None, init=False)

    def encode(self, value: None, /) -> bytes:
        """No bytes."""
        if value is not None:  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError(f"this schema has no metadata; None is expected, not {type(value).__name__}")
        return b""

    def decode(self, data: bytes, /) -> None:
        """None, if `data` is empty; DecodeError if not."""
        if data:
            raise DecodeError("metadata of type none", "no bytes are expected", 0)

    def merge(self, old: Old[None], ours: None, theirs: None, /) -> None:
        """None."""


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


# No slots: with them, Python 3.11 cannot make a frozen generic dataclass by its subscripted name.
@dataclass(frozen=True)
class Own(Generic[M]):
    """Metadata of the caller's, made of functions; equal by value, and it pickles if the functions do.

    `id` names it with a version ("mode/1"). The functions owe what `Metadata` asks of its
    methods of their names.
    """

    id: str
    default: M
    encode: Callable[[M], bytes]
    decode: Callable[[bytes], M]
    merge: Callable[[Old[M], M, M], M | Conflict]
