"""Every error irminpy raises on purpose, in one tree.

    IrminError
      NotFound (also KeyError)         a path, branch, commit or head asked for with `get` is not there
      TestWas                          a compare-and-set did not find the value it was told to expect
      MergeConflict                    both sides changed the same thing
      RefUpdateError                   a branch could not be moved
        NoChange  Rejected  MaxDepthReached  TooManyLcas  TooManyRetries
      DanglingHash                     an object points at another that the store does not have
      PrunedHash                       a subtree was cut away on purpose (a proof, a shallow import)
      PortableValue                    a tree that belongs to no store was asked to read
      BadProof                         a proof is malformed or unsound
        ProofMismatch  StreamTooLong  StreamTooShort
      DecodeError (also ValueError)    bytes, JSON or a value outside the domain of a type
      InvalidStep (also ValueError)    a name a directory entry may not have
        DepthExceeded                  more steps share all digits of their hash than a leaf holds
      InvalidBranch (also ValueError)  a name a branch may not have
      InvalidHash (also ValueError)    text, bytes or a function that is no hash
      SchemaMismatch                   the store was made with another schema
      RemoteError                      the other side of a connection failed
      StorageError                     the files under a store
        Closed  ReadOnly  Locked  Corrupted  NotAStore  UnsupportedVersion

An error carries its data as attributes and words its own message; a program reads the attributes. Every error
pickles, and has a JSON form (`to_json`, `from_json`) for use across a wire. Attributes that may be any Python
object (`TestWas.current`, the sides of a conflict) become text there: bytes as hexadecimal digits, None as
null, other objects as their `repr`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, cast

from irminpy.fields import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class _Codec(NamedTuple):
    """How one attribute goes to JSON and comes back; `of_json` raises TypeError or ValueError."""

    to_json: Callable[[Any], Any]
    of_json: Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a string is expected")
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("an integer is expected")
    return value


def _of_hex(value: Any) -> bytes:
    return bytes.fromhex(_text(value))


def _hex(value: bytes) -> str:
    # `bytes.hex` by name: a subclass of bytes may print itself in another way.
    return bytes.hex(value)


def _optional(codec: _Codec) -> _Codec:
    def to_json(value: Any) -> Any:
        return None if value is None else codec.to_json(value)

    def of_json(value: Any) -> Any:
        return None if value is None else codec.of_json(value)

    return _Codec(to_json, of_json)


def _project(value: object) -> str | None:
    """`value` as text for JSON, or None: text stays, bytes become hexadecimal digits, the rest its repr."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return repr(value)


def _projected(value: Any) -> str | None:
    return None if value is None else _text(value)


class AnyConflict(Protocol):
    """What every conflict tells: `irminpy.Conflict` with values, `ReportedConflict` with text."""

    @property
    def path(self) -> tuple[str, ...]:
        """Where, from the root of what was merged."""
        ...

    @property
    def reason(self) -> str:
        """Why the two sides could not be merged."""
        ...

    @property
    def base(self) -> Any:
        """What the ancestor has there: contents, a tree, or None if it has nothing."""
        ...

    @property
    def ours(self) -> Any:
        """As `base`, of our side."""
        ...

    @property
    def theirs(self) -> Any:
        """As `base`, of their side."""
        ...


class ReportedConflict(NamedTuple):
    """A conflict as another process told of it: where and why, with the three sides as text or None."""

    path: tuple[str, ...]
    reason: str
    base: str | None = None
    ours: str | None = None
    theirs: str | None = None


def _conflicts_to_json(conflicts: Iterable[AnyConflict]) -> list[dict[str, Any]]:
    return [
        {
            "path": [str(step) for step in conflict.path],
            "reason": conflict.reason,
            "base": _project(conflict.base),
            "ours": _project(conflict.ours),
            "theirs": _project(conflict.theirs),
        }
        for conflict in conflicts
    ]


def _conflicts_of_json(value: Any) -> tuple[ReportedConflict, ...]:
    if not isinstance(value, list):
        raise TypeError("a list of conflicts is expected")
    conflicts: list[ReportedConflict] = []
    for item in cast("list[object]", value):
        if not isinstance(item, dict):
            raise TypeError("a conflict is an object")
        fields = cast("dict[str, object]", item)
        path = fields.get("path")
        if not isinstance(path, list):
            raise TypeError("the path of a conflict is a list of strings")
        steps = tuple(_text(step) for step in cast("list[object]", path))
        sides = (_projected(fields.get(side)) for side in ("base", "ours", "theirs"))
        conflicts.append(ReportedConflict(steps, _text(fields.get("reason")), *sides))
    return tuple(conflicts)


