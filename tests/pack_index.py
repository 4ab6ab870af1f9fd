"""An index to work with, entries to fill it, and other processes that work on it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb

from irminpy_pack.files import Files
from irminpy_pack.index import Index

UUID = bytes(range(16))
OWN: dict[str, Any] = {"uuid": UUID, "generation": 3, "hash_size": 32}


def opened(directory: str | Path, *, readonly: bool = False, **options: Any) -> Index:
    """The index in `directory`, of the store UUID and generation 3 unless `options` say otherwise."""
    options = {"files": Files(), **OWN, **options}
    return Index.open(str(directory), readonly=readonly, **options)


def change(place: str, table: bytes, work: Callable[[lmdb.Transaction[bytes], Any], object]) -> None:
    """Do `work` in the table, behind the back of the index."""
    with lmdb.open(place, max_dbs=2) as env:
        db = env.open_db(table)
        with env.begin(write=True) as txn:
            work(txn, db)


def block_of(rows: dict[bytes, int]) -> bytes:
    """The block of these rows, as docs/formats/index.md has it."""
    found = b""
    for key, word in sorted(rows.items()):
        row = key + word.to_bytes(8, "little")
        found += row + zlib.crc32(row).to_bytes(4, "little")
    return found


def entries(count: int, seed: int = 1, hash_size: int = 32) -> dict[bytes, int]:
    """`count` entries, of all kinds, the same whenever `seed` is."""
    rng = random.Random(seed)
    return {
        bytes((rng.randint(1, 3),)) + rng.randbytes(hash_size): rng.randrange(1, 1 << 64)
        for _ in range(count)
    }


def python(code: str, *arguments: object, wrap: list[str] | None = None) -> subprocess.Popen[str]:
    """A process that runs `code`, which sees `arguments` in sys.argv; `wrap` is what goes before the command."""
    command = [*(wrap or []), sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    return subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(code: str, *arguments: object, wrap: list[str] | None = None, timeout: float = 60) -> str:
    """What a process that runs `code` says; it must end well, within `timeout` seconds."""
    process = python(code, *arguments, wrap=wrap)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, f"{process.returncode}: {err}"
    return out.strip()
