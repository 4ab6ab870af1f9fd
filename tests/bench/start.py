"""How long the command takes to start: `python -m tests.bench.start [RUNS]`.

CPU time of whole processes, the least and the median of RUNS (default 15), one of each kind in turn: an empty program,
`import click`, and `irminpy get` of a value in a pack. What counts is the difference to the empty program.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import irminpy

ROOT = Path(__file__).resolve().parent.parent.parent


def cpu(*words: str) -> float:
    """Milliseconds of a process, in the kernel too."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    # Without compiled modules a start is a compilation.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *words], env=kept | {"PYTHONPATH": paths}, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main(runs: int) -> None:
    """Print a line for each program."""
    with tempfile.TemporaryDirectory() as folder:
        with irminpy.open(f"pack:{folder}/store") as repo:
            for i in range(100):
                repo.main().set(f"a/{i}", b"value")
        code = "from irminpy.__main__ import main; main()"
        programs = {
            "python -c pass": ["-c", "pass"],
            "import click": ["-c", "import click"],
            "irminpy get": ["-c", code, "--store", f"pack:{folder}/store", "get", "a/7"],
        }
        times: dict[str, list[float]] = {name: [] for name in programs}
        for run in range(runs + 1):
            for name, words in programs.items():
                taken = cpu(*words)
                if run:  # the first one compiles
                    times[name].append(taken)
    least, middle = min(times["python -c pass"]), median(times["python -c pass"])
    print(f"load {os.getloadavg()[0]:.1f}, {runs} runs; ms of CPU, and more than an empty program")
    for name, found in times.items():
        more = f"+{min(found) - least:.0f} / +{median(found) - middle:.0f}"
        print(f"{name:16} least {min(found):6.0f}   median {median(found):6.0f}   {more}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
