"""What a decode worker can be asked for, by name."""

from collections.abc import Callable
from typing import Any

from crabplus.media.annotate import write_annotated
from crabplus.media.clip import read_probe
from crabplus.media.cuts import read_cuts
from crabplus.media.pictures import read_frames
from crabplus.media.sound import read_waveform
from crabplus.media.stills import read_image

__all__ = ["OPERATIONS"]

OPERATIONS: dict[str, Callable[..., Any]] = {
    "probe": read_probe, "frames": read_frames, "waveform": read_waveform, "image": read_image,
    "cuts": read_cuts,
    "annotate": write_annotated,
}  # fmt: skip
