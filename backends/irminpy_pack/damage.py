"""What a failure of LMDB, or of the system beneath it, says about an index: not now, or never again."""

from __future__ import annotations

import errno

import lmdb

from irminpy.errors import StorageError

__all__ = ["IndexDamaged", "failure"]

# Errors that say nothing about what is in the file. What py-lmdb says on its own account has the code 0.
_NOT_NOW = frozenset(
    {
        *(0, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN),
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EINTR, errno.ENOLCK),
    }
)


class IndexDamaged(Exception):
    """The index in `directory` is not to be used any more, because of `reason`: set it aside and rebuild it.

    A signal inside the pack; it never reaches a user.
    """

    def __init__(self, directory: str, reason: str) -> None:
        super().__init__(f"the index {directory} is damaged: {reason}")
        self.directory = directory
        self.reason = reason


def failure(directory: str, error: lmdb.Error | OSError) -> StorageError | IndexDamaged:
    """What `error`, met in the index in `directory`, is for those above: not now, or never again."""
    code = (error.errno or 0) if isinstance(error, OSError) else error.code
    if code in _NOT_NOW or isinstance(error, lmdb.ReadersFullError | lmdb.TlsFullError):
        return StorageError(f"the index {directory} cannot be used now: {error}; try again when that is over")
    return IndexDamaged(directory, str(error))
