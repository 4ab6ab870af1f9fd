"""`python -m tests.bench.proofs`: sizes and rates of proofs, beside the tries of Ethereum in Python (py-trie).

100,000 values of 100 bytes under `a%d/b%d/k%d` (10 x 100 x 100). One-key proofs over 200 random keys: bytes, CPU time
to make one and to check it, from and to bytes; the same keys in a py-trie of 10,000, by turns, medians of `--runs`
rounds. Then a proof of 1,000 and of 10,000 keys, for how the time grows: with the keys that the function asks for, and
of reading with the bytes, of which a key has fewer where more of them share their nodes. `--hostile` measures instead
what proofs cost that are made to cost much: as many small parts as the limits let pass.
"""

from __future__ import annotations

import argparse
import importlib
import random
import statistics
import sys
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import irminpy
from irminpy import Proof, Schema, Store, StreamProof, Tree, verify_proof, verify_stream
from irminpy.errors import IrminError
from irminpy.formats import Native
from irminpy.proof import Read

from .hostile import irmin_shapes, native_shapes, streams
from .timing import timed
from .trees import SHAPES, VALUES

PATHS = SHAPES["10x100x100"]


def store(schema: Schema[bytes]) -> Store[bytes]:
    """A store of all bindings."""
    editor = Tree.empty(schema).edit()
    for path, value in zip(PATHS, VALUES, strict=True):
        editor[path] = value
    main = irminpy.open("mem:", schema).main()
    main.set_tree((), editor.tree(), message="all")
    return main


def check(raws: list[bytes], jobs: list[Read], schema: Schema[bytes], root: bytes) -> None:
    """What a client does with each proof."""
    for raw, job in zip(raws, jobs, strict=True):
        verify_proof(Proof.from_bytes(raw, schema), job, schema, root=root)


def growing(
    ours: Store[bytes], job: Read, schema: Schema[bytes], root: bytes, runs: int
) -> tuple[float, float, float]:
    """Seconds of making a proof and of running what it is for, each per key, and of reading it per byte; medians."""
    spent: list[tuple[float, float, float]] = []
    for _ in range(runs):
        raw = ours.produce_proof(job)[0].to_bytes()
        made = timed(lambda: ours.produce_proof(job)[0].to_bytes())[0]
        read, proof = timed(Proof.from_bytes, raw, schema)
        spent.append((made, read, timed(partial(verify_proof, root=root), proof, job, schema)[0]))
    made, read, run = map(statistics.median, zip(*spent, strict=True))
    n, size = len(job.paths), len(raw)
    print(
        f"  {n:,} keys: {size:,} bytes, made in {1e3 * made:.0f} ms, read in {1e3 * read:.1f}, run in {1e3 * run:.1f}"
    )
    print(f"    made and checked per byte: {1e9 * made / size:.0f} and {1e9 * (read + run) / size:.0f} ns")
    return made / n, read / size, run / n


def show(what: str, found: float, bound: float, *, least: bool = False) -> None:
    """One row."""
    missed = found < bound if least else found > bound
    print(f"  {what:<58} {found:10.2f}   bound {bound:g}{'   MISSED' if missed else ''}")


def hostile(runs: int) -> None:
    """CPU time to read proofs of many small parts, per started MiB."""
    for name, schema, raw in chain(native_shapes(), irmin_shapes()):
        spent = min(timed(Proof.from_bytes, raw, schema)[0] for _ in range(runs))
        shown = Proof.from_bytes(raw, schema).shown()
        parts = f"{len(shown.nodes):,} nodes, {len(shown.contents):,} values, {len(raw):,} bytes"
        row(name, parts, spent, len(raw))
        refused(Proof.from_bytes, name, schema, raw, runs)
    for name, schema, raw in streams():
        spent = min(timed(StreamProof.from_bytes, raw, schema)[0] for _ in range(runs))
        row(name, f"{len(raw):,} bytes", spent, len(raw))
        refused(StreamProof.from_bytes, name, schema, raw, runs)
        # None of them begins with the directory that is read first.
        proof = StreamProof.from_bytes(raw, schema)
        run = partial(verify_stream, proof, Read(["a"]), schema, root=proof.before)
        row(f"{name}, run", "refused", min(timed(is_refused, run)[0] for _ in range(runs)), len(raw))


