"""Pictures of a repository: text for Graphviz, and an SVG of the history that needs nothing else.

Both are text of bounded size. Whatever comes from the repository is escaped: it may hold anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from .commit import Commit
from .errors import DecodeError
from .hash import Hash
from .history import History
from .repo import Repo
from .tree import Tree

__all__ = ["dot", "svg"]

Source: TypeAlias = "History[Commit[Any, Any]] | Repo[Any, Any]"
Branches: TypeAlias = "Mapping[str, Commit[Any, Any] | Hash]"

_HASH = 8  # digits of a hash in a label
_VALUE = 10  # characters of a value in a label
_LINE = 36  # characters of a line in a box
_TEXT = 60  # characters of any other text


def _iso(date: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(date))
    except (OverflowError, OSError, ValueError):
        return str(date)


def _source(source: Source, branches: Branches | None) -> tuple[History[Commit[Any, Any]], dict[str, Hash]]:
    """The commits to draw, and the branches that stand on one of them."""
    if isinstance(source, Repo):
        now = {name: source.branch(name).find_head() for name in source.branches()}
        heads = {name: head for name, head in now.items() if head is not None}
        history = source.empty().history(max=heads.values())
        branches = heads if branches is None else branches
    elif isinstance(source, History):  # pyright: ignore[reportUnnecessaryIsInstance]
        history = source
    else:
        raise TypeError(f"a History or a Repo is expected, not {type(source).__name__}")
    found = {
        name: commit if isinstance(commit, Hash) else commit.hash for name, commit in (branches or {}).items()
    }
    return history, {name: hash_ for name, hash_ in found.items() if hash_ in history}


def _cut(text: str, size: int = _TEXT) -> str:
    """The first line of `text`, `size` characters of it at most, without any that cannot be shown."""
    line, *rest = text.split("\n", 1)
    short = line if len(line) <= size and not rest else line[: size - 1] + "…"
    return "".join(c if c.isprintable() else "\ufffd" for c in short)


def _limit(limit: int) -> int:
    if type(limit) is not int or limit < 1:
        raise DecodeError("limit", f"{limit!r:.80}; use a number from 1 up")
    return limit


# -- Graphviz ------------------------------------------------------------------------------------------------


def dot(
    source: Source,
    *,
    branches: Branches | None = None,
    full: bool = False,
    date: Callable[[int], str] = _iso,
    limit: int = 10_000,
) -> str:
    """`source`, a history or a repository, as a graph in the language of Graphviz.

    Commits are bold boxes with an edge to each parent, branches plain text; those of a repository are shown
    by themselves. `full` adds the trees: directories as dotted boxes with a labelled edge for each entry,
    contents as boxes. In an SVG that Graphviz makes, their classes are commit, branch, node and contents, for a
    style sheet. `date` writes a date, of seconds since 1970. After `limit` vertices a comment says that
    the rest is missing. Cost: the commits; with `full`, all objects that they hold.
    """
    _limit(limit)
    history, known = _source(source, branches)
    commits = list(islice(history, limit))
    shown = {commit.hash for commit in commits}
    lines = [
        "digraph irminpy {",
        "  rankdir=LR;",
        '  node [shape=box, fontname="monospace", fontsize=11];',
        '  edge [fontname="monospace", fontsize=9, arrowsize=0.7];',
    ]
    for commit in commits:
        info = commit.info
        told = (_cut(date(info.date)), _cut(info.author, _LINE), _cut(info.message, _LINE))
        label = _quoted("\n".join([commit.hash.short(_HASH), *told]).rstrip())
        lines.append(f'  {_id("c", commit.hash)} [label={label}, style=bold, class="commit"];')
    for commit in commits:
        lines.extend(
            f"  {_id('c', commit.hash)} -> {_id('c', parent)};"
            for parent in dict.fromkeys(commit.parents)
            if parent in shown
        )
    for i, (name, hash_) in enumerate(islice(known.items(), limit)):
        if hash_ in shown:
            lines.append(f'  b{i} [label={_quoted(_cut(name))}, shape=plaintext, class="branch"];')
            lines.append(f"  b{i} -> {_id('c', hash_)} [style=dashed];")
    complete = len(commits) == len(history)
    if full:
        room = limit - len(commits)
        trees = _Trees(lines, room)
        for commit in commits:
            target = trees.add(commit.tree())
            if target is not None:
                lines.append(f"  {_id('c', commit.hash)} -> {target} [style=dashed];")
        complete = complete and trees.run()
    if not complete:
        lines.append(f"  // there is more than {limit} vertices; the rest is left out")
    lines.append("}")
    return "\n".join(lines) + "\n"


class _Trees:
    """Directories and contents, each object once, as long as there is room."""

    def __init__(self, lines: list[str], room: int) -> None:
        self._lines = lines
        self._room = room
        self._complete = True
        self._seen: set[str] = set()
        self._open: list[tuple[str, Tree[Any, Any]]] = []

    def add(self, tree: Tree[Any, Any]) -> str | None:
        """The name of the vertex for `tree`, drawn if it was not yet; None if there is no room."""
        kinded = tree.kinded_hash()
        directory = kinded.kind == "node"
        name = _id("n" if directory else "v", kinded.hash)
        if name in self._seen:
            return name
        if len(self._seen) >= self._room:
            self._complete = False
            return None
        self._seen.add(name)
        label = kinded.hash.short(_HASH) if directory else f"{kinded.hash.short(_HASH)}\n{_value(tree)}"
        kind = 'style=dotted, class="node"' if directory else 'class="contents"'
        self._lines.append(f"  {name} [label={_quoted(label)}, {kind}];")
        if directory:
            self._open.append((name, tree))
        return name

    def run(self) -> bool:
        """Draw all that is below; whether there was room for it."""
        while self._open:
            name, tree = self._open.pop()
            for step, child in tree.list():
                target = self.add(child)
                if target is None:
                    break
                style = "" if child.kind() == "node" else ", style=dotted"
                self._lines.append(f"  {name} -> {target} [label={_quoted(_cut(step))}{style}];")
        return self._complete


def _value(tree: Tree[Any, Any]) -> str:
    data = tree.schema.contents.encode(tree.get())
    try:
        text = data[: 4 * _VALUE].decode(errors="strict" if len(data) <= 4 * _VALUE else "ignore")
        data.decode()
    except UnicodeDecodeError:
        return "<blob>"
    return _cut(text, _VALUE)


def _id(kind: str, hash: Hash) -> str:
    return f"{kind}{hash.hex()}"


def _quoted(text: str) -> str:
    """`text` as a string of Graphviz: lines stay lines, and no backslash means anything."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


