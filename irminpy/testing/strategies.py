"""Hypothesis strategies for what trees are made of: steps, paths, values, bindings, schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from ..formats import FlatNative, Native
from ..formats.git import refusal
from ..path import MAX_STEP_BYTES, Path
from ..schema import Schema

__all__ = ["FORMATS", "bindings", "illegal_paths", "illegal_steps", "paths", "schemas", "steps", "values"]

FORMATS: tuple[Native | FlatNative, ...] = (Native(), Native(16, 2), Native(2, 2), FlatNative())
"""The shapes of directories: few levels, many levels, the narrowest there is, and no inner nodes at all."""

_FEW = ("a", "b", "c", "aa", "ab", "é")

# Lengths around the limit, in one, two and four bytes a character.
_LONG = ("x" * MAX_STEP_BYTES, "é" * (MAX_STEP_BYTES // 2), "\U0001f33f" * (MAX_STEP_BYTES // 4))

_any_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=12
).filter(lambda text: refusal(text) is None)

# The first branch is the one that examples shrink to, and most of what is drawn: paths must meet.
steps: st.SearchStrategy[str] = st.integers(0, 63).flatmap(
    lambda n: st.sampled_from(_LONG) if n == 63 else _any_text if n > 47 else st.sampled_from(_FEW)
)
"""Legal steps in every format: mostly a few short ones that collide, some of any script, rarely the longest."""

values: st.SearchStrategy[bytes] = st.sampled_from([b"", b"1", b"2"]) | st.binary(max_size=40)
"""Contents of type bytes, often equal ones."""

illegal_steps: st.SearchStrategy[str] = st.sampled_from(
    ["", "a/b", "/", "\0", "a\0", "\ud800", "a\udcff", "x" * (MAX_STEP_BYTES + 1), "é" * MAX_STEP_BYTES]
)
"""Steps that the native format refuses."""


def paths(
    min_size: int = 0, max_size: int = 4, step: st.SearchStrategy[str] = steps
) -> st.SearchStrategy[Path]:
    """Paths of `min_size` to `max_size` steps."""
    return st.lists(step, min_size=min_size, max_size=max_size).map(tuple)


def illegal_paths() -> st.SearchStrategy[Path]:
    """Paths with an illegal step somewhere."""
    return st.builds(_around, paths(), illegal_steps, paths())


def _around(before: Path, step: str, after: Path) -> Path:
    return (*before, step, *after)


def _without_clashes(items: dict[Path, bytes]) -> dict[Path, bytes]:
    return {p: v for p, v in items.items() if not any(p[:n] in items for n in range(1, len(p)))}


def bindings(max_size: int = 40) -> st.SearchStrategy[dict[Path, bytes]]:
    """Path to value: what a tree can hold, so no path continues another."""
    return st.dictionaries(paths(1), values, max_size=max_size).map(_without_clashes)


def schemas(formats: Sequence[Any] = FORMATS) -> st.SearchStrategy[Schema[bytes, None]]:
    """Schemas of bytes without metadata."""
    return st.sampled_from([Schema(format=format_) for format_ in formats])
