"""What the commands of proofs do: make a file of a proof, verify one, and say what one claims."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from irminpy.cli.failure import ABSENT, USAGE, Failure
from irminpy.cli.output import amount, size
from irminpy.cli.place import maker_of, opened
from irminpy.hash import Hash
from irminpy.proof import Proof, StreamProof
from irminpy.proof.file import ProofFile
from irminpy.proof.question import Question
from irminpy.recorded import described
from irminpy.schema import Schema

__all__ = ["Claim", "Proved", "Verified", "claimed", "proved", "verified"]

_MOST = 34 << 20
"""Bytes that are read of a file: more than a question, a commit and a proof may have by default."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A file that was made."""

    target: str
    octets: int
    commit: Hash
    root: Hash

    def __str__(self) -> str:
        return f"{self.target}: {size(self.octets)}\nroot {self.root}\ncommit {self.commit}"

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return {"file": self.target, "bytes": self.octets, "root": str(self.root), "commit": str(self.commit)}


@dataclass(frozen=True, slots=True)
class Verified:
    """What holds in every tree with the root."""

    root: Hash
    question: dict[str, Any]
    answer: Any

    def __str__(self) -> str:
        return "\n".join([f"verified for the root {self.root}", *self._lines()])

    def _lines(self) -> Iterator[str]:
        ((word, asked),) = self.question.items()
        if word == "page":
            n, page = self.answer
            yield f"/{asked[0]}: {amount(n, 'entry', 'entries')}, from number {asked[1]} on:"
            yield from (step + ("/" if kind == "node" else "") for step, kind in page)
            return
        for path, found in zip(asked, self.answer, strict=True):
            if word == "read":
                yield f"/{path}: {'no contents' if found is None else _text(found)}"
            elif word == "length":
                yield f"/{path}: {amount(found, 'entry', 'entries')}"
            else:
                yield f"/{path}: {'nothing' if found else 'something'}"

    def to_json(self) -> dict[str, object]:
        """What a program reads: question and answer as docs/formats/proof.md, section 8, has them."""
        return {"root": str(self.root), "question": self.question, "answer": self.answer}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a file says of itself."""

    file: ProofFile
    proof: Proof[Any, Any] | StreamProof[Any, Any]

    def __str__(self) -> str:
        return "\n".join((
            "not verified; this is what the file claims",
            f"question {self.file.question.json}",
            f"root {self.proof.before.hash}",
            f"commit of {size(len(self.file.commit))}",
            f"proof of {size(len(self.file.proof))}: {self._parts()}",
        ))  # fmt: skip

    def _parts(self) -> str:
        if isinstance(self.proof, StreamProof):
            return f"a stream of {amount(len(tuple(self.proof.elements)), 'element')}"
        shown = self.proof.shown()
        return f"{amount(len(shown.nodes), 'node')} and {amount(len(shown.contents), 'value')} are revealed"

    def to_json(self) -> dict[str, object]:
        """What a program reads."""
        return {
            "verified": False,
            "question": self.file.question.json,
            "commit": self.file.commit.hex(),
            "proof": self.proof.to_json(),
        }


def proved(
    uri: str | None, revision: str, question: dict[str, Any], target: str, *, stream: bool = False
) -> Proved:
    """The file `target` with the proof that answers `question` for a revision of the store `uri`; "-" is stdout."""
    with opened(maker_of(uri, "prove"), readonly=True) as repo:
        commit = repo.at(revision).head()
        asked = Question(question)
        produce = repo.produce_stream if stream else repo.produce_proof
        proof = produce(commit.tree_hash, asked)[0].to_bytes()
        data = ProofFile(asked, commit.to_bytes(), proof, stream).to_bytes()
        _write(target, data)
        return Proved(target, len(data), commit.hash, commit.tree_hash)


def verified(source: str, schema: str | None, root: str | None, commit: str | None) -> Verified:
    """What the file `source` proves of the root, or of the commit, that is trusted."""
    if (root is None) is (commit is None):
        raise Failure(
            "a proof is verified for one hash that you trust",
            why="the file cannot say what to trust",
            type="irminpy verify FILE --root HASH, or --commit HASH",
            status=USAGE,
        )
    file = ProofFile.from_bytes(_read(source))
    trusted = [None if text is None else Hash.of_hex(text) for text in (root, commit)]
    found, answer = file.verify(_schema(schema), root=trusted[0], commit=trusted[1])
    return Verified(found, file.question.json, answer)


def claimed(source: str, schema: str | None) -> Claim:
    """What the file `source` says, without any trust."""
    file = ProofFile.from_bytes(_read(source))
    return Claim(file, file.claims(_schema(schema)))


def _schema(text: str | None) -> Schema[Any, Any]:
    return cast("Schema[Any, Any]", Schema()) if text is None else described(text)


def _read(source: str) -> bytes:
    try:
        with sys.stdin.buffer if source == "-" else open(source, "rb") as file:
            return file.read(_MOST)
    except FileNotFoundError:
        raise Failure(
            f"{source}: there is no such file",
            why="a proof is read from it",
            type="irminpy prove REV PATH -o FILE makes one",
            status=ABSENT,
        ) from None


def _write(target: str, data: bytes) -> None:
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    temporary = f"{target}.new-{os.getpid()}"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _text(digits: str) -> str:
    data = bytes.fromhex(digits)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"0x{digits}"
