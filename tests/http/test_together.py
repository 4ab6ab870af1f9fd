"""Many clients on one branch, each with connections of its own: nothing acknowledged is lost, memory is flat."""

from __future__ import annotations

import os
import sys

import pytest

import irminpy
from irminpy import Schema
from irminpy_http import Http
from tests.http.live import live
from tests.http.together import counted, resident

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
CLIENTS, EACH = {"quick": (6, 2), "ci": (16, 2)}.get(PROFILE, (64, 20))


@pytest.mark.profiled
def test_clients_that_compare_and_set_lose_nothing() -> None:
    """H11: as many commits as were acknowledged, each on top of the one before."""
    with live() as server:
        found = counted(server.make("together", Schema()), CLIENTS, EACH)
    assert found.value == b"%d" % (CLIENTS * EACH)
    assert sorted(found.messages) == sorted(f"{n}" for n in range(CLIENTS) for _ in range(EACH))
    assert found.sound


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
