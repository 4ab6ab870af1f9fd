"""The form of the proofs of Irmin's formats: what the repr library makes of the types of Irmin's `proof.ml`.

The bytes are in docs/formats/irmin-proof.md. Nothing in them says for which schema they are, or that they are a
proof at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...errors import BadProof, ProofMismatch
from ...key import KindedHash
from ...repr import varint
from ...repr.base import is_list
from ..limits import MIB
from ..shown import Shown
from ..types import Part, State
from . import values
from .at_once import elements_at_once, state_at_once
from .binary import read_state, size_of, state_bytes
from .elements import Elements, element_of_json, element_to_json, elements_of, take_element
from .fields import Fields, Input
from .json import members_of_json, state_of_json, state_to_json
from .shape import check_shape, levels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...schema import Schema
    from ..limits import Limits
    from ..shown import Reads

__all__ = ["IrminForm"]


class IrminForm:
    """Proofs of the formats `irmin` and `tezos`."""

    state = staticmethod(values.state_of)
    load = staticmethod(values.load)

    # -- tree proofs -----------------------------------------------------------------------------------------------

    def encode(self, schema: Schema[Any, Any], shown: Shown, after: KindedHash, limits: Limits, /) -> bytes:
        """The roots, then the state. BadProof if it is too large because parts stand at many places."""
        fields = Fields(schema)
        state = cast("Part", values.state_of(schema, shown))
        size = size_of(fields, state)
        room = limits.density * -(-size.bytes // MIB)
        if (
            size.bytes > limits.total
            or size.nodes + size.values > limits.objects
            or 4 * size.nodes + size.values > room
        ):
            raise BadProof(
                f"the proof has {size.bytes} bytes, {size.nodes} nodes and {size.values} values, where one object "
                f"stands at every place that leads to it, and that is beyond the limits: prove less at once, or give "
                f"other Limits here and where it is verified"
            )
        return fields.kinded(shown.root) + fields.kinded(after) + state_bytes(fields, state)

    def decode(self, data: bytes, schema: Schema[Any, Any], limits: Limits, /) -> tuple[Shown, KindedHash]:
        """What is shown, hashed and checked; ProofMismatch if that is not the root it is for."""
        fields = Fields(schema)
        source = Input(data, fields)
        if len(data) > limits.total:
            raise BadProof(f"it has {len(data)} bytes, the limit is {limits.total}")
        before, after = source.kinded(), source.kinded()
        known = state_at_once(data, source.at, schema, limits)
        if known is not None and known[0] == len(data):
            shown = known[1]
        else:
            state = read_state(source, fields, levels_of(schema.codec), limits)
            source.end()
            shown = values.load(schema, state, limits)
        if shown.root != before:
            show = schema.codec.show_hash
            raise ProofMismatch(
                f"root mismatch: what it shows hashes to {show(shown.root.hash)[:16]}, and it is for "
                f"{show(before.hash)[:16]}",
                "/",
            )
        return shown, after

    def to_json(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, state: State[Any, Any], /
    ) -> dict[str, Any]:
        """`{"before": …, "after": …, "state": …}`."""
        fields = Fields(schema)
        roots = {"before": fields.kinded_to_json(before), "after": fields.kinded_to_json(after)}
        return {**roots, "state": state_to_json(fields, state)}

    def of_json(
        self, schema: Schema[Any, Any], obj: object, /
    ) -> tuple[KindedHash, KindedHash, State[Any, Any]]:
        """The inverse; BadProof."""
        fields = Fields(schema)
        members = members_of_json(obj, ("before", "after", "state"))
        before, after = fields.kinded_of_json(members["before"]), fields.kinded_of_json(members["after"])
        return before, after, cast("State[Any, Any]", state_of_json(fields, members["state"]))

    def check(self, schema: Schema[Any, Any], shown: Shown, /) -> None:
        """As `check_shape`."""
        check_shape(schema.codec, shown)

    # -- stream proofs ---------------------------------------------------------------------------------------------

    def elements(self, schema: Schema[Any, Any], seen: Reads, /) -> list[bytes]:
        """As `elements_of`."""
        return elements_of(schema, seen)

    def reading(self, schema: Schema[Any, Any], /) -> Elements:
        """The elements as a run reads them."""
        return Elements(schema)

    def encode_stream(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, elements: Iterable[bytes], /
    ) -> bytes:
        """The roots, the number of elements, the elements."""
        fields = Fields(schema)
        rows = list(elements)
        return b"".join([fields.kinded(before), fields.kinded(after), varint(len(rows)), *rows])

    def decode_stream(
        self, data: bytes, schema: Schema[Any, Any], limits: Limits, /
    ) -> tuple[KindedHash, KindedHash, tuple[bytes, ...]]:
        """The inverse; BadProof."""
        source = Input(data, Fields(schema))
        if len(data) > limits.total:
            raise BadProof(f"it has {len(data)} bytes, the limit is {limits.total}")
        before, after = source.kinded(), source.kinded()
        start = source.at
        n = source.count(2)
        if n > limits.objects:
            raise source.refuse(f"node limit: more than {limits.objects} elements", start)
        known = elements_at_once(data, source.at, n, schema, limits)
        if known is not None:
            source.at, elements = known
        else:
            elements = tuple([take_element(source, limits) for _ in range(n)])
        source.end()
        return before, after, elements

    def stream_to_json(
        self, schema: Schema[Any, Any], before: KindedHash, after: KindedHash, elements: Iterable[bytes], /
    ) -> dict[str, Any]:
        """`{"before": …, "after": …, "state": […]}`."""
        fields = Fields(schema)
        roots = {"before": fields.kinded_to_json(before), "after": fields.kinded_to_json(after)}
        return {**roots, "state": [element_to_json(fields, element) for element in elements]}

    def stream_of_json(
        self, schema: Schema[Any, Any], obj: object, /
    ) -> tuple[KindedHash, KindedHash, tuple[bytes, ...]]:
        """The inverse; BadProof."""
        fields = Fields(schema)
        members = members_of_json(obj, ("before", "after", "state"))
        before, after = fields.kinded_of_json(members["before"]), fields.kinded_of_json(members["after"])
        rows: object = members["state"]
        if not is_list(rows):
            raise BadProof("a list of elements is expected", "state")
        return before, after, tuple([element_of_json(fields, row) for row in rows])
