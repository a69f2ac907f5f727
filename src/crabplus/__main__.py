"""``python -m crabplus`` is the ``crabplus`` command; a launcher of several processes starts it so."""

from crabplus.cli import main

if __name__ == "__main__":
    main()
