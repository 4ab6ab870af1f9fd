"""The goals: which two costs are compared, and what must be, what is ambitious, what a compiled core reaches.

`least` rows ask for at least the bound, the others for at most. A row without bounds is there to be known.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from .figures import Figures, Key, ratio

__all__ = ["BOUNDS", "PACK", "ROWS", "Row", "judged", "numbers"]

PACK: Final = "pack"
BOUNDS: Final = ("must", "ambitious", "C")
"""From the least to the most that is asked for; the last is for a compiled core."""
_IRMIN: Final = "Irmin pack"
_WIDE, _TALL = "10x100x100", "256x256"


class Row(NamedTuple):
    """A ratio of the costs of `above` and `below`; a cost in kB if there is none below."""

    name: str
    what: str
    above: Key
    below: Key | None
    bounds: tuple[float, ...] = ()
    """As many of BOUNDS as there are."""
    least: bool = True

    @property
    def number(self) -> str:
        """The name without what tells the parts of one goal apart."""
        return self.name.split()[0]

    def lost(self, found: float) -> bool:
        """Whether ours is slower or larger than another store, by how little soever."""
        others = {key[0] for key in (self.above, self.below) if key is not None} - {PACK}
        if self.below is None or others & {"pack-always", "hashing", "barriers"}:
            return False
        return found < 1 if self.least else found > 1

    def reached(self, found: float) -> str:
        """The best of the bounds that `found` meets, "MISSED", or nothing for a row without bounds."""
        best = "MISSED" if self.bounds else ""
        for bound, name in zip(self.bounds, BOUNDS, strict=False):
            if found >= bound if self.least else found <= bound:
                best = name
        return best


def _irmin(name: str, what: str, work: str, *bounds: float) -> Row:
    return Row(name, f"{what}, beside Irmin's pack", (_IRMIN, work), (PACK, work), bounds)


def _peer(name: str, what: str, peer: str, work: str, *bounds: float) -> Row:
    return Row(name, f"{what}, beside {peer}", (peer, work), (PACK, work), bounds)


def _most(name: str, what: str, above: Key, below: Key | None, *bounds: float) -> Row:
    return Row(name, what, above, below, bounds, least=False)


ROWS: Final[tuple[Row, ...]] = (
    _irmin("1", "W1, adds through immutable handles", "W1_adds_per_cpu_s", 1.2, 2, 5),
    _irmin("2", "W1, the commit of them", "W1_commit_cpu_s", 1, 1.7, 6),
    _irmin("3", "W2, 1,000 commits of 100 updates", "W2_commits_per_cpu_s", 3, 6, 15),
    _irmin("3 first", "W2, the first 100 of them", "W2_first_100_commits_per_cpu_s", 3, 6, 15),
    _most(
        "3 always",
        "W2, all commits, time with `always` / `minimal`",
        ("pack-always", "W2 all"),
        (PACK, "W2 all"),
        *(1.4, 1.2),
    ),
    _irmin("4", "W4, commits of one entry in one directory", "W4_one_entry_commits_per_s", 1.5, 4, 6),
    _irmin("5", "W3, finds after reopening", "W3_finds_per_cpu_s_reopened", 1.2, 2, 8),
    _irmin("6", "W3, finds on the same tree again", "W3_finds_per_cpu_s_same_tree", 0.4, 0.7, 1.5),
    _irmin("7", "W6, diffs of neighbouring commits", "W6_diffs_per_cpu_s", 5, 20),
    _irmin("8", "W8, merges of 100 and 100 updates", "W8_merges_per_cpu_s", 2, 6),
    _irmin("9", "W7, fold over all leaves, sorted", "W7_leaves_per_cpu_s_sorted", 1.5, 4, 8),
    _peer("10", "first insert and root", "py-trie", f"first {_WIDE} small", 40, 80, 250),
    _peer("11", "commits of 100 updates", "py-trie", f"W2 {_WIDE} small", 7, 15, 40),
    _peer("12", "finds in an old version, warm", "py-trie", f"finds {_WIDE} small", 15, 30, 100),
    _peer("13 make", "one-key proofs made", "py-trie", "prove", 3, 10),
    _peer("13 verify", "one-key proofs verified", "py-trie", "verify", 10, 35),
    _peer("14 dulwich", "first insert", "dulwich", f"first {_WIDE} small", 8, 14, 40),
    _peer("14 pygit2", "first insert", "pygit2", f"first {_WIDE} small", 15, 28, 80),
    _peer("14 git", "first insert", "git fast-import", f"first {_WIDE}", 5, 9, 30),
    _peer("15 dulwich", "commits of 100 updates", "dulwich", f"W2 {_WIDE} small"),
    _peer("15 pygit2", "commits of 100 updates", "pygit2", f"W2 {_WIDE} small", 8, 15),
    _peer("15 git", "commits of 100 updates", "git fast-import", f"W2 {_WIDE}", 2, 3.5),
    _peer(f"16 {_WIDE}", f"commits of 100 updates, {_WIDE}", "SQLite", f"W2 {_WIDE}", 0.4, 0.8, 2),
    _peer(f"16 {_TALL}", f"commits of 100 updates, {_TALL}", "SQLite", f"W2 {_TALL}", 0.4, 0.8, 2),
    _peer("17", "commits of 100 updates", "ZODB", f"W2 {_WIDE}", 2, 3.5),
    _most(
        "17 disk",
        "bytes on the disk after them, beside ZODB",
        (PACK, f"disk {_WIDE}"),
        ("ZODB", f"disk {_WIDE}"),
        *(0.7, 0.5),
    ),
    *(
        _most(
            f"18 {shape}",
            f"find in an old version, warm / LMDB get, {shape}",
            (PACK, f"finds {shape}"),
            ("LMDB", f"finds {shape}"),
            *(4, 2, 0.8),
        )
        for shape in (_WIDE, _TALL)
    ),
    *(
        _most(
            f"19 {shape}",
            f"find with nothing decoded, all verified / LMDB get, {shape}",
            (PACK, f"bare finds {shape}"),
            ("LMDB", f"finds {shape}"),
            *(24, 12, 1.5),
        )
        for shape in (_WIDE, _TALL)
    ),
    Row(
        "20",
        "first insert, one batch, beside prollytree's, which is in memory",
        ("prollytree", f"first {_WIDE}"),
        (PACK, f"first batch {_WIDE}"),
        (0.3, 0.6, 1.5),
    ),
    _peer("20 handles", "the same through immutable handles", "prollytree", f"first {_WIDE}"),
    _peer("20 commits", "commits of 100 updates, in memory", "prollytree", f"W2 {_WIDE}"),
    _most(
        f"21 {_WIDE}",
        f"staging and commit / hashing the values, {_WIDE}",
        (PACK, f"edit and commit {_WIDE}"),
        ("hashing", "values"),
        *(16, 8, 2),
    ),
    _most(
        f"21 {_TALL}",
        f"staging and commit / hashing the values, {_TALL}",
        (PACK, f"edit and commit {_TALL}"),
        ("hashing", "values"),
        *(22, 12, 2),
    ),
    _most(
        "22",
        "durable commits of 100 updates, wall time / two bare barriers",
        (PACK, "durable"),
        ("barriers", "two"),
        *(12, 6, 3),
    ),
    _most("23", "bytes of a one-key proof, median, kB", (PACK, "proof bytes"), None, 4, 2.5, 2.5),
    _most(f"24 {_WIDE}", f"kB written per updated key, {_WIDE}", (PACK, f"written {_WIDE}"), None, 2, 1.6, 1.6),
    _most(f"24 {_TALL}", f"kB written per updated key, {_TALL}", (PACK, f"written {_TALL}"), None, 2, 1.6, 1.6),
)  # fmt: skip


def numbers() -> list[str]:
    """The numbers of the goals, in order."""
    return list(dict.fromkeys(row.number for row in ROWS))


def judged(turns: Iterable[Figures], scale: float) -> list[dict[str, Any]]:
    """Each row for which there are figures, with what was found and what it reaches."""
    turns = list(turns)
    found: list[dict[str, Any]] = []
    for row in ROWS:
        told = ratio(turns, row.above, row.below, scale)
        if told is None:
            continue
        if row.below is None:
            told = told._replace(median=told.median / 1000, low=told.low / 1000, high=told.high / 1000)
        found.append(
            {
                "row": row.name,
                "what": row.what,
                **dict(zip_longest(BOUNDS, row.bounds)),
                "least": row.least,
                **told._asdict(),
                "reached": row.reached(told.median),
                "lost": row.lost(told.median),
            }
        )
    return found
