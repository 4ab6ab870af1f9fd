"""JSON laid out as a tree: each object is a directory, every other value contents of type `Json`.

An array is one leaf, with whatever it holds. Keys become steps, so they owe what steps owe. A tree has no empty
directories: an object without keys leaves no trace in it, except at the root. No recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from .errors import DecodeError
from .path import PathLike
from .schema import Schema
from .tree import Concrete, ConcreteContents, Tree
from .types import M

__all__ = ["get_tree", "of_concrete_tree", "set_tree", "to_concrete_tree"]


def to_concrete_tree(value: object, schema: Schema[Any, Any] | None = None) -> Concrete:
    """The concrete tree of the JSON `value`: objects as dicts, every other value as `ConcreteContents`.

    Empty objects are kept here; they vanish when a tree is made. InvalidStep for a key that is no legal step of
    `schema` (None: the default one), TypeError for a key that is no str, DecodeError for a dict that holds itself.
    Leaves are checked when a tree is made.

    >>> to_concrete_tree({"name": "ada", "tags": ["a", {}]})
    {'name': ConcreteContents(value='ada', metadata=None), 'tags': ConcreteContents(value=['a', {}], metadata=None)}
    """
    if type(value) is not dict:
        return ConcreteContents(value)
    codec = (Schema() if schema is None else schema).codec
    top: dict[str, Concrete] = {}
    whole = cast("dict[object, object]", value)
    stack: list[tuple[Iterator[tuple[object, object]], dict[str, Concrete], int]] = [
        (iter(whole.items()), top, id(whole))
    ]
    above = {id(whole)}
    while stack:
        left, out, itself = stack[-1]
        for key, below in left:
            if not isinstance(key, str):
                raise TypeError(f"the keys of JSON are str, not {type(key).__name__}")
            codec.steps((key,))
            if type(below) is dict:
                inside = cast("dict[object, object]", below)
                if id(inside) in above:
                    raise DecodeError("JSON", f"the object at {key!r:.80} holds itself")
                above.add(id(inside))
                inner: dict[str, Concrete] = {}
                out[key] = inner
                stack.append((iter(inside.items()), inner, id(inside)))
                break
            out[key] = ConcreteContents(below)
        else:
            stack.pop()
            above.discard(itself)
    return top


def of_concrete_tree(concrete: Concrete) -> Any:
    """The JSON value of `concrete`, as `to_concrete` gives it: the inverse of `to_concrete_tree`.

    Metadata is left out. Contents that are an object are not told from a directory.
    """
    if not isinstance(concrete, dict):
        return _value(concrete)
    top: dict[str, Any] = {}
    stack = [(concrete, top)]
    while stack:
        directory, out = stack.pop()
        for step, below in directory.items():
            if isinstance(below, dict):
                inner: dict[str, Any] = {}
                out[step] = inner
                stack.append((below, inner))
            else:
                out[step] = _value(below)
    return top


def get_tree(tree: Tree[Any, Any], path: PathLike = ()) -> Any:
    """The JSON value that lies at `path` of `tree`; NotFound if there is nothing. Reads all that is below."""
    return of_concrete_tree(tree.get_tree(path).to_concrete())


def set_tree(tree: Tree[Any, M], path: PathLike, value: object) -> Tree[Any, M]:
    """`tree` with `path` bound to the JSON `value`, and to nothing else of what was there.

    An empty object unbinds `path`. Raises as `to_concrete_tree`, and what `Json` raises for a leaf that is no JSON.
    """
    return tree.add_tree(path, Tree.of_concrete(to_concrete_tree(value, tree.schema), tree.schema))


def _value(contents: ConcreteContents[Any, Any]) -> Any:
    if not isinstance(contents, ConcreteContents):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a dict or ConcreteContents is expected, not {type(contents).__name__}")
    return contents.value
