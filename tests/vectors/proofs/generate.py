"""Write the vectors of proofs (README.md says what is in them).

    python -m tests.vectors.proofs.generate            write all files again
    python -m tests.vectors.proofs.generate --check    exit with 1 and say which files would change

Honest proofs are made by irminpy. Refused ones are those of `cases`, by hand, and mutants of honest ones, a few for
every reason to refuse: each for the root that it has itself, if it has one, so that nothing but the rule it breaks is
wrong. What is expected is what both verifiers say; the maker stops if they do not agree.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from irminpy import BadProof, KindedHash, Proof, StreamProof, verify_proof, verify_stream
from irminpy.hash import Hash
from irminpy.proof import Limits
from irminpy.proof.question import Question
from irminpy.testing.fuzz.parts import (
    Flat,
    Inner,
    Parts,
    Row,
    State,
    Value,
    named,
    nodes_of,
    taken_apart,
    written,
)
from irminpy.testing.fuzz.plain import changed_elements, changed_json
from irminpy.testing.fuzz.structural import STRUCTURAL, Donor
from irminpy.testing.fuzz.subjects import Forest, Subject, subjects
from irminpy.testing.fuzz.verdict import second

HERE = Path(__file__).resolve().parent
SEED = 55
EACH = 5  # mutants for each reason to refuse
LARGEST = 1500  # bytes of a proof that is changed

SECOND = second(HERE.parents[2] / "examples/verify_proof.py")


def verdict(vector: dict[str, Any], schema: Any) -> dict[str, Any]:
    """What irminpy says of `vector`."""
    root = KindedHash.from_json(vector["root"])
    limits = Limits(**vector.get("limits", {}))
    question = Question(vector["question"])
    try:
        if vector["kind"] == "stream":
            stream: Any = _read(StreamProof, vector["proof"], schema, limits)
            tree, answer = verify_stream(stream, question, schema, root=root, limits=limits)
        else:
            proof: Any = _read(Proof, vector["proof"], schema, limits)
            strict = vector.get("strict", True)
            tree, answer = verify_proof(proof, question, schema, root=root, strict=strict, limits=limits)
    except BadProof as e:
        return {"refused": type(e).__name__, "because": f"{e}"[:160]}
    return {"answer": answer, "after": tree.kinded_hash().to_json()}


def _read(cls: Any, proof: Any, schema: Any, limits: Limits) -> Any:
    """A proof in either encoding."""
    return (
        cls.from_bytes(bytes.fromhex(proof), schema, limits)
        if isinstance(proof, str)
        else cls.from_json(proof, schema)
    )


def agreed(vector: dict[str, Any], schema: list[Any], expected: dict[str, Any]) -> None:
    """Stop unless the second verifier says the same, where it can say anything."""
    spoken = (
        isinstance(vector["proof"], str)
        and vector["kind"] == "tree"
        and "transition" not in vector["question"]
    )
    if not spoken or {"limits", "strict"} & vector.keys():
        return
    try:
        answer = json.loads(
            json.dumps(SECOND.verify(bytes.fromhex(vector["proof"]), schema, ref(vector), vector["question"]))
        )
    except SECOND.Refused as e:
        answer, expected = None, {"answer": None} if "refused" in expected else {"answer": str(e)}
    else:
        expected = json.loads(json.dumps(expected))
    if answer != expected.get("answer", "refused"):
        raise SystemExit(f"the verifiers do not agree on {vector}: {answer}, {expected}")


def ref(vector: dict[str, Any]) -> tuple[int, bytes, bytes]:
    """The root, as the second verifier has it."""
    root = KindedHash.from_json(vector["root"])
    kind = 0 if root.kind == "node" else 1 if root.metadata is None else 2
    return kind, bytes(root.hash), root.metadata or b""


class Maker:
    """Collects vectors by file."""

    def __init__(self) -> None:
        self.files: dict[str, list[dict[str, Any]]] = {"honest": [], "refused": [], "streams": [], "json": []}
        self.schemas: dict[str, list[Any]] = {}
        self.seen: set[str] = set()
        self.reasons: Counter[str] = Counter()
        self.rng = random.Random(SEED)

    def add(self, claim: str, forest: Forest, name: str, raw: bytes, question: dict[str, Any], root: KindedHash,
            kind: str = "tree", most: int = 0, **options: Any) -> bool:  # fmt: skip
        """Add a vector; not if there are already `most` for the reason that refuses it.

        `claim` is what must come of it, "honest" or "refused"; "either" lets the verifiers say.
        """
        label = forest.name.removeprefix("contents of ")
        vector: dict[str, Any] = {"name": name, "schema": label, "kind": kind, "root": root.to_json()}
        vector |= {"question": question, "proof": raw.hex() if isinstance(raw, bytes) else raw, **options}
        key = json.dumps([vector[k] for k in ("root", "question", "proof")] + [options])
        if key in self.seen:
            return False
        expected = verdict(vector, forest.schema)
        agreed(vector, forest.listed, expected)
        file = "refused" if "refused" in expected else "honest"
        if claim not in (file, "either"):
            raise SystemExit(f"{name} was to be {claim}, and is {file}: {expected}")
        if kind == "stream":
            file = "streams"
        if not isinstance(raw, bytes):
            file = "json"
        if most:
            if "refused" not in expected:
                return False
            because = expected["because"]
            if re.search("base64|padding|ASCII", because):
                return False  # Python's words, which differ between its versions
            pattern = r"[0-9a-f]{8,}|\d+|'.*?'|\"[^\"]*\"|/\S*|bucket \S+|[\[{].*"
            reason = kind + file + re.sub(pattern, "_", because)[: 70 if file == "json" else 160]
            if self.reasons[reason] >= most:
                return False
            self.reasons[reason] += 1
        self.seen.add(key)
        self.schemas[label] = forest.listed
        self.files[file].append(vector | {"expect": expected})
        return True

    def honest(self, found: list[Subject]) -> None:
        """What is accepted; and the same for another root, with another question, and not strictly."""
        rng = self.rng
        for subject in found:
            if subject.question is None or len(subject.raw) > 6000:
                continue
            kind = "stream" if subject.stream else "tree"
            forest, raw, question = subject.forest, subject.raw, subject.question
            self.add("honest", forest, subject.name, raw, question, forest.root, kind)
            other = rng.choice([s for s in found if s.forest.root != forest.root])
            self.add("refused", forest, "for another root", raw, question, other.forest.root, kind)
            for asked in [
                s.question for s in found if s.forest is forest and s.question not in (None, question)
            ][:2]:
                name = f"for {str(question)[:40]}"
                self.add("either", forest, name, raw, asked, forest.root, kind)
                if kind == "tree":
                    name = f"{name}, not strictly"
                    self.add("either", forest, name, raw, asked, forest.root, kind, strict=False)

    def asked(self, found: list[Subject], n: int) -> None:
        """Honest answers to questions that are drawn."""
        rng = self.rng
        forests = {s.forest.name: s.forest for s in found if s.forest.root.kind == "node"}
        words = [
            "k1",
            "k7",
            "k12",
            "d",
            "d/k3",
            "a/x1",
            "b",
            "none",
            "k1/x",
            "n/a",
            "n/a/b/c",
            "dir",
            "dir/k5",
            "dir/x",
            "",
        ]
        while n:
            forest = rng.choice([*forests.values()])
            paths = rng.sample(words, rng.choice((1, 1, 2, 3)))
            page = [paths[0], rng.randrange(40), rng.choice((0, 1, 3, None))]
            asks = {"read": paths, "absence": paths, "length": paths, "page": page}
            word = rng.choice([*asks])
            question = {word: asks[word]}
            proof, _ = forest.repo.produce_proof(forest.root, Question(question))
            raw = proof.to_bytes()
            if len(raw) <= LARGEST and self.add("honest", forest, "drawn", raw, question, forest.root):
                n -= 1

    def mutants(self, found: list[Subject], n: int) -> None:
        """Changed proofs, a few for every reason."""
        rng = self.rng
        trees = [s for s in found if not s.stream and s.question and len(s.raw) <= LARGEST]
        steps = [r.label for s in trees for node in nodes_of(taken_apart(s.raw, s.forest.schema).state.child)
                 for r in node.rows if isinstance(r.label, bytes)]  # fmt: skip
        for number in range(n):
            subject = rng.choice(trees)
            forest = subject.forest
            mutator = STRUCTURAL[number % len(STRUCTURAL)]
            parts = taken_apart(subject.raw, forest.schema)

            def strange() -> Any:
                other = rng.choice(
                    [
                        s
                        for s in trees
                        if isinstance(taken_apart(s.raw, s.forest.schema).state.child, Flat | Inner)
                    ]
                )
                return rng.choice(nodes_of(taken_apart(other.raw, other.forest.schema).state.child))

            hashes = [*forest.known, forest.root.hash, forest.schema.codec.empty]
            donor = Donor(forest.known, hashes, steps, strange, named(parts.state, forest.schema))
            if mutator(parts, rng, donor):
                raw = written(parts)
                if len(raw) <= LARGEST:
                    root = own_root(parts.state, forest) or forest.root
                    self.add("either", forest, mutator.__name__, raw, subject.question, root, most=EACH)
        streams = [s for s in found if s.stream and s.question and len(s.raw) <= LARGEST]
        elements = [element for s in streams for element in s.proof.elements]
        for _ in range(n // 3):
            subject = rng.choice(streams)
            done, changed = changed_elements(list(subject.proof.elements), elements, rng)
            proof = StreamProof(subject.proof.before, subject.proof.after, changed, subject.forest.schema)
            self.add(
                "either",
                subject.forest,
                done,
                proof.to_bytes(),
                subject.question,
                subject.forest.root,
                "stream",
                most=EACH,
            )
        for subject in (trees[2], streams[2]):
            kind = "stream" if subject.stream else "tree"
            for at in range(len(subject.raw)):
                self.add(
                    "refused",
                    subject.forest,
                    f"P38: cut at {at}",
                    subject.raw[:at],
                    subject.question,
                    subject.forest.root,
                    kind,
                )

    def of_json(self, found: list[Subject], n: int) -> None:
        """Proofs in JSON, honest and changed."""
        rng = self.rng
        for stream in (False, True):
            some = [s for s in found if s.stream is stream and s.question and len(s.raw) <= 500]
            for number in range(n // 3 if stream else n):
                subject = rng.choice(some)
                kind = "stream" if stream else "tree"
                obj, done = subject.proof.to_json(), "unchanged"
                if number % 50:
                    done, obj = changed_json(obj, rng)
                if "NaN" not in json.dumps(obj):
                    most = 2 if number % 50 else 0
                    self.add(
                        "either",
                        subject.forest,
                        done,
                        obj,
                        subject.question,
                        subject.forest.root,
                        kind,
                        most=most,
                    )

    def streams(self, small: Subject) -> None:
        """Streams by hand."""
        forest = small.forest
        codec, root = forest.schema.codec, forest.root
        honest = next(iter(forest.repo.produce_stream(root, Question({"length": [""]}))[0].elements))
        ask = {"length": [""]}
        start = small.raw[:5] + b"\2" + small.raw[6:38]
        rest = b"\0" + root.hash + number(len(honest)) + honest
        other = b"\0" + bytes(32)
        for name, raw in (
            ("a stream", start + b"\0" + rest),
            ("an unknown tag of the root after", start + b"\2" + other + rest),
            ("the root after is written out, and is the root before", start + b"\1\0" + root.hash + rest),
            ("another root after", start + b"\1" + other + rest),
            ("trailing bytes", start + b"\0" + rest + b"\0"),
            ("a tree proof", small.raw),
        ):
            self.add("honest" if name == "a stream" else "refused", forest, name, raw, ask, root, "stream")
        # Four entries below one bucket of a bucket, of which two belong below the other bucket of the root.
        steps: dict[str, list[str]] = {}
        for i in range(40):
            digits = codec.keys([f"s{i}"])[0][0] >> 6
            steps.setdefault(f"{digits:02b}", []).append(f"s{i}")
        flat = [codec.encode_node(sorted(steps[d][:2]), b"\1\1", bytes(64), []) for d in ("00", "11", "01")]
        for name, second_ in (
            ("P04: entries of another bucket", flat[1]),
            ("entries of their bucket", flat[2]),
        ):
            lower = codec.encode_inode(1, b"\0\1", [2, 2], codec.digest(flat[0]) + codec.digest(second_))
            upper = codec.encode_inode(0, b"\0\1", [4, 1], codec.digest(lower) + bytes(32))
            elements = b"".join(number(len(e)) + e for e in (upper, lower, flat[0], second_))
            made = KindedHash("node", Hash(codec.digest(upper)))
            raw = start + b"\0\0" + made.hash + elements
            claim = "honest" if name.startswith("e") else "refused"
            self.add(claim, forest, name, raw, {"page": ["", 0, 4]}, made, "stream")

    def cases(self, found: list[Subject]) -> None:
        """What mutants of small proofs do not reach."""
        by_name = {
            s.forest.name: s for s in found if not s.stream and s.question and s.forest.root.kind == "node"
        }
        small, plain, modes = by_name["small"], by_name["one"], by_name["modes"]
        ask = {"read": ["a"]}

        def case(
            name: str,
            subject: Subject,
            state: bytes,
            after: bytes = b"\0",
            root: KindedHash | None = None,
            **options: Any,
        ) -> None:
            raw = subject.raw[:38] + after + state
            self.add("refused", subject.forest, name, raw, ask, root or subject.forest.root, **options)

        nested = Flat([Row(b"a", Value(b""), 1)])
        for _ in range(1025):
            nested = Flat([Row(b"a", nested)])
        for name, node in (
            ("P53: 1,025 directories above a directory", nested),
            ("1,024 that are not read", nested.rows[0].child),
        ):
            case(name, plain, body(node), root=own_root(State(1, node), plain.forest))
        path = "/".join("a" * 1025)
        self.of_node(
            "honest", plain, "1,024 directories above a directory", nested.rows[0].child, {"read": [path]}
        )
        case("P33: an inner node where the digits are used up", small, b"\1" + b"\1\2" * 257 + b"\2\1\5a\1x")
        for claim in (1 << 32, 1 << 40, (1 << 62) - 1):
            case(f"P54: a node of {claim} entries", plain, b"\1" + number(2 * claim) + bytes(20))
            case(f"P55: a value of {claim} bytes", plain, b"\3" + number(claim) + bytes(10))
            case(f"P54: a step of {claim} bytes", plain, b"\1\2" + number(claim) + b"\5" + bytes(20))
            case(f"P55: metadata of {claim} bytes", modes, b"\7" + number(claim) + bytes(10))
        self.streams(small)
        case("a number of ten bytes", plain, b"\3" + b"\x80" * 9 + b"\1")
        row = b"\x40" + b"\1" * 32 + b"\4" * 32 + bytes(range(64, 96))
        tiny = b"\0"
        for _ in range(3):
            tiny = row + tiny * 32
        case("P52: entries that are empty directories", plain, b"\1" + row + b"\0" * 32)
        for limits in ({"total": 60}, {"objects": 1}, {"density": 4}, {"depth": 0}, {"contents": 1}):
            deep = next(s for s in found if s.forest.name == "odd" and s.question and not s.stream)
            self.add(
                "refused",
                deep.forest,
                f"limits: {limits}",
                deep.raw,
                deep.question,
                deep.forest.root,
                limits=limits,
            )
        empty = plain.forest.schema.codec.empty
        case("the empty directory blinded", plain, b"\0" + empty, root=KindedHash("node", Hash(empty)))
        one = next(s for s in found if s.forest.name == "one" and s.question == {"read": ["a"]})
        case(
            "the root after is written out, and is the root before",
            one,
            one.raw[39:],
            b"\1\0" + one.forest.root.hash,
        )
        case("P12: a commit as the root", plain, b"\0" + plain.forest.repo.main().head().hash,
             root=KindedHash("node", plain.forest.repo.main().head().hash))  # fmt: skip
        for name, state in (
            ("P09: nothing as contents", b"\3\0"),
            ("P13: contents as the root", b"\2" + bytes(32)),
        ):
            case(name, plain, state, root=KindedHash("node", Hash(empty)))
        # The value is blinded at its first place, and revealed at the second; and so for a directory.
        row_of = plain.forest.schema.codec
        value = row_of.digest(b"Bx")
        later = Flat([Row(b"a", value, 1), Row(b"b", Value(b"x"), 1)])
        self.of_node("refused", plain, "P41: a value at its second place", later, {"read": ["a", "b"]})
        first = Flat([Row(b"a", Value(b"x"), 1), Row(b"b", value, 1)])
        self.of_node("honest", plain, "a value at its first place", first, {"read": ["a", "b"]})
        below = Flat([Row(b"x", Value(b"y"), 1)])
        named_below = named(State(1, below), plain.forest.schema)[id(below)][0]
        both = Flat([Row(b"a", below), Row(b"b", Flat([Row(b"x", Value(b"y"), 1)]))])
        self.of_node("refused", plain, "P41: a directory revealed twice", both, {"read": ["a/x", "b/x"]})
        twice = Flat([Row(b"a", Value(b"x"), 1), Row(b"b", Value(b"x"), 1)])
        self.of_node("refused", plain, "P41: a value revealed twice", twice, {"read": ["a", "b"]})
        second_place = Flat([Row(b"a", named_below), Row(b"b", below)])
        self.of_node(
            "refused", plain, "P41: a directory at its second place", second_place, {"read": ["a/x", "b/x"]}
        )
        # Buckets of a large directory, elsewhere: as a directory, with another count, under another digit.
        for subject in (small, by_name["odd"]):
            self.bucket_elsewhere(subject)

    def bucket_elsewhere(self, subject: Subject) -> None:
        """A proof that reveals a bucket once and refers to it elsewhere: rightly, and wrongly (P11)."""
        known = subject.forest.known
        for way in (
            "as a directory",
            "as a bucket, with another count",
            "as a bucket, under another digit",
            "as it is",
        ):
            top = known[subject.forest.root.hash]()
            assert isinstance(top, Inner)
            row = top.rows[0]
            hash_ = row.child
            assert isinstance(hash_, bytes)
            row.child = known[hash_]()
            flat = isinstance(row.child, Flat)
            rows = [Row(r.label, r.child, 0, b"", r.count) for r in known[subject.forest.root.hash]().rows]
            place: Any = Inner(rows)
            if way == "as a directory":
                # Where it is a bucket is the later place.
                place, row.child = (row.child, hash_) if flat else (hash_, row.child)
            elif way.endswith("count"):
                rows[0].count += 1
            elif way.endswith("digit"):
                rows[1].child, rows[1].count = hash_, rows[0].count
            node = Flat([Row(b"a", top), Row(b"z", place)])
            claim = "honest" if way == "as a directory" and flat else "refused"
            question = {"length": ["a"]}
            if way == "as it is":  # a directory that is revealed at its first place, and referred to twice
                node.rows[1].child, claim = named(State(1, top), subject.forest.schema)[id(top)][0], "honest"
            self.of_node(claim, subject, f"P11: a bucket elsewhere, {way}", node, question, strict=False)

    def of_node(
        self, claim: str, subject: Subject, name: str, node: Any, question: dict[str, Any], **options: Any
    ) -> None:
        """The proof that shows `node`, for the root that it has."""
        root = own_root(State(1, node), subject.forest)
        assert root is not None
        self.add(
            claim,
            subject.forest,
            name,
            subject.raw[:38] + b"\0" + body(node, subject.forest.schema.codec.fanout),
            question,
            root,
            **options,
        )

    def write(self, *, check: bool) -> list[str]:
        """Write the files, or name those that would change."""
        changed: list[str] = []
        for name, vectors in self.files.items():
            used = {label: self.schemas[label] for label in sorted({vector["schema"] for vector in vectors})}
            rows = ",\n".join(json.dumps(vector, ensure_ascii=True) for vector in vectors)
            text = f'{{"schemas": {json.dumps(used)},\n"vectors": [\n{rows}\n]}}\n'
            file = HERE / f"{name}.json"
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                changed.append(file.name)
                if not check:
                    file.write_text(text, encoding="utf-8")
        return changed


def number(n: int) -> bytes:
    """A number of the format."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes((*out, n))


def body(node: Any, fanout: int = 2) -> bytes:
    """The bytes of a state that reveals `node`."""
    return written(Parts(b"", b"", State(1, node), fanout))


def own_root(state: State, forest: Forest) -> KindedHash | None:
    """The root that the state has by itself, whatever rule it breaks; None if it has none."""
    child = state.child
    try:
        hash_ = child if isinstance(child, bytes) else named(state, forest.schema)[id(child)][0]
    except (UnicodeError, ValueError, TypeError, OverflowError, KeyError):
        return None
    if len(hash_) != 32:
        return None
    if state.tag in (2, 3):
        return KindedHash("contents", Hash(hash_))
    if state.tag in (6, 7):
        return KindedHash("contents", Hash(hash_), state.metadata)
    return KindedHash("node", Hash(hash_))


def main() -> int:
    """Write or check."""
    maker = Maker()
    found = subjects()
    maker.honest(found)
    maker.asked(found, 150)
    maker.mutants(found, 6000)
    maker.cases(found)
    maker.of_json(found, 1500)
    check = "--check" in sys.argv
    changed = maker.write(check=check)
    print({name: len(vectors) for name, vectors in maker.files.items()}, "changed:", changed or "nothing")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
