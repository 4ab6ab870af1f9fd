"""Proofs of the native format that no store makes: of which parts are referred to again, rightly and wrongly."""

from __future__ import annotations

from itertools import count
from typing import Any, NamedTuple

from hypothesis import strategies as st

from irminpy import Schema
from irminpy.contents import String
from irminpy.formats import Native
from irminpy.proof.compact import TREE, head

SCHEMA: Schema[Any, Any] = Schema(String(), format=Native(2, 2))
CODEC: Any = SCHEMA.codec
_DEEP = 3  # inner nodes below each other, at most
_NAMES = [f"s{i}" for i in range(200)]


class Part(NamedTuple):
    """A node that a proof reveals, as it is written, and what may be said of it elsewhere."""

    raw: bytes
    hash: bytes
    entries: int
    level: int = -1
    """Inner nodes above it, of an inner node."""
    steps: tuple[str, ...] = ()


class _Builder:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.fresh = (n.to_bytes(32, "big") for n in count(1))
        self.revealed: list[Part] = []

    def flat(self, path: tuple[int, ...]) -> Part:
        """A directory or bucket of one or two blinded values; all steps have the digits of `path`."""
        fitting = [name for name in _NAMES if all(CODEC.digit(name, at) == n for at, n in enumerate(path))]
        steps = sorted(self.draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2, unique=True)))
        hidden = b"".join([next(self.fresh) for _ in steps])
        kinds = b"\1" * len(steps)
        raw = bytes((2 * len(steps), *map(len, steps))) + kinds + "".join(steps).encode() + hidden
        return self.known(raw, CODEC.encode_node(steps, kinds, hidden, []), len(steps), steps=(*steps,))

    def inner(self, path: tuple[int, ...]) -> Part:
        """An inner node of two buckets."""
        states, counts, hidden, below = 0, b"", b"", b""
        parts: list[Part] = []
        for digit in range(2):
            how = self.draw(st.sampled_from(["again", "nowhere", "flat", "inner", "inner"]))
            if how in ("flat", "inner"):
                deeper = how == "inner" and len(path) < _DEEP
                part = (self.inner if deeper else self.flat)((*path, digit))
                states |= 2 << 2 * digit
                below += part.raw
            else:
                part = Part(b"", next(self.fresh), 3)
                if how == "again":
                    part = self.again((*path, digit)) or part
                states |= 1 << 2 * digit
                counts += bytes((part.entries,))
                hidden += part.hash
            parts.append(part)
        entries = [part.entries for part in parts]
        data = CODEC.encode_inode(len(path), b"\0\1", entries, b"".join([part.hash for part in parts]))
        return self.known(
            b"\1" + bytes((states,)) + counts + hidden + below, data, sum(entries), level=len(path)
        )

    def known(
        self, raw: bytes, data: bytes, entries: int, *, level: int = -1, steps: tuple[str, ...] = ()
    ) -> Part:
        """The part with these canonical bytes, which other nodes may refer to from now on."""
        self.revealed.append(Part(raw, CODEC.digest(data), entries, level, steps))
        return self.revealed[-1]

    def again(self, path: tuple[int, ...]) -> Part | None:
        """A part that is revealed already, and may stand at `path` or almost may."""
        fitting = [
            part for part in self.revealed if part.level in (-1, len(path)) and _one_fits(part.steps, path)
        ]
        chosen = fitting if self.draw(st.integers(0, 3)) else self.revealed
        if not chosen:
            return None
        part = self.draw(st.sampled_from(chosen))
        return part if self.draw(st.integers(0, 5)) else part._replace(entries=part.entries + 1)

    def state(self) -> bytes:
        """Some directories; in the place of one there may be a part that is revealed before or behind it."""
        made = [
            (self.inner if self.draw(st.integers(0, 3)) else self.flat)(())
            for _ in range(self.draw(st.integers(1, 4)))
        ]
        rows = [("\4", part) for part in made]
        if self.draw(st.booleans()):
            again = self.draw(st.sampled_from(self.revealed))
            kind = self.draw(st.sampled_from("\0\0\0\1"))
            rows.insert(self.draw(st.integers(0, len(rows))), (kind, again))
        while len(rows) > 1:
            rows = [("\4", _above(rows[at : at + 2])) for at in range(0, len(rows), 2)]
        return rows[0][1].raw


def _one_fits(steps: tuple[str, ...], path: tuple[int, ...]) -> bool:
    """Whether the first of the steps, if there is one, has the digits of `path`."""
    return not steps or all(CODEC.digit(steps[0], at) == n for at, n in enumerate(path))


def _above(rows: list[tuple[str, Part]]) -> Part:
    """The directory of these directories."""
    states = "".join([state for state, _ in rows]).encode()
    hidden = b"".join([part.hash for state, part in rows if state != "\4"])
    steps = "ab"[: len(rows)]
    hash = CODEC.digest(
        CODEC.encode_node(
            [*steps], bytes([n & 3 for n in states]), b"".join([part.hash for _, part in rows]), []
        )
    )
    raw = bytes((2 * len(rows),)) + b"\1" * len(rows) + states + steps.encode() + hidden
    return Part(raw + b"".join([part.raw for state, part in rows if state == "\4"]), hash, len(rows))


@st.composite
def again(draw: st.DrawFn) -> bytes:
    """The bytes of a tree proof of `SCHEMA` that changes nothing."""
    return head(SCHEMA, TREE) + b"\0\1" + _Builder(draw).state()
