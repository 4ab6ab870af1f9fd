"""Changes of bytes, of JSON values and of the elements of a stream, which know nothing of what these mean."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from copy import deepcopy
from itertools import accumulate
from math import gcd
from random import Random
from typing import Any, TypeGuard

from ...proof.json import is_list

__all__ = ["Sweep", "changed_elements", "changed_json", "spliced"]

_SETS = (0x00, 0x7F, 0x80, 0xFF)
_WAYS = 8 + len(_SETS) + 4
"""Changes at one byte: its bits, its value, and truncated before, deleted, preceded by a zero, or twice."""


class Sweep:
    """Every change of one byte of some proofs, each once, in an order that `seed` gives."""

    def __init__(self, raws: Sequence[bytes], seed: int) -> None:
        self._raws = raws
        self._ends = list(accumulate(len(raw) for raw in raws))
        self.total = self._ends[-1] * _WAYS
        self._step = self.total // 3 + seed % 1000 * 2 + 1
        while gcd(self._step, self.total) != 1:
            self._step += 1

    def mutant(self, number: int) -> tuple[int, str, bytes]:
        """The `number`th: of which proof, what was done, and the bytes."""
        place, way = divmod(number * self._step % self.total, _WAYS)
        which = bisect_right(self._ends, place)
        raw = self._raws[which]
        at = place - self._ends[which] + len(raw)
        if way < 8:
            return which, f"bit {way} of byte {at}", raw[:at] + bytes((raw[at] ^ 1 << way,)) + raw[at + 1 :]
        if way < 8 + len(_SETS):
            value = _SETS[way - 8]
            return which, f"byte {at} is {value:02x}", raw[:at] + bytes((value,)) + raw[at + 1 :]
        name, mutant = (
            ("truncated before", raw[:at]),
            ("deleted", raw[:at] + raw[at + 1 :]),
            ("preceded by a zero", raw[:at] + b"\0" + raw[at:]),
            ("twice", raw[:at] + raw[at : at + 1] + raw[at:]),
        )[way - 8 - len(_SETS)]
        return which, f"byte {at} {name}", mutant


def spliced(raw: bytes, other: bytes, rng: Random) -> bytes:
    """The beginning of one proof and the end of another, or a piece of one within the other."""
    start, end = sorted((rng.randrange(len(raw) + 1), rng.randrange(len(raw) + 1)))
    first, last = sorted((rng.randrange(len(other) + 1), rng.randrange(len(other) + 1)))
    return raw[:start] + other[first:last] + (raw[end:] if rng.random() < 0.5 else b"")


# -- JSON ----------------------------------------------------------------------------------------------------

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 1.0, 1e9, 1 << 31, 1 << 63, (1 << 63) - 1, 1 << 64, "", "0", "a/b", "\0"),
    *("00" * 32, "00" * 31, "zz", "=", "AA==", "AB==", "\ud800", [], {}, [[]], [0], {"": 0}, float("nan")),
)  # fmt: skip


def _is_dict(obj: object) -> TypeGuard[dict[Any, Any]]:
    return isinstance(obj, dict)


def _places(obj: Any) -> list[tuple[Any, Any]]:
    """Every place in `obj` where a value stands, as what holds it and under which key."""
    found: list[tuple[Any, Any]] = []
    waiting = [obj]
    while waiting:
        item = waiting.pop()
        keys: list[Any] = list(item) if _is_dict(item) else [*range(len(item))] if is_list(item) else []
        for key in keys:
            found.append((item, key))
            waiting.append(item[key])
    return found


def _change(value: Any, rng: Random) -> Any:
    """Something like `value`."""
    if isinstance(value, str) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return rng.choice((
            value[:at] + rng.choice("0123456789abcdefgA=/+") + value[at + 1 :],
            value[:at], value + value[:1], value.upper(), value + " ", value[1:],
        ))  # fmt: skip
    if type(value) is int and rng.random() < 0.7:
        return rng.choice(
            (value + 1, value - 1, -value, float(value), str(value), bool(value), value + (1 << 32))
        )
    return rng.choice(_VALUES)


def changed_json(honest: Any, rng: Random) -> tuple[str, Any]:
    """A changed copy of a JSON value, and what was done."""
    obj = deepcopy(honest)
    holder, key = rng.choice(_places(obj))
    way = rng.choice(("change", "change", "drop", "twice", "swap", "exchange", "rename", "wrap"))
    if way == "drop":
        del holder[key]
    elif way == "twice" and is_list(holder):
        holder.insert(key, deepcopy(holder[key]))
    elif way == "swap" and is_list(holder):
        other = rng.randrange(len(holder))
        holder[key], holder[other] = holder[other], holder[key]
    elif way == "exchange":
        elsewhere, there = rng.choice(_places(obj))
        holder[key] = deepcopy(elsewhere[there])
    elif way == "rename" and _is_dict(holder):
        names = ("node", "inode", "inode_values", "inode_tree", "contents", "blinded_node", "blinded_inode",
                 "blinded_contents", "extender", "inode_extender", "length", "proofs", "metadata", "x")  # fmt: skip
        holder[rng.choice(names)] = holder.pop(key)
    elif way == "wrap":
        holder[key] = rng.choice(([holder[key]], {"node": holder[key]}, [[0, holder[key]]]))
    else:
        holder[key] = _change(holder[key], rng)
    return f"JSON: {way} at {key!r}", obj


# -- streams -------------------------------------------------------------------------------------------------


def changed_elements(
    honest: Sequence[bytes], strange: Sequence[bytes], rng: Random
) -> tuple[str, list[bytes]]:
    """Changed elements of a stream proof, and what was done; `strange` are of other proofs."""
    found = list(honest)
    way = rng.choice(
        ("drop", "twice", "swap", "move", "flip", "strange", "cut", "more", "reverse", "none", "split")
    )
    if not found or way == "strange":
        found.insert(rng.randrange(len(found) + 1), rng.choice([*strange, b""]))
        return "a strange element", found
    i, j = rng.randrange(len(found)), rng.randrange(len(found))
    if way == "drop":
        del found[i]
    elif way == "twice":
        found.insert(j, found[i])
    elif way == "swap":
        found[i], found[j] = found[j], found[i]
    elif way == "move":
        found.insert(j, found.pop(i))
    elif way == "flip" and found[i]:
        at = rng.randrange(len(found[i]))
        found[i] = found[i][:at] + bytes((found[i][at] ^ 1 << rng.randrange(8),)) + found[i][at + 1 :]
    elif way == "cut":
        found = found[:i]
    elif way == "more":
        found.append(rng.choice(strange))
    elif way == "reverse":
        found.reverse()
    elif way == "none":
        found = []
    else:
        at = rng.randrange(len(found[i]) + 1)
        found[i : i + 1] = [found[i][:at], found[i][at:]]
    return f"elements: {way} {i} {j}", found
