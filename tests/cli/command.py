"""Running `irminpy` in this process, on a store in memory that has a name."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from click.testing import CliRunner

from irminpy.cli import main

_numbers = itertools.count()

QUIET: Mapping[str, str | None] = {
    "NO_COLOR": None,
    "IRMINPY_STORE": None,
    "IRMINPY_AUTHOR": "ann",
    "IRMINPY_DATE": "1795305600",
    "IRMINPY_PAGER": None,
    "PAGER": None,
    "XDG_CONFIG_HOME": "/nowhere",
}


class Command:
    """The command on one store."""

    def __init__(self, uri: str | None = None, *words: str) -> None:
        self.uri = f"mem:cli-{next(_numbers)}" if uri is None else uri
        self("init", *words)

    def __call__(
        self, *words: str, status: int = 0, input: bytes | None = None, **variables: str | None
    ) -> str:
        """What it prints to stdout; fails if it ends with another status."""
        return self.run(*words, status=status, input=input, **variables)[0]

    def run(
        self, *words: str, status: int = 0, input: bytes | None = None, **variables: str | None
    ) -> tuple[str, str]:
        """stdout and stderr."""
        arguments = ["--store", self.uri, *words]
        done = CliRunner().invoke(
            main, arguments, input=input, env={**QUIET, **variables}, prog_name="irminpy"
        )
        assert done.exit_code == status, (arguments, done.exit_code, done.output, done.exc_info)
        return done.stdout, done.stderr

    def raw(self, *words: str) -> bytes:
        """stdout, as bytes."""
        done = CliRunner().invoke(main, ["--store", self.uri, *words], env=QUIET)
        assert done.exit_code == 0, done.output
        return done.stdout_bytes

    def json(self, *words: str, status: int = 0, input: bytes | None = None) -> list[dict[str, Any]]:
        """The objects that it prints with --json."""
        return [json.loads(line) for line in self("--json", *words, status=status, input=input).splitlines()]

    def error(self, *words: str, status: int) -> str:
        """What it says on stderr: three lines."""
        _, err = self.run(*words, status=status)
        what, why, type = err.splitlines()
        assert what.startswith("irminpy: ")
        assert why.startswith("  why: ")
        assert type.startswith("  try: ")
        return err