_Attributes: TypeAlias = tuple[tuple[str, _Codec], ...]


def _attributes(**codecs: _Codec) -> _Attributes:
    return tuple(codecs.items())


_TEXT = _Codec(_text, _text)
_INT = _Codec(_number, _number)
_BYTES = _Codec(_hex, _of_hex)
_ANY = _Codec(_project, _projected)
_CONFLICTS = _Codec(_conflicts_to_json, _conflicts_of_json)


class IrminError(Exception):
    """The root of every error irminpy raises on purpose; a caller who catches it has caught them all."""

    kind: ClassVar[str] = "error"
    _fields: ClassVar[_Attributes] = _attributes(message=_TEXT)

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        # KeyError would print the repr of the message.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), {name: getattr(self, name) for name, _ in self._fields})

    def to_json(self) -> dict[str, Any]:
        """This error as a JSON object: `error` (its kind), `message`, and its attributes by name."""
        obj: dict[str, Any] = {"error": self.kind, "message": self.message}
        for name, codec in self._fields:
            obj[name] = codec.to_json(getattr(self, name))
        return obj


def _rebuild(cls: type[IrminError], data: dict[str, Any]) -> IrminError:
    return cls(**data)


class NotFound(IrminError, KeyError):
    """There is no `what` ("path", "branch", "commit", "head" …) called `name`."""

    kind = "not-found"
    _fields = _attributes(what=_TEXT, name=_TEXT)

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"{what} not found: {name or ('(root)' if what == 'path' else repr(name))}")
        self.what = what
        self.name = name


class TestWas(IrminError):
    """A compare-and-set at `path` was told to expect one value and found `current` (None: nothing there)."""

    __test__: ClassVar[bool] = False  # not a test class, whatever its name makes pytest believe

    kind = "test-was"
    _fields = _attributes(current=_ANY, path=_TEXT)

    def __init__(self, current: object, path: str) -> None:
        found = "nothing" if current is None else _brief(current)
        super().__init__(
            f"the value at {path or '(root)'} is not the expected one: found {found}; read it and try again"
        )
        self.current = current
        self.path = path


class MergeConflict(IrminError):
    """A merge met `conflicts`, each with `path` and `reason`; `path` and `reason` here are the first's."""

    kind = "merge-conflict"
    _fields = _attributes(conflicts=_CONFLICTS)

    def __init__(self, conflicts: Sequence[AnyConflict]) -> None:
        self.conflicts: tuple[AnyConflict, ...] = tuple(conflicts)
        self.path: tuple[str, ...] = self.conflicts[0].path if self.conflicts else ()
        self.reason: str = self.conflicts[0].reason if self.conflicts else "no reason given"
        more = f" (and {len(self.conflicts) - 1} more)" if len(self.conflicts) > 1 else ""
        super().__init__(f"merge conflict at {'/' + '/'.join(self.path)}: {self.reason}{more}")


class RefUpdateError(IrminError):
    """A branch could not be moved, because of `reason`."""

    kind = "ref-update"
    _fields = _attributes(reason=_TEXT)

    def __init__(self, reason: str) -> None:
        super().__init__(f"the branch was not moved: {reason}")
        self.reason = reason


class NoChange(RefUpdateError):
    """The branch is already where it was to be moved."""

    kind = "no-change"
    _fields = _attributes()

    def __init__(self) -> None:
        super().__init__("it is already there")


class Rejected(RefUpdateError):
    """The move would not be a fast-forward, or another writer was quicker."""

    kind = "rejected"
    _fields = _attributes(reason=_TEXT)

    def __init__(
        self, reason: str = "its head is not an ancestor of the new one, or has just changed"
    ) -> None:
        super().__init__(reason)


class MaxDepthReached(RefUpdateError):
    """No common ancestor was found within `max_depth` levels of history."""

    kind = "max-depth-reached"
    _fields = _attributes(max_depth=_INT)

    def __init__(self, max_depth: int) -> None:
        super().__init__(
            f"no common ancestor within {max_depth} levels of history; allow a greater max_depth"
        )
        self.max_depth = max_depth


