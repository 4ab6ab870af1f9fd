"""Making proofs: a function runs over a tree of a repository, and what it reads is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import BadProof
from ..key import KindedHash
from ..schema import Schema
from ..shape import EMPTY, Record
from ..tree import Tree
from ..tree.home import Home
from ..tree.lazy import RepoSource, behind
from ..types import C, M, R
from .form import form_of
from .limits import DEFAULT, MIB, Limits
from .proof import Proof
from .shown import Reads, Shown, depth_of
from .source import Recording, rooted
from .stream import StreamProof

__all__ = ["outcome", "produce_proof", "produce_stream"]


def outcome(answer: object, schema: Schema[C, M]) -> tuple[Tree[C, M], Any]:
    """`answer` of a function that a proof is for: a tree of `schema` and a result; TypeError for anything else."""
    pair: Any = answer
    if not isinstance(answer, tuple) or len(pair) != 2 or not isinstance(pair[0], Tree):
        raise TypeError("the function of a proof gives a pair of a tree and a result")
    tree: Tree[Any, Any] = pair[0]
    if tree.schema is not schema:
        schema.require(tree.schema)
    return tree, pair[1]


def root_after(start: Tree[Any, Any], before: KindedHash, tree: Tree[Any, Any]) -> KindedHash:
    """The root of `tree`, which a run has made of `start`, whose root is `before`; may read."""
    return before if tree is start else tree.kinded_hash()


def _record(
    home: Home[C, M],
    start: Tree[C, M],
    before: KindedHash,
    f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
    *,
    in_order: bool,
) -> tuple[tuple[dict[bytes, Record], dict[bytes, bytes], Reads], KindedHash, R]:
    root = start._settled()  # pyright: ignore[reportPrivateUsage]
    base: Any = root.source
    if type(base) is not RepoSource:
        base = behind(base)
        # An empty store has its tree nowhere.
        base = base if type(base) is RepoSource else home.source()
    recording = Recording(base, in_order=in_order)
    try:
        given = rooted(home, before, recording, root.word)
        tree, result = outcome(f(given), home.schema)
        # An edited tree is hashed inside: that may read, too.
        after = root_after(given, before, tree)
    finally:
        seen = recording.close()
    return seen, after, result


def produce_proof(
    home: Home[C, M],
    start: Tree[C, M],
    f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
    limits: Limits | None = None,
) -> tuple[Proof[C, M], R]:
    """The proof of what `f` does with `start`, a stored tree of the repository behind `home`, and its result.

    Nothing that is in memory of `start` is used: what `f` reads is read from the repository. BadProof if the proof is
    beyond `limits`, None meaning those of a verifier that is given none.
    """
    schema = home.schema
    form = form_of(schema)
    root = start.kinded_hash()
    (nodes, contents, _), after, result = _record(home, start, root, f, in_order=False)
    if root.hash == schema.codec.empty and root.kind == "node":
        nodes[root.hash] = EMPTY  # known to everybody, and never read
    shown = Shown(root, nodes, contents)
    limits = DEFAULT if limits is None else limits
    raw = form.encode(schema, shown, after, limits)
    _check(shown, len(raw), schema, limits)
    return Proof.of_shown(schema, shown, after, raw), result


def _check(shown: Shown, size: int, schema: Schema[Any, Any], limits: Limits) -> None:
    """Raise BadProof for a proof that a verifier with `limits` would refuse."""
    nodes, values = len(shown.nodes), len(shown.contents)
    least = min(limits.density, limits.objects, limits.depth)
    if size <= min(limits.total, limits.contents) and 4 * nodes + values <= least:
        return  # small in every way: no value is longer than the whole, and no object is less than one
    _within("bytes", size, limits.total, "total")
    _within("revealed objects", nodes + values, limits.objects, "objects")
    _within("objects for its size", 4 * nodes + values, limits.density * -(-size // MIB), "density")
    longest = max(map(len, shown.contents.values()), default=0)
    _within("bytes in one value", longest, limits.contents, "contents")
    if nodes > limits.depth:
        depth = depth_of(shown, schema.codec.hash_size)
        _within("directories below each other", depth, limits.depth, "depth")


def _within(what: str, n: int, limit: int, name: str) -> None:
    if n > limit:
        raise BadProof(
            f"the proof has {n} {what}, and a verifier with these limits takes {limit}: prove less at once, or give "
            f"Limits with another `{name}` here and where it is verified"
        )


def produce_stream(
    home: Home[C, M],
    start: Tree[C, M],
    f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
    limits: Limits | None = None,
) -> tuple[StreamProof[C, M], R]:
    """As `produce_proof`, a stream proof."""
    schema = home.schema
    before = start.kinded_hash()
    (_, _, seen), after, result = _record(home, start, before, f, in_order=True)
    elements = tuple(form_of(schema).elements(schema, seen))
    proof = StreamProof(before, after, elements, schema)
    limits = DEFAULT if limits is None else limits
    _within("elements", len(elements), limits.objects, "objects")
    _within("bytes in one element", max(map(len, elements), default=0), limits.contents + 1, "contents")
    _within("bytes", len(proof.to_bytes()), limits.total, "total")
    return proof, result
