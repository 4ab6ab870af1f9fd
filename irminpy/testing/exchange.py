"""`Exchange`: the rules of a machine of stores that move history between repositories, or drop it.

Slices go from the repository into an archive, a second store of the same maker, and from there back. A store that
`collects` garbage does so between other steps.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ..errors import DanglingHash
from ..hash import Hash
from ..slice import Slice
from ..slice_files import read_slice
from .model import ancestors, bindings_of
from .store_model import BRANCHES, DETACHED, Repos, StoreModel

__all__ = ["Exchange"]


class Exchange(StoreModel):
    """Export, import and garbage. A subclass whose store `collects` overrides `collect`."""

    collects: ClassVar[bool] = False
    by_hash: ClassVar[bool] = True
    """Whether directories and contents are found by their hash alone: else what is here may be written again."""

    def collect(self, keep: Sequence[Hash]) -> None:
        """Drop from `self.repos[0]` what neither a branch nor a commit of `keep` leads to."""
        raise NotImplementedError("a subclass that `collects` overrides `collect`")

    def __init__(self) -> None:
        super().__init__()
        self._archive: Repos | None = None
        self.archived: set[int] = set()

    def teardown(self) -> None:
        """Close the archive too."""
        try:
            super().teardown()
        finally:
            if self._archive is not None:
                self._archive.close()

    @property
    def archive(self) -> Repos:
        """The other repository, made when it is first needed."""
        if self._archive is None:
            self._archive = self._open(self.make())
        return self._archive

    def _hashes(self, numbers: Iterable[int]) -> list[Hash]:
        return [self.hashes[number] for number in numbers]

    def _window(self, max: Sequence[int], min: Sequence[int], depth: int | None) -> set[int]:
        """The commits from `max` down to `min`, at most `depth` parents away, by the definition."""
        found = set(max)
        edge = found
        while edge and depth != 0:
            edge = {parent for number in edge.difference(min) for parent in self.parents[number]} - found
            found = found | edge
            depth = None if depth is None else depth - 1
        return found

    @precondition(lambda self: self._live())
    @rule(data=st.data())
    def windows(self, data: st.DataObject) -> None:
        """`Repo.export` of commits alone: every depth, and every commit below as the bound."""
        top = data.draw(st.sampled_from(self._live()))
        for min in ([], *([number] for number in sorted(ancestors(self.parents, top))[-6:])):
            for depth in (None, 0, 1, 2):
                made = self.repos[0].export(False, depth, min=self._hashes(min), max=self._hashes([top]))
                window = self._window([top], min, depth)
                assert made.objects.commits.keys() == set(self._hashes(window))
                assert len(made) == len(window), "objects of trees that nobody asked for"

    @precondition(lambda self: self._live())
    @rule(data=st.data(), depth=st.none() | st.integers(0, 2), bounded=st.booleans(), shallow=st.booleans())
    def exchange(self, data: st.DataObject, depth: int | None, bounded: bool, shallow: bool) -> None:
        """`Repo.export` of some commits, `Repo.import_` into the archive, and the same back: nothing new."""
        max = data.draw(st.lists(st.sampled_from(self._live()), min_size=1, max_size=2, unique=True))
        below = set[int]().union(*(ancestors(self.parents, number) for number in max))
        # The trees of the bounds are left out of the slice, so the archive must have them.
        held = sorted(below & self.archived)
        min = data.draw(st.lists(st.sampled_from(held), max_size=2, unique=True)) if bounded and held else []
        window = self._window(max, min, depth)
        one, two = (
            repo.export(depth=depth, min=self._hashes(min), max=self._hashes(max)) for repo in self.repos
        )
        assert one == two, "memory exports something else"
        assert one.objects.commits.keys() == set(self._hashes(window))
        assert list(one.heads) == self._hashes(max)
        assert Slice.from_bytes(one.to_bytes(), self.schema) == one
        fresh = window - self.archived
        absent = {parent for number in fresh for parent in self.parents[number]} - window - self.archived
        if absent and not shallow:
            try:
                self.archive.import_(one)
            except DanglingHash as e:
                assert e.hash in self._hashes(absent)  # noqa: PT017
            else:
                raise AssertionError("a slice was imported though parents are nowhere")
            assert not any(self.archive.find_commit(hash_) for hash_ in self._hashes(fresh))
            return
        if data.draw(st.booleans()):
            count = self.archive.import_(one, shallow=shallow)
        else:
            count = read_slice(self.archive, io.BytesIO(one.to_bytes()), shallow=shallow).objects
        assert len(fresh) <= count <= len(one)
        assert not (self.by_hash and self.archive.import_(one))
        self.archived |= window
        self._look(window)
        self._name(max)
        again = self.repos[0].import_(self.archive.export(max=self._hashes(max)), shallow=True)
        assert not (self.by_hash and again)

    def _look(self, numbers: Iterable[int]) -> None:
        """Check that the archive holds these commits, with all of their trees."""
        for number in numbers:
            commit = self.archive.commit(self.hashes[number])
            assert list(commit.parents) == self._hashes(self.parents[number])
            assert bindings_of(commit.tree()) == self.bindings[number]

    def _name(self, numbers: Iterable[int]) -> None:
        """Give branches of the archive to the commits whose whole history is there, and check what they lead to."""
        for number in numbers:
            if ancestors(self.parents, number) <= self.archived:
                self.archive.branch(f"b{number}").set_head(self.archive.commit(self.hashes[number]))
        report = self.archive.check()
        assert report.ok, str(report)

    @precondition(lambda self: self.collects)
    @rule(save=st.booleans())
    def gc(self, save: bool) -> None:
        """What a branch or a detached store leads to is still there, and the rest may be gone; `save`: not from
        the archive.
        """
        kept = set[int]().union(*(ancestors(self.parents, head) for head in self._roots(BRANCHES + DETACHED)))
        going = [number for number in self._live() if number not in kept]
        if save and going:
            self.archive.import_(self.repos[0].export(max=self._hashes(going)))
            self.archived |= set[int]().union(*(ancestors(self.parents, number) for number in going))
        self.gone.update(going)
        self.collect(self._hashes(self._roots(DETACHED)))
        for number in kept:
            assert bindings_of(self.repos[0].commit(self.hashes[number]).tree()) == self.bindings[number]

    def _roots(self, places: Iterable[str]) -> list[int]:
        return [head for place in places if (head := self.heads[place]) is not None]

    @precondition(lambda self: self._lost())
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """What is gone comes back by an import from the archive."""
        number = data.draw(st.sampled_from(self._lost()))
        self.repos[0].import_(self.archive.export(max=[self.hashes[number]]))
        back = ancestors(self.parents, number)
        self.gone -= back
        for each in back:
            assert bindings_of(self.repos[0].commit(self.hashes[each]).tree()) == self.bindings[each]

    def _lost(self) -> list[int]:
        """The commits that are gone from the repository, and wholly in the archive."""
        return [number for number in self.gone if ancestors(self.parents, number) <= self.archived]
