"""Watches: changes of branches as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .. import branch as names
from .call import Call
from .hub import Hub, Subscriber

__all__ = ["Following", "follow", "watch"]


class Following(StreamingResponse):
    """What `subscriber` is told, who is forgotten at the end, also where not even the beginning could be sent."""

    def __init__(self, subscriber: Subscriber, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._subscriber = subscriber

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._subscriber.close()


async def watch(call: Call) -> Response:
    """Every change of a branch, or of all, from the position in Last-Event-ID on, or from now on after all refs."""
    call.target.known("branch")
    branch = call.target.parameter("branch")
    name = None if branch is None else names.check(branch)
    hub = call.service.hub
    if call.method == "HEAD":
        return Response(media_type="text/event-stream")
    await call.run(hub.begin)
    subscriber = hub.subscribe(call.headers.get("last-event-id"))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    stream = _events(call, subscriber, name)
    return Following(subscriber, stream, headers=headers, media_type="text/event-stream")


async def _events(call: Call, subscriber: Subscriber, name: str | None) -> AsyncIterator[str]:
    hub = call.service.hub
    yield ": irminpy\n\n"
    async for refs, number, change in follow(call, subscriber):
        if refs is not None:
            told = {branch: head for branch, head in refs.items() if name in (None, branch)}
            yield _event(hub, "refs", number, {"refs": told})
        elif change is None:
            yield ":\n\n"
        elif name in (None, change["branch"]):
            yield _event(hub, "change", number, change)


def _event(hub: Hub, kind: str, number: int, data: dict[str, Any]) -> str:
    # JSON in ASCII holds no line end: nothing in it can be taken for a field of the stream.
    return f"event: {kind}\nid: {hub.named(number)}\ndata: {json.dumps(data)}\n\n"


async def follow(
    call: Call, subscriber: Subscriber
) -> AsyncIterator[tuple[dict[str, str] | None, int, dict[str, Any] | None]]:
    """(all refs, position, None), then (None, position, change) for each change, and (None, 0, None) now and then.

    All refs come again where changes were dropped. Ends with the server, or with whoever asks.
    """
    while not subscriber.ended:
        taken = await subscriber.take(call.limits.heartbeat)
        if taken is None:
            yield None, 0, None
            continue
        behind, events, number = taken
        if behind:
            refs = await call.run(call.repo._opened.backend.refs)
            yield {name: head.hex() for name, head in refs.items()}, number, None
        for at, change in events:
            before, after = (None if h is None else h.hex() for h in (change.before, change.after))
            yield None, at, {"branch": change.name, "before": before, "after": after}
