"""A state in one call of the core, which hashes and checks it (docs/decisions/089)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from ... import core
from ...errors import DecodeError, DepthExceeded
from ...formats import Irmin, Irmin2, Tezos
from ...formats.irmin import IrminCodec
from ...formats.tezos import TezosCodec
from ...hash import BLAKE2B, Hash
from ...key import KindedHash
from ...metadata import NoMetadata
from ...objects import Kind
from ...path import join, step_of_bytes
from ..limits import MIB, explain
from ..shown import Encoded, Shown
from .binary import read_state
from .elements import take_element
from .fields import Fields, Input
from .shape import levels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...contents import Contents
    from ...formats.irmin import Delimited
    from ...metadata import Metadata
    from ...schema import Schema
    from ..limits import Limits

__all__ = ["elements_at_once", "state_at_once"]

_ORDERS: dict[object, int] = {"hash-bits": 1, "seeded": 2}
_CUSTOM: Final = 3


def state_at_once(data: bytes, at: int, schema: Schema[Any, Any], limits: Limits) -> tuple[int, Shown] | None:
    """(where it ends, what it shows) of the state that begins at the byte `at`; None where the core has no answer.

    That is where something is wrong, or unusual.
    """
    codec, format = schema.codec, schema.format
    if not isinstance(format, (Irmin, Irmin2, Tezos)) or not isinstance(codec, IrminCodec):
        return None
    if type(codec) not in (IrminCodec, TezosCodec):
        return None
    inodes = format.inodes
    order = 0 if inodes is None else _ORDERS.get(inodes.order, _CUSTOM)
    found = core.read_state(
        data,
        at,
        int(type(codec) is TezosCodec),
        codec.domain(Kind.NODE),
        codec.domain(Kind.CONTENTS),
        int(type(schema.hash) is BLAKE2B),
        codec.digest,
        codec.hash_size,
        codec.fanout,
        codec.leaf,
        codec.stable,
        codec.levels,
        order,
        _digit(codec) if order == _CUSTOM else None,
        codec.empty,
        _skip(schema.metadata),
        schema.metadata.encode(schema.metadata.default),
        limits.depth,
        limits.density * -(-len(data) // MIB),
        limits.objects,
        limits.contents,
    )
    if found is None:
        return None
    if isinstance(found, int) or not (
        (schema.contents.id == "bytes" or _are_values(schema.contents, found[3].values()))
        and _are_values(schema.metadata, found[5])
    ):
        where = found if isinstance(found, int) else found[0]
        explain(data, where, limits, partial(_read_again, at, schema, limits))
        return None
    end, top, nodes, contents, way, _ = found
    apart = "" if way is None else _place(way)
    return end, Shown(KindedHash("node", Hash(top)), Encoded(codec, nodes), contents, apart)


def _read_again(at: int, schema: Schema[Any, Any], limits: Limits, data: bytes) -> None:
    """Read the state from the byte `at` on, for what is wrong with it."""
    fields = Fields(schema)
    source = Input(data, fields)
    source.at = at
    read_state(source, fields, levels_of(schema.codec), limits)


def _take_again(at: int, n: int, schema: Schema[Any, Any], limits: Limits, data: bytes) -> None:
    """Take `n` elements from the byte `at` on, for what is wrong with how they are written."""
    source = Input(data, Fields(schema))
    source.at = at
    for _ in range(n):
        take_element(source, limits)


def elements_at_once(
    data: bytes, at: int, n: int, schema: Schema[Any, Any], limits: Limits
) -> tuple[int, tuple[bytes, ...]] | None:
    """(where they end, the elements) of the `n` elements that begin at the byte `at`; None as `state_at_once`."""
    found = core.take_elements(data, at, n, schema.codec.hash_size, _skip(schema.metadata), limits.contents)
    if found is None:
        return None
    if isinstance(found, int) or not _are_values(schema.metadata, found[2]):
        where = found if isinstance(found, int) else found[0]
        explain(data, where, limits, partial(_take_again, at, n, schema, limits))
        return None
    return found[:2]


def _skip(metadata: Metadata[Any]) -> Callable[[bytes, int], int] | None:
    """What tells where metadata end; None without metadata."""
    if isinstance(metadata, NoMetadata):
        return None
    read = cast("Delimited", metadata).read

    def skip(data: bytes, at: int) -> int:
        try:
            return read(data, at)[1]
        except DecodeError:
            return -1

    return skip


def _digit(codec: IrminCodec) -> Callable[[int, bytes], int]:
    """The child of a step in the order of the caller; -1 where there is none."""

    def digit(depth: int, step: bytes) -> int:
        try:
            return codec.digit(step_of_bytes(step), depth)
        except DepthExceeded:
            return -1

    return digit


def _are_values(kind: Contents[Any] | Metadata[Any], found: Iterable[bytes]) -> bool:
    """Whether all are canonical bytes of that type."""
    try:
        return all(kind.encode(kind.decode(value)) == value for value in found)
    except (DecodeError, TypeError):
        return False


def _place(way: list[bytes | int]) -> str:
    """The place that the steps and indices, from below, lead to."""
    steps: list[str] = []
    indices: list[str] = []
    for label in way:
        if isinstance(label, bytes):
            steps.append(step_of_bytes(label))
        elif not steps:
            indices.append(f"{label:x}")
    return "/" + join(tuple(reversed(steps))) + (f" bucket {'.'.join(reversed(indices))}" if indices else "")
