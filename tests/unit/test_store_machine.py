"""`StoreMachine` notices faults: each is planted alone, and the machine must fail within a bounded number of examples.

A machine that compares nothing would pass for ever. Every fault here is one that a slip in the code would make;
together they touch each rule and each invariant.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

import irminpy.slice
import irminpy.store.history
import irminpy.store.store
import irminpy.tree.edit
from irminpy import IrminError, NoChange, Store, Tree
from irminpy.backend import RefUpdate
from irminpy.commit import Opened
from irminpy.hash import Hash
from irminpy.objects import Objects
from irminpy.store.store import Edit
from irminpy.testing.model import bindings_of, built
from irminpy.tree.lazy import ABSENT
from irminpy.watch import Watch
from irminpy_mem import Memory
from irminpy_mem.shared import Handle
from tests.memory_machine import MemoryMachine

Patch = pytest.MonkeyPatch
Planter = Callable[[Patch], None]

EXAMPLES = 400  # within so many examples of at most 50 steps each fault shows

FAULTS: dict[str, Planter] = {}


def fault(plant: Planter) -> Planter:
    FAULTS[plant.__name__.replace("_", " ")] = plant
    return plant


def wrap(patch: Patch, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Replace `owner.name` by a function that gets the original first."""
    original = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **how: around(original, *args, **how))


# -- trees -------------------------------------------------------------------------------------------------------


@fault
def a_merge_loses_a_path(patch: Patch) -> None:
    def merge(original: Any, tree: Any, *args: Any, **how: Any) -> Any:
        found = original(tree, *args, **how)
        all_ = bindings_of(found)
        return found.remove(max(all_)) if len(all_) > 1 else found

    wrap(patch, Tree, "merge", merge)


@fault
def a_remove_leaves_an_empty_directory(patch: Patch) -> None:
    def unbind(line: Any, chain: Any, below: Any, steps: Any, *, alone: bool) -> Any:
        cut = len(steps) - 1
        deepest = min(cut, len(chain) - 1)
        after = 0 if alone else line.version + 1
        top = irminpy.tree.edit._wrap(line, below[: cut - deepest], ABSENT, after)
        if not alone:
            line.version = after
        chain[deepest].put(steps[deepest], top, after, -1 if cut == deepest else 0)
        return chain[0], after

    patch.setattr(irminpy.tree.edit, "_unbind", unbind)


@fault
def a_merge_at_a_path_forgets_the_ancestor(patch: Patch) -> None:
    wrap(
        patch,
        Store,
        "_merged",
        lambda f, self, path, ours, theirs, old, on: f(self, path, ours, theirs, None, on),
    )


@fault
def ours_and_theirs_are_swapped(patch: Patch) -> None:
    other = {"ours": "theirs", "theirs": "ours"}

    def merge(original: Any, *args: Any, on_conflict: Any = None, **how: Any) -> Any:
        return original(*args, on_conflict=other.get(on_conflict, on_conflict), **how)

    wrap(patch, Tree, "merge", merge)


# -- writes ------------------------------------------------------------------------------------------------------


@fault
def the_compare_and_set_ignores_its_test(patch: Patch) -> None:
    def write(original: Any, self: Any, objects: Objects, updates: Sequence[RefUpdate] = ()) -> bool:
        done: bool = original(self, objects, [RefUpdate(update.name, update.set) for update in updates])
        return done

    wrap(patch, Handle, "write", write)


@fault
def a_test_and_set_does_not_test(patch: Patch) -> None:
    patch.setattr(Store, "_require", lambda *args: None)


@fault
def what_changes_nothing_is_committed(patch: Patch) -> None:
    wrap(patch, Store, "_update", lambda f, self, build, how: f(self, build, {**how, "allow_empty": True}))


@fault
def an_edit_without_a_change_is_committed(patch: Patch) -> None:
    def leave(original: Any, self: Any, *exc: Any) -> None:
        self._how = {**self._how, "allow_empty": True}
        original(self, *exc)

    wrap(patch, Edit, "__exit__", leave)


