"""Edits as pure functions on the root of a tree: bind a path to something, or to nothing.

An edit either continues the line of its tree (then it is one write into one directory) or starts a new line. The
answer is a new root and version, or None if the edit would change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..core import bind as bind_below
from ..objects import Node
from .lazy import ABSENT, Child, Leaf, Source, Stored
from .settle import settle
from .stage import Base, Frozen, Held, Line, Staged, View, detached

__all__ = ["bind", "fork", "same"]

# A new line reads through the older ones below it. After this many it is cheaper to hash what they hold.
_MAX_DEPTH = 8
# Superseded children that a line may keep alive, beyond twice its entries, before it is left behind.
_MAX_REPEATS = 4096


def base_of(view: View | None) -> Base:
    """`view` as the base of edits: nothing for an empty directory, and never too deep."""
    if type(view) is Stored:
        return None if view.hash == view.source.codec.empty else view
    if type(view) is Frozen and view.depth >= _MAX_DEPTH:
        return base_of(settle(view))
    return view


def fork(view: View, void: Source) -> Staged:
    """The root of a new line on top of `view`; `void` is the source of a tree without any store."""
    base = base_of(view)
    return Staged(Line(void), base, {}, 0 if base is None else base.length())


def bind(
    root: Stored | Staged,
    version: int,
    steps: Sequence[str],
    child: Child,
    void: Source,
    *,
    alone: bool = False,
) -> tuple[Staged, int] | None:
    """The root and version at which the path `steps` (not empty) leads to `child`, or to nothing for ABSENT.

    None if that is so already. Directories are made and replaced contents vanish as needed; directories that become
    empty vanish too. `alone` edits in place a line that only the caller has seen. Cost: one read per directory and
    level on the way that is not in memory.
    """
    if type(root) is Staged:
        line = root.line
        with line.lock:
            if line.version == version and line.repeats <= _MAX_REPEATS + 2 * root.size:
                return _bind(line, root, steps, child, alone=alone)
        frozen = Frozen(root, version)
        view: View = settle(frozen) if line.repeats > _MAX_REPEATS + 2 * root.size else frozen
    else:
        assert type(root) is Stored
        view = root
    fresh = fork(view, void)
    return _bind(fresh.line, fresh, steps, child, alone=alone)


def _bind(
    line: Line, root: Staged, steps: Sequence[str], child: Child, *, alone: bool
) -> tuple[Staged, int] | None:
    version = line.version
    last = len(steps) - 1
    # The directories of this line on the way, then what lies below the last of them.
    chain: list[Staged] = [root]
    node = root
    i = 0
    while i < last:
        kid = node.now.get(steps[i])
        if type(kid) is dict:
            kid = node.open(steps[i], kid)
        elif type(kid) is not Staged:
            break
        node = kid
        chain.append(node)
        i += 1
    base = node.base
    if type(child) is bytes and type(base) is Stored and base.source.codec.looks and steps[i] not in node.now:
        # The usual edit: other contents in stored directories.
        after = 0 if alone else version + 1
        looks = base.source.codec.looks
        found = bind_below(base, list(steps), i, child, line, after, looks, Staged, Stored)
        if found is False:
            return None
        if found is not None:
            if not alone:
                line.version = after
            node.put(steps[i], found[0], after, found[1])
            return root, after
    current = _child(node, steps[i])
    below: list[_Level] = []
    grows = 0 if current is not None else 1
    for at in range(i + 1, last + 1):
        step = steps[at]
        view = current if type(current) is Stored else _view(current, line)
        if at == last and type(view) is Stored and type(child) is bytes:
            # The usual edit: contents in a stored directory. What is there need not be opened to be compared.
            bound = view.bound(step, child)
            if bound:
                return None
            current = None
            below.append((view, step, 1 if bound is None else 0))
        else:
            current = None if view is None else view.child(step)
            below.append((view, step, 0 if current is not None else 1))
    if child is ABSENT:
        if current is None:
            return None
        return _unbind(line, chain, below, steps, alone=alone)
    if current is not None and same(_frozen(current, line, version), child):
        return None
    after = 0 if alone else version + 1
    top = _wrap(line, below, child, after)
    if not alone:
        line.version = after
    node.put(steps[i], top, after, grows)
    return root, after


def _view(child: Held | None, line: Line) -> View | None:
    """`child` as a directory that lies below those of `line`; None if it is no directory."""
    if type(child) is dict:
        return Frozen(detached(child, line.void), 0)
    return child if type(child) is Stored or type(child) is Frozen else None


def _frozen(child: Held, line: Line, version: int) -> Child:
    if type(child) is dict:
        return Frozen(detached(child, line.void), 0)
    return Frozen(child, version) if type(child) is Staged else cast("Child", child)


def _child(node: Staged, step: str) -> Held | None:
    """The newest child of `step`."""
    child = node.now.get(step)
    if child is None:
        return None if node.base is None else node.base.child(step)
    return None if child is ABSENT else child


# A directory below those of the line, the step that leads on from it, and by how much binding that step makes it grow.
_Level = tuple[View | None, str, int]


def _wrap(line: Line, levels: list[_Level], child: Child, version: int) -> Held:
    """`child` at the end of `levels`, in new directories on top of what was there."""
    held: Held = child
    for view, step, growth in reversed(levels):
        base = None if view is None else base_of(view)
        if base is None:
            held = {step: held} if type(held) is bytes else Staged(line, None, {step: held}, 1)
        else:
            size = _length(base) + (-1 if held is ABSENT else growth)
            node = Staged(line, base, {step: held}, size)
            node.first = {step: version}
            held = node
    return held


def _length(base: Stored | Frozen) -> int:
    """`base.length()`, with fewer calls where its root node is at hand."""
    if type(base) is Stored:
        record = base.decoded
        if type(record) is Node:
            return len(record.kinds)
        if record is not None:
            return sum(record.counts)
    return base.length()


def _unbind(
    line: Line, chain: list[Staged], below: list[_Level], steps: Sequence[str], *, alone: bool
) -> tuple[Staged, int]:
    """Remove the existing binding of `steps`, and the directories that become empty with it."""
    version = line.version
    sizes = [staged.size for staged in chain]
    sizes += [view.length() for view, _, _ in below if view is not None]
    cut = len(steps) - 1
    while cut and sizes[cut] == 1:
        cut -= 1
    after = 0 if alone else version + 1
    deepest = min(cut, len(chain) - 1)
    top = _wrap(line, below[: cut - deepest], ABSENT, after)
    if not alone:
        line.version = after
    chain[deepest].put(steps[deepest], top, after, -1 if cut == deepest else 0)
    return chain[0], after


def same(a: Child, b: Child) -> bool:
    """True if both are the same binding. Reads nothing; hashes what is not yet hashed.

    Directories of different lengths differ without being hashed.
    """
    if a is b:
        return True
    if type(a) is bytes and type(b) is bytes:
        return a == b
    if type(a) is bytes or type(a) is Leaf:
        if type(b) is not bytes and type(b) is not Leaf:
            return False
        if _metadata(a) != _metadata(b):
            return False
        x, y = _in_hand(a), _in_hand(b)
        if x is not None and y is not None:
            return x == y
        return _hash(a, b) == _hash(b, a)
    if type(b) is bytes or type(b) is Leaf:
        return False
    if type(a) is Stored and type(b) is Stored:
        return a.hash == b.hash
    if type(a) is Frozen and type(b) is Frozen and a.staged is b.staged and a.version == b.version:
        return True
    if _known_length(a) not in (_known_length(b), None) and _known_length(b) is not None:
        return False
    return _settled(a).hash == _settled(b).hash


def _known_length(a: Child) -> int | None:
    if type(a) is Stored:
        return a.length() if a.loaded else None
    assert type(a) is Frozen
    return a.length()


def _settled(a: Child) -> Stored:
    if type(a) is Stored:
        return a
    assert type(a) is Frozen
    return settle(a)


def _metadata(a: Child) -> bytes | None:
    return a.metadata if type(a) is Leaf else None


def _in_hand(a: Child) -> bytes | None:
    if type(a) is bytes:
        return a
    assert type(a) is Leaf
    return a.in_hand


def _hash(a: Child, other: Child) -> bytes:
    if type(a) is Leaf:
        return a.hash
    assert type(a) is bytes
    assert type(other) is Leaf
    codec = other.source.codec
    return codec.digest(codec.encode_contents([a])[0])
