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


def make(folder: Path) -> None:
    """The stores `pack-1` (two segments and more) and `pack-1-collected` (garbage was collected) in `folder`."""
    for name in ("pack-1", "pack-1-collected"):
        path = folder / name
        with Repo.open(Pack(str(path), seal=8192), SCHEMA) as repo:
            fill(repo)
            if name.endswith("collected"):
                repo.gc(depth=1)
        shutil.rmtree(path / "index")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
