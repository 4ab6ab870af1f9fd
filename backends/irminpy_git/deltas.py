"""Which objects of a pack are stored as differences of which others: ocaml-git's `Delta.deltas`, with Git's choices.

Objects are sorted so that those which are likely to resemble each other stand side by side, and each is compared with
those in a window before it. The result holds the encoded deltas and no object; whoever writes the pack asks for the
others again (docs/formats/git.md, section 6).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from irminpy.errors import DecodeError, InvalidHash

from . import delta
from .difference import Effort, Side, difference
from .kinds import Type

__all__ = ["Effort", "Entry", "Result", "S", "Z", "deltas"]

_LEAST: Final = 50
_MOST: Final = 512 << 20
_LEAST_RATIO: Final = 32
_TINY: Final = 64
_ENOUGH: Final = {Effort.BLOCK: 6, Effort.LINE: 5}
"""The search ends at a delta of a hash and 1/64 or 1/32 of the object, at most 64 bytes: a better one saves little."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object that goes into a pack. `length` is that of its body.

    `name` is the path at which it was met: objects with similar ends of their paths are tried together, which saves
    more than any effort does. `base` fixes what it is a difference of, an object of the list or beyond it.
    """

    id: bytes
    kind: Type
    length: int
    name: bytes | None = None
    base: bytes | None = None


@dataclass(frozen=True, slots=True)
class Z:
    """The object is stored whole."""

    depth: int = field(default=0, init=False)


@dataclass(frozen=True, slots=True)
class S:
    """The object is stored as a difference."""

    length: int
    """Bytes of the delta, before it is compressed."""
    depth: int
    """How many deltas lead to a whole object: 1 or more."""
    data: bytes = field(repr=False)
    """The delta itself."""
    src: Z | S = field(repr=False)
    """How the source is stored."""
    src_length: int
    """Bytes of the source."""
    src_hash: bytes
    """The id of the source."""

    @property
    def hunks(self) -> Iterator[delta.Hunk]:
        """What is copied and what is inserted, decoded as it is asked for."""
        return delta.hunks(self.data)


Result: TypeAlias = Z | S
_WHOLE: Final = Z()

Getter: TypeAlias = Callable[[bytes], bytes | None]


class _Slot:
    """An object in the window."""

    __slots__ = ("entry", "result", "side", "weight")

    def __init__(self, entry: Entry, side: Side, weight: int) -> None:
        self.entry = entry
        self.side = side
        self.weight = weight
        self.result: Result = _WHOLE


def _name_hash(name: bytes | None) -> int:
    """Git's: the last sixteen characters count, the last ones most."""
    value = 0
    for c in (name or b"").split():
        for byte in c:
            value = (value >> 2) + (byte << 24) & 0xFFFFFFFF
    return value


def deltas(
    entries: Iterable[Entry],
    getter: Getter,
    tagger: Callable[[Entry], bool] | None = None,
    window: int = 10,
    depth: int = 50,
    memory: bool | int | None = None,
    *,
    effort: Effort | str = Effort.BLOCK,
) -> list[tuple[Entry, Result]]:
    """Each of `entries` with how to store it: sources before what is a difference of them, the tagged first.

    `getter` gives the body of an object by its id; it is called once for each, and the body is let go of when the
    object leaves the window. `window` is how many objects are kept to compare with; with `memory=True` how many bytes,
    and an object that alone is larger stays whole. A number as `memory` is a limit in bytes besides. `depth` is the
    longest chain of differences: with 0, or a window of 0, all objects stay whole.

    Objects of less than 50 bytes stay whole. The result is the same for the same input. InvalidHash for an object that
    `getter` does not have, or that has another length; DecodeError for an object that is there twice, or for fixed
    bases that lead round in a circle.
    """
    given = list(entries)
    search = _Search(getter, window, depth, memory, Effort(effort))
    positions: dict[bytes, int] = {}
    for i, entry in enumerate(given):
        if positions.setdefault(entry.id, i) != i:
            raise DecodeError("list of objects", f"{entry.id.hex()} is there twice")
    tried = [
        (i, entry)
        for i, entry in enumerate(given)
        if entry.base is None and _LEAST <= entry.length <= _MOST and depth > 0 and window > 0
    ]
    # Newer and larger objects come first: history is made of differences backwards.
    names = {name: -_name_hash(name) for name in {entry.name for _, entry in tried}}
    tried.sort(key=lambda row: (-row[1].kind, names[row[1].name], -row[1].length, row[0]))
    search.run([entry for _, entry in tried])
    _fix(given, positions, search)
    return _ordered(given, positions, search.found, tagger)


