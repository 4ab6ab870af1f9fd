"""The routes of irmin-http, Irmin's own REST server, under /irmin/ (decision 078 has where we differ).

Contents are their bytes, directories and commits Irmin's generic JSON. Nothing is stored under a hash that it does not
have, and nothing that leads to what is not here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final, cast

from starlette.responses import Response

from .. import branch as names
from .. import diff
from ..backend import ANY, RefUpdate
from ..errors import DanglingHash, DecodeError, InvalidHash, MergeConflict
from ..hash import Hash
from ..info import Info
from ..key import KindedHash, hash_of_key
from ..objects import Commit as CommitVal
from ..objects import Kind, Objects
from ..tree import Tree
from .call import Call
from .watches import Following, follow

__all__ = [
    "VERSION",
    "add_blob",
    "add_commit",
    "add_tree",
    "all_names",
    "blob",
    "branch",
    "commit",
    "merge_trees",
    "not_found",
    "remove_branch",
    "set_branch",
    "tree",
    "watch",
]

VERSION: Final = {"x-irminversion": "3.7.2"}


def _answer(text: str | bytes, status: int = 200, media: str = "application/json") -> Response:
    return Response(text, status, {**VERSION, "cache-control": "no-cache"}, media)


def _status(text: str, status: int = 200) -> Response:
    return _answer(json.dumps({"status": text}), status)


def not_found(call: Call) -> Response:
    """What is answered where there is no such thing."""
    return _answer("Not found", 404, "text/plain")


def _show(call: Call, hash_: bytes) -> str:
    return call.repo.schema.codec.show_hash(hash_)


def _told(call: Call) -> Hash | None:
    """The hash in the path, or None where it is none."""
    return call.repo.schema.codec.read_hash(call.target.text(2))


def _branch(call: Call) -> str:
    """The name in the path: the rest of it, with its slashes."""
    return "/".join(call.target.text(at) for at in range(2, len(call.target.segments)))


# -- objects ---------------------------------------------------------------------------------------------------


async def blob(call: Call) -> Response:
    """The contents with a hash."""
    return await call.run(_blob, call)


def _blob(call: Call) -> Response:
    hash_ = _told(call)
    value = None if hash_ is None else call.repo.find_contents(hash_)
    if value is None:
        return not_found(call)
    headers = {**VERSION, "content-disposition": "attachment"}
    return Response(
        call.repo.schema.contents.encode(value), headers=headers, media_type="application/octet-stream"
    )


async def add_blob(call: Call) -> Response:
    """Store contents; their hash. Under /unsafe/ the hash is given, and must be theirs."""
    data = await call.body()
    return await call.run(_add_blob, call, data)


def _add_blob(call: Call, data: bytes) -> Response:
    repo = call.repo
    value = repo.schema.contents.decode(data)
    codec = repo.schema.codec
    hash_ = Hash(codec.digest(codec.encode_contents([data])[0]))
    _require(call, hash_)
    repo.save_contents(value)
    return _added(call, hash_)


def _require(call: Call, hash_: Hash) -> None:
    """InvalidHash if the path names another hash than `hash_`."""
    if len(call.target.segments) == 4:
        wanted = call.hash(call.target.text(3))
        if wanted != hash_:
            raise InvalidHash(_show(call, wanted), f"the value has the hash {_show(call, hash_)}")


def _added(call: Call, hash_: Hash) -> Response:
    return _answer("" if len(call.target.segments) == 4 else _show(call, hash_), media="text/plain")


async def tree(call: Call) -> Response:
    """The entries of the directory with a hash, however it is stored."""
    return await call.run(_tree, call)


def _tree(call: Call) -> Response:
    hash_ = _told(call)
    found = None if hash_ is None else Tree.of_hash(call.repo, KindedHash("node", hash_))
    if found is None:
        return not_found(call)
    entries: list[dict[str, Any]] = []
    for step, child in found.seq(sorted=True):
        kinded = child.kinded_hash()
        shown = _show(call, kinded.hash)
        if kinded.kind == "node":
            entries.append({"Node": {"name": step, "node": shown}})
        elif kinded.metadata is None:
            entries.append({"Contents": {"name": step, "contents": shown}})
        else:
            told = {"metadata": kinded.metadata.hex(), "name": step, "contents": shown}
            entries.append({"Contents_m": told})
    return _answer(json.dumps(entries))


async def add_tree(call: Call) -> Response:
    """Store a directory given by its entries; its hash. What they name must be here."""
    given = await call.json()
    return await call.run(_add_tree, call, given)


def _add_tree(call: Call, given: object) -> Response:
    if not isinstance(given, list):
        raise DecodeError("node", "a list of entries is expected")
    made = call.repo.empty_tree()
    for entry in cast("list[object]", given):
        name, kinded = _entry(call, entry)
        kind = Kind.NODE if kinded.kind == "node" else Kind.CONTENTS
        if call.repo._opened.backend.find_keys(kind, [kinded.hash]) == [None]:
            raise DanglingHash(f"the entry {name!r:.80}", kinded.hash)
        made = made.add_tree((name,), Tree.shallow(call.repo, kinded))
    hash_ = made.hash()
    _require(call, hash_)
    call.repo.save_tree(made)
    return _added(call, hash_)


_FIELDS: Final = {
    "Node": {"name", "node"},
    "Contents": {"name", "contents"},
    "Contents_m": {"metadata", "name", "contents"},
}


def _entry(call: Call, given: object) -> tuple[str, KindedHash]:
    fields = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    case, value = next(iter(fields.items())) if len(fields) == 1 else ("", None)
    wanted = _FIELDS.get(case)
    inner = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if wanted is None or inner.keys() != wanted or not all(isinstance(text, str) for text in inner.values()):
        raise DecodeError("node", "an entry is a Node, Contents or Contents_m with name and hash")
    if case == "Node":
        return inner["name"], KindedHash("node", call.hash(inner["node"]))
    try:
        metadata = bytes.fromhex(inner["metadata"]) if case == "Contents_m" else None
    except ValueError as e:
        raise DecodeError("node", "metadata is hexadecimal digits") from e
    if metadata is not None:
        call.repo.home.decode_metadata(metadata)
    return inner["name"], KindedHash("contents", call.hash(inner["contents"]), metadata)


async def merge_trees(call: Call) -> Response:
    """The merge of two directories and their ancestor, stored; `{"ok": …}` or `{"conflict": …}`."""
    fields = await call.fields("old", "left", "right")
    return await call.run(_merge, call, fields)


def _merge(call: Call, fields: dict[str, Any]) -> Response:
    left, right = (_side(call, fields.get(name)) for name in ("left", "right"))
    old = _side(call, fields["old"]) if "old" in fields else None
    try:
        merged = left.merge(right, old=old)
    except MergeConflict as e:
        return _answer(json.dumps({"conflict": str(e)}))
    if merged.is_empty():
        return _answer(json.dumps({"ok": None}))
    key = call.repo.save_tree(merged)
    return _answer(json.dumps({"ok": {"some": _show(call, hash_of_key(key.key))}}))


def _side(call: Call, given: object) -> Tree[Any, Any]:
    if isinstance(given, dict):  # an option within an option
        inner = cast("dict[str, object]", given)
        if inner.keys() != {"some"}:
            raise DecodeError("merge", "a hash or nothing is expected")
        given = inner["some"]
    if given is None:
        return call.repo.empty_tree()
    hash_ = call.hash(given)
    found = Tree.of_hash(call.repo, KindedHash("node", hash_))
    if found is None:
        raise DanglingHash("a side of the merge", hash_)
    return found


async def commit(call: Call) -> Response:
    """The commit with a hash."""
    return await call.run(_commit, call)


def _commit(call: Call) -> Response:
    hash_ = _told(call)
    found = None if hash_ is None else call.repo.find_commit(hash_)
    if found is None:
        return not_found(call)
    info = found.info
    told = {
        "node": _show(call, found.tree_hash),
        "parents": [_show(call, parent) for parent in found.parents],
        "info": {"date": info.date, "author": info.author, "message": info.message},
    }
    return _answer(json.dumps(told))


async def add_commit(call: Call) -> Response:
    """Store a commit; its hash. Its directory and its parents must be here."""
    fields = await call.fields("node", "parents", "info")
    return await call.run(_add_commit, call, fields)


def _add_commit(call: Call, fields: dict[str, Any]) -> Response:
    parents, info = fields.get("parents"), fields.get("info")
    if not isinstance(parents, list) or not isinstance(info, dict):
        raise DecodeError("commit", "node, parents and info are expected")
    node = call.hash(fields.get("node"))
    root = Tree.of_hash(call.repo, KindedHash("node", node))
    if root is None:
        raise DanglingHash("the directory of the commit", node)
    hashes = [call.hash(parent) for parent in cast("list[object]", parents)]
    # Hashed before it is written: under /unsafe/ it must be the one that was said.
    given = Info.from_json(cast("dict[str, object]", info))
    if len(call.target.segments) == 4:
        codec = call.repo.schema.codec
        val = CommitVal.stored(node, codec.parents(hashes), given)
        _require(call, Hash(codec.digest(codec.encode_commit(val))))
    made = call.repo.commit_tree(root, info=given, parents=hashes)
    return _added(call, made.hash)


# -- branches --------------------------------------------------------------------------------------------------


async def all_names(call: Call) -> Response:
    """The names of all branches."""
    return _answer(json.dumps(await call.run(call.repo.branches)))


async def branch(call: Call) -> Response:
    """The head of a branch."""
    name = _branch(call)
    head = await call.run(call.repo._opened.backend.ref, name) if names.is_valid(name) else None
    return not_found(call) if head is None else _answer(_show(call, head), media="text/plain")


async def set_branch(call: Call) -> Response:
    """`{"v": HASH}` sets a branch, `{"test": …, "set": …}` sets it if it is what the test says."""
    name = names.check(_branch(call))
    fields = await call.fields("v", "test", "set")
    if "v" in fields and len(fields) > 1:
        raise DecodeError("body", "give v, or test and set")
    new, test = (_optional(call, fields.get(field)) for field in ("v" if "v" in fields else "set", "test"))
    if "v" in fields and new is None:
        raise DecodeError("body", "v is a hash; DELETE removes a branch")
    done = await call.run(_set, call, RefUpdate(name, new, ANY if "v" in fields else test))
    if "v" in fields:
        return _status("ok")
    return _status("true") if done else _status("false", 412)


def _set(call: Call, update: RefUpdate) -> bool:
    opened = call.repo._opened
    if update.set is not None and opened.find(update.set) is None:
        raise DanglingHash(f"the branch {update.name}", update.set)
    return opened.backend.write(Objects(), [update])


def _optional(call: Call, given: object) -> Hash | None:
    return None if given is None else call.hash(given)


async def remove_branch(call: Call) -> Response:
    """Remove a branch, whatever its head."""
    name = names.check(_branch(call))
    await call.run(call.repo.remove_branch, name)
    return _status("ok")


# -- watches ---------------------------------------------------------------------------------------------------


async def watch(call: Call) -> Response:
    """An endless JSON array of `{"branch", "diff"}`, of one branch or of all; a POST says what is known."""
    single = call.target.text(1) == "watch"
    name = names.check(_branch(call)) if single else None
    known: dict[str, Hash] | None = None
    if call.method == "POST":
        given = await call.json()
        if name is not None:
            given = [{"branch": name, "commit": given}]
        known = _known(call, given)
    if call.method == "HEAD":
        return _answer("")
    hub = call.service.hub
    await call.run(hub.begin)
    # Who says nothing of what is known is told what comes, from this moment on; everybody else what differs.
    subscriber = hub.subscribe(hub.position() if known is None else None)
    stream = _array(call, follow(call, subscriber), name, known or {})
    headers = {**VERSION, "cache-control": "no-store"}
    return Following(subscriber, stream, headers=headers, media_type="application/json")


def _known(call: Call, given: object) -> dict[str, Hash]:
    if not isinstance(given, list):
        raise DecodeError("watch", "a list of branch and commit is expected")
    found: dict[str, Hash] = {}
    for one in cast("list[object]", given):
        fields = cast("dict[str, object]", one) if isinstance(one, dict) else {}
        if fields.keys() != {"branch", "commit"}:
            raise DecodeError("watch", "a list of branch and commit is expected")
        found[names.check(cast("str", fields["branch"]))] = call.hash(fields["commit"])
    return found


async def _array(
    call: Call, told: AsyncIterator[Any], name: str | None, known: dict[str, Hash]
) -> AsyncIterator[str]:
    yield "["
    seen = {branch: head.hex() for branch, head in known.items()}
    whole = False  # whether a branch that was not seen is absent
    async for refs, _, change in told:
        if refs is not None:
            now = {at: head for at, head in refs.items() if name in (None, at)}
            steps, whole = {**dict.fromkeys(seen), **now}, True
        elif change is None:
            yield "\n"  # white space: a sign of life
            continue
        else:
            at, before = change["branch"], change["before"]
            steps = {at: change["after"]} if name in (None, at) else {}
            if steps and before is not None and not whole:
                seen.setdefault(at, before)
        for at, after in steps.items():
            before = seen.pop(at, None)
            if after is not None:
                seen[at] = after
            step = None if before == after else diff.of(before, after)
            if step is not None:
                shown = step.to_json(lambda text: _show(call, bytes.fromhex(text)))
                yield json.dumps({"branch": at, "diff": shown}) + ","