@fault
def a_set_of_a_tree_keeps_what_was_there(patch: Patch) -> None:
    def set_tree(original: Any, self: Any, path: Any, tree: Any, **how: Any) -> Any:
        there = self.find_tree(path)
        if there is not None and there.kind() == tree.kind() == "node":
            tree = built(tree.schema, {**bindings_of(there), **bindings_of(tree)})
        return original(self, path, tree, **how)

    wrap(patch, Store, "set_tree", set_tree)


@fault
def with_tree_overwrites_what_came_between(patch: Patch) -> None:
    def replace(original: Any, self: Any, path: Any, seen: Any, new: Any, strategy: str, *rest: Any) -> Any:
        return original(self, path, seen, new, "set", *rest)

    wrap(patch, Store, "replace_tree", replace)


@fault
def a_written_object_is_lost(patch: Patch) -> None:
    def write(original: Any, self: Any, objects: Objects, updates: Sequence[RefUpdate] = ()) -> bool:
        contents = dict(list(objects.contents.items())[:-1])
        done: bool = original(self, Objects(contents, objects.nodes, objects.commits), updates)
        return done

    wrap(patch, Handle, "write", write)


@fault
def a_written_object_has_other_bytes(patch: Patch) -> None:
    """Nobody but `check` reads what old commits hold."""

    def write(original: Any, self: Any, objects: Objects, updates: Sequence[RefUpdate] = ()) -> bool:
        store = self._store.objects.contents
        for hash_ in list(store)[:1]:
            store[hash_] = b"B other"
        done: bool = original(self, objects, updates)
        return done

    wrap(patch, Handle, "write", write)


@fault
def the_message_is_lost(patch: Patch) -> None:
    wrap(patch, Opened, "info", lambda f, self, message=None, *args, **how: f(self, None, *args, **how))


# -- heads, merges, history --------------------------------------------------------------------------------------


@fault
def the_commit_of_a_merge_has_one_parent(patch: Patch) -> None:
    wrap(
        patch,
        Store,
        "_commit",
        lambda f, self, head, tree, parents, how: f(self, head, tree, parents[:1], how),
    )


@fault
def the_parents_of_a_commit_are_sorted(patch: Patch) -> None:
    def commit(original: Any, self: Any, tree: Any, info: Any, parents: Sequence[Hash], **how: Any) -> Any:
        return original(self, tree, info, sorted(parents), **how)

    wrap(patch, Opened, "commit", commit)


@fault
def the_common_ancestor_is_not_the_least(patch: Patch) -> None:
    def lcas(original: Any, read: Any, *args: Any, **how: Any) -> list[Hash]:
        found: list[Hash] = original(read, *args, **how)
        above = list(read(found[0]).parents[:1]) if found else []
        return above or found

    wrap(patch, irminpy.store.store, "lcas", lcas)


@fault
def one_of_several_common_ancestors_is_taken(patch: Patch) -> None:
    wrap(patch, irminpy.store.store, "lcas", lambda f, *args, **how: f(*args, **how)[:1])


@fault
def a_fast_forward_is_never_rejected(patch: Patch) -> None:
    def forward(self: Any, commit: Any) -> None:
        if self.find_head() == commit:
            raise NoChange
        self.set_head(commit)

    patch.setattr(Store, "fast_forward", forward)


@fault
def a_clone_of_nothing_keeps_the_branch(patch: Patch) -> None:
    def clone(original: Any, self: Any, name: str) -> Any:
        return original(
            self if self.find_head() is not None else Store(self._opened, self._watches, name), name
        )

    wrap(patch, Store, "clone", clone)


@fault
def the_log_drops_a_parent(patch: Patch) -> None:
    def walk(original: Any, read: Any, heads: Any) -> Any:
        nodes = list(original(read, heads))
        reached = set(heads)
        for node in nodes:
            if node.commit.hash in reached:
                reached.update(node.past[:1])
        return iter([node for node in nodes if node.commit.hash in reached])

    wrap(patch, irminpy.store.history, "walk", walk)


