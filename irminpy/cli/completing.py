"""Completion in bash, zsh and fish, with the branches and paths of the store as it is at that moment.

Whatever goes wrong while completing, there are no candidates, and nothing is printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from irminpy.cli import config
from irminpy.cli.failure import Failure
from irminpy.cli.output import Options
from irminpy.cli.place import maker_of, opened, placed
from irminpy.errors import IrminError

__all__ = ["completion", "paths", "refs", "remotes"]

_MOST = 500  # candidates


def refs(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """The branches and tags that begin with `incomplete`."""
    return list(islice(_safely(_branches(ctx, incomplete)), _MOST))


def paths(ctx: click.Context, incomplete: str, kind: str | None) -> list[CompletionItem]:
    """The entries that begin with `incomplete`, of the `kind` that `Place` is given, and the branches as REV:."""
    return list(islice(_safely(_paths(ctx, incomplete, kind)), _MOST))


def remotes(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """The names of remotes that begin with `incomplete`; if there are none, directories."""
    found = list(islice(_safely(_remotes(ctx, incomplete)), _MOST))
    return found or [CompletionItem(incomplete, type="dir")]


def _remotes(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    for name in config.found(_options(ctx).config).remotes:
        if name.startswith(incomplete):
            yield CompletionItem(name)


def _safely(found: Iterator[CompletionItem]) -> Iterator[CompletionItem]:
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
    with opened(maker_of(_options(ctx).store, "branch"), readonly=True) as repo:
        for name in repo.branches():
            name = name.removeprefix("tags/")
            if name.startswith(incomplete):
                yield CompletionItem(name)


def _paths(ctx: click.Context, incomplete: str, kind: str | None) -> Iterator[CompletionItem]:
    options = _options(ctx)
    with opened(maker_of(options.store, "get"), readonly=True) as repo:
        colon = incomplete.find(":") + 1
        if not colon:
            for name in repo.branches():
                name = name.removeprefix("tags/")
                if name.startswith(incomplete):
                    yield CompletionItem(f"{name}:")
        above = max(colon, incomplete.rfind("/") + 1)
        store, path = placed(repo, options, incomplete[:above] or ":")
        at = store.find_tree(path)
        for step, below in iter(()) if at is None else at.seq(cache=False):
            if step.startswith(incomplete[above:]):
                node = below.kind() == "node"
                if node or kind != "node":
                    yield CompletionItem(incomplete[:above] + step + "/" * node)


# Bash breaks words at ":", so its own words are no use: the line itself is split, as a shell would. What bash replaces
# is the part behind the last ":", so that is what it is given; quoted, unless the word there begins with a quote.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' type value word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                case $value in */|*:) compopt -o nospace 2>/dev/null ;; esac
                case $word in \\"*|\\'*) ;; *) printf -v value %%q "$value" ;; esac
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
