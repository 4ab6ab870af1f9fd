"""The four types of Git's objects, and their hashes."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Final

from irminpy.hash import SHA1, SHA256, HashFunction

__all__ = ["HASHES", "Type", "id_of"]


class Type(IntEnum):
    """The type of an object, by its number in packs."""

    COMMIT = 1
    TREE = 2
    BLOB = 3
    TAG = 4

    @property
    def word(self) -> bytes:
        """What an object of this type begins with."""
        return self.name.lower().encode()


HASHES: Final[dict[str, HashFunction]] = {"sha1": SHA1(), "sha256": SHA256()}
"""The hash functions by the names that Git has for them."""


def id_of(kind: Type, body: bytes, algorithm: str = "sha1") -> bytes:
    """The id of the object of type `kind` with `body`."""
    hasher = hashlib.new(algorithm, b"%b %d\0" % (kind.word, len(body)), usedforsecurity=False)
    hasher.update(body)
    return hasher.digest()
