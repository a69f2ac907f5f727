"""The page itself: what stands on it, and what its buttons do."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from crabplus.report.piece import hint, refusal, script, style
from crabplus.ui.answers import About, Question
from crabplus.ui.folder import Folder
from crabplus.ui.limits import Limits, Refused
from crabplus.ui.worker import Worker

__all__ = ["HEAD", "build"]

TYPES = [".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wav", ".mp3", ".flac", ".m4a", ".ogg", ".opus", ".jpg",
         ".jpeg", ".png"]  # fmt: skip
SOUNDS = [".wav", ".mp3", ".flac", ".m4a", ".ogg", ".opus", ".mp4"]
TIDEPOOL_QUESTIONS = [
    "Can you see the thing that makes the sound?", "Where is the thing that makes the sound?", "How many things sound?",
    "How many things can be seen?", "How many of the things that sound can be seen?",
]  # fmt: skip
_HINT = "Drop a file, choose what you want to know, and press Ask. The answer comes here."
_STYLE = f"""{style()}
.gradio-container {{ max-width: 1240px !important; margin: 0 auto !important; }}
#asked {{ max-width: 420px; }}
@media (max-width: 800px) {{ #asked {{ max-width: none; }} }}
"""
HEAD = f"<style>{_STYLE}</style><script>{script()}</script>"
"""Style and script of answers; gradio would take rules out of its own ``css``."""


def uploading(folder: Folder, **options: Any) -> gr.File:
    """A field for files, which takes nothing but files that were uploaded into the folder.

    A class of its own would make gradio write an interface beside this module.
    """
    field = gr.File(**options)

    async def take(url_or_path: str | Path | None) -> str | None:
        return None if url_or_path is None else str(folder.check(str(url_or_path)))

    # gradio would fetch what is an address, and leave an empty file behind for each question
    field.async_move_resource_to_block_cache = take  # type: ignore[method-assign,assignment]
    field._process_single_file = lambda file: str(folder.check(file.path))  # type: ignore[method-assign,assignment,return-value]
    return field


def build(worker: Worker, about: About, folder: Folder, limits: Limits) -> gr.Blocks:
    """The page, not yet served."""
    with gr.Blocks(title="crabplus", analytics_enabled=False) as page:
        gr.Markdown(_heading(about))
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320, elem_id="asked"):
                fields = _fields(about, folder, limits)
                ask = gr.Button("Ask", variant="primary", elem_id="ask")
            with gr.Column(scale=3, min_width=320):
                shown = gr.HTML(hint(_HINT), apply_default_css=False, elem_id="shown")
        model: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
        names = ("file", "task", "question", "labels", "sounds", "start", "end", "routing")
        ask.click(_asking(worker, about, folder, limits), [fields[name] for name in names], shown, api_name="ask",
                  show_progress_on=shown, **model)  # fmt: skip
        if about.tidepool:
            fields["example"].click(_example(worker, folder), None, fields["file"], api_name="example", **model)
        _follow(page, fields, about, folder)
    page.queue(max_size=limits.waiting, default_concurrency_limit=8, api_open=False)
    return page


def _heading(about: About) -> str:
    """Plain words; the name of the model comes from the command line."""
    name = about.model if about.tidepool else Path(about.model).name
    known = (
        "The **tiny** model, which the package ships, knows only *Tidepool*, a small world of drawn creatures and "
        "instruments. Anything else it answers in words of that world, and wrongly. Try it on a clip of Tidepool."
        if about.tidepool
        else f"Model: `{name.replace('`', '')}`."
    )
    return f"# crabplus\nWhat happens in a video, a sound or a picture, when, and where. {known}"


def _fields(about: About, folder: Folder, limits: Limits) -> dict[str, Any]:
    tasks = about.tasks
    label = f"Video, sound or picture (up to {limits.size / 1e6:g} MB, {limits.seconds:g} s)"
    made: dict[str, Any] = {"file": uploading(folder, label=label, file_types=TYPES, height=150, elem_id="file")}
    if about.tidepool:
        made["example"] = gr.Button("Tidepool example", size="sm", elem_id="example")
    made["task"] = gr.Radio(
        [(task.words, task.name) for task in tasks], value=tasks[0].name, label="Task", elem_id="task"
    )
    made["question"] = gr.Dropdown(
        TIDEPOOL_QUESTIONS if about.tidepool else [], value=TIDEPOOL_QUESTIONS[0] if about.tidepool else None,
        allow_custom_value=True, label="Question", visible=tasks[0].asks, elem_id="question",
        info="The tiny model knows questions like these, to the letter." if about.tidepool else None,
    )  # fmt: skip
    with gr.Accordion("More", open=False):
        made["sounds"] = uploading(
            folder, label="Sound for a picture or silent video", file_types=SOUNDS, height=150,
            file_count="multiple", elem_id="sounds",
        )  # fmt: skip
        made["labels"] = gr.Textbox(label="Own labels", info="With commas between; answers are held to these.")
        with gr.Row():
            made["start"] = gr.Textbox(
                label="From", elem_id="from", placeholder="12.5 or 0:12", min_width=120, max_length=20
            )
            made["end"] = gr.Textbox(label="To", placeholder="its end", min_width=120, max_length=20)
        made["routing"] = gr.Checkbox(False, label="Show which heads the router chose", visible=about.routes)
    return made


def _follow(page: gr.Blocks, fields: dict[str, Any], about: About, folder: Folder) -> None:
    """What happens beside answers: fields come and go, and so do files.

    It does not wait in the queue: gradio loses what is asked in the moment in which something else is done.
    """
    aside: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    asking = [task.name for task in about.tasks if task.asks]
    fields["task"].change(
        lambda task: gr.update(visible=task in asking), fields["task"], fields["question"], **aside
    )  # fmt: skip

    def hold(file: str | None, sounds: list[str] | None, request: gr.Request) -> None:
        folder.hold(str(request.session_hash), [Path(path) for path in (file, *(sounds or ())) if path])

    for name in ("file", "sounds"):
        fields[name].change(hold, [fields["file"], fields["sounds"]], None, **aside)

    def leave(request: gr.Request) -> None:
        folder.leave(str(request.session_hash))

    page.unload(leave)  # without such a one, pages keep no stream open by which they are known to be there


def _example(worker: Worker, folder: Folder) -> Callable[[], str]:
    def example() -> str:
        seed = secrets.randbelow(2**31)
        path = folder.path / secrets.token_hex(16) / f"tidepool-{seed}.mp4"
        path.parent.mkdir()
        worker.call("example", str(path), seed)
        return str(path)

    return example


def _asking(worker: Worker, about: About, folder: Folder, limits: Limits) -> Callable[..., str]:
    asking = {task.name for task in about.tasks if task.asks}

    def ask(
        file: str | None, task: str, question: str | None, labels: str | None, sounds: list[str] | None,
        start: str | None, end: str | None, routing: bool, request: gr.Request,
    ) -> str:  # fmt: skip
        try:
            words = (question or "") if task in asking else ""  # what a hidden field still holds is not meant
            if task in asking and not words.strip():
                raise Refused("no question yet: type one")
            asked = _question(folder, limits, file, task, words, labels or "", sounds, start, end, routing)
            folder.hold(str(request.session_hash), [Path(path) for path in (asked.path, *asked.sounds)])
            answered: str = worker.call("answer", asked)
        except Refused as refused:
            return refusal(str(refused))
        finally:
            folder.answered(str(request.session_hash))
        return answered

    return ask


def _question(
    folder: Folder, limits: Limits, file: str | None, task: str, question: str, labels: str, sounds: list[str] | None,
    start: str | None, end: str | None, routing: bool,
) -> Question:  # fmt: skip
    """What the fields say.

    Raises:
        Refused: no file, or too much text.
    """
    if not file:
        raise Refused("no file yet: drop a video, a sound or a picture")
    if len(question) > limits.text or len(labels) > limits.text:
        raise Refused(f"questions and labels may have {limits.text} letters")
    names = tuple(dict.fromkeys(label.strip() for label in labels.split(",") if label.strip()))
    paths = [str(folder.check(path)) for path in (file, *(sounds or ()))]
    return Question(paths[0], task, question.strip(), names, tuple(paths[1:]), second(start), second(end),
                    bool(routing))  # fmt: skip


def second(text: str | None) -> float | None:
    """The second that is meant by ``75``, ``75.5``, ``1:15`` or ``0:01:15``; None where nothing is said.

    Raises:
        Refused: it is no time.
    """
    said = (text or "").strip()
    if not said:
        return None
    if not re.fullmatch(r"(\d{1,6}:){0,2}\d{1,6}(\.\d{1,6})?", said, re.ASCII):
        raise Refused("a time is written as seconds, such as 12.5, or as 1:15")
    parts = [float(part) for part in reversed(said.split(":"))]
    return sum(part * 60**place for place, part in enumerate(parts))
