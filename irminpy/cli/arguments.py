"""Types of arguments: `Revision`, `Place` (PATH or REV:PATH), `Named` (a remote): any text, which they complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases of click have no type argument

__all__ = ["Named", "Place", "Revision", "branches", "verifying"]

Command = TypeVar("Command", bound=Callable[..., Any])


def verifying(command: Command) -> Command:
    """`command`, a function of one that reads, with the option --verify: `Options.verify`."""
    text = "Believe nothing that this commit, or this root directory, does not prove. For stores of a server."
    option = click.option("--verify", metavar="ROOT", expose_value=False, callback=_trusted, help=text)
    return option(command)


def _trusted(ctx: click.Context, _parameter: click.Parameter, root: str | None) -> None:
    if root is not None:
        ctx.obj = ctx.obj._replace(verify=root)


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
        from irminpy.cli.completing import paths  # late: only completion needs it

        return paths(ctx, incomplete, self.kind)


class Named(_Text):
    """A remote: a name of `irmin.yml`, or a directory, a URI, a URL."""

    name = "REMOTE"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names of `irmin.yml` that begin so, else directories."""
        from irminpy.cli.completing import remotes  # late, as above

        return remotes(ctx, incomplete)


def branches(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The branches and tags that begin with `incomplete`."""
    from irminpy.cli.completing import refs  # late, as above

    return refs(ctx, incomplete)
