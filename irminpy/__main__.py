"""`python -m irminpy`, where the program `irminpy` is not on the path."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="irminpy")
