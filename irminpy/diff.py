"""A change of one value: added, removed or updated.

Every change has `before` and `after`, None standing for "absent".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from irminpy.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


# No slots: with them, Python 3.11 cannot make a frozen generic dataclass by its subscripted name.
@dataclass(frozen=True)
class Added(Generic[T]):
    """There was nothing, and now there is `after`."""

    after: T

    @property
    def before(self) -> None:
        """None: there was nothing."""

    def to_json(self, encode: Callable[[T], Any]) -> dict[str, Any]:
        """`{"added": …}`, the value as `encode` gives it."""
        return {"added": encode(self.after)}


@dataclass(frozen=True)
class Removed(Generic[T]):
    """There was `before`, and now there is nothing."""

    before: T

    @property
    def after(self) -> None:
        """None: there is nothing."""

    def to_json(self, encode: Callable[[T], Any]) -> dict[str, Any]:
        """`{"removed": …}`, the value as `encode` gives it."""
        return {"removed": encode(self.before)}


@dataclass(frozen=True)
class Updated(Generic[T]):
    """There was `before`, and now there is `after`."""

    before: T
    after: T

    def to_json(self, encode: Callable[[T], Any]) -> dict[str, Any]:
        """`{"updated": [before, after]}`, the values as `encode` gives them."""
        return {"updated": [encode(self.before), encode(self.after)]}


Change: TypeAlias = Added[T] | Removed[T] | Updated[T]


def of(before: T | None, after: T | None) -> Change[T] | None:
    """The change from `before` to `after`, None standing for "absent"; None if both are absent."""
    if before is None:
        return None if after is None else Added(after)
    return Removed(before) if after is None else Updated(before, after)


def from_json(obj: object, decode: Callable[[Any], T]) -> Change[T]:
    """The change that `to_json` turned into `obj`; DecodeError if it is not the JSON form of one.

    `decode` undoes the `encode` of `to_json`; what it raises is not caught.
    """
    if not isinstance(obj, dict):
        raise DecodeError("change", "a JSON object is expected")
    fields = cast("dict[str, object]", obj)
    if len(fields) == 1:
        ((kind, value),) = fields.items()
        if kind == "added":
            return Added(decode(value))
        if kind == "removed":
            return Removed(decode(value))
        if kind == "updated" and isinstance(value, list):
            sides = cast("list[object]", value)
            if len(sides) == 2:
                return Updated(decode(sides[0]), decode(sides[1]))
    raise DecodeError("change", 'one of "added", "removed" and "updated" (with two values) is expected')
