"""A campaign: so many mutants, half of them changes of one byte, each once, and the others what a cheat would try."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ...proof import StreamProof
from .parts import Node, State, named, nodes_of, taken_apart, written
from .plain import Sweep, changed_elements, changed_json, spliced
from .structural import NEEDS_NAMES, STRUCTURAL, Donor
from .subjects import Subject, subjects
from .verdict import Finding, Oracle, Second

__all__ = ["Campaign", "Outcome"]


@dataclass(slots=True)
class Outcome:
    """What a campaign did: mutants by what was done to them, verdicts, and what must not be."""

    mutants: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    verdicts: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])


class Campaign:
    """Mutants of all subjects, the same ones for the same seed."""

    def __init__(self, seed: int, other: Second | None) -> None:
        self.subjects = subjects()
        self.sweep = Sweep([subject.raw for subject in self.subjects], seed)
        self._rng = Random(seed)
        self._other = other
        self._trees = [subject for subject in self.subjects if not subject.stream]
        self._streams = [subject for subject in self.subjects if subject.stream]
        self._elements = [element for subject in self._streams for element in _elements_of(subject)]
        self._strange = [
            (subject, number)
            for subject in self._trees
            for number in range(len(nodes_of(_state(subject).child)))
        ]
        self._steps: list[bytes] = [
            row.label
            for subject in self._trees
            for node in nodes_of(_state(subject).child)
            for row in node.rows
            if isinstance(row.label, bytes)
        ]

    def run(self, mutants: int, progress: Callable[[Outcome], None] | None = None) -> Outcome:
        """Make and judge so many mutants."""
        oracle = Oracle(self._other)
        outcome = Outcome(verdicts=oracle.verdicts, findings=oracle.findings)
        for subject in self.subjects:  # the honest ones first
            (oracle.stream if subject.stream else oracle.tree)(subject, "unchanged", subject.raw)
        if oracle.verdicts != {"accepted": len(self.subjects)}:
            raise AssertionError(f"not all honest proofs are accepted: {oracle.findings[:1]}")
        oracle.verdicts.clear()
        swept = 0
        while outcome.mutants < mutants:
            if outcome.mutants % 2 and swept < self.sweep.total:
                which, done, raw = self.sweep.mutant(swept)
                swept += 1
                subject = self.subjects[which]
                (oracle.stream if subject.stream else oracle.tree)(subject, done, raw)
                outcome.kinds["changes of a byte"] += 1
            else:
                outcome.kinds[self._one(oracle)] += 1
            outcome.mutants += 1
            if progress is not None and outcome.mutants % 10_000 == 0:
                progress(outcome)
        return outcome

    def _one(self, oracle: Oracle) -> str:
        """Judge a mutant that is drawn; what kind it is."""
        rng = self._rng
        drawn = rng.random()
        if drawn < 0.08:
            subject = rng.choice(self.subjects)
            raw = spliced(subject.raw, rng.choice(self.subjects).raw, rng)
            while raw == subject.raw:
                raw = spliced(subject.raw, rng.choice(self.subjects).raw, rng)
            (oracle.stream if subject.stream else oracle.tree)(subject, "spliced", raw)
            return "splices"
        if drawn < 0.25:
            subject = rng.choice(self.subjects)
            done, obj = changed_json(subject.proof.to_json(), rng)
            oracle.json(subject, done, obj)
            return "changes of JSON"
        if drawn < 0.40:
            self._stream(oracle, rng.choice(self._streams))
            return "changes of a stream"
        self._tree(oracle, rng.choice(self._trees))
        return "changes of a tree"

    def _stream(self, oracle: Oracle, subject: Subject) -> None:
        rng, proof = self._rng, subject.proof
        before, after = proof.before, proof.after
        done, elements = "roots exchanged", list(_elements_of(subject))
        if before == after or rng.random() < 0.9:
            done, elements = changed_elements(elements, self._elements, rng)
        else:
            before, after = after, before
        oracle.stream(subject, done, StreamProof(before, after, elements, subject.forest.schema).to_bytes())

    def _tree(self, oracle: Oracle, subject: Subject) -> None:
        rng = self._rng
        schema = subject.forest.schema
        while True:
            chosen = [rng.choice(STRUCTURAL) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
            parts = taken_apart(subject.raw, schema)
            names = named(parts.state, schema) if not NEEDS_NAMES.isdisjoint(chosen) else {}
            hashes = [*subject.forest.known, subject.forest.root.hash, schema.codec.empty]
            strange = self._donated(rng)
            donor = Donor(subject.forest.known, hashes, self._steps, strange, names)
            if not all(mutator(parts, rng, donor) for mutator in chosen):
                continue
            raw = written(parts)
            if raw != subject.raw:
                break
        oracle.tree(subject, ", then ".join(mutator.__name__ for mutator in chosen), raw)

    def _donated(self, rng: Random) -> Callable[[], Node]:
        def node() -> Node:
            subject, number = rng.choice(self._strange)
            return nodes_of(_state(subject).child)[number]

        return node


def _state(subject: Subject) -> State:
    return taken_apart(subject.raw, subject.forest.schema).state


def _elements_of(subject: Subject) -> Iterator[Any]:
    assert isinstance(subject.proof, StreamProof)
    return iter(subject.proof.elements)