# -- SVG -----------------------------------------------------------------------------------------------------

_ROW, _LANE, _EDGE, _DOT, _CHAR = 26, 18, 16, 5, 7.3
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
_LANES = 40  # that have a place of their own; the rest share the last
_LABELS = 4  # branches named at one commit


def svg(
    source: Source,
    *,
    branches: Branches | None = None,
    date: Callable[[int], str] = _iso,
    limit: int = 500,
) -> str:
    """`source`, a history or a repository, as an SVG: a row per commit, the last at the top, and a lane for
    each line of them; merges and forks are curves.

    Rows say hash, branches, message, author and date. At most `limit` commits are drawn and the rest is
    counted in a last row. A short dashed line means parents that are not in the picture.
    """
    _limit(limit)
    history, known = _source(source, branches)
    commits = list(islice(history, limit))
    names: dict[Hash, list[str]] = {}
    for name, hash_ in known.items():
        names.setdefault(hash_, []).append(name)
    lanes, ways = _lanes(commits)
    rows = {commit.hash: row for row, commit in enumerate(commits)}
    left = 2 * _EDGE + min(max(lanes.values(), default=0), _LANES) * _LANE
    edges: list[str] = []
    dots: list[str] = []
    width = left + 200.0
    for row, commit in enumerate(commits):
        lane = lanes[commit.hash]
        x, y = _at(lane, row)
        missing = False
        for parent in dict.fromkeys(commit.parents):
            if parent not in rows:
                missing = True
                continue
            way = ways[commit.hash, parent]
            shape = _path((x, y), _at(way, row)[0], _at(lanes[parent], rows[parent]))
            edges.append(f'<path d="{shape}" stroke="{_colour(way)}"/>')
        if missing:
            end = y + _ROW * 0.6
            edges.append(f'<path d="M{x} {y}V{end:g}" stroke="{_colour(lane)}" stroke-dasharray="3 3"/>')
        text, length = _row(commit, names.get(commit.hash, []), date)
        width = max(width, left + length * _CHAR + _EDGE)
        fill = "#fff" if len(commit.parents) > 1 else _colour(lane)
        title = _xml(_cut(commit.info.message, 200) or commit.hash.hex())
        dots.append(
            f'<circle cx="{x}" cy="{y}" r="{_DOT}" fill="{fill}" stroke="{_colour(lane)}">'
            f"<title>{title}</title></circle>"
        )
        dots.append(f'<text x="{left}" y="{y + 4}">{text}</text>')
    height = len(commits) * _ROW + _EDGE
    rest = len(history) - len(commits)
    if rest or not commits:
        told = f"… and {rest} more" if rest else "no commits"
        dots.append(f'<text x="{left}" y="{height + 4}" class="dim">{told}</text>')
        height += _ROW
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
            f'viewBox="0 0 {width:.0f} {height}" xml:space="preserve" role="img" '
            f'aria-label="History of {len(history)} commits">',
            "<style>text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#24292f;white-space:pre}"
            ".dim{fill:#6e7781}.branch{font-weight:bold;fill:#0072b2}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<g fill="none" stroke-width="2">{"".join(edges)}</g>',
            f'<g stroke-width="2">{"".join(dot for dot in dots if dot.startswith("<circle"))}</g>',
            *(dot for dot in dots if not dot.startswith("<circle")),
            "</svg>",
            "",
        ]
    )


