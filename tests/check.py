"""The one command before a commit, and what CI runs: `python tests/check.py`, from anywhere.

Format, lint, two type checkers, no trace of a machine, tests with doctests and the README, then the wheel:
built from the sdist, installed in a clean environment, every module imported, every backend opened. One line
a step with its seconds; the output of a step is shown if it fails. The interpreter that runs this needs what
`pip install '.[test]'` brings.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 840  # seconds a command may take: CI has fifteen minutes


class Failed(Exception):
    """A step failed; the text is what to show."""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """The output of a command that must succeed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as expired:
        raise Failed(f"$ {' '.join(words)}\nstill running after {LIMIT} s\n{expired.output or ''}") from None
    if done.returncode != 0:
        raise Failed(f"$ {' '.join(words)}\n{done.stdout}exit status {done.returncode}")
    return done.stdout


def tool(module: str, *arguments: str) -> str:
    """The output of a Python tool of this interpreter's environment."""
    return run(sys.executable, "-m", module, *arguments)


def sources() -> list[str]:
    """The folders that hold Python, examples only once there are some."""
    return ["irminpy", "backends", "tests", *(["examples"] if any((ROOT / "examples").glob("*.py")) else [])]


def format_(fix: bool) -> None:
    """Ruff's format."""
    tool("ruff", "format", *([] if fix else ["--check"]), ".")


def lint(fix: bool) -> None:
    """Ruff's rules."""
    tool("ruff", "check", "--output-format=concise", *(["--fix"] if fix else []), ".")


def mypy(fix: bool) -> None:
    """mypy --strict over everything."""
    tool("mypy", "--strict", *sources())


def pyright(fix: bool) -> None:
    """pyright, strict, over the library and its backends."""
    tool("pyright", "--warnings", "--pythonpath", sys.executable)


# A place on somebody's machine, or a registry's host. The brackets keep these lines from matching themselves.
TRACES = re.compile(
    r"(?<![\w.~])/(?:[h]ome|[r]oot|[U]sers|[w]ork|[o]pt)/[\w.]+|[A-Za-z]:\\[U]sers\\"
    r"|\b(?:[p]ypi\.org|[p]ythonhosted\.org|[n]pmjs\.(?:org|com)|[d]eb\.debian\.org|[c]rates\.io)\b"
)


def tracked() -> list[Path]:
    """The files git tracks; in an unpacked sdist, where there is no git, all files."""
    if (ROOT / ".git").exists():
        return [ROOT / name for name in run("git", "ls-files", "-z").split("\0") if name]
    hidden = re.compile(r"/(\.venv|venv|build|dist|__pycache__|\.[a-z]+_cache|\.hypothesis)/")
    return [file for file in ROOT.rglob("*") if file.is_file() and not hidden.search(file.as_posix())]


def traces(fix: bool) -> None:
    """No path of a machine and no registry's host in a tracked file."""
    here = [str(place) for place in (ROOT, Path.home(), Path(sys.prefix)) if len(place.parts) > 2]
    found: list[str] = []
    for file in tracked():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, OSError):
            continue  # data, a link that leads nowhere, or deleted and not yet committed
        for number, line in enumerate(lines, 1):
            trace = TRACES.search(line)
            words = ([trace[0]] if trace else []) + [place for place in here if place in line]
            found += [f"{file.relative_to(ROOT)}:{number}: {word}" for word in words]
    if found:
        raise Failed("\n".join(found))


def tests(fix: bool) -> None:
    """The tests, doctests, README and examples; with `IRMINPY_TESTED` only what a longer profile changes.

    Those then run with the core in Python: the run before had the compiled one, where it was built.
    """
    again: list[str] = []
    if os.environ.get("IRMINPY_TESTED"):
        again = ["-m", "hypothesis or profiled"]
    before = os.environ.get("IRMINPY_CORE")
    if again:
        os.environ.setdefault("IRMINPY_CORE", "python")
    try:
        output = tool("pytest", "-q", "-n", "auto", *again)
    finally:
        if before is None:
            os.environ.pop("IRMINPY_CORE", None)
    for line in output.splitlines():
        if line.startswith("deselected") or re.match(r"\d+ passed", line):
            print(f"         {line}")


# How `irminpy.open` reaches each backend; {} is an empty directory. None: it needs a server, or a store
# that Irmin made.
URIS: dict[str, str | None] = {
    "mem": "mem:",
    "pack": "pack:{}/pack",
    "git": "git:{}/git",
    "irmin-fs": "irmin-fs:{}/fs",
    "irmin-pack": None,
    "http": None,
    "https": None,
}

# What extras bring: without it a module that needs it may refuse. With irminpy[all] every module imports.
EXTRAS = ("rich", "dulwich", "starlette", "uvicorn", "h11", "httpx2")
OF_TESTS = ("pytest", "hypothesis")

