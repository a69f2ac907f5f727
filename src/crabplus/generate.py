"""Answers from a model: left-padded batches, greedy decoding, one prediction for every sample."""

import json
import logging
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import send_to_device
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch.utils.data import DataLoader
from transformers import LogitsProcessorList

from crabplus.confidence import Recorder, Said, answer_span, with_confidence
from crabplus.constrain import Constraint, forms_of
from crabplus.data import PromptData, SampleList, Unreadable
from crabplus.loading import check_adapter
from crabplus.models.head import logits_at
from crabplus.schema import Prediction, Sample
from crabplus.tasks import Pack, get_task

_LOG = logging.getLogger("crabplus")


def load_adapter(model: Any, path: str | Path, learns: bool = False) -> Any:
    """Put a saved adapter on ``model.thinker``; missing or unexpected weights are an error.

    Args:
        learns: whether it is to be trained on.

    Raises:
        ValueError: the folder holds no adapter for this model.
    """
    from peft import PeftModel

    import crabplus.ilora  # noqa: F401 - registers the method

    check_adapter(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found missing adapter keys")  # an error, below
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)  # by PEFT
        thinker = PeftModel.from_pretrained(model.thinker, str(path), is_trainable=learns)
    _check_fit(thinker, Path(path))
    model.thinker = thinker if learns else thinker.eval()
    return model


def _check_fit(thinker: Any, path: Path) -> None:
    """Raise unless the adapter has a weight for each place that its settings make in this model, and no other."""
    from peft import get_peft_model_state_dict
    from peft.utils import load_peft_weights

    places = set(get_peft_model_state_dict(thinker, save_embedding_layers=False))
    saved = set(load_peft_weights(str(path), device="cpu"))
    if places <= saved <= places | set(thinker.state_dict()):
        return
    base = json.loads((path / "adapter_config.json").read_text(encoding="utf-8")).get("base_model_name_or_path")
    raise ValueError(
        f"{path}: this adapter is of another model: {len(places & saved)} of its {len(saved)} weights have a place in "
        f"this one, which wants {len(places)}; it was trained on {base or 'a model that it does not name'}: name that"
    )


def settings_of(
    pack: Pack, origin: Mapping[str, Any] | None = None, reasoning: bool = True, constrain: bool = False
) -> dict[str, Any]:
    """What a prediction records of how it was made; ``origin`` says which model and adapter answer."""
    return {
        **(origin or {}), "pack": f"{pack.name} {pack.version}", "pack_hash": pack.digest, "decoding": "greedy",
        "max_new_tokens": pack.max_new_tokens, "reasoning": "on" if reasoning else "off", "constrained": constrain,
    }  # fmt: skip


def dtype_of(model: Any) -> str:
    """The type of the weights, such as ``bfloat16``."""
    return str(next(model.thinker.parameters()).dtype).removeprefix("torch.")


def predict(
    model: Any, samples: SampleList, pack: Pack, batch_size: int = 8, origin: Mapping[str, Any] | None = None, *,
    workers: int = 0, reasoning: bool = True, constrain: bool = False, longest_first: bool = False,
) -> Iterator[Prediction]:  # fmt: skip
    """Answer all samples; one that cannot be read, or does not fit into memory, is a prediction with its error.

    Media are decoded while the model answers the batch before. A batch that does not fit into the memory of the device
    is halved, and so are later ones as large.

    Args:
        samples: answered in their order; origin: see :func:`settings_of`.
        workers: processes that decode ahead; with 0 a thread of this one does.
        reasoning: whether it is asked for; constrain: whether answers are held to the form of their task.
        longest_first: answer in order of length, so that a batch holds little padding and lack of memory shows at once.
    """
    batches = batches_of(model.encoder, samples, pack, batch_size, reasoning, longest_first)
    answerer = Answerer(model, pack, origin, reasoning, constrain)
    for items in _encoded(PromptData(model.encoder, samples, pack, reasoning), batches, workers):
        yield from answerer(items)


class Answerer:
    """Answers batches as :func:`predict` does, with the same arguments; remembers how much did not fit into memory."""

    def __init__(
        self, model: Any, pack: Pack, origin: Mapping[str, Any] | None, reasoning: bool, constrain: bool
    ) -> None:
        self.model, self.pack, self.reasoning, self.constrain, self.room = model, pack, reasoning, constrain, _Room()
        self.settings = {**settings_of(pack, origin, reasoning, constrain), "dtype": dtype_of(model)}

    def __call__(self, items: Sequence[tuple[Sample, Any]]) -> Iterator[Prediction]:
        """Answer one batch, of what :class:`~crabplus.data.PromptData` gives."""
        good = [(sample, made) for sample, made in items if not isinstance(made, Unreadable)]
        patterns = [forms_of(sample, self.pack, self.reasoning, self.constrain) for sample, _ in good]
        encoded, longest = [made for _, made in good], self.pack.max_new_tokens
        said = iter(_answers(self.model, encoded, longest, patterns, self.room))
        for sample, made in items:
            answer = made if isinstance(made, Unreadable) else next(said)
            yield _prediction(sample, answer, self.pack, self.settings)


