"""What visitors of the page may ask for, and how they are told that they may not."""

from dataclasses import dataclass

__all__ = ["Limits", "Refused"]


class Refused(Exception):
    """Something that is not done; the message is for the person who asked."""


@dataclass(frozen=True)
class Limits:
    """Limits of the page.

    Attributes:
        size: bytes of one upload. seconds: of a file that are asked about. pixels: of a picture.
        answer: seconds that one answer may take.
        waiting: questions in the queue; one is answered at a time. uploads: that come in at a time.
        stall: seconds without a byte of an upload; upload: seconds for all of it.
        keep: seconds after which an uploaded file is deleted.
        room: bytes that all uploads may take on the disk.
        text: letters of a question, or of all labels.
    """

    size: int = 200 * 10**6
    seconds: float = 600.0
    pixels: int = 50 * 10**6
    answer: float = 300.0
    waiting: int = 20
    uploads: int = 16
    stall: float = 30.0
    upload: float = 600.0
    keep: float = 7200.0
    room: int = 2 * 10**9
    text: int = 2000

    def __post_init__(self) -> None:
        wrong = [name for name, value in vars(self).items() if not value > 0]
        if wrong:
            raise ValueError(f"limits: a positive number wanted for {', '.join(wrong)}")