class TooManyLcas(RefUpdateError):
    """There are more than `n` lowest common ancestors."""

    kind = "too-many-lcas"
    _fields = _attributes(n=_INT)

    def __init__(self, n: int) -> None:
        super().__init__(f"there are more than {n} lowest common ancestors; allow a greater n")
        self.n = n


class TooManyRetries(RefUpdateError):
    """Other writers were quicker `retries` times in a row."""

    kind = "too-many-retries"
    _fields = _attributes(retries=_INT)

    def __init__(self, retries: int) -> None:
        super().__init__(
            f"other writers were quicker {retries} times in a row; allow more retries or try later"
        )
        self.retries = retries


class DanglingHash(IrminError):
    """While `context` was being done, an object asked for by `hash` was not in the store."""

    kind = "dangling-hash"
    _fields = _attributes(context=_TEXT, hash=_BYTES)

    def __init__(self, context: str, hash: bytes) -> None:
        super().__init__(f"{context}: the store has no object {_hex(hash)}")
        self.context = context
        self.hash = hash


class PrunedHash(IrminError):
    """While `context` was being done, the walk came to the subtree `hash`, of which only the hash is kept."""

    kind = "pruned-hash"
    _fields = _attributes(context=_TEXT, hash=_BYTES)

    def __init__(self, context: str, hash: bytes) -> None:
        super().__init__(f"{context}: only the hash is known of {_hex(hash)}, it was pruned")
        self.context = context
        self.hash = hash


class PortableValue(IrminError):
    """While `context` was being done, the object `hash` was needed, and the tree belongs to no store."""

    kind = "portable-value"
    _fields = _attributes(context=_TEXT, hash=_BYTES)

    def __init__(self, context: str, hash: bytes) -> None:
        super().__init__(f"{context}: {_hex(hash)} would have to be read, and this tree belongs to no store")
        self.context = context
        self.hash = hash


class BadProof(IrminError):
    """A proof is refused because of `reason`, met at `place` (empty: the proof as a whole)."""

    kind = "bad-proof"
    _fields = _attributes(reason=_TEXT, place=_TEXT)

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"bad proof{f' at {place}' if place else ''}: {reason}")
        self.reason = reason
        self.place = place


class ProofMismatch(BadProof):
    """What the proof shows is not what it claims, or not what the caller trusts."""

    kind = "proof-mismatch"


class StreamTooLong(BadProof):
    """The computation ended before the elements of the stream proof did."""

    kind = "stream-too-long"


class StreamTooShort(BadProof):
    """The elements of the stream proof ended before the computation did."""

    kind = "stream-too-short"


class DecodeError(IrminError, ValueError):
    """A `what` could not be made, because of `reason`; `offset` is where, in bytes, or None if not known."""

    kind = "decode"
    _fields = _attributes(what=_TEXT, reason=_TEXT, offset=_optional(_INT))

    def __init__(self, what: str, reason: str, offset: int | None = None) -> None:
        super().__init__(f"not a valid {what}{'' if offset is None else f' at byte {offset}'}: {reason}")
        self.what = what
        self.reason = reason
        self.offset = offset


class InvalidStep(IrminError, ValueError):
    """`step` may not name an entry of a directory, because of `reason`."""

    kind = "invalid-step"
    _fields = _attributes(step=_TEXT, reason=_TEXT)

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"invalid step {_brief(step)}: {reason}")
        self.step = step
        self.reason = reason


class DepthExceeded(InvalidStep):
    """More steps than a leaf holds agree with `step` in all digits of their hash."""

    kind = "depth-exceeded"


class InvalidBranch(IrminError, ValueError):
    """`name` may not name a branch, because of `reason`."""

    kind = "invalid-branch"
    _fields = _attributes(name=_TEXT, reason=_TEXT)

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"invalid branch name {_brief(name)}: {reason}")
        self.name = name
        self.reason = reason


class InvalidHash(IrminError, ValueError):
    """`value` (bytes are kept as hexadecimal digits) is no hash, or no name of one, because of `reason`."""

    kind = "invalid-hash"
    _fields = _attributes(value=_TEXT, reason=_TEXT)

    def __init__(self, value: str | bytes, reason: str) -> None:
        self.value: str = _hex(value) if isinstance(value, bytes) else value
        super().__init__(f"invalid hash {_brief(self.value)}: {reason}")
        self.reason = reason


