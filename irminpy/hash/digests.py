"""The other built-in hash functions: BLAKE2, the SHA family, RIPEMD-160."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from irminpy.errors import InvalidHash

from .base import Running


@dataclass(frozen=True, slots=True)
class BLAKE2B:
    """BLAKE2b with `size` bytes, 1 to 64; the default of Irmin. InvalidHash for another size."""

    size: int = 64
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _blake2_name("blake2b", self.size, 64))

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.blake2b(digest_size=self.size)

    def digest(self, data: bytes, /) -> bytes:
        """The `size` bytes that `data` hashes to."""
        return hashlib.blake2b(data, digest_size=self.size).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        size = self.size
        return [hashlib.blake2b(data, digest_size=size).digest() for data in items]


@dataclass(frozen=True, slots=True)
class BLAKE2S:
    """BLAKE2s with `size` bytes, 1 to 32. InvalidHash for another size."""

    size: int = 32
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _blake2_name("blake2s", self.size, 32))

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.blake2s(digest_size=self.size)

    def digest(self, data: bytes, /) -> bytes:
        """The `size` bytes that `data` hashes to."""
        return hashlib.blake2s(data, digest_size=self.size).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        size = self.size
        return [hashlib.blake2s(data, digest_size=size).digest() for data in items]


def _blake2_name(family: str, size: int, most: int) -> str:
    if type(size) is not int:
        raise TypeError(f"a digest size is an int, not {type(size).__name__}")
    if not 1 <= size <= most:
        raise InvalidHash(f"{family}-{8 * size}", f"a digest of {family} has 1 to {most} bytes")
    return f"{family}-{8 * size}"


@dataclass(frozen=True, slots=True)
class SHA1:
    """SHA-1, 20 bytes: what Git uses. Collisions can be made; do not trust it against an attacker."""

    name: str = field(default="sha1", init=False)
    size: int = field(default=20, init=False)

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.sha1(usedforsecurity=False)

    def digest(self, data: bytes, /) -> bytes:
        """The 20 bytes that `data` hashes to."""
        return hashlib.sha1(data, usedforsecurity=False).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        return [hashlib.sha1(data, usedforsecurity=False).digest() for data in items]


@dataclass(frozen=True, slots=True)
class SHA224:
    """SHA-224, 28 bytes."""

    name: str = field(default="sha224", init=False)
    size: int = field(default=28, init=False)

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.sha224()

    def digest(self, data: bytes, /) -> bytes:
        """The 28 bytes that `data` hashes to."""
        return hashlib.sha224(data).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        return [hashlib.sha224(data).digest() for data in items]


@dataclass(frozen=True, slots=True)
class SHA256:
    """SHA-256, 32 bytes."""

    name: str = field(default="sha256", init=False)
    size: int = field(default=32, init=False)

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.sha256()

    def digest(self, data: bytes, /) -> bytes:
        """The 32 bytes that `data` hashes to."""
        return hashlib.sha256(data).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        return [hashlib.sha256(data).digest() for data in items]


@dataclass(frozen=True, slots=True)
class SHA384:
    """SHA-384, 48 bytes."""

    name: str = field(default="sha384", init=False)
    size: int = field(default=48, init=False)

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.sha384()

    def digest(self, data: bytes, /) -> bytes:
        """The 48 bytes that `data` hashes to."""
        return hashlib.sha384(data).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        return [hashlib.sha384(data).digest() for data in items]


@dataclass(frozen=True, slots=True)
class SHA512:
    """SHA-512, 64 bytes."""

    name: str = field(default="sha512", init=False)
    size: int = field(default=64, init=False)

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.sha512()

    def digest(self, data: bytes, /) -> bytes:
        """The 64 bytes that `data` hashes to."""
        return hashlib.sha512(data).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        return [hashlib.sha512(data).digest() for data in items]


@dataclass(frozen=True, slots=True)
class RIPEMD160:
    """RIPEMD-160, 20 bytes. InvalidHash where the OpenSSL of this Python does not have it."""

    name: str = field(default="ripemd160", init=False)
    size: int = field(default=20, init=False)

    def __post_init__(self) -> None:
        try:
            hashlib.new("ripemd160", usedforsecurity=False)
        except ValueError as cause:
            reason = "OpenSSL has no RIPEMD-160 here; enable its legacy provider or choose another hash"
            raise InvalidHash("ripemd160", reason) from cause

    def start(self) -> Running:
        """A digest of nothing so far."""
        return hashlib.new("ripemd160", usedforsecurity=False)

    def digest(self, data: bytes, /) -> bytes:
        """The 20 bytes that `data` hashes to."""
        return hashlib.new("ripemd160", data, usedforsecurity=False).digest()

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The digest of each of `items`, in order."""
        return [hashlib.new("ripemd160", data, usedforsecurity=False).digest() for data in items]
