"""The torture harness: faults of the disk, of memory and of processes, and a checker of what must hold after them."""
