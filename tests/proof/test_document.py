"""The examples of docs/formats/proof.md are what the library writes and takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import irminpy
from irminpy import Proof, Schema, Tree, verify_proof
from irminpy.formats import Native

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/formats/proof.md"
EXAMPLES = DOCUMENT.read_text(encoding="utf-8").split("```text\n")[1:]


def bytes_of(number: int) -> bytes:
    """The bytes of an example, without what is said about them."""
    lines = EXAMPLES[number].split("```")[0].splitlines()
    return bytes.fromhex("".join(line.split("  ")[0] for line in lines))


def check(number: int, schema: Schema[bytes], bindings: dict[str, bytes], path: str, root: str) -> None:
    main = irminpy.open("mem:", schema).main()
    editor = Tree.empty(schema).edit()
    for name, value in bindings.items():
        editor[name] = value
    main.set_tree((), editor.tree())
    assert main.head().tree_hash.hex() == root
    assert root in DOCUMENT.read_text(encoding="utf-8")

    def f(tree: Tree[bytes]) -> tuple[Tree[bytes], Any]:
        return tree, tree.get(path)

    written = bytes_of(number)
    assert main.produce_proof(f)[0].to_bytes() == written
    _, value = verify_proof(Proof.from_bytes(written, schema), f, schema, root=bytes.fromhex(root))
    assert value == bindings[path]


def test_the_first_example() -> None:
    root = "3026e38062ee4b35bde0dd9079e3287f3ea1d7861493a3a66758b5fbd7190fad"
    check(0, Schema(), {"a": b"x", "b/c": b"y"}, "b/c", root)


def test_the_second_example() -> None:
    root = "03dc40d4a2f2b6908ee1ff5e3b55de858a8cd4eca59bdd5b1bba733b43b0ef02"
    bindings = {f"k{i}": b"v%d" % i for i in range(5)}
    check(1, Schema(format=Native(fanout=2, leaf=2)), bindings, "k0", root)
