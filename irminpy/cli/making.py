"""The commands init and options."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import click

from irminpy import contents as contents_
from irminpy import hash as hash_
from irminpy.cli import config
from irminpy.cli.failure import CONFLICT, USAGE, Failure
from irminpy.cli.output import Options, Output
from irminpy.cli.place import author, configured, maker_of
from irminpy.errors import InvalidHash
from irminpy.recorded import described
from irminpy.registry import backend_of, schemes
from irminpy.repo import Repo
from irminpy.schema import Schema

__all__ = ["init", "options_"]

# As Irmin's command line calls them, and by their own ids.
_CONTENTS = {
    "bytes": "bytes",
    "string": "string/1",
    "json": "json-object/1",
    "json-value": "json/1",
    "msgpack": "msgpack/1",
    "counter": "counter/1",
}


@click.command()
@click.argument("uri", metavar="[URI]", required=False)
@click.option(
    "--contents", type=click.Choice([*_CONTENTS]), help="The type of the values; bytes if not given."
)
@click.option(
    "--hash", "hash_name", metavar="NAME", help="The hash function, such as blake3-256 or blake2b-256."
)
@click.option(
    "--schema",
    metavar="TEXT",
    help='All of it at once, as stats tells it: "native/1 blake3-256 16 32 bytes none".',
)
@click.pass_obj
def init(
    options: Options, uri: str | None, contents: str | None, hash_name: str | None, schema: str | None
) -> None:
    """Make the store URI, such as pack:./ledger or git:., and an irmin.yml that names it. One that is there is opened.

    With a URI that --store or irmin.yml gives, no irmin.yml is written.

    In Python: `irminpy.open(uri, Schema(contents=..., hash=...))`.
    """
    output = Output(options)
    maker = maker_of(uri if uri is not None else options.store, "init")
    wanted = _schema(contents, hash_name, schema)
    if wanted is None and contents is not None:
        with Repo.open(maker) as repo:  # of Git: its own format, with other contents
            own = repo.schema
        kind = contents_.by_id(_CONTENTS[contents])
        wanted = Schema(kind, metadata=own.metadata, hash=own.hash, format=own.format)
    with Repo.open(maker, wanted, author=author()) as repo:
        described_ = repo.schema.describe()
    file = None if uri is None else _named(uri, contents)
    if options.json:
        output.record({"store": uri or options.store, "schema": described_, "config": file})
    else:
        output.row(("ready", "bold green"), f"  {uri or options.store or configured().store}   {described_}")
        if file is not None:
            output.message(f"{os.path.relpath(file)} names it, so --store is not needed here")


def _schema(contents: str | None, hash_name: str | None, schema: str | None) -> Schema[Any, Any] | None:
    """The schema that the options ask for; None if they leave it to the store."""
    if schema is not None:
        if contents or hash_name:
            raise click.UsageError(
                "--schema says all; give no --contents or --hash", click.get_current_context()
            )
        return described(schema)
    if hash_name is None and contents is None:
        return None
    uri = click.get_current_context().params.get("uri") or ""
    if uri.startswith("git:"):
        if hash_name is not None:
            type_ = f"irminpy init {uri}?hash={hash_name}"
            raise Failure("Git has its own hashes", why="sha1 or sha256", type=type_, status=USAGE)
        return None
    try:
        function = hash_.by_name(hash_name or "blake3-256")
    except InvalidHash as e:
        raise Failure(str(e), why="no such hash is built in", type="--hash blake3-256", status=USAGE) from e
    return Schema(contents_.by_id(_CONTENTS[contents or "bytes"]), hash=function)


def _named(uri: str, contents: str | None) -> str | None:
    """The irmin.yml of this directory, which names the store `uri` now; None if there is no use for one."""
    if uri.startswith("mem:"):
        return None
    file = os.path.abspath(config.FILE)
    known = config.found(file) if os.path.exists(file) else config.Config()
    values = {"store": uri}
    if uri.startswith("git:") and contents is not None:
        values["contents"] = _CONTENTS[contents]
    if known.values.get("store") not in (None, uri):
        raise Failure(
            f"{file} names another store: {known.values['store']}",
            why="the new store is there, but this file was left as it is",
            type=f"irminpy --store {uri} COMMAND, or edit the file",
            status=CONFLICT,
        )
    config.changed(file, values)
    return file


@click.command("options")
@click.argument("scheme", metavar="[BACKEND]", required=False)
@click.pass_obj
def options_(options: Options, scheme: str | None) -> None:
    """Tell the options that the URIs of each backend take, or those of BACKEND: type, default, and what they mean.

    They are written behind the path: pack:./ledger?index=minimal&durability=full.

    In Python: `help(irminpy_pack.Pack)`.
    """
    output = Output(options)
    known = schemes()
    if scheme is not None and scheme not in known:
        what = f"no backend is called {scheme!r}"
        raise Failure(what, why=f"there are {', '.join(known)}", type="irminpy options", status=USAGE)
    for name in known if scheme is None else [scheme]:
        maker = backend_of(name)
        rows = [
            {"option": field.name, "type": str(field.type), "default": field.default}
            for field in fields(maker)
            if field.compare and isinstance(field.default, str | int | float | bool | None)
        ]
        about = " ".join((maker.__doc__ or "").split())
        if options.json:
            output.record({"backend": name, "maker": maker.__name__, "about": about, "options": rows})
            continue
        output.row((f"{name}:", "bold"), f"  {about}")
        for row in rows:
            output.row(f"  {row['option']:<12} {row['type']:<12} {row['default']}")
