"""Teachers: the template writer, a local model, and any endpoint of OpenAI's chat protocol with media attached."""

import asyncio
import base64
import io
import wave
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from crabplus.reasoning import template
from crabplus.reasoning.annotate import Said
from crabplus.schema import Media, Message, Part, Sample
from crabplus.tasks import Pack, default_pack, get_task

RATE = 16_000
SIDE = 448  # pixels of the longer side of a picture that is sent
SYSTEM = (
    "You write training data for a model that watches and listens. You are shown a sample with a question and what is "
    "known to be its answer. Explain in two to five sentences how what can be seen and heard leads there. Speak only "
    "of sights and sounds, never of having been told anything. Close with exactly the line that you are given last."
)


class Source(Protocol):
    """Where pictures and sound come from, such as ``crabplus.models.source.Files``."""

    def frames(self, media: Media, count: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        """Pictures (N, H, W, 3) of a video, and the seconds they span."""

    def image(self, media: Media, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture (H, W, 3)."""

    def wave(self, media: Media, rate: int) -> NDArray[np.float32]:
        """Mono sound (S,)."""


async def by_template(sample: Sample, complaint: str | None) -> Said:
    """Writes from ground truth alone."""
    return Said(template.write(sample))


def request(sample: Sample, complaint: str | None, pack: Pack) -> str:
    """What a teacher is told of a sample: its question, the line to close with, and what was wrong before."""
    task = get_task(sample.task)
    assert sample.answer is not None
    asked = task.prompt(sample, pack)[-1].parts[-1].text
    text = f"The question was: {asked}\nClose with this line: {task.write(sample.answer, sample, pack)}"
    return f"{text}\nAn earlier attempt could not be used, because {complaint}." if complaint else text


class Local:
    """A model on this machine.

    Args:
        answer: gives the text that a model writes for a conversation; called in a thread, one at a time.
    """

    def __init__(self, answer: Callable[[tuple[Message, ...]], str], pack: Pack | None = None) -> None:
        self.answer, self.pack, self.lock = answer, pack or default_pack(), asyncio.Lock()

    async def __call__(self, sample: Sample, complaint: str | None) -> Said:
        """See :data:`crabplus.reasoning.annotate.Teacher`."""
        frames = self.pack.frames
        shown = [Part(item.kind, media=item, frames=frames if item.kind == "video" else None) for item in sample.media]
        told = Part("text", request(sample, complaint, self.pack))
        messages = Message("system", (Part("text", SYSTEM),)), Message("user", (*shown, told))
        async with self.lock:
            return Said(await asyncio.to_thread(self.answer, messages))


class Endpoint:
    """A model behind an endpoint; calls that fail or are told to wait are tried again, later each time.

    Args:
        model: its name there. source: where media come from. url: of the endpoint, None for OpenAI's own; the key is
            read from ``OPENAI_API_KEY``. frames: pictures of a video. sound: whether sound is sent. seconds: limit of
            a call. retries: how often a failed call is made again.
    """

    def __init__(
        self, model: str, source: Source, url: str | None = None, *, frames: int = 8, sound: bool = True,
        seconds: float = 120.0, retries: int = 5, pack: Pack | None = None,
    ) -> None:  # fmt: skip
        self.model, self.source, self.url, self.frames, self.sound = model, source, url, frames, sound
        self.seconds, self.retries, self.pack = seconds, retries, pack or default_pack()

    async def __call__(self, sample: Sample, complaint: str | None) -> Said:
        """See :data:`crabplus.reasoning.annotate.Teacher`."""
        from openai import AsyncOpenAI

        async with AsyncOpenAI(base_url=self.url, timeout=self.seconds, max_retries=self.retries) as client:
            made = await client.chat.completions.create(model=self.model, messages=self.messages(sample, complaint))
        if not made.choices or not (text := made.choices[0].message.content):
            raise ValueError("the endpoint gave no text")
        used = made.usage
        return Said(text, used.prompt_tokens if used else 0, used.completion_tokens if used else 0)

    def messages(self, sample: Sample, complaint: str | None) -> Any:
        """The conversation: what is asked of the teacher, media in order, question and true answer."""
        parts = [part for item in sample.media for part in self._shown(item)]
        content = [*parts, {"type": "text", "text": request(sample, complaint, self.pack)}]
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]

    def _shown(self, item: Media) -> list[dict[str, Any]]:
        size = _fitting(item.size)
        if item.kind == "image":
            return [_picture(self.source.image(item, size))]
        parts = []
        if item.kind == "video":
            parts += [_picture(picture) for picture in self.source.frames(item, self.frames, size)[0]]
        if self.sound and (item.kind == "audio" or item.sound == "track"):
            parts.append(_sound(self.source.wave(item, RATE)))
        return parts


def _fitting(size: tuple[int, int] | None) -> tuple[int, int]:
    width, height = size or (SIDE, SIDE)
    scale = min(1.0, SIDE / max(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _picture(picture: NDArray[np.uint8]) -> dict[str, Any]:
    coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    uri = f"data:image/jpeg;base64,{base64.b64encode(coded.tobytes()).decode()}"
    return {"type": "image_url", "image_url": {"url": uri}}


def _sound(samples: NDArray[np.float32]) -> dict[str, Any]:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
