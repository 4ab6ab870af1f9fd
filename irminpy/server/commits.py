"""History: commits, logs, differences and merges."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from starlette.responses import Response

from .. import branch as names
from ..errors import DecodeError
from ..path import PathLike
from ..tree import Tree
from . import values
from .call import Call, answer_json, tag_of
from .target import number

__all__ = ["diff", "find_commits", "log", "merge", "one_commit"]


async def one_commit(call: Call) -> Response:
    """A commit: hash, tree, parents and info."""
    call.target.known()
    revision = call.target.text(1)
    commit = await call.run(call.commit, revision)
    return answer_json(commit.to_json(), tag=tag_of(commit.hash), forever=call.settled(revision))


async def find_commits(call: Call) -> Response:
    """The commits whose hash begins with `prefix`, at most 20."""
    call.target.known("prefix")
    prefix = call.target.parameter("prefix") or ""
    found = await call.run(call.repo._opened.backend.find_commits, prefix)
    return answer_json({"commits": [hash_.hex() for hash_ in found]})


async def log(call: Call) -> Response:
    """The history of a revision, the newest first, or what of it changed `path`."""
    call.target.known("n", "skip", "path")
    limit = call.limits.page
    n = number(call.target.parameter("n"), "n", min(50, limit), limit)
    skip = number(call.target.parameter("skip"), "skip", 0, 1 << 30)
    path = call.target.parameter("path")
    return await call.run(_log, call, n, skip, path)


def _log(call: Call, n: int, skip: int, path: PathLike | None) -> Response:
    commits = call.repo.at(call.target.text(1)).log(n, path, skip=skip, shallow=True)
    return answer_json({"commits": [commit.to_json() for commit in commits]})


async def diff(call: Call) -> Response:
    """What differs between two revisions, at or below `path`: `n` changes, or fewer where their values are large."""
    call.target.known("path", "n", "skip")
    return await call.run(_diff, call)


def _diff(call: Call) -> Response:
    limit = call.limits.page
    n = number(call.target.parameter("n"), "n", min(100, limit), limit)
    skip = number(call.target.parameter("skip"), "skip", 0, 1 << 30)
    path = call.target.parameter("path") or ""
    a, b = (_below(call, call.target.text(at), path) for at in (1, 2))
    schema = call.repo.schema

    def told(value: Any) -> dict[str, Any]:
        return values.to_json(schema, value)

    found: list[dict[str, Any]] = []
    size, more = 0, False
    for where, change in islice(a.diff(b), skip, None):
        if len(found) == n or size >= call.limits.answer:
            more = True
            break
        found.append({"path": list(where), **change.to_json(told)})
        size += len(json.dumps(found[-1]))
    forever = call.settled(call.target.text(1)) and call.settled(call.target.text(2))
    return answer_json({"changes": found, "more": more}, forever=forever)


def _below(call: Call, revision: str, path: str) -> Tree[Any, Any]:
    tree = call.commit(revision).tree()
    return tree.find_tree(path) or call.repo.empty_tree()


async def merge(call: Call) -> Response:
    """Merge a revision into a branch: `{"into", "from", "message", "author", "on_conflict"}`."""
    call.target.known()
    fields = await call.fields("into", "from", "message", "author", "on_conflict")
    for name in ("into", "from"):
        if not isinstance(fields.get(name), str):
            raise DecodeError(
                "merge", f"{name} is the name of a {'branch' if name == 'into' else 'revision'}"
            )
    if fields.get("on_conflict") not in (None, "ours", "theirs"):
        raise DecodeError("merge", 'on_conflict is "ours" or "theirs"')
    how = {name: fields[name] for name in ("message", "author") if fields.get(name) is not None}
    if not all(isinstance(value, str) for value in how.values()):
        raise DecodeError("merge", "message and author are strings")
    return await call.run(_merge, call, fields, how)


def _merge(call: Call, fields: dict[str, Any], how: dict[str, Any]) -> Response:
    store = call.repo.branch(names.check(fields["into"]))
    theirs = call.commit(fields["from"])
    made = store.merge_with_commit(
        theirs, on_conflict=fields.get("on_conflict"), max_depth=100_000, n=64, retries=1000, **how
    )
    head = made or store.head()
    told = {"branch": store.name, "commit": head.hash.hex(), "changed": made is not None}
    return answer_json(told, 200 if made is None else 201, tag=tag_of(head.hash))
