"""The embedded store: append-only segments, an LMDB index, nothing ever lost (docs/formats/pack.md)."""
