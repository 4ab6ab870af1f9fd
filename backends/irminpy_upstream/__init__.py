"""Stores that OCaml Irmin made, read as they are: irmin-pack directories, and irmin-fs directories."""

from .fs import IrminFs, IrminFsBackend
from .maker import IrminPack
from .pack import IrminPackBackend

__all__ = ["IrminFs", "IrminFsBackend", "IrminPack", "IrminPackBackend"]
