"""Three-way merges as values: functions from an ancestor and two sides to a result or a conflict.

A merge function takes `old`, `ours` and `theirs`. `old` is NO_ANCESTOR where no common ancestor is known;
None is a value like others, and stands for "absent" in merges of optional values. Conflicts are returned,
never raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar, cast

from irminpy.errors import DecodeError

T = TypeVar("T")


class NoAncestor(Enum):
    """The type of NO_ANCESTOR, its only value."""

    NO_ANCESTOR = "no ancestor"

    def __repr__(self) -> str:
        return "NO_ANCESTOR"


NO_ANCESTOR: Final = NoAncestor.NO_ANCESTOR
Old: TypeAlias = T | NoAncestor


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why two sides could not be merged, at which `path`, and what the ancestor and each side have there."""

    reason: str
    path: tuple[str, ...] = ()
    base: Any = None
    ours: Any = None
    theirs: Any = None

    def to_json(self, encode: Callable[[Any], Any] | None = None) -> dict[str, Any]:
        """This conflict as a JSON object; `encode` turns a side into JSON (by default text)."""
        project = _text_of if encode is None else encode
        sides = {
            side: None if value is None else project(value)
            for side, value in (("base", self.base), ("ours", self.ours), ("theirs", self.theirs))
        }
        return {"reason": self.reason, "path": list(self.path), **sides}

    @staticmethod
    def from_json(obj: object, decode: Callable[[Any], Any] = lambda value: value) -> Conflict:
        """The conflict that `to_json` turned into `obj`; DecodeError if it is not the JSON form of one.

        `decode` undoes the `encode` of `to_json`; what it raises is not caught.
        """
        if not isinstance(obj, dict):
            raise DecodeError("conflict", "a JSON object is expected")
        fields = cast("dict[str, Any]", obj)
        reason, path = fields.get("reason"), fields.get("path")
        if not isinstance(reason, str):
            raise DecodeError("conflict", "its reason is a string")
        if not isinstance(path, list):
            raise DecodeError("conflict", "its path is a list of strings")
        steps = cast("list[object]", path)
        names = tuple([step for step in steps if isinstance(step, str)])
        if len(names) != len(steps):
            raise DecodeError("conflict", "its path is a list of strings")
        base, ours, theirs = (
            None if fields.get(side) is None else decode(fields[side]) for side in ("base", "ours", "theirs")
        )
        return Conflict(reason, names, base, ours, theirs)


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else repr(value)


Merge: TypeAlias = Callable[[Old[T], T, T], T | Conflict]
