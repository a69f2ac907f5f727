"""How an answer is judged: pure NumPy functions, one file per official metric, each citing its source.

They take plain lists or arrays and know nothing of samples; tasks turn typed answers into their arguments.
"""

from crabplus.metrics import (
    arig,
    ave,
    avsbench,
    bootstrap,
    captions,
    classification,
    llp,
    meteor,
    music_avqa,
    ref_avs,
    unav,
)

__all__ = [
    "arig",
    "ave",
    "avsbench",
    "bootstrap",
    "captions",
    "classification",
    "llp",
    "meteor",
    "music_avqa",
    "ref_avs",
    "unav",
]