@fault
def a_reopened_store_lost_its_last_branch(patch: Patch) -> None:
    def open_(original: Any, self: Memory, schema: Any, options: Any) -> Any:
        backend, found = original(self, schema, options)
        refs = backend._store.refs
        if refs:
            del refs[max(refs)]
        return backend, found

    wrap(patch, Memory, "open", open_)


# -- slices, garbage, watches ------------------------------------------------------------------------------------


@fault
def an_import_drops_an_object(patch: Patch) -> None:
    def fresh(original: Any, *args: Any, **how: Any) -> Objects:
        found: Objects = original(*args, **how)
        for hash_ in list(found.contents)[-1:]:
            del found.contents[hash_]
        return found

    wrap(patch, irminpy.slice, "fresh", fresh)


@fault
def an_import_does_not_ask_for_parents(patch: Patch) -> None:
    wrap(patch, irminpy.slice, "fresh", lambda f, *args, **how: f(*args, **{**how, "shallow": True}))


@fault
def an_export_ignores_its_depth(patch: Patch) -> None:
    def export(original: Any, reader: Any, schema: Any, max: Any, min: Any, depth: Any, **how: Any) -> Any:
        return original(reader, schema, max, min, None, **how)

    wrap(patch, irminpy.slice, "export", export)


@fault
def an_export_goes_below_its_bound(patch: Patch) -> None:
    def export(original: Any, reader: Any, schema: Any, max: Any, min: Any, *args: Any, **how: Any) -> Any:
        return original(reader, schema, max, (), *args, **how)

    wrap(patch, irminpy.slice, "export", export)


@fault
def garbage_takes_the_history(patch: Patch) -> None:
    def collect(self: MemoryMachine, keep: Sequence[Hash]) -> None:
        repo: Any = self.repos[0]
        kept = repo.export(depth=1, max=[*repo.heads(), *keep]).objects
        repo._opened.backend._store.objects = kept

    patch.setattr(MemoryMachine, "collect", collect)


@fault
def a_watcher_does_not_hear_of_the_last_state(patch: Patch) -> None:
    def take(original: Any, self: Watch) -> deque[Any]:
        events: deque[Any] = original(self)
        if events:
            events.pop()
        return events

    wrap(patch, Watch, "take", take)


@fault
def a_watcher_hears_of_no_removal(patch: Patch) -> None:
    def tell(original: Any, self: Watch, name: str, value: Hash | None) -> None:
        if value is not None:
            original(self, name, value)

    wrap(patch, Watch, "tell", tell)


# -- the test ----------------------------------------------------------------------------------------------------


def run(examples: int, wait: float = MemoryMachine.patience) -> int:
    """Run the machine, with so many seconds of patience; how many examples it took. Raises what it finds."""
    begun = 0

    class Machine(MemoryMachine):
        patience = wait

        def __init__(self) -> None:
            nonlocal begun
            begun += 1
            super().__init__()

    how = settings(
        max_examples=examples,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=how)
    return begun


PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")

# Those that show soonest, one of each section. `IRMINPY_PROFILE=ci` plants more, `deep` also those that show late.
QUICK = (
    "a merge loses a path",
    "what changes nothing is committed",
    "a written object is lost",
    "a written object has other bytes",
    "the parents of a commit are sorted",
    "an import drops an object",
)


LATE = ("a watcher hears of no removal", "an import does not ask for parents")
PLANTED = {"quick": QUICK, "ci": tuple(name for name in FAULTS if name not in LATE)}


@pytest.mark.profiled
@pytest.mark.parametrize("name", PLANTED.get(PROFILE, tuple(FAULTS)))
def test_the_machine_notices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[name](monkeypatch)
    with pytest.raises((AssertionError, IrminError, Flaky)):
        # Who is not told waits in vain: not for a minute here.
        run(EXAMPLES, 0.3 if "watcher" in name else 5.0)


@pytest.mark.profiled
def test_without_a_fault_there_is_nothing_to_notice() -> None:
    assert run(5) >= 5
