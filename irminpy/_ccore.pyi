# The compiled twins of functions of `_core`, which says what they do.

from collections.abc import Callable, Iterable, Mapping, Sequence
from mmap import mmap
from typing import Any

from ._frames import Mapped
from ._gather import Gathered
from ._rows import Words as Words
from .cache import Cache as Cache

SEAM: int

def checked_frame(
    data: bytes | mmap, at: int, size: int, head: int, kind: int, hash: bytes, /
) -> tuple[bytes, bytes] | None: ...
def bind(
    base: Any,
    steps: list[str],
    at: int,
    data: bytes,
    line: Any,
    version: int,
    width: int,
    kind: type[Any],
    stored: type[Any],
    /,
) -> Any: ...
def bucket_of(
    record: Any, key: bytes, width: int, load: Callable[[bytes], Any], flat: type[Any], inner: type[Any], /
) -> Any: ...
def children(data: bytes, hash_size: int, /) -> tuple[bytes, bytes]: ...
def crc(data: bytes, /) -> int: ...
def decode_inode(
    data: bytes, hash_size: int, fanout: int, leaf: int, digits: int, empty: bytes, /
) -> tuple[int, bytes, list[int], bytes]: ...
def decode_node(
    data: bytes, hash_size: int, leaf: int, empty: bytes, /
) -> tuple[dict[str, int], bytes, bytes, dict[int, bytes]]: ...
def descend(
    bases: list[int],
    segments: Sequence[Mapped],
    head: int,
    fanout: int,
    leaf: int,
    empty: bytes,
    hash: bytes,
    word: int,
    steps: list[str],
    /,
) -> tuple[int, bytes | None] | None: ...
def difference(
    canonical: bytes, words: bytes, before: bytes, before_words: bytes, size: int, /
) -> tuple[bytes, bytes] | None: ...
def digest(data: bytes, /) -> bytes: ...
def digest_many(items: list[bytes], /) -> list[bytes]: ...
def encode_inode(
    fanout: int, leaf: int, depth: int, buckets: bytes, counts: list[int], hashes: bytes, /
) -> bytes: ...
def encode_node(steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes: ...
def encode_nodes(
    steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
) -> list[bytes]: ...
def filled_words(
    words: bytes, kinds: bytes, hashes: bytes, nodes: dict[bytes, int], contents: dict[bytes, int], /
) -> bytes | None: ...
def find(directory: Any, path: str | list[str], width: int, stored: type[Any], /) -> Any: ...
def follow(
    recent: Callable[[bytes], Any],
    load: Callable[[bytes, int], Any] | None,
    noted: dict[bytes, Any],
    opened: dict[tuple[bytes | str, ...], tuple[bytes, int]],
    hash: bytes,
    word: int,
    steps: list[str],
    fanout: int,
    leaf: int,
    locates: bool,
    empty: bytes,
    flat: type[Any],
    inner: type[Any],
    /,
) -> tuple[int, int, bytes, int] | None: ...
def frame_of(kind: int, hash: bytes, hints: bytes, canonical: bytes, /) -> bytes: ...
def frames(
    rows: dict[bytes, bytes] | list[tuple[bytes, bytes]],
    i: int,
    frame: int,
    kind: int,
    at: int,
    stop: int,
    parts: list[bytes],
    entries: dict[bytes, int] | None,
    known: dict[bytes, bytes],
    decoded: Mapping[bytes, Any],
    nodes: dict[bytes, int],
    contents: dict[bytes, int],
    flat: type[Any],
    inner: type[Any],
    older: bytes | None,
    bases: list[int],
    segments: Sequence[Mapped],
    read: Callable[[int, int], bytes],
    starts: list[int],
    blocks: list[bytes],
    /,
) -> tuple[int, int]: ...
def filter_add(bits: bytearray, hashes: Iterable[bytes], skip: int, /) -> None: ...
def filter_find(bits: bytearray, hashes: Iterable[bytes], /) -> list[bytes]: ...
def merge_rows(newer: bytes, older: bytes, key: int, value: int, /) -> bytes: ...
def row_of(rows: bytes, key: bytes, value: int, /) -> bytes | None: ...
def gather(
    bases: list[int],
    segments: Sequence[Mapped],
    head: int,
    fanout: int,
    leaf: int,
    levels: int,
    empty: bytes,
    hash: bytes,
    word: int,
    depth: int,
    count: int,
    most: int,
    room: int,
    below: int,
    /,
) -> Gathered | None: ...
def load_inode(
    data: bytes, hash_size: int, fanout: int, leaf: int, digits: int, empty: bytes, /
) -> tuple[int, bytes, list[int], bytes, bytes]: ...
def load_node(
    data: bytes, hash_size: int, leaf: int, empty: bytes, /
) -> tuple[dict[str, int], bytes, bytes, dict[int, bytes], bytes]: ...
def patch_column(column: bytes, size: int, changes: list[tuple[int, bytes]], /) -> bytes: ...
def patched(
    head: bytes, hashes: bytes, words: bytes, i: int, hash: bytes, /
) -> tuple[bytes, bytes, bytes, bytes]: ...
def place(
    record: tuple[Any, ...], recent: Callable[[bytes], tuple[Any, ...] | None], step: str, width: int, /
) -> tuple[Any, int]: ...
def placed(
    records: dict[bytes, Any],
    nodes: dict[bytes, bytes],
    hints: dict[bytes, bytes],
    located: bool,
    own: bool,
    flat: type[Any],
    inner: type[Any],
    /,
) -> dict[bytes, Any]: ...
def read_nodes(
    data: bytes,
    at: int,
    fanout: int,
    leaf: int,
    levels: int,
    empty: bytes,
    depth: int,
    room: int,
    objects: int,
    longest: int,
    flat: type[Any],
    /,
) -> tuple[int, bytes, dict[bytes, Any], dict[bytes, bytes], int, dict[bytes, None]] | int | None: ...
def read_state(
    data: bytes,
    at: int,
    tezos: int,
    directory: bytes,
    contents: bytes,
    blake2b: int,
    digest: Callable[[bytes], bytes],
    hash_size: int,
    fanout: int,
    leaf: int,
    stable: int,
    levels: int,
    order: int,
    digit: Callable[[int, bytes], int] | None,
    empty: bytes,
    skip: Callable[[bytes, int], int] | None,
    usual: bytes,
    depth: int,
    room: int,
    objects: int,
    longest: int,
    /,
) -> (
    tuple[int, bytes, dict[bytes, Any], dict[bytes, bytes], list[bytes | int] | None, dict[bytes, None]]
    | int
    | None
): ...
def put_many(root: Any, items: list[tuple[Any, bytes]], at: int, most: int, kind: type[Any], /) -> int: ...
def rebind(
    root: Any,
    path: str | list[str],
    data: bytes,
    version: int,
    width: int,
    kind: type[Any],
    stored: type[Any],
    /,
) -> Any: ...
def rebuilt(
    before: bytes, before_words: bytes, payload: bytes, words: bytes, size: int, /
) -> tuple[bytes, bytes]: ...
def record_at(
    bases: list[int],
    segments: Sequence[Mapped],
    head: int,
    hash_size: int,
    fanout: int,
    leaf: int,
    digits: int,
    empty: bytes,
    hash: bytes,
    word: int,
    flat: type[Any],
    inner: type[Any],
    /,
) -> Any: ...
def seek_inode(
    data: bytes, hash_size: int, fanout: int, leaf: int, depth: int, digit: int, /
) -> tuple[int, int, int, int, bytes]: ...
def seek_node(data: bytes, hash_size: int, leaf: int, step: str, /) -> tuple[int, int, int, bytes]: ...
def settle(
    staged: Any,
    source: object,
    pool: object,
    recent: Callable[[bytes], Any],
    load: Callable[..., Any],
    width: int,
    leaf: int,
    noting: bool,
    keep: bool,
    kind: type[Any],
    made: type[Any],
    flat: type[Any],
    inner: type[Any],
    /,
) -> (
    tuple[
        Any,
        dict[bytes, bytes],
        dict[bytes, bytes],
        dict[bytes, Any],
        dict[bytes, bytes],
        list[Any] | None,
        list[bytes],
        bytes,
        int,
        int,
    ]
    | None
): ...
def settle_new(
    staged: Any,
    pool: object,
    flat: int,
    leaf: int,
    width: int,
    keep: bool,
    kind: type[Any],
    made: type[Any],
    /,
) -> tuple[bytes, Any, dict[bytes, bytes], dict[bytes, bytes], int, int] | None: ...
def take_elements(
    data: bytes,
    at: int,
    n: int,
    hash_size: int,
    skip: Callable[[bytes, int], int] | None,
    longest: int,
    /,
) -> tuple[int, tuple[bytes, ...], dict[bytes, None]] | int | None: ...
def unlike(
    left: Any,
    right: Any,
    recent: Callable[[bytes], Any],
    load: Callable[..., Any],
    recent_right: Callable[[bytes], Any],
    load_right: Callable[..., Any],
    most: int,
    /,
) -> list[tuple[tuple[str, ...], Any, Any, int]] | None: ...
def weight(record: Any, /) -> int: ...
def write_nodes(
    root: bytes,
    nodes: dict[bytes, Any],
    contents: dict[bytes, bytes],
    fanout: int,
    flat: type[Any],
    inner: type[Any],
    /,
) -> bytes | None: ...
