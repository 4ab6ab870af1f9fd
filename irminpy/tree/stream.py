"""Contents as files: how a value that a tree binds is opened, without reading all of it where the backend can."""

from __future__ import annotations

import io
from typing import Any

from ..backend import StreamReader, stream_of
from ..contents import Bytes, Contents, String
from ..errors import DanglingHash, DecodeError
from ..hash import Hash
from ..objects import Kind
from .lazy import Leaf, Pool, RepoSource

__all__ = ["check_plain", "open_contents"]


def check_plain(contents: Contents[Any]) -> None:
    """DecodeError unless values of this type are stored as they are: bytes, or text as its UTF-8."""
    if not isinstance(contents, Bytes | String):
        reason = f"contents of type {contents.id} are not stored as they are; read and set whole values"
        raise DecodeError("stream", reason)


def open_contents(child: bytes | Leaf) -> io.BufferedReader:
    """The bytes of the contents as a file for reading, at its start. Raises as reading them does.

    Cost: what the backend takes to open; without `StreamReader` one read, and the whole value in memory.
    """
    if isinstance(child, bytes):
        return stream_of(child)
    data = child.in_hand
    if data is not None:
        return stream_of(data)
    source = child.source
    if not source.in_memory(child.hash, Kind.CONTENTS):
        word = child.word
        if type(source) is Pool:
            word = word or source.word(Kind.CONTENTS, child.hash)
            source = source.base_repo() or source
        if type(source) is RepoSource and isinstance(source.reader, StreamReader):
            source.counters.contents_find += 1
            stream = source.reader.open_stream(source.key(child.hash, word))
            if stream is None:
                raise DanglingHash("contents", Hash(child.hash))
            return stream
    return stream_of(child.data(cache=False))
