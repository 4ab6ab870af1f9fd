"""Git's own bytes: blobs, trees and commits that have the hashes Git gives them (docs/formats/git.md).

An object's canonical bytes are what Git hashes: "blob 3\\0" and so on, then the body. A directory is one tree, however
large. Trees are held in the order of their steps; the order in the bytes, where a directory sorts as if its name
ended with "/", is made when they are encoded. What Git's trees and commits can hold and irminpy's cannot say stands
in `Node.links` (commits of other repositories) and in `Info.extra`, so that nothing is lost by an edit beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import DecodeError, DepthExceeded, InvalidStep, SchemaMismatch
from ..hash import Hash
from ..objects import CONTENTS, CONTENTS_META, DIRECTORY, Commit, Inode, Node
from ..path import as_path, step_bytes
from .format import encode_each
from .git_commit import decode_body, encode_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..hash import HashFunction
    from ..metadata import Metadata
    from ..path import PathLike
    from .format import Codec, Load

__all__ = ["HEADERS", "Git", "GitCodec", "refusal"]

HEADERS: Final = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
"""What an object begins with, and the number of that type in a pack."""

_SIZES: Final = {"sha1": 20, "sha256": 32}
_NO_LIMIT: Final = 1 << 63
_DIRECTORY: Final = b"40000"
_NORMAL: Final = b"100644"
_LINK: Final = b"160000"
_HEX: Final = frozenset("0123456789abcdef")
_SYMLINK: Final = b"120000"
_MODES: Final = frozenset((b"100755", _SYMLINK, b"100664"))
"""The modes of `irminpy.metadata.Modes` besides the default."""
_FILE: Final = re.compile(rb"0*(?:100[0-7]{3}|120000)\Z")

# -- names ---------------------------------------------------------------------------------------------------

# Code points that HFS+ ignores in names, so that they may hide in a ".git".
_IGNORED: Final = (
    "\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"
)
_SUSPECT: Final = re.compile(rf"[/\0\ud800-\udfff{_IGNORED}]|\A\.{{0,2}}\Z|[gG][iI][tT]")
_HIDDEN: Final = str.maketrans("", "", _IGNORED)
# What NTFS takes for ".git": its short name, trailing dots and spaces, streams.
_NTFS: Final = re.compile(r"(?:\.git|git~1)[. ]*(?::.*)?\Z", re.IGNORECASE | re.DOTALL)
_NTFS_MODULES: Final = re.compile(r"(?:\.gitmodules|gitmod~[1-4])[. ]*(?::.*)?\Z", re.IGNORECASE | re.DOTALL)


def refusal(step: str) -> str | None:
    """Why `step` may not name an entry of a tree, None if it may: the rules of `git fsck --strict`.

    They are the same on every system: ".git" in the spellings of HFS+ and NTFS too.
    """
    if _SUSPECT.search(step) is None:
        return None
    if not step:
        return "it is empty"
    if "/" in step or "\0" in step:
        return 'it holds a "/" or a NUL'
    if step in (".", ".."):
        return 'it is "." or ".."'
    if step.translate(_HIDDEN).lower() == ".git" or any(_NTFS.match(part) for part in step.split("\\")):
        return 'some system takes it for ".git"'
    return None


def _is_modules(step: str) -> bool:
    return step.translate(_HIDDEN).lower() == ".gitmodules" or _NTFS_MODULES.match(step) is not None


# -- the format ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Git:
    """Git's bytes, with SHA-1 or SHA-256. Metadata of entries are modes, `irminpy.metadata.Modes`, or none."""

    @property
    def name(self) -> str:
        """The name in the schema identity."""
        return "git"

    @property
    def version(self) -> int:
        """The version of the bytes."""
        return 1

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """None."""
        return ()

    def bind(self, hash: HashFunction, metadata: Metadata[Any] | None = None, /) -> Codec:
        """This format with `hash`, which is `SHA1()` or `SHA256()`; SchemaMismatch otherwise."""
        if _SIZES.get(hash.name) != hash.size:
            raise SchemaMismatch("sha1 or sha256 for the git format", f"{hash.name} ({hash.size} bytes)")
        return GitCodec(hash)


