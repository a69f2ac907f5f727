"""Where a model's pictures and sounds come from: files, or a world that renders them."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crabplus import media as files
from crabplus.media.cache import MediaCache
from crabplus.schema import Media


class MediaSource(Protocol):
    """Gives the media of a sample in the form that models take."""

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        """Evenly spaced pictures (N, H, W, 3) of a video, and the seconds that they span together."""

    def image(self, media: Media, size: tuple[int, int]) -> NDArray[np.uint8]:
        """One picture (H, W, 3)."""

    def wave(self, media: Media, rate: int) -> NDArray[np.float32]:
        """Mono sound (S,) at ``rate`` samples per second, within -1..1."""


class Files:
    """Media read from files; relative paths are taken from ``root``.

    An image with a window is the middle picture of that window of a video.
    """

    _reader: Any = files  # of the class: a module cannot be pickled

    def __init__(self, root: str | Path = ".") -> None:
        self.root = Path(root)

    def place(self, media: Media) -> tuple[Path, float | None, float | None]:
        """The file of a record, and the window of it that is read."""
        return self.root / media.path, *_window(media)

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        """See :class:`MediaSource`."""
        found = self._reader.frames(self.root / media.path, count, *_window(media), size)
        return found.images, found.end - found.start

    def image(self, media: Media, size: tuple[int, int]) -> NDArray[np.uint8]:
        """See :class:`MediaSource`."""
        if media.start is not None:
            return self._reader.frames(self.root / media.path, 1, media.start, media.end, size).images[0]
        return self._reader.image(self.root / media.path, size)

    def wave(self, media: Media, rate: int) -> NDArray[np.float32]:
        """See :class:`MediaSource`."""
        return self._reader.waveform(self.root / media.path, *_window(media), rate)


class CachedFiles(Files):
    """What :class:`Files` gives, bit for bit, out of a cache where it can; the errors are the same."""

    def __init__(self, root: str | Path, cache: MediaCache) -> None:
        super().__init__(root)
        self._reader = cache


def _window(media: Media) -> tuple[float | None, float | None]:
    """The window that is meant; a whole clip ends where its record says, so that pictures and sound end together."""
    return media.start, media.duration if media.end is None and media.start is None else media.end
