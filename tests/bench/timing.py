"""How the benchmarks measure: CPU seconds, medians, and the way from another machine's rates to this one's.

The real Irmin was measured elsewhere. Three loops in Python were run beside it and are run again here, between our
own runs: how much longer they take here is how much slower Irmin would be here.
"""

from __future__ import annotations

import gc
import hashlib
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import lmdb

__all__ = ["IRMIN", "Calibration", "Side", "report", "timed"]

IRMIN: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "irmin" / "bench-irmin.json").read_text(encoding="utf-8")
)
STORES = ("mem", "pack", "tezos")


def timed(f: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    """CPU seconds of one call, garbage of the one before collected first, and its result."""
    gc.collect()
    start = process_time()
    result = f(*args)
    return process_time() - start, result


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


@dataclass
class Side:
    """Our rates in one workload, per CPU second, and the name of Irmin's."""

    what: str
    irmin: str
    must: float
    rates: list[float] = field(default_factory=list)


def report(title: str, sides: list[Side], calibration: Calibration) -> None:
    """One block: our rate with its spread, Irmin's as it would be here, and the ratios with what they are held to.

    `must` is the ratio to Irmin's pack that performance asks for; the others are for information.
    """
    scale = calibration.scale()
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in calibration.ratios().items())
    print(f"{title}   (this machine takes {scale:.2f} times as long: {told})")
    for side in sides:
        ours = statistics.median(side.rates)
        low, high = min(side.rates), max(side.rates)
        print(f"  {side.what}: {ours:,.1f} /s CPU ({low:,.1f} to {high:,.1f})")
        for store in STORES:
            there = IRMIN[store][side.irmin] / scale
            ratio = ours / there
            bound = f"   must {side.must:g}" if store == "pack" else ""
            missed = "   MISSED" if bound and ratio < side.must else ""
            print(f"    Irmin {store:<6} {there:>8.1f}   ours/Irmin {ratio:6.2f}{bound}{missed}")