def batches_of(
    encoder: Any, samples: SampleList, pack: Pack, batch_size: int, reasoning: bool, longest_first: bool
) -> list[list[int]]:
    """The batches of :func:`predict`, by numbers of samples; ``encoder`` may be without its model."""
    order = _by_length(encoder, samples, pack, reasoning) if longest_first else list(range(len(samples)))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _by_length(encoder: Any, samples: SampleList, pack: Pack, reasoning: bool) -> list[int]:
    """Numbers of the samples, those with most tokens first; of the same length, those of one task together."""
    keys = []
    for number in range(len(samples)):
        sample, _ = samples[number]
        try:
            counts = encoder.count(get_task(sample.task).prompt(sample, pack, reasoning), None, pack.longest)
            keys.append((-sum(counts.values()), sample.task))
        except ValueError:  # it is told when the sample is encoded
            keys.append((0, sample.task))
    return sorted(range(len(keys)), key=keys.__getitem__)


def _encoded(data: PromptData, batches: list[list[int]], workers: int) -> Iterator[list[Any]]:
    """Batches of samples with their tensors, made ahead.

    From other processes they come as bytes through a pipe: torch would use shared memory, of which containers have
    little. Processes are spawned, for a fork of one with threads may hang.
    """
    spawned = {"multiprocessing_context": "spawn", "collate_fn": pickle.dumps} if workers else {"collate_fn": list}
    loader: DataLoader[Any] = DataLoader(
        data, batch_sampler=batches, num_workers=workers, generator=torch.Generator(), **spawned
    )
    if workers:
        yield from map(pickle.loads, loader)
        return
    waiting_for = iter(loader)
    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(next, waiting_for, None)
        while (batch := ahead.result()) is not None:
            ahead = thread.submit(next, waiting_for, None)
            yield batch


@dataclass
class _Room:
    """The memory of a device: ``limit`` is the smallest number of rows times tokens that did not fit."""

    limit: float = inf


def _answers(
    model: Any, encoded: Sequence[Any], max_new_tokens: int, patterns: Sequence[Any], room: _Room
) -> list[Said | Unreadable]:
    """The text for each prompt, in smaller batches where memory is short; what does not fit alone is an error."""
    if not encoded:
        return []
    rows, width = len(encoded), max(len(item["input_ids"]) for item in encoded)
    if rows == 1 or rows * width < room.limit:
        texts = _attempt(model, encoded, max_new_tokens, patterns)
        if texts is not None:
            return list(texts)
        if room.limit == inf:
            _LOG.warning("%d prompts of up to %d tokens do not fit into memory: smaller batches", rows, width)
        room.limit = min(room.limit, rows * width)
        if rows == 1:
            return [Unreadable("", "", f"{width} tokens of prompt do not fit into the memory of {model.device}")]
    half = rows // 2
    return [
        *_answers(model, encoded[:half], max_new_tokens, patterns[:half], room),
        *_answers(model, encoded[half:], max_new_tokens, patterns[half:], room),
    ]


def _attempt(model: Any, encoded: Sequence[Any], max_new_tokens: int, patterns: Sequence[Any]) -> list[Said] | None:
    """The texts; None where memory is too short."""
    try:
        return generate(model, encoded, max_new_tokens, patterns)
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
    clear_device_cache(garbage_collection=True)  # out here: the error holds on to what was computed
    return None


def _prediction(sample: Sample, said: Said | Unreadable, pack: Pack, settings: dict[str, Any]) -> Prediction:
    if isinstance(said, Unreadable):
        return Prediction(sample.id, sample.task, error=said.error, settings=settings)
    task = get_task(sample.task)
    found = task.read(said.text, sample, pack)
    answer = found.answer and with_confidence(found.answer, said.text, said.confidence, task, sample, pack)
    sure = said.confidence(answer_span(said.text)) if answer else None
    return Prediction(
        sample.id, sample.task, said.text, answer, found.reasoning, found.reason, settings=settings, confidence=sure
    )


@torch.inference_mode()
def generate(
    model: Any, encoded: Sequence[Any], max_new_tokens: int, patterns: Sequence[re.Pattern[str] | None] = ()
) -> list[Said]:
    """Greedy texts for encoded prompts, in one left-padded batch; ``patterns`` are what the texts have to match."""
    batch = send_to_device(model.collate(encoded, side="left"), model.device)
    del batch["labels"]
    width, tokenizer, stops = batch["input_ids"].shape[1], model.processor.tokenizer, model.stop_token_ids
    held = [Constraint(patterns, tokenizer, width, stops, max_new_tokens)] if any(patterns) else []
    recorder = Recorder(held)
    with logits_at(model.head, None):
        out = model.thinker.generate(
            **batch, max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=stops,
            pad_token_id=tokenizer.pad_token_id, logits_processor=LogitsProcessorList([recorder]),
        )  # fmt: skip
    return recorder.read(out[:, width:], tokenizer)
