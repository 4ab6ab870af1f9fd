"""The oracle: what a verifier may say of a mutant of an honest proof.

Of the trusted root nothing but the honest bytes may be accepted, with the honest result; not strictly, what shows more
may be, with the honest result. Of whatever root the mutant has itself, the rules of the format alone decide: then the
library's verifier and another one (examples/verify_proof.py) must agree, on the verdict, the root and the answer.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from ...errors import BadProof, IrminError
from ...key import KindedHash
from ...proof import Proof, StreamProof, verify_proof, verify_stream
from .subjects import Forest, Subject

__all__ = ["Finding", "Oracle", "Second", "second"]


class _Anything:
    """A root that every root is equal to, so that only the rules of the format decide."""

    __hash__ = None  # type: ignore[assignment]  # equal to all, so it can have none

    def __eq__(self, other: object) -> bool:
        return True


class Second(Protocol):
    """The other verifier: a module such as examples/verify_proof.py."""

    Refused: type[Exception]
    TYPES: dict[str, Any]

    def verify(self, raw: bytes, schema: list[Any], root: Any, question: dict[str, Any]) -> Any:
        """The answer; raises `Refused`."""
        ...


def second(file: Path) -> Second:
    """The verifier in `file`, told of the types that the subjects have."""
    spec = importlib.util.spec_from_file_location("irminpy_second_verifier", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    found = cast("Second", module)
    found.TYPES |= {"string/1": _is_text, "counter/1": _is_counter, "mode/1": _is_mode}
    return found


def _is_counter(raw: bytes) -> bool:
    return len(raw) == 8


def _is_mode(raw: bytes) -> bool:
    return len(raw) == 1


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Finding:
    """What must not be: of which proof, what was done to it, what came of it, and the mutant."""

    subject: str
    done: str
    wrong: str
    mutant: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.done}: {self.wrong}\n    {self.mutant:.400}"


@dataclass(slots=True)
class Oracle:
    """Looks at mutants and counts verdicts; `findings` are what no verifier may do."""

    other: Second | None
    verdicts: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    strict: bool = True

    def tree(self, subject: Subject, done: str, raw: bytes) -> None:
        """Judge the bytes `raw`, made of the tree proof `subject`."""
        forest = subject.forest
        ours: tuple[KindedHash, Any] | None = None
        try:
            proof = Proof.from_bytes(raw, forest.schema)
            ours = self._of_tree(subject, done, raw, proof)
        except BadProof as e:
            self.verdicts[type(e).__name__] += 1
        except IrminError as e:
            # `f` was run on a tree that is not the one it was written for: its own error.
            self.verdicts[f"raised {type(e).__name__}"] += 1
            return
        except Exception as e:
            self._find(subject, done, f"raised {e!r}", raw.hex())
            return
        if self.other is not None and subject.question is not None and "transition" not in subject.question:
            self._compare(self.other, subject, done, raw, ours)

    def _of_tree(
        self, subject: Subject, done: str, raw: bytes, proof: Proof[Any, Any]
    ) -> tuple[KindedHash, Any]:
        forest, before = subject.forest, proof.before
        try:
            tree, result = verify_proof(proof, subject.f, forest.schema, root=forest.root)
        except BadProof:
            if before == forest.root:
                self._loosely(subject, done, raw, proof)
                raise
        else:
            if raw != subject.raw:
                self._find(subject, done, "accepted for the trusted root", raw.hex())
            if result != subject.result or tree.kinded_hash() != subject.proof.after:
                self._find(subject, done, f"accepted with the result {result!r:.200}", raw.hex())
            self.verdicts["accepted"] += 1
            return before, result
        _, result = verify_proof(proof, subject.f, forest.schema, root=before)
        if proof.to_bytes() != raw:
            self._find(subject, done, "accepted for a root of its own, and written otherwise", raw.hex())
        self.verdicts["accepted for a root of its own"] += 1
        return before, result

    def _loosely(self, subject: Subject, done: str, raw: bytes, proof: Proof[Any, Any]) -> None:
        """As strict verification, which has refused: what shows too much may be accepted, with the true result."""
        forest = subject.forest
        try:
            tree, result = verify_proof(proof, subject.f, forest.schema, root=forest.root, strict=False)
        except BadProof:
            return
        self.verdicts["accepted not strictly"] += 1
        if result != subject.result or tree.kinded_hash() != subject.proof.after:
            self._find(subject, done, f"accepted, not strictly, with the result {result!r:.200}", raw.hex())

    def _compare(
        self, other: Second, subject: Subject, done: str, raw: bytes, ours: tuple[KindedHash, Any] | None
    ) -> None:
        root: Any = _Anything() if ours is None else _plain(ours[0])
        assert subject.question is not None
        try:
            theirs = other.verify(raw, subject.forest.listed, root, subject.question)
        except other.Refused as e:
            if ours is not None:
                self._find(subject, done, f"the second verifier refuses: {e}", raw.hex())
            return
        except Exception as e:
            self._find(subject, done, f"the second verifier raised {e!r}", raw.hex())
            return
        if ours is None:
            self._find(subject, done, f"only the second verifier accepts, with {theirs!r:.200}", raw.hex())
        elif _normal(theirs) != _normal(ours[1]):
            wrong = f"the answers are {ours[1]!r:.200} and {theirs!r:.200}"
            self._find(subject, done, wrong, raw.hex())

    def json(self, subject: Subject, done: str, obj: Any) -> None:
        """Judge the JSON value `obj`, made of `subject`; if it has a root of its own, its bytes, too."""
        forest = subject.forest
        text = json.dumps(obj, sort_keys=True)
        try:
            if subject.stream:
                stream = StreamProof.from_json(obj, forest.schema)
                _, result = verify_stream(stream, subject.f, forest.schema, root=forest.root)
            else:
                proof = Proof.from_json(obj, forest.schema)
                raw = self._rerooted(proof, forest)
                if raw is not None:
                    self.tree(subject, f"{done}, as bytes", raw)
                _, result = verify_proof(proof, subject.f, forest.schema, root=forest.root)
        except BadProof as e:
            self.verdicts[type(e).__name__] += 1
        except IrminError as e:
            self.verdicts[f"raised {type(e).__name__}"] += 1
        except Exception as e:
            self._find(subject, done, f"raised {e!r}", text)
        else:
            self.verdicts["accepted"] += 1
            if text != json.dumps(subject.proof.to_json(), sort_keys=True):  # 1, 1.0 and True differ
                self._find(subject, done, "accepted for the trusted root", text)
            if result != subject.result:
                self._find(subject, done, f"accepted with the result {result!r:.200}", text)

    def _rerooted(self, proof: Proof[Any, Any], forest: Forest) -> bytes | None:
        """The bytes of `proof` with the root that it has, if another than it claims; None if it breaks a rule."""
        try:
            root = proof.shown().root
        except BadProof:
            return None
        after = root if proof.after == proof.before else proof.after
        return Proof(root, after, proof.state, forest.schema).to_bytes()

    def stream(self, subject: Subject, done: str, raw: bytes) -> None:
        """Judge the bytes `raw`, made of the stream proof `subject`."""
        forest = subject.forest
        try:
            proof = StreamProof.from_bytes(raw, forest.schema)
            if proof.before != forest.root:
                verify_stream(proof, subject.f, forest.schema, root=proof.before)
                self.verdicts["accepted for a root of its own"] += 1
            tree, result = verify_stream(proof, subject.f, forest.schema, root=forest.root)
        except BadProof as e:
            self.verdicts[type(e).__name__] += 1
        except IrminError as e:
            self.verdicts[f"raised {type(e).__name__}"] += 1
        except Exception as e:
            self._find(subject, done, f"raised {e!r}", raw.hex())
        else:
            self.verdicts["accepted"] += 1
            if raw != subject.raw:
                self._find(subject, done, "accepted for the trusted root", raw.hex())
            if result != subject.result or tree.kinded_hash() != subject.proof.after:
                self._find(subject, done, f"accepted with the result {result!r:.200}", raw.hex())

    def _find(self, subject: Subject, done: str, wrong: str, mutant: str) -> None:
        self.findings.append(Finding(f"{subject.forest.name}, {subject.name}", done, wrong, mutant))


def _plain(root: KindedHash) -> tuple[int, bytes, bytes]:
    """A root as the second verifier has it."""
    kind = 0 if root.kind == "node" else 1 if root.metadata is None else 2
    return kind, bytes(root.hash), root.metadata or b""


def _normal(answer: Any) -> Any:
    return json.loads(json.dumps(answer))
