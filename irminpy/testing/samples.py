"""Objects to write into a backend, made by the schema's own codec, and a way to run threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..hash import Hash
from ..info import Info
from ..objects import CONTENTS, DIRECTORY, Commit, Objects
from ..schema import Schema

__all__ = ["commit_of", "contents", "history", "in_threads"]


def contents(schema: Schema[Any, Any], *values: bytes) -> Objects:
    """The objects of some values."""
    data = schema.codec.encode_contents(list(values))
    return Objects(dict(zip(schema.codec.digest_many(data), data, strict=True)))


def commit_of(
    schema: Schema[Any, Any], message: str, parents: tuple[Hash, ...], value: bytes = b"v"
) -> tuple[Objects, Hash]:
    """The objects of a commit of {"d": {"k": value}}, and its hash."""
    codec = schema.codec
    made = contents(schema, value)
    (leaf,) = made.contents
    inner = codec.encode_node(["k"], bytes([CONTENTS]), leaf, [])
    root = codec.encode_node(["d"], bytes([DIRECTORY]), codec.digest(inner), [])
    for data in (inner, root):
        made.nodes[codec.digest(data)] = data
    data = codec.encode_commit(Commit(Hash(codec.digest(root)), parents, Info(0, "suite", message)))
    made.commits[codec.digest(data)] = data
    return made, Hash(codec.digest(data))


def history(schema: Schema[Any, Any], n: int) -> tuple[Objects, list[Hash]]:
    """A line of `n` commits, oldest first."""
    made, heads = Objects(), list[Hash]()
    for i in range(n):
        more, head = commit_of(schema, f"commit {i}", tuple(heads[-1:]), value=b"%d" % i)
        made.update(more)
        heads.append(head)
    return made, heads


def in_threads(n: int, work: Callable[[int], None]) -> None:
    """Run `work(0)` … `work(n - 1)` on threads of their own; the first failure of any is raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(n)

    def run(i: int) -> None:
        try:
            start.wait()
            work(i)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if failures:
        raise failures[0]
