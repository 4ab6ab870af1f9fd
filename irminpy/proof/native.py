"""The form of the proofs of the native formats (docs/formats/proof.md)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, cast

from ..errors import BadProof, DecodeError, ProofMismatch
from ..hash import Hash
from ..key import KindedHash
from ..objects import Inode, Kind, Node
from . import values
from .compact import STREAM, VERSION, Reading, decode_tree, encode_tree, head, kinded_bytes, varint
from .json import is_list, state_of_json, state_to_json
from .shape import check_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..schema import Schema
    from ..shape import Record
    from .limits import Limits
    from .shown import Reads, Shown
    from .types import State

__all__ = ["NativeForm"]


class NativeForm:
    """Proofs of the formats `native` and `native-flat`."""

    state = staticmethod(values.state_of)
    load = staticmethod(values.load)
    decode = staticmethod(decode_tree)

    def encode(self, schema: Schema[Any, Any], shown: Shown, after: KindedHash, limits: Limits, /) -> bytes:
        """As `encode_tree`: it shows each object once, so that the bytes are in proportion to `shown`."""
        return encode_tree(schema, shown, after)

    def check(self, schema: Schema[Any, Any], shown: Shown, /) -> None:
        """As `check_shape`."""
        check_shape(schema.codec, shown)

    def to_json(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, state: State[Any, Any], /
    ) -> dict[str, Any]:
        """`{"proof": 1, "schema": …, "before": …, "after": …, "state": […]}`."""
        return {**_head_to_json(schema, "proof", before, after), "state": state_to_json(schema, state)}

    def of_json(
        self, schema: Schema[Any, Any], obj: object, /
    ) -> tuple[KindedHash, KindedHash, State[Any, Any]]:
        """The inverse; BadProof."""
        fields = dict(cast("dict[str, Any]", obj)) if isinstance(obj, dict) else {}
        if fields.keys() != {"proof", "schema", "before", "after", "state"}:
            raise BadProof("an object of proof, schema, before, after and state is expected")
        _check_json_head(fields, schema, "proof")
        state = cast("State[Any, Any]", state_of_json(schema, fields["state"]))
        before, after = _roots_of_json(fields)
        if self.to_json(schema, before, after, state) != obj:
            raise BadProof("not canonical: the same proof is written in another way")
        return before, after, state

    # -- stream proofs -----------------------------------------------------------------------------------------

    def elements(self, schema: Schema[Any, Any], seen: Reads, /) -> list[bytes]:
        """The canonical bytes of each object."""
        codec = schema.codec
        elements: list[bytes] = []
        for found in seen.values():
            if isinstance(found, Node):
                columns = list(found.metadata.values())
                elements.append(codec.encode_node(list(found.index), found.kinds, found.hashes, columns))
            elif isinstance(found, Inode):
                elements.append(codec.encode_inode(found.depth, found.buckets, found.counts, found.hashes))
            else:
                elements += codec.encode_contents([found])
        return elements

    def reading(self, schema: Schema[Any, Any], /) -> _Objects:
        """The elements as a run reads them."""
        return _Objects(schema)

    def encode_stream(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, elements: Iterable[bytes], /
    ) -> bytes:
        """The head, the roots, the elements."""
        out = [head(schema, STREAM), b"\0" if before == after else b"\1" + kinded_bytes(after)]
        out.append(kinded_bytes(before))
        for element in elements:
            out += (varint(len(element)), element)
        return b"".join(out)

    def decode_stream(
        self, data: bytes, schema: Schema[Any, Any], limits: Limits, /
    ) -> tuple[KindedHash, KindedHash, tuple[bytes, ...]]:
        """The inverse; BadProof."""
        reading = Reading(data, schema, STREAM, limits)
        at = reading.at
        changed = reading.byte()
        if changed > 1:
            raise reading.refuse(f"unknown tag {changed} of the root after", at)
        after = reading.kinded() if changed else None
        before = reading.kinded()
        if after == before:
            raise reading.refuse(
                "not canonical: the root after is written out, and equal to the one before", at
            )
        elements: list[bytes] = []
        while reading.at < len(data):
            if len(elements) >= limits.objects:
                raise reading.refuse(f"node limit: more than {limits.objects} elements")
            elements.append(reading.take(reading.varint()))
        return before, before if after is None else after, tuple(elements)

    def stream_to_json(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, elements: Iterable[bytes], /
    ) -> dict[str, Any]:
        """`{"stream": 1, "schema": …, "before": …, "after": …, "elements": […]}`, elements in base64."""
        rows = [b64encode(element).decode() for element in elements]
        return {**_head_to_json(schema, "stream", before, after), "elements": rows}

    def stream_of_json(
        self, schema: Schema[Any, Any], obj: object, /
    ) -> tuple[KindedHash, KindedHash, tuple[bytes, ...]]:
        """The inverse; BadProof."""
        fields = dict(cast("dict[str, Any]", obj)) if isinstance(obj, dict) else {}
        if fields.keys() != {"stream", "schema", "before", "after", "elements"}:
            raise BadProof("an object of stream, schema, before, after and elements is expected")
        _check_json_head(fields, schema, "stream")
        rows: object = fields["elements"]
        if not is_list(rows):
            raise BadProof("a list is expected", "elements")
        try:
            elements = tuple([b64decode(row, validate=True) for row in rows])
        except (TypeError, ValueError) as e:
            raise BadProof(f"an element that is no base64: {e}", "elements") from e
        before, after = _roots_of_json(fields)
        if self.stream_to_json(schema, before, after, elements) != obj:
            raise BadProof("not canonical: the same proof is written in another way")
        return before, after, elements


class _Objects:
    """Elements that are one object each."""

    __slots__ = ("_schema",)

    def __init__(self, schema: Schema[Any, Any]) -> None:
        self._schema = schema

    def read(self, kind: Kind, hash: bytes, take: Callable[[], bytes]) -> Record | bytes:
        """What the next element is where `hash` of `kind` is read; ProofMismatch if it is anything else."""
        element, codec = take(), self._schema.codec
        if codec.digest(element) != hash:
            raise ProofMismatch(f"mismatch: another object than {Hash(hash).short()}, which is read here")
        try:
            if kind is Kind.NODE:
                return codec.decode_node(element)
            value = codec.decode_contents(element)
            self._schema.contents.decode(value)
        except DecodeError as e:
            raise ProofMismatch(f"kind mismatch, or not canonical: {e}") from e
        return value

    def end(self) -> None:
        """Nothing is ever left."""


# -- JSON ------------------------------------------------------------------------------------------------------


def _head_to_json(
    schema: Schema[Any, Any], name: str, before: KindedHash, after: KindedHash
) -> dict[str, Any]:
    return {
        name: VERSION,
        "schema": schema.identity.hex(),
        "before": before.to_json(),
        "after": after.to_json(),
    }


def _check_json_head(fields: dict[str, Any], schema: Schema[Any, Any], name: str) -> None:
    """BadProof unless `fields`, of a proof in JSON, are of this version and of `schema`."""
    version = fields[name]
    if type(version) is not int or version != VERSION:
        raise BadProof(f"version {version!r:.20}, and only {VERSION} can be read; use a newer irminpy", name)
    if fields["schema"] != schema.identity.hex():
        reason = f"parameter mismatch: it is of another schema than {schema.describe()}"
        raise ProofMismatch(reason, "schema")


def _roots_of_json(fields: dict[str, Any]) -> tuple[KindedHash, KindedHash]:
    """The roots before and after in `fields`."""
    try:
        return KindedHash.from_json(fields["before"]), KindedHash.from_json(fields["after"])
    except DecodeError as e:
        raise BadProof(e.reason, "before or after") from e
