"""A configuration with a history: reviewed on a branch, merged key by key, compared, and put back."""

from __future__ import annotations

from typing import Any

import irminpy
from irminpy import contents

schema = irminpy.Schema(contents.JsonObject())

with irminpy.open("mem:", schema, author="ops") as repo:
    live = repo.main()
    first = live.set("services/web", {"port": 80, "workers": 2}, message="the first configuration")
    live.set("services/mail", {"port": 25}, message="mail")
    before = live.tree()

    # Two people change one file: each their own key, so nobody has to choose.
    review = live.clone("review")
    review.set("services/web", {"port": 80, "workers": 8}, message="more workers", author="ann")
    live.set("services/web", {"port": 443, "workers": 2}, message="https", author="bob")
    live.merge_with_branch("review", message="take the review")
    assert live.get("services/web") == {"port": 443, "workers": 8}

    # What changed since then?
    for path, change in before.diff(live.tree()):
        print("/".join(path), change.before, "->", change.after)

    # Both change the same key: a person decides, here with a function.
    review.set("services/web", {"port": 8080, "workers": 8}, message="another port", author="ann")
    live.set("services/web", {"port": 8443, "workers": 8}, message="another one", author="bob")
    try:
        live.merge_with_branch("review")
    except irminpy.MergeConflict as e:
        print(e)

    def greater_port(conflict: irminpy.Conflict) -> dict[str, Any]:
        sides: list[dict[str, Any]] = [conflict.ours, conflict.theirs]
        return max(sides, key=lambda side: int(side["port"]))

    live.merge_with_branch("review", message="settled", on_conflict=greater_port)
    assert live.get("services/web")["port"] == 8443

    # Back to the first configuration of this file, in a new commit.
    assert first is not None
    live.set("services/web", first.tree().get("services/web"), message="as it was")
    print(live.get("services/web"))
    for commit in live.log(path="services/web"):
        print(f"{commit.info.author:4} {commit.info.message}")
