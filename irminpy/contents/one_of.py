"""Contents of several types in one store, each value of the type that its Python class says (decision 035)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from irminpy import merge
from irminpy.contents.protocol import Contents
from irminpy.errors import DecodeError
from irminpy.merge import NO_ANCESTOR, Conflict, Old

C = TypeVar("C")
_MOST = 256  # types: the first byte says which


# No slots: as `Own`.
@dataclass(frozen=True, init=False, repr=False)
class OneOf(Generic[C]):
    """Values of one of several classes, each stored and merged by a type of contents of its own.

    `OneOf({str: String(), int: Counter()})`: text is stored as text, a number counts. The bytes are the position of
    the type in one byte, then those of the type; the order of the cases is part of the schema, and so are their ids.
    The class of a value must be one of these exactly: a bool is no int.

    Raises DecodeError for no case, more than 256, or one type of contents twice.
    """

    cases: tuple[tuple[type[C], Contents[Any]], ...]

    def __init__(self, cases: Mapping[type[C], Contents[Any]]) -> None:
        object.__setattr__(self, "cases", tuple(cases.items()))
        ids = [kind.id for _, kind in self.cases]
        if not 1 <= len(ids) <= _MOST:
            raise DecodeError("contents", f"one of {len(ids)} types; give 1 to {_MOST}")
        if len(set(ids)) != len(ids):
            twice = next(id for id in ids if ids.count(id) > 1)
            raise DecodeError("contents", f"{twice} is the type of two classes; give each its own id")

    @property
    def id(self) -> str:
        """The ids of the types, in order, as in "one-of(string/1,counter/1)/1"."""
        return f"one-of({','.join(kind.id for _, kind in self.cases)})/1"

    def encode(self, value: C, /) -> bytes:
        """The position of the type of `value` and its bytes there; TypeError for a value of another class."""
        found = self._find(type(value))
        if found is None:
            names = ", ".join(class_.__name__ for class_, _ in self.cases)
            raise TypeError(f"contents of type {self.id} are {names}, not {type(value).__name__}")
        at, kind = found
        return bytes([at]) + kind.encode(value)

    def decode(self, data: bytes, /) -> C:
        """The value; DecodeError for an unknown position, or where the type gives no value of its class."""
        if not data:
            raise DecodeError(self.id, "it ends before it says which type it has", 0)
        if data[0] >= len(self.cases):
            raise DecodeError(self.id, f"type {data[0]} of {len(self.cases)}", 0)
        class_, kind = self.cases[data[0]]
        value: Any = kind.decode(data[1:])
        if type(value) is not class_:
            raise DecodeError(self.id, f"a {type(value).__name__} where {kind.id} holds {class_.__name__}", 1)
        return value

    def merge(self, old: Old[C | None], ours: C | None, theirs: C | None, /) -> C | Conflict | None:
        """Values of one class merge by its type. Else: what both sides agree on, or the side that changed."""
        base = None if old is NO_ANCESTOR else old
        classes = {type(value) for value in (base, ours, theirs) if value is not None}
        if not classes:
            return None
        found = self._find(classes.pop())
        if found is not None and not classes:
            return cast("C | Conflict | None", found[1].merge(old, ours, theirs))
        whole: merge.Merge[Any] = merge.idempotent(equal=self._same)
        return cast("C | Conflict | None", whole(old, ours, theirs))

    def _find(self, class_: type[Any]) -> tuple[int, Contents[Any]] | None:
        for at, (case, kind) in enumerate(self.cases):
            if case is class_:
                return at, kind
        return None

    def _same(self, left: Any, right: Any) -> bool:
        # Python's 1 == 1.0: the bytes tell them apart.
        if left is None or right is None:
            return left is right
        return self.encode(left) == self.encode(right)

    def __repr__(self) -> str:
        cases = ", ".join(f"{class_.__name__}: {kind.id}" for class_, kind in self.cases)
        return f"<OneOf {cases}>"
