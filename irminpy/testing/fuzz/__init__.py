"""Changed proofs: that no verifier takes one for the honest one, and that all of them are refused in the same way."""
