"""The command bench."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click

import irminpy
from irminpy.cli.output import Options, Output
from irminpy.cli.place import AnyRepo
from irminpy.registry import maker_of_uri
from irminpy.repo import Repo

__all__ = ["bench"]

_FAN = 100  # entries of a directory


@click.command()
@click.option(
    "-n", "--count", "n", type=click.IntRange(min=1), default=1000, show_default=True, help="How many."
)
@click.option("--options", "query", default="", metavar="QUERY", help="Of the pack, as in durability=full.")
@click.option(
    "--profile",
    type=click.Choice(["short", "full"]),
    help="Run the benchmarks of the source tree instead, W1 to W8 beside other stores: in three minutes, or whole.",
)
@click.option("--rows", default="", metavar="N,N", help="With --profile: only these goals, as in 3,16.")
@click.option("--out", metavar="DIR", help="With --profile: write bench.json and bench.md there.")
@click.pass_obj
def bench(options: Options, n: int, query: str, profile: str | None, rows: str, out: str | None) -> None:
    """Time N commits of one value, one commit of N values, N reads, a listing and a diff, in a new pack that is gone
    afterwards. What it tells is how fast this machine and its disk are, seconds of the wall clock.

    With --profile it is `python -m tests.bench`, which needs the sources of irminpy: docs/performance.md tells of it.

    In Python: `store.set`, `store.edit`, `store.get`, `store.list`, `tree.diff`.
    """
    if profile is not None:
        given = [*(["--rows", rows] * bool(rows)), *(["--out", out] if out is not None else [])]
        click.get_current_context().exit(_benchmarks(["--profile", profile, *given]))
    if rows or out is not None:
        raise click.UsageError("--rows and --out go with --profile", click.get_current_context())
    output = Output(options)
    with TemporaryDirectory() as folder:
        maker = maker_of_uri(f"pack:{folder}/store{'?' * bool(query)}{query}")
        with Repo.open(maker) as repo:
            for name, count, run in _work(repo, n):
                start = time.perf_counter()
                run()
                seconds = time.perf_counter() - start
                if options.json:
                    output.record({"work": name, "count": count, "seconds": seconds})
                else:
                    output.row(
                        (f"{name:<18}", "bold"),
                        f"{count:>9,}  {seconds:9.3f} s  {count / seconds:>12,.0f} /s",
                    )


def _benchmarks(arguments: list[str]) -> int:
    """Run `python -m tests.bench` of the tree that this package lies in; its exit status."""
    root = Path(irminpy.__file__).parents[1]
    if not (root / "tests" / "bench" / "__main__.py").is_file():
        raise click.UsageError(
            "the benchmarks are in the sources of irminpy, and this is an installed package without them: unpack "
            "the source distribution, and run python -m tests.bench there",
            click.get_current_context(),
        )
    path = os.pathsep.join([str(root), str(root / "backends"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


def _work(repo: AnyRepo, n: int) -> Iterator[tuple[str, int, Callable[[], object]]]:
    """(what, how many, a function that does it), in an order in which each finds what it needs."""
    main = repo.main()
    paths = [f"{i // _FAN}/{i}" for i in range(n)]

    def commits() -> None:
        for path in paths:
            main.set(f"one/{path}", path.encode())

    def values() -> None:
        with main.edit("many") as editor:
            for path in paths:
                editor[path] = path.encode()

    def reads() -> None:
        tree = main.tree()
        for path in paths:
            tree.get(f"many/{path}")

    def listing() -> None:
        for step, _ in main.tree().seq("many"):
            main.tree().list(f"many/{step}")

    def changes() -> int:
        before = repo.empty_tree()
        return sum(1 for _ in before.diff(main.tree().get_tree("many")))

    yield "commits", n, commits
    yield "values, 1 commit", n, values
    yield "reads", n, reads
    yield "entries listed", n, listing
    yield "changes in a diff", n, changes
