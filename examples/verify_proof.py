"""A verifier of native tree proofs that shares nothing with irminpy: written from docs/formats/proof.md alone.

    verify_proof.py FILE ROOT [QUESTION [SCHEMA]]

FILE is the bytes of a proof, or a file of `irminpy prove`, ROOT the trusted hash of a directory; the others are JSON as
in section 8 of the document. Prints the answer, or `Refused` and why.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import blake3

HASHES: dict[str, Callable[[bytes], bytes]] = {
    "blake3-256": lambda raw: blake3.blake3(raw).digest(),
    "blake2b-256": lambda raw: hashlib.blake2b(raw, digest_size=32).digest(),
    "blake2s-256": lambda raw: hashlib.blake2s(raw).digest(),
    "sha256": lambda raw: hashlib.sha256(raw).digest(),
}
# Whether bytes are canonical, by the id of the type of contents or metadata: who has other types adds them.
TYPES: dict[str, Any] = {"bytes": lambda raw: True, "none": lambda raw: not raw}
DEFAULT = '["native", 1, "blake3-256", 16, 32, "bytes", "none", ""]'
MAX_BYTES, MAX_OBJECTS, MAX_DENSITY, MAX_DEPTH, MAX_CONTENTS = 16 << 20, 200_000, 65_536, 1_024, 8 << 20
# MessagePack: the short form and the most that it holds, the first code with a width, and log2 of that width.
FORMS = {int: (0, 127, 0xCC, 0), str: (0xA0, 31, 0xD9, 0), bytes: (0, -1, 0xC4, 0), list: (0x90, 15, 0xDC, 1)}
Ref = tuple[int, bytes, bytes]  # a root: its kind (0 directory, 1 and 2 contents), hash, metadata of kind 2


class Refused(Exception):
    """The proof is refused; says why."""


def pack(item: Any) -> bytes:
    short, most, code, width = FORMS[type(item)]
    raw = item.encode() if isinstance(item, str) else item
    size = raw if isinstance(raw, int) else len(raw)
    body = b"" if isinstance(raw, int) else b"".join(map(pack, raw)) if isinstance(raw, list) else raw
    if size <= most:
        return bytes([short + size]) + body
    while size >= 256 ** (1 << width):
        code, width = code + 1, width + 1
    return bytes([code]) + size.to_bytes(1 << width, "big") + body


@dataclass(slots=True, eq=False)
class Part:
    """A revealed node."""

    above: int  # directories
    depth: int = 0  # the number of digits that lead here; 0 for a directory
    prefix: int = 0  # these digits, as one number
    steps: list[str] | None = None  # of an N; an I has none
    tags: bytes = b""  # the kinds of the entries, or the digits of the buckets
    hashes: list[bytes] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)  # of the buckets
    metadata: dict[int, bytes] = field(default_factory=dict)
    shown: dict[int, Part | None] = field(default_factory=dict)  # what is revealed; None is contents
    hash: bytes = b""
    size: int = 0


class Proof:
    """What a proof shows to whom trusts `root`. Raises `Refused`."""

    def __init__(self, raw: bytes, schema: list[Any], root: Ref) -> None:
        self.raw, self.at = raw, 0
        self.digest, self.is_contents, self.is_metadata = (
            HASHES[schema[2]],
            TYPES[schema[5]],
            TYPES[schema[6]],
        )
        self.fanout, self.leaf, self.default = int(schema[3]), int(schema[4]), bytes.fromhex(schema[7])
        self.width = self.fanout.bit_length() - 1
        identity = self.digest(b"S" + pack([*schema[:7], self.default]))
        self.empty = self.digest(b"N" + pack([[], b"", b""]))
        self.parts: list[Part] = []
        self.nodes: dict[bytes, Part] = {}
        self.values: dict[bytes, bytes] = {}
        self.read: set[bytes] = set()
        if len(raw) > MAX_BYTES or self.take(38) != b"\x89ipf\x01\x01" + identity:
            raise Refused("too large, or not a tree proof of version 1 for this schema")
        unchanged, self.root = self.take(1) == b"\0", self.state()
        if not unchanged or self.root != root or self.at != len(raw):
            raise Refused("the proof is for another root, or of a change, or does not end here")

    def take(self, n: int) -> bytes:
        if n > len(self.raw) - self.at:
            raise Refused(f"ends too early, at byte {self.at}")
        self.at += n
        return self.raw[self.at - n : self.at]

    def number(self) -> int:
        value = shift = 0
        while (byte := self.take(1)[0]) > 127 and shift < 56:
            value |= (byte & 127) << shift
            shift += 7
        if byte > 127 or (shift and not byte):
            raise Refused("a number has more than nine bytes, or is longer than it needs")
        return value | byte << shift

    def value(self) -> bytes:
        value = self.take(self.number())
        if len(value) > MAX_CONTENTS or not self.is_contents(value):
            raise Refused("a value is larger than the limit, or not canonical")
        named = self.digest(b"B" + value)
        self.values[named] = value
        return named

    def other_metadata(self) -> bytes:
        raw = self.take(self.number())
        if raw == self.default or not self.is_metadata(raw):
            raise Refused("metadata is the default, or not canonical")
        return raw

    def digits(self, step: str, n: int) -> int:
        return int.from_bytes(self.digest(step.encode()), "big") >> 256 - n * self.width

    def state(self) -> Ref:
        tag = self.take(1)[0]
        if tag == 1:
            self.read_parts()
            self.name_parts()
            self.check_places()
            return 0, self.parts[0].hash, b""
        metadata = self.other_metadata() if tag > 3 else b""
        named = self.value() if tag & 1 else self.take(32)
        if tag not in (0, 2, 3, 6, 7) or (tag == 0 and named == self.empty):
            raise Refused("an unknown tag, or the empty directory blinded")
        return (tag + 2) // 4 if tag else 0, named, metadata

    def read_parts(self) -> None:
        waiting, values = [Part(0)], 0
        while waiting:
            part = waiting.pop()
            self.parts.append(part)
            (self.inode if self.raw[self.at : self.at + 1] == b"\1" else self.node)(part)
            below = [child for child in part.shown.values() if child]
            values += len(part.shown) - len(below)
            density = (values + 4 * len(self.parts)) / -(-len(self.raw) >> 20)
            if values + len(self.parts) > MAX_OBJECTS or density > MAX_DENSITY or part.above > MAX_DEPTH:
                raise Refused("more objects or directories than the limits")
            waiting += reversed(below)

    def node(self, part: Part) -> None:
        n, odd = divmod(self.number(), 2)
        if odd or n > self.leaf or (not n and len(self.parts) > 1):
            raise Refused("an unknown tag, or a node with too many entries or none")
        lengths, kinds = [self.number() for _ in range(n)], self.take(n)
        part.steps = [self.take(length).decode(errors="ignore") for length in lengths]
        for before, step, length in zip(["", *part.steps], part.steps, lengths, strict=False):
            if step <= before or len(step.encode()) != length or length > 4096 or {"\0", "/"} & {*step}:
                raise Refused("a step is none, or they do not ascend")
            if self.digits(step, part.depth) != part.prefix:
                raise Refused("an entry is in a bucket that is not that of its step")
        part.size, part.tags = n, bytes(kind & 3 for kind in kinds)
        part.hashes = [b"" if kind > 3 else self.take(32) for kind in kinds]
        part.metadata = {i: self.other_metadata() for i, kind in enumerate(part.tags) if kind == 2}
        for i, kind in enumerate(kinds):
            if kind & 3 == 3 or kind > 6:
                raise Refused("an entry of an unknown kind")
            if kind == 4:
                part.shown[i] = Part(part.above + 1)
            elif kind > 4:
                part.shown[i], part.hashes[i] = None, self.value()

    def inode(self, part: Part) -> None:
        bits = int.from_bytes(self.take(1 + (2 * self.fanout + 7) // 8)[1:], "little")
        states = [bits >> 2 * digit & 3 for digit in range(self.fanout)]
        if part.depth >= 256 // self.width or bits >> 2 * self.fanout or 3 in states:
            raise Refused("an inner node is too deep, or has bits that mean nothing")
        part.tags = bytes(digit for digit, state in enumerate(states) if state)
        part.counts = [self.number() if states[digit] == 1 else 0 for digit in part.tags]
        part.hashes = [self.take(32) if states[digit] == 1 else b"" for digit in part.tags]
        for i, digit in enumerate(part.tags):
            if states[digit] == 2:
                part.shown[i] = Part(part.above, part.depth + 1, part.prefix << self.width | digit)

    def name_parts(self) -> None:
        for part in reversed(self.parts):
            for i, child in part.shown.items():
                if child:
                    part.hashes[i] = child.hash
                    if part.steps is None:
                        part.counts[i] = child.size
            if part.steps is not None:
                others = [list(part.metadata.values())] if part.metadata else []
                raw = b"N" + pack([part.steps, part.tags, b"".join(part.hashes), *others])
            else:
                part.size = sum(part.counts)
                if 0 in part.counts or not self.leaf < part.size < 1 << 63:
                    raise Refused("an inner node with an empty bucket, or too few entries")
                head = [self.fanout, self.leaf, part.depth]
                raw = b"I" + pack([*head, part.tags, part.counts, b"".join(part.hashes)])
            part.hash = self.digest(raw)
            self.nodes[part.hash] = part

    def check_places(self) -> None:
        seen: set[tuple[bool, bytes]] = set()
        for part in self.parts:
            for i, named in enumerate(part.hashes):
                reference = part.steps is None or not part.tags[i], named
                if reference == (True, self.empty):
                    raise Refused("an entry or a bucket is the empty directory")
                if i in part.shown and reference in seen:
                    raise Refused("an object is revealed twice, or not at its first place")
                if i not in part.shown and reference[0] and not self.fits(self.nodes.get(named), part, i):
                    raise Refused("a reference does not say what the revealed node is")
                seen.add(reference)

    def fits(self, node: Part | None, part: Part, i: int) -> bool:
        if node is None or part.steps is not None:
            return node is None or node.steps is not None or not node.depth
        place = part.depth + 1, part.prefix << self.width | part.tags[i]
        if node.steps is None:
            return (*place, part.counts[i]) == (node.depth, node.prefix, node.size)
        return part.counts[i] == node.size and all(self.digits(s, place[0]) == place[1] for s in node.steps)

    def shown(self, named: bytes) -> Part:
        self.read.add(named)
        if named not in self.nodes:
            raise Refused(f"the directory {named.hex()} is blinded")
        return self.nodes[named]

    def find(self, path: str) -> tuple[int, bytes] | None:
        kind, named, _ = self.root
        for step in path.split("/") if path else []:
            if kind:
                return None
            part = self.shown(named)
            while part.steps is None:
                at = part.tags.find(self.digits(step, part.depth + 1) % self.fanout)
                if at < 0:
                    return None
                part = self.shown(part.hashes[at])
            if step not in part.steps:
                return None
            kind, named = part.tags[part.steps.index(step)], part.hashes[part.steps.index(step)]
        return kind, named

    def absent(self, path: str) -> bool:
        return self.find(path) is None

    def length(self, path: str) -> int:
        return self.page(path, 0, 0)[0]

    def contents(self, path: str) -> str | None:
        kind, named = self.find(path) or (0, b"")
        if not kind:
            return None
        if named not in self.values:
            raise Refused(f"the contents at /{path} are blinded")
        self.read.add(named)
        return self.values[named].hex()

    def page(self, path: str, offset: int, length: int | None) -> tuple[int, list[tuple[str, str]]]:
        kind, named = self.find(path) or (1, b"")
        top = Part(0, steps=[]) if kind else self.shown(named)
        end = top.size if length is None else offset + length
        waiting, page = [(0, top)], []
        while waiting:
            start, part = waiting.pop()
            for i, step in enumerate(part.steps or [], start):
                if offset <= i < end:
                    page.append((step, "contents" if part.tags[i - start] else "node"))
            starts = [start + sum(part.counts[:i]) for i in range(len(part.counts))]
            here = [i for i, at in enumerate(starts) if max(at, offset) < min(at + part.counts[i], end)]
            waiting += [(starts[i], self.shown(part.hashes[i])) for i in reversed(here)]
        return top.size, page


def verify(raw: bytes, schema: list[Any], root: Ref, question: dict[str, Any]) -> Any:
    """The answer that every tree with the root `root` gives to `question`. Raises `Refused`."""
    proof, [(word, asked)] = Proof(raw, schema, root), question.items()
    ask: dict[str, Any] = {"read": proof.contents, "absence": proof.absent, "length": proof.length}
    answer = proof.page(*asked) if word == "page" else [ask[word](path) for path in asked]
    if {*proof.nodes, *proof.values} - proof.read - {proof.empty}:
        raise Refused("the question does not need all that is revealed")
    return answer


def main(file: str, root: str, question: str = "", schema: str = DEFAULT) -> None:
    raw = Path(file).read_bytes()
    if raw[:5] == b"\x89ipa\x01":
        asked, commit = int.from_bytes(raw[5:9], "big"), int.from_bytes(raw[9:13], "big")
        raw, question = raw[13 + asked + commit :], question or raw[13 : 13 + asked].decode()
    print(json.dumps(verify(raw, json.loads(schema), (0, bytes.fromhex(root), b""), json.loads(question))))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else print(__doc__)
