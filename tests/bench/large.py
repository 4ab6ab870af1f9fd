"""`python -m tests.bench.large`: a large value into a pack and out of it, in how much memory, and what an edit costs.

A child process streams SIZE bytes (1 GiB; `--mib N`) in and reads them out again; its peak of memory is what the
system says (`ru_maxrss`), and must be at most 64 MiB, else the command fails. `--folder` says where the store is
made. `--chunks` measures the cutting alone: speed in CPU seconds, and bytes
stored anew per edit, for several kinds of data.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

from blake3 import blake3

from irminpy import Repo
from irminpy_pack import Pack
from irminpy_pack.chunking import cut

MIB = 1 << 20
MOST = 64 * MIB


class Noise:
    """A file of `size` bytes without a pattern, the same in every run, made as it is read; `insert` at `at`."""

    def __init__(self, size: int, at: int = -1, insert: bytes = b"") -> None:
        self._source = self._bytes(size, at, insert)

    @staticmethod
    def _bytes(size: int, at: int, insert: bytes) -> Iterator[bytes]:
        for start in range(0, size, MIB):
            block = blake3(struct.pack("<Q", start)).digest(min(MIB, size - start))
            inside = at - start
            if 0 <= inside < len(block):
                block = block[:inside] + insert + block[inside:]
            yield block

    def read(self, size: int, /) -> bytes:
        """About `size` bytes."""
        return next(self._source, b"")


def peak() -> int:
    """The most bytes that this process ever held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def report(what: str, size: int, seconds: float) -> None:
    print(f"{what:>34} {size / MIB:8.0f} MiB {seconds:7.2f} s {size / MIB / seconds:7.0f} MiB/s", flush=True)


def stored(folder: str) -> int:
    return sum(file.stat().st_size for file in Path(folder).rglob("*.pack"))


def child(folder: str, size: int) -> None:
    """Stream in, out, and in again with an edit; print each, and the peak of memory."""
    print(f"{'memory before':>34} {peak() / MIB:8.1f} MiB")
    with Repo.open(Pack(folder)) as repo:
        main = repo.main()
        start = perf_counter()
        main.write_stream("value", Noise(size))
        report("in", size, perf_counter() - start)
        check = blake3()
        start = perf_counter()
        with main.open_stream("value") as file:
            while data := file.read(MIB):
                check.update(data)
        report("out", size, perf_counter() - start)
        expected, noise = blake3(), Noise(size)
        while data := noise.read(MIB):
            expected.update(data)
        if check.digest() != expected.digest():
            sys.exit("what came out is not what went in")
        before = stored(folder)
        start = perf_counter()
        main.write_stream("value", Noise(size, size // 3, b"something else"))
        report("in again, 14 bytes inserted", size, perf_counter() - start)
        print(f"{'stored anew':>34} {(stored(folder) - before) / 1024:8.0f} KiB")
        rng = random.Random(1)
        start = perf_counter()
        with main.open_stream("value") as file:
            for _ in range(200):
                file.seek(rng.randrange(size))
                file.read(4096)
        print(f"{'200 reads of 4 KiB anywhere':>34} {(perf_counter() - start) * 5:8.2f} ms each")
    print(f"{'peak of memory':>34} {peak() / MIB:8.1f} MiB, at most {MOST / MIB:.0f}")
    if peak() > MOST:
        sys.exit("more memory than it may take")


def samples(size: int) -> dict[str, bytes]:
    """Data of some kinds."""
    rng = random.Random(1)
    words = [bytes(rng.choices(b"etaoinshrdlucmfwypvbgkjqxz", k=rng.randint(2, 9))) for _ in range(20_000)]
    weights = [1 / (i + 1) for i in range(len(words))]
    text = b" ".join(rng.choices(words, weights, k=size // 6)) * 2
    rows = b"".join(b"%d,%d,%.3f,ok\n" % (i, rng.randrange(999), rng.random()) for i in range(size // 16))
    return {
        "noise": rng.randbytes(size),
        "text": text[:size],
        "csv": rows[:size],
        "16-bit in 32": struct.pack(f"<{size // 4}i", *(rng.randrange(60_000) for _ in range(size // 4))),
        "a counter": struct.pack(f"<{size // 8}q", *range(size // 8)),
        "zeros": bytes(size),
    }


def chunks(size: int, edits: int) -> None:
    """Speed, lengths, and bytes stored anew per edit, for each of `samples`."""
    for name, data in samples(size).items():
        start = process_time()
        found = list(cut(io.BytesIO(data)))
        seconds = process_time() - start
        known = set(found)
        rng = random.Random(2)
        new: list[int] = []
        for _ in range(edits):
            at, n = rng.randrange(len(data)), rng.randint(1, 100)
            insert = rng.random() < 0.5
            edited = data[:at] + (rng.randbytes(n) + data[at:] if insert else data[at + n :])
            new.append(sum(len(chunk) for chunk in cut(io.BytesIO(edited)) if chunk not in known))
        print(
            f"{name:>14} {len(data) / MIB / seconds:6.0f} MiB/s, {len(data) / len(found) / 1024:5.0f} KiB a chunk; "
            f"an edit stores {sum(new) / len(new) / 1024:5.0f} KiB anew, {max(new) / 1024:5.0f} at most",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--folder")
    parser.add_argument("--chunks", action="store_true")
    parser.add_argument("--edits", type=int, default=20)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.mib * MIB)
    elif arguments.chunks:
        chunks(min(arguments.mib, 64) * MIB, arguments.edits)
    else:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            command = [sys.executable, "-m", "tests.bench.large", "--mib", str(arguments.mib)]
            sys.exit(subprocess.run([*command, "--child", folder + "/store"], check=False).returncode)


if __name__ == "__main__":
    main()
