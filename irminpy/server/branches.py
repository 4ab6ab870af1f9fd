"""Branches: their heads, with entity tags; moved only by whoever says which head he saw."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import branch as names
from ..backend import RefUpdate
from ..errors import DanglingHash, NotFound
from ..hash import Hash
from ..objects import Objects
from .call import PRESENT, Call, answer_json, tag_of
from .problem import Refused

__all__ = ["all_branches", "head_of", "one_branch", "put_branch", "remove_branch", "stale"]


async def all_branches(call: Call) -> Response:
    """Every branch with its head."""
    call.target.known()
    refs = await call.run(call.repo._opened.backend.refs)
    told = {name: head.hex() for name, head in refs.items()}
    return answer_json({"branches": told}, irmin_position=call.service.hub.position())


async def one_branch(call: Call) -> Response:
    """The head of a branch."""
    call.target.known()
    name = names.check(call.target.text(1))
    head = await call.run(head_of, call, name)
    if head is None:
        raise NotFound("branch", name)
    if call.seen(tag_of(head)):
        return Response(status_code=304, headers={"etag": tag_of(head)})
    return answer_json({"branch": name, "commit": head.hex()}, tag=tag_of(head))


async def put_branch(call: Call) -> Response:
    """Move or make a branch: `{"commit": HASH}`, with If-Match or If-None-Match."""
    call.target.known()
    name = names.check(call.target.text(1))
    expected = call.expected(required=True)
    commit = call.hash((await call.fields("commit")).get("commit"))
    return await call.run(_move, call, name, commit, expected)


async def remove_branch(call: Call) -> Response:
    """Remove a branch, with If-Match. Its commits stay."""
    call.target.known()
    name = names.check(call.target.text(1))
    return await call.run(_move, call, name, None, call.expected(required=True))


def head_of(call: Call, name: str) -> Hash | None:
    """The head of the branch `name` now."""
    return call.repo._opened.backend.ref(name)


def stale(name: str, head: Hash | None) -> Refused:
    """412, with the head that the branch `name` has."""
    now = "absent" if head is None else f"at {head.hex()}"
    headers = {} if head is None else {"etag": tag_of(head)}
    return Refused(412, "stale", f"the branch {name} is {now}", headers=headers)


def _move(call: Call, name: str, commit: Hash | None, expected: Any) -> Response:
    opened = call.repo._opened
    if commit is not None and opened.find(commit) is None:
        raise DanglingHash(f"the branch {name}", commit)
    while True:
        before = head_of(call, name)
        wanted = before if expected is PRESENT else expected
        if wanted != before or (expected is PRESENT and before is None):
            raise stale(name, before)
        if opened.backend.write(Objects(), [RefUpdate(name, commit, wanted)]):
            break
    if commit is None:
        return Response(status_code=204)
    told = {"branch": name, "commit": commit.hex()}
    return answer_json(told, 201 if before is None else 200, tag=tag_of(commit))
