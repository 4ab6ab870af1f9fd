"""The vectors of tests/vectors/proofs, run by irminpy's verifier and by the independent one of examples/."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from irminpy import BadProof, KindedHash, Proof, Schema, StreamProof, verify_proof, verify_stream
from irminpy.proof import Limits
from irminpy.proof.question import Question
from irminpy.testing.fuzz.subjects import forests
from irminpy.testing.fuzz.verdict import second

ROOT = Path(__file__).resolve().parents[2]
FILES = ("honest", "refused", "streams", "json")
SCHEMAS: dict[str, Schema[Any, Any]] = {forest.name: forest.schema for forest in forests()}
LISTED = {forest.name: forest.listed for forest in forests()}
MODULE_LIMITS = {
    "total": "BYTES",
    "objects": "OBJECTS",
    "density": "DENSITY",
    "depth": "DEPTH",
    "contents": "CONTENTS",
}


def vectors(file: str) -> list[dict[str, Any]]:
    found = json.loads((ROOT / f"tests/vectors/proofs/{file}.json").read_text(encoding="utf-8"))
    assert all(LISTED[name] == listed for name, listed in found["schemas"].items())
    rows: list[dict[str, Any]] = found["vectors"]
    return rows


def verdict(vector: dict[str, Any], *, because: bool = False) -> dict[str, Any]:
    """What irminpy says; `because` also tells why it refuses."""
    schema, root = SCHEMAS[vector["schema"]], KindedHash.from_json(vector["root"])
    limits = Limits(**vector.get("limits", {}))
    question = Question(vector["question"])
    try:
        if vector["kind"] == "stream":
            stream = _read(StreamProof, vector["proof"], schema, limits)
            tree, answer = verify_stream(stream, question, schema, root=root, limits=limits)
        else:
            proof = _read(Proof, vector["proof"], schema, limits)
            strict = vector.get("strict", True)
            tree, answer = verify_proof(proof, question, schema, root=root, strict=strict, limits=limits)
    except BadProof as e:
        return {"refused": type(e).__name__} | ({"because": f"{e}"[:160]} if because else {})
    return {"answer": answer, "after": tree.kinded_hash().to_json()}


def _read(cls: Any, proof: Any, schema: Schema[Any, Any], limits: Limits) -> Any:
    """A proof in bytes or in JSON."""
    if isinstance(proof, str):
        return cls.from_bytes(bytes.fromhex(proof), schema, limits)
    return cls.from_json(proof, schema)


def expected(vector: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in vector["expect"].items() if name != "because"}


@pytest.mark.parametrize("file", FILES)
def test_irminpy_gives_the_verdict_of_every_vector(file: str) -> None:
    """V1 to V8; PV-01 to PV-04, ST-03, ST-04."""
    for vector in vectors(file):
        assert verdict(vector) == expected(vector), vector["name"]


@pytest.mark.parametrize("file", ["honest", "refused"])
def test_the_independent_verifier_gives_the_verdict_of_every_vector(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V1 to V8 for reads, absence, lengths and pages: written from the document, it says the same."""
    other: Any = second(ROOT / "examples/verify_proof.py")
    ran = 0
    for vector in vectors(file):
        if "transition" in vector["question"] or not vector.get("strict", True):
            continue
        root = KindedHash.from_json(vector["root"])
        kind = 0 if root.kind == "node" else 1 if root.metadata is None else 2
        asked = (LISTED[vector["schema"]], (kind, bytes(root.hash), root.metadata or b""), vector["question"])
        with monkeypatch.context() as patched:
            for name, limit in vector.get("limits", {}).items():
                patched.setattr(other, f"MAX_{MODULE_LIMITS[name]}", limit)
            try:
                answer = json.loads(json.dumps(other.verify(bytes.fromhex(vector["proof"]), *asked)))
            except other.Refused:
                assert "refused" in vector["expect"], vector["name"]
            else:
                assert answer == vector["expect"].get("answer", "refused"), vector["name"]
        ran += 1
    assert ran > 150


def test_the_vectors_are_many_and_cover_every_class() -> None:
    """At least 500, with every question, every class of refusal, and no file that is too large to read."""
    found = [vector for file in FILES for vector in vectors(file)]
    assert len(found) >= 500
    assert {key for vector in found for key in vector["question"]} == {
        "read",
        "absence",
        "length",
        "page",
        "transition",
    }
    refused = Counter(vector["expect"].get("refused", "") for vector in found)
    assert {"", "BadProof", "ProofMismatch", "StreamTooLong", "StreamTooShort"} == set(refused)
    assert sum((ROOT / f"tests/vectors/proofs/{file}.json").stat().st_size for file in FILES) < 1_500_000


def test_the_independent_verifier_is_short_and_imports_nothing_of_irminpy() -> None:
    source = (ROOT / "examples/verify_proof.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 300
    imports = {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert imports <= {
        "__future__",
        "base64",
        "blake3",
        "collections",
        "dataclasses",
        "hashlib",
        "json",
        "pathlib",
        "sys",
        "typing",
    }
