"""Two shops keep their stock apart and meet through a third repository, without losing what the other has sent."""

from __future__ import annotations

import irminpy
from irminpy import contents, sync

schema = irminpy.Schema(contents.JsonObject())


def shop(name: str) -> irminpy.Repo[dict[str, object]]:
    return irminpy.open("mem:", schema, author=name)


def meet(store: irminpy.Store[dict[str, object]], remote: str) -> None:
    """Pull and push until nobody was quicker in between."""
    while True:
        sync.pull(store, remote, message="meet", on_conflict="theirs")
        try:
            sync.push(store, remote)
        except irminpy.Rejected:
            continue
        return


# What both shops can reach: here another repository of this process, by its URI.
CENTRE = "mem:centre"

with irminpy.open(CENTRE, schema) as centre, shop("north") as north, shop("south") as south:
    stock = north.main()
    with stock.edit("stock", message="opening") as ed:
        for i in range(500):
            ed[f"{i}"] = {"name": f"article {i}", "price": 10}
    first = sync.push(stock, CENTRE)
    print(f"north sends {first.sent.objects} objects")
    sync.pull(south.main(), CENTRE, "set")
    assert south.main().tree() == stock.tree()

    # Each changes its own; one article is changed by both, in different fields, which JSON merges.
    stock.set("stock/7", {"name": "article 7", "price": 12}, message="dearer")
    south.main().set("stock/7", {"name": "article seven", "price": 10}, message="spelled out")
    south.main().set("stock/500", {"name": "new"}, message="a new article")
    before = sync.push(stock, CENTRE)
    print(f"one change of north is {before.sent.objects} objects")
    assert before.sent.objects < 10

    # South does not lose what north has sent.
    try:
        sync.push(south.main(), CENTRE)
    except irminpy.Rejected as e:
        print(e)
    meet(south.main(), CENTRE)
    meet(stock, CENTRE)
    assert stock.get("stock/7") == {"name": "article seven", "price": 12}
    assert centre.get_tree("main:stock").length() == 501
    assert stock.head() == south.main().head() == centre.main().head()

    # A visitor needs no history.
    with shop("visitor") as visitor:
        sync.pull(visitor.main(), CENTRE, "set", depth=0)
        assert visitor.get("main:stock/500") == {"name": "new"}
        assert len(list(visitor.main().log(shallow=True))) == 1
        assert visitor.check(shallow=True).ok

    for repo in (centre, north, south):
        assert repo.check().ok
