"""What the compiled core does with the nodes of a proof, and with those below a large directory: the functions by name.

They have no answer here. Who asks does the same node by node: `irminpy.proof.compact` and `irminpy.shape`, which raise
typed errors and know what a node is. As `_core`, this imports nothing of the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bucket_of", "read_nodes", "write_nodes"]


def bucket_of(
    record: Any, key: bytes, width: int, load: Callable[[bytes], Any], flat: type[Any], inner: type[Any], /
) -> Any:
    """The record that a step with the hash `key` belongs to, from `record` of the class `inner` down, or None.

    Digits have `width` bits, `load` gives the record with a hash. It ends early, here at once, at a record that it
    knows nothing of, or whose child is not what it says: `irminpy.shape.place_of` goes on from there.
    """
    return record


def read_nodes(
    data: bytes,
    at: int,
    fanout: int,
    leaf: int,
    levels: int,
    empty: bytes,
    depth: int,
    room: int,
    objects: int,
    longest: int,
    flat: type[Any],
    inner: type[Any],
    /,
) -> tuple[int, bytes, dict[bytes, Any], dict[bytes, bytes], int] | None:
    """What the nodes of a tree proof show, which begin at the byte `at` of `data`, hashed by BLAKE3 and checked.

    (where they end, hash of the first node, hash to node from the last to the first, hash to value in their order,
    whether a hash that is blinded is that of something revealed). Nodes are named tuples of the classes `flat` and
    `inner`. The other numbers are the parameters of the format and the limits of the proof. None where this function
    has no answer, because something is wrong or unusual, or always, as here: `irminpy.proof.compact` does the
    same node by node, and says what is wrong and where.
    """
    return None


def write_nodes(
    root: bytes,
    nodes: dict[bytes, Any],
    contents: dict[bytes, bytes],
    fanout: int,
    flat: type[Any],
    inner: type[Any],
    /,
) -> bytes | None:
    """The bytes of `nodes`, by hash, as a tree proof of `root` has them, and of `contents`; None as `read_nodes`."""
    return None
