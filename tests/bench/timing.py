"""How the benchmarks measure: CPU seconds, medians, and the way from another machine's rates to this one's.

The real Irmin was measured elsewhere. Three loops in Python were run beside it and are run again here, between our
own runs: how much longer they take here is how much slower Irmin would be here.
"""

from __future__ import annotations

import gc
import hashlib
import json
import resource
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import lmdb

__all__ = ["IRMIN", "Calibration", "Spent", "measured", "median_of", "timed"]

IRMIN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "irmin" / "bench-irmin.json").read_text(encoding="utf-8")
)


class Spent(NamedTuple):
    """Seconds of the CPU, by this process and the children that it waited for, and of the wall clock."""

    cpu: float
    wall: float

    def __add__(self, other: object) -> Spent:
        if not isinstance(other, Spent):
            return NotImplemented
        return Spent(self.cpu + other.cpu, self.wall + other.wall)


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def measured(f: Callable[..., Any], *args: Any) -> tuple[Spent, Any]:
    """What one call takes, garbage of the one before collected first, and its result."""
    gc.collect()
    wall, cpu = perf_counter(), _cpu()
    result = f(*args)
    return Spent(_cpu() - cpu, perf_counter() - wall), result


def median_of(n: int, f: Callable[..., Any], *args: Any) -> tuple[Spent, Any]:
    """`measured`, the one in the middle of `n` calls by CPU time, and the result of the last."""
    calls = [measured(f, *args) for _ in range(n)]
    return sorted([spent for spent, _ in calls], key=lambda spent: spent.cpu)[n // 2], calls[-1][1]


def timed(f: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    """`measured`, CPU seconds alone."""
    spent, result = measured(f, *args)
    return spent.cpu, result


def _hashing() -> float:
    data = bytes(100)
    start = process_time()
    for _ in range(200_000):
        hashlib.blake2b(data, digest_size=32).digest()
    return process_time() - start


def _dicts() -> float:
    d: dict[int, int] = {}
    start = process_time()
    for i in range(1_000_000):
        d[i * 2654435761 & 0xFFFFFFFF] = i
    return process_time() - start


def _indexing() -> float:
    value = bytes(100)
    keys = [((i + 1) * 2654435761 % 2**64).to_bytes(8, "little") + bytes(24) for i in range(100_000)]
    with tempfile.TemporaryDirectory() as folder:
        env = lmdb.open(folder, map_size=1 << 28, sync=False)
        start = process_time()
        with env.begin(write=True) as txn:
            for key in keys:
                txn.put(key, value)
        spent = process_time() - start
        env.close()
    return spent


LOOPS: dict[str, Callable[[], float]] = {"hashing": _hashing, "dicts": _dicts, "indexing": _indexing}


@dataclass
class Calibration:
    """The calibration loops, run once before every measurement."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LOOPS})

    def run(self) -> None:
        """Each loop once."""
        for name, loop in LOOPS.items():
            gc.collect()
            self.seconds[name].append(loop())

    def ratios(self) -> dict[str, float]:
        """For each loop how much longer it takes here than where Irmin was measured; medians."""
        then = IRMIN["calibration"]
        return {name: statistics.median(spent) / then[name] for name, spent in self.seconds.items()}

    def scale(self) -> float:
        """By how much this machine is slower: the mean over the loops."""
        return statistics.mean(self.ratios().values())
