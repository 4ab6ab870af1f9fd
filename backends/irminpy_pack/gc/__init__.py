"""Garbage collection: what roots lead to is copied into a new generation, which then takes the place of the old one.

docs/formats/pack-gc.md tells the steps and what stands after a crash between any two of them.
"""
