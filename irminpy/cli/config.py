"""`irmin.yml`: which store and which branch a directory is about. The nearest one upwards counts, then the user's own.

    store: pack:./ledger        # a path is meant from where the file is
    branch: main
    author: ann
    remote.origin: http://ledger.example:8080/
    contents: json/1            # for stores that record no type of contents, such as Git's

One level of keys with plain or quoted values and comments: what YAML and this have in common, so that any tool
reads it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import MappingProxyType

from irminpy.cli.failure import USAGE, Failure
from irminpy.fields import NamedTuple

__all__ = ["FILE", "KEYS", "Config", "changed", "found"]

FILE = "irmin.yml"
KEYS = ("store", "branch", "author", "contents")
PATHLESS = ("mem", "http", "https")
"""The schemes behind which no path of a file stands."""

_REMOTE = "remote."

# What needs no quotes here and in YAML.
_PLAIN = r"[A-Za-z0-9./_]([^\s#\"']|:(?!\s|\Z)| (?=[A-Za-z0-9]))*(?<!:)"


class Config(NamedTuple):
    """What a file says, and which file that is; empty if there is none."""

    file: str | None = None
    values: Mapping[str, str] = MappingProxyType[str, str]({})

    @property
    def store(self) -> str | None:
        """The URI of the store; a relative path in it is from where the file is."""
        uri = self.values.get("store")
        return None if uri is None else self._located(uri)

    @property
    def remotes(self) -> dict[str, str]:
        """Name to URI, by name; relative paths as of `store`."""
        found = {key[len(_REMOTE) :]: uri for key, uri in self.values.items() if key.startswith(_REMOTE)}
        return {name: self._located(found[name]) for name in sorted(found)}

    def _located(self, uri: str) -> str:
        scheme, colon, rest = uri.partition(":")
        if self.file is None or not colon or not rest or os.path.isabs(rest):
            return uri
        if scheme in PATHLESS or "://" in uri or "@" in scheme:  # with a host, it is no path of this machine
            return uri
        return f"{scheme}:{os.path.normpath(os.path.join(os.path.dirname(self.file), rest))}"


def found(explicit: str | None = None) -> Config:
    """The configuration: the file `explicit`, else the nearest irmin.yml upwards, else the user's own.

    Failure for a file that cannot be read, and for a key that is unknown or there twice.
    """
    if explicit is not None:
        return _read(explicit)
    folder = os.getcwd()
    while True:
        file = os.path.join(folder, FILE)
        if os.path.isfile(file):
            return _read(file)
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    file = os.path.join(home, "irminpy", "config.yml")
    return _read(file) if os.path.isfile(file) else Config()


def changed(file: str, values: Mapping[str, str | None]) -> None:
    """Set `values` in `file`, None to remove one; it is made if it is not there. Other lines, comments too, stay."""
    lines: list[str] = []
    if os.path.exists(file):
        _read(file)
        with open(file, encoding="utf-8", errors="surrogateescape") as source:
            lines = source.read().splitlines()
    left = dict(values)
    kept: list[str] = []
    for line in lines:
        key = line.partition(":")[0].strip()
        if key not in left or line.lstrip().startswith("#"):
            kept.append(line)
        elif (value := left.pop(key)) is not None:
            kept.append(f"{key}: {_quoted(value)}")
    kept += [f"{key}: {_quoted(value)}" for key, value in left.items() if value is not None]
    temporary = f"{file}.new-{os.getpid()}"
    with open(temporary, "x", encoding="utf-8", errors="surrogateescape") as target:
        target.write("".join(f"{line}\n" for line in kept))
    os.replace(temporary, file)


def _read(file: str) -> Config:
    with open(file, encoding="utf-8", errors="surrogateescape") as source:
        text = source.read()
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, colon, rest = line.partition(":")
        key = key.strip()
        if not colon or line[0].isspace():
            raise _wrong(file, f"line {number} is not of the form KEY: VALUE")
        if key not in KEYS and not (key.startswith(_REMOTE) and key != _REMOTE):
            known = ", ".join((*KEYS, "remote.NAME"))
            raise _wrong(file, f"line {number} has the unknown key {key!r:.40}; known are {known}")
        if key in values:
            raise _wrong(file, f"line {number} has the key {key} again")
        values[key] = _value(file, number, rest.strip())
    return Config(os.path.abspath(file), values)


def _value(file: str, number: int, text: str) -> str:
    if text[:1] == '"':
        import json  # late: few values are quoted

        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            raise _wrong(file, f"line {number} has a quote that is not closed") from None
        rest = text[end:]
    elif text[:1] == "'":
        value, quote, rest = text[1:].partition("'")
        if not quote:
            raise _wrong(file, f"line {number} has a quote that is not closed")
    else:
        value, rest = text.split(" #", 1)[0].rstrip(), ""
    if rest.strip() and not rest.strip().startswith("#"):
        raise _wrong(file, f"line {number} goes on after the quoted value")
    if not value:
        raise _wrong(file, f"line {number} has no value")
    return str(value)


def _quoted(value: str) -> str:
    import json  # late, as above

    return value if re.fullmatch(_PLAIN, value, re.ASCII) else json.dumps(value)


def _wrong(file: str, why: str) -> Failure:
    return Failure(
        f"{file} is not a configuration",
        why=why,
        type="irminpy help irmin.yml tells what it may say",
        status=USAGE,
    )
