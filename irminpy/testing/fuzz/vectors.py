"""Vectors of proofs (tests/vectors/proofs/README.md): reading them, and what irminpy's verifier says of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from ...errors import BadProof
from ...key import KindedHash
from ...proof import Limits, Proof, Question, StreamProof, verify_proof, verify_stream
from ...schema import Schema

__all__ = ["FILES", "Vector", "vectors", "verdict"]

FILES = ("honest", "refused", "streams", "json")

Vector = dict[str, Any]
"""A vector, as it stands in its file."""


def vectors(folder: Path, file: str) -> tuple[dict[str, list[Any]], list[Vector]]:
    """The schemas of a file, as lists, by their names; and its vectors."""
    found = json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))
    return found["schemas"], found["vectors"]


def verdict(vector: Vector, schema: Schema[Any, Any]) -> dict[str, Any]:
    """`{"answer": …, "after": …}`, or `{"refused": the class of the error, "because": its beginning}`."""
    root, limits = KindedHash.from_json(vector["root"]), Limits(**vector.get("limits", {}))
    question = Question(vector["question"])
    try:
        if vector["kind"] == "stream":
            stream = cast("StreamProof[Any, Any]", _read(StreamProof, vector["proof"], schema, limits))
            tree, answer = verify_stream(stream, question, schema, root=root, limits=limits)
        else:
            proof = cast("Proof[Any, Any]", _read(Proof, vector["proof"], schema, limits))
            strict = vector.get("strict", True)
            tree, answer = verify_proof(proof, question, schema, root=root, strict=strict, limits=limits)
    except BadProof as e:
        return {"refused": type(e).__name__, "because": f"{e}"[:160]}
    return {"answer": answer, "after": tree.kinded_hash().to_json()}


def _read(cls: Any, proof: Any, schema: Schema[Any, Any], limits: Limits) -> object:
    """A proof in bytes or in JSON."""
    if isinstance(proof, str):
        return cls.from_bytes(bytes.fromhex(proof), schema, limits)
    return cls.from_json(proof, schema)
