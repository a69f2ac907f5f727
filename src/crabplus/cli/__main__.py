"""``python -m crabplus.cli``."""

from crabplus.cli import main

main()
