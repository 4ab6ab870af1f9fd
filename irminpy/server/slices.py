"""Slices: a part of a history with its objects, in and out, as docs/formats/slice.md has it."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast

from starlette.responses import Response, StreamingResponse

from ..slice import Slice
from ..slice_stream import Limits as SliceLimits
from .call import Call, answer_json
from .limits import MIB
from .target import number
from .trees import file_pieces

__all__ = ["SLICE", "get_slice", "put_slice"]

SLICE = "application/vnd.irmin.slice"


async def get_slice(call: Call) -> Response:
    """The commits from a revision down to `min`, at most `depth` parents away, with their trees."""
    call.target.known("depth", "min")
    return await call.run(_get, call)


def _get(call: Call) -> Response:
    target = call.target
    commit = call.commit(target.text(1))
    depth = target.parameter("depth")
    far = None if depth is None else number(depth, "depth", 0, 1 << 30)
    least = [call.commit(revision) for revision in target.parameters("min")[: call.limits.paths]]
    found = call.repo.export(depth=far, min=least, max=[commit])
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=MIB))  # noqa: SIM115 (the answer closes it)
    found.write(file)
    size = file.tell()
    file.seek(0)
    return StreamingResponse(file_pieces(file), headers={"content-length": str(size)}, media_type=SLICE)


async def put_slice(call: Call) -> Response:
    """Write what the store lacks of a slice, after all of it was checked. No branch moves."""
    call.target.known("shallow")
    with await call.spooled() as file:
        return await call.run(_put, call, file)


def _put(call: Call, file: BinaryIO) -> Response:
    most = SliceLimits(total=call.limits.upload, object=call.limits.upload)
    found = Slice.read(file, call.repo.schema, most)
    written = call.repo.import_(found, shallow=call.target.parameter("shallow") == "1")
    return answer_json({"objects": written, "heads": [head.hex() for head in found.heads]})
