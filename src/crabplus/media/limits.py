"""How much a file may ask for. Far more than people's own files do, and little enough that none of them hurts.

What goes beyond is refused from its header, before anything is decoded; time is limited by the
:class:`~crabplus.media.Decoder`.
"""

__all__ = [
    "MEMORY", "MOST_PIECES", "MOST_SCANS", "MOST_STREAMS", "SOUND_RATES", "STILL_BYTES", "STILL_PIXELS", "VIDEO_PIXELS",
    "large",
]  # fmt: skip

STILL_PIXELS = 200_000_000  # of a picture; the largest cameras in telephones make 16,320 x 12,240
STILL_BYTES = 2**30  # of a picture's file
MOST_SCANS = 200  # of a progressive jpeg, which usually has ten: each of them goes over the whole picture
VIDEO_PIXELS = 8192 * 8192  # of each picture of a video
MOST_STREAMS = 500  # of a container; fonts that are attached to a matroska count among them
MOST_PIECES = 1_000_000  # boxes or chunks on the outermost level
SOUND_RATES = (1000, 1_000_000)  # lowest and highest number of samples per second
MEMORY = 8 * 2**30  # bytes that a decode worker may have in its address space, where the platform can limit that


def large(width: int, height: int, most: int) -> str:
    """The reason to refuse a picture of this size."""
    return f"its size is {width} x {height} pixels, and no more than {most:,} pixels are read: make it smaller"
