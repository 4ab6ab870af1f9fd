"""Between the values of a native proof and the objects that it shows.

`state_of` gives the values; `load` takes them apart, checks them and hashes them. Values may come from anywhere, so
that every field is looked at. No recursion.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..errors import InvalidStep, ProofMismatch
from ..hash import Hash
from ..objects import CONTENTS, CONTENTS_META, DIRECTORY, Node
from .draft import Draft, Flat, Inner, Root, assemble, place_in
from .given import Given
from .limits import Limits
from .shown import Shown, opened
from .types import (
    BlindedContents,
    BlindedInode,
    BlindedNode,
    Contents,
    Extender,
    Inode,
    InodeExtender,
    InodeTree,
    InodeValues,
    Part,
    State,
)
from .types import Node as NodePart

if TYPE_CHECKING:
    from ..schema import Schema

__all__ = ["load", "state_of"]

_MOST = (1 << 63) - 1
_FLAT = (NodePart, InodeValues)
_CONTENTS = (Contents, BlindedContents)
_DIRECTORY = (NodePart, Inode)
_BUCKET = (InodeValues, InodeTree)


def state_of(schema: Schema[Any, Any], shown: Shown) -> State[Any, Any]:
    """What `shown` reveals, as values."""
    codec, contents = schema.codec, schema.contents
    size = codec.hash_size
    root = shown.root

    def metadata(data: bytes | None) -> Any:
        return schema.metadata.default if data is None else schema.metadata.decode(data)

    def contents_part(hash_: bytes, data: bytes | None, revealed: bool) -> State[Any, Any]:
        if not revealed:
            return BlindedContents(Hash(hash_), metadata(data))
        return Contents(contents.decode(shown.contents[hash_]), metadata(data))

    if root.kind == "contents":
        return contents_part(root.hash, root.metadata, root.hash in shown.contents)
    found = opened(root.hash, shown.nodes, shown.contents, size)
    if not found:
        return BlindedNode(root.hash)
    done: list[Any] = []
    for node in reversed(found):
        record, reveals, hashes = node.record, node.reveals, node.record.hashes
        rows: list[tuple[Any, Any]] = []
        bucket = node.parent >= 0 and type(found[node.parent].record) is not Node
        if type(record) is Node:
            for i, step in enumerate(record.index):
                hash_ = hashes[i * size : (i + 1) * size]
                if record.kinds[i] != DIRECTORY:
                    rows.append((step, contents_part(hash_, record.metadata.get(i), bool(reveals[i]))))
                else:
                    rows.append((step, done.pop() if reveals[i] else BlindedNode(Hash(hash_))))
            done.append((InodeValues if bucket else NodePart)(tuple(rows)))
            continue
        for i, digit in enumerate(record.buckets):
            blinded = BlindedInode(Hash(hashes[i * size : (i + 1) * size]), record.counts[i])
            rows.append((digit, done.pop() if reveals[i] else blinded))
        done.append((InodeTree if bucket else Inode)(record.count, tuple(rows)))
    return cast("State[Any, Any]", done[0])


def load(schema: Schema[Any, Any], state: object, limits: Limits) -> Shown:
    """What `state` reveals, hashed and checked; ProofMismatch where it breaks a rule, with the place."""
    return _Loading(schema, limits).run(state)


class _Place(NamedTuple):
    """Where a part stands; as in a draft."""

    parent: int
    at: int
    above: int
    """Directories above it."""
    level: int
    prefix: int


class _Loading:
    """One run of `load`."""

    def __init__(self, schema: Schema[Any, Any], limits: Limits) -> None:
        self.schema = schema
        self.limits = limits
        self.given = Given(schema, limits)
        self.size = schema.codec.hash_size
        self.levels = 8 * self.size // (schema.codec.fanout.bit_length() - 1)
        self.drafts: list[Draft] = []
        self.values: list[bytes] = []
        self.digit = schema.codec.fanout.bit_length() - 1
        self.stack: list[tuple[Any, _Place]] = []
        """What was revealed and not yet looked at."""

    def run(self, state: object) -> Shown:
        """Load `state`."""
        root = self._root(state)
        drafts, limits = self.drafts, self.limits
        while self.stack:
            part, place = self.stack.pop()
            if place.above > limits.depth:
                raise ProofMismatch(
                    f"too deep: the limit is {limits.depth} directories",
                    place_in(drafts, place.parent, place.at),
                )
            if type(part) in _FLAT:
                self._flat(part, place)
            else:
                self._inner(part, place)
            if len(drafts) + len(self.stack) + len(self.values) > limits.objects:
                raise ProofMismatch(f"node limit: more than {limits.objects} objects are revealed")
        shown, shared = assemble(self.schema, root, drafts, self.values)
        if shared and state_of(self.schema, shown) != state:
            raise ProofMismatch(
                "inconsistent sharing: a part is not revealed at the first place that leads to it"
            )
        return shown

    def _root(self, given: object) -> Root:
        state: Any = given
        if type(state) in _CONTENTS:
            metadata = self.given.metadata(state.metadata, "/")
            if type(state) is BlindedContents:
                return Root(True, self.given.hash(state.hash, "/"), metadata)
            self.values.append(self.given.value(state.value, "/"))
            return Root(True, None, metadata)
        if type(state) is BlindedNode:
            hash_ = self.given.hash(state.hash, "/")
            if hash_ == self.schema.codec.empty:
                raise ProofMismatch("not canonical: the empty directory is blinded", "/")
            return Root(False, hash_, None)
        if not isinstance(state, Part):
            raise TypeError(f"the state of a proof is expected, not {type(state).__name__}")
        if type(state) not in _DIRECTORY:
            raise self._wrong(state, "the root", "/")
        self.stack.append((state, _Place(-1, 0, 0, 0, 0)))
        return Root(False, None, None)

    def _wrong(self, part: object, what: str, place: str) -> ProofMismatch:
        if isinstance(part, Extender | InodeExtender):
            reason = "not canonical: the native format has no extenders"
        else:
            reason = f"kind mismatch: {type(part).__name__} in the place of {what}"
        return ProofMismatch(reason, place)

    def _flat(self, part: Any, stands: _Place) -> None:
        steps: list[str] = []
        kinds, reveals, hashes = bytearray(), bytearray(), bytearray()
        metadata: dict[int, bytes] = {}
        values = len(self.values)
        below: list[tuple[Any, _Place]] = []
        number = len(self.drafts)
        parent, at, above, level, prefix = stands
        here = place_in(self.drafts, parent, at)
        for i, row in enumerate(_rows(part.entries, here)):
            step, child = row
            place = f"{here.rstrip('/')}/{step!s:.80}"
            try:
                self.schema.codec.steps((cast("str", step),))
            except (InvalidStep, TypeError) as e:
                raise ProofMismatch(f"bad step: {e}", place) from None
            steps.append(cast("str", step))
            kind = cast("type[object]", type(child))
            if kind in _CONTENTS:
                data = self.given.metadata(child.metadata, place)
                if data is not None:
                    metadata[i] = data
                kinds.append(CONTENTS if data is None else CONTENTS_META)
                if kind is Contents:
                    self.values.append(self.given.value(child.value, place))
                    reveals.append(1)
                else:
                    hashes += self.given.hash(child.hash, place)
                    reveals.append(0)
            else:
                kinds.append(DIRECTORY)
                if kind is BlindedNode:
                    hashes += self.given.hash(child.hash, place)
                    reveals.append(0)
                elif kind in _DIRECTORY:
                    reveals.append(1)
                    below.append((child, _Place(number, i, above + 1, 0, 0)))
                else:
                    raise self._wrong(child, "an entry", place)
        _ascending(steps, here, "entry", self.schema.codec.order)
        if level and not steps:
            raise ProofMismatch("empty bucket", here)
        if len(steps) > self.schema.codec.leaf:
            reason = f"too many values: {len(steps)} in one flat object; not canonical shape"
            raise ProofMismatch(reason, here)
        self.drafts.append(
            Flat(
                parent,
                at,
                level,
                prefix,
                steps,
                bytes(kinds),
                bytes(reveals),
                bytes(hashes),
                metadata,
                values,
            )
        )
        self.stack.extend(reversed(below))

    def _inner(self, part: Any, stands: _Place) -> None:
        parent, at, above, level, prefix = stands
        here = place_in(self.drafts, parent, at)
        if level >= self.levels or self.schema.codec.leaf >= _MOST:
            raise ProofMismatch(f"too deep: an inner node at level {level}", here)
        length: object = part.length
        if type(length) is not int or not 0 < length <= _MOST:
            raise ProofMismatch(f"bad length: {length!r:.40}", here)
        digits: list[int] = []
        reveals, hashes = bytearray(), bytearray()
        counts: list[int] = []
        below: list[tuple[Any, _Place]] = []
        number = len(self.drafts)
        for i, (digit, child) in enumerate(_rows(part.proofs, here)):
            if type(digit) is not int or not 0 <= digit < self.schema.codec.fanout:
                raise ProofMismatch(f"index out of range: {digit!r:.40}", here)
            digits.append(digit)
            if type(child) is BlindedInode:
                count: object = child.length
                if type(count) is not int or not 0 < count <= _MOST:
                    raise ProofMismatch(f"bad length: {count!r:.40} of a bucket", here)
                counts.append(count)
                hashes += self.given.hash(child.hash, here)
                reveals.append(0)
            elif type(child) in _BUCKET:
                reveals.append(1)
                digits_here = prefix << self.digit | digit
                below.append((child, _Place(number, i, above, level + 1, digits_here)))
            else:
                raise self._wrong(child, "a bucket", here)
        if not digits:
            raise ProofMismatch("empty inode", here)
        _ascending(digits, here, "index", None)
        self.drafts.append(
            Inner(parent, at, level, prefix, bytes(digits), bytes(reveals), bytes(hashes), counts, length)
        )
        self.stack.extend(reversed(below))


def _rows(rows: object, place: str) -> list[tuple[Any, Any]]:
    if not isinstance(rows, tuple):
        raise ProofMismatch("a tuple of pairs is expected", place)
    found: list[tuple[Any, Any]] = []
    for row in cast("tuple[object, ...]", rows):
        if not isinstance(row, tuple) or len(cast("tuple[object, ...]", row)) != 2:
            raise ProofMismatch("a tuple of pairs is expected", place)
        found.append(cast("tuple[Any, Any]", row))
    return found


def _ascending(labels: list[Any], place: str, what: str, order: Any) -> None:
    for a, b in pairwise(labels):
        if a == b:
            raise ProofMismatch(f"duplicate {what}: {a!r:.80}", place)
        if (order(a) > order(b)) if order is not None else a > b:
            raise ProofMismatch(f"unsorted: {b!r:.80} comes after {a!r:.80}", place)
