"""A reply by the stretches of its file: which seconds were asked about, and what was said of each window."""

from dataclasses import replace

from crabplus.schema import Media, Reply, Window

__all__ = ["file_of", "length_of", "part_asked", "path_of", "problem", "window_at", "windows_of"]


def file_of(reply: Reply) -> Media | None:
    """The file that was asked about; None where the reply does not say.

    Where a picture out of a film was shown, which has a window, that is the film.
    """
    shown = reply.media[0] if reply.media else None
    return replace(shown, kind="video") if shown and shown.kind == "image" and shown.end is not None else shown


def path_of(reply: Reply) -> str:
    """The path of the file as the user gave it; the id of the reply where it names no file."""
    file = file_of(reply)
    return file.path if file else reply.id


def part_asked(reply: Reply) -> tuple[float, float] | None:
    """The seconds [start, end) that were asked about; None for a still picture or a file of unknown length."""
    file = file_of(reply)
    if file is None or file.kind == "image":
        return None
    end = file.duration if file.end is None else file.end
    return None if end is None else (file.start or 0.0, end)


def length_of(reply: Reply) -> float:
    """Seconds of the file; 0 where nothing tells."""
    file = file_of(reply)
    ends = [window.end for window in reply.windows[-1:]]
    return max([file.duration or 0.0 if file else 0.0, file.end or 0.0 if file else 0.0, *ends])


def windows_of(reply: Reply) -> tuple[Window, ...]:
    """The windows of a reply; one that was given in a single piece is a single window over the part asked about.

    There is none where nothing was said, or where that part is not known.
    """
    part = part_asked(reply)
    if reply.windows or part is None:
        return reply.windows
    return (
        Window(
            *part, text=reply.text, answer=reply.answer, reasoning=reply.reasoning, reason=reply.reason,
            error=reply.error, confidence=reply.confidence,
        ),
    )  # fmt: skip


def window_at(reply: Reply, time: float | None) -> Window | None:
    """The window in which a time lies, the last one at its very end; None where there is none."""
    if time is None:
        return None
    found = [window for window in windows_of(reply) if window.start <= time <= window.end]
    return next((window for window in found if time < window.end), found[-1] if found else None)


def problem(said: Reply | Window) -> str | None:
    """Why there is no answer, in words; None where there is one."""
    if said.error:
        return said.error
    return None if said.answer is not None else said.reason or "no answer"
