"""Changed proofs are refused, by both verifiers: `python -m irminpy.testing.fuzz proof`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from irminpy import Proof
from irminpy.testing.fuzz.campaign import Campaign
from irminpy.testing.fuzz.command import main
from irminpy.testing.fuzz.parts import taken_apart, written
from irminpy.testing.fuzz.subjects import subjects
from irminpy.testing.fuzz.verdict import Oracle, second

VERIFIER = Path(__file__).resolve().parents[2] / "examples/verify_proof.py"
MUTANTS = {"quick": 600, "ci": 50_000, "deep": 1_000_000}[os.environ.get("IRMINPY_PROFILE", "quick")]


@pytest.mark.profiled
def test_no_mutant_of_an_honest_proof_is_taken_for_it() -> None:
    """V1 to V8, P38, S01 to S04: nothing is wrongly accepted, nothing but errors of irminpy is raised, and both
    verifiers say the same.
    """
    outcome = Campaign(5, second(VERIFIER)).run(MUTANTS)
    assert outcome.mutants == MUTANTS
    assert not outcome.findings, "\n".join(map(str, outcome.findings))
    assert len(outcome.kinds) == 5
    # What is refused has come to every kind of check, and some mutants got as far as a root of their own.
    assert {"BadProof", "ProofMismatch", "StreamTooShort", "accepted for a root of its own"} <= set(
        outcome.verdicts
    )


def test_the_honest_proofs_are_written_as_they_were_read() -> None:
    for subject in subjects():
        if not subject.stream:
            assert written(taken_apart(subject.raw, subject.forest.schema)) == subject.raw


def test_the_oracle_finds_a_verifier_that_takes_what_it_should_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong result, another exception, a second verdict."""
    honest = next(s for s in subjects() if s.forest.name == "one" and s.question == {"read": ["a"]})
    changed = honest.raw[:-1] + b"y"
    oracle = Oracle(second(VERIFIER))
    oracle.tree(honest, "changed", changed)
    assert not oracle.findings

    def from_bytes(raw: bytes, schema: Any) -> Any:
        return honest.proof

    monkeypatch.setattr(Proof, "from_bytes", staticmethod(from_bytes))
    oracle.tree(honest, "changed", changed)
    assert "accepted for the trusted root" in str(oracle.findings[0])
    assert "the second verifier refuses" in str(oracle.findings[1])

    def failing(raw: bytes, schema: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Proof, "from_bytes", staticmethod(failing))
    oracle.tree(honest, "changed", changed)
    assert "raised MemoryError" in str(oracle.findings[2])


def test_the_command_prints_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "--mutants", "40", "--seed", "9"]) == 0
    told = capsys.readouterr().out
    assert "40 mutants in" in told
    assert "findings: 0" in told
