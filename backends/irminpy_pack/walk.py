"""A walk over a whole index in a process of its own, because a damaged LMDB file may kill the process that reads it.

`walk` starts `python -m irminpy_pack.walk` and says what it found; a death by SIGBUS or SIGSEGV is a finding too.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple, cast

from irminpy.errors import StorageError

from .damage import IndexDamaged
from .environment import DATA
from .files import Files
from .index import Index

__all__ = ["Walk", "walk"]

# What LMDB and the kernel do to a process that follows a wrong page number.
_DEADLY = frozenset({signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})
_RATE = 1 << 21  # bytes a second that even a slow machine walks; some 50 MB are usual


class Walk(NamedTuple):
    """What a walk found, where nothing is wrong."""

    entries: int
    """Each has the right checksum and its place in the order, and is found by its key."""
    end: int
    """The virtual offset up to which frames are indexed."""
    pages: bool
    """Whether the pages of the file were verified too, those that LMDB takes for free among them."""


def walk(
    directory: str,
    *,
    uuid: bytes,
    generation: int,
    hash_size: int,
    still: bool = False,
    timeout: float | None = None,
) -> Walk:
    """Read every entry of the index in another process.

    `still` says that nobody writes meanwhile: then the pages are verified too, if py-lmdb is 3.0 or newer.
    Raises IndexDamaged if anything is wrong, or if it takes longer than `timeout` seconds (None: by the length of the
    file, at least a minute); StorageError if the walk cannot be done now.
    """
    if timeout is None:
        try:
            timeout = 60 + os.path.getsize(os.path.join(directory, DATA)) / _RATE
        except OSError as error:
            raise IndexDamaged(directory, "there is none") from error
    # -P: nothing is imported from the current directory.
    command = [sys.executable, "-P", "-m", __spec__.name if __spec__ else "irminpy_pack.walk"]
    command += [directory, uuid.hex(), str(generation), str(hash_size), *(["still"] if still else [])]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path if path)}
    try:
        done = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise IndexDamaged(directory, f"a walk over it did not end within {timeout:.0f} seconds") from error
    except OSError as error:
        raise StorageError(
            f"no process can be started to walk over the index {directory}: {error}"
        ) from error
    if -done.returncode in _DEADLY:
        raise IndexDamaged(directory, f"a walk over it died of {signal.Signals(-done.returncode).name}")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise StorageError(f"the index {directory} could not be walked: {last or done.returncode}")
    answer = json.loads(done.stdout)
    if "damage" in answer:
        raise IndexDamaged(directory, answer["damage"])
    return Walk(answer["entries"], answer["end"], answer["pages"])


def main(directory: str, uuid: str, generation: str, hash_size: str, still: str = "") -> dict[str, object]:
    """What the process says on its output: the fields of Walk, or `damage`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pages = _verify(directory) if still else False
        index = Index.open(
            directory,
            uuid=bytes.fromhex(uuid),
            generation=int(generation),
            hash_size=int(hash_size),
            readonly=True,
            files=Files(),
        )
        try:
            end, walked = index.end, 0
            index.verify()
            for key, word in index.dump():
                # A damaged page above the entries may hide one from who looks for it, and not from who walks by.
                if index.find(key[0], key[1:]) != word:
                    return {"damage": f"its entry {key.hex()} is not found by its key"}
                walked += 1
            return {"entries": walked, "end": end, "pages": pages}
        finally:
            index.close()
    except IndexDamaged as found:
        return {"damage": found.reason}


def _verify(directory: str) -> bool:
    """Whether the pages were verified: by bytes, without mapping them. IndexDamaged if that finds anything."""
    try:
        module = importlib.import_module("lmdb.verify")
    except ImportError:
        return False
    verify = cast("Callable[[str], list[str]]", module.verify)
    try:
        found = verify(directory)
    except (OSError, cast("type[Exception]", module.VerifyError)) as error:
        raise IndexDamaged(directory, str(error)) from error
    if found:
        raise IndexDamaged(directory, f"{found[0]} ({len(found)} findings in all)")
    return True


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
