"""A repository that is served on a thread, and a client that speaks plain HTTP to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

import irminpy
from irminpy import Repo, Schema
from irminpy.server import Access, Limits, background


@dataclass(frozen=True)
class Plain:
    """`repo` over HTTP at `url`."""

    repo: Repo[Any, Any]
    url: str
    http: httpx2.Client

    def head(self, branch: str = "main") -> str:
        return self.repo.branch(branch).head().hash.hex()


@contextlib.contextmanager
def served(
    schema: Schema[Any, Any] | None = None,
    *,
    access: Access | None = None,
    limits: Limits | None = None,
    uri: str = "mem:",
) -> Iterator[Plain]:
    opened = irminpy.open(uri, schema or Schema(), author="server", clock=lambda: 0)
    with (
        opened as repo,
        background(repo, access=access, limits=limits) as url,
        httpx2.Client(base_url=url, timeout=60, trust_env=False) as http,
    ):
        yield Plain(repo, url, http)
