"""The verifier without one of its checks: whether anybody would notice.

Every statement that refuses a proof is a check; `plants` finds them in the source. `without` takes one out for a while:
the function is compiled anew with `pass` in its place. What a check is for is told by the numbers V1 to V8 of what
acceptance must mean (docs/proofs.md).
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pkgutil import walk_packages
from types import CodeType, FunctionType
from typing import Any, cast

__all__ = ["Plant", "plants", "without"]

_APART = frozenset({"produce", "jobs", "question", "file", "types", "shown", "irmin"})
"""Modules of `irminpy.proof` that check no native proofs."""

_CORE = frozenset({"check_node", "_check_metadata", "check_inode"})
"""What the native format asks of one object."""

_SAYS = ("irminpy.proof.limits", "explain")
"""The function that says what is wrong with a proof which is refused already: without it the proof is read again, and
refused then."""


def _modules(*, irmin: bool) -> Iterator[str]:
    """Where native proofs are checked, or what only those of Irmin's formats are checked by."""
    package = import_module("irminpy.proof")
    for found in walk_packages(package.__path__, "irminpy.proof."):
        part = found.name.split(".")[2]
        if part == "irmin" if irmin else part not in _APART:
            yield found.name
    if not irmin:
        yield "irminpy._core"


# By what a check says; the first that fits.
_MEANING = (
    ("V7", r"limit|truncated|too deep|levels"),
    ("V1", r"(root|after|commit|parameter) mismatch|wrong proof type|version|mismatch: another"),
    ("V2", r"blinded part|_failure|_missing|does not show|elements end|StreamTooShort"),
    ("V4", r"misplaced|digits"),
    ("V3", r"empty|kind mismatch|length|count|buckets|place of"),
    (
        "V5",
        r"canonical|sharing|surplus|TooLong|trailing|unsorted|duplicate|unknown|number|step|index|kinds?|columns",
    ),
    ("V8", r"raise"),
)


_OTHER = ("raise TypeError", "raise SchemaMismatch", "raise ValueError(f'{name} is {value};")


@dataclass(frozen=True, slots=True)
class Plant:
    """A check: the statement, where it stands, and what it is for."""

    module: str
    function: str
    """The outermost function, as its qualified name."""
    line: int
    text: str

    @property
    def meaning(self) -> str:
        """The number of what acceptance must mean that it keeps."""
        return next(number for number, pattern in _MEANING if re.search(pattern, self.text))

    def __str__(self) -> str:
        return f"{self.meaning} {self.module}.{self.function}:{self.line}: {self.text:.110}"


def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(import_module(module)))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def _raises(function: ast.FunctionDef) -> Iterator[tuple[list[ast.stmt], int, ast.Raise]]:
    """Each statement that raises, with the block that it stands in."""
    for node in ast.walk(function):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                statements = cast("list[ast.stmt]", block)
                for i, statement in enumerate(statements):
                    if isinstance(statement, ast.Raise):
                        yield statements, i, statement


def plants(*, irmin: bool = False) -> list[Plant]:
    """All checks of native proofs, or those that only Irmin's formats have, but those of a caller's arguments."""
    found: list[Plant] = []
    for module in _modules(irmin=irmin):
        for function, node in _functions(_tree(module)):
            if (module == "irminpy._core" and function not in _CORE) or (module, function) == _SAYS:
                continue
            for _, _, statement in _raises(node):
                text = ast.unparse(statement)
                if not text.startswith(_OTHER) and text != "raise":
                    found.append(Plant(module, function, statement.lineno, _with_reason(node, text)))
    return found


def _with_reason(function: ast.FunctionDef, text: str) -> str:
    """`text`, with what the name `reason` in it stands for."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason" and "reason" in text:
            return f"{text}  # {ast.unparse(node.value)}"
    return text


@contextmanager
def without(plant: Plant) -> Generator[None]:
    """While this lasts, the check is not there."""
    tree = _tree(plant.module)
    ((block, i),) = [
        (block, i)
        for function, node in _functions(tree)
        if function == plant.function
        for block, i, statement in _raises(node)
        if statement.lineno == plant.line
    ]
    block[i] = ast.copy_location(ast.Pass(), block[i])
    module = import_module(plant.module)
    changed = compile(tree, module.__file__ or plant.module, "exec")
    function = _function(module, plant.function)
    before = function.__code__
    function.__code__ = _code(changed, plant.function)
    try:
        yield
    finally:
        function.__code__ = before


def _function(module: Any, name: str) -> FunctionType:
    owner, _, last = name.rpartition(".")
    within: object = getattr(module, owner) if owner else module
    namespace = cast("dict[str, object]", vars(within))
    found: object = namespace[last]
    if isinstance(found, staticmethod):
        found = cast("Any", found).__func__
    assert isinstance(found, FunctionType)
    return found


def _code(code: CodeType, name: str) -> CodeType:
    for part in name.split("."):
        code = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == part)
    return code
