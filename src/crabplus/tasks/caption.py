"""Captioning: what a clip is about, in sentences."""

from collections import Counter
from collections.abc import Mapping, Sequence

from crabplus.metrics.captions import Tokenizer, absent_parts, caption_scores, video_scores
from crabplus.schema import Answer, Sample, TextAnswer
from crabplus.tasks import forms
from crabplus.tasks.base import Pair, Resampler, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_caption, write_caption


class Captioning(Task):
    """``avcap``: a description of picture and sound; ``meta["references"]`` may hold further true captions.

    With Java and ``pycocoevalcap`` the captions are split as the benchmark does and METEOR is among the numbers; else
    they are split by our own rule. The notes say which.
    """

    family = "captioning"
    answers = TextAnswer
    metric = "cider_d"
    highest = 10.0
    alone = False  # words count by how few captions of the whole set have them
    opens = ("caption",)
    needs = frozenset({"film", "sound"})

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, TextAnswer)
        return write_caption(answer.text)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        caption, reason = read_caption(text)
        return TextAnswer(caption) if caption else reason

    def form(self, sample: Sample, pack: Pack) -> str:
        return forms.caption(pack)

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        return caption_scores(*_texts(pairs), _tokenizer())

    def resampler(self, pairs: Sequence[Pair]) -> Resampler:
        cider = video_scores(*_texts(pairs), _tokenizer())["cider_d"]  # with the document frequencies of the whole set
        return lambda drawn: float(cider[drawn].mean())

    def notes(self) -> tuple[str, ...]:
        if absent := " and ".join(absent_parts()):
            return (f"captions split by crabplus's own rule, no METEOR: {absent} absent",)
        return ("captions split by the PTB tokenizer",)

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        common = Counter(caption for sample in samples for caption in _references(sample)).most_common(1)
        return [TextAnswer(caption) for caption, _ in common]


def _tokenizer() -> Tokenizer:
    return "plain" if absent_parts() else "ptb"


def _texts(pairs: Sequence[Pair]) -> tuple[list[str | None], list[list[str]]]:
    """What was said, and the true captions."""
    said = [answer.text if isinstance(answer, TextAnswer) else None for _, answer in pairs]
    return said, [_references(sample) for sample, _ in pairs]


def _references(sample: Sample) -> list[str]:
    own = [sample.answer.text] if isinstance(sample.answer, TextAnswer) else []
    return [*own, *map(str, sample.meta.get("references", []))]


CAPTION = (Captioning("avcap"),)
