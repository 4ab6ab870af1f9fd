"""docs/cli.md is what the commands say and do."""

from __future__ import annotations

import inspect

import click
import pytest

from irminpy.cli import COMMANDS, main

from .reference import FILE, document


def test_the_document_is_up_to_date() -> None:
    """CL-01 to CL-06, CL-11, CL-12, CL-18, CL-19: the session in it is run again."""
    assert FILE.read_text(encoding="utf-8") == document(), "python -m tests.cli.reference makes it again"


NAMES = [name for _, _, names in COMMANDS for name in names.split()]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_says_what_it_does_and_is_at_most_30_lines(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.help
    assert command.name == name
    if not isinstance(command, click.Group):
        assert command.callback is not None
        source = inspect.getsource(inspect.unwrap(command.callback))
        body = source[source.index('"""', source.index('"""') + 3) + 3 :]
        assert len(body.strip().splitlines()) <= 30