class GitCodec:
    """The git format bound to a hash function; see `Codec` for the methods."""

    __slots__ = ("_entry", "digest", "digest_many", "empty", "hash_size", "order")

    leaf: int = _NO_LIMIT
    flat: int = _NO_LIMIT
    """A tree has any number of entries."""

    fanout: int = 2
    """There are no inner nodes."""

    looks = 0
    contents_prefix: bytes | None = None
    """A blob begins with its length."""

    order: Callable[[str], bytes] | None
    """Steps go by their bytes, of which those that are not UTF-8 would sort elsewhere as text."""

    def __init__(self, hash: HashFunction) -> None:
        self.digest = hash.digest
        self.digest_many = hash.digest_many
        self.hash_size = hash.size
        self.empty = hash.digest(b"tree 0\0")
        self.order = _bytes_of
        self._entry = re.compile(rb"([0-7]+) ([^\0]*)\0(.{%d})" % hash.size, re.DOTALL)

    # -- steps and shape -------------------------------------------------------------------------------------

    def steps(self, path: PathLike, /) -> list[str]:
        """The steps of `path`, which a tree may hold: see `refusal`."""
        steps = [*as_path(path)]
        for step in steps:
            if _SUSPECT.search(step) is not None:
                reason = refusal(step)
                if reason is not None:
                    raise InvalidStep(step, reason)
                step_bytes(step)
        return steps

    def digit(self, step: str, depth: int, /) -> int:
        """No directory is large: DepthExceeded."""
        raise DepthExceeded(step, "git's trees have no inner nodes")

    def bucket_of(self, load: Load, record: Inode, step: str, /) -> Node | Inode | None:
        """No directory is large: nothing is below."""
        return record

    def keys(self, steps: list[str], /) -> list[bytes]:
        """The bytes of the steps."""
        return [_bytes_of(step) for step in steps]

    def split(
        self, steps: list[str], keys: list[bytes], rows: Sequence[int], depth: int, levels: int = 1, /
    ) -> list[list[int]]:
        """No groups, as there are no digits."""
        if rows:
            raise DepthExceeded(steps[rows[0]], "git's trees have no inner nodes")
        return []

    # -- contents --------------------------------------------------------------------------------------------

    def encode_contents(self, values: list[bytes], /) -> list[bytes]:
        """Blobs."""
        return [b"blob %d\0%b" % (len(value), value) for value in values]

    def decode_contents(self, data: bytes, /) -> bytes:
        """The body of a blob."""
        return _body(b"blob", "contents", data)

    # -- directories -----------------------------------------------------------------------------------------

    def encode_node(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes:
        """The tree with these entries; DecodeError for metadata that is no mode."""
        return self.encode_linked(steps, kinds, hashes, metadata, b"")

    def encode_nodes(
        self, steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
    ) -> list[bytes]:
        """The trees, one by one."""
        return encode_each(self.encode_node, steps, kinds, hashes, metadata)

    def encode_linked(
        self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], links: bytes, /
    ) -> bytes:
        """`encode_node`, with `links` as in `Node`; a link gives way to an entry of its name."""
        size = self.hash_size
        rows: list[tuple[bytes, bytes]] = []
        modes = iter(metadata)
        at = 0
        for step, kind in zip(steps, kinds, strict=True):
            name = step.encode("utf-8", "surrogateescape")
            hash_ = hashes[at : at + size]
            at += size
            if kind == CONTENTS:
                rows.append((name, b"100644 %b\0%b" % (name, hash_)))
            elif kind == DIRECTORY:
                # Git compares the names of directories as if they ended with a slash.
                rows.append((name + b"/", b"40000 %b\0%b" % (name, hash_)))
            else:
                mode = next(modes)
                if mode not in _MODES and _FILE.match(mode) is None:
                    raise DecodeError("directory", f"{mode!r:.40} is no mode of a file")
                if mode == _SYMLINK and _is_modules(step):
                    raise InvalidStep(step, "Git refuses it as a symbolic link")
                rows.append((name, b"%b %b\0%b" % (mode, name, hash_)))
        if links:
            taken = {key.removesuffix(b"/") for key, _ in rows}
            for mode, name, hash_ in self._rows(links):
                if name not in taken:
                    rows.append((name + b"/", b"%b %b\0%b" % (mode, name, hash_)))
        rows.sort()
        body = b"".join([row for _, row in rows])
        return b"tree %d\0%b" % (len(body), body)

    def encode_bucket(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes:
        """There are none: DecodeError."""
        raise DecodeError("directory", "git's trees have no buckets")

    def encode_buckets(
        self, steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
    ) -> list[bytes]:
        """There are none: DecodeError."""
        return encode_each(self.encode_bucket, steps, kinds, hashes, metadata)

    def encode_inode(self, depth: int, buckets: bytes, counts: list[int], hashes: bytes, /) -> bytes:
        """There are none: DecodeError."""
        raise DecodeError("directory", "git's trees have no inner nodes")

    def _rows(self, body: bytes) -> list[tuple[bytes, bytes, bytes]]:
        """(mode, name, hash) of all entries; DecodeError unless they make up `body`."""
        rows: list[tuple[bytes, bytes, bytes]] = self._entry.findall(body)
        # A search passes over what is no entry; then the lengths do not add up.
        size = sum([len(mode) + len(name) for mode, name, _ in rows]) + len(rows) * (self.hash_size + 2)
        if size != len(body):
            raise DecodeError("directory", "it does not consist of modes, names and hashes")
        return rows

    def decode_node(self, data: bytes, /) -> Node | Inode:
        """The tree with the bytes `data`, which `git fsck --strict` finds nothing wrong with."""
        rows = self._rows(_body(b"tree", "directory", data))
        before, names = b"", set[bytes]()
        for mode, name, hash_ in rows:
            key = name + b"/" if mode in (_DIRECTORY, _LINK) else name
            if key <= before or name in names:
                raise DecodeError(
                    "directory", f"the entry {name!r:.80} is there twice, or after one that it comes before"
                )
            before = key
            names.add(name)
            if mode not in _MODES and mode not in (_NORMAL, _DIRECTORY, _LINK):
                raise DecodeError("directory", f"the entry {name!r:.80} has the mode {mode!r:.40}")
            step = name.decode("utf-8", "surrogateescape")
            reason = refusal(step)
            if reason is None and mode == _SYMLINK and _is_modules(step):
                reason = "Git refuses it as a symbolic link"
            if reason is None and not any(hash_):
                reason = "its hash is all zeros"
            if reason is not None:
                raise DecodeError("directory", f"the entry {name!r:.80}: {reason}")
        return self._node(rows, b"")

    def load_node(self, data: bytes, words: bytes = b"", /) -> Node | Inode:
        """The tree with the bytes `data`; also one that Git can read and would not make.

        Names that may not be written, other modes of files, and modes with leading zeros stay as they are.
        """
        node = self._node(self._rows(_body(b"tree", "directory", data)), words)
        if words and len(words) != 8 * len(node.kinds):
            raise DecodeError("directory", f"{len(node.kinds)} children with {len(words) / 8:g} words")
        return node

    def _node(self, rows: list[tuple[bytes, bytes, bytes]], words: bytes) -> Node:
        links = b""
        if any(mode.lstrip(b"0") == _LINK for mode, _, _ in rows):
            links = b"".join([b"%b %b\0%b" % row for row in rows if row[0].lstrip(b"0") == _LINK])
            rows = [row for row in rows if row[0].lstrip(b"0") != _LINK]
        if any(rows[i - 1][1] > rows[i][1] for i in range(1, len(rows))):
            rows = sorted(rows, key=lambda row: row[1])
        kinds = bytearray()
        metadata: dict[int, bytes] = {}
        for i, (mode, name, _) in enumerate(rows):
            if mode == _NORMAL:
                kinds.append(CONTENTS)
            elif mode.lstrip(b"0") == _DIRECTORY:
                kinds.append(DIRECTORY)
            elif _FILE.match(mode):
                plain = mode.lstrip(b"0")
                kinds.append(CONTENTS if plain == _NORMAL else CONTENTS_META)
                if plain != _NORMAL:
                    metadata[i] = plain
            else:
                raise DecodeError("directory", f"the entry {name!r:.80} has the mode {mode!r:.40}")
        index = {name.decode("utf-8", "surrogateescape"): i for i, (_, name, _) in enumerate(rows)}
        if len(index) != len(rows):
            raise DecodeError("directory", "two entries have one name")
        hashes = b"".join([hash_ for _, _, hash_ in rows])
        return Node(index, bytes(kinds), hashes, metadata, words, b"", links)

    def children(self, data: bytes, /) -> tuple[bytes, bytes]:
        """The kinds and hashes of files and directories by the order of their steps."""
        node = self._node(self._rows(_body(b"tree", "directory", data)), b"")
        return node.kinds, node.hashes

    def parents(self, given: Sequence[Hash], /) -> tuple[Hash, ...]:
        """The parents in the order given, each once."""
        return tuple(dict.fromkeys(given))

    def show_hash(self, hash: bytes, /) -> str:
        """Hexadecimal digits."""
        return hash.hex()

    def read_hash(self, text: str, /) -> Hash | None:
        """The hash whose hexadecimal digits are `text`, or None."""
        if len(text) != 2 * self.hash_size or not _HEX.issuperset(text):
            return None
        return Hash.of_hex(text)

    def links(self, node: Node, /) -> dict[str, bytes]:
        """Step to hash of the commits of other repositories that `node` names (submodules)."""
        return {name.decode("utf-8", "surrogateescape"): hash_ for _, name, hash_ in self._rows(node.links)}

    # -- commits ---------------------------------------------------------------------------------------------

    def encode_commit(self, commit: Commit, /) -> bytes:
        """The bytes of `commit`; DecodeError for one that Git's cannot say."""
        body = encode_body(commit, self.hash_size)
        return b"commit %d\0%b" % (len(body), body)

    def decode_commit(self, data: bytes, /) -> Commit:
        """The commit with the bytes `data`, from which `encode_commit` makes the same again."""
        return decode_body(_body(b"commit", "commit", data), self.hash_size)


def _bytes_of(step: str) -> bytes:
    return step.encode("utf-8", "surrogateescape")


def _body(type_: bytes, what: str, data: bytes) -> bytes:
    """What follows the header of an object; DecodeError unless it is one of that type and length."""
    end = data.find(b"\0", 0, 32)
    body = data[end + 1 :]
    if end < 0 or data[:end] != b"%b %d" % (type_, len(body)):
        raise DecodeError(what, f"it begins with {data[:24]!r}, not with a {type_.decode()} of its length", 0)
    return body
