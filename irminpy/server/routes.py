"""The routes: which request is whose, what its body may be, and how the description tells of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from starlette.responses import Response

from ..wire import MEDIA
from . import batches, branches, commits, objects, proofs, slices, trees, upstream, watches
from .call import Call
from .slices import SLICE

__all__ = ["JSON", "ROUTES", "UPSTREAM", "Route", "find"]

JSON: Final = "application/json"
ANYTHING: Final = "*/*"

Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one pattern of segments; "{name}" is any segment, "{name*}" any number of them."""

    method: Literal["GET", "PUT", "POST", "DELETE", "PATCH"]
    pattern: str
    handler: Handler
    summary: str
    writes: bool = False
    media: tuple[str, ...] = ()
    """Types of the body; none: there is no body."""
    answers: dict[int, str] = field(default_factory=dict[int, str])
    """Status to the type of the answer, "" for none, besides problems."""
    query: tuple[str, ...] = ()
    """Parameters of the query."""
    conditions: bool = False
    """Whether If-Match and If-None-Match are asked for."""
    endless: bool = False
    """Whether the answer is a stream that only whoever asks ends."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the pattern."""
        return tuple(self.pattern.strip("/").split("/"))

    def matches(self, given: tuple[bytes, ...]) -> bool:
        """Whether the segments of a target are of this pattern."""
        parts = self.segments
        rest = parts[-1].endswith("*}")
        if len(given) != len(parts) and not (rest and len(given) >= len(parts) - 1):
            return False
        return all(
            part.startswith("{") or part.encode() == one for part, one in zip(parts, given, strict=False)
        )


_INFO = ("message", "author", "date")
_DONE = {200: JSON, 201: JSON}

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/branches", branches.all_branches, "All branches with their heads", answers={200: JSON}),
    Route(
        "GET", "/branches/{branch}", branches.one_branch, "The head of a branch", answers={200: JSON, 304: ""}
    ),
    Route(
        *("PUT", "/branches/{branch}", branches.put_branch, "Make or move a branch"),
        writes=True,
        media=(JSON,),
        answers=_DONE,
        conditions=True,
    ),
    Route(
        *("DELETE", "/branches/{branch}", branches.remove_branch, "Remove a branch"),
        writes=True,
        answers={204: ""},
        conditions=True,
    ),
    Route(
        *("GET", "/trees/{rev}/{path*}", trees.read_tree, "A value, or a page of a directory"),
        answers={200: ANYTHING, 304: ""},
        query=("offset", "length"),
    ),
    Route(
        *("PATCH", "/trees/{branch}", batches.patch_tree, "Many changes as one commit"),
        writes=True,
        media=(JSON,),
        answers=_DONE,
        conditions=True,
    ),
    Route(
        *("PUT", "/trees/{branch}/{path*}", batches.put_value, "Bind a path to the bytes of the body"),
        writes=True,
        media=(ANYTHING,),
        answers=_DONE,
        query=_INFO,
        conditions=True,
    ),
    Route(
        *("DELETE", "/trees/{branch}/{path*}", batches.remove_path, "Remove what is at a path"),
        writes=True,
        answers=_DONE,
        query=_INFO,
        conditions=True,
    ),
    Route(
        *("GET", "/commits", commits.find_commits, "Commits by the beginning of their hash"),
        answers={200: JSON},
        query=("prefix",),
    ),
    Route("GET", "/commits/{rev}", commits.one_commit, "A commit", answers={200: JSON}),
    Route(
        *("GET", "/log/{rev}", commits.log, "The history of a revision"),
        answers={200: JSON},
        query=("n", "skip", "path"),
    ),
    Route(
        *("GET", "/diff/{rev}/{other}", commits.diff, "What differs between two revisions"),
        answers={200: JSON},
        query=("path", "n", "skip"),
    ),
    Route(
        *("POST", "/merge", commits.merge, "Merge a revision into a branch"),
        writes=True,
        media=(JSON,),
        answers=_DONE,
    ),
    Route(
        *("GET", "/proof/{rev}", proofs.prove, "A proof of a read, of an absence or of a page"),
        answers={200: ANYTHING},
        query=("path", "job", "offset", "length", "stream"),
    ),
    Route(
        *("GET", "/objects/{kind}/{hash}", objects.read_object, "The canonical bytes of an object"),
        answers={200: "application/octet-stream", 304: ""},
    ),
    Route(
        *("PUT", "/objects/{kind}/{hash}", objects.put_contents, "One value of any length"),
        writes=True,
        media=(ANYTHING,),
        answers={201: JSON},
    ),
    Route(
        "POST", "/objects/read", objects.read_objects, "Many objects", media=(MEDIA,), answers={200: MEDIA}
    ),
    Route(
        *("POST", "/objects/missing", objects.missing, "Which of many objects are not here"),
        media=(MEDIA,),
        answers={200: "application/octet-stream"},
    ),
    Route(
        *("POST", "/objects/history", objects.history, "Commits and those behind them"),
        media=(MEDIA,),
        answers={200: MEDIA},
    ),
    Route(
        *("POST", "/objects", objects.write_objects, "Objects and refs, all or nothing"),
        writes=True,
        media=(MEDIA,),
        answers={200: JSON},
    ),
    Route(
        *("GET", "/slice/{rev}", slices.get_slice, "A part of a history with its objects"),
        answers={200: SLICE},
        query=("depth", "min"),
    ),
    Route(
        *("POST", "/slice", slices.put_slice, "Write what is missing of a slice"),
        writes=True,
        media=(SLICE,),
        answers={200: JSON},
        query=("shallow",),
    ),
    Route(
        *("GET", "/watch", watches.watch, "Changes of branches, as server-sent events"),
        answers={200: "text/event-stream"},
        query=("branch",),
        endless=True,
    ),
)

