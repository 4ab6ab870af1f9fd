"""The hot functions of the native format, by the core that is used: compiled where it was built, else in Python.

`_core` has them in Python, `_frames` those over frames of the pack, and `_ccore` the compiled ones. Those of `_nodes`
and `_edits` do in one call what other modules do step by step; `_rows` serves the index of a pack. This is the
one place where it is chosen (docs/decisions/056). `IRMINPY_CORE=python` asks for those in Python; `IRMINPY_CORE=c` for
the compiled ones, and their absence is an ImportError then.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from ._core import (
    MAX_COMMIT,
    MAX_PARENTS,
    MAX_STEP,
    SEAM,
    check_inode,
    check_node,
    children,
    decode_commit,
    decode_inode,
    decode_node,
    digest,
    digest_many,
    digit,
    encode_commit,
    encode_inode,
    encode_node,
    encode_nodes,
    load_inode,
    load_node,
    patch_column,
    patched,
    place,
    seek_inode,
    seek_node,
)
from ._edits import bind, find, placed, put_many, rebind, settle, settle_new, unlike, weight
from ._frames import (
    DIFFERENCE,
    checked_frame,
    crc,
    descend,
    difference,
    filled_words,
    frame_of,
    frames,
    rebuilt,
    record_at,
)
from ._gather import Gathered, gather
from ._nodes import bucket_of, follow, read_nodes, read_state, take_elements, write_nodes
from ._rows import Words, filter_add, filter_find, merge_rows, row_of
from .cache import Cache

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "CORE",
    "DIFFERENCE",
    "MAX_COMMIT",
    "MAX_PARENTS",
    "MAX_STEP",
    "Cache",
    "Gathered",
    "Words",
    "bind",
    "bucket_of",
    "check_inode",
    "check_node",
    "checked_frame",
    "children",
    "crc",
    "decode_commit",
    "decode_inode",
    "decode_node",
    "descend",
    "difference",
    "digest",
    "digest_many",
    "digit",
    "encode_commit",
    "encode_inode",
    "encode_node",
    "encode_nodes",
    "filled_words",
    "filter_add",
    "filter_find",
    "find",
    "follow",
    "frame_of",
    "frames",
    "gather",
    "load_inode",
    "load_node",
    "merge_rows",
    "patch_column",
    "patched",
    "place",
    "placed",
    "put_many",
    "read_nodes",
    "read_state",
    "rebind",
    "rebuilt",
    "record_at",
    "row_of",
    "seek_inode",
    "seek_node",
    "settle",
    "settle_new",
    "take_elements",
    "unlike",
    "weight",
    "write_nodes",
]


def _compiled() -> ModuleType | None:
    """The module `_ccore`, if it is to be used."""
    wanted = os.environ.get("IRMINPY_CORE", "")
    if wanted not in ("", "c", "python"):
        raise ImportError(f"IRMINPY_CORE={wanted!r:.40}: the cores are c and python")
    if wanted == "python":
        return None
    try:
        from . import _ccore
    except ImportError as e:
        if wanted:
            raise ImportError(f"IRMINPY_CORE=c, and the compiled core was not built: {e}") from e
        return None
    if _ccore.SEAM != SEAM:
        stale = f"{_ccore.__file__} was built from other sources than these: build it again, or remove it"
        if wanted:
            raise ImportError(stale)
        warnings.warn(stale, RuntimeWarning, stacklevel=2)
        return None
    return _ccore


_chosen = _compiled()
CORE = "python" if _chosen is None else "c"
"""Which core is used."""
if _chosen is not None:
    from ._ccore import (
        Cache,
        Words,
        bind,
        bucket_of,
        checked_frame,
        children,
        crc,
        decode_inode,
        decode_node,
        descend,
        difference,
        digest,
        digest_many,
        encode_inode,
        encode_node,
        encode_nodes,
        filled_words,
        filter_add,
        filter_find,
        find,
        follow,
        frame_of,
        frames,
        gather,
        load_inode,
        load_node,
        merge_rows,
        patch_column,
        patched,
        place,
        placed,
        put_many,
        read_nodes,
        read_state,
        rebind,
        rebuilt,
        record_at,
        row_of,
        seek_inode,
        seek_node,
        settle,
        settle_new,
        take_elements,
        unlike,
        weight,
        write_nodes,
    )
