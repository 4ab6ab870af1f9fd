"""Objects on their way over HTTP: the msgpack bodies that a server and its clients exchange (docs/formats/http.md).

Both sides take them apart under limits: what is not in the form, or claims more than it has, is a DecodeError. The
hashes of objects do not travel with them; whoever receives objects computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import msgpack

from .backend import ANY, RefUpdate
from .errors import DecodeError
from .hash import Hash
from .objects import Kind, Objects
from .repr.base import is_list

__all__ = [
    "ASKED",
    "MEDIA",
    "Answer",
    "Batch",
    "History",
    "Question",
    "pack_answers",
    "pack_flags",
    "unpack_answers",
    "unpack_flags",
]

MEDIA: Final = "application/vnd.irminpy+msgpack"
"""The media type of all of these."""
ASKED: Final = 4096
"""Hashes that one question may hold."""

Answer = bytes | None
"""The canonical bytes of an object, or None for one that is not there."""

T = TypeVar("T")

_pack = cast("Callable[[object], bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpack = cast("Callable[..., Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]
_KINDS: Final = {int(kind): kind for kind in Kind}
_GROUPS: Final = (Kind.CONTENTS, Kind.NODE, Kind.COMMIT)


def _decoded(what: str, data: bytes) -> Any:
    """The msgpack item that is all of `data`."""
    most = len(data)
    try:
        return _unpack(
            data, max_bin_len=most, max_str_len=most, max_array_len=most, max_map_len=0, max_ext_len=0
        )
    except (
        ValueError,
        RecursionError,
    ) as e:  # what msgpack raises for bad bytes; its own errors are ValueErrors
        raise DecodeError(what, f"it is no msgpack of that form ({type(e).__name__})") from e


def _list(what: str, item: object, length: int | None = None) -> list[Any]:
    if not is_list(item):
        raise DecodeError(what, f"a list is expected, not {type(item).__name__}")
    found = item
    if length is not None and len(found) != length:
        raise DecodeError(what, f"a list of {length} is expected, not of {len(found)}")
    return found


def _exact(what: str, item: object, cls: type[T]) -> T:
    if type(item) is not cls:
        raise DecodeError(what, f"{cls.__name__} is expected, not {type(item).__name__}")
    return item


def _hash(what: str, item: object, size: int) -> Hash:
    data = _exact(what, item, bytes)
    if len(data) != size:
        raise DecodeError(what, f"a hash has {size} bytes, not {len(data)}")
    return Hash(data)


def _hashes(what: str, item: object, size: int) -> list[Hash]:
    found = _list(what, item)
    if len(found) > ASKED:
        raise DecodeError(what, f"{len(found)} hashes at once, and {ASKED} are allowed")
    return [_hash(what, one, size) for one in found]


@dataclass(frozen=True, slots=True)
class Question:
    """Objects of one kind, by their hashes: to be read, or looked for."""

    kind: Kind
    hashes: Sequence[Hash]

    def to_bytes(self) -> bytes:
        """`[kind, [hash, …]]`."""
        return _pack([int(self.kind), [bytes(hash_) for hash_ in self.hashes]])

    @staticmethod
    def from_bytes(data: bytes, size: int) -> Question:
        """The question that `to_bytes` made `data` of, with hashes of `size` bytes."""
        kind, hashes = _list("question", _decoded("question", data), 2)
        return Question(_kind("question", kind), _hashes("question", hashes, size))


def _kind(what: str, item: object) -> Kind:
    kind = _KINDS.get(_exact(what, item, int))
    if kind is None:
        raise DecodeError(what, f"no kind of objects is called {item!r:.40}")
    return kind


@dataclass(frozen=True, slots=True)
class History:
    """Commits, and those behind them, the nearest first, until there are `n`."""

    starts: Sequence[Hash]
    n: int

    def to_bytes(self) -> bytes:
        """`[[hash, …], n]`."""
        return _pack([[bytes(hash_) for hash_ in self.starts], self.n])

    @staticmethod
    def from_bytes(data: bytes, size: int) -> History:
        """The inverse of `to_bytes`; `n` is at most `ASKED`."""
        starts, n = _list("history", _decoded("history", data), 2)
        found = _hashes("history", starts, size)
        if not found or not len(found) <= _exact("history", n, int) <= ASKED:
            raise DecodeError("history", f"it begins somewhere and goes on for at most {ASKED} commits")
        return History(found, n)


def pack_answers(answers: Sequence[Answer]) -> bytes:
    """`[bytes or nil, …]`."""
    return _pack(list(answers))


def unpack_answers(data: bytes) -> list[Answer]:
    """The inverse of `pack_answers`."""
    found = _list("answer", _decoded("answer", data))
    for one in found:
        if one is not None:
            _exact("answer", one, bytes)
    return found


def pack_flags(flags: Sequence[bool]) -> bytes:
    """One byte each, 1 for True."""
    return bytes(flags)


def unpack_flags(data: bytes, n: int) -> list[bool]:
    """The inverse of `pack_flags`, for `n` of them."""
    if len(data) != n or data.translate(None, b"\0\1"):
        raise DecodeError("flags", f"{n} bytes, each 0 or 1, are expected")
    return [byte == 1 for byte in data]


@dataclass(frozen=True, slots=True)
class Batch:
    """Objects, children first, and refs to move: all or nothing."""

    objects: Objects
    updates: Sequence[RefUpdate] = ()
    shallow: bool = False
    """Whether parents of commits may be absent."""

    def to_bytes(self) -> bytes:
        """`[shallow, [contents…], [nodes…], [commits…], [[name, set, test]…]]`; a test that always holds is true."""
        groups = [list(self.objects.of_kind(kind).values()) for kind in _GROUPS]
        updates = [
            [u.name, _plain(u.set), True if u.test is ANY else _plain(cast("Hash | None", u.test))]
            for u in self.updates
        ]
        return _pack([self.shallow, *groups, updates])

    @staticmethod
    def from_bytes(data: bytes, size: int, digest: Callable[[list[bytes]], list[bytes]]) -> Batch:
        """The inverse of `to_bytes`; `digest` gives the hashes of objects, which are `size` bytes."""
        shallow, *groups, updates = _list("batch", _decoded("batch", data), 5)
        objects = Objects()
        for kind, group in zip(_GROUPS, groups, strict=True):
            items = [_exact("batch", one, bytes) for one in _list("batch", group)]
            objects.of_kind(kind).update(zip(digest(items), items, strict=True))
        return Batch(
            objects, [_update(one, size) for one in _list("batch", updates)], _exact("batch", shallow, bool)
        )


def _plain(hash_: Hash | None) -> bytes | None:
    return None if hash_ is None else bytes(hash_)


def _update(item: object, size: int) -> RefUpdate:
    name, new, test = _list("batch", item, 3)
    return RefUpdate(
        _exact("batch", name, str),
        None if new is None else _hash("batch", new, size),
        ANY if test is True else None if test is None else _hash("batch", test, size),
    )
