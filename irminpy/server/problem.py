"""What is refused, and how the other side is told: a status, and a problem in JSON (RFC 9457).

Of an error of irminpy its JSON form goes out, so that a client raises the same one. What a file or a machine is called
stays here: of faults of the storage only the kind goes out.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from ..errors import (
    BadProof,
    Closed,
    DanglingHash,
    DecodeError,
    InvalidBranch,
    InvalidHash,
    InvalidStep,
    IrminError,
    Locked,
    MergeConflict,
    NotFound,
    PrunedHash,
    ReadOnly,
    RefUpdateError,
    SchemaMismatch,
    StorageError,
    TestWas,
    TooManyRetries,
)

__all__ = ["Refused", "problem_of"]

# The first class that an error is an instance of decides.
_STATUS: tuple[tuple[type[IrminError], int], ...] = (
    (NotFound, 404),
    (TestWas, 412),
    (MergeConflict, 409),
    (TooManyRetries, 503),
    (RefUpdateError, 409),
    (DanglingHash, 422),
    (PrunedHash, 422),
    (BadProof, 413),
    (DecodeError, 400),
    (InvalidStep, 400),
    (InvalidBranch, 400),
    (InvalidHash, 400),
    (SchemaMismatch, 409),
    (ReadOnly, 403),
    (Locked, 503),
    (Closed, 503),
    (StorageError, 500),
)


class Refused(Exception):
    """A request that is refused for a reason of its own: `status`, `detail` for people, and `kind` for programs.

    `close`: the connection ends with it, since what is left of the request was not read.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
        self.close = close

    def response(self) -> Response:
        """The answer."""
        headers = dict(self.headers)
        if self.close:
            headers["connection"] = "close"
        return _problem(self.status, self.detail, {"error": self.kind}, headers)


def problem_of(error: IrminError, *, reading: bool) -> Response:
    """The answer that tells of `error`; `reading`: the request only reads."""
    status = next((status for cls, status in _STATUS if isinstance(error, cls)), 500)
    if isinstance(error, DanglingHash) and reading:
        status = 500  # then the store lacks it, not the request
    if isinstance(error, ReadOnly):
        error = ReadOnly("the store that is served")
    elif isinstance(error, StorageError):
        told = {"error": error.kind, "message": "the storage below did not do what it was asked"}
        headers = {"retry-after": "1"} if status == 503 else {}
        return _problem(status, told["message"], told, headers)
    return _problem(status, str(error), error.to_json(), {})


def _problem(status: int, detail: str, told: dict[str, Any], headers: dict[str, str]) -> Response:
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **told}
    return Response(
        json.dumps(body).encode(),
        status,
        {**headers, "cache-control": "no-store"},
        "application/problem+json",
    )
