"""Undo and redo for a document: every change is a commit, and undoing moves the branch back along the history."""

from __future__ import annotations

import irminpy
from irminpy import contents


class Document:
    """Text by name, with undo and redo. What was undone stays until something else is written."""

    def __init__(self, repo: irminpy.Repo[str]) -> None:
        self.repo = repo
        self.store = repo.main()
        self.undone: list[irminpy.Commit[str]] = []

    def write(self, name: str, text: str) -> None:
        if self.store.set(name, text, message=f"write {name}") is not None:
            self.undone.clear()

    def undo(self) -> bool:
        head = self.store.find_head()
        if head is None or not head.parents:
            return False
        before = self.repo.commit(head.parents[0])
        # Only if nobody else has moved the branch meanwhile.
        if not self.store.test_and_set_head(test=head, set=before):
            return False
        self.undone.append(head)
        return True

    def redo(self) -> bool:
        if not self.undone:
            return False
        self.store.fast_forward(self.undone.pop())
        return True


with irminpy.open("mem:", irminpy.Schema(contents.String())) as repo:
    document = Document(repo)
    document.write("title", "Letter")
    document.write("body", "Dear Ann,")
    document.write("body", "Dear Bob,")

    assert document.undo()
    assert document.store.get("body") == "Dear Ann,"
    assert document.undo()
    assert document.store.find("body") is None
    assert not document.undo()  # the first commit stays

    assert document.redo()
    assert document.redo()
    assert not document.redo()
    assert document.store.get("body") == "Dear Bob,"

    # Something new after an undo: the old way on is no longer there to redo, but the commit still is.
    lost = document.store.head()
    document.undo()
    document.write("body", "Dear Cho,")
    assert not document.redo()
    assert repo.commit(lost.hash).tree().get("body") == "Dear Bob,"

    for commit in document.store.log():
        print(commit.short(), commit.info.message, sorted(commit.tree()))
