"""Packages whose names are imported when they are asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import entry_points as all_entry_points
from pathlib import Path

import pytest

import irminpy
from irminpy import contents, formats, hash, installed, metadata, store, tree
from irminpy.late import late

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = [irminpy, contents, formats, hash, metadata, store, tree]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_name_is_where_the_type_checkers_are_told(package: object) -> None:
    file = Path(str(package.__file__))  # type: ignore[attr-defined]  # a package has one
    name = str(package.__name__)  # type: ignore[attr-defined]  # the same
    told: set[tuple[str, str]] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                if statement.module is not None:
                    module = statement.module.removeprefix(f"{name}.")
                    told |= {(alias.name, module) for alias in statement.names}
    assert told == set(package._WHERE.items())  # type: ignore[attr-defined]
    for one in package.__all__:  # type: ignore[attr-defined]
        assert getattr(package, one) is not None
        assert one in dir(package)


def test_what_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        irminpy.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(irminpy, "__wrapped__")
    assert not hasattr(irminpy, "_private")
    with pytest.raises(ImportError):
        exec("from irminpy import nothing")


def test_a_module_whose_import_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lazy_").mkdir()
    (tmp_path / "lazy_" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "lazy_" / "broken.py").write_text("import module_that_is_not_there", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("lazy_")
    getattr_, _ = late("lazy_", {})
    with pytest.raises(ModuleNotFoundError, match="module_that_is_not_there"):
        getattr_("broken")


# All of ours that `get` of a value in a pack takes; what is not here needs a reason to be.
NEEDED = {
    "irminpy": "_ccore _core _edits _gather _frames _nodes _rows announce backend branch cache cli commit contents "
    "core errors fields formats hash history info installed key late metadata objects packer path recorded "
    "registry repo reshape revision schema shape store trail tree types upkeep watch",
    "irminpy.cli": "arguments config failure output place reading values",
    "irminpy.contents": "plain protocol",
    "irminpy.formats": "format native",
    "irminpy.hash": "base",
    "irminpy.metadata": "plain",
    "irminpy.store": "follow history read store stream writing",
    "irminpy.tree": "alone at_once counters edit export home lazy listing read seek settle source stage stream sweep "
    "tree walk words",
    "irminpy_pack": "absent backend chunking damage difference ends environment files fingerprint frame generation "
    "head identity index indexing keys large lock log lookup maker manifest opening runs segment settings settle state "
    "trailer view word",
}
HEAVY = (
    *(
        "asyncio",
        "rich",
        "dulwich",
        "starlette",
        "logging",
        "random",
        "email",
        "importlib.metadata",
        "shutil",
    ),
    *(
        "dataclasses",
        "copy",
        "urllib.parse",
        "difflib",
        "hashlib",
        "subprocess",
        "tempfile",
        "pathlib",
        "json",
    ),
    *("irminpy.proof", "irminpy.sync", "irminpy.dot", "irminpy.check", "irminpy.slice", "irminpy.graph"),
    *("irminpy.formats.git", "irminpy.formats.irmin", "irminpy.contents.json", "irminpy.hash.digests"),
    *(
        "irminpy.tree.merge",
        "irminpy.tree.diff",
        "irminpy.tree.fold",
        "irminpy.tree.view",
        "irminpy.tree.stats",
    ),
    *("irminpy.diff", "irminpy.collecting", "irminpy.merge", "irminpy_pack.writer", "irminpy.metadata.modes"),
    *("irminpy_pack.fsck", "irminpy_pack.gc.collect", "irminpy_pack.snapshot", "irminpy.cli.telling"),
)


def _get(folder: Path, *, first: str, then: str) -> subprocess.CompletedProcess[str]:
    """`irminpy get` of a value, 1, in a process of its own that runs `first` before and `then` behind it."""
    with irminpy.open(f"pack:{folder / 'store'}") as repo:
        repo.main().set("a", b"1")
    code = (
        f"import sys\nsys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'backends')!r}]\n"
        f"{first}from irminpy.cli import main\n"
        f"try: main(['--store', 'pack:{folder / 'store'}', 'get', 'a'])\n"
        f"except SystemExit as e: assert not e.code\n{then}"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_get_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """The budget is 150 ms more than an empty program; what takes the time is imports, and these are counted."""
    then = (
        f"sys.stderr.write(' '.join(sorted(set({HEAVY!r}) & set(sys.modules))))\n"
        "ours = [name for name in sys.modules if name.startswith('irminpy')]\n"
        "sys.stderr.write('\\n' + ' '.join(ours))\n"
    )
    done = _get(tmp_path, first="", then=then)
    # What site-packages import at start, as editable installs of some packages do, is not ours.
    others = "import sys, click, msgpack, lmdb, blake3, sortedcontainers"
    bare = subprocess.run(
        [sys.executable, "-c", f"{others}; print(*set({HEAVY!r}) & set(sys.modules))"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "1", done.stderr
    heavy, ours = done.stderr.split("\n")
    assert set(heavy.split()) <= set(bare.stdout.split())
    needed = {f"{package}.{name}" for package, names in NEEDED.items() for name in names.split()}
    assert set(ours.split()) - needed - {"irminpy", "irminpy_pack"} == set()


def test_get_makes_no_class_by_compiling_code(tmp_path: Path) -> None:
    """A dataclass compiles its methods; and so does `typing.NamedTuple` its annotations (decision 082)."""
    first = (
        "import dataclasses, typing\n"
        "made = []\n"
        "kept = dataclasses._process_class\n"
        "dataclasses._process_class = lambda cls, *rest: made.append(cls.__module__) or kept(cls, *rest)\n"
        "named = typing.NamedTupleMeta.__new__\n"
        "def new(cls, name, bases, body): made.append(body['__module__']); return named(cls, name, bases, body)\n"
        "typing.NamedTupleMeta.__new__ = new\n"
    )
    then = "sys.stderr.write(' '.join(sorted(name for name in made if name.startswith('irminpy'))))\n"
    done = _get(tmp_path, first=first, then=then)
    assert (done.stdout, done.stderr) == ("1", "")


def test_entry_points_are_those_that_importlib_knows() -> None:
    for group in ("irminpy.backends", "console_scripts", "no such group"):
        expected = all_entry_points(group=group)
        assert {(point.name, point.value) for point in installed.entry_points(group=group)} == {
            (point.name, point.value) for point in expected
        }
        for name in {point.name for point in expected}:
            first, *_ = [point for point in expected if point.name == name]
            (found, *_) = installed.entry_points(group=group, name=name)
            assert (found.name, found.value) == (first.name, first.value)
    assert list(installed.entry_points(group="irminpy.backends", name="absent")) == []


def test_a_distribution_on_the_path_announces_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other-1.0.dist-info"
    folder.mkdir()
    (tmp_path / "empty-1.0.dist-info").mkdir()
    (folder / "entry_points.txt").write_text(
        "[console_scripts]\nx = y:z\n\n[some.group]\n# a comment\none = os.path:join [extra]\ntwo=os\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    (one,) = installed.entry_points(group="some.group", name="one")
    (two,) = installed.entry_points(group="some.group", name="two")
    assert one.load() is __import__("os").path.join
    assert two.load() is __import__("os")
    assert list(installed.entry_points(group="some.group", name="x")) == []
    with pytest.raises(ImportError):
        installed.Entry("a", "module_that_is_not_there:x").load()
    with pytest.raises(AttributeError):
        installed.Entry("a", "os:nothing_like_this").load()
