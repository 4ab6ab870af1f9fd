"""Proofs as JSON: the same values, for people and for programs without the codec.

Nodes are not nested but listed in pre-order, the root first, and referred to by their number in the list: JSON readers
have limits of depth. Hashes and metadata are hexadecimal digits, values base64.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from ..errors import BadProof, DecodeError, InvalidHash
from ..hash import Hash
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
    Node,
    Part,
)

if TYPE_CHECKING:
    from ..schema import Schema

__all__ = ["is_list", "state_of_json", "state_to_json"]

_FLAT: dict[type[Part], str] = {Node: "node", InodeValues: "inode_values"}
_INNER: dict[type[Part], str] = {Inode: "inode", InodeTree: "inode_tree"}
_CHAIN: dict[type[Part], str] = {Extender: "extender", InodeExtender: "inode_extender"}
_BY_NAME: dict[str, Any] = {name: cls for group in (_FLAT, _INNER, _CHAIN) for cls, name in group.items()}


def state_to_json(schema: Schema[Any, Any], state: Part) -> list[Any]:
    """The parts of `state` that have parts of their own, in pre-order, each with the numbers of these; or `state`."""
    out: list[Any] = []
    stack: list[tuple[Part, list[Any] | None]] = [(state, None)]
    while stack:
        part, row = stack.pop()
        if row is not None:
            row[1] = len(out)
        below: list[tuple[Part, list[Any] | None]] = []
        rows: list[Any] = []
        kind = type(part)
        if kind in _CHAIN:
            chain = cast("Extender[Any, Any]", part)
            fields = {"length": chain.length, "segments": [*chain.segments], "proofs": rows}
            out.append({_CHAIN[kind]: fields})
            pairs: tuple[tuple[Any, Part], ...] = ((0, chain.proof),)
        elif kind in _FLAT:
            out.append({_FLAT[kind]: rows})
            pairs = cast("Node[Any, Any]", part).entries
        elif kind in _INNER:
            inode = cast("Inode[Any, Any]", part)
            out.append({_INNER[kind]: {"length": inode.length, "proofs": rows}})
            pairs = inode.proofs
        else:
            out.append(_leaf_to_json(schema, part))
            continue
        for label, child in pairs:
            leaf = isinstance(child, Contents | BlindedContents | BlindedNode | BlindedInode)
            pair: list[Any] = [label, _leaf_to_json(schema, child) if leaf else None]
            rows.append(pair)
            if not leaf:
                below.append((child, pair))
        stack.extend(reversed(below))
    return out


def _leaf_to_json(schema: Schema[Any, Any], part: Part) -> dict[str, Any]:
    if isinstance(part, BlindedNode):
        return {"blinded_node": part.hash.hex()}
    if isinstance(part, BlindedInode):
        out: dict[str, Any] = {"blinded_inode": part.hash.hex()}
        return out if part.length is None else {**out, "length": part.length}
    contents: Any = part
    if type(contents) is BlindedContents:
        out = {"blinded_contents": contents.hash.hex()}
    elif type(contents) is Contents:
        out = {"contents": b64encode(schema.contents.encode(contents.value)).decode()}
    else:
        raise TypeError(f"a part of a proof is expected, not {type(part).__name__}")
    kind = schema.metadata
    data = kind.encode(contents.metadata)
    return out if data == kind.encode(kind.default) else {**out, "metadata": data.hex()}


def state_of_json(schema: Schema[Any, Any], obj: object) -> Part:
    """The state that `state_to_json` turned into `obj`; BadProof for anything else that shows."""
    rows = obj if is_list(obj) else []
    if not rows:
        raise BadProof("the state is a list of parts")
    built: dict[int, Part] = {}
    for number in range(len(rows) - 1, -1, -1):
        built[number] = _part(schema, rows[number], number, built)
    if len(built) != 1:
        raise BadProof("a part that nothing refers to", "state")
    return built[0]


def _part(schema: Schema[Any, Any], obj: object, number: int, built: dict[int, Part]) -> Part:
    place = f"state[{number}]"
    fields = _object(obj, place)
    ((name, body),) = fields.items() if len(fields) == 1 else ((None, None),)
    cls = None if name is None else _BY_NAME.get(name)
    if cls is None:
        return _leaf(schema, fields, place)
    if cls in _FLAT:
        return cast("Part", cls(tuple(_pairs(schema, body, place, built))))
    inner = _object(body, place)
    chain = cls in _CHAIN
    if inner.keys() != ({"length", "segments", "proofs"} if chain else {"length", "proofs"}):
        raise BadProof("an unknown or a missing member", place)
    proofs = tuple(_pairs(schema, inner["proofs"], place, built))
    if not chain:
        return cast("Part", cls(inner["length"], proofs))
    segments: object = inner["segments"]
    if not is_list(segments) or len(proofs) != 1 or proofs[0][0] != 0:
        raise BadProof("an extender has segments and one part", place)
    return cast("Part", cls(inner["length"], tuple(segments), proofs[0][1]))


def _pairs(
    schema: Schema[Any, Any], obj: object, place: str, built: dict[int, Part]
) -> list[tuple[Any, Part]]:
    if not is_list(obj):
        raise BadProof("a list of pairs is expected", place)
    pairs: list[tuple[Any, Part]] = []
    for row in obj:
        pair = row if is_list(row) else []
        if len(pair) != 2:
            raise BadProof("a list of pairs is expected", place)
        label, child = pair
        if type(child) is int:
            # Each part belongs to one place: it is gone once it was taken.
            part = built.pop(child, None)
            if part is None:
                raise BadProof(f"part {child} is none that comes later, or is taken twice", place)
        else:
            part = _leaf(schema, _object(child, place), place)
        pairs.append((label, part))
    return pairs


def _leaf(schema: Schema[Any, Any], fields: dict[str, Any], place: str) -> Part:
    for name in ("blinded_node", "blinded_inode", "blinded_contents", "contents"):
        if name not in fields:
            continue
        rest = dict(fields)
        text = rest.pop(name)
        length = rest.pop("length", None) if name == "blinded_inode" else None
        encoded = rest.pop("metadata", None) if name.endswith("contents") else None
        if rest:
            raise BadProof("an unknown member", place)
        try:
            if name == "blinded_node":
                return BlindedNode(Hash.from_json(text))
            if name == "blinded_inode":
                return BlindedInode(Hash.from_json(text), length)
            kind = schema.metadata
            metadata = kind.default if encoded is None else kind.decode(bytes(Hash.from_json(encoded)))
            if name == "blinded_contents":
                return BlindedContents(Hash.from_json(text), metadata)
            return Contents(schema.contents.decode(b64decode(text, validate=True)), metadata)
        except (InvalidHash, DecodeError, TypeError, ValueError) as e:
            raise BadProof(f"{name}: {e}", place) from e
    raise BadProof(f"an unknown part: {brief(fields)}", place)


def is_list(obj: object) -> TypeGuard[list[Any]]:
    """Whether `obj` is a list, of whatever."""
    return isinstance(obj, list)


def _object(obj: object, place: str) -> dict[str, Any]:
    if not isinstance(obj, dict):
        raise BadProof("a JSON object is expected", place)
    return cast("dict[str, Any]", obj)
