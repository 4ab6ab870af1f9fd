"""`python -m irminpy`, where the program `irminpy` is not on the path."""

from .cli import main

main(prog_name="irminpy")
