"""The store in memory keeps the bytes of objects, and a commit costs what it changes."""

from __future__ import annotations

import irminpy
from irminpy_mem import MemoryBackend


def test_nothing_decoded_stays_with_the_objects() -> None:
    """All decoded nodes were kept, and copied with each commit: the hundredth took longer than the first."""
    with irminpy.open("mem:") as repo:
        main = repo.main()
        edit = main.tree().edit()
        for n in range(100):
            edit[f"d/{n}"] = b"%d" % n
        main.set_tree((), edit.tree())
        for n in range(3):
            main.set(f"d/{n}", b"other")
        backend = repo._opened.backend
        assert isinstance(backend, MemoryBackend)
        kept = backend._open().objects
        assert len(kept.commits) == 4
        assert not kept.decoded
        assert not kept.values
        assert not kept.hints
