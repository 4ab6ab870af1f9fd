"""Irmin's JSON of tree proofs: the constructors by their names, one inside the other. No recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...errors import BadProof
from ...repr.base import is_dict, is_list
from ..types import BlindedContents, BlindedInode, BlindedNode, Contents, Part
from .parts import BUCKET, CHAIN, FLAT, INNER, TREE, made

if TYPE_CHECKING:
    from .fields import Fields

__all__ = [
    "int_of_json",
    "list_of_json",
    "members_of_json",
    "pair_of_json",
    "state_of_json",
    "state_to_json",
]

_NAMES = {cls: name for group in (TREE, BUCKET) for name, cls in group.items()}


def state_to_json(fields: Fields, state: Part) -> Any:
    """Irmin's JSON of `state`."""
    whole: list[Any] = [None]
    stack: list[tuple[Any, Any, Any]] = [(state, whole, 0)]
    while stack:
        part, into, at = stack.pop()
        cls = cast("type[Part]", type(part))
        name = _NAMES[cls]
        rows: list[Any] = []
        if cls in FLAT:
            into[at] = {name: rows}
            for step, child in part.entries:
                rows.append([fields.step_to_json(step), None])
                stack.append((child, rows[-1], 1))
        elif cls in INNER:
            into[at] = {name: {"length": part.length, "proofs": rows}}
            for index, child in part.proofs:
                rows.append([index, None])
                stack.append((child, rows[-1], 1))
        elif cls in CHAIN:
            chain = {"length": part.length, "segments": list(part.segments), "proof": None}
            into[at] = {name: chain}
            stack.append((part.proof, chain, "proof"))
        elif cls is Contents:
            into[at] = {name: [fields.contents_to_json(part.value), fields.metadata_to_json(part.metadata)]}
        elif cls is BlindedContents:
            into[at] = {name: [fields.hash_to_json(part.hash), fields.metadata_to_json(part.metadata)]}
        else:
            into[at] = {name: fields.hash_to_json(part.hash)}
    return whole[0]


class _Item:
    """A part whose parts are not made yet."""

    __slots__ = ("at", "children", "cls", "head", "labels", "parent")

    def __init__(
        self, cls: type[Part], head: tuple[Any, ...], labels: list[Any], parent: int, at: int
    ) -> None:
        self.cls = cls
        self.head = head
        self.labels = labels
        self.children: list[Any] = [None] * len(labels)
        self.parent = parent
        self.at = at


def state_of_json(fields: Fields, obj: object) -> Part:
    """The state that `state_to_json` turned into `obj`; BadProof for anything else."""
    items: list[_Item] = []
    # What is read, whether it is a bucket, the part that it belongs to, and which of its parts it is.
    stack: list[tuple[object, bool, int, int]] = [(obj, False, -1, 0)]
    while stack:
        value, bucket, parent, at = stack.pop()
        name, body = _case(value)
        cls = (BUCKET if bucket else TREE).get(name)
        if cls is None:
            raise BadProof(f"{name!r:.80} is no {'bucket' if bucket else 'part'} of a tree", "state")
        number = len(items)
        if cls in FLAT or cls in INNER:
            head, rows = ((), body) if cls in FLAT else _inner(body)
            labels: list[Any] = []
            for i, row in enumerate(list_of_json(rows)):
                label, child = pair_of_json(row)
                labels.append(fields.step_of_json(label) if cls in FLAT else int_of_json(label))
                stack.append((child, cls in INNER, number, i))
            items.append(_Item(cls, head, labels, parent, at))
            continue
        if cls in CHAIN:
            chain = members_of_json(body, ("length", "segments", "proof"))
            segments = tuple([int_of_json(segment) for segment in list_of_json(chain["segments"])])
            items.append(_Item(cls, (int_of_json(chain["length"]), segments), [None], parent, at))
            stack.append((chain["proof"], True, number, 0))
            continue
        part = _leaf(fields, cls, body)
        if parent < 0:
            return part
        items[parent].children[at] = part
    for item in reversed(items):
        part = made(item.cls, item.head, item.labels, item.children)
        if item.parent < 0:
            return part
        items[item.parent].children[item.at] = part
    raise BadProof("it shows nothing", "state")


def _leaf(fields: Fields, cls: type[Part], body: object) -> Part:
    if cls is Contents:
        value, metadata = pair_of_json(body)
        return Contents(fields.contents_of_json(value), fields.metadata_of_json(metadata))
    if cls is BlindedContents:
        hash_, metadata = pair_of_json(body)
        return BlindedContents(fields.hash_of_json(hash_), fields.metadata_of_json(metadata))
    return (BlindedNode if cls is BlindedNode else BlindedInode)(fields.hash_of_json(body))


def _case(value: object) -> tuple[str, object]:
    if not is_dict(value) or len(value) != 1:
        raise BadProof(f"a part is expected, an object of one member, not {type(value).__name__}", "state")
    ((name, body),) = value.items()
    return name, body


def _inner(body: object) -> tuple[tuple[int], object]:
    members = members_of_json(body, ("length", "proofs"))
    return (int_of_json(members["length"]),), members["proofs"]


def members_of_json(body: object, names: tuple[str, ...]) -> dict[str, Any]:
    """`body` as an object with exactly these members; BadProof for anything else."""
    if not is_dict(body) or body.keys() != set(names):
        raise BadProof(f"an object of {', '.join(names)} is expected", "state")
    return body


def list_of_json(value: object) -> list[Any]:
    """`value` as a list; BadProof for anything else."""
    if not is_list(value):
        raise BadProof(f"a list is expected, not {type(value).__name__}", "state")
    return value


def pair_of_json(value: object) -> tuple[Any, Any]:
    """`value` as a list of two; BadProof for anything else."""
    pair = list_of_json(value)
    if len(pair) != 2:
        raise BadProof("a list of two is expected", "state")
    return cast("tuple[Any, Any]", tuple(pair))


def int_of_json(value: object) -> int:
    """`value` as a whole number; BadProof for anything else."""
    if type(value) is not int:
        raise BadProof(f"a number is expected, not {value!r:.80}", "state")
    return value
