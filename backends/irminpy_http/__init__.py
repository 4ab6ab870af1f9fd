"""A store on another machine, as a backend: `irminpy.open("http://host:8080/")`. It needs the extra `http`."""

from .backend import HttpBackend
from .maker import Http

__all__ = ["Http", "HttpBackend"]
