"""A repository over HTTP (docs/http.md): REST, the routes of irmin-http, watches, proofs, slices.

It needs the extra `http`. `background(repo)` serves on a thread, `serve` until a signal, and `Application(repo)` is for
any ASGI server.
"""

from .access import Access
from .application import Application
from .limits import Limits
from .running import access_for, background, listen, serve

__all__ = ["Access", "Application", "Limits", "access_for", "background", "listen", "serve"]
