"""Give a staged directory its hash: encode what was edited, once, into a pool of objects in memory.

Only edited directories are visited. New ones that hold only a few values are hashed first, all together; then all other
contents in one go, then the other directories from the bottom up. What comes out is a `Stored` directory that reads
from the pool; nothing is written to a backend here.
No recursion: a path may have any number of steps.
"""

from __future__ import annotations

from struct import Struct
from typing import cast

from ..errors import DanglingHash
from ..hash import Hash
from ..objects import CONTENTS, CONTENTS_META, DIRECTORY, Objects
from ..reshape import apply
from ..shape import EMPTY, Record, build
from .at_once import settled_at_once
from .lazy import ABSENT, Child, Counters, Leaf, Pool, Source, Stored, Whole, base_of
from .stage import MOST_FEW, Few, Frozen, Held, Line, Staged, detached
from .words import Words

__all__ = ["settle"]

_ONLY_BYTES = {bytes}
_ONLY_FEW = {dict}
# So many small directories are encoded at a time that what they need stays in the cache of the processor.
_BITE = 256
_CONTENTS = bytes([CONTENTS])
_CONTENTS_META = bytes([CONTENTS_META])
_DIRECTORY = bytes([DIRECTORY])


class _Job:
    """One edited directory on its way to a hash."""

    __slots__ = (
        "at",
        "base",
        "changes",
        "directories",
        "entries",
        "few",
        "few_at",
        "frozen",
        "stored",
        "values",
    )

    def __init__(self, base: Stored | None, changes: dict[str, Held], at: int, few_at: int) -> None:
        self.base = base
        self.changes = changes
        self.frozen: list[Frozen] = []
        """Whoever waits for this directory's hash."""
        self.at = at
        """Where the values of this directory begin among all values."""
        self.values: list[str] = []
        """The steps that lead to values."""
        self.directories: list[tuple[str, _Job]] = []
        """The steps that lead to other jobs, which are done before this one, so that they have a hash."""
        self.few_at = few_at
        """Where the directories of `few` begin among all such."""
        self.few: list[str] = []
        """The steps that lead to new directories with nothing but a few values."""
        self.entries: dict[str, bytes | None] = {}
        """What the other edited steps lead to."""
        self.stored: Stored | None = None

    def below(self) -> list[tuple[str, Stored]]:
        """The directories of other jobs below this one, which are done."""
        return [(step, job.stored) for step, job in self.directories if job.stored is not None]


def settle(view: Frozen, *, keep: bool = True) -> Stored:
    """The directory `view` with its hash, remembered in `view`.

    `keep` leaves what is in memory at hand for later reads. Cost: what was edited, plus one read per node on the
    way to an edit; nothing the second time.
    """
    if view.settled is None:
        line = view.staged.line
        run: _Settling | None = None
        # Never wait: this thread may hold the lock of another line, and its holder may want that one. Without
        # the lock the newest version is read as an older one, which costs more.
        mine = line.lock.acquire(blocking=False)
        try:
            newest = mine and line.version == view.version
            pool = settled_at_once(view, keep=keep) if newest else None
            if pool is None:
                run = _Settling(line.void, keep=keep)
                run.collect(view, line if newest else None)
        finally:
            if mine:
                line.lock.release()
        if pool is not None:
            _absorb(pool)
        elif run is not None:
            run.finish(view)
    assert view.settled is not None
    return view.settled


