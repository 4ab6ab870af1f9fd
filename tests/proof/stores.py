"""Stores and trees for tests of proofs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irminpy
from irminpy import Hash, Proof, Schema, Store, Tree
from irminpy.contents import String
from irminpy.formats import Native
from irminpy.metadata import Own

Computation = Callable[[Tree[Any, Any]], tuple[Tree[Any, Any], Any]]

SCHEMA = Schema(String())
SMALL = Schema(String(), format=Native(fanout=2, leaf=2))
"""Directories of more than two entries are trees of nodes."""


def _mode(data: bytes) -> int:
    if len(data) != 1:
        raise irminpy.DecodeError("mode", "one byte is expected")
    return data[0]


MODES = Schema(
    String(),
    metadata=Own("mode/1", 0, lambda mode: bytes([mode]), _mode, lambda old, ours, theirs: ours),
    format=Native(fanout=2, leaf=2),
)


def store_of(bindings: dict[str, Any], schema: Schema[Any, Any] = SMALL) -> Store[Any, Any]:
    """A store whose head binds `bindings`: a value, or a value and its metadata."""
    main = irminpy.open("mem:", schema).main()
    editor = Tree.empty(schema).edit()
    for path, value in bindings.items():
        if isinstance(value, tuple):
            editor.add(path, value[0], metadata=value[1])  # pyright: ignore[reportUnknownArgumentType]
        else:
            editor.add(path, value)
    main.set_tree((), editor.tree(), message="all", date=0)
    return main


def root_of(main: Store[Any, Any]) -> Hash:
    """What a client of `main` trusts."""
    return main.head().tree_hash


def carried(proof: Proof[Any, Any], schema: Schema[Any, Any] = SMALL) -> Proof[Any, Any]:
    """`proof` as somebody else gets it."""
    return Proof.from_bytes(proof.to_bytes(), schema)


def checked(main: Store[Any, Any], f: Computation) -> tuple[Tree[Any, Any], Any, Proof[Any, Any]]:
    """What `f` gives where only its proof is; the same as on the store."""
    proof, result = main.produce_proof(f)
    tree, again = irminpy.verify_proof(carried(proof, proof.schema), f, proof.schema, root=root_of(main))
    assert again == result
    assert tree.kinded_hash() == proof.after
    return tree, again, proof
