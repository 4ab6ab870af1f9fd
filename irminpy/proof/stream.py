"""A stream proof as a value: the objects that a run reads, in the order in which it reads them first."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, cast

from ..errors import BadProof
from ..types import C2, M2, C, M
from .compact import STREAM, VERSION, Reading, head, kinded_bytes, varint
from .json import is_list
from .limits import DEFAULT, Limits
from .proof import check_json_head, roots_of_json

if TYPE_CHECKING:
    from ..key import KindedHash
    from ..schema import Schema

__all__ = ["StreamProof"]


class StreamProof(Generic[C, M]):
    """`StreamProof(before, after, elements, schema)`: that a run turns `before` into `after` by reading `elements`.

    An element of the native format is the canonical bytes of an object. `elements` may be any iterable: a verifier
    takes one element after the other, once, and no more than its limits allow. The constructor checks nothing.
    """

    __slots__ = ("__weakref__", "_after", "_before", "_elements", "_schema")

    def __init__(
        self, before: KindedHash, after: KindedHash, elements: Iterable[bytes], schema: Schema[C, M]
    ) -> None:
        self._before = before
        self._after = after
        self._elements = elements
        self._schema = schema

    @property
    def before(self) -> KindedHash:
        """The root that the run starts from, as the proof claims."""
        return self._before

    @property
    def after(self) -> KindedHash:
        """The root of the tree that the run gives."""
        return self._after

    @property
    def elements(self) -> Iterable[bytes]:
        """The elements, as they were given."""
        return self._elements

    @property
    def schema(self) -> Schema[C, M]:
        """What the hashes of the proof depend on."""
        return self._schema

    def to_bytes(self) -> bytes:
        """The canonical bytes (docs/formats/proof.md). An iterator of elements is used up."""
        elements = self._elements = tuple(self._elements)
        same = self._before == self._after
        out = [head(self._schema, STREAM), b"\0" if same else b"\1" + kinded_bytes(self._after)]
        out.append(kinded_bytes(self._before))
        for element in elements:
            out += (varint(len(element)), element)
        return b"".join(out)

    @staticmethod
    def from_bytes(data: bytes, schema: Schema[C2, M2], limits: Limits = DEFAULT) -> StreamProof[C2, M2]:
        """The proof with the canonical bytes `data`; BadProof for all other bytes, and beyond `limits`."""
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
        return StreamProof(before, before if after is None else after, tuple(elements), schema)

    def to_json(self) -> dict[str, Any]:
        """`{"stream": 1, "schema": …, "before": …, "after": …, "elements": […]}`, elements in base64."""
        elements = self._elements = tuple(self._elements)
        return {
            "stream": VERSION,
            "schema": self._schema.identity.hex(),
            "before": self._before.to_json(),
            "after": self._after.to_json(),
            "elements": [b64encode(element).decode() for element in elements],
        }

    @staticmethod
    def from_json(obj: object, schema: Schema[C2, M2]) -> StreamProof[C2, M2]:
        """The proof that `to_json` turned into `obj`; BadProof for anything else."""
        fields = dict(cast("dict[str, Any]", obj)) if isinstance(obj, dict) else {}
        if fields.keys() != {"stream", "schema", "before", "after", "elements"}:
            raise BadProof("an object of stream, schema, before, after and elements is expected")
        check_json_head(fields, schema, "stream")
        rows: object = fields["elements"]
        if not is_list(rows):
            raise BadProof("a list is expected", "elements")
        try:
            elements = tuple([b64decode(row, validate=True) for row in rows])
        except (TypeError, ValueError) as e:
            raise BadProof(f"an element that is no base64: {e}", "elements") from e
        proof = StreamProof(*roots_of_json(fields), elements, schema)
        if proof.to_json() != obj:
            raise BadProof("not canonical: the same proof is written in another way")
        return proof

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StreamProof):
            return NotImplemented
        proof: StreamProof[Any, Any] = other  # pyright: ignore[reportUnknownVariableType]
        return self is proof or self.to_bytes() == proof.to_bytes()

    def __hash__(self) -> int:
        return hash((self._before, self._after))

    def __repr__(self) -> str:
        before, after = self._before.hash.hex()[:10], self._after.hash.hex()[:10]
        return f"<StreamProof {before} -> {after}>"