class SchemaMismatch(IrminError):
    """The schema `wanted` by the caller is not the one `found`; both are texts that name a schema."""

    kind = "schema-mismatch"
    _fields = _attributes(wanted=_TEXT, found=_TEXT)

    def __init__(self, wanted: str, found: str) -> None:
        super().__init__(
            f"schema mismatch: wanted {wanted}, found {found}; open it with the schema it was made with"
        )
        self.wanted = wanted
        self.found = found


class RemoteError(IrminError):
    """The remote `remote` failed or refused, because of `reason`."""

    kind = "remote"
    _fields = _attributes(remote=_TEXT, reason=_TEXT)

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(f"remote {remote}: {reason}")
        self.remote = remote
        self.reason = reason


class StorageError(IrminError):
    """The files under a store could not be used, because of `reason`."""

    kind = "storage"
    _fields = _attributes(reason=_TEXT)

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Closed(StorageError):
    """`what` ("repo", "store" …) was used after it had been closed."""

    kind = "closed"
    _fields = _attributes(what=_TEXT)

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is closed; open it again")
        self.what = what


class Forked(StorageError):
    """`what` was opened for writing before the process forked, and this is the child."""

    kind = "forked"
    _fields = _attributes(what=_TEXT)

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} belongs to the parent process; open it again to write")
        self.what = what


class ReadOnly(StorageError):
    """`what` was opened for reading and asked to write."""

    kind = "read-only"
    _fields = _attributes(what=_TEXT)

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is read-only; open it for writing")
        self.what = what


class Locked(StorageError):
    """Another process (`pid`, or None if it is not known) holds the lock of `path`."""

    kind = "locked"
    _fields = _attributes(path=_TEXT, pid=_optional(_INT))

    def __init__(self, path: str, pid: int | None = None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{path} is locked by {holder}; wait for it to end, or allow a longer timeout")
        self.path = path
        self.pid = pid


class Corrupted(StorageError):
    """`file` is damaged, because of `reason`; `offset` (in bytes) and `hash` of the object, if known."""

    kind = "corrupted"
    _fields = _attributes(file=_TEXT, offset=_optional(_INT), hash=_optional(_BYTES), reason=_TEXT)

    def __init__(self, file: str, offset: int | None, hash: bytes | None, reason: str) -> None:
        where = "" if offset is None else f" at byte {offset}"
        which = "" if hash is None else f", object {_hex(hash)}"
        IrminError.__init__(self, f"{file} is damaged{where}{which}: {reason}")
        self.file = file
        self.offset = offset
        self.hash = hash
        self.reason = reason


class NotAStore(StorageError):
    """There is no store at `path`, because of `reason`."""

    kind = "not-a-store"
    _fields = _attributes(path=_TEXT, reason=_TEXT)

    def __init__(self, path: str, reason: str) -> None:
        IrminError.__init__(self, f"{path} is not a store: {reason}")
        self.path = path
        self.reason = reason


class UnsupportedVersion(StorageError):
    """`what` is of the version `found`, and this library reads `supported` only."""

    kind = "unsupported-version"
    _fields = _attributes(what=_TEXT, found=_TEXT, supported=_TEXT)

    def __init__(self, what: str, found: str | int, supported: str | int) -> None:
        super().__init__(f"{what} has version {found}, and only {supported} can be read; use a newer irminpy")
        self.what = what
        self.found = str(found)
        self.supported = str(supported)


def _brief(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _tree(cls: type[IrminError]) -> list[type[IrminError]]:
    # Only the pinned tree: a subclass somebody else makes goes to JSON as the class of ours that it is.
    below = [sub for sub in cls.__subclasses__() if sub.__module__ == __name__]
    return [cls, *(found for sub in below for found in _tree(sub))]


_BY_KIND = {cls.kind: cls for cls in _tree(IrminError)}


def from_json(obj: object) -> IrminError:
    """The error that `to_json` turned into `obj`; DecodeError if it is not the JSON form of one."""
    if not isinstance(obj, dict):
        raise DecodeError("error", "a JSON object is expected")
    fields = cast("dict[str, object]", obj)
    kind = fields.get("error")
    cls = _BY_KIND.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise DecodeError("error", f"there is no kind of error called {_brief(kind)}")
    data: dict[str, Any] = {}
    for name, codec in cls._fields:  # pyright: ignore[reportPrivateUsage]
        try:
            data[name] = codec.of_json(fields.get(name))
        except (TypeError, ValueError) as cause:
            raise DecodeError("error", f"the attribute {name!r} of {kind}: {cause}") from cause
    return cls(**data)
