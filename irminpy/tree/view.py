"""Looking at a tree from outside: its state, and how it is printed. Nothing here reads, hashes or loads."""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import DecodeError
from .lazy import ABSENT, Child, Leaf, Pool, Pruned, Source, Stored
from .listing import children, resident
from .stage import Frozen, Held, Staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .home import Home

__all__ = ["dump", "html", "short", "state"]

State = Literal["contents", "map", "value", "key", "pruned", "portable"]

_ROWS = 200
_SHOWN = 80  # characters of a value
_DECODED = 4096  # bytes of a value that is decoded to be shown


def state(root: Held) -> State:
    """What `Tree.inspect` answers."""
    at: Any = root
    if type(at) is bytes or type(at) is Leaf:
        return "contents"
    edited = False
    while type(at) is not Stored:
        if at is None or type(at) is dict:
            return "map"
        if type(at) is Frozen:
            at = at.settled or at.staged
        else:
            edited = True
            at = at.base
    source = at.source
    if isinstance(source, Pruned):
        return "portable" if edited else "pruned"
    if type(source) is Pool and not source.saved:
        base = source.base()
        if isinstance(base, Pruned):
            return "portable"
        return "map" if base is None else "value"
    return "value" if edited else "key"


def short(root: Held) -> str:
    """Kind, state, and the first digits of the hash if it is known."""
    words = ["contents"] if state(root) == "contents" else ["node", state(root)]
    known = _known_hash(root)
    return " ".join(words if known is None else [*words, known.hex()[:8]])


def _known_hash(child: Held) -> bytes | None:
    if type(child) is Stored:
        return child.hash
    if type(child) is Leaf:
        return child.known_hash
    if type(child) is Frozen and child.settled is not None:
        return child.settled.hash
    return None


class _Row(NamedTuple):
    """A line of a listing: a child at `depth`, or, without one, how many more there are (None: not known)."""

    depth: int
    step: str
    child: Held | None
    version: int
    more: int | None = None


def _rows(root: Held, version: int, limit: int) -> Iterator[_Row]:
    """At most `limit` rows for what is in memory, each directory before its children."""
    stack: list[Iterator[_Row]] = [iter([_Row(0, "", root, version)])]
    left = limit
    while stack and left:
        row = next(stack[-1], None)
        if row is None:
            stack.pop()
            continue
        left -= 1
        yield row
        if row.child is not None and type(row.child) is not bytes and type(row.child) is not Leaf:
            stack.append(_below(row, left))
    if stack and any(next(rows, None) is not None for rows in stack):
        yield _Row(0, "", None, version)


def _below(row: _Row, limit: int) -> Iterator[_Row]:
    assert row.child is not None
    held, total = _held(row.child, row.version)
    for step in nsmallest(limit + 1, held):
        child, version = held[step]
        yield _Row(row.depth + 1, step, child, version)
    if total is None or total > len(held):
        yield _Row(row.depth + 1, "", None, row.version, None if total is None else total - len(held))


def _held(child: Held, version: int) -> tuple[dict[str, tuple[Held, int]], int | None]:
    """The children in memory, each with the version to read it at; and how many there are in all, or None."""
    layers: list[tuple[Staged, int]] = []
    total: int | None = None
    if type(child) is dict:
        return {step: (data, version) for step, data in child.items()}, len(child)
    at: Any = child
    while at is not None and type(at) is not Stored:
        if type(at) is Frozen:
            if at.settled is not None:
                at = at.settled
                continue
            at, version = at.staged, at.version
        if not layers:
            total = at.size_at(version)
        layers.append((at, version))
        at = at.base
    held: dict[str, tuple[Held, int]] = {}
    if type(at) is Stored:
        known = children(at) if resident(at) else iter(list(at.now.items()))
        held = {step: (below, 0) for step, below in known}
        if not layers:
            total = at.length() if at.loaded else None
    for staged, when in reversed(layers):
        for step, below in staged.overlay(when).items():
            if below is ABSENT:
                held.pop(step, None)
            else:
                held[step] = (below, when)
    return held, total


def dump(root: Child, version: int, limit: int) -> str:
    """The state of each part in memory, one line each."""
    lines: list[str] = []
    for row in _rows(root, version, limit):
        if row.child is None:
            text = "… more" if row.more is None else f"… {row.more} not in memory"
        else:
            text = f"{row.step!r} " if row.depth else ""
            text += _internals(row.child, row.version)
        lines.append("  " * row.depth + text)
    return "\n".join(lines)


def _internals(child: Held, version: int) -> str:
    if type(child) is dict:
        return f"staged, {len(child)} new values"
    if type(child) is bytes:
        return f"value of {len(child)} bytes"
    if type(child) is Leaf:
        known = "not hashed" if child.known_hash is None else child.known_hash.hex()[:8]
        value = "unread" if child.in_hand is None else f"{len(child.in_hand)} bytes"
        metadata = "" if child.metadata is None else f", metadata {child.metadata.hex()}"
        return f"leaf {known}, {value}{metadata}, from {_origin(child.source)}"
    if type(child) is Frozen:
        if child.settled is not None:
            return f"frozen at {child.version}, settled: {_internals(child.settled, version)}"
        return f"frozen at {child.version}: {_internals(child.staged, child.version)}"
    if type(child) is Staged:
        newest = "newest" if child.line.version == version else f"of {child.line.version}"
        base = "nothing" if child.base is None else _internals(child.base, version)
        return f"staged, version {version} ({newest}), {child.size_at(version)} entries, on top of {base}"
    assert type(child) is Stored
    pins = f", {len(child.pins)} pinned" if child.pins else ""
    loaded = "loaded" if child.loaded else "not loaded"
    held = f"{len(child.now)} in memory{pins}"
    return f"stored {child.hash.hex()[:8]}, {loaded}, {held}, from {_origin(child.source)}"


def _origin(source: Source) -> str:
    if type(source) is Pool:
        return f"a pool of {len(source.objects)} objects, {'saved' if source.saved else 'not saved'}"
    return "nowhere" if isinstance(source, Pruned) else "the repository"


def html(home: Home[Any, Any], root: Child, version: int) -> str:
    """A table of at most 200 rows."""
    from html import escape  # late: only notebooks ask for it

    rows: list[str] = []
    for row in islice(_rows(root, version, _ROWS), _ROWS + 1):
        if row.child is None:
            more = "more" if row.more is None else f"{row.more} more"
            name, value = f"… {more}", ""
        else:
            name, value = row.step or "/", _value(home, row.child)
        indent = f"padding-left:{1 + min(row.depth, 40)}em"
        cells = f'<td style="text-align:left;{indent}">{escape(_printable(name[:_SHOWN]))}</td>'
        rows.append(f"<tr>{cells}<td>{escape(value)}</td></tr>")
    return f"<table><caption>Tree: {escape(short(root))}</caption>{''.join(rows)}</table>"


def _printable(step: str) -> str:
    return step.encode("utf-8", "backslashreplace").decode()


def _value(home: Home[Any, Any], child: Held) -> str:
    data = child.in_hand if type(child) is Leaf else child
    if not isinstance(data, bytes):
        return "not loaded" if type(child) is Leaf else short(child)
    if len(data) > _DECODED:
        return f"{len(data)} bytes"
    try:
        value = repr(home.schema.contents.decode(data))
    except DecodeError:
        return f"{len(data)} bytes"
    return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
