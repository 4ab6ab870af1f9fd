"""Stores that OCaml Irmin made, read as they are: irmin-fs directories. Read-only."""

from .fs import IrminFs, IrminFsBackend

__all__ = ["IrminFs", "IrminFsBackend"]