class _Settling:
    """One run of `settle`."""

    __slots__ = (
        *("codec", "counters", "few", "jobs", "keep", "made"),
        *("objects", "older", "parts", "pools", "values", "words"),
    )

    def __init__(self, void: Source, *, keep: bool) -> None:
        self.codec = void.codec
        self.counters: Counters = void.counters
        self.keep = keep
        self.jobs: list[_Job] = []
        self.few: list[Few] = []
        """New directories that hold nothing but a few values: most are. They are encoded and hashed all together."""
        self.values: list[bytes] = []
        self.objects = Objects()
        self.made: dict[bytes, Record] = {}
        """Some of the nodes in `objects`, decoded."""
        self.older: dict[bytes, int] = {}
        """Where the nodes lie whose place some of those take, by the hash of the newer one."""
        self.pools: dict[int, Pool] = {}
        self.parts: list[Stored | Leaf] = []
        # Per repository, by id: where what new nodes may point at lies.
        self.words: dict[int, Words] = {}

    def finish(self, view: Frozen) -> None:
        """Give all jobs of `view`, which was collected, their hashes."""
        self.counters.node_hash += len(self.jobs) + len(self.few)
        # A new directory reads from the pool of the root; the objects are the same in all.
        root = self.jobs[-1].base
        first = self._pool(None if root is None else root.source)
        few = self._settle_few()
        hashes = self._contents(self.values)
        for job in self.jobs:
            source = None if job.base is None else job.base.source
            pool = first if source is None else self.pools.get(id(source)) or self._pool(source)
            self._finish(job, hashes, few, pool, first)
        assert view.settled is not None
        pools = [*self.pools.values()]
        parents = [pool.parent for pool in pools if pool.parent is not None]
        bases = {id(base): base for base in map(base_of, parents)}
        if len(bases) <= 1 and all(parent.saved for parent in parents):
            # All words are of one reader.
            base = next(iter(bases.values()), None)
            whole = Whole(
                *(view.settled.hash, self.parts, base, self._words(base), self.made, None),
                self._older(),
            )
            for pool in pools:
                pool.fill(whole, [])
        for pool in pools:
            _absorb(pool)

    def _older(self) -> bytes | None:
        """The words in `older`, as a column for all nodes."""
        if not self.older:
            return None
        places = [self.older.get(hash_, 0) for hash_ in self.objects.nodes]
        return Struct(f"<{len(places)}Q").pack(*places)

    def collect(self, view: Frozen, line: Line | None) -> None:
        """Make a job of each edited directory, children before parents, and gather all values to be hashed.

        `line` is the line whose newest version is settled, its lock held; None for an older version.
        """
        values, jobs, few = self.values, self.jobs, self.few
        flat, empty = self.codec.flat, self.codec.empty
        # A subtree that hangs at several places is visited once: else a few such levels would take for ever.
        seen: dict[tuple[int, int], _Job] = {}
        # A directory with the job above it, or, once all below are done, a job to be appended.
        stack: list[tuple[Staged, int, Frozen | None, _Job | None, str] | _Job] = [
            (view.staged, view.version, view, None, "")
        ]
        while stack:
            task = stack.pop()
            if type(task) is _Job:
                jobs.append(task)
                continue
            assert type(task) is tuple
            staged, version, frozen, parent, step = task
            if frozen is not None:
                job = seen.get((id(staged), version))
                if job is not None:
                    assert parent is not None
                    parent.directories.append((step, job))
                    job.frozen.append(frozen)
                    continue
            base = staged.base
            newest = staged.line is line and version == view.version
            if newest:
                now = staged.now
                changes = now.copy() if base is None else {name: now[name] for name in staged.first or ()}
            else:
                changes = staged.overlay(version)
            if type(base) is Frozen:
                while type(base) is Frozen and base.settled is None:
                    for name, child in base.staged.overlay(base.version).items():
                        if name not in changes:
                            changes[name] = Frozen(child, base.version) if type(child) is Staged else child
                    base = base.staged.base
                if type(base) is Frozen:
                    base = base.settled
            assert base is None or type(base) is Stored
            job = _Job(base, changes, len(values), len(few))
            stack.append(job)
            if parent is not None:
                parent.directories.append((step, job))
            if frozen is not None:
                job.frozen.append(frozen)
                seen[id(staged), version] = job
            if base is None:
                kinds = set(map(type, changes.values()))
                if kinds == _ONLY_BYTES:
                    job.values = list(changes)
                    values.extend(changes.values())  # type: ignore[arg-type]  # `kinds` says bytes
                    continue
                if kinds == _ONLY_FEW and flat >= MOST_FEW:
                    job.few = list(changes)
                    few.extend(changes.values())  # type: ignore[arg-type]  # `kinds` says Few
                    continue
            entries = job.entries
            for name, child in changes.items():
                kind = type(child)
                if kind is bytes:
                    job.values.append(name)
                    values.append(child)  # type: ignore[arg-type]  # `kind` says bytes
                elif type(child) is dict:
                    if len(child) <= flat:
                        job.few.append(name)
                        few.append(child)
                    else:
                        stack.append((detached(child, view.staged.line.void), 0, None, job, name))
                elif kind is Staged:
                    assert type(child) is Staged
                    if child.base is None and len(child.now) <= flat:
                        found = child.now.copy() if newest else child.overlay(version)
                        if found and _ONLY_BYTES.issuperset(map(type, found.values())):
                            job.few.append(name)
                            few.append(found)  # type: ignore[arg-type]  # all of it is bytes
                            continue
                    stack.append((child, version, None, job, name))
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

    def _contents(self, values: list[bytes]) -> list[bytes]:
        """The hashes of `values`, whose objects are added."""
        data = self.codec.encode_contents(values)
        hashes = self.codec.digest_many(data)
        self.objects.contents.update(zip(hashes, data, strict=True))
        self.counters.contents_hash += len(hashes)
        return hashes

    def _settle_few(self) -> list[bytes]:
        """The hashes of the directories in `few`."""
        codec, order = self.codec, self.codec.order
        out: list[bytes] = []
        for at in range(0, len(self.few), _BITE):
            few = self.few[at : at + _BITE]
            steps = [sorted(now, key=order) for now in few]
            hashes = self._contents([now[step] for now, own in zip(few, steps, strict=True) for step in own])
            data = codec.encode_nodes(steps, _CONTENTS * len(hashes), hashes, {})
            found = codec.digest_many(data)
            self.objects.nodes.update(zip(found, data, strict=True))
            out += found
        return out

    def _hash(self, job: _Job, own: list[bytes], few: list[bytes]) -> bytes:
        """The hash of `job`, of whose entries `own` and `few` are those of its `values` and its `few`."""
        codec, nodes, entries, base = self.codec, self.objects.nodes, job.entries, job.base
        if base is None and not entries:
            below = [(step, child.hash) for step, child in job.below()]
            steps = [*job.values, *job.few, *[step for step, _ in below]]
            hashes = [*own, *few, *[hash_ for _, hash_ in below]]
            kinds = _CONTENTS * len(own) + _DIRECTORY * (len(steps) - len(own))
            return build(codec, nodes, steps, kinds, hashes, {})
        for step, hash_ in zip(job.values, own, strict=True):
            entries[step] = _CONTENTS + hash_
        for step, hash_ in zip(job.few, few, strict=True):
            entries[step] = _DIRECTORY + hash_
        if job.directories:
            for step, child in job.below():
                entries[step] = _DIRECTORY + child.hash
        if base is None:
            return apply(codec, _nothing, nodes, EMPTY, entries)[0]
        record = base.decoded or base.record()
        if not base.source.locates:
            return apply(codec, base.source.node, nodes, record, entries, 0, self.made)[0]
        # New nodes go on pointing at most of what the old ones point at.
        noted = self._words(base_of(base.source)).noted
        hash_, _ = apply(codec, base.source.node, nodes, record, entries, 0, self.made, noted, self.older)
        if base.word:
            self.older[hash_] = base.word
        return hash_

    def _words(self, base: Source | None) -> Words:
        words = self.words.get(id(base))
        if words is None:
            words = self.words[id(base)] = Words()
        return words

    def _finish(self, job: _Job, hashes: list[bytes], few: list[bytes], pool: Pool, first: Pool) -> None:
        """Give `job` its hash. `hashes` and `few` are those of all values and of all small directories."""
        changes, at = job.changes, job.few_at
        found = few[at : at + len(job.few)]
        hash_ = self._hash(job, hashes[job.at : job.at + len(job.values)], found)
        if job.directories:
            changes.update(job.below())
        if self.keep:
            for i, step in enumerate(job.few):
                # A copy: what an editor still has in its hands goes on changing.
                changes[step] = Stored(found[i], first, {**self.few[at + i]})
        base = job.base
        if not job.directories and (
            not job.entries if base is None else base.pins is None and len(job.values) == len(changes)
        ):
            # Nothing to leave out, nothing to pin.
            job.stored = Stored(hash_, pool, cast("dict[str, Child]", changes) if self.keep else {})
        else:
            now = {s: cast("Child", c) for s, c in changes.items() if c is not ABSENT} if self.keep else {}
            job.stored = Stored(hash_, pool, now, _pins(job, pool))
        for frozen in job.frozen:
            frozen.settled = job.stored

    def _pool(self, parent: Source | None) -> Pool:
        pool = self.pools.get(id(parent))
        if pool is None:
            words = None if parent is None else self._words(base_of(parent))
            pool = self.pools[id(parent)] = Pool(self.codec, self.counters, self.objects, parent, words)
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


def _nothing(hash: bytes, word: int = 0, /) -> Record:
    raise DanglingHash("a directory without a store", Hash(hash))


def _absorb(pool: Pool) -> None:
    """Merge small pools, so that a chain of edits and hashes has few pools to look through.

    A pool takes in its parent only if that is at most twice as large: each object is copied O(log n) times.
    """
    while True:
        parent = pool.parent
        if type(parent) is not Pool or parent.saved or len(parent.objects) > 2 * len(pool.objects) + 64:
            return
        merged = parent.objects.copy()
        merged.update(pool.objects)
        pool.objects = merged
        pool.words = parent.words.joined(pool.words)
        pool.floor = max(pool.floor, parent.floor)
        pool.parent = parent.parent
