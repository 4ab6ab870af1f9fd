"""Proofs of the formats `irmin` and `tezos`, as Irmin 3.7.2 has them."""
