"""Pages of a directory, in the format's order or sorted by step."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import DecodeError
from ..shape import page
from .lazy import Child, Stored

__all__ = ["bindings", "check_page"]


def check_page(offset: int, length: int | None) -> None:
    """DecodeError unless `offset` and `length` (None: all the rest) are numbers from 0 up; TypeError for no int."""
    for name, value in (("offset", offset), ("length", length)):
        if value is None:
            continue
        if type(value) is not int:
            raise TypeError(f"{name} is an int, not {type(value).__name__}")
        if value < 0:
            raise DecodeError(name, f"{value} is negative; use a number from 0 up")


def bindings(
    directory: Stored, *, offset: int = 0, length: int | None = None, sorted_: bool = False, cache: bool = True
) -> Iterator[tuple[str, Child]]:
    """(step, child) for a page of `directory`.

    Cost: the nodes of the page and those above them; sorted, all nodes of the directory.
    """
    source = directory.source
    record = directory.record(cache=cache)
    if sorted_:
        pairs = list(page(source.node, record, 0, None))
        order = source.codec.order
        pairs.sort(key=None if order is None else lambda pair: order(pair[0]))
        end = None if length is None else offset + length
        found = iter(pairs[offset:end])
    else:
        found = page(source.node, record, offset, length)
    now = directory.now
    for step, entry in found:
        child = now.get(step)
        if child is None:
            child = directory.open(entry)
            if cache and type(child) is Stored:
                child = now.setdefault(step, child)
        yield step, child