def refused(
    read: Callable[[bytes, Schema[Any, Any]], object],
    name: str,
    schema: Schema[Any, Any],
    raw: bytes,
    runs: int,
) -> None:
    """The same with something wrong at its very end: it is cut off, or one of its last bytes is another."""
    for what, wrong in (("cut off", raw[:-1]), ("wrong at its end", raw[:-40] + b"\x7f" * 40)):
        spent, refusal = min(timed(is_refused, partial(read, wrong, schema)) for _ in range(runs))
        row(f"{name}, {what}", "refused" if refusal else "another proof", spent, len(raw))


def is_refused(f: Callable[[], object]) -> bool:
    """Whether it raises an error of irminpy."""
    try:
        f()
    except IrminError:
        return True
    return False


def row(name: str, parts: str, seconds: float, size: int) -> None:
    """What a hostile proof costs."""
    per = 1e3 * seconds / -(-size >> 20)
    print(
        f"  {name:<65} {parts:<48} {per:7.1f} ms per started MiB{'   MISSED' if per > 100 else ''}",
        flush=True,
    )


def main(argv: list[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--hostile", action="store_true")
    given = parser.parse_args(argv)
    runs: int = given.runs
    if given.hostile:
        hostile(runs)
        return 0
    rng = random.Random(1)
    keys = rng.sample(PATHS, 200)
    jobs = [Read([key]) for key in keys]
    HexaryTrie: Any = importlib.import_module("trie").HexaryTrie  # of the extra `bench`
    trie = HexaryTrie({}, prune=True)
    # A tenth of the keys: it takes a millisecond for each to build, and a smaller trie is to its advantage.
    for path in {*keys, *rng.sample(PATHS, len(PATHS) // 10)}:
        trie[path.encode()] = b"v" * 100
    raw_keys = [key.encode() for key in keys]
    proofs = [trie.get_proof(key) for key in raw_keys]

    def theirs_made() -> None:
        for key in raw_keys:
            trie.get_proof(key)

    def theirs_checked() -> None:
        for key, proof in zip(raw_keys, proofs, strict=True):
            HexaryTrie.get_from_proof(trie.root_hash, key, proof)

    for format, median, most in ((Native(), 2500, 2700), (Native(2, 2), 900, 1100)):
        schema: Schema[bytes] = Schema(format=format)
        ours = store(schema)
        root = ours.head().tree_hash
        raws = [ours.produce_proof(job)[0].to_bytes() for job in jobs]
        sizes = sorted(map(len, raws))
        print(format, flush=True)
        show("bytes of a one-key proof, median", statistics.median(sizes), median)
        show("bytes of a one-key proof, most", sizes[-1], most)

        def made(ours: Store[bytes] = ours) -> None:
            for job in jobs:
                ours.produce_proof(job)[0].to_bytes()

        seconds: dict[str, list[float]] = {}
        sides: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {
            "made": (made, ()),
            "theirs made": (theirs_made, ()),
            "checked": (check, (raws, jobs, schema, root)),
            "theirs checked": (theirs_checked, ()),
        }
        for _ in range(runs):
            for name, (f, args) in sides.items():
                seconds.setdefault(name, []).append(timed(f, *args)[0])
        spent = {name: statistics.median(found) for name, found in seconds.items()}
        print("  CPU µs each: " + ", ".join(f"{name} {1e6 * s / 200:.0f}" for name, s in spent.items()))
        for what, least in (("made", 3), ("checked", 10)):
            # Of each round by itself: the processor is faster in some than in others.
            rounds = zip(seconds[f"theirs {what}"], seconds[what], strict=True)
            ratio = statistics.median([theirs / mine for theirs, mine in rounds])
            show(f"proofs {what}, our rate / py-trie's", ratio, least, least=True)
        rows = [growing(ours, Read(rng.sample(PATHS, n)), schema, root, runs) for n in (1_000, 10_000)]
        for what, few, many in zip(("making", "reading", "running"), *rows, strict=True):
            show(f"10,000 keys, time of {what} / of 1,000", many / few, 1.5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