_BODY = (JSON, "")  # whoever gives no type sends no form, which always has one
_BLOB = (*_BODY, "application/octet-stream", "text/plain")


def _added(pattern: str, handler: Handler, media: tuple[str, ...] = _BODY) -> Route:
    """A route of irmin-http that stores an object and tells its hash."""
    return Route(
        *("POST", pattern, handler, "Store an object; its hash"),
        writes=True,
        media=media,
        answers={200: "text/plain"},
    )


UPSTREAM: Final[tuple[Route, ...]] = (
    _added("/irmin/blobs", upstream.add_blob, _BLOB),
    _added("/irmin/unsafe/blobs/{id}", upstream.add_blob, _BLOB),
    Route("GET", "/irmin/blob/{id}", upstream.blob, "Contents", answers={200: "application/octet-stream"}),
    _added("/irmin/trees", upstream.add_tree),
    _added("/irmin/unsafe/trees/{id}", upstream.add_tree),
    Route("GET", "/irmin/tree/{id}", upstream.tree, "A directory", answers={200: JSON}),
    Route(
        *("POST", "/irmin/trees/merge", upstream.merge_trees, "Merge directories"),
        writes=True,
        media=_BODY,
        answers={200: JSON},
    ),
    _added("/irmin/commits", upstream.add_commit),
    _added("/irmin/unsafe/commits/{id}", upstream.add_commit),
    Route("GET", "/irmin/commit/{id}", upstream.commit, "A commit", answers={200: JSON}),
    Route("GET", "/irmin/branches", upstream.all_names, "Names of branches", answers={200: JSON}),
    Route(
        "GET", "/irmin/branch/{name*}", upstream.branch, "The head of a branch", answers={200: "text/plain"}
    ),
    Route(
        *("PUT", "/irmin/branch/{name*}", upstream.set_branch, "Set, or test and set"),
        writes=True,
        media=_BODY,
        answers={200: JSON},
    ),
    Route(
        *("DELETE", "/irmin/branch/{name*}", upstream.remove_branch, "Remove a branch"),
        writes=True,
        answers={200: JSON},
    ),
    Route("GET", "/irmin/watches", upstream.watch, "Changes of all", answers={200: JSON}, endless=True),
    Route(
        "POST", "/irmin/watches", upstream.watch, "The same", media=_BODY, answers={200: JSON}, endless=True
    ),
    Route("GET", "/irmin/watch/{name*}", upstream.watch, "Of one", answers={200: JSON}, endless=True),
    Route(
        "POST",
        "/irmin/watch/{name*}",
        upstream.watch,
        "The same",
        media=_BODY,
        answers={200: JSON},
        endless=True,
    ),
)

_BY_FIRST: dict[bytes, list[Route]] = {}
for _route in (*ROUTES, *UPSTREAM):
    _BY_FIRST.setdefault(_route.segments[0].encode(), []).append(_route)


def find(segments: tuple[bytes, ...]) -> tuple[list[Route], bool]:
    """The routes of all methods for `segments`, and whether the JSON twin is asked for.

    What is written out wins over a segment that may be anything.
    """
    first = segments[0] if segments else b""
    twin = first.endswith(b".json")
    name = first[: -len(b".json")] if twin else first
    if twin and name == b"irmin":
        return [], False
    given = (name, *segments[1:])
    found = [route for route in _BY_FIRST.get(name, ()) if route.matches(given)]
    plain = [route for route in found if "{" not in route.pattern]
    return plain or found, twin
