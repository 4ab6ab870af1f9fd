"""One request on its way through a handler: what was asked, how its body is read, and how answers are made."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, ParamSpec, TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive

from ..backend import ANY
from ..commit import Commit
from ..errors import DecodeError, InvalidHash
from ..hash import Hash
from ..repo import Repo
from ..repr.base import is_dict, is_list
from .hub import Hub
from .limits import MIB, Limits
from .problem import Refused
from .target import Target

__all__ = ["PRESENT", "Call", "Service", "answer_json", "tag_of"]

P = ParamSpec("P")
R = TypeVar("R")

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_SMALL = 1 << 14  # bytes of JSON that are parsed at once, without a thread
PRESENT: Final = object()
"""The condition that there is such a branch, whatever its head is."""
IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Service:
    """What is served, and within which limits."""

    repo: Repo[Any, Any]
    limits: Limits
    hub: Hub
    readonly: bool
    """Whether nobody may write at all."""


@dataclass(slots=True)
class Call:
    """A request. Handlers are coroutines; whatever touches the store runs on a thread, by `run`."""

    service: Service
    method: str
    target: Target
    headers: Mapping[str, str]
    receive: Receive
    twin: bool
    """Whether the answer is JSON whatever the thing is: the first segment ends with ".json"."""
    length: int | None
    """What Content-Length says."""
    sent: bool
    """Whether there is a body."""
    read: int = field(default=0)
    """Bytes of the body so far."""
    ended: bool = field(default=False)
    """Whether that is all of it."""

    @property
    def repo(self) -> Repo[Any, Any]:
        """The repository that is served."""
        return self.service.repo

    @property
    def limits(self) -> Limits:
        """The limits of the server."""
        return self.service.limits

    async def run(self, f: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`f` on a thread of the pool."""
        return await run_in_threadpool(f, *args, **kwargs)

    def wants_json(self) -> bool:
        """Whether JSON is asked for, by the twin or by the header Accept."""
        return self.twin or "json" in self.headers.get("accept", "")

    # -- bodies ----------------------------------------------------------------------------------------------

    def expect(self, most: int) -> None:
        """413, before anything is read, if the body says that it is longer than `most` bytes."""
        if self.length is not None and self.length > most:
            raise _too_large(most)

    async def piece(self, most: int) -> bytes:
        """The next piece of the body, which is at most `most` bytes in all; b"" at its end."""
        while not self.ended:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Refused(400, "body", "the connection ended within the body", close=True)
            data: bytes = message.get("body", b"")
            self.read += len(data)
            if self.read > most:
                raise _too_large(most)
            self.ended = not message.get("more_body", False)
            if data:
                return data
        return b""

    async def body(self) -> bytes:
        """The whole body, in memory."""
        self.expect(self.limits.body)
        pieces: list[bytes] = []
        while piece := await self.piece(self.limits.body):
            pieces.append(piece)
        return b"".join(pieces)

    async def spooled(self, most: int) -> BinaryIO:
        """The whole body, at most `most` bytes, in a file without a name, at its start; in memory as long as it is
        small.
        """
        self.expect(most)
        file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=MIB))  # noqa: SIM115 (the caller closes it)
        try:
            while piece := await self.piece(most):
                if self.read <= MIB:
                    file.write(piece)
                else:
                    await self.run(file.write, piece)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    async def json(self) -> Any:
        """The body as JSON, which nests no deeper than the limit."""
        data = await self.body()
        if len(data) < _SMALL:
            return parsed(data, self.limits.depth)
        return await self.run(parsed, data, self.limits.depth)

    async def fields(self, *names: str) -> dict[str, Any]:
        """The body as a JSON object with no other fields than `names`."""
        found = await self.json()
        if not isinstance(found, dict):
            raise DecodeError("body", "a JSON object is expected")
        fields = cast("dict[str, Any]", found)
        unknown = sorted(fields.keys() - set(names))
        if unknown:
            raise DecodeError(
                "body", f"no field is called {unknown[0]!r:.80} here; there are: {', '.join(names)}"
            )
        return fields

    # -- names -----------------------------------------------------------------------------------------------

    def hash(self, text: object) -> Hash:
        """The hash that `text` writes, in hexadecimal digits or as the format shows it."""
        codec = self.repo.schema.codec
        found = codec.read_hash(text) if isinstance(text, str) else None
        if found is None:
            raise InvalidHash(str(text)[:200], f"a hash has {2 * codec.hash_size} hexadecimal digits")
        return found

    def commit(self, revision: str) -> Commit[Any, Any]:
        """The commit that `revision` names."""
        return self.repo.at(revision).head()

    def settled(self, revision: str) -> bool:
        """Whether `revision` is a whole hash, so that what it names never changes."""
        return self.repo.schema.codec.read_hash(revision) is not None

    # -- conditions ------------------------------------------------------------------------------------------

    def expected(self, *, required: bool) -> Any:
        """The head that the request expects: a Hash, None for a branch that is not there, ANY if nothing is said.

        428 if it says nothing and `required`; PRESENT for If-Match: *; 400 for two conditions.
        """
        match, none = self.headers.get("if-match"), self.headers.get("if-none-match")
        if match is not None and none is not None:
            raise Refused(400, "condition", "give If-Match or If-None-Match, not both")
        if none is not None:
            if none.strip() != "*":
                raise Refused(
                    400, "condition", "of a head, If-None-Match is * (there must be no such branch)"
                )
            return None
        if match is None:
            if required:
                raise Refused(
                    428, "condition", 'say which head you saw: If-Match: "HASH", or If-None-Match: *'
                )
            return ANY
        if match.strip() == "*":
            return PRESENT
        tag = _TAG.fullmatch(match.strip())
        if tag is None or match.strip().startswith("W/"):
            raise Refused(400, "condition", "If-Match is one entity tag in double quotes, or *")
        return self.hash(tag[1])

    def seen(self, tag: str) -> bool:
        """Whether the other side says that it has what `tag` (in quotes) stands for."""
        given = self.headers.get("if-none-match", "")
        return given.strip() == "*" or tag.strip('"') in _TAG.findall(given)


def _too_large(most: int) -> Refused:
    return Refused(413, "body", f"a body has at most {most} bytes here", close=True)


def parsed(data: bytes, depth: int) -> Any:
    """The JSON in `data`; DecodeError for anything else, and for what nests deeper than `depth`."""
    try:
        found = json.loads(data, parse_constant=_no_constant, object_pairs_hook=_unique)
    except DecodeError:
        raise
    except (ValueError, RecursionError) as e:  # the parser of Python recurses, and stops itself
        raise DecodeError("JSON", str(e)[:200]) from e
    level = [found]
    for _ in range(depth):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return found
    raise DecodeError("JSON", f"it nests deeper than {depth}")


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if is_dict(value) else value if is_list(value) else ()


def _no_constant(name: str) -> Any:
    raise DecodeError("JSON", f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DecodeError("JSON", "an object has a field twice")
    return found


def tag_of(hash_: bytes) -> str:
    """The entity tag of something with this hash."""
    return f'"{bytes(hash_).hex()}"'


def answer_json(
    value: object, status: int = 200, *, tag: str | None = None, forever: bool = False, **headers: str
) -> Response:
    """`value` as JSON, with an entity tag and, for what never changes, leave to keep it."""
    found = {name.replace("_", "-"): text for name, text in headers.items()}
    found["cache-control"] = IMMUTABLE if forever else "no-cache"
    if tag is not None:
        found["etag"] = tag
    return Response(json.dumps(value).encode(), status, found, "application/json")
