"""Numbers, strings and the like; types of others' encodings."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from struct import Struct
from typing import Any, Final, TypeVar

from ..errors import DecodeError
from .base import INT_BITS, MASK, WIDTHS, Emit, Length, Type, cut, emit_varint, is_dict, read_varint, wrong

__all__ = [
    "boolean",
    "bytes_",
    "char",
    "fixed",
    "float64",
    "get_length",
    "int32",
    "int63",
    "int64",
    "integer",
    "like",
    "mapped",
    "put_length",
    "string",
    "text",
    "unit",
]

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

# -- numbers ---------------------------------------------------------------------------------------------------


def _json_int(value: int) -> int | float:
    # JSON has floats only; above 2^53 Irmin prints what is left of an int in one.
    return value if abs(value) <= 1 << 53 else float(value)


def _int_of_json(name: str, bits: int) -> Callable[[Any], int]:
    def of_json(value: Any) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise wrong(name, value)
        return value

    return of_json


def _check_int(name: str, value: int, bits: int) -> None:
    if type(value) is not int or not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise DecodeError(name, f"no signed number of {bits} bits: {value!r:.80}")


def _integer() -> Type[int]:
    def emit(value: int, out: Emit) -> None:
        _check_int("int", value, INT_BITS)
        emit_varint(value & MASK, out)

    def read(data: bytes, at: int) -> tuple[int, int]:
        n, end = read_varint(data, at)
        return (n - (1 << INT_BITS) if n >> INT_BITS - 1 else n), end

    return Type("int", emit, read, _json_int, _int_of_json("int", INT_BITS), shown=str)


def _big_endian(name: str, size: int, bits: int) -> Type[int]:
    def emit(value: int, out: Emit) -> None:
        _check_int(name, value, bits)
        out(value.to_bytes(size, "big", signed=True))

    def read(data: bytes, at: int) -> tuple[int, int]:
        if at + size > len(data):
            raise cut(name, at)
        value = int.from_bytes(data[at : at + size], "big", signed=True)
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise DecodeError(name, f"more than {bits} bits", at)
        return value, at + size

    return Type(name, emit, read, _json_int, _int_of_json(name, bits), shown=str)


integer: Final = _integer()
"""OCaml's int: 63 bits, as LEB128; a negative one has 9 bytes."""
int32: Final = _big_endian("int32", 4, 32)
int64: Final = _big_endian("int64", 8, 64)
int63: Final = _big_endian("int63", 8, 63)
"""`Optint.Int63`: 8 bytes, unlike `integer`."""


def _float() -> Type[float]:
    layout = Struct(">d")
    nan: float = layout.unpack(bytes.fromhex("7ff0000000000001"))[0]  # as OCaml 4.13 makes it
    names = {"nan": nan, "inf": math.inf, "-inf": -math.inf}

    def read(data: bytes, at: int) -> tuple[float, int]:
        if at + 8 > len(data):
            raise cut("float", at)
        return layout.unpack_from(data, at)[0], at + 8

    def to_json(value: float) -> float | int | str:
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return int(value) if value.is_integer() and abs(value) < 1 << 53 else value

    def of_json(value: Any) -> float:
        if type(value) is str and value in names:
            return names[value]
        if type(value) is int or type(value) is float:
            return float(value)
        raise wrong("float", value)

    def shown(value: float) -> str:
        found = to_json(value)
        # As OCaml's string_of_float, which ends whole numbers with a point.
        return f'"{found}"' if type(found) is str else f"{found}." if type(found) is int else f"{found:.12g}"

    return Type("float", lambda value, out: out(layout.pack(value)), read, to_json, of_json, shown=shown)


float64: Final = _float()
"""IEEE 754 of 64 bits, big-endian. What a NaN is made of depends on the version of OCaml: hash none."""


def _unit() -> Type[None]:
    def of_json(value: Any) -> None:
        if value != {}:
            raise wrong("unit", value)

    return Type(
        "unit", lambda _, __: None, lambda _, at: (None, at), lambda _: {}, of_json, shown=lambda _: ""
    )


def _boolean() -> Type[bool]:
    def read(data: bytes, at: int) -> tuple[bool, int]:
        if at >= len(data):
            raise cut("bool", at)
        if data[at] not in (0, 255):
            raise DecodeError("bool", f"the byte {data[at]:02x} is neither 00 nor ff", at)
        return data[at] == 255, at + 1

    def of_json(value: Any) -> bool:
        if type(value) is not bool:
            raise wrong("bool", value)
        return value

    def shown(value: bool) -> str:
        return str(value).lower()

    return Type("bool", lambda v, out: out(b"\xff" if v else b"\0"), read, lambda v: v, of_json, shown=shown)


unit: Final = _unit()
boolean: Final = _boolean()

# -- strings ---------------------------------------------------------------------------------------------------


