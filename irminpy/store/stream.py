"""Writing contents from a file, piece by piece: what a store does before it binds them."""

from __future__ import annotations

import codecs
from typing import Any, cast

from ..backend import Readable, Streams
from ..commit import Opened
from ..contents import String
from ..errors import DecodeError
from ..key import KindedKey
from ..tree import Tree
from ..tree.stream import check_plain
from ..types import C, M

__all__ = ["put_stream"]

_PIECE = 1 << 20


def put_stream(opened: Opened[C, M], file: Readable, metadata: M | None) -> Tree[C, M]:
    """The tree that is the contents with all bytes of `file`, written, and bound nowhere yet.

    Raises DecodeError for a type of contents that is not stored as it is, or for bytes that are not of it,
    TypeError for what is no binary file, ReadOnly, and whatever `file` raises.
    """
    opened.check()
    home = opened.home
    check_plain(home.schema.contents)
    encoded = home.encode_metadata(metadata)
    checked = _Checked(file, text=isinstance(home.schema.contents, String))
    backend = opened.backend
    if isinstance(backend, Streams):
        key = backend.put_stream(checked)
        home.counters.contents_add += 1
    else:
        key = opened.save_contents(b"".join(iter(lambda: checked.read(_PIECE), b"")))
    return Tree.shallow(opened, KindedKey("contents", key, encoded))


class _Checked:
    """The bytes of `file`, and nothing but bytes; with `text`, DecodeError where they stop being UTF-8."""

    __slots__ = ("_at", "_decoder", "_file")

    def __init__(self, file: Readable, *, text: bool) -> None:
        if not callable(getattr(file, "read", None)):
            raise TypeError(f"a file opened for reading is expected, not {type(file).__name__}")
        self._file: Any = file  # it may give anything
        self._at = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")() if text else None

    def read(self, size: int, /) -> bytes:
        """About `size` bytes; none only at the end."""
        data = self._file.read(size)
        if data is None:
            raise TypeError("the file has no bytes at hand and does not wait for them; make it blocking")
        if not isinstance(data, bytes | bytearray | memoryview):
            hint = "; open it in binary mode" if isinstance(data, str) else ""
            raise TypeError(f"the file gave {type(data).__name__}, not bytes{hint}")
        found = bytes(cast("bytes", data))
        if self._decoder is not None:
            held = len(self._decoder.getstate()[0])
            try:
                self._decoder.decode(found, not found)
            except UnicodeDecodeError as cause:
                raise DecodeError("string/1", "it is not UTF-8", self._at - held + cause.start) from cause
            self._at += len(found)
        return found
