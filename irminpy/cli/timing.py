"""The command bench."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory

import click

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
@click.pass_obj
def bench(options: Options, n: int, query: str) -> None:
    """Time N commits of one value, one commit of N values, N reads, a listing and a diff, in a new pack that is gone
    afterwards. What it tells is how fast this machine and its disk are, seconds of the wall clock.

    In Python: `store.set`, `store.edit`, `store.get`, `store.list`, `tree.diff`.
    """
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
