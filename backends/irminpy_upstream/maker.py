"""Where a store of irmin-pack is, and how it is opened: `irmin-pack:DIR`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

from irminpy.backend import Options
from irminpy.errors import InvalidHash, NotAStore, SchemaMismatch, StorageError
from irminpy.formats.irmin import IrminCodec
from irminpy.hash import by_name
from irminpy.schema import Schema

from .control import read_control
from .finding import FORMATS, Wanted, found_schema
from .pack import IrminPackBackend

__all__ = ["IrminPack"]

_NONE: Final = "none"
_ANY: Final = Wanted()


@dataclass(frozen=True, slots=True)
class IrminPack:
    """The store of irmin-pack in the directory `path`, read-only; nothing in it says what its schema is.

    Without a schema the usual ones are tried, among them those that `wanted` allows. `lower` is the directory of the
    volumes of a store that archives, or "none" to read without them what is not in them.
    """

    path: str
    lower: str | None = None
    wanted: Wanted = _ANY

    @staticmethod
    def of_uri(rest: str, options: dict[str, str]) -> IrminPack:
        """The maker for "irmin-pack:DIR?lower=…&format=…&hash=…&entries=…&stable=…&order=…"."""
        if not rest:
            raise TypeError("irmin-pack: needs the path of a store, as in irmin-pack:./context")
        known: dict[str, Any] = {}
        lower = None
        for name, value in options.items():
            if name == "lower" and value:
                lower = value
            elif (name == "format" and value in FORMATS) or (
                name == "order" and value in ("seeded", "hash-bits")
            ):
                known[name] = value
            elif name == "hash":
                try:
                    known[name] = by_name(value).name
                except InvalidHash as e:
                    raise TypeError(f"irmin-pack: {e}") from e
            elif name in ("entries", "stable") and value.isascii() and value.isdigit():
                known[name] = int(value)
            else:
                raise TypeError(f"irmin-pack: takes no option {name}={value:.40}")
        wanted = Wanted(**known)
        try:
            next(wanted.schemas(), None)
        except ValueError as e:
            raise TypeError(f"irmin-pack: {e}") from e
        return IrminPack(rest, lower, wanted)

    def default(self) -> Schema[bytes, None]:
        """The schema of the store, found by trying; StorageError if none fits. Raises as `open` does."""
        return found_schema(self.path, self.wanted, self._open)

    def open(
        self, schema: Schema[Any, Any] | None, options: Options, /
    ) -> tuple[IrminPackBackend, Schema[Any, Any]]:
        """The store, and its schema. NotAStore if it is none, also where one might be made; SchemaMismatch for a format
        that irmin-pack has not. Raises Corrupted if its files do not fit together.
        """
        if schema is None:
            schema = self.default()
        return self._open(schema), schema

    def _open(self, schema: Schema[Any, Any]) -> IrminPackBackend:
        codec = schema.codec
        if not isinstance(codec, IrminCodec) or not codec.levels:
            raise SchemaMismatch(
                schema.describe(), "Irmin(Inodes(…)), Irmin2(Inodes(…)) or Tezos(), as irmin-pack has them"
            )
        if not os.path.isdir(self.path):
            raise NotAStore(self.path, "there is no such directory")
        control = read_control(self.path)
        lower = self.lower
        if control.volumes and lower is None:
            raise StorageError(
                f"{self.path}: older commits are in {control.volumes} volumes in another directory; say where, with "
                "lower=DIR, or lower=none to go without them"
            )
        return IrminPackBackend(self.path, None if lower == _NONE else lower, schema, codec)
