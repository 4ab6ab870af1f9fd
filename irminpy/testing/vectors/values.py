"""What the files of vectors are written in: strings, bindings, concrete trees, the stores they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from ...contents import Bytes
from ...formats import Custom, Format, Inodes, Irmin, Irmin2, Tezos
from ...hash import BLAKE2B, SHA1, HashFunction
from ...path import Path, step_of_bytes
from ...schema import Schema
from ...tree import Tree

__all__ = [
    "STORES",
    "data_of",
    "digest_of",
    "of_bindings",
    "of_concrete",
    "path_of",
    "shown",
    "step_of",
    "to_concrete",
]

Bound = Tree[bytes, None]


def _ascii_digit(depth: int, step: bytes) -> int:
    return step[depth] - 48


_STABLE = Inodes(32, 256, "seeded")
_TINY = Inodes(2, 3, "seeded")


def _schema(format: Format, hash: HashFunction) -> Schema[bytes, None]:
    return Schema(Bytes(), hash=hash, format=format)


STORES: dict[str, Schema[bytes, None]] = {
    "mem-blake2b": _schema(Irmin(None), BLAKE2B(64)),
    "mem-sha1": _schema(Irmin(None), SHA1()),
    "fs-blake2b": _schema(Irmin(None), BLAKE2B(64)),
    "pack-kv-blake2b": _schema(Irmin(_STABLE), BLAKE2B(64)),
    "pack-kv-blake2b-hashbits": _schema(Irmin(Inodes(32, 256, "hash-bits")), BLAKE2B(64)),
    "pack-kv-blake2b-small": _schema(Irmin(_TINY), BLAKE2B(64)),
    "pack-kv-blake2b-small-hashbits": _schema(Irmin(Inodes(2, 3, "hash-bits")), BLAKE2B(64)),
    "pack-v2-sha1": _schema(Irmin2(_STABLE), SHA1()),
    "pack-v2-sha1-custom": _schema(Irmin2(Inodes(2, 2, Custom("ascii/1", _ascii_digit))), SHA1()),
    "tezos": _schema(Tezos(_STABLE), BLAKE2B(32)),
    "tezos-small": _schema(Tezos(_TINY), BLAKE2B(32)),
}
"""The name of a store of the vectors to the schema that gives its bytes."""


def data_of(value: Any) -> bytes:
    """The bytes of a string: text, `{"hex": …}`, or `{"pattern_len": …, "pattern_seed": …}`."""
    if isinstance(value, str):
        return value.encode()
    if "hex" in value:
        return bytes.fromhex(value["hex"])
    n, seed = value["pattern_len"], value["pattern_seed"]
    return bytes([((i * 31 + seed) * 7 + (i >> 8)) & 255 for i in range(n)])


def shown(data: bytes) -> Any:
    """The inverse of `data_of`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def step_of(value: Any) -> str:
    """A step as irminpy has it."""
    return step_of_bytes(data_of(value))


def path_of(value: Iterable[Any]) -> Path:
    """A path as irminpy has it."""
    return tuple([step_of(step) for step in value])


def of_bindings(schema: Schema[bytes, None], bindings: Iterable[Any]) -> Bound:
    """The tree of `[[path, contents], …]`, bound in order: later ones replace earlier ones."""
    editor = Tree.empty(schema).edit()
    for path, value in bindings:
        editor.add(path_of(path), data_of(value))
    return editor.tree()


def of_concrete(schema: Schema[bytes, None], concrete: Any) -> Bound:
    """The tree of Irmin's JSON of a concrete tree."""
    ((kind, value),) = concrete.items()
    if kind == "Contents":
        return Tree.of_contents(data_of(value[0]), schema=schema)
    editor = Tree.empty(schema).edit()
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, rows = stack.pop()
        for step, below in rows:
            at = (*path, step_of(step))
            ((kind, value),) = below.items()
            if kind == "Contents":
                editor.add(at, data_of(value[0]))
            else:
                stack.append((at, value))
    return editor.tree()


def to_concrete(tree: Bound) -> Any:
    """Irmin's JSON of the tree, sorted by step."""
    if tree.kind() == "contents":
        unit: dict[str, Any] = {}
        return {"Contents": [shown(tree.get()), unit]}
    rows = tree.list((), sorted=True)
    return {
        "Tree": [[shown(step.encode("utf-8", "surrogateescape")), to_concrete(child)] for step, child in rows]
    }


def digest_of(value: Any) -> str:
    """The SHA-256 of the compact JSON text of `value`."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
