"""A ledger with contents and a merge function of its own: accounts that refuse to be overdrawn by a merge."""

from __future__ import annotations

from dataclasses import dataclass

import irminpy
from irminpy.contents import Own
from irminpy.merge import NO_ANCESTOR, Conflict, Old, option


@dataclass(frozen=True)
class Account:
    owner: str
    cents: int


def encode(account: Account) -> bytes:
    return f"{account.cents} {account.owner}".encode()


def decode(data: bytes) -> Account:
    try:
        cents, owner = data.decode().split(" ", 1)
        account = Account(owner, int(cents))
    except ValueError as e:
        raise irminpy.DecodeError("account/1", str(e)) from e
    if encode(account) != data:
        raise irminpy.DecodeError("account/1", "it is not in canonical form")
    return account


def merge(old: Old[Account], ours: Account, theirs: Account, /) -> Account | Conflict:
    """What both sides paid in and out since the ancestor."""
    if old is NO_ANCESTOR or not (old.owner == ours.owner == theirs.owner):
        return Conflict("whose account is it?", ours=ours, theirs=theirs)
    cents = ours.cents + theirs.cents - old.cents
    if cents < 0:
        return Conflict("overdrawn", base=old, ours=ours, theirs=theirs)
    return Account(ours.owner, cents)


accounts = Own("account/1", encode, decode, option(merge))


def pay(ledger: irminpy.Store[Account], giver: str, taker: str, cents: int) -> None:
    """One commit for both accounts, or none at all."""
    with ledger.edit("accounts", message=f"{giver} pays {taker} {cents}") as book:
        for name, amount in ((giver, -cents), (taker, cents)):
            account = book[name]
            book[name] = Account(account.owner, account.cents + amount)
        if book[giver].cents < 0:
            raise ValueError(f"{giver} has not that much")


with irminpy.open("mem:", irminpy.Schema(accounts)) as repo:
    main = repo.main()
    with main.edit("accounts", message="open the accounts") as book:
        for name in ("ann", "bob", "cho"):
            book[name] = Account(name, 100)

    # Two tills work apart, then meet.
    till = main.clone("till")
    pay(main, "ann", "bob", 30)
    pay(till, "ann", "cho", 50)
    main.merge_with_branch("till", message="close the till")
    balances = {name: main.get(("accounts", name)).cents for name in main.tree().get_tree("accounts")}
    print(balances)
    assert balances == {"ann": 20, "bob": 130, "cho": 150}

    # Each till alone is in order, but together they spend what is not there.
    till = main.clone("till")
    pay(main, "ann", "bob", 20)
    pay(till, "ann", "cho", 20)
    head = main.head()
    try:
        main.merge_with_branch("till")
    except irminpy.MergeConflict as e:
        (conflict,) = e.conflicts
        assert isinstance(conflict, Conflict)
        print("/".join(conflict.path), conflict.reason)
        assert conflict.reason == "overdrawn"
    assert main.head() == head

    try:
        pay(main, "ann", "bob", 1)
    except ValueError as e:
        print(e)
    assert main.head() == head
