"""`python -m irminpy.testing --minutes 10`: run `StoreMachine` on fresh stores until the time is over.

`--store` is a URI with `{}` where the name of a fresh store goes: `mem:{}` by default, `pack:/tmp/run/{}`. Each round
is a hundred examples of at most fifty steps, over every shape of directories by turns, and has a seed of its own:
`--seed` is that of the first. A finding is shown as hypothesis shrinks it, with the seed that leads there again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from ..backend import Maker
from ..registry import maker_of_uri
from ..schema import Schema
from .store_machine import StoreMachine
from .strategies import FORMATS

EXAMPLES = 100


def machine(store: str, schema: Schema[bytes, Any], counts: Counter[str]) -> type[StoreMachine]:
    """A machine over fresh stores of the URI `store`, which counts what it does."""

    class Machine(StoreMachine):
        reopens = "{}" in store

        def make(self) -> Maker:
            return maker_of_uri(store.replace("{}", uuid4().hex))

        def check_invariants(self, *args: Any, **how: Any) -> None:
            counts["steps"] += 1
            super().check_invariants(*args, **how)

        def teardown(self) -> None:
            counts["examples"] += 1
            counts["commits"] += len(self.hashes)
            counts["imported"] += len(self.archived)
            super().teardown()

    Machine.schema = schema
    return Machine


def main() -> int:
    """Run until the time is over; 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m irminpy.testing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", default="mem:{}")
    given = parser.parse_args()
    how = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    start = time.monotonic()
    counts: Counter[str] = Counter()
    number: int = given.seed
    while time.monotonic() - start < 60 * given.minutes:
        format_ = FORMATS[number % len(FORMATS)]
        try:
            run_state_machine_as_test(
                seed(number)(machine(given.store, Schema(format=format_), counts)), settings=how
            )
        except BaseException:
            print(f"found with --seed {number} ({format_}), after {_figures(counts, start)}", file=sys.stderr)
            raise
        number += 1
    print(f"nothing found with --seed {given.seed} to {number - 1}: {_figures(counts, start)}")
    return 0


def _figures(counts: Counter[str], start: float) -> str:
    told = ", ".join(f"{counts[name]:,} {name}" for name in ("examples", "steps", "commits", "imported"))
    return f"{told}; {time.monotonic() - start:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
