"""The body of Git's commits as values, so that any commit becomes its own bytes again (docs/formats/git.md, section 4).

`Info` has the author as "Name <e-mail>", his date, and the message. All else is in `Info.extra`, in the first of three
forms that gives back the bytes: each header under its name; all of them in one piece; or the whole body.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import DecodeError
from ..hash import Hash
from ..info import Info
from ..objects import Commit

__all__ = ["EMAIL", "HEADERS", "RAW", "TIMEZONE", "decode_body", "encode_body"]

EMAIL: Final = "irmin@openmirage.org"
"""The e-mail address of an author who gives none, as of irmin-git; it is not shown when it is read."""
TIMEZONE: Final = "timezone"
"""The key of the author's time zone, if that is not "+0000"."""
HEADERS: Final = "headers"
"""The key of all headers after the committer, if they cannot stand each under its own name."""
RAW: Final = "raw"
"""The key of the whole body, if nothing less gives the same bytes again."""

_COMMITTER: Final = "committer"
_ENCODING: Final = "encoding"
# Git writes the encoding first and signatures last.
_LAST: Final = {"gpgsig": 1, "gpgsig-sha256": 2}
_OWN: Final = frozenset((TIMEZONE, HEADERS, RAW, _COMMITTER))
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_RESERVED: Final = frozenset(("tree", "parent", "author", *_OWN))
_AUTHOR: Final = re.compile(r"(?:([^<>\n\0]*) )?<([^<>\n\0]*)>\Z")
_IDENT: Final = re.compile(rb"(.*) <([^<>]*)> (-?[0-9]{1,19}) ([+-][0-9]{4,6})\Z", re.DOTALL)
_ZONE: Final = re.compile(rb"[+-][0-9]{4,6}\Z")


def _wrong(reason: str) -> DecodeError:
    return DecodeError("commit", reason)


