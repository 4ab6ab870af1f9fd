"""Proofs: what a function does with a tree, shown to somebody who holds only the root hash.

`store.produce_proof(f)` runs a function and gives the parts of the tree that it read; `verify_proof` runs it again on
nothing but these. A tree proof shows a part of the tree, in no order; a stream proof the objects in the order of the
reads. The bytes are in docs/formats/proof.md.
"""

from .commits import VerifiedCommit, verify_commit
from .file import ProofFile
from .jobs import Absence, Page, Read, Transition
from .limits import Limits
from .proof import Proof, hash_of_proof_state
from .question import Question
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
    "Absence",
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
    "Page",
    "Proof",
    "ProofFile",
    "Question",
    "Read",
    "StreamProof",
    "Transition",
    "VerifiedCommit",
    "hash_of_proof_state",
    "to_tree",
    "verify_commit",
    "verify_proof",
    "verify_stream",
]
