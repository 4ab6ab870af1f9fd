"""Give a staged directory its hash: encode what was edited, once, into a pool of objects in memory.

Only edited directories are visited. All contents of the whole tree are hashed in one go, then directories from the
bottom up. What comes out is a `Stored` directory that reads from the pool; nothing is written to a backend here.
No recursion: a path may have any number of steps.
"""

from __future__ import annotations

from ..errors import DanglingHash
from ..hash import Hash
from ..objects import CONTENTS, CONTENTS_META, DIRECTORY, Objects
from ..shape import EMPTY, Record, apply
from .lazy import ABSENT, Child, Counters, Leaf, Pool, Source, Stored
from .stage import Frozen, Staged

__all__ = ["settle"]

_ONLY_BYTES = {bytes}
_CONTENTS = bytes([CONTENTS])
_CONTENTS_META = bytes([CONTENTS_META])
_DIRECTORY = bytes([DIRECTORY])


class _Job:
    """One edited directory on its way to a hash."""

    __slots__ = ("at", "base", "changes", "frozen", "parent", "step")

    def __init__(
        self,
        base: Stored | None,
        changes: dict[str, Child],
        parent: dict[str, Child] | None,
        step: str,
        frozen: Frozen | None,
        at: int,
    ) -> None:
        self.base = base
        self.changes = changes
        self.parent = parent
        """The changes of the directory above, where the result goes under `step`."""
        self.step = step
        self.frozen = frozen
        self.at = at
        """Where the values of this directory begin among all values."""


def settle(view: Frozen) -> Stored:
    """The directory `view` with its hash, remembered in `view`.

    Cost: what was edited, plus one read per node on the way to an edit; nothing the second time.
    """
    if view.settled is None:
        _Settling(view.staged.line.void).run(view)
    assert view.settled is not None
    return view.settled


