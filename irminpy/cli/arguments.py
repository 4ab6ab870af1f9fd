"""The types of arguments: `Revision` and `Place` (PATH or REV:PATH). They take any text, and complete it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases of click have no type argument

__all__ = ["Place", "Revision", "branches"]


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


def branches(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The branches and tags that begin with `incomplete`."""
    from irminpy.cli.completing import refs  # late, as above

    return refs(ctx, incomplete)
