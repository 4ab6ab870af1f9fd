"""Many clients on one branch, each with connections of its own: nothing acknowledged is lost, memory is flat."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import irminpy
from irminpy import Schema
from irminpy.errors import TestWas as IsNot  # pytest would collect it
from irminpy.errors import TooManyRetries
from irminpy.testing.samples import in_threads
from irminpy_http import Http
from tests.http.live import live

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
CLIENTS, EACH = {"quick": (6, 2), "ci": (16, 2)}.get(PROFILE, (64, 20))


def resident(pid: int) -> int:
    """Bytes of the process in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


@pytest.mark.profiled
def test_clients_that_compare_and_set_lose_nothing() -> None:
    """H11: as many commits as were acknowledged, each on top of the one before."""
    with live() as server:
        url = server.make("together", Schema())

        def count(n: int) -> None:
            with irminpy.Repo.open(Http(url), Schema()) as repo:
                main, left = repo.main(), EACH
                while left:
                    now = main.find("n")
                    try:
                        value = b"%d" % (int(now or b"0") + 1)
                        main.test_and_set("n", test=now, set=value, message=f"{n}", retries=1)
                        left -= 1
                    except (IsNot, TooManyRetries):
                        continue

        in_threads(CLIENTS, count)
        with irminpy.Repo.open(Http(url), Schema()) as repo:
            assert repo.main().get("n") == b"%d" % (CLIENTS * EACH)
            made = [commit.info.message for commit in repo.main().log()]
            assert sorted(made) == sorted(f"{n}" for n in range(CLIENTS) for _ in range(EACH))
            assert repo.check().ok


@pytest.mark.profiled
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told by /proc")
def test_memory_of_a_server_is_flat() -> None:
    """Reads, writes, streams and watches leave nothing behind: at most 16 MiB after the first round."""
    rounds = {"quick": 12, "ci": 100}.get(PROFILE, 5000)
    with live() as server:
        url = server.make("flat", Schema())
        with irminpy.Repo.open(Http(url), Schema()) as repo:
            repo.main().set("large", os.urandom(1 << 18))
            repo.main().set("a/b", b"value")
            backend = repo._opened.backend

            def work(n: int) -> None:
                for _ in range(n):
                    backend.watch(lambda change: None)()
                    assert repo.main().get("a/b") == b"value"
                    repo.save_contents(b"value")
                    assert len(repo.main().get("large")) == 1 << 18

            work(rounds // 4)
            before = resident(server.process.pid)
            work(rounds)
            assert resident(server.process.pid) < before + (16 << 20)
