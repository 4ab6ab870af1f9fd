"""The command `serve`: a store over HTTP, a thin layer over `irminpy.server`."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click

from irminpy.cli.failure import USAGE, Failure
from irminpy.cli.output import Options, Output
from irminpy.cli.place import configured, maker_of, opened

__all__ = ["serve"]


@click.command()
@click.option(
    *("--bind", "address"),
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="Where to listen; port 0 is any that is free.",
)
@click.option("--read-only", is_flag=True, help="Nobody writes, with or without a token.")
@click.option("--private", is_flag=True, help="Readers need the token, too.")
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Writers show the token in FILE; else the one in IRMINPY_TOKEN, if that is set.",
)
@click.option(
    "--host", "hosts", metavar="NAME", multiple=True, help="A name that requests may call the server by."
)
@click.pass_obj
def serve(
    options: Options,
    address: str,
    read_only: bool,
    private: bool,
    token_file: str | None,
    hosts: tuple[str, ...],
) -> None:
    """Serve the store over HTTP until a signal ends it.

    On an address of this machine only, whoever reaches it may write; on others nobody writes without a token. The line
    that tells the URL comes once requests are answered.
    """
    with _extra():
        from irminpy.server import access_for, listen, serve  # late: an extra, and slow to import

    host, port = _address(address)
    token = _token(token_file)
    access = access_for(host, write=False if read_only else None, token=token, private=private, hosts=hosts)
    readonly = read_only or not (access.write or access.token)
    maker = maker_of(options.store, "serve")
    output = Output(options)

    name = options.store or configured().store

    def ready(url: str) -> None:
        if options.json:
            output.record({"url": url, "readonly": readonly, "store": name})
        else:
            output.line(f"serving {name} on {url}{' for reading only' if readonly else ''}")

    with listen(host, port) as listening, opened(maker, readonly=readonly) as repo:
        serve(repo, listening, access=access, ready=ready)


@contextmanager
def _extra() -> Generator[None]:
    """Whoever lacks the extra `http` is told how to get it."""
    try:
        yield
    except ModuleNotFoundError as e:
        raise Failure(
            f"the server needs {e.name}, which is not installed",
            why="it is part of the extra http",
            type="pip install 'irminpy[http]'",
            status=USAGE,
        ) from e


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise click.UsageError(f"--bind takes HOST:PORT, as in 127.0.0.1:8080, not {text!r:.80}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _token(file: str | None) -> str | None:
    if file is None:
        return os.environ.get("IRMINPY_TOKEN") or None
    return Path(file).read_text(encoding="utf-8").strip()
