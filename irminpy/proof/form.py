"""What proofs owe to a format: each has its own form of proofs, as it has its own form of directories.

A form says how what was read is written down and taken apart. Which objects a run reads is the business of the shape
that the format gives to directories, so a form needs no plan of its own where objects are read one by one. The native
form is in the modules beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..errors import DecodeError, ProofMismatch, SchemaMismatch
from ..hash import Hash
from ..objects import Inode, Kind, Node
from . import compact, values
from .shape import check_shape

if TYPE_CHECKING:
    from ..key import KindedHash
    from ..schema import Schema
    from ..shape import Record
    from .limits import Limits
    from .shown import Shown
    from .types import State

__all__ = ["Form", "form_of"]


class Form(Protocol):
    """The form of the proofs of one format. All methods are pure."""

    def encode(self, schema: Schema[Any, Any], shown: Shown, after: KindedHash, /) -> bytes:
        """The canonical bytes of the tree proof that shows `shown` and ends with `after`."""
        ...

    def decode(self, data: bytes, schema: Schema[Any, Any], limits: Limits, /) -> tuple[Shown, KindedHash]:
        """What the tree proof `data` shows, hashed and checked, and the root after; BadProof."""
        ...

    def state(self, schema: Schema[Any, Any], shown: Shown, /) -> State[Any, Any]:
        """What `shown` reveals, as values."""
        ...

    def load(self, schema: Schema[Any, Any], state: object, limits: Limits, /) -> Shown:
        """What the values `state` show, hashed and checked; ProofMismatch."""
        ...

    def check(self, schema: Schema[Any, Any], shown: Shown, /) -> None:
        """ProofMismatch unless the nodes that `shown` reveals fit each other."""
        ...

    def element(self, schema: Schema[Any, Any], kind: Kind, found: Record | bytes, /) -> bytes:
        """The element of a stream proof for a node, or for contents given by the bytes of their type."""
        ...

    def opened(self, schema: Schema[Any, Any], kind: Kind, hash: bytes, element: bytes, /) -> Record | bytes:
        """The inverse of `element` where `hash` of `kind` is read; ProofMismatch if it is anything else."""
        ...


class _Native:
    """Proofs of the native formats (docs/formats/proof.md)."""

    encode = staticmethod(compact.encode_tree)
    decode = staticmethod(compact.decode_tree)
    state = staticmethod(values.state_of)
    load = staticmethod(values.load)

    def check(self, schema: Schema[Any, Any], shown: Shown, /) -> None:
        check_shape(schema.codec, shown)

    def element(self, schema: Schema[Any, Any], kind: Kind, found: Record | bytes, /) -> bytes:
        codec = schema.codec
        if isinstance(found, Node):
            columns = list(found.metadata.values())
            return codec.encode_node(list(found.index), found.kinds, found.hashes, columns)
        if isinstance(found, Inode):
            return codec.encode_inode(found.depth, found.buckets, found.counts, found.hashes)
        return codec.encode_contents([found])[0]

    def opened(self, schema: Schema[Any, Any], kind: Kind, hash: bytes, element: bytes, /) -> Record | bytes:
        codec = schema.codec
        if codec.digest(element) != hash:
            raise ProofMismatch(f"mismatch: another object than {Hash(hash).short()}, which is read here")
        try:
            if kind is Kind.NODE:
                return codec.decode_node(element)
            value = codec.decode_contents(element)
            schema.contents.decode(value)
        except DecodeError as e:
            raise ProofMismatch(f"kind mismatch, or not canonical: {e}") from e
        return value


_FORMS: dict[str, Form] = {"native": _Native(), "native-flat": _Native()}


def form_of(schema: Schema[Any, Any]) -> Form:
    """The form of the proofs of `schema`; SchemaMismatch if its format has none."""
    form = _FORMS.get(schema.format.name)
    if form is None:
        raise SchemaMismatch("a format with proofs, such as native", schema.describe())
    return form
