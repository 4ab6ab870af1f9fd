"""A light client: it holds a root hash and no store, and has every answer proved.

Whoever answers needs no trust. Each question is one request, which brings a proof; the same computation is then run on
nothing but what the proof shows (`irminpy.proof`). What comes out holds for the tree with that root, or raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic

from .backend import Backend, Options, Proving
from .errors import NotFound, StorageError
from .hash import Hash
from .objects import Kind
from .path import Path, PathLike, as_path, join
from .proof import Absence, Page, Proof, Read, verify_commit, verify_proof
from .registry import maker_of_uri
from .schema import Schema
from .types import C, M

__all__ = ["Light"]


class Light(Generic[C, M]):
    """The tree with the hash `root`, as `remote` proves it: the URI of a server, or an open backend that can prove.

    `root` is of a directory, or of a commit, whose bytes are then asked for and lead to its root. Both sides need one
    `schema`. Raises StorageError for a remote that makes no proofs, and whatever a wrong commit raises. A context
    manager, which closes what a URI opened.
    """

    def __init__(self, remote: str | Backend, schema: Schema[C, M], *, root: bytes) -> None:
        self.schema = schema
        self._own = isinstance(remote, str)
        backend = (
            maker_of_uri(remote).open(schema, Options(readonly=True, create=False))[0]
            if isinstance(remote, str)
            else remote
        )
        self._backend = backend
        try:
            if not isinstance(backend, Proving):
                raise StorageError("this store makes no proofs; name a server, as in http://host:8080/")
            self._prover: Proving = backend
            hash_ = Hash.of_bytes(bytes(root), schema.codec.hash_size)
            raw = backend.read(Kind.COMMIT, hash_)
            self.root: Hash = hash_ if raw is None else verify_commit(raw, schema, hash=hash_).tree_hash
            """The hash of the directory that all answers are about."""
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close what a URI opened. A second call does nothing."""
        if self._own:
            self._backend.close()

    def __enter__(self) -> Light[C, M]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def find(self, path: PathLike) -> C | None:
        """The contents at `path`, or None for nothing or a directory. BadProof for an answer that proves less."""
        return self.find_many([path])[as_path(path)]

    def get(self, path: PathLike) -> C:
        """The contents at `path`; NotFound where `find` gives None."""
        found = self.find(path)
        if found is None:
            raise NotFound("path", join(as_path(path)))
        return found

    def find_many(self, paths: Iterable[PathLike]) -> dict[Path, C | None]:
        """`find` for many paths, in one request."""
        job = Read(paths)
        found: dict[Path, C | None] = self._proved(job, "read", job.paths)
        return found

    def absent(self, paths: Iterable[PathLike]) -> dict[Path, bool]:
        """For each path whether there is nothing at all, no directory either; in one request."""
        job = Absence(paths)
        found: dict[Path, bool] = self._proved(job, "absence", job.paths)
        return found

    def page(
        self, path: PathLike = (), offset: int = 0, length: int = 100
    ) -> tuple[int, list[tuple[str, str | None]]]:
        """How many entries the directory at `path` has, and (step, kind) of those on the page."""
        job = Page(path, offset, length)
        found: tuple[int, list[tuple[str, str | None]]] = self._proved(
            job, "page", [job.path], offset=offset, length=length
        )
        return found

    def _proved(self, job: Any, name: str, paths: Iterable[Path], **how: int) -> Any:
        raw = self._prover.prove(self.root, name, [join(path) for path in paths], **how)
        return verify_proof(Proof.from_bytes(raw, self.schema), job, self.schema, root=self.root)[1]
