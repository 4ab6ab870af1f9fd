"""The constructors of Irmin's tree proofs: by their names, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from ..types import (
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

__all__ = ["BUCKET", "CHAIN", "FLAT", "INNER", "TREE", "made"]

Class = type[Part]

TREE: Final[dict[str, Class]] = {
    "Contents": Contents,
    "Blinded_contents": BlindedContents,
    "Node": Node,
    "Blinded_node": BlindedNode,
    "Inode": Inode,
    "Extender": Extender,
}
"""What stands at the root, or where a directory binds something."""
BUCKET: Final[dict[str, Class]] = {
    "Blinded_inode": BlindedInode,
    "Inode_values": InodeValues,
    "Inode_tree": InodeTree,
    "Inode_extender": InodeExtender,
}
"""What stands where an inode has a bucket."""
FLAT: Final[tuple[Class, ...]] = (Node, InodeValues)
INNER: Final[tuple[Class, ...]] = (Inode, InodeTree)
CHAIN: Final[tuple[Class, ...]] = (Extender, InodeExtender)


def made(cls: Class, head: tuple[Any, ...], labels: Sequence[Any], children: Sequence[Part]) -> Part:
    """The part of a class of `FLAT`, `INNER` or `CHAIN`: `head` are its fields before its parts."""
    make = cast("Any", cls)
    part: Part = make(*head, children[0] if cls in CHAIN else tuple(zip(labels, children, strict=True)))
    return part
