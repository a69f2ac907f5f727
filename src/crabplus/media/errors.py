"""The one error of this package."""

import os

__all__ = ["MediaError"]


class MediaError(ValueError):
    """A media file, or the part of it that was asked for, that cannot be read.

    Attributes:
        path: the file as the caller named it; reason: why it cannot be read, and the remedy where there is one. The
            message has both on one line, with escapes in the place of what cannot be printed.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str = "") -> None:
        # A DataLoader raises it anew with the whole message as its only argument: that must work too.
        self.path, self.reason = os.fsdecode(path), _shown(reason)
        super().__init__(f"{_shown(self.path)}: {self.reason}" if reason else self.path)

    def __reduce__(self) -> tuple[type["MediaError"], tuple[str, str]]:
        return type(self), (self.path, self.reason)


def _shown(text: str) -> str:
    """On one line and fit to be written anywhere: a file may have any name, and a decoder quotes from files."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
