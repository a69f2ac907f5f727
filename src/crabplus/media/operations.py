"""What a decode worker can be asked for, by name."""

from collections.abc import Callable
from typing import Any

from crabplus.media.clip import read_probe
from crabplus.media.marks import Marks
from crabplus.media.pictures import read_frames
from crabplus.media.shots import read_cuts
from crabplus.media.sound import read_waveform
from crabplus.media.stills import read_image

__all__ = ["OPERATIONS"]


def _annotate(path: str, out: str, marks: Marks, form: str) -> None:
    """See :func:`crabplus.media.annotate.write_annotated`; few ask for it, and its letters need one library more."""
    from crabplus.media.annotate import write_annotated

    write_annotated(path, out, marks, form)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "probe": read_probe, "frames": read_frames, "waveform": read_waveform, "image": read_image, "cuts": read_cuts,
    "annotate": _annotate,
}  # fmt: skip
