"""What a format owes: the bytes of every object, and the shape of directories.

A format is a value (name, version, parameters). `bind` joins it with a hash function and gives a `Codec`, the
thing that encodes and decodes. Both are pure: no I/O, no state but a cache of hashed steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..hash import Hash, HashFunction
    from ..metadata import Metadata
    from ..objects import Commit, Inode, Node
    from ..path import PathLike

__all__ = ["BUCKET", "Codec", "Format", "Linking", "Load", "Seeking", "Sought", "encode_each"]

BUCKET = -1
"""The kind of what a step leads to in an inner node: a node that is one level deeper in the same directory."""


Sought: TypeAlias = tuple[int, bytes, int, int]
"""What one node says about a step: the kind byte of an entry, or BUCKET; a hash; where that lies, 0 if it is not known;
and for BUCKET the number of entries that it holds, else 0."""


Load: TypeAlias = "Callable[[bytes], Node | Inode]"
"""Gives the node with a hash."""


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

    def steps(self, path: PathLike, /) -> list[str]:
        """The steps of `path`, each legal in this format; InvalidStep otherwise, TypeError for no path.

        The list is the caller's, to do with it what they like.
        """
        ...

    @property
    def order(self) -> Callable[[str], bytes] | None:
        """The sort key of a step, since order is that of its bytes; None where code points order alike."""
        ...

    def digit(self, step: str, depth: int, /) -> int:
        """The bucket of `step` in an inode of `depth`; DepthExceeded below the last level."""
        ...

    def bucket_of(self, load: Load, record: Inode, step: str, /) -> Node | Inode | None:
        """The record below `record`, an inode without words, that `step` belongs to; None if there is none.

        `load` gives nodes by their hash. It may end early, at `record` itself too: whoever calls goes on from there.
        """
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
    def looks(self) -> int:
        """Bits of a digit where `core.place` is to go through decoded nodes of this format; 0 for any other."""
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

    def encode_nodes(
        self, steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
    ) -> list[bytes]:
        """`encode_node` of many directories: the steps of each, and the kinds and hashes of all in that order.

        `metadata` holds that of the steps of kind `CONTENTS_META`, which occur only once among all.
        """
        ...

    def encode_buckets(
        self, steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
    ) -> list[bytes]:
        """As `encode_nodes`, `encode_bucket` of many buckets."""
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


@runtime_checkable
class Seeking(Protocol):
    """A codec that finds a step in the bytes of a node without decoding it. Optional."""

    def seek(self, data: bytes, words: bytes, step: str, depth: int, count: int, /) -> Sought | None:
        """What `step` leads to in the node with the canonical bytes `data` and the `words` of its children; None if
        it is not there.

        `depth` is 0 and `count` -1 for the root of a directory; for a bucket, its level and how many entries it is
        said to hold. Checks as much as `load_node`; DecodeError if this is not such a node.
        """
        ...


@runtime_checkable
class Linking(Protocol):
    """Optional, of a codec: its directories may hold links, see `irminpy.objects.Node.links`."""

    def encode_linked(
        self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], links: bytes, /
    ) -> bytes:
        """`Codec.encode_node`, with the `links` of the directory that was edited."""
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


def encode_each(
    encode: Callable[[list[str], bytes, bytes, list[bytes]], bytes],
    steps: list[list[str]],
    kinds: bytes,
    hashes: list[bytes],
    metadata: Mapping[str, bytes],
) -> list[bytes]:
    """`Codec.encode_nodes` by way of `encode_node`, for formats that have no faster one; so for buckets."""
    data: list[bytes] = []
    at = 0
    for own in steps:
        end = at + len(own)
        columns = [metadata[step] for step in own if step in metadata] if metadata else []
        data.append(encode(own, kinds[at:end], b"".join(hashes[at:end]), columns))
        at = end
    return data
