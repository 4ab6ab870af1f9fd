"""How hashes, contents, metadata and roots are written in the proofs of Irmin's formats, in bytes and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from ... import repr as repr_
from ...errors import BadProof, DecodeError
from ...formats.irmin import Delimited
from ...hash import Hash
from ...key import KindedHash
from ...metadata import NoMetadata
from ...objects import CONTENTS, CONTENTS_META, DIRECTORY
from ...path import step_bytes, step_of_bytes
from ...repr.base import is_dict, is_list
from ..cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...schema import Schema

__all__ = ["Fields", "Input", "root_of"]

T = TypeVar("T")

_CONTENTS, _NODE = 0, 1  # the cases of Irmin's `kinded_hash`


class Fields:
    """The leaves of proofs of one schema."""

    __slots__ = ("_contents", "_known", "_metadata", "_usual", "codec", "plain", "size")

    def __init__(self, schema: Schema[Any, Any]) -> None:
        self.codec = schema.codec
        self.size = schema.codec.hash_size
        self._contents = schema.contents
        self._metadata = schema.metadata
        self.plain = isinstance(schema.metadata, NoMetadata)
        """Whether there are no metadata."""
        self._usual = schema.metadata.encode(schema.metadata.default)
        self._known: dict[bytes, bytes | None] = {}
        """Metadata that were read, and what objects have of them."""

    # -- bytes ---------------------------------------------------------------------------------------------------

    def text(self, data: bytes) -> bytes:
        """A string as part of something else: its length comes first."""
        return repr_.varint(len(data)) + data

    def step(self, step: str) -> bytes:
        """A step."""
        return self.text(step_bytes(step))

    def contents(self, value: Any) -> bytes:
        """Contents: a string of the bytes of their type."""
        return self.text(self._contents.encode(value))

    def metadata(self, value: Any) -> bytes:
        """Metadata: the bytes of their type, which tell where they end; nothing where there are none."""
        return self._metadata.encode(value)

    def kinded(self, root: KindedHash) -> bytes:
        """A root."""
        return self.entry(DIRECTORY if root.kind == "node" else CONTENTS, root.hash, root.metadata)

    def entry(self, kind: int, hash: bytes, metadata: bytes | None) -> bytes:
        """The root of an entry of a directory; metadata are None where objects have none."""
        if kind == DIRECTORY:
            return bytes((_NODE,)) + hash
        return bytes((_CONTENTS,)) + hash + self._stored(metadata)

    def _stored(self, metadata: bytes | None) -> bytes:
        return self._usual if metadata is None else metadata

    # -- JSON ----------------------------------------------------------------------------------------------------

    def hash_to_json(self, hash: bytes) -> str:
        """A hash as those who use the format know it."""
        return self.codec.show_hash(hash)

    def hash_of_json(self, value: object) -> Hash:
        """The inverse."""
        found = self.codec.read_hash(value) if type(value) is str else None
        if found is None or self.codec.show_hash(found) != value:
            raise BadProof(f"a hash is expected, not {value!r:.80}")
        return found

    def step_to_json(self, step: str) -> Any:
        """A step: its text, or its bytes in base64."""
        return repr_.text.to_json(step)

    def step_of_json(self, value: object) -> str:
        """The inverse."""
        return step_of_bytes(_string(value))

    def contents_to_json(self, value: Any) -> Any:
        """Contents: a string of the bytes of their type."""
        return repr_.string.to_json(self._contents.encode(value))

    def contents_of_json(self, value: object) -> Any:
        """The inverse."""
        return self._decoded("contents", self._contents.decode, _string(value))

    def metadata_to_json(self, value: Any) -> Any:
        """Metadata: `{}` where there are none, else their bytes in hexadecimal digits."""
        return {} if self.plain else self._metadata.encode(value).hex()

    def metadata_of_json(self, value: object) -> Any:
        """The inverse."""
        if self.plain:
            if not (is_dict(value) and not value):
                raise BadProof(f"no metadata, {{}}, are expected, not {value!r:.80}")
            return None
        try:
            data = bytes.fromhex(value) if type(value) is str else b""
        except ValueError:
            data = b""
        if data.hex() != value:
            raise BadProof(f"metadata in hexadecimal digits are expected, not {value!r:.80}")
        return self._decoded("metadata", self._metadata.decode, data)

    def kinded_to_json(self, root: KindedHash) -> Any:
        """`{"Node": hash}` or `{"Contents": [hash, metadata]}`."""
        shown = self.hash_to_json(root.hash)
        if root.kind == "node":
            return {"Node": shown}
        metadata = self._metadata.decode(self._stored(root.metadata))
        return {"Contents": [shown, self.metadata_to_json(metadata)]}

    def kinded_of_json(self, value: object) -> KindedHash:
        """The inverse."""
        if is_dict(value) and value.keys() == {"Node"}:
            return KindedHash("node", self.hash_of_json(value["Node"]))
        pair: object = value["Contents"] if is_dict(value) and value.keys() == {"Contents"} else None
        if not is_list(pair) or len(pair) != 2:
            raise BadProof(f"a root is expected, not {value!r:.80}")
        return self.contents_root(self.hash_of_json(pair[0]), self.metadata_of_json(pair[1]))

    def contents_root(self, hash: bytes, metadata: Any) -> KindedHash:
        """The kinded hash of contents with `metadata`."""
        if self.plain:
            return KindedHash("contents", hash if type(hash) is Hash else Hash(hash))
        data = self._metadata.encode(metadata)
        return KindedHash("contents", Hash(hash), None if data == self._usual else data)

    def _decoded(self, what: str, decode: Any, data: bytes) -> Any:
        try:
            return decode(data)
        except DecodeError as e:
            raise BadProof(f"{what} that are none: {e}") from e

    def decoded_contents(self, data: bytes) -> Any:
        """The contents with the bytes `data`; BadProof if there are none."""
        return self._decoded("contents", self._contents.decode, data)

    def read_metadata(self, data: bytes, at: int) -> tuple[Any, int]:
        """(metadata, where they end) at a place in `data`, of a type that has some; DecodeError if there are none."""
        _, end = cast("Delimited", self._metadata).read(data, at)
        return self._metadata.decode(data[at:end]), end

    def own(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """(what objects have of the metadata, None for the default; where they end), as `read_metadata`."""
        _, end = cast("Delimited", self._metadata).read(data, at)
        written = data[at:end]
        known = self._known
        if written not in known:
            found = self._metadata.encode(self._metadata.decode(written))
            known[written] = None if found == self._usual else found
        return known[written], end


def root_of(kind: int, hash: bytes, metadata: bytes | None) -> KindedHash:
    """The root that an entry of a directory is."""
    return KindedHash("node" if kind == DIRECTORY else "contents", Hash(hash), metadata)


def _string(value: object) -> bytes:
    """The string that JSON shows as `value`; there is one way to show it."""
    try:
        found = repr_.string.of_json(value)
    except (DecodeError, ValueError) as e:
        raise BadProof(f"a string is expected: {e}") from e
    if repr_.string.to_json(found) != value:
        raise BadProof("not canonical: a string in base64 that is text")
    return found


class Input(Cursor):
    """A place in the bytes of a proof in Irmin's form."""

    __slots__ = ("_fields", "_plain", "_size")

    def __init__(self, data: bytes, fields: Fields) -> None:
        super().__init__(data)
        self._fields = fields
        self._plain = fields.plain
        self._size = fields.size

    def number(self) -> int:
        """The next int."""
        start = self.at
        if start < len(self.data) and self.data[start] < 128:
            self.at = start + 1
            return self.data[start]
        try:
            n, self.at = repr_.integer.read(self.data, start)
        except DecodeError as e:
            raise self.refuse(f"truncated, or not canonical: {e.reason}", start) from None
        return n

    def count(self, least: int) -> int:
        """The next length of a list whose elements have at least so many bytes."""
        start = self.at
        n = self.number()
        if n < 0 or n * least > len(self.data) - self.at:
            raise self.refuse(
                f"truncated: {n} elements are claimed, {len(self.data) - self.at} bytes are left", start
            )
        return n

    def tag(self, most: int, what: str) -> int:
        """The next number of a case, of which there are few."""
        start = self.at
        data = self.data
        if start < len(data) and data[start] <= most:
            self.at = start + 1
            return data[start]
        n = self.number()
        if not 0 <= n <= most:
            raise self.refuse(f"unknown tag {n} of {what}", start)
        return n

    def text(self, limit: int) -> bytes:
        """The next string, of at most `limit` bytes."""
        start = self.at
        data = self.data
        if start < len(data) and data[start] < 128:
            # The usual case of what follows, without its calls.
            n = data[start]
            end = start + 1 + n
            if n <= limit and end <= len(data):
                self.at = end
                return data[start + 1 : end]
        n = self.number()
        if n > limit:
            raise self.refuse(f"a value of {n} bytes, the limit is {limit}", start)
        return self.take(self._positive(n, start))

    def _positive(self, n: int, start: int) -> int:
        if n < 0:
            raise self.refuse(f"bad length: {n}", start)
        return n

    def step(self) -> str:
        """The next step."""
        return step_of_bytes(self.text(len(self.data)))

    def hash(self) -> Hash:
        """The next hash."""
        return Hash(self.take(self._size))

    def metadata(self) -> Any:
        """The next metadata."""
        return None if self._plain else self._by(self._fields.read_metadata)

    def _by(self, read: Callable[[bytes, int], tuple[T, int]]) -> T:
        """What `read` makes of the next metadata."""
        start = self.at
        try:
            found, self.at = read(self.data, start)
        except DecodeError as e:
            raise self.refuse(f"metadata that are none: {e}", start) from e
        return found

    def entry(self) -> tuple[int, bytes, bytes | None]:
        """(kind, hash, metadata) of the next root; metadata are None where objects have none."""
        if self.tag(1, "a root") == _NODE:
            return DIRECTORY, self.take(self._size), None
        hash_ = self.take(self._size)
        own = None if self._plain else self._by(self._fields.own)
        return (CONTENTS if own is None else CONTENTS_META), hash_, own

    def kinded(self) -> KindedHash:
        """The next root."""
        return root_of(*self.entry())

    def end(self) -> None:
        """Refuse what comes after the end."""
        if self.at != len(self.data):
            raise self.refuse(f"trailing data: {len(self.data) - self.at} bytes after the end")
