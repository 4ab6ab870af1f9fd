"""Git, three ways, beside ours: dulwich, pygit2, and `git fast-import`."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from abc import abstractmethod
from typing import Any, ClassVar

from .sides import Side
from .workloads import Updates

__all__ = ["Dulwich", "FastImport", "Pygit2"]


class _Trees(Side):
    """Trees of directories that changed, made anew from dicts in memory."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._root: dict[str, Any] = {}

    def _bind(self, bindings: Updates) -> Any:
        """The id of the root with `bindings` in it."""
        touched: dict[str, Any] = {}
        for path, value in bindings:
            *steps, last = path.split("/")
            node, way = self._root, touched
            for step in steps:
                node, way = node.setdefault(step, {}), way.setdefault(step, {})
            node[last] = self._blob(value)
        return self._write(self._root, touched)

    def _write(self, node: dict[str, Any], touched: dict[str, Any]) -> Any:
        for step, below in touched.items():
            # The hash of a directory lies in it, under a step that no path has.
            node[step][""] = self._write(node[step], below)
        return self._directory(node)

    @abstractmethod
    def _blob(self, value: bytes) -> Any:
        """Its id."""

    @abstractmethod
    def _directory(self, node: dict[str, Any]) -> Any:
        """The id of a tree with the ids in `node`; that of a directory is under ""."""


class Dulwich(_Trees):
    """A bare repository: a pack for each commit, compressed as git would."""

    name = "dulwich"
    module = "dulwich"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        os.mkdir(path)
        self._objects: Any = importlib.import_module("dulwich.objects")
        self._repo: Any = importlib.import_module("dulwich.repo").Repo.init_bare(path)
        self._head: list[bytes] = []
        self._made: list[Any] = []

    def commit(self, bindings: Updates) -> None:
        commit = self._objects.Commit()
        commit.tree = self._bind(bindings)
        commit.parents = self._head
        commit.author = commit.committer = b"bench <bench>"
        commit.author_time = commit.commit_time = 0
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = b""
        self._repo.object_store.add_objects([*self._made, (commit, None)])
        self._repo.refs[b"refs/heads/main"] = commit.id
        self._head, self._made = [commit.id], []

    def _blob(self, value: bytes) -> Any:
        blob = self._objects.Blob.from_string(value)
        self._made.append((blob, None))
        return blob.id

    def _directory(self, node: dict[str, Any]) -> Any:
        tree = self._objects.Tree()
        for step, child in node.items():
            if isinstance(child, dict):
                tree.add(step.encode(), 0o40000, child[""])
            elif step:
                tree.add(step.encode(), 0o100644, child)
        self._made.append((tree, None))
        return tree.id

    def close(self) -> None:
        self._repo.close()


class Pygit2(_Trees):
    """A bare repository of loose objects, written by libgit2."""

    name = "pygit2"
    module = "pygit2"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._git: Any = importlib.import_module("pygit2")
        self._repo: Any = self._git.init_repository(path, bare=True)
        self._author: Any = self._git.Signature("bench", "bench", 0, 0)
        self._head: list[Any] = []

    def commit(self, bindings: Updates) -> None:
        tree = self._bind(bindings)
        ref = "refs/heads/main"
        self._head = [self._repo.create_commit(ref, self._author, self._author, "", tree, self._head)]

    def _blob(self, value: bytes) -> Any:
        return self._repo.create_blob(value)

    def _directory(self, node: dict[str, Any]) -> Any:
        builder = self._repo.TreeBuilder()
        for step, child in node.items():
            if isinstance(child, dict):
                builder.insert(step, child[""], self._git.GIT_FILEMODE_TREE)
            elif step:
                builder.insert(step, child, self._git.GIT_FILEMODE_BLOB)
        return builder.write()

    def close(self) -> None:
        self._repo.free()


class FastImport(Side):
    """One `git fast-import` for each call of `commits`; its CPU time is that of a child, told once it has ended."""

    name = "git fast-import"
    tool: ClassVar[str] = "git"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        self._run("init", "--quiet", "--bare", path)
        self._made = 0

    @classmethod
    def absent(cls) -> str | None:
        return None if shutil.which(cls.tool) else f"{cls.tool} is not installed"

    def _run(self, *arguments: str, data: bytes | None = None) -> None:
        subprocess.run(["git", *arguments], input=data, env=self._environment, check=True)

    def commit(self, bindings: Updates) -> None:
        self.commits([bindings])

    def commits(self, generations: list[Updates]) -> None:
        """A commit for each of them."""
        parts: list[bytes] = []
        for bindings in generations:
            parts.append(b"commit refs/heads/main\ncommitter bench <bench> %d +0000\ndata 0\n" % self._made)
            if self._made and len(parts) == 1:
                # Within one stream, each commit is on top of the one before by itself.
                parts.append(b"from refs/heads/main^0\n")
            for path, value in bindings:
                parts.append(b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(value), value))
            self._made += 1
        self._run("-C", self.path, "fast-import", "--quiet", "--done", data=b"".join([*parts, b"done\n"]))