class _Search:
    """The window, and what was found."""

    def __init__(
        self, getter: Getter, window: int, depth: int, memory: bool | int | None, effort: Effort
    ) -> None:
        self.getter = getter
        self.depth = depth
        self.effort = effort
        self.shift = _ENOUGH[effort]
        self.found: dict[bytes, Result] = {}
        self._slots: deque[_Slot] = deque()  # the best place is the right end
        self._most = None if memory is True else window
        self._budget = window if memory is True else None if memory is None or memory is False else memory
        self._alone = window if memory is True else None  # the most that an object may weigh to be tried
        self._weight = 0

    def body(self, id: bytes, length: int | None = None) -> bytes:
        """The body of an object."""
        data = self.getter(id)
        if data is None:
            raise InvalidHash(id, "there is no such object")
        if length is not None and len(data) != length:
            raise InvalidHash(id, f"the object has {len(data)} bytes, {length} were announced")
        return data

    def side(self, entry: Entry) -> Side:
        """The object of `entry`, to be compared."""
        return Side(self.body(entry.id, entry.length), entry.kind, self.effort, len(entry.id))

    def run(self, entries: Sequence[Entry]) -> None:
        """Look for a source of each of `entries`."""
        slots, kind = self._slots, None
        for entry in entries:
            if entry.kind is not kind:
                kind = entry.kind
                slots.clear()
                self._weight = 0
            side = self.side(entry)
            slot = _Slot(entry, side, side.weight if self._budget is not None else 0)
            self._trim(slot)
            if self._alone is not None and slot.weight > self._alone:
                self.found[entry.id] = _WHOLE
                continue
            best = self._best(slot)
            side.rest()
            if best is not None:
                # It was good for this one, so it may be for the next.
                slots.remove(best)
                slots.append(best)
            self.found[entry.id] = slot.result
            if slot.result.depth < self.depth:
                slots.append(slot)
                self._weight += slot.weight
        slots.clear()

    def _trim(self, new: _Slot) -> None:
        """Make room for `new`."""
        slots, budget = self._slots, self._budget
        while slots and (
            (self._most is not None and len(slots) > self._most)
            or (budget is not None and self._weight + new.weight > budget)
        ):
            self._weight -= slots.popleft().weight

    def _best(self, new: _Slot) -> _Slot | None:
        """The slot that `new` is made of, which then has the result; None if it stays whole."""
        entry, side, most = new.entry, new.side, self.depth
        size, hash_size = entry.length, len(entry.id)
        best: _Slot | None = None
        length = depth = 0  # of the best
        data = b""
        enough = hash_size + min(size >> self.shift, _TINY)
        for slot in reversed(self._slots):
            from_depth, from_length = slot.result.depth, slot.entry.length
            if best is None:
                limit = (size // 2 - hash_size) * (most - from_depth) // most
            else:
                limit = length * (most - from_depth) // (most - depth + 1)
            if (
                limit <= (size - from_length if size > from_length else 0)
                or size < from_length // _LEAST_RATIO
            ):
                continue
            made = difference(slot.side, side, limit)
            if made is None or (best is not None and len(made) >= length and from_depth + 1 >= depth):
                continue
            data, length, depth, best = made, len(made), from_depth + 1, slot
            if length <= enough:
                break
        if best is not None:
            base = best.entry
            new.result = S(length, depth, data, best.result, base.length, base.id)
        return best


def _fix(given: list[Entry], positions: dict[bytes, int], search: _Search) -> None:
    """The differences whose bases the caller has fixed, bases first."""
    found = search.found
    for entry in given:
        if entry.base is None:
            found.setdefault(entry.id, _WHOLE)
    for first in given:
        chain: dict[bytes, Entry] = {}
        entry = first
        while entry.id not in found:
            if entry.id in chain:
                raise DecodeError("list of objects", f"the bases of {entry.id.hex()} lead round in a circle")
            chain[entry.id] = entry
            assert entry.base is not None
            at = positions.get(entry.base)
            if at is None:
                break
            entry = given[at]
        for entry in reversed(chain.values()):
            assert entry.base is not None
            source = found.get(entry.base, _WHOLE)
            result: Result = _WHOLE
            if source.depth < search.depth:
                body = search.body(entry.base)
                base = Side(body, entry.kind, search.effort, len(entry.id))
                data = difference(base, search.side(entry), entry.length)
                if data is not None:
                    result = S(len(data), source.depth + 1, data, source, len(body), entry.base)
            found[entry.id] = result


def _ordered(
    given: list[Entry],
    positions: dict[bytes, int],
    found: dict[bytes, Result],
    tagger: Callable[[Entry], bool] | None,
) -> list[tuple[Entry, Result]]:
    """The tagged first, each after its source, else as given."""
    order = given
    if tagger is not None:
        tagged = [tagger(entry) for entry in given]
        order = [entry for entry, first in zip(given, tagged, strict=True) if first]
        order += [entry for entry, first in zip(given, tagged, strict=True) if not first]
    done = set[bytes]()
    rows: list[tuple[Entry, Result]] = []
    for entry in order:
        chain: list[tuple[Entry, Result]] = []
        while entry.id not in done:
            done.add(entry.id)
            result = found[entry.id]
            chain.append((entry, result))
            if isinstance(result, Z):
                break
            at = positions.get(result.src_hash)
            if at is None:
                break
            entry = given[at]
        rows += reversed(chain)
    return rows