class _Settling:
    """One run of `settle`."""

    __slots__ = ("codec", "counters", "jobs", "objects", "parts", "plain", "pools", "values", "void")

    def __init__(self, void: Source) -> None:
        self.void = void
        self.codec = void.codec
        self.counters: Counters = void.counters
        self.jobs: list[_Job] = []
        # New directories that hold nothing but contents with default metadata, and few of them: most are.
        self.plain: list[_Job] = []
        self.values: list[bytes] = []
        self.objects = Objects()
        self.pools: dict[int, Pool] = {}
        self.parts: list[Stored | Leaf] = []

    def run(self, view: Frozen) -> None:
        """Settle `view`."""
        self._collect(view)
        codec = self.codec
        data = codec.encode_contents(self.values)
        hashes = codec.digest_many(data)
        self.objects.contents.update(zip(hashes, data, strict=True))
        self.counters.contents_hash += len(hashes)
        self.counters.node_hash += len(self.jobs) + len(self.plain)
        # A new directory reads from the pool of the root; the objects are the same in all.
        root = self.jobs[0].base if self.jobs else None
        first = self._pool(None if root is None else root.source)
        self._settle_plain(hashes, first)
        # A directory was collected before the directories below it.
        for job in reversed(self.jobs):
            hash_ = self._mixed(job, hashes)
            now = {s: c for s, c in job.changes.items() if c is not ABSENT}
            pool = first if job.base is None else self._pool(job.base.source)
            _finish(job, Stored(hash_, pool, now, _pins(job, pool)))
        assert view.settled is not None
        exact = all(pool.parent is None or pool.parent.saved for pool in self.pools.values())
        for pool in self.pools.values():
            if exact:
                pool.whole = (view.settled.hash, self.parts)
            _absorb(pool)

    def _collect(self, view: Frozen) -> None:
        """Make a job of each edited directory, parents first, and gather all values to be hashed."""
        values, jobs, plain = self.values, self.jobs, self.plain
        order, leaf = self.codec.order, self.codec.leaf
        stack: list[tuple[Staged, int, Frozen | None, dict[str, Child] | None, str]] = [
            (view.staged, view.version, view, None, "")
        ]
        while stack:
            staged, version, frozen, parent, step = stack.pop()
            changes = staged.overlay(version)
            base = staged.base
            while type(base) is Frozen and base.settled is None:
                for name, child in base.staged.overlay(base.version).items():
                    if name not in changes:
                        changes[name] = Frozen(child, base.version) if type(child) is Staged else child
                base = base.staged.base
            job = _Job(base.settled if type(base) is Frozen else base, changes, parent, step, frozen, len(values))
            if base is None and len(changes) <= leaf and set(map(type, changes.values())) == _ONLY_BYTES:
                if len(changes) > 1:
                    job.changes = changes = {name: changes[name] for name in sorted(changes, key=order)}
                values.extend(changes.values())  # type: ignore[arg-type]
                plain.append(job)
                continue
            jobs.append(job)
            for name, child in changes.items():
                kind = type(child)
                if kind is bytes:
                    values.append(child)  # type: ignore[arg-type]
                elif kind is Staged:
                    stack.append((child, version, None, changes, name))  # type: ignore[arg-type]
                elif kind is Frozen:
                    assert type(child) is Frozen
                    if child.settled is not None:
                        changes[name] = child.settled
                        self.parts.append(child.settled)
                    else:
                        stack.append((child.staged, child.version, child, changes, name))
                elif kind is Stored or kind is Leaf:
                    self.parts.append(child)  # type: ignore[arg-type]

    def _settle_plain(self, hashes: list[bytes], pool: Pool) -> None:
        codec = self.codec
        encode = codec.encode_node
        data: list[bytes] = []
        for job in self.plain:
            steps = list(job.changes)
            n = len(steps)
            at = job.at
            column = hashes[at] if n == 1 else b"".join(hashes[at : at + n])
            data.append(encode(steps, _CONTENTS * n, column, []))
        found = codec.digest_many(data)
        self.objects.nodes.update(zip(found, data, strict=True))
        for job, hash_ in zip(self.plain, found, strict=True):
            _finish(job, Stored(hash_, pool, job.changes))

    def _mixed(self, job: _Job, hashes: list[bytes]) -> bytes:
        at = job.at
        empty = self.codec.empty
        entries: dict[str, bytes | None] = {}
        for step, child in job.changes.items():
            if type(child) is bytes:
                entries[step] = _CONTENTS + hashes[at]
                at += 1
            elif type(child) is Stored:
                entries[step] = None if child.hash == empty else _DIRECTORY + child.hash
            elif type(child) is Leaf:
                if child.in_hand is not None:
                    self.objects.contents[child.hash] = self.codec.encode_contents([child.in_hand])[0]
                if child.metadata is None:
                    entries[step] = _CONTENTS + child.hash
                else:
                    entries[step] = _CONTENTS_META + child.hash + child.metadata
            else:
                assert child is ABSENT
                entries[step] = None
        nodes = self.objects.nodes
        base = job.base
        if base is None:
            return apply(self.codec, _nothing, nodes, EMPTY, entries)[0]
        return apply(self.codec, base.source.node, nodes, base.record(), entries)[0]

    def _pool(self, parent: Source | None) -> Pool:
        pool = self.pools.get(id(parent))
        if pool is None:
            pool = self.pools[id(parent)] = Pool(self.codec, self.counters, self.objects, parent)
        return pool


def _finish(job: _Job, stored: Stored) -> None:
    if job.parent is not None:
        job.parent[job.step] = stored
    if job.frozen is not None:
        job.frozen.settled = stored


def _pins(job: _Job, pool: Pool) -> dict[str, Stored | Leaf] | None:
    """The children of a settled directory that cannot be read through its own pool."""
    pins: dict[str, Stored | Leaf] = {}
    if job.base is not None and job.base.pins:
        pins = {step: part for step, part in job.base.pins.items() if step not in job.changes}
    for step, child in job.changes.items():
        if type(child) is Stored:
            if child.source is not pool or child.pins is not None:
                pins[step] = child
        elif type(child) is Leaf and child.in_hand is None and child.source is not pool:
            pins[step] = child
    return pins or None


def _nothing(hash: bytes, /) -> Record:
    raise DanglingHash("a directory without a store", Hash(hash))


def _absorb(pool: Pool) -> None:
    """Merge small pools, so that a chain of edits and hashes has few pools to look through.

    A pool takes in its parent only if that is at most twice as large: each object is copied O(log n) times.
    """
    while True:
        parent = pool.parent
        if not isinstance(parent, Pool) or parent.saved or len(parent.objects) > 2 * len(pool.objects) + 64:
            return
        merged = Objects(dict(parent.objects.contents), dict(parent.objects.nodes))
        merged.update(pool.objects)
        pool.objects = merged
        pool.parent = parent.parent
