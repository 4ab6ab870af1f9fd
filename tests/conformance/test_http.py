"""The backend over HTTP against the suites, with a live server in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from irminpy.backend import Maker
from irminpy.testing import BackendSuite, StoreSuite
from tests.http.live import Live, Served, live

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live() as found:
        yield found


LONG = pytest.mark.skipif(PROFILE == "quick", reason="takes a minute; longer profiles run it")


class TestHttp(BackendSuite):
    many = 1000 if PROFILE == "deep" else 100
    rounds = 25 if PROFILE == "deep" else 3

    @pytest.fixture
    def maker(self, server: Live) -> Maker:
        return Served.fresh(server)


@pytest.mark.skipif(PROFILE != "deep", reason="the profile deep runs it: what differs is the pack's own")
class TestHttpOfAPack(BackendSuite):
    @pytest.fixture
    def maker(self, server: Live, tmp_path: Path) -> Maker:
        return Served.fresh(server, f"pack:{tmp_path / 'store'}?durability=none")


@pytest.mark.profiled
@LONG
class TestStoresOverHttp(StoreSuite):
    increments = {"quick": 1, "ci": 2}.get(PROFILE, 50)

    @pytest.fixture
    def maker(self, server: Live) -> Maker:
        return Served.fresh(server)
