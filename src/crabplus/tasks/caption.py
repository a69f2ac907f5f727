"""Captioning: what a clip is about, in sentences."""

from collections import Counter
from collections.abc import Mapping, Sequence

from crabplus.metrics.captions import caption_scores, video_scores
from crabplus.schema import Answer, Sample, TextAnswer
from crabplus.tasks.base import Pair, Resampler, Task
from crabplus.tasks.packs import Pack
from crabplus.tasks.tags import read_caption, write_caption


class Captioning(Task):
    """``avcap``: a description of picture and sound; ``meta["references"]`` may hold further true captions."""

    family = "captioning"
    metric = "cider_d"
    needs = frozenset({"film", "sound"})

    def write(self, answer: Answer, sample: Sample, pack: Pack) -> str:
        assert isinstance(answer, TextAnswer)
        return write_caption(answer.text)

    def find(self, text: str, sample: Sample | None, pack: Pack) -> Answer | str:
        caption, reason = read_caption(text)
        return TextAnswer(caption) if caption else reason

    def judge(self, pairs: Sequence[Pair]) -> Mapping[str, float | None]:
        return caption_scores(*_texts(pairs))

    def resampler(self, pairs: Sequence[Pair]) -> Resampler:
        cider = video_scores(*_texts(pairs))["cider_d"]  # with the document frequencies of the whole set
        return lambda drawn: float(cider[drawn].mean())

    def constants(self, samples: Sequence[Sample]) -> list[Answer]:
        common = Counter(caption for sample in samples for caption in _references(sample)).most_common(1)
        return [TextAnswer(caption) for caption, _ in common]


def _texts(pairs: Sequence[Pair]) -> tuple[list[str | None], list[list[str]]]:
    """What was said, and the true captions."""
    said = [answer.text if isinstance(answer, TextAnswer) else None for _, answer in pairs]
    return said, [_references(sample) for sample, _ in pairs]


def _references(sample: Sample) -> list[str]:
    own = [sample.answer.text] if isinstance(sample.answer, TextAnswer) else []
    return [*own, *map(str, sample.meta.get("references", []))]


CAPTION = (Captioning("avcap"),)
