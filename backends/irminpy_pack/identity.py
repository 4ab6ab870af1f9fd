"""FORMAT: what a store is, written once, and the names of its other files (docs/formats/pack.md, "Files")."""

from __future__ import annotations

import os
from typing import Any, Final
from zlib import crc32

from irminpy.errors import Corrupted, NotAStore, SchemaMismatch, UnsupportedVersion
from irminpy.fields import Frozen, NamedTuple, frozen
from irminpy.schema import Schema

from .files import Files, read_at

__all__ = ["VERSION", "Identity", "Root"]

VERSION: Final = 2
_WHOLE: Final = 1  # the version without differences
_FIRST: Final = "irminpy pack"
_MOST: Final = 1 << 16


@frozen
class Root(Frozen):
    """The directory of a store, and where its parts lie."""

    __slots__ = ("path",)

    path: str

    def __init__(self, path: str) -> None:
        self._set(path)

    @property
    def format(self) -> str:
        """What the store is."""
        return os.path.join(self.path, "FORMAT")

    @property
    def lock(self) -> str:
        """Held by whoever writes."""
        return os.path.join(self.path, "LOCK")

    @property
    def collecting(self) -> str:
        """Held by whoever collects garbage."""
        return os.path.join(self.path, "GC")

    @property
    def head(self) -> str:
        """The newest batch."""
        return os.path.join(self.path, "HEAD")

    @property
    def manifest(self) -> str:
        """The segments."""
        return os.path.join(self.path, "MANIFEST")

    @property
    def packs(self) -> str:
        """The directory of the segments."""
        return os.path.join(self.path, "pack")

    def segment(self, number: int) -> str:
        """Segment `number`."""
        return os.path.join(self.path, "pack", f"{number:06}.pack")

    @property
    def indexes(self) -> str:
        """The directory of the indexes."""
        return os.path.join(self.path, "index")

    def index(self, generation: int, strategy: str) -> str:
        """The index of a generation. Each strategy has its own, so a store can change between them."""
        return os.path.join(self.path, "index", f"{generation}-{strategy}")

    @property
    def lost(self) -> str:
        """Where bytes are kept that should not have been there."""
        return os.path.join(self.path, "lost")


class Identity(NamedTuple):
    """What FORMAT says."""

    uuid: bytes
    hash_name: str
    hash_size: int
    schema: str
    """The hexadecimal digits of the schema's identity."""
    description: str
    """The schema in words."""
    version: int
    """Of the format of the files."""

    @property
    def differences(self) -> bool:
        """Whether nodes may be stored as differences: programs that know nothing of them take no such store."""
        return self.version > _WHOLE

    @staticmethod
    def of(uuid: bytes, schema: Schema[Any, Any]) -> Identity:
        """The identity of a new store."""
        hash_ = schema.hash
        return Identity(uuid, hash_.name, hash_.size, schema.identity.hex(), schema.describe(), VERSION)

    def encode(self) -> bytes:
        """The bytes of FORMAT: lines of UTF-8."""
        lines = (
            f"{_FIRST} {self.version}",
            f"uuid {self.uuid.hex()}",
            f"hash {self.hash_name} {self.hash_size}",
            f"schema {self.schema}",
            f"description {self.description}",
        )
        text = "".join(line + "\n" for line in lines).encode()
        return text + b"crc32 %08x\n" % crc32(text)

    @staticmethod
    def read(files: Files, root: Root) -> Identity:
        """The identity of the store at `root`. Raises NotAStore, UnsupportedVersion, Corrupted."""
        try:
            fd = files.open(root.format, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            raise NotAStore(root.path, "it has no file FORMAT") from None
        try:
            data = read_at(files, fd, _MOST, 0)
        finally:
            files.close(fd)
        try:
            first, *rest = data.decode().split("\n")
        except UnicodeDecodeError:
            raise Corrupted(root.format, None, None, "it is not UTF-8") from None
        name, _, version = first.rpartition(" ")
        if name != _FIRST:
            raise NotAStore(root.path, f"its file FORMAT begins with {first[:40]!r}")
        if version not in map(str, range(_WHOLE, VERSION + 1)):
            raise UnsupportedVersion(f"the pack store {root.path}", version[:40], VERSION)
        fields = dict(
            line.split(" ", 1) for line in rest if " " in line
        )  # the crc is compared by encoding again
        try:
            hash_name, _, size = fields["hash"].rpartition(" ")
            found = Identity(
                *(bytes.fromhex(fields["uuid"]), hash_name, int(size)),
                *(fields["schema"], fields["description"], int(version)),
            )
        except (KeyError, ValueError):
            raise Corrupted(root.format, None, None, "a line is missing or damaged") from None
        if found.encode() != data:
            raise Corrupted(root.format, None, None, "it is not what a store writes")
        return found

    def require(self, schema: Schema[Any, Any]) -> None:
        """Raise SchemaMismatch unless `schema` is the recorded one."""
        if schema.identity.hex() != self.schema:
            raise SchemaMismatch(schema.describe(), self.description)
