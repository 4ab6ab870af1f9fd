"""Make the stores that are kept here for ever: `python -m tests.formats.make DIR`.

What is committed was made once, by the version that brought the format, and is never made again: later versions must
open it. Indexes are left out, being derived.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from irminpy import Repo, Schema
from irminpy.contents import String
from irminpy_pack import Pack

SCHEMA = Schema(String())


def fill(repo: Repo[str, None]) -> None:
    """Three branches, a merge, a removal, a directory with inner nodes."""
    main = repo.main()
    with main.edit(message="wide", date=1, author="ann") as ed:
        for i in range(100):
            ed[f"wide/k{i}"] = f"value {i}"
    main.set("name", "first", message="name", date=2, author="ann")
    side = main.clone("side")
    side.set("side/a", "from the side", message="side", date=3, author="bob")
    main.remove("wide/k7", message="remove", date=4, author="ann")
    main.merge_with_branch("side", message="merge", date=5, author="ann")
    main.clone("kept")
    main.set("name", "second", message="rename", date=6, author="ann")


def go_on(repo: Repo[str, None]) -> None:
    """A value that changes, and changes again: since version 2 nodes are differences from older ones then."""
    for i in range(3):
        repo.main().set("wide/k5", f"changed {i}", message=f"change {i}", date=7 + i, author="ann")


def make(folder: Path) -> None:
    """The stores `pack-2` (two segments and more) and `pack-2-collected` (garbage was collected) in `folder`.

    Those of version 1 were made by `fill` alone, when that was the version.
    """
    for name in ("pack-2", "pack-2-collected"):
        path = folder / name
        with Repo.open(Pack(str(path), seal=8192), SCHEMA) as repo:
            fill(repo)
            go_on(repo)
            if name.endswith("collected"):
                repo.gc(depth=1)
        shutil.rmtree(path / "index")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
