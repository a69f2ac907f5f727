"""What every task offers: prompt, target and parser of one task key, and the judge of its answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crabplus.schema import (
    Answer,
    ChoiceAnswer,
    EventsAnswer,
    Media,
    Message,
    ObjectsAnswer,
    Parsed,
    Part,
    Sample,
)
from crabplus.tasks.packs import Pack, default_pack
from crabplus.tasks.tags import spaced, split_reasoning, tidy, without_tags

Pair = tuple[Sample, Answer | None]
"""A sample with its true answer, and what a model answered; None where nothing could be read."""
Resampler = Callable[[NDArray[np.int64]], float]
"""From the numbers of drawn samples to a metric over them."""


class Task(ABC):
    """One task key.

    Attributes:
        key: name of the task, such as ``ave``; family: the family it belongs to.
        like: a key whose wording is taken where a pack has none for this one.
        version: raised when prompt, target or parser change so that old predictions no longer compare.
        answers: the class of its answers.
        metric: name of the main metric in what :meth:`judge` returns; highest: the most that it can be.
        alone: whether the metric says something of one sample by itself.
        needs: what the media must offer: ``picture``, ``film`` (pictures over time), ``sound``.
        takes_question: whether a question belongs to each sample.
        opens: names of the tags of which one opens an answer.
    """

    family: str
    answers: type[Any]
    metric: str
    highest: float = 1.0
    alone: bool = True
    needs: frozenset[str] = frozenset()
    takes_question: bool = False
    opens: tuple[str, ...] = ("answer",)
    version: int = 1

    def __init__(self, key: str, like: str | None = None) -> None:
        self.key, self.like = key, like

    def prompt(
        self, sample: Sample, pack: Pack | None = None, reasoning: bool = True, draw: int | None = None
    ) -> tuple[Message, ...]:
        """System and user turn that ask for the answer of ``sample``.

        Args:
            sample: what is asked about; pack: the wording, by default that of 7 B models.
            reasoning: whether reasoning is wanted; without it the pack's sentence for that is added.
            draw: another number, such as that of an epoch, may give another of the paraphrases; None: always the same.
        """
        pack = pack or default_pack()
        worded = self.worded(pack.keys)
        wording = pack.wording(worded)
        media = tuple(self._show(item, pack) for item in sample.media)
        lead = (Part(kind="text", text=wording.lead),) if wording.lead else ()
        asked = self._instruction(worded, sample, pack, draw)
        ask = Part(kind="text", text=asked if reasoning or not pack.direct else f"{asked} {pack.direct}")
        system = (Message("system", (Part(kind="text", text=pack.system),)),) if pack.system else ()
        return (*system, Message("user", (*lead, *media, ask)))

    def _instruction(self, worded: str, sample: Sample, pack: Pack, draw: int | None) -> str:
        """What is asked in words: of media, or of the notes about the windows of a long file."""
        fields = self.fields(sample, pack)
        if "notes" in sample.meta:
            return pack.joins[worded].format(**fields, notes=sample.meta["notes"])
        text = pack.instruction(worded, sample.id, draw)
        closed = sample.meta.get("closed") and pack.vocabulary and not ("{choices}" in text or "{options}" in text)
        named = f" {pack.vocabulary.format(options=', '.join(sample.options))}" if closed else ""
        return text.format(**fields) + named

    def target(self, sample: Sample, pack: Pack | None = None, reasoning: bool = True) -> str:
        """The text that a model should generate, with the reasoning of the sample in front if it has one.

        Tags in the reasoning are left out, since what stands in them would be read as the answer.

        Raises:
            ValueError: the sample has no true answer, one of another kind, or one that cannot be written.
        """
        if sample.answer is None:
            raise ValueError(f"{sample.id}: a target needs the true answer, and this sample has none")
        self.check(sample)
        pack = pack or default_pack()
        answer = self.write(sample.answer, sample, pack)
        found = self.find(answer, sample, pack)
        if isinstance(found, str):
            raise ValueError(f"{sample.id}: the answer would be written as {answer:.80}, which cannot be read: {found}")
        if isinstance(found, EventsAnswer | ObjectsAnswer) and self.write(found, sample, pack) != answer:
            raise ValueError(f"{sample.id}: the answer would be written as {answer:.80}, which reads as {found}")
        answer = spaced(answer) if pack.spaced else answer
        return f"{without_tags(sample.reasoning)} {answer}" if reasoning and sample.reasoning else answer

    def check(self, sample: Sample) -> None:
        """Raise a ValueError if the true answer of a sample is none that this task can have."""
        if sample.answer is not None and not self.fits(sample.answer, sample):
            raise ValueError(f"{sample.id}: answer: {self.key} has {self.answers.__name__}, not {sample.answer}")

    def fits(self, answer: Answer, sample: Sample) -> bool:
        """Whether an answer is one that this task can have."""
        index = answer.index if isinstance(answer, ChoiceAnswer) else 0
        return isinstance(answer, self.answers) and (index == 0 or index < len(sample.options))

    def parse(self, text: str, sample: Sample | None = None, pack: Pack | None = None) -> Answer | None:
        """The answer that generated text holds, or None."""
        return self.read(text, sample, pack).answer

    def read(self, text: str, sample: Sample | None = None, pack: Pack | None = None) -> Parsed:
        """Answer and reasoning in generated text, or the reason why there is no answer. Never raises."""
        answer = self.find(text, sample, pack or default_pack())
        if isinstance(answer, str):
            return Parsed(reasoning=tidy(text) or None, reason=answer)
        return Parsed(answer=answer, reasoning=split_reasoning(text))

    def fields(self, sample: Sample, pack: Pack) -> dict[str, str]:
        """Values for the placeholders of the instruction."""
        options = ", ".join(sample.options)
        choices = pack.choices.format(options=options) if options else ""
        width, height = pack.canvas
        return {
            "question": sample.question or "", "lowered": (sample.question or "").lower(), "options": options,
            "choices": choices, "width": str(width), "height": str(height),
        }  # fmt: skip

    def worded(self, keys: Collection[str]) -> str:
        """The key whose wording is used, of those that are worded."""
        return self.like if self.like and self.key not in keys else self.key

    def _show(self, item: Media, pack: Pack) -> Part:
        frames = pack.frames_of(self.worded(pack.keys)) if item.kind == "video" else None
        return Part(kind=item.kind, media=item, frames=frames)

    @abstractmethod
    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        """The answer as text."""

    @abstractmethod
    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        """The answer in the text, or in words why there is none."""

    def form(self, sample: Sample, pack: Pack) -> str:
        """A regular expression of every whole answer to this sample, tags included; see :mod:`crabplus.tasks.forms`.

        Whatever it matches :meth:`find` reads as an answer.

        Raises:
            ValueError: the task does not say its form, which only constrained decoding needs.
        """
        raise ValueError(f"{self.key}: its task does not say the form of its answers, so they cannot be constrained")

    def opening(self, sample: Sample) -> tuple[str, ...]:
        """The tags with which an answer may open; none where answers are without tags."""
        return tuple(f"<{name}>" for name in self.opens)

    def readable(self, answers: Sequence[Answer], sample: Sample, pack: Pack) -> list[str]:
        """These answers as text, without those that would not be read back; all of them where none would."""
        texts = [self.write(answer, sample, pack) for answer in answers]
        return [text for text in texts if not isinstance(self.find(text, sample, pack), str)] or texts

    @abstractmethod
    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        """The official numbers, the main one under :attr:`metric`; no answer counts as wrong."""

    def resampler(self, pairs: Sequence[Pair]) -> Resampler | None:
        """The main metric as a function of drawn samples, for the bootstrap, where the metric is no mean over samples.

        None: it is one, or each draw has to be judged anew.
        """
        return None

    def notes(self) -> tuple[str, ...]:
        """What has to be known beside the numbers of :meth:`judge`, such as parts that are absent on this machine."""
        return ()

    @abstractmethod
    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        """The fixed answers among which the best constant answer is looked for."""
