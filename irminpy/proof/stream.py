"""A stream proof as a value: the objects that a run reads, in the order in which it reads them first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic

from ..types import C2, M2, C, M
from .form import form_of
from .limits import DEFAULT, Limits

if TYPE_CHECKING:
    from ..key import KindedHash
    from ..schema import Schema

__all__ = ["StreamProof"]


class StreamProof(Generic[C, M]):
    """`StreamProof(before, after, elements, schema)`: that a run turns `before` into `after` by reading `elements`.

    An element of the native format is the canonical bytes of an object, one of Irmin's formats the bytes of Irmin's
    `elt`. `elements` may be any iterable: a verifier
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
        return form_of(self._schema).encode_stream(self._schema, self._before, self._after, elements)

    @staticmethod
    def from_bytes(data: bytes, schema: Schema[C2, M2], limits: Limits = DEFAULT) -> StreamProof[C2, M2]:
        """The proof with the canonical bytes `data`; BadProof for all other bytes, and beyond `limits`."""
        before, after, elements = form_of(schema).decode_stream(data, schema, limits)
        return StreamProof(before, after, elements, schema)

    def to_json(self) -> dict[str, Any]:
        """The proof in JSON (docs/formats/proof.md). An iterator of elements is used up."""
        elements = self._elements = tuple(self._elements)
        return form_of(self._schema).stream_to_json(self._schema, self._before, self._after, elements)

    @staticmethod
    def from_json(obj: object, schema: Schema[C2, M2]) -> StreamProof[C2, M2]:
        """The proof that `to_json` turned into `obj`; BadProof for anything else."""
        before, after, elements = form_of(schema).stream_of_json(schema, obj)
        return StreamProof(before, after, elements, schema)

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
