"""A proof in a file, with the question that it answers and the commit that has its root (docs/formats/proof.md, 8)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, final

from ..errors import BadProof, InvalidStep
from ..hash import Hash
from ..key import KindedHash
from ..schema import Schema
from .commits import verify_commit
from .limits import DEFAULT, Limits
from .proof import Proof
from .question import Question
from .stream import StreamProof
from .verify import verify_proof, verify_stream

__all__ = ["ProofFile"]

_HEAD = b"\x89ipa"
_TREE, _STREAM = b"\1", b"\2"
_QUESTION = 1 << 20  # bytes
_COMMIT = 16 << 20  # bytes


@final
@dataclass(frozen=True, slots=True)
class ProofFile:
    """`ProofFile(question, commit, proof)`: a question, the bytes of a commit, and those of the proof that answers it.

    `stream`: the proof is a stream proof.
    Nothing in it is to be trusted before `verify` gave an answer.
    """

    question: Question
    commit: bytes
    proof: bytes
    stream: bool = False

    def to_bytes(self) -> bytes:
        """The bytes of the file. BadProof if the question is longer than a reader takes."""
        question = json.dumps(self.question.json, ensure_ascii=False).encode()
        if len(question) > _QUESTION:
            raise BadProof(
                f"a question of {len(question)} bytes, the limit is {_QUESTION}: ask for less at once"
            )
        lengths = len(question).to_bytes(4, "big") + len(self.commit).to_bytes(4, "big")
        head = _HEAD + (_STREAM if self.stream else _TREE)
        return b"".join((head, lengths, question, self.commit, self.proof))

    @staticmethod
    def from_bytes(data: bytes) -> ProofFile:
        """The file with the bytes `data`; BadProof for bytes that are none. The proof itself is not looked at."""
        kind = data[4:5]
        if not data.startswith(_HEAD) or kind not in (_TREE, _STREAM):
            raise BadProof(
                f"unknown tag: a file of a proof begins with {_HEAD.hex()}, then 01 or 02, not {data[:5].hex()}",
                "byte 0",
            )
        asked, commit = int.from_bytes(data[5:9], "big"), int.from_bytes(data[9:13], "big")
        if asked > _QUESTION or commit > _COMMIT:
            raise BadProof(
                f"a question of {asked} bytes and a commit of {commit}, which is too much", "byte 5"
            )
        if len(data) < 13 + asked + commit:
            raise BadProof(
                f"truncated: {13 + asked + commit} bytes and a proof are claimed, {len(data)} are there"
            )
        try:
            question = Question(json.loads(data[13 : 13 + asked].decode()))
        except (ValueError, RecursionError) as e:  # no UTF-8, no JSON, no question
            raise BadProof(f"its question cannot be read: {e}", "byte 13") from e
        if "transition" in question.json:
            raise BadProof("a transition is no question of a file", "byte 13")
        at = 13 + asked
        return ProofFile(question, data[at : at + commit], data[at + commit :], kind == _STREAM)

    def claims(
        self, schema: Schema[Any, Any], limits: Limits = DEFAULT
    ) -> Proof[Any, Any] | StreamProof[Any, Any]:
        """The proof, as it was written, not verified; BadProof for bytes that are none."""
        cls = StreamProof if self.stream else Proof
        return cls.from_bytes(self.proof, schema, limits)

    def verify(
        self,
        schema: Schema[Any, Any],
        *,
        root: bytes | None = None,
        commit: bytes | None = None,
        limits: Limits = DEFAULT,
    ) -> tuple[Hash, Any]:
        """(root, answer): the answer to `question`, in JSON, that every tree with this root gives.

        The caller trusts `root`, the hash of a directory, or `commit`, the hash of a commit; exactly one of them is
        given. Raises as `verify_proof` and `verify_commit`; BadProof for a path that the schema's format refuses.
        """
        if (root is None) is (commit is None):
            raise TypeError("either root or commit is the hash that you trust")
        trusted = (
            verify_commit(self.commit, schema, hash=commit).tree_hash
            if root is None and commit is not None
            else root
        )
        assert trusted is not None
        kinded = KindedHash("node", Hash.of_bytes(bytes(trusted), schema.codec.hash_size))
        proof = self.claims(schema, limits)
        try:
            if isinstance(proof, StreamProof):
                _, answer = verify_stream(proof, self.question, schema, root=kinded, limits=limits)
            else:
                _, answer = verify_proof(proof, self.question, schema, root=kinded, limits=limits)
        except InvalidStep as e:
            raise BadProof(f"its question cannot be asked: {e}") from e
        return kinded.hash, answer
