"""Writes: one value, or many changes, as one commit on a branch; on the head that was seen, if one is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from starlette.responses import Response

from .. import branch as names
from ..backend import ANY, RefUpdate
from ..contents import Bytes, String
from ..errors import DecodeError, NotFound, TestWas, TooManyRetries
from ..objects import Objects
from ..path import Path, PathLike, join
from ..store.stream import put_stream
from ..tree import Tree
from . import values
from .branches import head_of, stale
from .call import PRESENT, Call, answer_json, tag_of

__all__ = ["patch_tree", "put_value", "remove_path"]

_RETRIES = 1000
_INFO = ("message", "author", "date")

Apply = Callable[[Tree[Any, Any]], Tree[Any, Any]]


@dataclass(frozen=True, slots=True)
class _Change:
    """Bind `path` to `value` (None: to nothing); if `tested`, only where it is bound to `test` now."""

    path: Path
    value: Any
    tested: bool
    test: Any

    def __call__(self, tree: Tree[Any, Any]) -> Tree[Any, Any]:
        if self.tested and tree.find(self.path) != self.test:
            raise TestWas(tree.find(self.path), join(self.path))
        return tree.remove(self.path) if self.value is None else tree.add(self.path, self.value)


async def patch_tree(call: Call) -> Response:
    """Many changes as one commit: `{"message", "changes": [{"path", "text" | "base64" | "value" | "remove"}]}`."""
    call.target.known()
    branch, expected = names.check(call.target.text(1)), call.expected(required=False)
    fields = await call.fields("changes", *_INFO)
    changes = await call.run(_changes, call, fields.pop("changes", None))

    def apply(tree: Tree[Any, Any]) -> Tree[Any, Any]:
        for change in changes:
            tree = change(tree)
        return tree

    return await call.run(_commit, call, branch, apply, fields, expected)


async def put_value(call: Call) -> Response:
    """Bind a path to the bytes of the body, in one commit."""
    call.target.known(*_INFO)
    branch, path, expected = (
        names.check(call.target.text(1)),
        call.target.path(2),
        call.expected(required=False),
    )
    if not path:
        raise DecodeError("path", "contents cannot be set at the root; name a path below it")
    call.repo.schema.codec.steps(path)
    how = _info_of_query(call)
    # Only bytes and text go to the store in pieces; other values are in memory as a whole.
    in_pieces = isinstance(call.repo.schema.contents, Bytes | String)
    file = await call.spooled(call.limits.upload if in_pieces else call.limits.body)
    with file:
        return await call.run(_put, call, branch, path, file, how, expected)


async def remove_path(call: Call) -> Response:
    """Remove what is at a path, in one commit."""
    call.target.known(*_INFO)
    branch, path, expected = (
        names.check(call.target.text(1)),
        call.target.path(2),
        call.expected(required=False),
    )

    def apply(tree: Tree[Any, Any]) -> Tree[Any, Any]:
        if path and not tree.mem_tree(path):
            raise NotFound("path", join(path))
        return tree.remove(path)

    return await call.run(_commit, call, branch, apply, _info_of_query(call), expected)


def _info_of_query(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {name: call.target.parameter(name) for name in _INFO}
    date = found["date"]
    if date is not None:
        digits = date.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise DecodeError("date", f"seconds since 1970 are expected, not {date!r:.40}")
        found["date"] = int(date)
    return found


def _put(call: Call, branch: str, path: Path, file: BinaryIO, how: dict[str, Any], expected: Any) -> Response:
    schema = call.repo.schema
    if isinstance(schema.contents, Bytes | String):
        part = put_stream(call.repo._opened, file, None)
        return _commit(call, branch, lambda tree: tree.add_tree(path, part), how, expected)
    value = schema.contents.decode(file.read())
    return _commit(call, branch, lambda tree: tree.add(path, value), how, expected)


def _changes(call: Call, given: object) -> list[_Change]:
    if not isinstance(given, list):
        raise DecodeError("batch", "changes are a list")
    items = cast("list[object]", given)
    if len(items) > call.limits.changes:
        raise DecodeError("batch", f"{len(items)} changes, and {call.limits.changes} are allowed at once")
    return [_change(call, item) for item in items]


def _change(call: Call, item: object) -> _Change:
    if not isinstance(item, dict):
        raise DecodeError("batch", "a change is an object")
    fields = dict(cast("dict[str, Any]", item))
    if "path" not in fields:
        raise DecodeError("batch", "a change names a path")
    schema = call.repo.schema
    path = tuple(schema.codec.steps(_path(fields.pop("path"))))
    if len(path) > call.limits.steps:
        raise DecodeError("batch", f"a path has at most {call.limits.steps} steps")
    tested, test = "test" in fields, fields.pop("test", None)
    if test is not None:
        if not isinstance(test, dict):
            raise DecodeError("batch", "a test is null or what a value is")
        test = values.of_json(schema, cast("dict[str, Any]", test))
    if fields == {"remove": True}:
        return _Change(path, None, tested, test)
    if not path:
        raise DecodeError("path", "contents cannot be set at the root; name a path below it")
    return _Change(path, values.of_json(schema, fields), tested, test)


def _path(given: object) -> PathLike:
    if isinstance(given, str):
        return given
    if isinstance(given, list):
        steps = cast("list[object]", given)
        if all(isinstance(step, str) for step in steps):
            return cast("list[str]", steps)
    raise DecodeError("path", "a string or a list of strings is expected")


def _commit(call: Call, branch: str, apply: Apply, how: dict[str, Any], expected: Any) -> Response:
    for name, cls in (("message", str), ("author", str), ("date", int)):
        value = how.get(name)
        if value is not None and type(value) is not cls:
            raise DecodeError(name, f"{cls.__name__} is expected")
    repo = call.repo
    opened = repo._opened
    info = opened.info(how.get("message"), how.get("author"), how.get("date"))
    for _ in range(_RETRIES):
        before = head_of(call, branch)
        if expected is not ANY and (before is None if expected is PRESENT else before != expected):
            raise stale(branch, before)
        old = repo.empty_tree() if before is None else opened.get(before, f"the branch {branch}").tree()
        new = apply(old)
        if before is not None and (new is old or new == old):
            return _made(branch, before.hex(), None)
        commit = repo.commit_tree(new, info=info, parents=[] if before is None else [before])
        if opened.backend.write(Objects(), [RefUpdate(branch, commit.hash, before)]):
            return _made(branch, commit.hash.hex(), "new")
    raise TooManyRetries(_RETRIES)


def _made(branch: str, commit: str, made: str | None) -> Response:
    told = {"branch": branch, "commit": commit, "changed": made is not None}
    return answer_json(told, 200 if made is None else 201, tag=tag_of(bytes.fromhex(commit)))
