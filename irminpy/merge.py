"""Three-way merges as values: functions from an ancestor and two sides to a result or a conflict.

A merge function takes `old`, `ours` and `theirs`. `old` is NO_ANCESTOR where no common ancestor is known;
None is a value like others, and stands for "absent" in merges of optional values. Conflicts are returned,
never raised.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Final, TypeAlias, TypeGuard, TypeVar, cast

from irminpy.errors import DecodeError
from irminpy.fields import Frozen, frozen, replaced

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
K = TypeVar("K")
V = TypeVar("V")


class NoAncestor(Enum):
    """The type of NO_ANCESTOR, its only value."""

    NO_ANCESTOR = "no ancestor"

    def __repr__(self) -> str:
        return "NO_ANCESTOR"


NO_ANCESTOR: Final = NoAncestor.NO_ANCESTOR
Old: TypeAlias = T | NoAncestor


@frozen
class Conflict(Frozen):
    """Why two sides could not be merged, at which `path`, and what the ancestor and each side have there."""

    __slots__ = ("base", "ours", "path", "reason", "theirs")

    reason: str
    path: tuple[str, ...]
    base: Any
    ours: Any
    theirs: Any

    def __init__(
        self, reason: str, path: tuple[str, ...] = (), base: Any = None, ours: Any = None, theirs: Any = None
    ) -> None:
        self._set(reason, path, base, ours, theirs)

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
"""A three-way merge: `(old, ours, theirs)` to the merged value or a Conflict."""

Equal: TypeAlias = Callable[[Any, Any], bool]


def is_conflict(result: object) -> TypeGuard[Conflict]:
    """Whether `result`, which a merge gave, is a conflict."""
    return isinstance(result, Conflict)


def bind(result: A | Conflict, then: Callable[[A], B | Conflict]) -> B | Conflict:
    """`then(result)`, or `result` itself if it is a conflict."""
    return result if isinstance(result, Conflict) else then(result)


def map_ancestor(old: Old[A], convert: Callable[[A], B]) -> Old[B]:
    """`convert(old)`, or NO_ANCESTOR where there is none."""
    return NO_ANCESTOR if isinstance(old, NoAncestor) else convert(old)


def _default(equal: Equal, old: Old[T], ours: T, theirs: T) -> T | Conflict:
    if isinstance(old, NoAncestor):
        return Conflict("add/add and no common ancestor", ours=ours, theirs=theirs)
    if equal(old, ours):
        return theirs
    if equal(old, theirs):
        return ours
    return Conflict("both sides changed it", base=old, ours=ours, theirs=theirs)


def default(*, equal: Equal = operator.eq) -> Merge[T]:
    """The merge that takes the side that changed, and conflicts if both did, or if there is no ancestor.

    It conflicts even where both sides made the same change; see `idempotent`. `equal` compares values: give
    a stricter one where it matters that Python's 1 == True == 1.0.
    """

    def merge(old: Old[T], ours: T, theirs: T, /) -> T | Conflict:
        return _default(equal, old, ours, theirs)

    return merge


def idempotent(*, equal: Equal = operator.eq) -> Merge[T]:
    """The merge that takes what both sides agree on, whatever the ancestor, and else does as `default`."""

    def merge(old: Old[T], ours: T, theirs: T, /) -> T | Conflict:
        return ours if equal(ours, theirs) else _default(equal, old, ours, theirs)

    return merge


def seq(first: Merge[T], /, *others: Merge[T]) -> Merge[T]:
    """The merge that gives the first result of these that is no conflict, or the last conflict."""

    def merge(old: Old[T], ours: T, theirs: T, /) -> T | Conflict:
        result = first(old, ours, theirs)
        for other in others:
            if not isinstance(result, Conflict):
                break
            result = other(old, ours, theirs)
        return result

    return merge


def option(inner: Merge[T], *, equal: Equal = operator.eq) -> Merge[T | None]:
    """The merge of values that may be absent (None), by `inner` where both sides are there and changed.

    Deleting what the other side left alone deletes it; deleting what the other side changed conflicts
    ("add/del").
    """

    def same(left: T | None, right: T | None) -> bool:
        if left is None or right is None:
            return left is right
        return equal(left, right)

    def merge(old: Old[T | None], ours: T | None, theirs: T | None, /) -> T | Conflict | None:
        result = _default(same, old, ours, theirs)
        if not isinstance(result, Conflict):
            return result
        if ours is not None and theirs is not None:
            return inner(NO_ANCESTOR if old is None else old, ours, theirs)
        if (ours is None and theirs is None) or old is None or old is NO_ANCESTOR:
            return theirs if ours is None else ours
        return Conflict("add/del", base=old, ours=ours, theirs=theirs)

    return merge


def pair(first: Merge[A], second: Merge[B]) -> Merge[tuple[A, B]]:
    """The merge of pairs: of the whole by `default`, else by component; the first conflict is the result."""

    def merge(old: Old[tuple[A, B]], ours: tuple[A, B], theirs: tuple[A, B], /) -> tuple[A, B] | Conflict:
        result = _default(operator.eq, old, ours, theirs)
        if not isinstance(result, Conflict):
            return result
        a = first(map_ancestor(old, lambda o: o[0]), ours[0], theirs[0])
        if isinstance(a, Conflict):
            return a
        b = second(map_ancestor(old, lambda o: o[1]), ours[1], theirs[1])
        return b if isinstance(b, Conflict) else (a, b)

    return merge


def triple(first: Merge[A], second: Merge[B], third: Merge[C]) -> Merge[tuple[A, B, C]]:
    """The merge of triples: as `pair` does it."""

    def merge(
        old: Old[tuple[A, B, C]], ours: tuple[A, B, C], theirs: tuple[A, B, C], /
    ) -> tuple[A, B, C] | Conflict:
        result = _default(operator.eq, old, ours, theirs)
        if not isinstance(result, Conflict):
            return result
        a = first(map_ancestor(old, lambda o: o[0]), ours[0], theirs[0])
        if isinstance(a, Conflict):
            return a
        b = second(map_ancestor(old, lambda o: o[1]), ours[1], theirs[1])
        if isinstance(b, Conflict):
            return b
        c = third(map_ancestor(old, lambda o: o[2]), ours[2], theirs[2])
        return c if isinstance(c, Conflict) else (a, b, c)

    return merge


def _merge_keys(
    keys: Iterable[K],
    merge_key: Callable[[K], Merge[V | None]],
    base: Callable[[K], Old[V | None]],
    ours: Mapping[K, V],
    theirs: Mapping[K, V],
) -> dict[K, V] | Conflict:
    merged: dict[K, V] = {}
    for key in keys:
        result = merge_key(key)(base(key), ours.get(key), theirs.get(key))
        if isinstance(result, Conflict):
            return result
        if result is not None:
            merged[key] = result
    return merged


def alist(
    merge_key: Callable[[K], Merge[V | None]], *, sort_key: Callable[[K], Any] | None = None
) -> Merge[Sequence[tuple[K, V]]]:
    """The merge of lists of (key, value), each key once, by `merge_key(key)`; the result is sorted by key.

    No ancestor counts as an ancestor with no pair. A merge of a key that gives None drops the key; the
    first conflict, in the order of the keys, is the result. `sort_key` says how to order keys that do not
    order themselves.
    """

    def merge(
        old: Old[Sequence[tuple[K, V]]], ours: Sequence[tuple[K, V]], theirs: Sequence[tuple[K, V]], /
    ) -> Sequence[tuple[K, V]] | Conflict:
        bases = {} if isinstance(old, NoAncestor) else dict(old)
        left, right = dict(ours), dict(theirs)
        keys = cast("list[K]", sorted(cast("Iterable[Any]", {**left, **right}), key=sort_key))
        merged = _merge_keys(keys, merge_key, bases.get, left, right)
        return merged if isinstance(merged, Conflict) else list(merged.items())

    return merge


def map_of(merge_key: Callable[[K], Merge[V | None]]) -> Merge[Mapping[K, V]]:
    """The merge of mappings by `merge_key(key)`, into a dict: the keys of ours, then the new ones of theirs.

    As `alist`, but without an ancestor the merges of the keys have none either.
    """

    def merge(
        old: Old[Mapping[K, V]], ours: Mapping[K, V], theirs: Mapping[K, V], /
    ) -> Mapping[K, V] | Conflict:
        def base(key: K) -> Old[V | None]:
            return NO_ANCESTOR if isinstance(old, NoAncestor) else old.get(key)

        return _merge_keys({**ours, **theirs}, merge_key, base, ours, theirs)

    return merge


def set_(old: Old[AbstractSet[T]], ours: AbstractSet[T], theirs: AbstractSet[T], /) -> frozenset[T]:
    """`old` with what a side added and without what a side removed; no ancestor is the empty set."""
    base = frozenset[T]() if isinstance(old, NoAncestor) else frozenset(old)
    left, right = frozenset(ours), frozenset(theirs)
    return (base & left & right) | (left - base) | (right - base)


def multiset(old: Old[Mapping[K, int]], ours: Mapping[K, int], theirs: Mapping[K, int], /) -> dict[K, int]:
    """The counts of each key merged as by `counter`; keys that come to zero are dropped."""
    base: Mapping[K, int] = {} if isinstance(old, NoAncestor) else old
    merged: dict[K, int] = {}
    for key in {**ours, **theirs, **base}:
        count = counter(base.get(key, 0), ours.get(key, 0), theirs.get(key, 0))
        if count:
            merged[key] = count
    return merged


def counter(old: Old[int], ours: int, theirs: int, /) -> int:
    """`old` with what either side counted since; no ancestor is 0. Wraps around as a signed 64-bit number."""
    total = ours + theirs - (0 if isinstance(old, NoAncestor) else old)
    return (total + (1 << 63)) % (1 << 64) - (1 << 63)


def like(
    inner: Merge[B], to: Callable[[A], B], of: Callable[[B], A], *, equal: Equal = operator.eq
) -> Merge[A]:
    """The merge by `default`, and where it conflicts by `inner`, on values that `to` converts and `of` back.

    A KeyError (so also a NotFound) raised by a conversion is a conflict. The ancestor is converted last,
    and not at all where `default` is enough.
    """

    def merge(old: Old[A], ours: A, theirs: A, /) -> A | Conflict:
        result = _default(equal, old, ours, theirs)
        if not isinstance(result, Conflict):
            return result
        try:
            left, right = to(ours), to(theirs)
            base = map_ancestor(old, to)
        except KeyError as error:
            return replaced(result, reason=f"a side cannot be converted: {error}")
        merged = inner(base, left, right)
        if isinstance(merged, Conflict):
            return merged
        try:
            return of(merged)
        except KeyError as error:
            return replaced(result, reason=f"the result cannot be converted: {error}")

    return merge


def with_conflict(rename: Callable[[str], str], inner: Merge[T]) -> Merge[T]:
    """`inner`, with the reasons of its conflicts rewritten by `rename`."""

    def merge(old: Old[T], ours: T, theirs: T, /) -> T | Conflict:
        result = inner(old, ours, theirs)
        return replaced(result, reason=rename(result.reason)) if isinstance(result, Conflict) else result

    return merge
