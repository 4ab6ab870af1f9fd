"""Honest proofs to be changed: trees of many shapes, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import irminpy

from ...contents import Counter, String
from ...errors import DecodeError
from ...formats import Native
from ...hash import SHA256, Hash
from ...key import KindedHash
from ...metadata import Own
from ...proof import Proof, StreamProof
from ...proof.question import Question
from ...repo import Repo
from ...schema import Schema
from ...tree import Tree
from .parts import Child, Flat, Inner, Row, Value, named, nodes_of, taken_apart

__all__ = ["MODES", "Computation", "Forest", "Subject", "forests", "subjects"]

Computation = Callable[[Tree[Any, Any]], tuple[Tree[Any, Any], Any]]


def _mode(data: bytes) -> int:
    if len(data) != 1:
        raise DecodeError("mode", "one byte is expected")
    return data[0]


MODES: Schema[str, int] = Schema(
    String(),
    metadata=Own("mode/1", 0, lambda mode: bytes([mode]), _mode, lambda old, ours, theirs: ours),
    format=Native(fanout=2, leaf=2),
)


@dataclass(frozen=True, slots=True)
class Forest:
    """A stored tree: its schema, the list that names the schema in JSON, its root, and all that is below it."""

    name: str
    schema: Schema[Any, Any]
    repo: Repo[Any, Any]
    root: KindedHash
    known: dict[bytes, Callable[[], Child]] = field(default_factory=dict[bytes, Callable[[], Child]])

    @property
    def listed(self) -> list[Any]:
        """The schema, as docs/formats/proof.md, section 8, writes it."""
        schema = self.schema
        default = schema.metadata.encode(schema.metadata.default).hex()
        ids = [schema.contents.id, schema.metadata.id, default]
        return [schema.format.name, schema.format.version, schema.hash.name, *schema.format.parameters, *ids]


@dataclass(frozen=True, slots=True)
class Subject:
    """An honest proof: of what, in which bytes, and with which result."""

    forest: Forest
    name: str
    question: dict[str, Any] | None
    """What it answers, if that can be written down."""
    f: Computation
    proof: Proof[Any, Any] | StreamProof[Any, Any]
    raw: bytes
    result: Any

    @property
    def stream(self) -> bool:
        """Whether it is a stream proof."""
        return isinstance(self.proof, StreamProof)


def _forest(name: str, schema: Schema[Any, Any], bindings: dict[str, Any]) -> Forest:
    repo = irminpy.open("mem:", schema)
    editor = Tree.empty(schema).edit()
    for path, value in bindings.items():
        if isinstance(value, tuple):
            editor.add(path, value[0], metadata=value[1])  # pyright: ignore[reportUnknownArgumentType]
        else:
            editor.add(path, value)
    main = repo.main()
    main.set_tree((), editor.tree(), message="all", date=0, allow_empty=True)
    tree = main.tree()
    forest = Forest(name, schema, repo, tree.kinded_hash())
    raw = main.produce_proof(lambda t: (t, t.to_concrete()))[0].to_bytes()
    parts = taken_apart(raw, schema)
    names = named(parts.state, schema)
    for node in nodes_of(parts.state.child):
        rows = [Row(r.label, r.child if isinstance(r.child, bytes) else names[id(r.child)][0], r.kind, r.metadata,
                    r.count if isinstance(r.child, bytes) else names[id(r.child)][1]) for r in node.rows]  # fmt: skip
        for row, old in zip(rows, node.rows, strict=True):
            if isinstance(old.child, Value) and isinstance(row.child, bytes):
                forest.known[row.child] = _value(old.child.data)
        forest.known[names[id(node)][0]] = _node(type(node), rows)
    return forest


def _value(data: bytes) -> Callable[[], Child]:
    return lambda: Value(data)


def _node(cls: type[Flat | Inner], rows: list[Row]) -> Callable[[], Child]:
    return lambda: cls([Row(row.label, row.child, row.kind, row.metadata, row.count) for row in rows])


def forests() -> Iterator[Forest]:
    """Trees: flat ones up to the leaf limit and beyond, deep ones, shared parts, metadata, other hashes and types."""
    plain: Schema[bytes, None] = Schema()
    yield _forest("empty", plain, {})
    yield _forest("one", plain, {"a": b"x"})
    yield _forest("flat 32", plain, {f"k{i}": b"%d" % i for i in range(32)})
    yield _forest("large 33", plain, {f"k{i}": b"%d" % i for i in range(33)})
    large = {f"dir/k{i}": b"v%d" % (i % 90) for i in range(257)}
    yield _forest("large 257", plain, large | {"é": b"", "e\u0301": b"other", "n/a/b/c": b"deep"})
    small: Schema[str, None] = Schema(String(), format=Native(fanout=2, leaf=2))
    deep = {f"k{i}": f"v{i}" for i in range(20)}
    twice = {f"{d}/x{i}": "same" for d in ("a", "b") for i in range(5)}
    yield _forest("small", small, deep | twice | {"c/a/x": "1", "c/b/x": "1"})
    wide: Schema[int, None] = Schema(Counter(), format=Native(fanout=256, leaf=3))
    yield _forest("wide", wide, {f"k{i}": i for i in range(12)} | {f"d/k{i}": i for i in range(12)})
    odd: Schema[bytes, None] = Schema(hash=SHA256(), format=Native(fanout=32, leaf=4))
    yield _forest("odd", odd, {f"k{i}": b"x" * i for i in range(12)} | {"d/e": b"", "d/f/g": b""})
    modes = {f"k{i}": (f"v{i}", i % 3) for i in range(6)} | {"d/x": ("y", 2), "d/y": ("y", 0)}
    yield _forest("modes", MODES, modes)


_QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "empty": [
        {"read": ["a"]},
        {"length": [""]},
        {"page": ["", 0, None]},
        {"absence": ["a/b"]},
        {"transition": [["new/deep", "6e6577"]]},
    ],
    "one": [{"read": ["a"]}, {"read": [""]}, {"absence": ["b", "a/b"]}, {"transition": [["a", None]]}],
    "flat 32": [{"read": ["k7"]}, {"absence": ["x"]}, {"page": ["", 3, 4]}],
    "large 33": [
        {"read": ["k7", "k8"]},
        {"absence": ["x"]},
        {"length": [""]},
        {"page": ["", 30, 9]},
        {"transition": [["k1", None], ["k2", None]]},
    ],
    "large 257": [
        {"read": ["dir/k7"]},
        {"read": ["dir/k7", "dir/k97", "é", "n/a/b/c"]},
        {"absence": ["dir/none", "é/x", "E\u0301"]},
        {"length": ["dir", "n/a"]},
        {"page": ["dir", 100, 6]},
    ],
    "small": [
        {"read": ["k7"]},
        {"read": ["a/x1", "b/x1", "c/a/x", "c/b/x"]},
        {"absence": ["none", "a/none"]},
        {"page": ["", 5, 5]},
        {"page": ["b", 1, None]},
        {"length": ["", "a", "c"]},
        {"transition": [["a/x1", "6e6577"], ["k1", None], ["c/b", None]]},
    ],
    "wide": [{"read": ["k7", "d/k7"]}, {"absence": ["none"]}, {"page": ["d", 2, 3]}],
    "odd": [{"read": ["k7", "d/e", "d/f/g"]}, {"absence": ["d/none"]}, {"page": ["", 2, 2]}],
    "modes": [
        {"read": ["k1", "k3", "d/x"]},
        {"page": ["", 1, 3]},
        {"absence": ["d/z"]},
        {"transition": [["k1", "6e"]]},
    ],
}


def _fold(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
    start: list[Any] = []
    return tree, tree.fold(start, contents=lambda path, value, found: [*found, ("/".join(path), value)])


def _nothing(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
    return tree, None


def _changes(value: Any) -> dict[str, Computation]:
    return {
        "nothing": _nothing,
        "add": lambda tree: (tree.add("new/deep", value), None),
        "remove": lambda tree: (tree.remove("k1"), tree.find("k1")),
        "move": lambda tree: (tree.add_tree("moved/here", tree.get_tree("d")).remove("d"), None),
        "metadata": lambda tree: (tree, tree.find_all("k1")),
    }


_EXTRA: dict[str, list[str]] = {
    "empty": ["nothing", "add"],
    "one": ["nothing", "add"],
    "large 33": ["remove", "add"],
    "small": ["fold", "add", "remove"],
    "wide": ["remove", "move"],
    "odd": ["move"],
    "modes": ["metadata", "fold", "remove", "add"],
}


def subjects() -> list[Subject]:
    """All honest proofs: of each tree several questions and changes, as a tree proof and as a stream."""
    found: list[Subject] = []
    for forest in forests():
        jobs: list[tuple[str, dict[str, Any] | None, Computation]] = [
            (f"{question!r:.60}", question, Question(question)) for question in _QUESTIONS[forest.name]
        ]
        sample: Any = {"counter/1": 7, "string/1": "new"}.get(forest.schema.contents.id, b"new")
        named_ = {**_changes(sample), "fold": _fold}
        jobs += [(name, None, named_[name]) for name in _EXTRA.get(forest.name, [])]
        for name, question, f in jobs:
            proof, result = forest.repo.produce_proof(forest.root, f)
            found.append(Subject(forest, name, question, f, proof, proof.to_bytes(), result))
            stream, result = forest.repo.produce_stream(forest.root, f)
            found.append(Subject(forest, f"stream of {name}", question, f, stream, stream.to_bytes(), result))
        if forest.name in ("one", "modes"):
            found += _of_contents(forest)
    return found


def _of_contents(forest: Forest) -> Iterator[Subject]:
    """A root that is contents."""
    root = forest.repo.main().tree().get_tree("a" if forest.name == "one" else "k1").kinded_hash()
    below = Forest(f"contents of {forest.name}", forest.schema, forest.repo, root, forest.known)
    for question in ({"read": [""]}, {"absence": ["a"]}):
        f = Question(question)
        proof, result = forest.repo.produce_proof(root, f)
        yield Subject(below, f"{question!r:.60}", question, f, proof, proof.to_bytes(), result)


def hashes_of(forest: Forest) -> list[Hash]:
    """Hashes that stand for something in `forest`."""
    return [Hash(hash_) for hash_ in forest.known]
