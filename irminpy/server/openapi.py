"""The description of the routes (OpenAPI 3.1), made of the table that requests are routed by."""

from __future__ import annotations

import re
from typing import Any

from ..wire import MEDIA
from .routes import JSON, ROUTES, Route

__all__ = ["describe"]

_NAME = re.compile(r"\{(\w+)\*?\}")

_TEXT = {"type": "string"}
_HASH = {"type": "string", "pattern": "^[0-9a-f]+$"}
_COUNT = {"type": "integer", "minimum": 0}
_VALUE = {
    "oneOf": [
        {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}
        for name, schema in (("text", _TEXT), ("base64", _TEXT), ("value", {}))
    ]
}
_CHANGE = {
    "type": "object",
    "required": ["path"],
    "properties": {
        "path": {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}]},
        "text": _TEXT,
        "base64": _TEXT,
        "value": {},
        "remove": {"const": True},
        "test": {"oneOf": [{"type": "null"}, _VALUE]},
    },
    "additionalProperties": False,
}
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PUT", "/branches/{branch}"): {"required": ["commit"], "properties": {"commit": _HASH}},
    ("PATCH", "/trees/{branch}"): {
        "required": ["changes"],
        "properties": {
            "changes": {"type": "array", "items": _CHANGE},
            "message": _TEXT,
            "author": _TEXT,
            "date": {"type": "integer"},
        },
    },
    ("POST", "/merge"): {
        "required": ["into", "from"],
        "properties": {
            "into": _TEXT,
            "from": _TEXT,
            "message": _TEXT,
            "author": _TEXT,
            "on_conflict": {"enum": [None, "ours", "theirs"]},
        },
    },
}
_QUERY: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("offset", "length", "n", "skip", "depth"), _COUNT),
    "date": {"type": "integer"},
    "job": {"enum": ["read", "absence", "page"]},
    "stream": {"enum": ["1"]},
    "shallow": {"enum": ["1"]},
}
_MANY = frozenset({("/proof/{rev}", "path"), ("/slice/{rev}", "min")})
# What any request may meet, and what only those meet that write, have a body or a condition.
_ALWAYS = (400, 401, 403, 404, 405, 408, 414, 421, 500, 503)
_PROBLEM = {
    "type": "object",
    "required": ["title", "status", "detail", "error"],
    "properties": {"title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT, "error": _TEXT},
}


def describe(version: str) -> dict[str, Any]:
    """The description, as a JSON object."""
    paths: dict[str, dict[str, Any]] = {
        "/": {"get": _operation("root", "What is served", {"200": _typed(JSON)}, [])},
        "/openapi.json": {"get": _operation("openapi", "This description", {"200": _typed(JSON)}, [])},
    }
    for route in ROUTES:
        if not route.endless:
            pattern = route.pattern.replace("*}", "}")
            paths.setdefault(pattern, {})[route.method.lower()] = _described(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "irminpy", "version": version, "license": {"name": "ISC", "identifier": "ISC"}},
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _described(route: Route) -> dict[str, Any]:
    pattern = route.pattern.replace("*}", "}")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _NAME.findall(pattern)
    ]
    for name in route.query:
        schema = _QUERY.get(name, _TEXT)
        if (pattern, name) in _MANY:
            schema = {"type": "array", "items": schema}
        parameters.append({"name": name, "in": "query", "required": False, "schema": schema})
    if route.conditions:
        names = ("If-Match", "If-None-Match")
        parameters += [{"name": name, "in": "header", "required": False, "schema": _TEXT} for name in names]
    told = {str(status): _typed(media) for status, media in route.answers.items()}
    more = (409, 411, 412, 413, 415, 422, 428) if route.writes or route.media else (409, 413, 422)
    for status in (*_ALWAYS, *more):
        told[str(status)] = _typed("application/problem+json")
    name = f"{route.method.lower()}{re.sub(r'[^a-z]+', '_', pattern)}".rstrip("_")
    found = _operation(name, route.summary, told, parameters)
    if route.media:
        body = _BODIES.get((route.method, pattern))
        schema = {"type": "object", "additionalProperties": False, **body} if body else _binary()
        found["requestBody"] = {
            "required": True,
            "content": {_sent(media): {"schema": schema} for media in route.media},
        }
    return found


def _sent(media: str) -> str:
    return "application/octet-stream" if media == "*/*" else media


def _binary() -> dict[str, Any]:
    return {"type": "string", "format": "binary"}


def _operation(name: str, summary: str, responses: dict[str, Any], parameters: list[Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}


def _typed(media: str) -> dict[str, Any]:
    if not media:
        return {"description": "Nothing more"}
    if media == "application/problem+json":
        schema: dict[str, Any] = {"$ref": "#/components/schemas/Problem"}
    elif media == JSON:
        schema = {"type": "object"}
    else:
        schema = {}
    described = "A problem" if "problem" in media else "Objects" if media == MEDIA else "The answer"
    return {"description": described, "content": {media: {"schema": schema}}}
