"""What went wrong, as the command tells it: what, why, what to type, and an exit status by kind.

| status | meaning |
|---|---|
| 0 | done |
| 1 | the answer is no: different, nothing to do, a test or a proof refused |
| 2 | the command line or a name in it is wrong |
| 3 | not found |
| 4 | conflict, or a lost race |
| 5 | corrupt |
| 6 | a remote or the network |
| 7 | the store cannot be used safely: locked, read-only, another schema or version; the system refused |
| 70 | a fault of irminpy itself |
"""

from __future__ import annotations

from irminpy.errors import IrminError

NO, USAGE, ABSENT, CONFLICT, CORRUPT, REMOTE, UNSAFE, INTERNAL = 1, 2, 3, 4, 5, 6, 7, 70

# By the name of an error's class; one that is not here is told as its base. Status, why, what to type.
KINDS: dict[str, tuple[int, str, str]] = {
    "IrminError": (UNSAFE, "irminpy refused to go on", "irminpy -vv, before the command, shows where"),
    "NotFound": (ABSENT, "nothing has that name here", "check the path, the branch and --store"),
    "TestWas": (NO, "the value is not the one that was expected", "read it again, then repeat the command"),
    "MergeConflict": (
        CONFLICT,
        "both sides changed the same place; nothing was written",
        "choose a side, or merge by hand",
    ),
    "RefUpdateError": (CONFLICT, "the branch was not moved", "look at both sides with irminpy log"),
    "NoChange": (NO, "the branch already stands there", "nothing is left to do"),
    "TooManyRetries": (CONFLICT, "other writers were faster each time", "repeat the command"),
    "DanglingHash": (
        CORRUPT,
        "the store lacks an object that it refers to",
        "fetch it again, or restore a copy",
    ),
    "PrunedHash": (NO, "that part was left out on purpose", "ask somebody who holds the whole tree"),
    "PortableValue": (NO, "the tree is not attached to a store", "ask somebody who holds the whole tree"),
    "BadProof": (NO, "the proof does not show what it claims", "do not trust it; ask for a new one"),
    "DecodeError": (
        CORRUPT,
        "the bytes are not in the form that the format asks for",
        "check where they come from",
    ),
    "InvalidStep": (USAGE, "the format does not allow that step in a path", "choose another path"),
    "DepthExceeded": (
        USAGE,
        "too many names in one directory collide",
        "report it: with a sound hash this cannot happen",
    ),
    "InvalidBranch": (USAGE, "branch names obey git's rules", "choose another name"),
    "InvalidHash": (
        USAGE,
        "a hash is written in hexadecimal, in full or as a prefix",
        "copy it from irminpy log",
    ),
    "SchemaMismatch": (
        UNSAFE,
        "the store was made with another schema",
        "open it with the schema that it names",
    ),
    "RemoteError": (
        REMOTE,
        "the other side did not do what it was asked",
        "check the address, then try again",
    ),
    "StorageError": (
        UNSAFE,
        "the storage below did not do what it was asked",
        "check the disk and the permissions",
    ),
    "Corrupted": (
        CORRUPT,
        "the bytes do not have the hash that they should have",
        "restore a copy of the store",
    ),
    "Locked": (UNSAFE, "another process is writing", "wait for it, then try again"),
    "NotAStore": (ABSENT, "there is no store at that place", "check --store and IRMINPY_STORE"),
    "ReadOnly": (UNSAFE, "the store was opened for reading only", "open it for writing"),
    "UnsupportedVersion": (UNSAFE, "the store was written by a newer irminpy", "upgrade irminpy"),
}


class Failure(Exception):
    """How a command ended: `what` happened, `why`, what to `type`, and the exit `status`."""

    def __init__(self, what: str, *, why: str, type: str, status: int) -> None:
        super().__init__(what, why, type, status)
        self.what = what
        self.why = why
        self.type = type
        self.status = status

    def lines(self) -> tuple[str, str, str]:
        """What, why and what to type, one line each."""
        return f"irminpy: {_line(self.what)}", f"  why: {_line(self.why)}", f"  try: {_line(self.type)}"


def failure_of(error: Exception) -> Failure:
    """`error` as its user should read it."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, IrminError):
        kind = next(cls.__name__ for cls in type(error).__mro__ if cls.__name__ in KINDS)
        status, why, type_ = KINDS[kind]
        return Failure(str(error) or type(error).__name__, why=why, type=type_, status=status)
    if isinstance(error, OSError):
        absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        where = f"{error.filename}: " if error.filename is not None else ""
        return Failure(
            f"{where}{error.strerror or error}",
            why="the operating system refused",
            type="check the path and its permissions",
            status=ABSENT if absent else UNSAFE,
        )
    return Failure(
        f"internal error: {type(error).__name__}: {error}",
        why="this is a fault of irminpy, not of your data",
        type="irminpy -vv, before the command, and report what it prints",
        status=INTERNAL,
    )


def _line(text: str) -> str:
    return " ".join(text.split())
