"""A tree proof as a value: the root before, the root after, and what a run needs to read in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from ..errors import ProofMismatch
from ..key import KindedHash
from ..schema import Schema
from ..types import C2, M2, C, M
from .form import form_of
from .limits import DEFAULT, Limits
from .types import Part, State

if TYPE_CHECKING:
    from .shown import Shown

__all__ = ["Proof", "hash_of_proof_state"]

_UNBOUNDED = Limits(1 << 62, 1 << 62, 1 << 62, 1 << 62, 1 << 62)


class Proof(Generic[C, M]):
    """`Proof(before, after, state, schema)`: that a run turns the tree `before` into `after`, reading only `state`.

    The constructor checks nothing; `irminpy.verify_proof` does, against a root that its caller trusts. Immutable,
    equal by what it says, and free to share between threads.
    """

    __slots__ = ("__weakref__", "_after", "_before", "_raw", "_schema", "_shown", "_state")

    def __init__(
        self, before: KindedHash, after: KindedHash, state: State[C, M], schema: Schema[C, M]
    ) -> None:
        for root in (before, after):
            if not isinstance(root, KindedHash):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"a KindedHash is expected, not {type(root).__name__}")
        if not isinstance(state, Part):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the state of a proof is expected, not {type(state).__name__}")
        if not isinstance(schema, Schema):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a schema is expected, not {type(schema).__name__}")
        self._before = before
        self._after = after
        self._state: State[C, M] | None = state
        self._schema = schema
        # INVARIANT: what this process computed of `_state`, or `_state` is made of it.
        self._shown: Shown | None = None
        self._raw: bytes | None = None

    @staticmethod
    def of_shown(
        schema: Schema[C2, M2], shown: Shown, after: KindedHash, raw: bytes | None = None
    ) -> Proof[C2, M2]:
        """The proof that shows `shown`, which this process hashed and checked; `raw` are its bytes."""
        proof: Proof[Any, Any] = Proof.__new__(Proof)
        proof._before, proof._after, proof._schema = shown.root, after, schema
        proof._state, proof._shown, proof._raw = None, shown, raw
        return proof

    @property
    def before(self) -> KindedHash:
        """The root that the run starts from, as the proof claims: it is for the caller to trust it or not."""
        return self._before

    @property
    def after(self) -> KindedHash:
        """The root of the tree that the run gives."""
        return self._after

    @property
    def state(self) -> State[C, M]:
        """What is shown of the tree before."""
        state = self._state
        if state is None:
            assert self._shown is not None
            state = self._state = form_of(self._schema).state(self._schema, self._shown)
        return state

    @property
    def schema(self) -> Schema[C, M]:
        """What the hashes of the proof depend on."""
        return self._schema

    def shown(self, limits: Limits = DEFAULT) -> Shown:
        """What is shown, hashed and checked; ProofMismatch where `state` breaks a rule of the format.

        Cost: nothing if the proof was decoded or produced here, else in proportion to its size.
        """
        shown = self._shown
        if shown is None:
            shown = self._shown = form_of(self._schema).load(self._schema, self._state, limits)
        return shown

    # -- bytes and JSON ----------------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """The canonical bytes (docs/formats/proof.md). ProofMismatch if `before` is not the hash of `state`."""
        raw = self._raw
        if raw is None:
            shown = self.shown(_UNBOUNDED)
            if shown.root != self._before:
                raise ProofMismatch("root mismatch: `before` is not the hash of the state", "before")
            raw = self._raw = form_of(self._schema).encode(self._schema, shown, self._after, _UNBOUNDED)
        return raw

    @staticmethod
    def from_bytes(data: bytes, schema: Schema[C2, M2], limits: Limits = DEFAULT) -> Proof[C2, M2]:
        """The proof with the canonical bytes `data`; BadProof for all other bytes, and beyond `limits`.

        What the proof shows is hashed and checked; whether its root is the right one is for `verify_proof`.
        """
        shown, after = form_of(schema).decode(data, schema, limits)
        # What was read in Irmin's other form is written in the one that we make.
        return Proof.of_shown(schema, shown, after, None if shown.apart else data)

    def to_json(self) -> dict[str, Any]:
        """The proof in JSON (docs/formats/proof.md)."""
        return form_of(self._schema).to_json(self._schema, self._before, self._after, self.state)

    @staticmethod
    def from_json(obj: object, schema: Schema[C2, M2]) -> Proof[C2, M2]:
        """The proof that `to_json` turned into `obj`; BadProof for anything else."""
        before, after, state = form_of(schema).of_json(schema, obj)
        return Proof(before, after, state, schema)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Proof):
            return NotImplemented
        proof: Proof[Any, Any] = other  # pyright: ignore[reportUnknownVariableType]
        return self is proof or (
            self._before == proof._before
            and self._after == proof._after
            and self._schema == proof._schema
            and self.state == proof.state
        )

    def __hash__(self) -> int:
        return hash((self._before, self._after))

    def __repr__(self) -> str:
        before, after = self._before.hash.hex()[:10], self._after.hash.hex()[:10]
        return f"<Proof {before} -> {after}>"


def hash_of_proof_state(state: State[C, M], schema: Schema[C, M]) -> KindedHash:
    """The root hash of `state`, with its kind and metadata; ProofMismatch if it breaks a rule of the format."""
    return form_of(schema).load(schema, state, _UNBOUNDED).root
