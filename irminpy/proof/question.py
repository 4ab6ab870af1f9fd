"""Questions about a tree that can be written down (docs/formats/proof.md, section 8), for files and vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, final

from ..errors import DecodeError
from ..path import as_path, join
from ..tree import Tree
from .jobs import Absence, Page, Read, Transition

__all__ = ["Question"]

Answer = tuple[Tree[Any, Any], Any]


@final
class Question:
    """`Question(json)`: the computation that `json` asks for; called with a tree, that tree and the answer in JSON.

    `json` is an object with one member: read, absence, length, page or transition. DecodeError for anything else.
    """

    __slots__ = ("_run", "json")

    def __init__(self, json: object) -> None:
        given: Any = json
        fields: dict[Any, Any] = given if isinstance(json, dict) else {}
        ((name, asked),) = fields.items() if len(fields) == 1 else ((None, None),)
        asks = _ASKS.get(name)
        if asks is None:
            raise DecodeError("question", f"an object with one of {', '.join(_ASKS)} is expected")
        if not isinstance(asked, list):
            raise DecodeError("question", f"a list is expected in {name}")
        self._run = asks(cast("list[object]", asked))
        self.json: dict[str, Any] = fields

    def __call__(self, tree: Tree[Any, Any]) -> Answer:
        """The tree after the question, which is `tree` unless it asks for a transition, and the answer in JSON."""
        return self._run(tree)

    def __repr__(self) -> str:
        return f"Question({self.json!r:.200})"


def _text(item: object, what: str) -> str:
    if type(item) is not str:
        raise DecodeError("question", f"{what} is a text, not {type(item).__name__}")
    return item


def _path(item: object) -> str:
    path = _text(item, "a path")
    if join(as_path(path)) != path:
        raise DecodeError("question", f"{path!r:.80} is no path: steps joined by single slashes are expected")
    return path


def _paths(asked: list[object]) -> list[str]:
    return [_path(path) for path in asked]


def _read(asked: list[object]) -> Callable[[Tree[Any, Any]], Answer]:
    paths = _paths(asked)
    job = Read(paths)

    def run(tree: Tree[Any, Any]) -> Answer:
        encode = tree.schema.contents.encode
        found = {join(path): value for path, value in job(tree)[1].items()}
        values = [found[path] for path in paths]
        return tree, [None if value is None else encode(value).hex() for value in values]

    return run


def _absence(asked: list[object]) -> Callable[[Tree[Any, Any]], Answer]:
    paths = _paths(asked)
    job = Absence(paths)

    def run(tree: Tree[Any, Any]) -> Answer:
        found = {join(path): absent for path, absent in job(tree)[1].items()}
        return tree, [found[path] for path in paths]

    return run


def _length(asked: list[object]) -> Callable[[Tree[Any, Any]], Answer]:
    paths = _paths(asked)
    return lambda tree: (tree, [tree.length(path) for path in paths])


def _page(asked: list[object]) -> Callable[[Tree[Any, Any]], Answer]:
    if len(asked) != 3:
        raise DecodeError("question", "a page is a path, an offset and a length")
    path, offset, length = asked
    if type(offset) is not int or not (length is None or type(length) is int):
        raise DecodeError("question", "an offset is an integer, and a length is one or null")
    job = Page(_path(path), offset, length)

    def run(tree: Tree[Any, Any]) -> Answer:
        n, page = job(tree)[1]
        return tree, [n, [list(row) for row in page]]

    return run


def _transition(asked: list[object]) -> Callable[[Tree[Any, Any]], Answer]:
    changes: list[tuple[str, bytes | None]] = []
    for row in asked:
        pair = cast("list[object]", row) if isinstance(row, list) else []
        if len(pair) != 2:
            raise DecodeError("question", "a change is a path, and digits or null")
        path, digits = pair
        try:
            data = None if digits is None else bytes.fromhex(_text(digits, "a value"))
        except ValueError as e:
            raise DecodeError("question", f"a value is hexadecimal digits: {e}") from e
        changes.append((_path(path), data))

    def run(tree: Tree[Any, Any]) -> Answer:
        decode = tree.schema.contents.decode
        return Transition([(path, None if data is None else decode(data)) for path, data in changes])(tree)

    return run


_ASKS: dict[Any, Callable[[list[object]], Callable[[Tree[Any, Any]], Answer]]] = {
    "read": _read,
    "absence": _absence,
    "length": _length,
    "page": _page,
    "transition": _transition,
}
