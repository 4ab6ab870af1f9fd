"""The bytes of the states of Irmin's tree proofs, as the repr library writes them (docs/formats/irmin-proof.md).

No recursion, so that a proof may be as deep as the limits allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...repr import varint
from ..limits import MIB
from ..types import BlindedContents, BlindedInode, BlindedNode, Contents, Extender, Part
from .parts import BUCKET, CHAIN, FLAT, INNER, TREE, made

if TYPE_CHECKING:
    from ..limits import Limits
    from .fields import Fields, Input

__all__ = ["Size", "read_state", "size_of", "state_bytes"]

_TREE, _BUCKET = tuple(TREE.values()), tuple(BUCKET.values())
_TAGS: dict[type[Part], bytes] = {cls: varint(n) for group in (_TREE, _BUCKET) for n, cls in enumerate(group)}


def _leaf(fields: Fields, part: Any) -> bytes:
    if type(part) is Contents:
        return fields.contents(part.value) + fields.metadata(part.metadata)
    hash_: bytes = part.hash
    return hash_ + fields.metadata(part.metadata) if type(part) is BlindedContents else hash_


def _pairs(part: Any) -> tuple[tuple[Any, Part], ...]:
    """The labels and the parts of a part that has some; a chain has one, without a label."""
    cls = cast("type[Part]", type(part))
    pairs: tuple[tuple[Any, Part], ...] = ()
    if cls in FLAT:
        pairs = part.entries
    elif cls in INNER:
        pairs = part.proofs
    elif cls in CHAIN:
        pairs = ((None, part.proof),)
    return pairs


def _head(part: Any) -> bytes:
    """What comes before the first part of a part."""
    cls = cast("type[Part]", type(part))
    if cls in FLAT:
        return varint(len(part.entries))
    if cls in INNER:
        return varint(part.length) + varint(len(part.proofs))
    return varint(part.length) + varint(len(part.segments)) + b"".join(map(varint, part.segments))


def _label(fields: Fields, part: Part, label: Any) -> bytes:
    if type(part) in FLAT:
        return fields.step(label)
    return varint(label) if type(part) in INNER else b""


def state_bytes(fields: Fields, state: Part) -> bytes:
    """The bytes of `state`, whose fields are right. Cost: in proportion to them, see `size_of`."""
    out: list[bytes] = []
    stack: list[Part | bytes] = [state]
    while stack:
        item = stack.pop()
        if type(item) is bytes:
            out.append(item)
            continue
        part = cast("Part", item)
        out.append(_TAGS[type(part)])
        pairs = _pairs(part)
        if not pairs and type(part) not in (*FLAT, *INNER):
            out.append(_leaf(fields, part))
            continue
        out.append(_head(part))
        for label, child in reversed(pairs):
            stack.append(child)
            stack.append(_label(fields, part, label))
    return b"".join(out)


class Size:
    """How much a state shows when it is written out, where one part may stand at many places."""

    __slots__ = ("bytes", "depth", "nodes", "values")

    def __init__(self) -> None:
        self.bytes = 0
        self.nodes = 0
        self.values = 0
        self.depth = 0
        """Directories below each other, itself included."""


def size_of(fields: Fields, state: Part) -> Size:
    """The size of `state`. Cost: in proportion to the parts that are different objects."""
    known: dict[int, Size] = {}
    stack: list[Part] = [state]
    while stack:
        part = stack[-1]
        if id(part) in known:
            stack.pop()
            continue
        pairs = _pairs(part)
        waits = [child for _, child in pairs if id(child) not in known]
        if waits:
            stack += waits
            continue
        stack.pop()
        size = known[id(part)] = Size()
        cls = type(part)
        size.bytes = 1
        if not pairs and cls not in (*FLAT, *INNER):
            size.bytes += len(_leaf(fields, part))
            size.values = cls is Contents
            continue
        size.bytes += len(_head(part))
        size.nodes = len(cast("Extender[Any, Any]", part).segments) if cls in CHAIN else 1
        for label, child in pairs:
            below = known[id(child)]
            size.bytes += len(_label(fields, part, label)) + below.bytes
            size.nodes += below.nodes
            size.values += below.values
            size.depth = max(size.depth, below.depth)
        size.depth += cls in FLAT
    return known[id(state)]


# -- reading -------------------------------------------------------------------------------------------------


class _Frame:
    """A part whose parts are being read."""

    __slots__ = ("children", "cls", "flat", "head", "labels", "left", "level")

    def __init__(self, cls: type[Part], head: tuple[Any, ...], left: int, level: int) -> None:
        self.cls = cls
        self.flat = cls in FLAT
        self.head = head
        self.left = left
        self.level = level
        """Inner nodes of the directory above it, itself included."""
        self.labels: list[Any] = []
        self.children: list[Part] = []


def read_state(source: Input, fields: Fields, levels: int, limits: Limits) -> Part:
    """The state that begins where `source` is; BadProof if there is none, and beyond `limits`.

    What the parts say is not looked at, only how they are written.
    """
    room = limits.density * -(-len(source.data) // MIB)
    nodes = values = above = 0
    frames: list[_Frame] = []
    while True:
        start = source.at
        top = frames[-1] if frames else None
        in_bucket = top is not None and not top.flat
        if in_bucket:
            cls = _BUCKET[source.tag(len(_BUCKET) - 1, "a bucket")]
        else:
            cls = _TREE[source.tag(len(_TREE) - 1, "a part")]
        part: Part | None = None
        frame: _Frame | None = None
        if cls is Contents:
            part = Contents(fields.decoded_contents(source.text(limits.contents)), source.metadata())
            values += 1
        elif cls is BlindedContents:
            part = BlindedContents(source.hash(), source.metadata())
        elif cls is BlindedNode or cls is BlindedInode:
            part = (BlindedNode if cls is BlindedNode else BlindedInode)(source.hash())
        elif cls in FLAT:
            above += 1
            frame = _Frame(cls, (), source.count(2), 0)
            nodes += 1
        else:
            length = source.number()
            n = source.count(2 if cls in INNER else 1)
            inodes = 1 if cls in INNER else max(1, n)
            level = inodes + (top.level if in_bucket and top is not None else 0)
            if level > levels:
                raise source.refuse(f"too deep: an inner node below level {levels - 1}", start)
            nodes += inodes
            if cls in INNER:
                frame = _Frame(cls, (length,), n, level)
            else:
                segments = tuple([source.number() for _ in range(n)])
                frame = _Frame(cls, (length, segments), 1, level)
        if above > limits.depth + 1:
            raise source.refuse(f"too deep: the limit is {limits.depth} directories", start)
        if 4 * nodes + values > room or nodes + values > limits.objects:
            raise source.refuse(
                f"node limit: more than {limits.objects} objects are revealed, or more than "
                f"{limits.density} per MiB, where a node counts as four",
                start,
            )
        if frame is not None:
            frames.append(frame)
            if not frame.left:
                frames.pop()
                above -= frame.flat
                part = made(frame.cls, frame.head, frame.labels, frame.children)
        while part is not None:
            if not frames:
                return part
            top = frames[-1]
            top.children.append(part)
            top.left -= 1
            part = None
            if not top.left:
                frames.pop()
                above -= top.flat
                part = made(top.cls, top.head, top.labels, top.children)
        top = frames[-1]
        if top.flat:
            top.labels.append(source.step())
        elif top.cls in INNER:
            top.labels.append(source.number())
