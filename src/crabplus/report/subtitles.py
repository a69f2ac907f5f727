"""Events and captions as SRT subtitles, which players show beside a film."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from crabplus.report.card import describe
from crabplus.report.windows import part_asked, path_of, windows_of
from crabplus.schema import EventsAnswer, ObjectsAnswer, Reply
from crabplus.whole import write_whole

__all__ = ["file_names", "write_srt"]

_LEAST = 500
"""Milliseconds that an event without length is shown."""
_INERT = str.maketrans("<>{}", "‹›()")
"""Players take what stands in <> and {} for commands, and --> for a line of times."""
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_LONGEST = 200  # bytes of a name


class Cue(NamedTuple):
    """A line of text during [start, end) milliseconds."""

    start: int
    end: int
    words: str


def write_srt(folder: str | Path, replies: Iterable[Reply]) -> list[Path]:
    """Write one ``NAME.srt`` for each file with events or words, each whole or not at all.

    Events are cues with their label; one without length is shown for half a second. A label, an option, or a text is a
    cue over the window that it is about, or over the part of the file that was asked about. Replies about the same file
    go into the same subtitles, and what overlaps is cut where something begins or ends, so that no two cues overlap and
    each shows all that goes on, a line each; cues that follow each other and say the same are one. Boxes, pictures,
    failed files and files in which nothing happens give no subtitles. ``<>{}`` become ``‹›()``, because players would
    take them for commands.

    NAME is that of the file without its ending, fit for every file system; a second file of the same name is NAME-2.

    Args:
        folder: where the subtitles go; made if need be. replies: what was said of each file.

    Returns:
        The written files, in the order of the replies.

    Raises:
        ValueError: words about a file of unknown length.
    """
    cues: dict[str, list[Cue]] = {}
    for reply in replies:
        cues.setdefault(path_of(reply), []).extend(_cues(reply))
    spoken = {path: found for path, found in cues.items() if found}
    written = [Path(folder) / f"{name}.srt" for name in file_names(spoken)]
    for path, found in zip(written, spoken.values(), strict=True):
        write_whole(path, _srt(found).encode())
    return written


def _cues(reply: Reply) -> Iterator[Cue]:
    """What was said with its times, in any order; these may overlap."""
    if reply.error or reply.answer is None and not reply.windows or isinstance(reply.answer, ObjectsAnswer):
        return
    if isinstance(reply.answer, EventsAnswer):
        for event in reply.answer.events:
            start, end = round(1000 * event.start), round(1000 * event.end)
            yield Cue(start, end if end > start else start + _LEAST, _line(event.label))
        return
    if not reply.windows and part_asked(reply) is None:
        if reply.media and reply.media[0].kind != "image":
            raise ValueError(f"{reply.id}: subtitles need the length of the file, and it is not known")
        return
    for window in windows_of(reply):
        words = _line(describe(window.answer, reply))
        if window.answer is not None and not window.error and words and window.end > window.start:
            yield Cue(round(1000 * window.start), round(1000 * window.end), words)


def _line(text: str) -> str:
    """Words on one line, as an empty line would end a cue."""
    return " ".join(text.translate(_INERT).split())


def _srt(cues: list[Cue]) -> str:
    blocks = (
        f"{number}\n{_stamp(cue.start)} --> {_stamp(cue.end)}\n{cue.words}\n"
        for number, cue in enumerate(_stacked(cues), 1)
    )
    return "\n".join(blocks)


def _stacked(cues: list[Cue]) -> Iterator[Cue]:
    """Cues that do not overlap: cut at every start and end, those at the same time one below the other."""
    waiting = sorted(cues, key=lambda cue: (cue.start, cue.end), reverse=True)
    times = sorted({time for cue in cues for time in (cue.start, cue.end)})
    open_cues: list[Cue] = []
    before: Cue | None = None
    for start, end in zip(times, times[1:], strict=False):
        open_cues = [cue for cue in open_cues if cue.end > start]
        while waiting and waiting[-1].start <= start:
            open_cues.append(waiting.pop())
        words = "\n".join(dict.fromkeys(cue.words for cue in open_cues))
        if before and before.words == words:
            before = before._replace(end=end)
            continue
        if before and before.words:
            yield before
        before = Cue(start, end, words)
    if before and before.words:
        yield before


def _stamp(time: int) -> str:
    """Milliseconds as HH:MM:SS,mmm."""
    rest, milliseconds = divmod(time, 1000)
    minutes, rest = divmod(rest, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02},{milliseconds:03}"


def file_names(paths: Iterable[str]) -> Iterator[str]:
    """A name for each path, no two alike even where capitals do not count."""
    taken: set[str] = set()
    for path in paths:
        name = stem = _safe(Path(path).stem)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        yield name


def _safe(stem: str) -> str:
    """A name that every file system takes."""
    name = _FORBIDDEN.sub("_", stem).encode()[:_LONGEST].decode(errors="ignore").rstrip(" .")
    return f"_{name}" if not name or _DEVICES.match(name) or name.startswith(".") else name