IMPORT = """
    import importlib, importlib.metadata, pkgutil, sys, tempfile

    may_lack, uris = {may_lack!r}, {uris!r}
    points = importlib.metadata.entry_points(group="irminpy.backends")
    roots = ["irminpy", *sorted({{point.module.split(".")[0] for point in points}})]
    lacking = []

    def attempt(name):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] not in may_lack:
                raise
            lacking.append(name)

    seen = 0
    for root in roots:
        module = attempt(root)
        path = module.__path__ if module else []
        for info in pkgutil.walk_packages(path, root + ".", onerror=lambda name: None):
            attempt(info.name)
            seen += 1
    import irminpy

    assert "site-packages" in irminpy.__file__, irminpy.__file__
    assert points, "no backend announces itself"
    for point in sorted(points, key=lambda point: point.name):
        if point.name not in uris:
            sys.exit(f"tests/check.py: URIS does not say how to open the backend {{point.name!r}}")
        if point.module.split(".")[0] in lacking:
            continue
        point.load()
        if uris[point.name] is not None:
            with irminpy.open(uris[point.name].format(tempfile.mkdtemp())) as repo:
                main = repo.main()
                main.set("a/b", b"c", message="first")
                assert main.get("a/b") == b"c", point.name
    print(seen + len(roots), len(points), len(lacking))
"""


def package(fix: bool) -> None:
    """A wheel built from the sdist, in a clean environment: every module imported, every backend opened."""
    with tempfile.TemporaryDirectory(prefix="irminpy-check-") as name:
        place = Path(name)
        tool("build", "--no-isolation", "--outdir", str(place / "dist"))
        (wheel,) = (place / "dist").glob("*.whl")
        venv.create(place / "env", with_pip=True, symlinks=os.name != "nt")
        programs = place / "env" / ("Scripts" if os.name == "nt" else "bin")
        python = programs / "python"
        # First what everybody gets, then all extras. Only `irminpy.testing` wants pytest, so that may lack.
        for wanted, may_lack in ((str(wheel), EXTRAS + OF_TESTS), (f"{wheel}[all]", OF_TESTS)):
            run(python, "-m", "pip", "install", "--quiet", wanted, cwd=place)
            script = textwrap.dedent(IMPORT.format(may_lack=may_lack, uris=URIS))
            modules, backends, lacking = run(python, "-I", "-W", "error", "-c", script, cwd=place).split()
            print(f"         {modules} modules, {backends} backends, {lacking} waiting for an extra")
            version = run(programs / "irminpy", "--version", cwd=place).strip()
            if not re.fullmatch(r"irminpy \d+\.\d+\.\d+\S* \((compiled core|core in Python)\)", version):
                raise Failed(f"irminpy --version printed {version!r}")
            if wheel.name.endswith("-none-any.whl") != version.endswith("(core in Python)"):
                raise Failed(f"{wheel.name} gives {version!r}")
        print(f"         {wheel.name}: {version}")


STEPS: dict[str, Callable[[bool], None]] = {
    "format": format_,
    "lint": lint,
    "mypy": mypy,
    "pyright": pyright,
    "traces": traces,
    "tests": tests,
    "package": package,
}


READING = ("pyright", "mypy", "format", "lint", "traces")
"""Steps that change nothing and leave nothing behind that others read, the longest first."""


def timed(name: str, fix: bool = False) -> tuple[float, str | None]:
    """(seconds that the step took, what to show if it failed)."""
    started = time.perf_counter()
    try:
        STEPS[name](fix)
    except Failed as error:
        return time.perf_counter() - started, str(error)
    return time.perf_counter() - started, None


def main() -> int:
    parser = argparse.ArgumentParser(description="Every check of irminpy, one line each.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"only these, of: {', '.join(STEPS)}")
    parser.add_argument("--fix", action="store_true", help="format, and repair what the linter can repair")
    options = parser.parse_args()
    unknown = [step for step in options.steps if step not in STEPS]
    if unknown:
        parser.error(f"no such step: {', '.join(unknown)}")
    failed: list[str] = []
    begun = time.perf_counter()
    names: list[str] = options.steps or list(STEPS)
    # Those that only read run side by side; what repairs comes first, and the tests have the machine for themselves.
    beside = [] if options.fix else [name for name in READING if name in names]
    with ThreadPoolExecutor(2) as pool:
        read = dict(zip(beside, pool.map(timed, beside), strict=True))
    for name in names:
        seconds, output = read[name] if name in read else timed(name, options.fix)
        verdict = "ok" if output is None else "FAILED"
        print(f"{name:<8} {verdict:<6} {seconds:6.1f} s")
        if output is not None:
            failed.append(name)
            print(textwrap.indent(output.rstrip(), "    "))
        sys.stdout.flush()
    print(f"{'all':<8} {'FAILED' if failed else 'ok':<6} {time.perf_counter() - begun:6.1f} s", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
