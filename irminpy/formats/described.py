"""Irmin's own types as descriptions: hashes, paths, infos, contents. Their forms are what proofs and files are made of.

Source: Irmin 3.7.2, `hash.ml`, `path.ml`, `info.ml`, `contents.ml`; irmin-tezos, `schema.ml`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .. import repr as repr_
from ..errors import DecodeError, InvalidHash
from ..hash import Hash
from ..info import Info
from ..repr import Emit, Type
from . import tezos

__all__ = [
    "INFO",
    "JSON_VALUE",
    "PATH",
    "TEZOS_CONTENTS",
    "TEZOS_HASH",
    "V1_STRING",
    "hash_of_size",
    "v1_hash",
]


def _of_text(read: Callable[[str], bytes | None]) -> Callable[[Any], bytes]:
    def of_json(value: Any) -> bytes:
        found = read(value) if type(value) is str else None
        if found is None:
            raise DecodeError("hash", f"JSON that shows none: {value!r:.80}")
        return found

    return of_json


def _of_hex(size: int) -> Callable[[str], bytes | None]:
    def read(text: str) -> bytes | None:
        try:
            return Hash.of_hex(text, size)
        except InvalidHash:
            return None

    return read


def _hex(value: bytes) -> str:
    return value.hex()


def _bare(value: bytes, out: Emit) -> None:
    out(value)


def hash_of_size(size: int) -> Type[bytes]:
    """`Hash.t`: the bytes, without a header; shown in hexadecimal digits."""
    of_json = _of_text(_of_hex(size))
    return repr_.like(repr_.fixed(size), "hash", hashed=_bare, to_json=_hex, of_json=of_json, shown=_hex)


def v1_hash(size: int) -> Type[bytes]:
    """`Hash.V1(H).t`: the same behind its length in 8 bytes, which is hashed, too."""
    of = repr_.bytes_("int64", "hash")
    return repr_.like(of, "hash", to_json=_hex, of_json=_of_text(_of_hex(size)), shown=_hex)


TEZOS_HASH: Final = repr_.like(
    repr_.fixed(32),
    "hash",
    hashed=_bare,
    to_json=tezos.show_hash,
    of_json=_of_text(tezos.read_hash),
    shown=tezos.show_hash,
)
"""The hash of a Tezos context, shown in base58check."""


def _show_path(path: list[bytes]) -> str:
    return "".join([f"/{step.decode('utf-8', 'surrogateescape')}" for step in path])


PATH: Final = repr_.like(repr_.list_(repr_.string), "path", shown=_show_path)
"""`Path.String_list.t`."""


def _info(value: dict[str, Any]) -> Info:
    return Info(value["date"], value["author"], value["message"])


def _fields(info: Info) -> dict[str, Any]:
    return {"date": info.date, "author": info.author, "message": info.message}


INFO: Final = repr_.mapped(
    repr_.record("info", {"date": repr_.int64, "author": repr_.text, "message": repr_.text}), _info, _fields
)
"""`Info.Default.t`."""

V1_STRING: Final = repr_.like(
    repr_.bytes_("int64"),
    "string",
    boxed=True,
    shown=lambda value: repr_.string.to_json_string(value),
)
"""`Contents.V1.String.t`: its length in 8 bytes is always written."""


def _length_first(value: bytes, out: Emit) -> None:
    out(len(value).to_bytes(8, "big"))
    out(value)


TEZOS_CONTENTS: Final = repr_.like(repr_.string, "string", hashed=_length_first)
"""`Irmin_tezos.Schema.Contents.t`: hashed with its length in 8 bytes, stored as any string."""


class _JsonValue:
    """`Contents.Json_value.t` refers to itself: this is what its parts read and write through."""

    def __init__(self) -> None:
        own: Type[Any] = Type("json", self.emit, self.read, self.to_json, self.of_json)
        self.type = repr_.variant(
            "json",
            {
                "Null": None,
                "Bool": repr_.boolean,
                "String": repr_.string,
                "Float": repr_.float64,
                "O": repr_.list_(repr_.pair(repr_.string, own)),
                "A": repr_.list_(own),
            },
        )

    def emit(self, value: Any, out: Emit) -> None:
        self.type.emit(value, out)

    def read(self, data: bytes, at: int) -> tuple[Any, int]:
        return self.type.read(data, at)

    def to_json(self, value: Any) -> Any:
        return self.type.to_json(value)

    def of_json(self, value: Any) -> Any:
        return self.type.of_json(value)


JSON_VALUE: Final = _JsonValue().type
"""`Contents.Json_value.t`: ("Null", None), ("Bool", …), ("String", bytes), ("Float", …), ("O", pairs), ("A", list).

The descriptions of its parts recurse: nest no deeper than Python does.
"""
