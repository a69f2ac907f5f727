"""crabplus: one audio-visual language model for many tasks at once (Crab+, arXiv 2603.04128)."""

__version__ = "0.1.0"
