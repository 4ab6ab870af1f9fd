"""The floors of the house: a module imports only what stands before it here. The list is the map."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HARD_LIMIT = 600  # lines a module

# `.` is irminpy/__init__.py, the public face: what stands after it may use it, what stands before it may not.
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "late",
        "fields",
        "types",
        "errors",
        "cache",
        "lru",
        "packer",
        "_core",
        "_edits",
        "_frames",
        "_gather",
        "_nodes",
        "_rows",
        "_ccore",
        "core",
        "hash",
        "repr",
        "path",
        "info",
        "branch",
    ),  # 0: words and bytes
    ("merge", "diff", "metadata", "contents"),  # 1: values and how they merge
    (
        "objects",
        "formats",
        "key",
        "schema",
        "recorded",
        "shape",
        "reshape",
        "comparison",
    ),  # 2: objects as bytes
    (
        "backend",
        "collecting",
        "upkeep",
        "slice_stream",
        "wire",
        "carrier",
        "installed",
        "registry",
        "announce",
        "polled",
    ),  # 3: contract
    ("tree", "json_tree", "proof"),  # 4: trees
    (
        "trail",
        "graph",
        "check",
        "slice",
        "watch",
        "commit",
        "history",
        "revision",
        "store",
        "blame",
        "repo",
    ),  # 5: stores
    (
        "remote",
        "slice_files",
        "transfer",
        "sync",
        "importing",
        "dot",
        "light",
        ".",
        "testing",
        "containers",
        "server",
        "cli",
        "__main__",
    ),  # 6: the outside
)
CONTRACT = 3  # backends import this floor and those below

# The order inside a package; its __init__ comes last and need not be named.
INNER: dict[str, tuple[str, ...]] = {
    "hash": ("base", "digests", "own"),
    "repr": ("base", "plain", "compound"),
    "metadata": ("plain", "modes", "own"),
    "contents": ("protocol", "own", "nesting", "plain", "counter", "json", "msgpack", "one_of"),
    "formats": ("format", "native", "inodes", "irmin", "tezos", "described", "git_commit", "git"),
    "tree": (
        *(
            "counters",
            "words",
            "source",
            "lazy",
            "seek",
            "stage",
            "alone",
            "at_once",
            "settle",
            "sweep",
            "edit",
            "listing",
            "home",
            "stream",
            "read",
        ),
        *("gathering", "fold", "stats", "concrete", "clear", "view", "walk"),
        *("diff", "merge", "export", "tree", "glob"),
    ),
    "proof": (
        *(
            "types",
            "limits",
            "cursor",
            "given",
            "shown",
            "shape",
            "draft",
            "compact",
            "values",
            "json",
            "native",
        ),
        *(
            "irmin.parts",
            "irmin.fields",
            "irmin.binary",
            "irmin.json",
            "irmin.shape",
            "irmin.values",
            "irmin.elements",
            "irmin.at_once",
        ),
        *("irmin.form", "irmin", "form"),
        *("proof", "stream", "source", "produce", "verify", "commits", "jobs", "question", "file"),
    ),
    "store": ("follow", "status", "read", "history", "stream", "writing", "store"),
    "testing": (
        *("vectors.report", "vectors.types", "vectors.values", "vectors.objects", "vectors.order"),
        *(
            "vectors.merges",
            "vectors.traces",
            "vectors.proofs",
            "vectors.workloads",
            "vectors.stores",
            "vectors.command",
            "vectors",
            "vectors.__main__",
        ),
        *("strategies", "model", "samples", "watching", "backend", "broken", "tree", "machine"),
        *("store_fixtures", "store_writes", "store_heads", "store_threads", "store_streams", "store"),
        *("store_model", "exchange", "store_machine", "faulty", "sync"),
        *("torture.faults", "torture.forks", "torture.recording", "torture.images", "torture.subject"),
        *("torture.program", "torture.checker", "torture.replay", "torture.sweep", "torture.victims"),
        *(
            "torture.kill",
            "torture.syscalls",
            "torture.fsyncgate",
            "torture.lapse",
            "torture.flip",
            "torture.register",
            "torture.carry",
            "torture.collecting",
        ),
        *("torture.readers", "torture.packs", "torture.probes", "torture.points", "torture.plants"),
        *(
            "torture.endless",
            "torture.selftest",
            "torture.machine",
            "torture.command",
            "torture",
            "torture.__main__",
        ),
        *(
            "fuzz.parts",
            "fuzz.entries",
            "fuzz.structural",
            "fuzz.plain",
            "fuzz.subjects",
            "fuzz.verdict",
            "fuzz.vectors",
        ),
        *("fuzz.campaign", "fuzz.planted", "fuzz.command", "fuzz", "fuzz.__main__"),
        *("__main__",),
    ),
    "containers": ("stamp", "place", "counter", "lww", "blob_log", "linked_log"),
    "server": (
        *("limits", "problem", "target", "access", "hub", "call", "values", "branches", "trees", "batches"),
        *("commits", "proofs", "objects", "slices", "watches", "upstream", "routes", "openapi"),
        *("application", "running"),
    ),
    "cli": (
        *("failure", "output", "config", "place", "progress", "values", "commits", "completing", "arguments"),
        *("rails", "care", "tending", "making", "reading", "writing", "differing", "telling", "branching"),
        *(
            "merging",
            "watching",
            "timing",
            "helping",
            "carrying",
            "slicing",
            "importing",
            "remotes",
            "syncing",
            "proofs",
            "proving",
        ),
        *("demo", "showing", "serving"),
    ),
}

# The same inside each backend.
BACKENDS: dict[str, tuple[str, ...]] = {
    "irminpy_mem": ("shared", "memory", "mapped"),
    "irminpy_git": (
        *("kinds", "delta", "difference", "deltas", "packing", "idx", "unpacking"),
        *("config", "files", "repository", "refs", "loose", "store", "repack", "backend"),
        *(
            "address",
            "rejected",
            "bundle",
            "channel",
            "requests",
            "packets",
            "talk",
            "wire",
            "remote",
            "maker",
        ),
        *("kv.errors", "kv.reading", "kv.writing", "kv.changes", "kv.octets", "kv.store", "kv"),
    ),
    "irminpy_upstream": (
        *("files", "cursor", "control", "space", "names", "heads", "index"),
        *("entry", "objects", "pack", "finding", "maker"),
        *("placing", "fs_refs", "fs"),
    ),
    "irminpy_http": ("connection", "cache", "following", "backend", "maker"),
    "irminpy_pack": (
        *("files", "damage", "environment", "fingerprint", "runs", "index", "walk"),
        *(
            "word",
            "frame",
            "difference",
            "trailer",
            "head",
            "identity",
            "lock",
            "keys",
            "manifest",
            "segment",
        ),
        *(
            "recent",
            "ends",
            "log",
            "generation",
            "absent",
            "lookup",
            "indexing",
            "chunking",
            "large",
            "view",
            "opening",
            "settle",
            "append",
            "state",
            "settings",
            "writer",
            "scan",
            "still",
            "stats",
            "traverse",
            "reindex",
        ),
        *("gc.bitmap", "gc.relocate", "gc.old", "gc.roots", "gc.mark", "gc.output", "gc.copy", "gc.collect"),
        *("gc", "backend"),
        *("fsck.report", "fsck.frames", "fsck.graph", "fsck.indexed", "fsck.deep", "fsck"),
        *("quarantine", "mend", "snapshot.export", "snapshot.restore", "snapshot", "maker"),
    ),
}

# What only an extra installs: never imported when a core module is.
EXTRAS = frozenset({"rich", "dulwich", "starlette", "uvicorn", "h11", "httpx2", "pytest", "hypothesis"})
BEHIND_AN_EXTRA = ("irminpy.server", "irminpy.testing")  # these may; nothing imports them unasked

# The harness for a backend stands above that backend; nothing imports it unasked.
# The same the other way: these parts of a backend's package are programs over the whole library, and over that backend.
PROGRAMS = ("irminpy_git.kv",)

OVER_BACKENDS = {"irminpy.testing.torture": "irminpy_pack", "irminpy.testing.vectors": "irminpy_upstream"}


def order() -> list[str]:
    """All module names of the core in the one order that imports follow."""
    names: list[str] = []
    for unit in (unit for floor in FLOORS for unit in floor):
        if unit == ".":
            names.append("irminpy")
        else:
            names.extend(f"irminpy.{unit}.{inner}" for inner in INNER.get(unit, ()))
            names.append(f"irminpy.{unit}")
    return names


def backend_order(package: str) -> list[str]:
    """The modules of a backend in the one order that imports follow: its programs come after its face."""
    names = [f"{package}.{inner}" for inner in BACKENDS.get(package, ())]
    programs = [name for name in names if name.startswith(PROGRAMS)]
    return [*(name for name in names if name not in programs), package, *programs]


def modules(folder: Path, package: str) -> dict[str, Path]:
    """Module name to file, for all modules of the package in `folder`; of a compiled one, its stub."""
    found: dict[str, Path] = {}
    for file in sorted((folder / package).rglob("*.py*")):
        if file.suffix not in (".py", ".pyi") or "csrc" in file.parts:
            continue
        parts = file.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


CORE = modules(ROOT, "irminpy")
BACKEND_PACKAGES = sorted(file.parent.name for file in (ROOT / "backends").glob("*/__init__.py"))
BACKEND = {package: modules(ROOT / "backends", package) for package in BACKEND_PACKAGES}
EVERY = CORE | {name: file for found in BACKEND.values() for name, file in found.items()}


def targets(name: str, file: Path, tree: ast.AST) -> Iterator[str]:
    """The modules that `name` imports anywhere: at the top, in a function, under TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".")
                package = parts if file.name == "__init__.py" else parts[:-1]
                package = package[: len(package) - node.level + 1]
                base = ".".join([*package, base] if base else package)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in EVERY else base


