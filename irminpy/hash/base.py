"""What a hash and a function that makes hashes are; and the default function."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Protocol, runtime_checkable

from blake3 import blake3

from irminpy import core
from irminpy.errors import InvalidHash
from irminpy.fields import Frozen, frozen

# Those of one size; of BLAKE2 each size has a name.
NAMES = ("blake3-256", "sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160")


class Hash(bytes):
    """The bytes of a hash: equal to plain bytes, printed as hexadecimal digits."""

    __slots__ = ()

    @staticmethod
    def of_bytes(data: bytes, size: int | None = None) -> Hash:
        """The hash whose bytes are `data`; InvalidHash if they are not `size` bytes."""
        if not isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a hash is made of bytes, not {type(data).__name__}")
        if size is not None and len(data) != size:
            raise InvalidHash(data, f"it has {len(data)} bytes, {size} are expected")
        return Hash(data)

    @staticmethod
    def of_hex(text: str, size: int | None = None) -> Hash:
        """The hash that prints as `text`; InvalidHash if that is not hexadecimal digits of `size` bytes."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"hexadecimal digits are a str, not {type(text).__name__}")
        try:
            data = bytes.fromhex(text)
        except ValueError as cause:
            raise InvalidHash(text, "it is not an even number of hexadecimal digits") from cause
        if 2 * len(data) != len(text):
            raise InvalidHash(text, "there is white space between its digits")
        return Hash.of_bytes(data, size)

    @staticmethod
    def from_json(obj: object, size: int | None = None) -> Hash:
        """The hash that `to_json` turned into `obj`; InvalidHash if it is not the JSON form of one."""
        if not isinstance(obj, str):
            raise InvalidHash(brief(obj), "its JSON form is a string")
        return Hash.of_hex(obj, size)

    def to_json(self) -> str:
        """The hexadecimal digits of this hash."""
        return self.hex()

    def short(self, n: int = 10) -> str:
        """The first `n` hexadecimal digits."""
        return self.hex()[:n]

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"Hash({self.short()})"


@runtime_checkable
class HashFunction(Protocol):
    """What a schema asks of a hash function: that it is pure, and that no other has its `name`."""

    @property
    def name(self) -> str:
        """The name that stores and proofs record, such as "blake3-256"."""
        ...

    @property
    def size(self) -> int:
        """How many bytes a digest has."""
        ...

    def digest(self, data: bytes, /) -> bytes:
        """The `size` bytes that `data` hashes to."""
        ...

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        ...


class Running(Protocol):
    """A digest under way."""

    def update(self, data: bytes, /) -> object:
        """Take in `data`, after what was taken in before."""
        ...

    def digest(self) -> bytes:
        """The digest of all that was taken in."""
        ...


@runtime_checkable
class Incremental(Protocol):
    """A hash function that takes its input piece by piece; all built-in ones do."""

    def start(self) -> Running:
        """A digest of nothing so far; what it becomes is what `digest` gives for all pieces joined."""
        ...


@frozen
class BLAKE3(Frozen):
    """BLAKE3 with 32 bytes, the default of the native format."""

    __slots__ = ("name", "size")

    name: str
    size: int

    def __init__(self) -> None:
        self._set("blake3-256", 32)

    def start(self) -> Running:
        """A digest of nothing so far."""
        return blake3()

    digest = staticmethod(core.digest)
    """The 32 bytes that the data hashes to."""

    digest_many = staticmethod(core.digest_many)
    """The digest of each item, in order."""


class _Gathered:
    """The digest under way of a function that wants its input in one piece."""

    __slots__ = ("_function", "_parts")

    def __init__(self, function: HashFunction) -> None:
        self._function = function
        self._parts: list[bytes] = []

    def update(self, data: bytes, /) -> None:
        """Keep `data`."""
        self._parts.append(bytes(data))

    def digest(self) -> bytes:
        """The digest of all that was kept."""
        self._parts = [b"".join(self._parts)]
        return self._function.digest(self._parts[0])


def running(function: HashFunction) -> Running:
    """A digest of nothing so far, by `function`.

    Where the function is not `Incremental`, as with `Own`, all input is kept in memory until `digest`.
    """
    return function.start() if isinstance(function, Incremental) else _Gathered(function)


def short_hash(hash: bytes) -> int:
    """The first eight bytes of `hash`, little-endian, as a native OCaml integer: the low 63 bits, signed."""
    low = int.from_bytes(hash[:8], "little") & 0x7FFF_FFFF_FFFF_FFFF
    return low - (1 << 63) if low >> 62 else low
