"""The fixed workloads, as the real Irmin ran them: keys, values and random numbers (tests/vectors/irmin/README.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from irminpy import Commit, Repo, Tree

__all__ = ["N", "Updates", "first", "key", "rng", "spread", "updates", "value"]

N = 100_000

Updates = list[tuple[str, bytes]]

_ALPHABET = bytes(range(97, 123)) * 5


def spread(i: int) -> int:
    """A number below 2^32 that looks random, and is the same in every run."""
    return ((i + 1) * 2654435761) % 2**32


def key(i: int) -> str:
    """The path of the i-th key."""
    return f"a{spread(i) >> 24:02x}/b{spread(i) >> 16 & 255:02x}/k{i}"


def value(i: int, g: int) -> bytes:
    """The 100 bytes that the i-th key has in generation `g`."""
    at = (i + g + 18) % 26
    return b"%08d:%08d:" % (i, g) + _ALPHABET[at : at + 82]


def rng(seed: int) -> Callable[[int], int]:
    """A function that gives the next number below its argument."""
    state = seed

    def following(m: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % m

    return following


def updates(seed: int, generations: int, n: int = N, paths: Sequence[str] | None = None) -> Iterator[Updates]:
    """W2: a hundred bindings a generation; of other `paths` if they are given."""
    following = rng(seed)
    for g in range(generations):
        numbers = [following(n) for _ in range(100)]
        yield [(key(i) if paths is None else paths[i], value(i, g + 1)) for i in numbers]


def first(repo: Repo[bytes], n: int = N) -> Commit[bytes]:
    """W1: all keys, in one commit to main."""
    editor = Tree.empty(repo.schema).edit()
    for i in range(n):
        editor[key(i)] = value(i, 0)
    commit = repo.main().set_tree((), editor.tree(), date=0)
    assert commit is not None
    return commit
