"""Proofs: what a reader who trusts a root needs to check an answer himself, within bounds."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from ..errors import BadProof, DecodeError
from ..key import KindedHash
from ..proof.jobs import Absence, Page, Read
from ..tree import Tree
from .call import IMMUTABLE, Call, tag_of
from .problem import Refused
from .target import number

__all__ = ["PROOF", "prove"]

PROOF = "application/vnd.irmin.proof+msgpack"

Job = Read | Absence | Page


async def prove(call: Call) -> Response:
    """The proof of a read of `path`, of its absence, or of a page of a directory; `stream=1` for a stream proof."""
    call.target.known("path", "job", "offset", "length", "stream")
    job = _job(call)
    return await call.run(_prove, call, job)


def _job(call: Call) -> Job:
    target, limit = call.target, call.limits
    paths = target.parameters("path")
    if len(paths) > limit.paths:
        raise Refused(413, "proof", f"{len(paths)} paths at once, and {limit.paths} are allowed")
    for path in paths:
        if path.count("/") > limit.steps:
            raise Refused(414, "proof", f"a path has at most {limit.steps} steps")
    name = target.parameter("job") or "read"
    if name == "page":
        if len(paths) != 1:
            raise DecodeError("proof", "a page is of one path")
        offset = number(target.parameter("offset"), "offset", 0, 1 << 62)
        return Page(paths[0], offset, number(target.parameter("length"), "length", 100, limit.page))
    if name not in ("read", "absence"):
        raise DecodeError("proof", f"the jobs are read, absence and page, not {name!r:.40}")
    if not paths:
        raise DecodeError("proof", "name a path: ?path=a/b")
    return Read(paths) if name == "read" else Absence(paths)


def _bounded(call: Call, job: Job) -> Any:
    """`job`, ended as soon as the values that it reads are more than a proof may hold."""
    if not isinstance(job, Read):
        return job
    encode, most = call.repo.schema.contents.encode, call.limits.proof.total

    def run(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], None]:
        size = 0
        for path in job.paths:
            value = tree.find(path)
            size += 0 if value is None else len(encode(value))
            if size > most:
                raise BadProof(f"the values have more than {most} bytes: prove less at once")
        return tree, None

    return run


def _prove(call: Call, job: Job) -> Response:
    repo, revision = call.repo, call.target.text(1)
    root = _root(call, revision)
    stream = call.target.parameter("stream") == "1"
    make = repo.produce_stream if stream else repo.produce_proof
    proof, _ = make(root, _bounded(call, job), call.limits.proof)
    forever = call.settled(revision)
    headers = {
        "cache-control": IMMUTABLE if forever else "no-cache",
        "irmin-root": tag_of(root.hash).strip('"'),
    }
    if call.wants_json():
        return Response(json.dumps(proof.to_json()).encode(), headers=headers, media_type="application/json")
    return Response(proof.to_bytes(), headers=headers, media_type=PROOF)


def _root(call: Call, revision: str) -> KindedHash:
    """The root of the commit `revision`, or the directory with that hash."""
    hash_ = call.repo.schema.codec.read_hash(revision)
    if hash_ is not None and call.repo.find_commit(hash_) is None:
        return KindedHash("node", hash_)
    return KindedHash("node", call.commit(revision).tree_hash)
