"""ARIG in miniature: it has no files of its own, and is derived from those of AVSBench S4."""

from miniatures.avsbench import make

__all__ = ["make"]
