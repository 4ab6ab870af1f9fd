"""Many clients that compare and set on one branch: `python -m tests.http.together [CLIENTS] [EACH]` (64 and 20).

Each client has connections of its own and adds 1 to one counter EACH times. What is acknowledged must be there: as many
commits as that, each on top of the one before. The memory of the server is read before and after.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import irminpy
from irminpy import Schema
from irminpy.errors import TestWas as IsNot  # pytest would collect it
from irminpy.errors import TooManyRetries
from irminpy.testing.samples import in_threads
from irminpy_http import Http
from tests.http.live import live


class Counted(NamedTuple):
    """What came of it: attempts that lost a race, and the messages of the commits that are there."""

    value: bytes
    lost: int
    messages: list[str]
    sound: bool


def resident(pid: int) -> int:
    """Bytes of the process in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def counted(url: str, clients: int, each: int) -> Counted:
    """Let `clients` add 1 to the value "n" of the branch main at `url`, `each` times each."""
    lost = [0] * clients

    def count(n: int) -> None:
        with irminpy.Repo.open(Http(url), Schema()) as repo:
            main, left = repo.main(), each
            while left:
                now = main.find("n")
                try:
                    value = b"%d" % (int(now or b"0") + 1)
                    main.test_and_set("n", test=now, set=value, message=f"{n}", retries=1)
                    left -= 1
                except (IsNot, TooManyRetries):
                    lost[n] += 1

    in_threads(clients, count)
    with irminpy.Repo.open(Http(url), Schema()) as repo:
        messages = [commit.info.message for commit in repo.main().log()]
        return Counted(repo.main().get("n"), sum(lost), messages, repo.check().ok)


def main(clients: int, each: int) -> int:
    """Print what came of it; 1 if anything was lost."""
    with live() as server:
        url = server.make("together", Schema())
        counted(url, 1, 10)
        before = resident(server.process.pid)
        started = time.monotonic()
        found = counted(url, clients, each)
        seconds = time.monotonic() - started
        grown = resident(server.process.pid) - before
    right = clients * each + 10
    good = found.value == b"%d" % right and len(found.messages) == right and found.sound
    print(
        f"{clients} clients, {each} times each: {found.value.decode()} counted of {right}, "
        f"{len(found.messages)} commits, {found.lost} attempts lost a race; "
        f"{seconds:.0f} s, load {os.getloadavg()[0]:.1f}; memory of the server {grown / (1 << 20):+.1f} MiB"
    )
    return 0 if good else 1


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(given + [64, 20][len(given) :])))
