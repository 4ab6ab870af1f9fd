"""The command: `python -m irminpy.testing.fuzz proof --mutants N [--seed S]`.

Prints figures, and exits with 1 if a mutant was wrongly accepted, if anything but an error of irminpy was raised, or if
two verifiers do not agree.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from .campaign import Campaign, Outcome
from .verdict import Second, second

__all__ = ["main"]

_BESIDE = Path(__file__).resolve().parents[3] / "examples/verify_proof.py"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m irminpy.testing.fuzz", description=__doc__)
    parser.add_argument("what", choices=["proof"], help="what is changed")
    parser.add_argument("--mutants", type=int, default=50_000, help="how many (50,000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same mutants")
    parser.add_argument(
        "--beside", type=Path, default=_BESIDE, help="a second verifier (examples/verify_proof.py)"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit status."""
    given = _parser().parse_args(argv)
    other: Second | None = second(given.beside) if given.beside.is_file() else None
    if other is None:
        print(f"no second verifier: {given.beside} is no file", file=sys.stderr)
    started = time.process_time()
    campaign = Campaign(given.seed, other)
    print(
        f"{len(campaign.subjects)} honest proofs, {campaign.sweep.total:,} changes of one byte; seed {given.seed}"
    )

    def progress(outcome: Outcome) -> None:
        spent = time.process_time() - started
        print(f"{outcome.mutants:,} mutants, {len(outcome.findings)} findings, {spent:.0f} s", flush=True)

    outcome = campaign.run(given.mutants, progress)
    print(f"{outcome.mutants:,} mutants in {time.process_time() - started:.0f} s of CPU time")
    print(f"  made:     {_counts(outcome.kinds)}")
    print(f"  verdicts: {_counts(outcome.verdicts)}")
    print(f"  findings: {len(outcome.findings)}" + ("" if other else " (by one verifier)"))
    for finding in outcome.findings[:20]:
        print(finding)
    return 1 if outcome.findings else 0


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
