"""The program `irminpy`, also as `python -m irminpy`."""

from __future__ import annotations

import gc

__all__ = ["main"]

_GARBAGE = 50_000  # objects between two searches: of the many that a start makes, none is garbage


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its status."""
    gc.set_threshold(_GARBAGE)
    from .cli import main as command  # late: its imports make most of those objects

    try:
        command(prog_name="irminpy")
    finally:
        gc.freeze()  # the process ends, and its objects with it: nobody need look through them once more


if __name__ == "__main__":
    main()
