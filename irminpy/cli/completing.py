"""Completion in bash, zsh and fish, with the branches and paths of the store as it is at that moment.

The types of arguments are here: `Revision` and `Place` (PATH or REV:PATH). Whatever goes wrong while completing, there
are no candidates, and nothing is printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
)

from irminpy.cli.output import Options
from irminpy.errors import IrminError

__all__ = ["Place", "Revision", "branches", "completion"]

if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases of click have no type argument

_MOST = 500  # candidates


class Revision(_Text):
    """A branch, a tag, or what else names a commit."""

    name = "REV"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The branches and tags that begin so."""
        return branches(ctx, param, incomplete)


class Place(_Text):
    """PATH or REV:PATH; `kind`: only what has that kind, "contents" or "node", is completed at the end."""

    name = "PATH"

    def __init__(self, kind: str | None = None) -> None:
        self.kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The entries that begin so, and the branches as REV:."""
        return list(islice(_safely(_paths(ctx, incomplete, self.kind)), _MOST))


def branches(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The branches and tags that begin with `incomplete`."""
    return list(islice(_safely(_branches(ctx, incomplete)), _MOST))


def _safely(found: Iterator[CompletionItem]) -> Iterator[CompletionItem]:
    from irminpy.cli.failure import Failure  # late: only here

    try:
        for item in found:
            if item.value.isprintable():  # a shell would take the others apart
                yield item
    except (IrminError, Failure, OSError):
        return


def _options(ctx: click.Context) -> Options:
    """The global options: while completing, click parses them and calls nothing."""
    given = ctx.find_root().params
    if given.get("directory"):
        os.chdir(given["directory"])
    return Options(
        given.get("store"), given.get("branch"), commit=given.get("commit"), config=given.get("config")
    )


def _branches(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    from irminpy.cli.place import maker_of, opened  # late: a shell asks for options more often

    with opened(maker_of(_options(ctx).store, "branch"), readonly=True) as repo:
        for name in repo.branches():
            name = name.removeprefix("tags/")
            if name.startswith(incomplete):
                yield CompletionItem(name)


def _paths(ctx: click.Context, incomplete: str, kind: str | None) -> Iterator[CompletionItem]:
    from irminpy.cli.place import maker_of, opened, placed  # late, as above

    options = _options(ctx)
    with opened(maker_of(options.store, "get"), readonly=True) as repo:
        colon = incomplete.find(":") + 1
        if not colon:
            for name in repo.branches():
                name = name.removeprefix("tags/")
                if name.startswith(incomplete):
                    yield CompletionItem(f"{name}:")
        above = incomplete.rfind("/") + 1 or colon
        store, path = placed(repo, options, incomplete[:above] or ":")
        at = store.find_tree(path)
        for step, below in iter(()) if at is None else at.seq(cache=False):
            if step.startswith(incomplete[above:]):
                node = below.kind() == "node"
                if node or kind != "node":
                    yield CompletionItem(incomplete[:above] + step + "/" * node)


# Bash breaks words at ":", so its own words are no use: the line itself is split, as a shell would. What bash replaces
# is the part behind the last ":", so that is what it is given.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                case $value in */|*:) compopt -o nospace 2>/dev/null ;; esac
                COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    """Completion for bash that knows of REV:PATH."""

    source_template = _BASH

    def source(self) -> str:
        """The script. Whether bash is new enough (4.4) shows when it is loaded."""
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one that it is on."""
        line = os.environ.get("COMP_LINE", "").encode("utf-8", "surrogateescape")
        point = int(os.environ.get("COMP_POINT", len(line)))
        return _words(line[:point].decode("utf-8", "surrogateescape"))

    def format_completion(self, item: CompletionItem) -> str:
        """The candidate without what bash has already taken for a word."""
        word = self.get_completion_args()[1]
        colon = word.rfind(":") + 1 if ":" in os.environ.get("COMP_WORDBREAKS", ":") else 0
        return f"{item.type},{item.value[colon:]}"


class _Zsh(ZshComplete):
    """Completion for zsh; a directory, or REV:, is not followed by a space."""

    source_template = ZshComplete.source_template.replace(
        "compadd -U -V unsorted -a completions\n",
        """local -a open closed
        open=(${(M)completions:#*[/:]}) closed=(${completions:#*[/:]})
        compadd -U -V unsorted -S "" -a open
        compadd -U -V unsorted -a closed
""",
    )


class _Fish(FishComplete):
    """Completion for fish."""


def _words(line: str) -> tuple[list[str], str]:
    """The words of a command line up to the cursor without the first, and the one that the cursor is on."""
    from click.shell_completion import split_arg_string  # late: only here

    words = split_arg_string(line)
    if not line or (line[-1].isspace() and not line.endswith("\\ ")):
        return words[1:], ""
    return words[1:-1], words[-1] if len(words) > 1 else ""


for _shell in (_Bash, _Zsh, _Fish):
    add_completion_class(_shell)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, branches, tags and paths.

    bash: `eval "$(irminpy completion bash)"` in ~/.bashrc. zsh: the same in ~/.zshrc. fish:
    `irminpy completion fish > ~/.config/fish/completions/irminpy.fish`.
    """
    made: dict[str, Any] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
    root = ctx.find_root()
    click.echo(made[shell](root.command, {}, "irminpy", "_IRMINPY_COMPLETE").source())
