"""Trees read: a value is its bytes, a directory a page of its entries; nothing of either is ever run by a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from starlette.responses import Response, StreamingResponse

from ..contents import Bytes, String
from ..errors import NotFound
from ..path import join
from ..tree import Tree
from . import values
from .call import IMMUTABLE, Call, answer_json, tag_of
from .problem import Refused
from .target import number

__all__ = ["file_pieces", "pieces", "read_tree"]

_PIECE = 1 << 16
_ATTACHED = {
    # Whatever a value holds, a browser saves it and shows none of it.
    "content-type": "application/octet-stream",
    "content-disposition": "attachment",
}


async def read_tree(call: Call) -> Response:
    """What is at a path: bytes of a value, a page of a directory; as JSON in the twin."""
    call.target.known("offset", "length")
    return await call.run(_read, call)


def _read(call: Call) -> Response:
    revision, path = call.target.text(1), call.target.path(2)
    found = call.commit(revision).tree().find_tree(path)
    if found is None:
        raise NotFound("path", join(path))
    kinded = found.kinded_hash()
    tag = tag_of(kinded.hash + (kinded.metadata or b""))
    forever = call.settled(revision)
    if call.seen(tag):
        return Response(status_code=304, headers={"etag": tag})
    if kinded.kind == "node":
        return answer_json(_page(call, found), tag=tag, forever=forever)
    if call.twin:
        _check_size(call, found)
        told: dict[str, Any] = {**kinded.to_json(), "kind": "contents", "hash": kinded.hash.hex()}
        del told["contents"]
        return answer_json(
            {**told, **values.to_json(call.repo.schema, found.get())}, tag=tag, forever=forever
        )
    headers = {**_ATTACHED, "etag": tag, "cache-control": IMMUTABLE if forever else "no-cache"}
    return _value(call, found, headers)


def _check_size(call: Call, found: Tree[Any, Any]) -> None:
    """413 for a value that is too large to be held in memory as JSON."""
    contents, most = call.repo.schema.contents, call.limits.answer
    if isinstance(contents, Bytes | String):
        with found.open_stream() as file:
            size = file.seek(0, 2)
    else:
        size = len(contents.encode(found.get()))
    if size > most:
        raise Refused(413, "answer", f"a value in JSON has at most {most} bytes; /trees gives it as it is")


def _page(call: Call, directory: Tree[Any, Any]) -> dict[str, Any]:
    limit = call.limits.page
    offset = number(call.target.parameter("offset"), "offset", 0, 1 << 62)
    length = number(call.target.parameter("length"), "length", min(100, limit), limit)
    entries: list[dict[str, Any]] = []
    for step, child in directory.list(offset=offset, length=length):
        kinded = child.kinded_hash()
        entries.append({"step": step, "kind": kinded.kind, "hash": kinded.hash.hex()})
    return {
        "kind": "node",
        "hash": directory.kinded_hash().hash.hex(),
        "length": directory.length(),
        "offset": offset,
        "entries": entries,
    }


def _value(call: Call, found: Tree[Any, Any], headers: dict[str, str]) -> Response:
    contents = call.repo.schema.contents
    if not isinstance(contents, Bytes | String):
        return Response(contents.encode(found.get()), headers=headers)
    file = found.open_stream()
    size = file.seek(0, 2)
    file.seek(0)
    if size <= _PIECE:
        with file:
            return Response(file.read(), headers=headers)
    return StreamingResponse(file_pieces(file), headers={**headers, "content-length": str(size)})


def file_pieces(file: BinaryIO) -> Iterator[bytes]:
    """All that is in `file`, piece by piece; it is closed at the end."""
    with file:
        while piece := file.read(_PIECE):
            yield piece


def pieces(data: memoryview) -> Iterator[bytes]:
    """`data`, piece by piece: an answer is never copied as a whole."""
    for at in range(0, len(data), _PIECE):
        yield bytes(data[at : at + _PIECE])