def _lanes(commits: Iterable[Commit[Any, Any]]) -> tuple[dict[Hash, int], dict[tuple[Hash, Hash], int]]:
    """A lane for each commit, the lowest of those that wait for it, else one that is free; and the lane on
    which the line from a commit to a parent runs.

    INVARIANT: a lane is taken from the first commit on it until the parent that it waits for.
    """
    lanes: dict[Hash, int] = {}
    ways: dict[tuple[Hash, Hash], int] = {}
    waiting: list[Hash | None] = []
    places: dict[Hash, set[int]] = {}  # which lanes wait for a commit

    def wait(lane: int, hash: Hash | None) -> None:
        waiting[lane] = hash
        if hash is not None:
            places.setdefault(hash, set()).add(lane)

    def free() -> int:
        for lane, hash_ in enumerate(waiting[:_LANES]):
            if hash_ is None:
                return lane
        waiting.append(None)
        return len(waiting) - 1

    for commit in commits:
        mine = places.pop(commit.hash, set())
        lane = min(mine) if mine else free()
        for other in mine:
            waiting[other] = None
        lanes[commit.hash] = lane
        parents = list(dict.fromkeys(commit.parents))
        wait(lane, parents[0] if parents else None)
        for i, parent in enumerate(parents):
            if parent not in places:
                wait(free(), parent)
            ways[commit.hash, parent] = min(places[parent]) if i else lane
        while waiting and waiting[-1] is None:
            waiting.pop()
    return lanes, ways


def _at(lane: int, row: int) -> tuple[int, int]:
    return _EDGE + min(lane, _LANES) * _LANE, _EDGE + row * _ROW


def _path(start: tuple[int, int], way: int, end: tuple[int, int]) -> str:
    """The path of a line down from `start` to `end`: to `way` within the first row, down, and over to the end
    within the last row.
    """
    (x, y), (to_x, to_y) = start, end
    if to_y - y == _ROW:
        return f"M{x} {y}{_curve(x, y, to_x)}"
    return f"M{x} {y}{_curve(x, y, way)}V{to_y - _ROW}{_curve(way, to_y - _ROW, to_x)}"


def _curve(x: int, y: int, to_x: int) -> str:
    middle, bottom = y + _ROW // 2, y + _ROW
    return f"V{bottom}" if x == to_x else f"C{x} {middle} {to_x} {middle} {to_x} {bottom}"


def _row(commit: Commit[Any, Any], names: list[str], date: Callable[[int], str]) -> tuple[str, int]:
    """The text of a row as XML, and its length in characters."""
    info = commit.info
    shown = [_cut(name) for name in names[:_LABELS]]
    if len(names) > _LABELS:
        shown.append(f"… {len(names) - _LABELS} more")
    parts: list[tuple[str, str]] = [
        ("dim", commit.hash.short(_HASH)),
        *(("branch", f"[{name}]") for name in shown),
        ("", _cut(info.message)),
        ("dim", _cut(info.author)),
        ("dim", _cut(date(info.date))),
    ]
    texts = list(_spans((kind, text) for kind, text in parts if text))
    return "  ".join(texts), sum(len(text) + 2 for _, text in parts)


def _spans(parts: Iterable[tuple[str, str]]) -> Iterator[str]:
    for kind, text in parts:
        yield f'<tspan class="{kind}">{_xml(text)}</tspan>' if kind else f"<tspan>{_xml(text)}</tspan>"


def _colour(lane: int) -> str:
    return _COLOURS[min(lane, _LANES) % len(_COLOURS)]


def _xml(text: str) -> str:
    """`text` in XML; what is not printable is gone by `_cut` already."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
