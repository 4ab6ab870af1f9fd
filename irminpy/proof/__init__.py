"""Proofs: what a function does with a tree, shown to somebody who holds only the root hash.

`store.produce_proof(f)` runs a function and gives the parts of the tree that it read; `verify_proof` runs it again on
nothing but these. A tree proof shows a part of the tree, in no order; a stream proof the objects in the order of the
reads. The bytes are in docs/formats/proof.md.
"""

from .limits import Limits
from .proof import Proof, hash_of_proof_state
from .stream import StreamProof
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
)
from .verify import to_tree, verify_proof, verify_stream

__all__ = [
    "BlindedContents",
    "BlindedInode",
    "BlindedNode",
    "Contents",
    "Extender",
    "Inode",
    "InodeExtender",
    "InodeTree",
    "InodeValues",
    "Limits",
    "Node",
    "Proof",
    "StreamProof",
    "hash_of_proof_state",
    "to_tree",
    "verify_proof",
    "verify_stream",
]
