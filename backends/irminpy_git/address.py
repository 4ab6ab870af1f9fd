"""Where a remote is: URLs of Git, and what of them is refused (docs/git.md, "Remotes")."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote

from irminpy.errors import DecodeError

__all__ = ["PORTS", "SCHEMES", "Address", "is_address"]

SCHEMES: Final = ("file", "git", "http", "https", "ssh")
PORTS: Final = {"git": 9418, "http": 80, "https": 443, "ssh": 22}

_LONGEST: Final = 4096
_URL: Final = re.compile(r"(?:git\+)?([a-z]+)://([^/]*)(/.*)?\Z", re.DOTALL)
# What ssh and git take for HOST:PATH: no "/" stands before the colon.
_SCP: Final = re.compile(r"(?:([^/@:\[\]]+)@)?([^/@:\[\]]+|\[[^/@\[\]]+\]):(?!:|//)(.+)\Z", re.DOTALL)
_AUTHORITY: Final = re.compile(r"(?:([^@]*)@)?([^@:\[\]]*|\[[^@\[\]]*\])(?::([0-9]{1,5}))?\Z")
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9._-]+\Z|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]\Z")
_USER: Final = re.compile(r"(?!-)[^\x00-\x20\x7f:/@\"'`$;&|<>()\\]+\Z")
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f]")


def is_address(text: str) -> bool:
    """Whether `text` is meant as the URL of a remote of Git, and not as the URI of a store.

    That is a URL that begins with `git+`, `git://HOST`, `ssh://` or `file://`, one of HTTP whose path ends with `.git`,
    and `USER@HOST:PATH`.
    """
    scheme, found, rest = text.partition("://")
    if not found:
        match = _SCP.match(text)
        return match is not None and match[1] is not None
    if scheme.startswith("git+") or scheme in ("ssh", "file"):
        return True
    if scheme == "git":
        return not rest.startswith("/")
    return scheme in ("http", "https") and rest.partition("?")[0].rstrip("/").endswith(".git")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a URL. Its text has no credentials: it is what messages show."""

    scheme: str
    """One of `SCHEMES`."""
    host: str
    """Empty for a file."""
    port: int | None
    user: str | None
    password: str | None = field(repr=False)
    path: str
    """The path of the repository there; of HTTP still quoted."""

    @staticmethod
    def parse(text: str) -> Address:
        """The address that `text` is the URL of, or `USER@HOST:PATH` for ssh.

        DecodeError for anything else, for a scheme that names a program (`ext::`), for a host, user or path that a
        program would take for an option, for control characters, and for credentials where no protocol has them.
        """
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a URL is a str, not {type(text).__name__}")
        if len(text) > _LONGEST:
            raise _wrong(f"it has more than {_LONGEST} characters")
        if _UNSEEN.search(text):
            raise _wrong("it holds a control character, such as a line feed")
        match = _URL.match(text)
        if match is None:
            return _scp(text)
        scheme, authority, path = match[1], match[2], match[3] or ""
        if scheme not in SCHEMES:
            raise _wrong(f"there is no way to speak {scheme[:20]!r}; there are {', '.join(SCHEMES)}")
        if scheme == "file":
            if authority not in ("", "localhost"):
                raise _wrong("a file has no host: write file:///PATH")
            return Address(scheme, "", None, None, None, _path(unquote(path)))
        user, password, host, port = _authority(authority)
        if scheme in ("http", "https"):
            if "#" in path or "?" in path:
                raise _wrong("a repository over HTTP has no query and no fragment")
            if ".." in unquote(path).split("/"):
                raise _wrong('its path holds ".."')
            return Address(scheme, host, port, user, password, path.rstrip("/") or "/")
        if password is not None or (scheme == "git" and user is not None):
            raise _wrong(f"{scheme} takes no {'password' if password is not None else 'user'} in a URL")
        found = _path(unquote(path))
        if found.startswith("/~"):
            found = found[1:]
        if scheme == "ssh" and user is not None and _USER.match(user) is None:
            raise _wrong(f"{user[:40]!r} is no name of a user")
        return Address(scheme, host, port, user, None, found)

    @property
    def local(self) -> bool:
        """Whether what is said stays on this machine: a file, or a host that is this one."""
        if self.scheme == "file" or self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """The URL without user and password: it may be printed and logged."""
        port = "" if self.port is None else f":{self.port}"
        slash = "" if self.path.startswith("/") else "/"
        return f"{self.scheme}://{self.host}{port}{slash}{self.path}"


def _wrong(reason: str) -> DecodeError:
    # The text itself may hold a password.
    return DecodeError("URL of a remote", reason)


def _scp(text: str) -> Address:
    match = _SCP.match(text)
    if match is None:
        raise _wrong(f"write SCHEME://HOST/PATH with one of {', '.join(SCHEMES)}, or USER@HOST:PATH for ssh")
    user, host, path = match[1], match[2], match[3]
    if _HOST.match(host) is None or (user is not None and _USER.match(user) is None):
        raise _wrong("its host or its user is none, or would be taken for an option")
    return Address("ssh", host, None, user, None, _path(path))


def _authority(text: str) -> tuple[str | None, str | None, str, int | None]:
    """User, password, host and port."""
    match = _AUTHORITY.match(text)
    if match is None:
        raise _wrong("its host and port make no sense")
    host = match[2]
    if _HOST.match(host) is None:
        raise _wrong(f"{host[:40]!r} is no name of a host")
    port = None if match[3] is None else int(match[3])
    if port is not None and not 0 < port < 1 << 16:
        raise _wrong(f"{port} is no port")
    if match[1] is None:
        return None, None, host, port
    user, colon, password = match[1].partition(":")
    user, password = unquote(user), unquote(password)
    if _UNSEEN.search(user + password) or not user:
        raise _wrong("its user or its password is empty, or holds a control character")
    return user, password if colon else None, host, port


def _path(path: str) -> str:
    if not path or path == "/" or path.startswith("-") or _UNSEEN.search(path):
        raise _wrong("its path is empty, or holds a control character, or would be taken for an option")
    return path
