"""Slices: a part of a history with its objects, in and out, as docs/formats/slice.md has it."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast

from starlette.responses import Response, StreamingResponse

from ..slice_files import read_slice, write_slice
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
    # Through a file: whoever takes the answer slowly keeps no object from being dropped, and what is wrong is told.
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=MIB))  # noqa: SIM115 (the answer closes it)
    try:
        size = write_slice(call.repo, file, depth=far, min=least, max=[commit]).bytes
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return StreamingResponse(file_pieces(file), headers={"content-length": str(size)}, media_type=SLICE)


async def put_slice(call: Call) -> Response:
    """Write what the store lacks of a slice, after its digest was checked. No branch moves."""
    call.target.known("shallow")
    with await call.spooled(call.limits.upload) as file:
        return await call.run(_put, call, file)


def _put(call: Call, file: BinaryIO) -> Response:
    most = SliceLimits(total=call.limits.upload, object=call.limits.upload)
    taken = read_slice(call.repo, file, limits=most, shallow=call.target.parameter("shallow") == "1")
    return answer_json({"objects": taken.objects, "heads": [head.hex() for head in taken.heads]})
