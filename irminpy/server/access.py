"""Who may do what: the names that a server answers to, pages of other origins, and bearer tokens."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from .problem import Refused

__all__ = ["Access"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Access:
    """`write`: whether whoever has no token may write, where there is none. `token`: what a writer shows. `private`:
    readers show it, too. `hosts`: names that the server answers to, besides localhost and any address.
    """

    write: bool = False
    token: str | None = field(default=None, repr=False)
    private: bool = False
    hosts: frozenset[str] = frozenset()

    def check_host(self, host: str | None) -> None:
        """421 unless `host`, of the header, is an address or a name of ours: a page whose own name was bound to our
        address must not reach us (DNS rebinding).
        """
        name = _name(host or "")
        if not name:
            raise Refused(400, "host", "a request names one host", close=True)
        if name != "localhost" and name not in self.hosts and not _is_address(name):
            raise Refused(
                421, "host", "no host of this name is served; start it with --host NAME", close=True
            )

    def check_origin(self, method: str, headers: Mapping[str, str], host: str) -> None:
        """403 for a write that a page of another origin asked a browser for."""
        if method in _SAFE:
            return
        origin = headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2].lower() != host.lower()
        if foreign or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refused(403, "origin", "pages of other origins may not write", close=True)

    def check(self, headers: Mapping[str, str], *, writes: bool) -> None:
        """401 without the token where one is asked for, 403 where nobody may write."""
        given = headers.get("authorization")
        if self.token is None:
            if writes and not self.write:
                raise Refused(
                    403, "read-only", "this server only reads: it was started without a token", close=True
                )
            return
        if given is None and not (writes or self.private):
            return
        scheme, _, text = (given or "").partition(" ")
        # In constant time, so that no answer tells how much of a guess was right.
        right = hmac.compare_digest(text.strip().encode("utf-8", "surrogateescape"), self.token.encode())
        if not (right and scheme.lower() == "bearer"):
            challenge = {"www-authenticate": 'Bearer realm="irminpy"'}
            raise Refused(401, "token", "a bearer token is needed for that", headers=challenge, close=True)


def _name(host: str) -> str:
    """The name in the header Host, without its port; "" if it is none."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    else:
        name, _, port = host.partition(":")
    return "" if port and not (port.isascii() and port.isdigit()) else name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
