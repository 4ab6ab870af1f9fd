"""Trees: immutable values with lazy reads and delayed writes."""
