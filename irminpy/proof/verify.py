"""Checking proofs: the function runs again, on what the proof shows and on nothing else.

The root is the caller's, never the proof's. What the function cannot hide is kept where it cannot reach: whether it
asked for something that is not shown, and what it has read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ProofMismatch
from ..formats.native import NativeCodec
from ..hash import Hash
from ..key import KindedHash
from ..schema import Schema
from ..tree import Tree
from ..tree.home import Home
from ..types import C, M, R
from .limits import DEFAULT, Limits
from .produce import outcome, root_after
from .proof import Proof
from .shown import check_together
from .source import ProofSource, ShownSource, StreamSource, rooted
from .stream import StreamProof

__all__ = ["Root", "to_tree", "verify_proof", "verify_stream"]

_BYTES = (bytes, Hash)

Root = KindedHash | bytes
"""What a caller trusts: a kinded hash, or the hash of a directory."""


def verify_proof(
    proof: Proof[C, M],
    f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
    schema: Schema[C, M],
    *,
    root: Root,
    strict: bool = True,
    limits: Limits = DEFAULT,
) -> tuple[Tree[C, M], R]:
    """(tree, result) that `f` gives on the tree with the hash `root`, as far as `proof` shows that tree.

    `root` is the hash that the caller trusts, from elsewhere than the proof: of a directory, or a KindedHash. If this
    returns, then `f` gives this result, and a tree with this hash, on every tree with that root. The tree goes on
    working where the proof reaches and raises DanglingHash beyond it.

    Raises ProofMismatch, with place and reason, if the proof is not for `root` and `schema`, if it breaks a rule of the
    format, if `f` reads what it does not show (whether or not `f` catches that), if `f` does not end with the root
    that it states, and, with `strict`, if it shows what `f` does not read. What `f` itself raises goes through.
    `f` gets no store, but nothing stops it from using one that it has: then it proves less than it seems to.
    """
    if type(proof) is not Proof or proof.schema is not schema:
        _check(proof, schema, Proof)
    trusted = _before(proof, root, schema)
    shown = proof.shown(limits)
    if shown.root is not trusted and shown.root != trusted:
        raise ProofMismatch(
            f"root mismatch: what it shows hashes to {_show(shown.root)}, not to {_show(trusted)}", "/"
        )
    if strict:
        check_together(shown)
    home = _home(schema)
    source = ShownSource(home, shown, running=True, strict=strict)
    return _run(home, source, trusted, f, proof.after)


def verify_stream(
    proof: StreamProof[C, M],
    f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
    schema: Schema[C, M],
    *,
    root: Root,
    limits: Limits = DEFAULT,
) -> tuple[Tree[C, M], R]:
    """As `verify_proof`, of a stream proof: `f` has to read its elements in their order, and all of them.

    Raises StreamTooShort if `f` reads more, StreamTooLong if it reads less, else as `verify_proof`.
    """
    _check(proof, schema, StreamProof)
    trusted = _before(proof, root, schema)
    home = _home(schema)
    source = StreamSource(home, trusted, iter(proof.elements), limits)
    return _run(home, source, trusted, f, proof.after)


def to_tree(proof: Proof[C, M], limits: Limits = DEFAULT) -> Tree[C, M]:
    """The tree that `proof` shows, to look at: nothing says that its root is one to trust.

    Its hash is that of the state, whatever `before` says. What is blinded raises DanglingHash. ProofMismatch if the
    state breaks a rule of the format.
    """
    home = _home(proof.schema)
    shown = proof.shown(limits)
    return rooted(home, shown.root, ShownSource(home, shown, running=False, strict=False))


# -- what both kinds share -----------------------------------------------------------------------------------


def _check(given: object, schema: Schema[Any, Any], cls: type[Any]) -> None:
    proof: Any = given
    if not isinstance(schema, Schema):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a schema is expected, not {type(schema).__name__}")
    if not isinstance(proof, cls):
        if type(proof) not in (Proof, StreamProof):
            raise TypeError(f"a {cls.__name__} is expected, not {type(proof).__name__}")
        raise ProofMismatch(f"wrong proof type: it is a {type(proof).__name__}, not a {cls.__name__}")
    found: Schema[Any, Any] = proof.schema
    if found is not schema and found != schema:
        raise ProofMismatch(
            f"parameter mismatch: it is of the schema {found.describe()}, not {schema.describe()}"
        )


def _before(
    proof: Proof[Any, Any] | StreamProof[Any, Any], root: Root, schema: Schema[Any, Any]
) -> KindedHash:
    """`root` as a kinded hash; ProofMismatch if it is not the root that `proof` says it is for."""
    before = proof.before
    known = before.hash
    # One value for both is enough, if nothing in it is of a type that may say that it equals anything.
    plain = type(root) in _BYTES and type(before) is KindedHash and type(known) is Hash
    if plain and root == known and before.kind == "node" and len(known) == schema.codec.hash_size:
        return before
    trusted = _trusted(root, schema)
    if before != trusted:
        raise ProofMismatch(f"root mismatch: it is for {_show(before)}, not for {_show(trusted)}", "before")
    return trusted


def _trusted(root: Root, schema: Schema[Any, Any]) -> KindedHash:
    if isinstance(root, KindedHash):
        Hash.of_bytes(root.hash, schema.codec.hash_size)
        return root
    if not isinstance(root, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"root is a hash that you trust, as bytes or as a KindedHash, not {type(root).__name__}"
        )
    return KindedHash("node", Hash.of_bytes(bytes(root), schema.codec.hash_size))


def _show(root: KindedHash) -> str:
    metadata = "" if root.metadata is None else f" with metadata {root.metadata.hex():.40}"
    return f"{'contents' if root.kind == 'contents' else 'directory'} {root.hash.hex()[:16]}{metadata}"


def _home(schema: Schema[C, M]) -> Home[C, M]:
    """The surroundings of the trees of one verification, which share nothing with others."""
    codec = schema.codec
    apart = codec.apart() if isinstance(codec, NativeCodec) else schema.format.bind(schema.hash)
    return Home(schema, codec=apart)


def _run(
    home: Home[C, M],
    source: ProofSource,
    root: KindedHash,
    f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
    stated: KindedHash,
) -> tuple[Tree[C, M], R]:
    start = rooted(home, root, source)
    try:
        tree, result = outcome(f(start), home.schema)
        after = root_after(start, root, tree)
    except Exception as e:
        # Whatever `f` raises is its own, unless it comes of a proof that shows too little.
        source.conclude(e)
        raise
    source.conclude(None)
    if after is not stated and after != stated:
        raise ProofMismatch(
            f"after mismatch: the run ends with {_show(after)}, and the proof states {_show(stated)}", "after"
        )
    return tree, result