def ours(module: str) -> bool:
    return module.split(".")[0] == "irminpy" or module.split(".")[0] in BACKEND_PACKAGES


def upward(name: str, file: Path, tree: ast.AST, allowed: list[str]) -> list[str]:
    """What `name` imports of irminpy and its backends that is not in `allowed`."""
    return sorted({target for target in targets(name, file, tree) if ours(target) and target not in allowed})


@pytest.mark.parametrize("name", sorted(CORE))
def test_a_core_module_imports_only_what_stands_before_it(name: str) -> None:
    names = order()
    assert name in names, f"{name} has no place in FLOORS or INNER of tests/test_layers.py"
    file = CORE[name]
    allowed = names[: names.index(name)]
    for harness, backend in OVER_BACKENDS.items():
        if name.startswith(harness):
            allowed += backend_order(backend)
    wrong = upward(name, file, ast.parse(file.read_bytes()), allowed)
    assert not wrong, f"{name} imports {', '.join(wrong)}, which does not stand before it"


@pytest.mark.parametrize("name", sorted(name for found in BACKEND.values() for name in found))
def test_a_backend_imports_the_contract_and_what_is_below(name: str) -> None:
    package = name.split(".")[0]
    own = backend_order(package)
    assert name in own, f"{name} has no place in BACKENDS of tests/test_layers.py"
    core = order()
    top = "irminpy." + FLOORS[CONTRACT][-1]
    whole = core[: core.index("irminpy") + 1]
    allowed = (whole if name.startswith(PROGRAMS) else core[: core.index(top) + 1]) + own[: own.index(name)]
    file = EVERY[name]
    wrong = upward(name, file, ast.parse(file.read_bytes()), allowed)
    assert not wrong, f"{name} imports {', '.join(wrong)}, which is above the contract or after it"


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_module_is_at_most_600_lines(name: str) -> None:
    assert len(EVERY[name].read_text(encoding="utf-8").splitlines()) <= HARD_LIMIT


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported: not those in functions, nor under TYPE_CHECKING."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            yield from at_import(statement.orelse)
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from at_import(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from at_import(handler.body)


@pytest.mark.parametrize("name", sorted(name for name in CORE if not name.startswith(BEHIND_AN_EXTRA)))
def test_no_extra_is_imported_with_a_core_module(name: str) -> None:
    for statement in at_import(ast.parse(CORE[name].read_bytes()).body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for target in targets(name, CORE[name], statement):
                assert target.split(".")[0] not in EXTRAS, f"{name} imports {target} at its top"


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("irminpy.hash", "from irminpy.store import Store", "irminpy.store"),
        ("irminpy.hash", "def f():\n    from . import cli", "irminpy.cli"),
        ("irminpy.hash", "if TYPE_CHECKING:\n    import irminpy", "irminpy"),
        ("irminpy.cli.failure", "from .demo import run", "irminpy.cli.demo"),
        ("irminpy.hash", "import irminpy_mem", "irminpy_mem"),
    ],
)
def test_a_planted_upward_import_is_seen(name: str, text: str, wrong: str) -> None:
    names = order()
    file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    assert upward(name, file, ast.parse(text), names[: names.index(name)]) == [wrong]


def test_an_import_downward_is_allowed() -> None:
    names = order()
    text = "import os\nfrom .failure import Failure\nfrom .. import errors\nimport irminpy"
    file = ROOT / "irminpy/cli/demo.py"
    allowed = names[: names.index("irminpy.cli.demo")]
    assert upward("irminpy.cli.demo", file, ast.parse(text), allowed) == []
