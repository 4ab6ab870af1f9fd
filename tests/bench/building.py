"""Stores of many keys, built in batches: each batch is some of the first directories, so nothing is written twice."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from irminpy import Repo
from irminpy_pack import Pack

from .workloads import key, spread, value

__all__ = ["batches", "build", "opened"]

_BATCH = 50_000  # keys a commit, about


def opened(
    path: str, index: str = "minimal", durability: str = "none", *, readonly: bool = False
) -> Repo[bytes]:
    """The pack store at `path`. With another index than it was written with, opening reads all of it."""
    return Repo.open(Pack(path, index=index, durability=durability), readonly=readonly)


def batches(n: int, size: int = _BATCH) -> Iterator[list[int]]:
    """The numbers of the first `n` keys, whole first directories together, at least `size` in each batch but the last.

    Four bytes a number are held, so that 10^7 keys take 40 MB.
    """
    directories = [array("I") for _ in range(256)]
    for i in range(n):
        directories[spread(i) >> 24].append(i)
    some: list[int] = []
    for numbers in directories:
        some.extend(numbers)
        if len(some) >= size:
            yield some
            some = []
    if some:
        yield some


def build(repo: Repo[bytes], n: int) -> None:
    """The keys and values of W1, `n` of them, in some commits to main."""
    main = repo.main()
    for date, numbers in enumerate(batches(n)):
        editor = main.tree().edit()
        for i in numbers:
            editor[key(i)] = value(i, 0)
        main.set_tree((), editor.tree(), date=date)
