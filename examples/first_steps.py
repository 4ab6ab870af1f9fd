"""Keep a setting, change it on a branch, merge it, and look at the history."""

from __future__ import annotations

import irminpy

with irminpy.open("mem:") as repo:
    main = repo.main()
    main.set("theme/name", b"dark", message="pick a theme")

    work = main.clone("work")
    with work.edit("theme", message="fonts") as theme:
        theme["font"] = b"serif"
        theme["size"] = b"12"

    main.merge_with_branch("work", message="merge work")
    for commit in main.log(n=10):
        print(commit.hash, commit.info.message)
    for step, child in main.tree().list("theme"):
        print(step, child)
