"""What proofs owe to a format: each has its own form of proofs, as it has its own form of directories.

A form says how what was read is written down and taken apart. Which objects a run reads is the business of the shape
that the format gives to directories, so a form needs no plan of its own where objects are read one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..errors import SchemaMismatch
from .irmin.form import IrminForm
from .native import NativeForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..key import KindedHash
    from ..objects import Kind
    from ..schema import Schema
    from ..shape import Record
    from .limits import Limits
    from .shown import Reads, Shown
    from .types import State

__all__ = ["Form", "form_of"]


class Objects(Protocol):
    """The elements of one stream proof, as a run reads them."""

    def read(self, kind: Kind, hash: bytes, take: Callable[[], bytes], /) -> Record | bytes:
        """The node, or the bytes of the type of contents, that `hash` of `kind` leads to, which was not read yet.

        `take` gives the next element, and raises BadProof if there is none. ProofMismatch if it is anything else.
        """
        ...

    def end(self) -> None:
        """The run is over: ProofMismatch if it has not read all that the elements say."""
        ...


class Form(Protocol):
    """The form of the proofs of one format. All methods are pure."""

    def encode(self, schema: Schema[Any, Any], shown: Shown, after: KindedHash, limits: Limits, /) -> bytes:
        """The canonical bytes of the tree proof that shows `shown` and ends with `after`.

        BadProof if they would be out of proportion to `shown`, and beyond `limits`.
        """
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

    def to_json(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, state: State[Any, Any], /
    ) -> dict[str, Any]:
        """A tree proof in JSON."""
        ...

    def of_json(
        self, schema: Schema[Any, Any], obj: object, /
    ) -> tuple[KindedHash, KindedHash, State[Any, Any]]:
        """The inverse; BadProof for anything that `to_json` does not give."""
        ...

    def check(self, schema: Schema[Any, Any], shown: Shown, /) -> None:
        """ProofMismatch unless the nodes that `shown` reveals fit each other."""
        ...

    def elements(self, schema: Schema[Any, Any], seen: Reads, /) -> list[bytes]:
        """The elements of a stream proof of a run that read `seen`."""
        ...

    def reading(self, schema: Schema[Any, Any], /) -> Objects:
        """The inverse, for one run."""
        ...

    def encode_stream(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, elements: Iterable[bytes], /
    ) -> bytes:
        """The canonical bytes of a stream proof."""
        ...

    def decode_stream(
        self, data: bytes, schema: Schema[Any, Any], limits: Limits, /
    ) -> tuple[KindedHash, KindedHash, tuple[bytes, ...]]:
        """The roots before and after and the elements of the stream proof `data`; BadProof."""
        ...

    def stream_to_json(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, elements: Iterable[bytes], /
    ) -> dict[str, Any]:
        """A stream proof in JSON."""
        ...

    def stream_of_json(
        self, schema: Schema[Any, Any], obj: object, /
    ) -> tuple[KindedHash, KindedHash, tuple[bytes, ...]]:
        """The inverse; BadProof for anything that `stream_to_json` does not give."""
        ...


_NATIVE, _IRMIN = NativeForm(), IrminForm()
_FORMS: dict[str, Form] = {"native": _NATIVE, "native-flat": _NATIVE, "irmin": _IRMIN, "tezos": _IRMIN}


def form_of(schema: Schema[Any, Any]) -> Form:
    """The form of the proofs of `schema`; SchemaMismatch if its format has none."""
    form = _FORMS.get(schema.format.name)
    if form is None:
        raise SchemaMismatch("a format with proofs, such as native", schema.describe())
    return form
