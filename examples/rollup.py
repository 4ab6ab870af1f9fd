"""A rollup: whoever holds 10,000 accounts applies 100 transfers; whoever holds one hash checks that they were applied.

The checker runs the same function on the accounts that the proof shows, and gets the new root; it needs no others.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import irminpy
from irminpy import BadProof, Hash, Proof, Schema, Tree, contents, verify_proof

SCHEMA = Schema(contents.Counter())
Accounts = Tree[int, None]


@dataclass(frozen=True)
class Transfer:
    payer: str
    payee: str
    amount: int


def applied(transfers: list[Transfer]) -> Callable[[Accounts], tuple[Accounts, list[bool]]]:
    """The function of a block of transfers: the accounts after it, and which transfers were valid."""

    def run(accounts: Accounts) -> tuple[Accounts, list[bool]]:
        valid: list[bool] = []
        for transfer in transfers:
            payer, payee = (accounts.find(account) for account in (transfer.payer, transfer.payee))
            fine = payer is not None and 0 < transfer.amount <= payer and transfer.payer != transfer.payee
            if fine and payer is not None:
                rest = payer - transfer.amount
                accounts = accounts.add(transfer.payer, rest) if rest else accounts.remove(transfer.payer)
                accounts = accounts.add(transfer.payee, (payee or 0) + transfer.amount)
            valid.append(fine)
        return accounts, valid

    return run


@dataclass(frozen=True)
class Block:
    """What is published: the transfers, the proof that they were applied, and the new root as it is claimed."""

    transfers: list[Transfer]
    proof: bytes
    after: Hash


class Checker:
    """Holds a root, and follows blocks that are proved."""

    def __init__(self, root: Hash) -> None:
        self.root = root

    def follow(self, block: Block) -> list[bool]:
        """Which transfers of the block were valid; raises BadProof, and stays where it is."""
        proof = Proof.from_bytes(block.proof, SCHEMA)
        accounts, valid = verify_proof(proof, applied(block.transfers), SCHEMA, root=self.root)
        if accounts.hash() != block.after:
            raise BadProof("the block claims another root")
        self.root = accounts.hash()
        return valid


def drawn(rng: random.Random) -> list[Transfer]:
    """100 transfers; some pay too much, or from accounts that are not there."""
    names = [f"accounts/{i:05}" for i in rng.sample(range(10_050), 200)]
    return [Transfer(a, b, rng.randrange(1, 120)) for a, b in zip(names[::2], names[1::2], strict=True)]


def main() -> None:
    rng = random.Random(1)
    with irminpy.open("mem:", SCHEMA, author="sequencer", clock=lambda: 0) as repo:
        store = repo.main()
        with store.edit("accounts", message="genesis") as accounts:
            for i in range(10_000):
                accounts[f"{i:05}"] = 100
        checker = Checker(store.head().tree_hash)
        for number in range(3):
            transfers = drawn(rng)
            proof, valid = store.produce_proof(applied(transfers))
            block = Block(transfers, proof.to_bytes(), Hash(proof.after.hash))
            after, _ = applied(transfers)(store.tree())
            store.set_tree((), after, message=f"block {number}")

            forged = [Transfer(transfers[0].payer, "accounts/mine", transfers[0].amount), *transfers[1:]]
            for wrong in (
                Block(forged, block.proof, block.after),
                Block(transfers, block.proof, checker.root),
            ):
                try:
                    checker.follow(wrong)
                except BadProof as e:
                    refused = e
                else:
                    raise AssertionError("a false block was followed")
            assert checker.follow(block) == valid
            assert checker.root == store.head().tree_hash
            print(
                f"block {number}: {sum(valid)} of {len(valid)} transfers, proved in {len(block.proof)} bytes"
            )
        print(f"false blocks are refused: {refused}")


if __name__ == "__main__":
    main()
