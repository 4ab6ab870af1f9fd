"""Objects by their hashes: what the client's backend reads and writes, many at once."""

from __future__ import annotations

from starlette.responses import Response, StreamingResponse

from ..errors import DecodeError, InvalidHash, NotFound
from ..hash import Hash
from ..objects import Kind
from ..remote import Local
from ..store.stream import put_stream
from ..wire import MEDIA, Batch, History, Question, pack_answers, pack_flags
from .call import IMMUTABLE, Call, answer_json, tag_of
from .trees import pieces

__all__ = ["history", "missing", "put_contents", "read_object", "read_objects", "write_objects"]

_KINDS = {"contents": Kind.CONTENTS, "node": Kind.NODE, "commit": Kind.COMMIT}
_OCTETS = "application/octet-stream"


def _local(call: Call) -> Local:
    return Local(call.repo._opened, "the store")


async def read_object(call: Call) -> Response:
    """The canonical bytes of one object."""
    call.target.known()
    kind = _KINDS.get(call.target.text(1))
    if kind is None:
        raise NotFound("kind of objects", call.target.text(1))
    hash_ = call.hash(call.target.text(2))
    return await call.run(_read, call, kind, hash_)


def _read(call: Call, kind: Kind, hash_: Hash) -> Response:
    backend = call.repo._opened.backend
    data = backend.read(kind, hash_)
    if data is None:
        raise NotFound(f"{kind.name.lower()} object", hash_.hex())
    headers = {"etag": tag_of(hash_), "cache-control": IMMUTABLE, "content-disposition": "attachment"}
    if call.seen(tag_of(hash_)):
        return Response(status_code=304, headers=headers)
    if len(data) <= call.limits.answer:
        return Response(data, headers=headers, media_type=_OCTETS)
    headers["content-length"] = str(len(data))
    return StreamingResponse(pieces(memoryview(data)), headers=headers, media_type=_OCTETS)


async def read_objects(call: Call) -> Response:
    """Many objects of one kind, in order, up to a number of bytes."""
    call.target.known()
    question = Question.from_bytes(await call.body(), call.repo.schema.codec.hash_size)
    return await call.run(_read_many, call, question)


def _read_many(call: Call, question: Question) -> Response:
    if not question.hashes:
        return Response(pack_answers([]), media_type=MEDIA)
    found = _local(call).objects(question.kind, question.hashes, call.limits.answer)
    return Response(pack_answers(found), media_type=MEDIA)


async def missing(call: Call) -> Response:
    """Which of many objects the store lacks."""
    call.target.known()
    question = Question.from_bytes(await call.body(), call.repo.schema.codec.hash_size)
    lacks = await call.run(_local(call).lacks, question.kind, question.hashes)
    return Response(pack_flags(lacks), media_type=_OCTETS)


async def history(call: Call) -> Response:
    """Commits and those behind them, the nearest first."""
    call.target.known()
    asked = History.from_bytes(await call.body(), call.repo.schema.codec.hash_size)
    found = await call.run(_local(call).history, asked.starts, asked.n, call.limits.answer)
    return Response(pack_answers(found), media_type=MEDIA)


async def write_objects(call: Call) -> Response:
    """Objects and refs, all or nothing; each object is hashed and checked, and what it leads to must be here."""
    call.target.known()
    return await call.run(_write, call, await call.body())


def _write(call: Call, body: bytes) -> Response:
    codec = call.repo.schema.codec
    batch = Batch.from_bytes(body, codec.hash_size, codec.digest_many)
    done = _local(call).receive(batch.objects, batch.updates, shallow=batch.shallow)
    return answer_json({"done": done})


async def put_contents(call: Call) -> Response:
    """One value of any length, by the hash that it must have; nothing leads to it yet."""
    call.target.known()
    wanted = call.hash(call.target.text(2))
    if call.target.text(1) != "contents":
        raise DecodeError("object", "only contents are put one by one")
    with await call.spooled(call.limits.upload) as file:
        found = await call.run(put_stream, call.repo._opened, file, None)
    if found.hash() != wanted:
        raise InvalidHash(found.hash(), f"the value has this hash, and {wanted.hex()} was said")
    return answer_json({"hash": wanted.hex()}, 201)