def _json_bytes(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _bytes_of_json(value: Any) -> bytes:
    if type(value) is str:
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise wrong("string", value) from None
    if is_dict(value) and list(value) == ["base64"]:
        coded = value["base64"]
        if type(coded) is str:
            try:
                return base64.b64decode(coded.encode("ascii"), validate=True)
            except (binascii.Error, UnicodeEncodeError):
                pass
    raise wrong("string", value)


def _shown_bytes(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _char() -> Type[bytes]:
    def emit(value: bytes, out: Emit) -> None:
        if len(value) != 1:
            raise DecodeError("char", f"{len(value)} bytes, not 1")
        out(value)

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        if at >= len(data):
            raise cut("char", at)
        return data[at : at + 1], at + 1

    def of_json(value: Any) -> bytes:
        found = _bytes_of_json(value)
        if len(found) != 1:
            raise wrong("char", value)
        return found

    return Type("char", emit, read, _json_bytes, of_json, shown=_shown_bytes)


char: Final = _char()
"""One byte."""


def put_length(name: str, length: Length, n: int, out: Emit) -> None:
    """Hand the length `n` over, written as `length`; DecodeError if it does not fit."""
    if length == "int":
        emit_varint(n, out)
        return
    if type(length) is int:
        if n != length:
            raise DecodeError(name, f"a length of {n} where {length} is fixed")
        return
    try:
        out(n.to_bytes(WIDTHS[length], "big"))
    except OverflowError:
        raise DecodeError(name, f"a length of {n} does not fit into {length}") from None


def get_length(name: str, length: Length, data: bytes, at: int) -> tuple[int, int]:
    """(length, where it ends)."""
    if length == "int":
        return read_varint(data, at)
    if type(length) is int:
        return length, at
    width = WIDTHS[length]
    if at + width > len(data):
        raise cut(name, at)
    return int.from_bytes(data[at : at + width], "big"), at + width


def bytes_(length: Length = "int", name: str = "string") -> Type[bytes]:
    """A string of bytes whose length is written as `length` where it is a part of something."""

    def emit(value: bytes, out: Emit) -> None:
        put_length(name, length, len(value), out)
        out(value)

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        n, start = get_length(name, length, data, at)
        end = start + n
        if end > len(data):
            raise cut(name, at)
        return data[start:end], end

    def of_bare(data: bytes) -> bytes:
        if type(length) is int and len(data) != length:
            raise DecodeError(name, f"{len(data)} bytes, not {length}")
        return data

    return Type(
        name, emit, read, _json_bytes, _bytes_of_json, bare=of_bare, of_bare=of_bare, shown=_shown_bytes
    )


string: Final = bytes_()
"""OCaml's string and bytes: any bytes. JSON shows those that are not UTF-8 in base64."""


def fixed(size: int, name: str = "string") -> Type[bytes]:
    """A string of exactly `size` bytes, without a header."""
    return bytes_(size, name)


def mapped(of: Type[U], into: Callable[[U], V], back: Callable[[V], U], name: str | None = None) -> Type[V]:
    """The type with the encodings of `of` for values that `into` makes; `into` may raise DecodeError."""

    def read(data: bytes, at: int) -> tuple[V, int]:
        value, end = of.read(data, at)
        return into(value), end

    bare, of_bare, hashed, shown = of.bare, of.of_bare, of.hashed, of.shown
    return Type(
        of.name if name is None else name,
        lambda value, out: of.emit(back(value), out),
        read,
        lambda value: of.to_json(back(value)),
        lambda value: into(of.of_json(value)),
        None if bare is None else lambda value: bare(back(value)),
        None if of_bare is None else lambda data: into(of_bare(data)),
        None if hashed is None else lambda value, out: hashed(back(value), out),
        None if shown is None else lambda value: shown(back(value)),
    )


def _text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


text: Final = mapped(string, _text_of, lambda value: value.encode("utf-8", "surrogateescape"))
"""`string` as a str, in which bytes that are not UTF-8 are surrogate escapes."""


def like(
    of: Type[T],
    name: str,
    *,
    hashed: Callable[[T, Emit], object] | None = None,
    boxed: bool = False,
    to_json: Callable[[T], Any] | None = None,
    of_json: Callable[[Any], T] | None = None,
    shown: Callable[[T], str] | None = None,
) -> Type[T]:
    """`of` with something of its own. Unless `hashed` is given the boxed encoding is hashed: so it is with Irmin's
    `like`. `boxed`: no unboxed form.
    """
    return Type(
        name,
        of.emit,
        of.read,
        of.to_json if to_json is None else to_json,
        of.of_json if of_json is None else of_json,
        None if boxed else of.bare,
        None if boxed else of.of_bare,
        of.emit if hashed is None else hashed,
        of.shown if shown is None else shown,
    )
