"""What a description of a type is, and the two functions below all of them: varints and OCaml's hash of strings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, Generic, Literal, TypeGuard, TypeVar

from ..errors import DecodeError

__all__ = [
    "INT_BITS",
    "MASK",
    "WIDTHS",
    "Emit",
    "Length",
    "Type",
    "cut",
    "emit_varint",
    "is_dict",
    "is_list",
    "read_varint",
    "seeded_hash",
    "varint",
    "wrong",
]

T = TypeVar("T")

Length = Literal["int", "int8", "int16", "int32", "int64"] | int
"""How the length of a string or list is written: LEB128, big-endian in 1 to 8 bytes, or not at all: it is fixed."""

Emit = Callable[[bytes], object]
"""Takes the pieces of an encoding, one by one. `Type.short_hash` depends on where one ends."""

INT_BITS: Final = 63
"""Bits of an OCaml int."""
MASK: Final = (1 << INT_BITS) - 1
WIDTHS: Final[dict[Length, int]] = {"int8": 1, "int16": 2, "int32": 4, "int64": 8}
"""Bytes of a length of fixed width."""
_SHORT: Final = [bytes([n]) for n in range(256)]


def varint(n: int) -> bytes:
    """`n`, at least 0, as LEB128: 7 bits a byte, the lowest first, the top bit set on all but the last."""
    if n < 128:
        return _SHORT[n]
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def emit_varint(n: int, out: Emit) -> None:
    """Hand `varint(n)` over: each byte is a piece of its own."""
    for byte in varint(n):
        out(_SHORT[byte])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends) of the LEB128 at `at`.

    DecodeError if it is cut off, longer than it need be, or over 63 bits.
    """
    n = shift = 0
    start = at
    while True:
        if at >= len(data):
            raise DecodeError("varint", "the bytes end within it", start)
        byte = data[at]
        at += 1
        n |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
        if shift > INT_BITS:
            raise DecodeError("varint", "it has more than 9 bytes", start)
    if not byte and at - start > 1:
        raise DecodeError("varint", "it ends with a zero byte that says nothing", start)
    if n > MASK:
        raise DecodeError("varint", f"it has more than {INT_BITS} bits", start)
    return n, at


def seeded_hash(seed: int, data: bytes) -> int:
    """OCaml's `Hashtbl.seeded_hash seed data` of a string: 30 bits.

    MurmurHash3 of 32 bits whose last, short word is mixed like the others, with the length mixed in at the end
    (OCaml's `caml_hash_mix_string` and `FINAL_MIX`).
    """
    h = seed & 0xFFFFFFFF
    n = len(data)
    whole = n & ~3
    for word in Struct(f"<{whole >> 2}I").unpack(data[:whole]):
        k = word * 0xCC9E2D51 & 0xFFFFFFFF
        k = (k << 15 | k >> 17) * 0x1B873593 & 0xFFFFFFFF
        h ^= k
        h = (h << 13 | h >> 19) * 5 + 0xE6546B64 & 0xFFFFFFFF
    if n & 3:
        k = int.from_bytes(data[whole:], "little") * 0xCC9E2D51 & 0xFFFFFFFF
        k = (k << 15 | k >> 17) * 0x1B873593 & 0xFFFFFFFF
        h ^= k
        h = (h << 13 | h >> 19) * 5 + 0xE6546B64 & 0xFFFFFFFF
    h ^= n
    h ^= h >> 16
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> 13
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    h ^= h >> 16
    return h & 0x3FFFFFFF


@dataclass(frozen=True, slots=True)
class Type(Generic[T]):
    """A description of a type whose values are `T` in Python."""

    name: str
    emit: Callable[[T, Emit], object]
    """Hands the boxed encoding over, in pieces."""
    read: Callable[[bytes, int], tuple[T, int]]
    """(value, where it ends) of the boxed encoding at a position; DecodeError for anything else."""
    to_json: Callable[[T], Any]
    """The value as plain JSON: dict, list, str, int, float, bool, None."""
    of_json: Callable[[Any], T]
    """The inverse of `to_json`; DecodeError for what it would not give."""
    bare: Callable[[T], bytes] | None = None
    """The unboxed encoding, for types that have one."""
    of_bare: Callable[[bytes], T] | None = None
    hashed: Callable[[T, Emit], object] | None = None
    """Hands over what is hashed, where that is neither `bare` nor `emit`."""
    shown: Callable[[T], str] | None = None
    """The text, where it is not the JSON."""

    def encode(self, value: T) -> bytes:
        """The boxed encoding, as a part of something else."""
        pieces: list[bytes] = []
        self.emit(value, pieces.append)
        return b"".join(pieces)

    def decode(self, data: bytes) -> T:
        """The value whose boxed encoding is all of `data`."""
        value, end = self.read(data, 0)
        if end != len(data):
            raise DecodeError(self.name, f"{len(data) - end} bytes too many", end)
        return value

    def to_bin(self, value: T) -> bytes:
        """The encoding of the whole value (`Type.to_bin_string`): unboxed, if there is such a form."""
        return self.encode(value) if self.bare is None else self.bare(value)

    def of_bin(self, data: bytes) -> T:
        """The inverse of `to_bin`; DecodeError for what it would not give."""
        return self.decode(data) if self.of_bare is None else self.of_bare(data)

    def pre_hash(self, value: T) -> bytes:
        """What is hashed (`Type.pre_hash`)."""
        return b"".join(self._hashed(value))

    def _hashed(self, value: T) -> list[bytes]:
        pieces: list[bytes] = []
        if self.hashed is not None:
            self.hashed(value, pieces.append)
        elif self.bare is not None:
            pieces.append(self.bare(value))
        else:
            self.emit(value, pieces.append)
        return pieces

    def size_of(self, value: T) -> int:
        """Bytes of the boxed encoding."""
        return len(self.encode(value))

    def short_hash(self, value: T, seed: int = 0) -> int:
        """`Type.short_hash`: `seeded_hash` of each piece that is hashed, seeded with that of the one before."""
        for piece in self._hashed(value):
            seed = seeded_hash(seed, piece)
        return seed

    def to_json_string(self, value: T) -> str:
        """The JSON as Irmin prints it: no spaces, UTF-8 as it is."""
        return json.dumps(self.to_json(value), separators=(",", ":"), ensure_ascii=False)

    def to_string(self, value: T) -> str:
        """`Type.to_string`: plain for strings, numbers and hashes, else the JSON."""
        return self.to_json_string(value) if self.shown is None else self.shown(value)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether `value` is a list."""
    return type(value) is list


def is_dict(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether `value` is a dict, as JSON has them."""
    return type(value) is dict


def wrong(name: str, value: object) -> DecodeError:
    """What is raised for JSON that describes no such value."""
    return DecodeError(name, f"JSON of another type: {value!r:.80}")


def cut(name: str, at: int) -> DecodeError:
    """What is raised where the bytes end too early."""
    return DecodeError(name, "the bytes end within it", at)
