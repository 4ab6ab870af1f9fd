"""Where a history ends that was cut off before it came (docs/formats/pack.md, "Refs").

The parents that are nowhere lie among the refs, under names that no branch can have. They only become more: one that
comes later is no end any more for whoever looks, and garbage collection lists anew what it finds absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from irminpy.formats.format import Codec
from irminpy.hash import Hash
from irminpy.objects import Objects

__all__ = ["absent_parents", "branches", "end_name", "ends", "is_end"]

_END: Final = "\0"


def is_end(name: str) -> bool:
    """Whether what a ref of this name leads to is an end, and no branch."""
    return name.startswith(_END)


def end_name(commit: bytes) -> str:
    """The name of the ref that says that history ends before `commit`."""
    return _END + commit.hex()


def branches(refs: Mapping[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """Those of `refs` that are branches."""
    return {name: at for name, at in refs.items() if not is_end(name)}


def ends(refs: Mapping[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """Those of `refs` that are none."""
    return {name: at for name, at in refs.items() if is_end(name)}


def absent_parents(objects: Objects, codec: Codec) -> list[Hash]:
    """The parents that commits among `objects` name, and that are not among them; each once."""
    found: dict[Hash, None] = {}
    for hash_, data in objects.commits.items():
        commit = objects.values.get(hash_) or codec.decode_commit(data)
        found.update(dict.fromkeys(commit.parents))
    return [parent for parent in found if parent not in objects.commits]