def _encode_text(what: str, text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except (LookupError, UnicodeError) as cause:
        raise _wrong(f"the {what} cannot be said in {encoding:.40}") from cause


def _author(info: Info, encoding: str) -> bytes:
    """ "Name <e-mail>" as bytes."""
    text = info.author
    given = _AUTHOR.match(text)
    if given is None:
        if any(c in text for c in "<>\n\0"):
            raise _wrong(f"the author {text!r:.80} is neither a name nor a name and <e-mail>")
        return _encode_text("author", f"{text} <{EMAIL}>", encoding)
    return _encode_text("author", f"{given[1] or ''} <{given[2]}>", encoding)


def _folded(name: str, value: bytes) -> bytes:
    return b"%b %b\n" % (name.encode(), value.replace(b"\n", b"\n "))


def _order(name: str) -> tuple[int, str]:
    return (_LAST.get(name, 0) if name != _ENCODING else -1, name)


def _build(commit: Commit) -> bytes:
    info, extra = commit.info, dict(commit.info.extra)
    encoding = extra.get(_ENCODING, b"utf-8").decode("latin-1")
    zone = extra.get(TIMEZONE, b"+0000")
    if _ZONE.match(zone) is None:
        raise _wrong(f"the time zone {zone!r:.40} is not like +0100")
    if info.date < 0:
        raise _wrong(f"the date {info.date} is before 1970, for which Git has no dates")
    author = b"%b %d %b" % (_author(info, encoding), info.date, zone)
    parts = [b"tree ", commit.node.hex().encode(), b"\n"]
    for parent in commit.parents:
        parts += [b"parent ", parent.hex().encode(), b"\n"]
    parts += [b"author ", author, b"\ncommitter ", extra.get(_COMMITTER, author), b"\n"]
    if HEADERS in extra:
        parts.append(extra[HEADERS])
    else:
        for name in sorted(extra.keys() - _OWN, key=_order):
            if name in _RESERVED or _NAME.match(name) is None:
                raise _wrong(f"{name!r:.40} is no name of a header")
            parts.append(_folded(name, extra[name]))
    message = _encode_text("message", info.message, encoding)
    if b"\0" in message:
        raise _wrong("the message holds a NUL")
    parts += [b"\n", message]
    return b"".join(parts)


def encode_body(commit: Commit, size: int) -> bytes:
    """The body of `commit`, whose hashes have `size` bytes; DecodeError unless it says all that `commit` does."""
    for hash_ in (commit.node, *commit.parents):
        if len(hash_) != size:
            raise _wrong(f"a hash of {len(hash_)} bytes, not {size}")
    extra = dict(commit.info.extra)
    if RAW in extra:
        if decode_body(extra[RAW], size) != commit:
            raise _wrong("it was changed beside its raw bytes; leave them out of `extra`")
        return extra[RAW]
    body = _build(commit)
    if extra:
        again = _structured(body, size, whole=HEADERS in extra)
        if again is None or again.info.extra != commit.info.extra or again.parents != commit.parents:
            raise _wrong("what stands in `extra` does not come back from the bytes as it is")
    return body


def decode_body(body: bytes, size: int) -> Commit:
    """The commit with `body`; DecodeError if it does not begin with a tree and parents."""
    for whole in (False, True):
        found = _structured(body, size, whole=whole)
        if found is not None:
            try:
                same = _build(found) == body
            except DecodeError:
                same = False
            if same:
                return found
    node, parents, at = _links(body, size)
    return Commit(node, parents, _raw_info(body, at))


def _links(body: bytes, size: int) -> tuple[Hash, tuple[Hash, ...], int]:
    """The tree, the parents, and where the next header begins."""
    digits = 2 * size
    if body[:5] != b"tree " or body[5 + digits : 6 + digits] != b"\n":
        raise _wrong("it does not begin with a tree")
    at = 6 + digits
    parents: list[Hash] = []
    try:
        node = Hash(bytes.fromhex(body[5 : 5 + digits].decode("ascii")))
        while body.startswith(b"parent ", at):
            if body[at + 7 + digits : at + 8 + digits] != b"\n":
                raise _wrong("a parent is no hash")
            parents.append(Hash(bytes.fromhex(body[at + 7 : at + 7 + digits].decode("ascii"))))
            at += 8 + digits
    except (UnicodeDecodeError, ValueError) as cause:
        raise _wrong("a hash is not in hexadecimal digits") from cause
    if any(len(hash_) != size for hash_ in (node, *parents)):
        raise _wrong("a hash is not in hexadecimal digits")  # fromhex passes over spaces
    return node, tuple(parents), at


def _structured(body: bytes, size: int, *, whole: bool) -> Commit | None:
    """The commit with its headers under their names, or in one piece for `whole`; None if it has another form."""
    node, parents, at = _links(body, size)
    head, blank, message = body[at:].partition(b"\n\n")
    if not blank:
        return None
    author, _, rest = head.partition(b"\n")
    committer, more, rest = rest.partition(b"\n")
    ident = _IDENT.match(author[7:])
    if not author.startswith(b"author ") or not committer.startswith(b"committer ") or ident is None:
        return None
    extra: dict[str, bytes] = {}
    headers = _headers(rest) if more else []
    encoding = next((value for name, value in headers if name == _ENCODING), b"utf-8").decode("latin-1")
    if whole and more:
        extra[HEADERS] = rest + b"\n"
        encoding = "utf-8"
    elif not whole:
        extra.update(headers)
        if len(extra) != len(headers) or not _OWN.isdisjoint(extra):
            return None
    if ident[4] != b"+0000":
        extra[TIMEZONE] = ident[4]
    if committer[10:] != author[7:]:
        extra[_COMMITTER] = committer[10:]
    try:
        name, email = ident[1].decode(encoding), ident[2].decode(encoding)
        text = message.decode(encoding)
    except (LookupError, UnicodeError):
        return None
    date = int(ident[3])
    if date >= 1 << 63:
        return None
    return Commit(node, parents, Info(date, _shown(name, email), text, extra))


def _shown(name: str, email: str) -> str:
    if email == EMAIL:
        return name
    return f"{name} <{email}>" if name else f"<{email}>"


def _headers(head: bytes) -> list[tuple[str, bytes]]:
    """Name and value of each header; a line that begins with a space goes on with the one before."""
    found: list[tuple[str, bytes]] = []
    for line in head.split(b"\n"):
        if line[:1] == b" " and found:
            name, value = found[-1]
            found[-1] = name, value + b"\n" + line[1:]
        else:
            key, _, value = line.partition(b" ")
            found.append((key.decode("latin-1") or "?", value))
    return found


def _raw_info(body: bytes, at: int) -> Info:
    """As much as can be told, for the eye, and the body itself."""
    head, _, message = body[at:].partition(b"\n\n")
    date, author = 0, ""
    for line in head.split(b"\n"):
        if line.startswith(b"author "):
            ident = _IDENT.match(line[7:])
            if ident is None:
                author = line[7:].decode("utf-8", "replace")
            else:
                author = _shown(ident[1].decode("utf-8", "replace"), ident[2].decode("utf-8", "replace"))
                date = int(ident[3])
            break
    if not -(1 << 63) <= date < 1 << 63:
        date = 0
    return Info(date, author, message.decode("utf-8", "replace"), {RAW: body})
