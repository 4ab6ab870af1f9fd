"""Give a staged directory its hash: encode what was edited, once, into a pool of objects in memory.

Only edited directories are visited. All contents of the whole tree are hashed in one go, then directories from the
bottom up. What comes out is a `Stored` directory that reads from the pool; nothing is written to a backend here.
No recursion: a path may have any number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import DanglingHash
from ..hash import Hash
from ..objects import CONTENTS, CONTENTS_META, DIRECTORY, Objects
from ..shape import EMPTY, Record, apply, build
from .lazy import ABSENT, Child, Counters, Leaf, Pool, Source, Stored
from .stage import Frozen, Line, Staged

__all__ = ["settle"]

_ONLY_BYTES = {bytes}
_CONTENTS = bytes([CONTENTS])
_CONTENTS_META = bytes([CONTENTS_META])
_DIRECTORY = bytes([DIRECTORY])


class _Job:
    """One edited directory on its way to a hash."""

    __slots__ = ("also", "at", "base", "changes", "entries", "frozen", "parent", "step", "values", "waits")

    def __init__(
        self,
        base: Stored | None,
        changes: dict[str, Child],
        parent: _Job | None,
        step: str,
        frozen: Frozen | None,
        at: int,
    ) -> None:
        self.base = base
        self.changes = changes
        self.parent = parent
        self.step = step
        self.frozen = frozen
        self.at = at
        """Where the values of this directory begin among all values."""
        self.values: list[str] = []
        """The steps that lead to values."""
        self.entries: dict[str, bytes | None] = {}
        """What the other edited steps lead to; the directories below fill in their own."""
        self.also: list[tuple[_Job, str, Frozen]] = []
        """The other places of the same directory: the job above, the step there, and its child."""
        self.waits = 0
        """How many jobs below are not finished; counted only if some directory has several places."""

    def places(self) -> Iterator[tuple[_Job, str]]:
        """The jobs above, and the steps there."""
        if self.parent is not None:
            yield self.parent, self.step
        for parent, step, _ in self.also:
            yield parent, step


def settle(view: Frozen, *, keep: bool = True) -> Stored:
    """The directory `view` with its hash, remembered in `view`.

    `keep` leaves what is in memory at hand for later reads. Cost: what was edited, plus one read per node on the
    way to an edit; nothing the second time.
    """
    if view.settled is None:
        _Settling(view.staged.line.void, keep=keep).run(view)
    assert view.settled is not None
    return view.settled


class _Settling:
    """One run of `settle`."""

    __slots__ = (
        "codec",
        "counters",
        "jobs",
        "keep",
        "objects",
        "parts",
        "plain",
        "pools",
        "seen",
        "shared",
        "values",
    )

    def __init__(self, void: Source, *, keep: bool) -> None:
        self.codec = void.codec
        self.counters: Counters = void.counters
        self.keep = keep
        self.jobs: list[_Job] = []
        # New directories that hold nothing but a few values: most are. (steps with values, job above, step, at)
        self.plain: list[tuple[dict[str, Child], _Job, str, int]] = []
        self.values: list[bytes] = []
        self.objects = Objects()
        self.pools: dict[int, Pool] = {}
        self.parts: list[Stored | Leaf] = []
        # One directory may be bound in many places, and each of those again: it is settled once.
        self.seen: dict[tuple[Staged, int], _Job] = {}
        self.shared = False

    def run(self, view: Frozen) -> None:
        """Settle `view`."""
        line = view.staged.line
        # Never wait: this thread may hold the lock of another line, and its holder may want that one. Without
        # the lock the newest version is read as an older one, which costs more.
        mine = line.lock.acquire(blocking=False)
        try:
            self._collect(view, line if mine and line.version == view.version else None)
        finally:
            if mine:
                line.lock.release()
        codec = self.codec
        data = codec.encode_contents(self.values)
        hashes = codec.digest_many(data)
        self.objects.contents.update(zip(hashes, data, strict=True))
        self.counters.contents_hash += len(hashes)
        self.counters.node_hash += len(self.jobs) + len(self.plain)
        # A new directory reads from the pool of the root; the objects are the same in all.
        root = self.jobs[0].base
        first = self._pool(None if root is None else root.source)
        self._settle_plain(hashes, first)
        for job in self._upwards():
            pool = first if job.base is None else self._pool(job.base.source)
            self._finish(job, self._hash(job, hashes), pool)
        assert view.settled is not None
        parents = [pool.parent for pool in self.pools.values() if pool.parent is not None]
        bases = {id(base): base for base in [_base(parent) for parent in parents]}
        exact = len(bases) <= 1 and all(parent.saved for parent in parents)
        for pool in self.pools.values():
            if exact:
                pool.whole = (view.settled.hash, self.parts, next(iter(bases.values()), None))
            _absorb(pool)

    def _upwards(self) -> Iterator[_Job]:
        """The jobs, each after those of the directories below it."""
        if not self.shared:
            # A directory was collected before the directories below it.
            yield from reversed(self.jobs)
            return
        for job in self.jobs:
            for parent, _ in job.places():
                parent.waits += 1
        ready = [job for job in self.jobs if not job.waits]
        while ready:
            job = ready.pop()
            yield job
            for parent, _ in job.places():
                parent.waits -= 1
                if not parent.waits:
                    ready.append(parent)

    def _collect(self, view: Frozen, line: Line | None) -> None:
        """Make a job of each edited directory, parents first, and gather all values to be hashed.

        `line` is the line whose newest version is settled, its lock held; None for an older version.
        """
        values, jobs, plain = self.values, self.jobs, self.plain
        order, leaf, empty = self.codec.order, self.codec.leaf, self.codec.empty
        stack: list[tuple[Staged, int, Frozen | None, _Job | None, str]] = [
            (view.staged, view.version, view, None, "")
        ]
        while stack:
            staged, version, frozen, parent, step = stack.pop()
            if frozen is not None and parent is not None:
                again = self.seen.get((staged, version))
                if again is not None:
                    again.also.append((parent, step, frozen))
                    self.shared = True
                    continue
            base = staged.base
            if base is None and staged.line is line and version == view.version:
                changes = staged.now.copy()
            else:
                changes = staged.overlay(version)
                while type(base) is Frozen and base.settled is None:
                    for name, child in base.staged.overlay(base.version).items():
                        if name not in changes:
                            changes[name] = Frozen(child, base.version) if type(child) is Staged else child
                    base = base.staged.base
                if type(base) is Frozen:
                    base = base.settled
            n = len(changes)
            pure = base is None and set(map(type, changes.values())) == _ONLY_BYTES
            if pure and n <= leaf and parent is not None and frozen is None:
                plain.append((changes, parent, step, len(values)))
                if n > 1:
                    for name in sorted(changes, key=order):
                        values.append(changes[name])  # type: ignore[arg-type]
                else:
                    values.extend(changes.values())  # type: ignore[arg-type]
                continue
            assert base is None or type(base) is Stored
            job = _Job(base, changes, parent, step, frozen, len(values))
            jobs.append(job)
            if frozen is not None:
                self.seen[staged, version] = job
            if pure:
                job.values = list(changes)
                values.extend(changes.values())  # type: ignore[arg-type]
                continue
            entries = job.entries
            for name, child in changes.items():
                kind = type(child)
                if kind is bytes:
                    job.values.append(name)
                    values.append(child)  # type: ignore[arg-type]
                elif kind is Staged:
                    stack.append((child, version, None, job, name))  # type: ignore[arg-type]
                elif kind is Frozen:
                    assert type(child) is Frozen
                    if child.settled is None:
                        stack.append((child.staged, child.version, child, job, name))
                    else:
                        changes[name] = child.settled
                        self.parts.append(child.settled)
                        entries[name] = _DIRECTORY + child.settled.hash
                elif kind is Stored:
                    assert type(child) is Stored
                    self.parts.append(child)
                    entries[name] = None if child.hash == empty else _DIRECTORY + child.hash
                elif kind is Leaf:
                    assert type(child) is Leaf
                    entries[name] = self._leaf(child)
                else:
                    entries[name] = None

    def _leaf(self, leaf: Leaf) -> bytes:
        if leaf.in_hand is None:
            self.parts.append(leaf)
        else:
            self.objects.contents[leaf.hash] = self.codec.encode_contents([leaf.in_hand])[0]
        if leaf.metadata is None:
            return _CONTENTS + leaf.hash
        return _CONTENTS_META + leaf.hash + leaf.metadata

    def _settle_plain(self, hashes: list[bytes], pool: Pool) -> None:
        codec = self.codec
        encode, order = codec.encode_node, codec.order
        data: list[bytes] = []
        for changes, _, _, at in self.plain:
            n = len(changes)
            if n == 1:
                data.append(encode(list(changes), _CONTENTS, hashes[at], []))
            else:
                column = b"".join(hashes[at : at + n])
                data.append(encode(sorted(changes, key=order), _CONTENTS * n, column, []))
        found = codec.digest_many(data)
        self.objects.nodes.update(zip(found, data, strict=True))
        for (changes, parent, step, _), hash_ in zip(self.plain, found, strict=True):
            parent.entries[step] = _DIRECTORY + hash_
            if self.keep:
                parent.changes[step] = Stored(hash_, pool, changes)

    def _hash(self, job: _Job, hashes: list[bytes]) -> bytes:
        codec, nodes, steps, entries, base = self.codec, self.objects.nodes, job.values, job.entries, job.base
        own = hashes[job.at : job.at + len(steps)]
        if base is None and not entries:
            return build(codec, nodes, steps, _CONTENTS * len(steps), own, {})
        entries.update(zip(steps, [_CONTENTS + hash_ for hash_ in own], strict=True))
        if base is None:
            return apply(codec, _nothing, nodes, EMPTY, entries)[0]
        return apply(codec, base.source.node, nodes, base.record(), entries)[0]

    def _finish(self, job: _Job, hash_: bytes, pool: Pool) -> None:
        pins = _pins(job, pool)
        now = {s: c for s, c in job.changes.items() if c is not ABSENT} if self.keep else {}
        stored = Stored(hash_, pool, now, pins)
        for parent, step in job.places():
            parent.entries[step] = _DIRECTORY + hash_
            parent.changes[step] = stored
        for _, _, frozen in job.also:
            frozen.settled = stored
        if job.frozen is not None:
            job.frozen.settled = stored

    def _pool(self, parent: Source | None) -> Pool:
        pool = self.pools.get(id(parent))
        if pool is None:
            pool = self.pools[id(parent)] = Pool(self.codec, self.counters, self.objects, parent)
        return pool


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


def _base(source: Source) -> Source | None:
    """The repository behind `source`, or what is there instead."""
    return source.base_repo() if isinstance(source, Pool) else source


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
