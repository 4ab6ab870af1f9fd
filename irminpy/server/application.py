"""The application: every request goes through here, in this order, before a handler sees it.

Framing, Host, target, Origin, route, token, type of the body, length of the body; then the handler, within the time
that a request may take. What a handler raises becomes a problem; what it did not expect is logged, and only that it
happened goes out.
"""

from __future__ import annotations

import asyncio
import json
import logging
from importlib import metadata
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ..errors import IrminError
from ..repo import Repo
from . import openapi
from .access import Access
from .call import Call, Service, answer_json
from .hub import Hub
from .limits import Limits
from .problem import Refused, problem_of
from .routes import Route, find
from .target import Target

__all__ = ["Application"]

_log = logging.getLogger(__name__)

_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


class Application:
    """`repo` over HTTP, as an ASGI application. The repository stays the caller's, who closes it after the server.

    With no `access` it answers to local names only, and only reads. It may be mounted anywhere.
    """

    def __init__(
        self, repo: Repo[Any, Any], *, access: Access | None = None, limits: Limits | None = None
    ) -> None:
        self.access = Access() if access is None else access
        self.limits = Limits() if limits is None else limits
        hub = Hub(repo._opened.backend, self.limits)
        readonly = self.access.token is None and not self.access.write
        self._service = Service(repo, self.limits, hub, readonly)
        self._version = _version()
        self._described: bytes | None = None

    def end(self) -> None:
        """End all watches, so that a server can stop. A second call does nothing."""
        self._service.hub.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _Patient(send, self.limits.write_seconds))

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                self.end()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["method"] in ("GET", "HEAD")
        call: Call | None = None
        try:
            call, route = self._admitted(scope, Headers(scope=scope), receive)
            if route is None:
                response = self._root(call)
            else:
                reads = not route.writes
                async with asyncio.timeout(self.limits.seconds):
                    response = await route.handler(call)
        except Refused as e:
            response = e.response()
        except IrminError as e:
            response = problem_of(e, reading=reads)
        except TimeoutError:
            seconds = f"{self.limits.seconds:g} seconds"
            response = Refused(408, "time", f"the request took more than {seconds}", close=True).response()
        except Exception:
            _log.exception("a request failed: %s %r", scope["method"], scope["path"][:200])
            response = Refused(500, "internal", "the server failed; its log says how", close=True).response()
        response.raw_headers.extend(_SECURITY)
        if call is not None and call.sent and not call.ended:
            # The rest of the body is not waited for, however long it says it is.
            response.headers["connection"] = "close"
        await response(scope, receive, send)

    def _admitted(self, scope: Scope, headers: Headers, receive: Receive) -> tuple[Call, Route | None]:
        """The request, and its route, None for the root, after all that can be told from its head."""
        method: str = scope["method"]
        hosts = headers.getlist("host")
        lengths = headers.getlist("content-length")
        if len(hosts) > 1 or len(lengths) > 1 or (lengths and "transfer-encoding" in headers):
            # Two readings of one request are how requests are smuggled past whoever stands before us.
            raise Refused(400, "framing", "a request has one host and one length", close=True)
        if scope["http_version"] not in ("1.0", "1.1", "2"):
            raise Refused(505, "framing", "HTTP/1.1 is spoken here", close=True)
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > self.limits.head:
            raise Refused(431, "framing", f"headers have at most {self.limits.head} bytes", close=True)
        host = hosts[0] if hosts else ""
        self.access.check_host(host)
        self.access.check_origin(method, headers, host)
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        raw = raw.removeprefix(scope.get("root_path", "").encode())
        target = Target.of(raw, scope["query_string"], self.limits)
        routes, twin = find(target.segments)
        asked = "GET" if method == "HEAD" else method
        route = next((route for route in routes if route.method == asked), None)
        top = target.segments in ((), (b".json",), (b"openapi.json",))
        if route is None and not (top and asked == "GET"):
            if routes or top:
                methods = {route.method for route in routes} or {"GET"}
                allowed = ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
                raise Refused(405, "method", f"allowed are {allowed}", headers={"allow": allowed}, close=True)
            raise Refused(
                404, "not-found", "no such route; GET /openapi.json tells which there are", close=True
            )
        self.access.check(headers, writes=route is not None and route.writes)
        length = _length(lengths)
        sent = bool(length) or "transfer-encoding" in headers
        call = Call(self._service, method, target, headers, receive, twin, length, sent)
        if route is not None:
            _check_media(route, headers, sent=sent)
        return call, route

    def _root(self, call: Call) -> Response:
        if call.target.segments == (b"openapi.json",):
            if self._described is None:
                self._described = json.dumps(openapi.describe(self._version)).encode()
            return Response(self._described, media_type="application/json")
        call.target.known()
        schema, limits = self._service.repo.schema, self.limits
        return answer_json(
            {
                "irminpy": self._version,
                "schema": schema.describe(),
                "identity": schema.identity.hex(),
                "readonly": self._service.readonly,
                "limits": {"body": limits.body, "upload": limits.upload, "answer": limits.answer},
            }
        )


def _length(lengths: list[str]) -> int | None:
    if not lengths:
        return None
    if not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 20):
        raise Refused(400, "framing", "Content-Length is a number of bytes", close=True)
    return int(lengths[0])


def _check_media(route: Route, headers: Headers, *, sent: bool) -> None:
    """415 for a body of another type than the route takes; forms of a page are never among them."""
    if not route.media:
        if sent:
            raise Refused(400, "body", "this request has no body", close=True)
        return
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if "*/*" in route.media:
        return
    if media not in route.media:
        wanted = " or ".join(media or "none" for media in route.media)
        raise Refused(415, "media-type", f"the type of the body is {wanted}", close=True)


class SlowReader(Exception):
    """Who asked does not take the answer: the connection is to be ended, and nobody is to be told over it."""


class _Patient:
    """`send`, which gives up with SlowReader on whoever takes nothing for `seconds`."""

    __slots__ = ("_seconds", "_send")

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds

    async def __call__(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError:
            raise SlowReader(f"took nothing of its answer for {self._seconds:g} seconds") from None


def _version() -> str:
    try:
        return metadata.version("irminpy")
    except metadata.PackageNotFoundError:
        return "0"
