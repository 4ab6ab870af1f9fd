"""`irminpy demo`."""

from __future__ import annotations

from pathlib import Path

import click

from irminpy.cli.demo import demonstrate
from irminpy.cli.output import Options, Output, shown

__all__ = ["demo"]


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path())
@click.pass_obj
def demo(options: Options, directory: str | None) -> None:
    """Import DIR (irminpy's own files by default), branch, change, merge, and show it.

    DIR is only read. The store is a pack in a temporary directory, and gone afterwards.
    """
    root = Path(directory) if directory is not None else Path(__file__).parent.parent
    output = Output(options)
    records: list[dict[str, object]] = []
    total = 0.0
    for number, step in enumerate(demonstrate(root)):
        total += step.seconds
        if options.json:
            records.append(
                {"step": step.name, "seconds": step.seconds, **step.facts, "lines": list(step.lines)}
            )
            continue
        if number == 0:
            output.line(f"demo of {root}", "bold")
        output.line(f"{step.name:<7} {step.seconds:8.3f} s  {step.did}", "bold cyan")
        for line in step.lines:
            output.line(f"    {line}")
        for name in ("root", "main", "work"):
            if name in step.facts:
                output.line(f"    {name} hash {step.facts[name]}", "dim")
    if options.json:
        output.record({"directory": shown(str(root)), "steps": records, "seconds": total})
    else:
        output.line(f"done    {total:8.3f} s", "bold green")
