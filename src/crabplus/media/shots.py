"""Hard cuts: where one picture of a video has little in common with the one before."""

import numpy as np
from av.video.reformatter import VideoReformatter

from crabplus.media.clip import survey, window_of
from crabplus.media.errors import MediaError
from crabplus.media.streams import opened

__all__ = ["read_cuts"]

_SIDE = 32  # pixels, each way, at which pictures are compared
_LEAST = 8.0  # mean difference of a cut, of 255
_TIMES = 4.0  # so many times the usual difference around it
_AROUND = 12  # pictures before and behind that say what is usual
_LEAD = 1.0  # seconds that are looked at before the window, to know what is usual when it begins


def read_cuts(path: str, start: float | None, end: float | None) -> list[float]:
    """See :func:`crabplus.media.cuts`.

    Raises:
        MediaError: see there.
    """
    clip = survey(path)
    if clip is None or clip.video is None:
        raise MediaError(path, "has no moving pictures, so it has no cuts")
    begin, stop = window_of(path, start, end, clip.pictures_end)
    times, steps = [], []
    before, reformatter = None, VideoReformatter()
    with opened(clip.path, clip.format, clip.video) as container:
        stream = container.streams[clip.video]
        stream.codec_context.skip_frame = "NONREF"  # what no other picture needs is not decoded: about twice as fast
        container.seek(int((max(begin - _LEAD, 0.0) + clip.origin) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            time = None if frame.time is None else frame.time - clip.origin
            if time is None or time < begin - _LEAD:
                continue
            if time >= stop:
                break
            small = reformatter.reformat(frame, _SIDE, _SIDE, "rgb24").to_ndarray().astype(np.int16)
            if before is not None:
                times.append(time)
                steps.append(float(np.abs(small - before).mean()))
            before = small
    return [time for time, cut in zip(times, _sudden(np.array(steps)), strict=True) if cut and time >= begin]


def _sudden(steps: np.ndarray) -> list[bool]:
    """Which of the differences stand out of those around them."""
    found = []
    for n, step in enumerate(steps):
        around = np.concatenate([steps[max(0, n - _AROUND) : n], steps[n + 1 : n + 1 + _AROUND]])
        usual = max(float(np.median(around)), 1.0) if around.size else 1.0
        found.append(bool(step >= _LEAST and step >= _TIMES * usual))
    return found
