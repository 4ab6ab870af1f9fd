"""The backend over HTTP against the suites, with a live server in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from irminpy.backend import Maker
from irminpy.testing import BackendSuite, StoreSuite
from tests.http.live import Live, Served, live

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live() as found:
        yield found


class TestHttp(BackendSuite):
    """TC-138."""

    @pytest.fixture
    def maker(self, server: Live) -> Maker:
        return Served.fresh(server)


class TestStoresOverHttp(StoreSuite):
    increments = {"quick": 1, "ci": 5}.get(PROFILE, 50)

    @pytest.fixture
    def maker(self, server: Live) -> Maker:
        return Served.fresh(server)
