"""``python -m crabplus``, which launchers of several processes need."""

from crabplus.cli import main

if __name__ == "__main__":  # a spawned process imports this file too
    main()
