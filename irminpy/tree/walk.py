"""The walking half of a tree handle: folds, statistics, concrete form, caches, and how it prints.

Thin: the work is done in `fold`, `stats`, `concrete`, `clear` and `view`, on children rather than handles. These are
imported where they are called: who reads a value walks over nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar, cast

from ..errors import BadProof, DanglingHash, PrunedHash
from ..hash import Hash
from ..types import C, M
from .lazy import Child, Leaf, Pruned
from .read import ReadableTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..key import Key
    from ..path import Path
    from .concrete import Concrete
    from .fold import Depth, Force, Marks, Order
    from .home import Home
    from .stats import Stats
    from .view import State

__all__ = ["LazyContents", "WalkableTree"]

A = TypeVar("A")


class LazyContents(Generic[C, M]):
    """Contents of a tree that may not have been read yet: what `Tree.destruct` gives for contents."""

    __slots__ = ("_home", "_leaf")

    def __init__(self, home: Home[C, M], leaf: Leaf) -> None:
        self._home = home
        self._leaf = leaf

    def hash(self) -> Hash:
        """The hash of the contents object; never reads."""
        return Hash(self._leaf.hash)

    def key(self) -> Hash | Key | None:
        """What leads to the contents in their repository, or None if they are not stored there."""
        leaf = self._leaf
        if not leaf.source.saved or isinstance(leaf.source, Pruned):
            return None
        return leaf.source.key(leaf.hash, leaf.word)

    def force(self, *, cache: bool = True) -> C:
        """The value. Cost: at most one read. Raises DanglingHash, PrunedHash, Corrupted."""
        return self._home.schema.contents.decode(self._leaf.data(cache=cache))

    def find(self, *, cache: bool = True) -> C | None:
        """The value, or None if it is not to be had: where `force` raises DanglingHash or PrunedHash."""
        try:
            return self.force(cache=cache)
        except (DanglingHash, PrunedHash):
            return None

    def clear(self) -> None:
        """Forget the value, if it can be read again."""
        self._leaf.clear()

    def __repr__(self) -> str:
        from .view import short

        return f"<LazyContents {short(self._leaf).removeprefix('contents ')}>"


class WalkableTree(ReadableTree[C, M]):
    """What a tree can be asked about all that is below it. Users see `Tree`."""

    __slots__ = ()

    def fold(
        self,
        acc: A,
        *,
        contents: Callable[[Path, C, A], A] | None = None,
        node: Callable[[Path, Self, A], A] | None = None,
        tree: Callable[[Path, Self, A], A] | None = None,
        pre: Callable[[Path, tuple[str, ...], A], A] | None = None,
        post: Callable[[Path, tuple[str, ...], A], A] | None = None,
        order: Order = "sorted",
        force: Force[A] = True,
        cache: bool = False,
        uniq: bool | Marks = False,
        depth: Depth | None = None,
    ) -> A:
        """`acc` after the callbacks have seen this tree; each gets the path, something there, and `acc`.

        A directory calls `node` and `tree` with its handle, `pre` with the steps of its children in the order
        they are visited, then come the children, then `post` as `pre`. Contents call `contents` with the
        value, then `tree`. `order` is "sorted" by step, "undefined" (least memory), or a `random.Random` to
        shuffle with.

        `force` True loads everything, contents without a callback too, and raises DanglingHash or PrunedHash;
        a function is called with path and `acc` for each position that is not in memory, instead of reading
        it. `cache` keeps what was loaded in this tree. `uniq` visits a directory only once per hash, with
        `Marks` across several folds. `depth` limits what the callbacks see; nothing beyond an upper bound is
        loaded, and a directory that is not entered has no `pre` and `post`. For contents at the root it says
        nothing.

        What was edited is hashed first. Cost: one read per node and value that is not in memory. In a stream
        proof, order "undefined" raises BadProof: nobody could read in the same order again.
        """
        from .fold import Fold, Marks

        home = self._home
        root = self._settled()
        environment = root.source.environment
        if order == "undefined" and environment is not None and environment.in_order:
            raise BadProof('a fold in undefined order has no place in a stream proof; use order="sorted"')
        marks = Marks() if uniq is True else None if uniq is False else uniq
        walk: Fold[A, C, Self] = Fold(
            wrap=self._subtree,
            decode=home.schema.contents.decode,
            sort_key=home.codec.order,
            contents=contents,
            node=node,
            tree=tree,
            pre=pre,
            post=post,
            order=order,
            force=force,
            cache=cache,
            marks=marks,
            depth=depth,
        )
        return walk.run(root, acc)

    def stats(self, *, force: bool = False) -> Stats:
        """How many directories and contents there are, how deep and how wide.

        What is not in memory counts as a skip; `force` reads it, directories only, and keeps nothing of it.
        """
        from .stats import stats

        return stats(self._settled(), force=force)

    def to_concrete(self) -> Concrete:
        """This tree as plain values: a dict per directory, sorted by step. Reads all of it."""
        from .concrete import to_concrete

        return to_concrete(self._home, self._settled())

    def destruct(self) -> tuple[Literal["node"], Self] | tuple[Literal["contents"], LazyContents[C, M], M]:
        """`("node", tree)`, or `("contents", lazy contents, metadata)`; reads nothing."""
        root = self._root
        if type(root) is Leaf:
            return "contents", LazyContents(self._home, root), self._home.decode_metadata(root.metadata)
        return "node", self

    def clear(self, depth: int = 0) -> None:
        """Forget what is saved and can be read again: directories at `depth` and deeper, contents below
        those.

        The root has depth 0. What is not saved stays. The tree reads as before, at the cost of reading again.
        """
        from .clear import clear

        clear(self._child(), depth)

    def inspect(self) -> State:
        """Where this tree lives, in one word; reads nothing.

        "contents"; or for a directory "map" (made in memory, no store below), "value" (of a store, with
        changes that are not saved), "key" (of a store, unchanged), "pruned" (only the hash is known, or what a
        proof shows), "portable" (of a proof, with changes). Hashing does not change it.
        """
        from .view import state

        return state(self._child())

    def dump(self, limit: int = 1000) -> str:
        """The internal state, a line for each of `limit` parts in memory; for debugging. Reads nothing."""
        from .view import dump

        return dump(cast("Child", self._root), self._version, limit)

    def __repr__(self) -> str:
        from .view import short

        return f"<{type(self).__name__} {short(self._child())}>"

    def _repr_html_(self) -> str:
        from .view import html

        return html(self._home, cast("Child", self._root), self._version)
