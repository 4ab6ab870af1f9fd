"""What the compiled core does with the directories of a tree in memory at once: the functions by name.

`bind`, `find`, `put_many`, `rebind`, `settle`, `settle_new` and `unlike` have no answer here. Who asks does the same
directory by directory: the modules `edit`, `seek`, `alone`, `settle` and `diff` of `irminpy.tree`. As `_core`, this
imports nothing of the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bind", "find", "placed", "put_many", "rebind", "settle", "settle_new", "unlike", "weight"]

_NODE = 8  # items of a flat record; an inner one has fewer


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
) -> Any:
    """What is put under `steps[at]` of a staged directory on top of `base` so that all `steps` lead to `data`, and how
    many entries that directory has then that it had not.

    None if this function does not know; False if they lead to contents with that hash and no metadata. It answers where
    they lead to contents without metadata, or to nothing, through directories of the class `stored` that are read from
    where `base` is: `data` itself, or a directory of the class `kind` of `line`, edited at `version`, or a dict for a
    small new one. Digits have `width` bits.
    """
    return None


def put_many(root: Any, items: list[tuple[Any, bytes]], at: int, most: int, kind: type[Any], /) -> int:
    """Bind the paths of `items`, from number `at` on, each to its data in `root`, and say where that ended.

    It ends where this function does not know what to do, and with the last. It does with a text in ASCII that leads
    through directories of the class `kind`, to a step that is bound to data or to nothing in one that lies on no other,
    or in a new one; those in dicts have at most `most` entries. Nobody else has seen `root`.
    """
    return at


def rebind(
    root: Any,
    path: str | list[str],
    data: bytes,
    version: int,
    width: int,
    kind: type[Any],
    stored: type[Any],
    /,
) -> Any:
    """Bind `path`, as of `find`, to `data` in `root`, of the class `kind`, at the `version` that its line gets; that.

    None if nothing would change; False, and nothing is changed, if this function does not know: it does where the first
    step that no staged directory has leads on as `bind` says, and where it is new in a directory without a base, with
    at most one more step behind it. The lock of the line is held, and its newest version is the one before.
    """
    return False


def unlike(
    left: Any,
    right: Any,
    recent: Callable[[bytes], Any],
    load: Callable[..., Any],
    recent_right: Callable[[bytes], Any],
    load_right: Callable[..., Any],
    most: int,
    /,
) -> list[tuple[tuple[str, ...], Any, Any, int]] | None:
    """(steps, node on the left, on the right, i) for what differs between two nodes of directories and below them.

    None if this function does not know; it does where the two differ in nothing but hashes, and goes down as long as
    that is so and it is known where things lie. Position `i` of the two nodes is the entry that `steps` lead to,
    contents or a directory that is left to be compared; below 0 it is the bucket ~i of the directory that they lead to.
    The order is that of `comparison.differences`, depth first. At most `most` pairs of nodes are opened, each by
    `recent` or `load`.
    """
    return None


def find(directory: Any, path: str | list[str], width: int, stored: type[Any], /) -> Any:
    """The bytes of the contents that `path` leads to from `directory`, or None if there are none.

    False if this function does not know. The path is a text, or steps that are legal. It goes through directories of
    the class `stored`, and keeps in them what it read, as `irminpy.tree.seek` does; digits have `width` bits. Cost: at
    most one read per directory, level and value.
    """
    return False


def placed(
    records: dict[bytes, Any],
    nodes: dict[bytes, bytes],
    hints: dict[bytes, bytes],
    located: bool,
    own: bool,
    flat: type[Any],
    inner: type[Any],
    /,
) -> dict[bytes, Any]:
    """Those `records`, of the classes `flat` and `inner`, whose hash is in `nodes`, with the words of `hints`.

    Where there are none, the record as it is; if `located`, none. `own` says that the words are right wherever these
    records are: then they may be given to them as they are.
    """
    found: dict[bytes, Any] = {}
    for hash, record in records.items():
        if hash in nodes:
            words = hints.get(hash)
            if words:
                found[hash] = type(record)(*record[:4], words, *record[5:])
            elif not located:
                found[hash] = record
    return found


def weight(record: Any, /) -> int:
    """What a decoded node weighs in a cache: its entries or buckets, and as much as 8 for itself."""
    return 8 + len(record[0] if len(record) == _NODE else record[2])


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
):
    """The staged directory at its newest version with its hash, or None.

    (The directory, which reads from `pool` and is of the class `made`; hash to object of the new values; of the new
    nodes, children first; hash to decoded node; hash to the words in it, if it has any; the records whose words are
    known, or None unless `noting`; the hashes of the stored nodes whose place these take; the words of the nodes whose
    places the new ones take, in their order, a column, 0 for unknown; how many values and how many directories were
    hashed.) It answers where all edited directories, of the class `kind`, lie on directories that are read from
    `source`, or on none, as `settle_new` says, and where their steps are new, or were bound to values and still are, or
    to directories and still are. Digits have `width` bits, parts at most `leaf` entries; records are of the classes
    `flat` and `inner`, `load` gives them, and `recent` if they are at hand. `keep` leaves what is in memory in the
    directories. The lock of the line is held.
    """
    return None


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
) -> tuple[bytes, Any, dict[bytes, bytes], dict[bytes, bytes], int, int] | None:
    """The staged directory at its newest version with its hash, where it lies on no other, or None.

    (Its hash; if `keep`, the directory, which reads from `pool`, is of the class `made` and has in memory what it had,
    else None; hash to object of the values; of the nodes, children first; how many values and how many directories were
    hashed.) It answers where all directories below, of the class `kind`, lie on none either, and where the steps lead
    to values without metadata, or to directories with something in them. Directories of more than `flat` entries, and
    parts of more than `leaf`, are parted by digits of `width` bits. The lock of the line is held.
    """
    return None
