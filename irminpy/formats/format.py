"""What a format owes: the bytes of every object, and the shape of directories.

A format is a value (name, version, parameters). `bind` joins it with a hash function and gives a `Codec`, the
thing that encodes and decodes. Both are pure: no I/O, no state but a cache of hashed steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..hash import Hash, HashFunction
    from ..metadata import Metadata
    from ..objects import Commit, Inode, Node
    from ..path import PathLike

__all__ = ["Codec", "Format"]


class Codec(Protocol):
    """A format joined with a hash function. All methods are pure and total over their documented input."""

    @property
    def hash_size(self) -> int:
        """Bytes of a hash."""
        ...

    @property
    def empty(self) -> bytes:
        """The hash of the empty directory."""
        ...

    @property
    def leaf(self) -> int:
        """The most entries of a bucket that is one flat object."""
        ...

    @property
    def flat(self) -> int:
        """The most entries of a directory that is one flat object; at least `leaf`.

        One of more than `leaf` is listed in the order of the inodes that it would otherwise consist of.
        """
        ...

    @property
    def fanout(self) -> int:
        """The most buckets of an inode."""
        ...

    def digest(self, data: bytes, /) -> bytes:
        """The hash of the canonical bytes of an object."""
        ...

    def digest_many(self, items: list[bytes], /) -> list[bytes]:
        """The hashes of many objects, in order."""
        ...

    def steps(self, path: PathLike, /) -> Sequence[str]:
        """The steps of `path`, each legal in this format; InvalidStep otherwise, TypeError for no path."""
        ...

    @property
    def order(self) -> Callable[[str], bytes] | None:
        """The sort key of a step, since order is that of its bytes; None where code points order alike."""
        ...

    def digit(self, step: str, depth: int, /) -> int:
        """The bucket of `step` in an inode of `depth`; DepthExceeded below the last level."""
        ...

    def keys(self, steps: list[str], /) -> list[bytes]:
        """What `split` needs to know of each step, computed once."""
        ...

    def split(
        self, steps: list[str], keys: list[bytes], rows: Sequence[int], depth: int, levels: int = 1, /
    ) -> list[list[int]]:
        """The `rows`, which are positions in `steps` and their `keys`, by their digits from that at `depth` on.

        There are fanout ** n groups, 1 <= n <= `levels`, ascending, some of them empty; rows stay in the order
        given. Below the last level DepthExceeded, or no groups if there are no rows.
        """
        ...

    @property
    def contents_prefix(self) -> bytes | None:
        """What `encode_contents` puts before every value, whatever the value; None where that depends on it.

        With it, contents can be hashed piece by piece before their length is known.
        """
        ...

    def encode_contents(self, values: list[bytes], /) -> list[bytes]:
        """The canonical bytes of contents objects, from the bytes of the contents type."""
        ...

    def decode_contents(self, data: bytes, /) -> bytes:
        """The bytes of the contents type; DecodeError unless `data` is what `encode_contents` gives."""
        ...

    def encode_node(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes:
        """The canonical bytes of a flat directory; `steps` ascending, columns as in `Node`."""
        ...

    def encode_bucket(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes:
        """The canonical bytes of a bucket that is one flat object: those of a directory, or others."""
        ...

    def encode_inode(self, depth: int, buckets: bytes, counts: list[int], hashes: bytes, /) -> bytes:
        """The canonical bytes of an inner node; `counts` as in `Inode`."""
        ...

    def decode_node(self, data: bytes, /) -> Node | Inode:
        """The directory or inner node with the canonical bytes `data`; DecodeError for any other bytes."""
        ...

    def load_node(self, data: bytes, words: bytes = b"", /) -> Node | Inode:
        """`decode_node` of bytes that were checked when they were stored, with the `words` of the children.

        It may take on trust whatever cannot make a reader fail: the order of the entries, and that the bytes are
        canonical. DecodeError for bytes that are no node, or where there are not as many words as children.
        """
        ...

    def children(self, data: bytes, /) -> tuple[bytes, bytes]:
        """(kinds, hashes): the kind byte of each child of a directory or inner node, and their hashes, joined.

        In the order in which `decode_node` lists them; a bucket has the kind of a directory. `data` is canonical;
        ValueError where that shows.
        """
        ...

    def parents(self, given: Sequence[Hash], /) -> tuple[Hash, ...]:
        """The parents of a commit in the order in which they are written."""
        ...

    def show_hash(self, hash: bytes, /) -> str:
        """A hash as text, as the users of this format know it."""
        ...

    def read_hash(self, text: str, /) -> Hash | None:
        """The hash that `text`, all of it, shows; None if it shows none."""
        ...

    def encode_commit(self, commit: Commit, /) -> bytes:
        """The canonical bytes of `commit`."""
        ...

    def decode_commit(self, data: bytes, /) -> Commit:
        """The commit with the canonical bytes `data`; DecodeError for any other bytes."""
        ...


class Format(Protocol):
    """A format with its parameters, before a hash function is chosen."""

    @property
    def name(self) -> str:
        """Short name, as in the schema identity: "native", "git", …"""
        ...

    @property
    def version(self) -> int:
        """Version of the bytes."""
        ...

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """What else the bytes depend on, in the order of the schema identity."""
        ...

    def bind(self, hash: HashFunction, metadata: Metadata[Any] | None = None, /) -> Codec:
        """This format with `hash` and `metadata` (None: none); SchemaMismatch if they do not go together."""
        ...
