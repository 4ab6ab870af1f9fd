"""Hashes, and the functions that make them.

A `Hash` is bytes that print as hexadecimal digits. A `HashFunction` is a value, equal to another of the same
name, that a schema holds; `by_name` finds the built-in ones, `Own` wraps any other. Which bytes are hashed
is the business of the formats.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from irminpy.errors import InvalidHash
from irminpy.late import late

from .base import BLAKE3, NAMES, Hash, HashFunction, Incremental, Running, running, short_hash

if TYPE_CHECKING:
    from .digests import BLAKE2B, BLAKE2S, RIPEMD160, SHA1, SHA224, SHA256, SHA384, SHA512
    from .own import Own

__all__ = [
    "BLAKE2B",
    "BLAKE2S",
    "BLAKE3",
    "RIPEMD160",
    "SHA1",
    "SHA224",
    "SHA256",
    "SHA384",
    "SHA512",
    "Hash",
    "HashFunction",
    "Incremental",
    "Own",
    "Running",
    "by_name",
    "running",
    "short_hash",
]

_DIGESTS = ("BLAKE2B", "BLAKE2S", "RIPEMD160", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
_WHERE = {**dict.fromkeys(_DIGESTS, "digests"), "Own": "own"}

if not TYPE_CHECKING:  # with it, checkers would take any name for an attribute
    __getattr__, __dir__ = late(__name__, _WHERE)

# The name of each built-in function, and of its class; the digest size in bytes, where the class takes it.
_NAMED: dict[str, tuple[str, int | None]] = {
    **{name: (name.split("-")[0].upper(), None) for name in NAMES},
    **{f"blake2b-{8 * size}": ("BLAKE2B", size) for size in range(1, 65)},
    **{f"blake2s-{8 * size}": ("BLAKE2S", size) for size in range(1, 33)},
}


def by_name(name: str) -> HashFunction:
    """The built-in hash function called `name`, such as "blake2b-512"; InvalidHash if there is none."""
    found = _NAMED.get(name)
    if found is None:
        raise InvalidHash(name, "there is no built-in hash function of this name; wrap your own in `Own`")
    class_name, size = found
    make = getattr(sys.modules[__name__], class_name)
    function: HashFunction = make() if size is None else make(size)
    return function
