"""The Git key-value store against plain dicts, with a remote in memory that goes away, moves on, refuses, and lies."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import irminpy
from irminpy import Schema
from irminpy.backend import ANY, Reader, RefUpdate
from irminpy.carrier import Carrier, Found
from irminpy.errors import RemoteError
from irminpy.formats import Git as GitFormat
from irminpy.formats.format import Codec
from irminpy.hash import SHA1, Hash
from irminpy.metadata import Mode, Modes
from irminpy.objects import Objects
from irminpy_git import PushRejected
from irminpy_git.kv import Add, Batch, Change, GitKv, NotPushed, Remove, connect, of_octets

SCHEMA: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA1(), format=GitFormat())
KEYS = ["a", "b", "dir/x", "dir/y", "dir/deep/z"]
Values = dict[str, bytes]


class Shelf:
    """A remote in memory. `mood` is what it does: "here", "gone", "refuses", or "lies", which does it and says no."""

    name = "the shelf"

    def __init__(self) -> None:
        self.repo = irminpy.open("mem:", SCHEMA, clock=lambda: 0)
        self.mood = "here"

    def require(self, schema: Schema[Any, Any], /) -> None:
        SCHEMA.require(schema)

    def refs(self) -> dict[str, Hash]:
        self._reached()
        return self.repo._opened.backend.refs()

    @contextmanager
    def bring(
        self, heads: Sequence[Hash], here: Found, codec: Codec, known: Sequence[Hash], **how: Any
    ) -> Generator[Reader]:
        self._reached()
        yield self.repo._opened.backend

    def take(self, objects: Objects, updates: Sequence[RefUpdate], /) -> None:
        self._reached()
        (update,) = updates
        if self.mood == "refuses":
            raise PushRejected(update.name, "a hook declined", "hook")
        old = self.refs().get(update.name)
        if old == update.set:
            return
        if update.test is not ANY and update.test != old:
            raise PushRejected(update.name, "somebody moved it", "stale")
        assert self.repo._opened.backend.write(objects, [RefUpdate(update.name, update.set, old)])
        if self.mood == "lies":
            raise RemoteError(self.name, "it went away before it answered")

    def values(self) -> Values:
        return values(self.repo.main().tree())

    def _reached(self) -> None:
        if self.mood == "gone":
            raise RemoteError(self.name, "it is not there")


def values(tree: irminpy.Tree[bytes, Mode]) -> Values:
    empty = irminpy.Tree.empty(SCHEMA)
    return {"/".join(path): change.after for path, change in empty.diff(tree) if change.after is not None}


def below(values: Values, step: str) -> Values:
    """What of `values` lies below the directory `step`."""
    return {key[len(step) + 1 :]: value for key, value in values.items() if key.startswith(f"{step}/")}


def merged(base: Values, ours: Values, theirs: Values) -> Values:
    """Per step the side that changed; ours if both did, unless both still have a directory there."""
    result: Values = {}
    for step in {key.split("/")[0] for key in base.keys() | ours.keys() | theirs.keys()}:
        values = [side.get(step) for side in (base, ours, theirs)]
        value = values[2] if values[1] == values[0] else values[1]
        if value is not None:
            result[step] = value
        before, left, right = (below(side, step) for side in (base, ours, theirs))
        if left and right:
            both = merged(before, left, right)
        elif not before:
            both = left or right
        else:
            # A directory that one side removed and the other changed is a conflict as a whole.
            both = right if left == before else left
        result |= {f"{step}/{key}": value for key, value in both.items()}
    return result


def test_a_directory_that_one_side_removed_and_the_other_changed_stays_as_it_is_here() -> None:
    machine = Machine()
    machine.start()
    machine.meanwhile("dir/y", b"")
    machine.unheard("dir/x", b"", "gone")
    machine.meanwhile("dir/y", None)
    assert machine.local == {"dir/x": b"", "dir/y": b""}


class Machine(RuleBasedStateMachine):
    """`local` is what the store should hold, `base` where it last met the remote, `theirs` what the remote holds."""

    @initialize()
    def start(self) -> None:
        self.shelf = Shelf()
        assert isinstance(self.shelf, Carrier)
        self.now = 0
        self.kv: GitKv = connect(self.shelf, clock=self.clock)
        self.local: Values = {}
        self.base: Values = {}
        self.theirs: Values = {}
        self.met: Hash | None = None  # where the store thinks that the remote is

    def clock(self) -> float:
        self.now += 1
        return self.now

    def at(self) -> Hash | None:
        return self.shelf.repo._opened.backend.refs().get("main")

    def write(self, new: Values, act: Any) -> None:
        """A write that should make `new` of what is there."""
        mood = self.shelf.mood
        same = (new == self.local and self.kv.commit is not None) or (not new and self.kv.commit is None)
        if same:
            if self.kv.pending:
                self.pushed(act)  # what was kept
            else:
                act()
            return
        if mood == "gone":
            with pytest.raises(NotPushed):
                act()
            self.local = new
        elif mood == "refuses" or self.at() != self.met:
            with pytest.raises(PushRejected):
                act()
        else:
            if mood == "lies":
                with pytest.raises(NotPushed):
                    act()
            else:
                act()
                self.met = self.at()
            self.local = new
            self.base = self.theirs = new

    @rule(key=st.sampled_from(KEYS), value=st.binary(max_size=2))
    def set(self, key: str, value: bytes) -> None:
        self.write(self.local | {key: value}, lambda: self.kv.set(key, value))

    @rule(key=st.sampled_from([*KEYS, "dir", "none"]))
    def remove(self, key: str) -> None:
        new = {k: v for k, v in self.local.items() if k != key and not k.startswith(key + "/")}
        self.write(new, lambda: self.kv.remove(key))

    @rule(source=st.sampled_from(KEYS), dest=st.sampled_from(KEYS))
    def rename(self, source: str, dest: str) -> None:
        if source not in self.local:
            with pytest.raises(irminpy.IrminError):
                self.kv.rename(source, dest)
            return
        new = {k: v for k, v in self.local.items() if k != source} | {dest: self.local[source]}
        self.write(new, lambda: self.kv.rename(source, dest))

    @rule(changes=st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=2), min_size=1))
    def change(self, changes: dict[str, bytes | None]) -> None:
        def f(batch: Batch) -> None:
            for key, value in changes.items():
                if value is None:
                    batch.remove(key)
                else:
                    batch.set(key, value)

        both = self.local | changes
        new = {k: v for k, v in both.items() if v is not None}
        self.write(new, lambda: self.kv.change_and_push(f))

    @rule(key=st.sampled_from(KEYS), value=st.none() | st.binary(max_size=2))
    def somebody(self, key: str, value: bytes | None) -> None:
        """Another client writes."""
        main = self.shelf.repo.main()
        if value is None:
            main.remove(key)
            self.theirs = {k: v for k, v in self.theirs.items() if k != key}
        else:
            main.set(key, value)
            self.theirs = self.theirs | {key: value}

    @rule(mood=st.sampled_from(["here", "gone", "refuses", "lies"]))
    def mood(self, mood: str) -> None:
        self.shelf.mood = mood

    @rule(key=st.sampled_from(KEYS), value=st.binary(max_size=2), mood=st.sampled_from(["gone", "lies"]))
    def unheard(self, key: str, value: bytes, mood: str) -> None:
        """A write that the remote cannot answer."""
        self.shelf.mood = mood
        self.set(key, value)
        self.shelf.mood = "here"

    @rule(key=st.sampled_from(KEYS), value=st.none() | st.binary(max_size=2))
    def meanwhile(self, key: str, value: bytes | None) -> None:
        """Somebody else writes, and that is pulled, whatever the mood was."""
        self.shelf.mood = "here"
        self.somebody(key, value)
        self.pull()

    @precondition(lambda self: self.shelf.mood != "gone")
    @rule()
    def pull(self) -> None:
        before = self.local
        unpushed = bool(self.kv.pending)
        if self.at() is None:
            assert self.kv.pull() == []
            return
        if unpushed and self.met is None and self.at() != self.met and not self.shared():
            with pytest.raises(irminpy.RefUpdateError):
                self.kv.pull(on_conflict="ours")
            return
        found = self.kv.pull(on_conflict="ours")
        self.local = merged(self.base, self.local, self.theirs) if unpushed else self.theirs
        self.base, self.met = self.theirs, self.at()
        expected: list[Add | Remove | Change] = []
        for key in sorted(before.keys() | self.local.keys(), key=lambda key: key.split("/")):
            if key not in before:
                expected.append(Add(f"/{key}"))
            elif key not in self.local:
                expected.append(Remove(f"/{key}"))
            elif before[key] != self.local[key]:
                expected.append(Change(f"/{key}"))
        assert found == expected

    def shared(self) -> bool:
        """Whether the remote has any commit that is here and not pushed: by a push whose answer was lost."""
        return any(self.shelf.repo.find_commit(commit.hash) is not None for commit in self.kv.pending)

    @rule()
    def push(self) -> None:
        if not self.kv.pending:
            assert not self.kv.push()
            return
        self.pushed(lambda: self.kv.push() or pytest.fail("nothing was pushed"))

    def pushed(self, act: Callable[[], object]) -> None:
        """`act` should push what is pending."""
        commit = self.kv.commit
        done = self.at() == (None if commit is None else commit.hash)
        if self.shelf.mood == "gone":
            with pytest.raises(RemoteError):
                act()
        elif self.shelf.mood == "refuses" or (self.at() != self.met and not done):
            with pytest.raises(PushRejected):
                act()
        elif self.shelf.mood == "lies" and not done:
            with pytest.raises(RemoteError):
                act()
            self.base = self.theirs = self.local
        else:
            act()
            self.base = self.theirs = self.local
            self.met = self.at()

    @rule()
    def restart(self) -> None:
        before = ([commit.hash for commit in self.kv.pending], self.kv.commit, self.kv.remote_head)
        data = self.kv.to_octets()
        self.kv.close()
        self.kv = of_octets(data, remote=self.shelf, clock=self.clock)
        assert (
            [commit.hash for commit in self.kv.pending],
            self.kv.commit,
            self.kv.remote_head,
        ) == before

    @rule()
    def clear(self) -> None:
        """Memory is cleared as if there were much to clear."""
        self.kv._garbage = 1 << 30
        self.kv._clear()

    @invariant()
    def all_is_there(self) -> None:
        if not hasattr(self, "kv"):
            return
        _, tree = self.kv._now()
        assert ({} if tree is None else values(tree)) == self.local
        assert self.shelf.values() == self.theirs
        for key in KEYS:
            assert self.kv.exists(key) == ("value" if key in self.local else None)
        assert self.kv.remote_head == self.met

    def teardown(self) -> None:
        if hasattr(self, "kv"):
            self.kv.close()
            self.shelf.repo.close()


TestKv = Machine.TestCase
TestKv.settings = settings(settings(), max_examples=settings().max_examples // 2, stateful_step_count=16)
