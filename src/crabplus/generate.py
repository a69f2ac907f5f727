"""Answers from a model: left-padded batches, greedy decoding, one prediction for every sample."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from crabplus.data import SampleList, encode
from crabplus.models.head import logits_at
from crabplus.schema import Prediction
from crabplus.tasks import Pack, get_task


def check_adapter(path: str | Path) -> None:
    """Raise a ValueError if a folder holds no adapter."""
    if not (Path(path) / "adapter_config.json").is_file():
        raise ValueError(f"{path}: no adapter_config.json in there; name the folder that training wrote")


def load_adapter(model: Any, path: str | Path) -> Any:
    """Put a saved adapter on ``model.thinker``; missing or unexpected weights are an error.

    Raises:
        ValueError: the folder holds no adapter for this model.
    """
    from peft import PeftModel

    import crabplus.ilora  # noqa: F401 - registers the method

    check_adapter(path)
    model.thinker = PeftModel.from_pretrained(model.thinker, str(path)).eval()
    return model


def predict(
    model: Any, samples: SampleList, pack: Pack, batch_size: int = 8, origin: Mapping[str, Any] | None = None
) -> Iterator[Prediction]:
    """Answer all samples in their order; one that cannot be read becomes a prediction with its error.

    ``origin`` says which model and adapter answer; every prediction records it, with pack and decoding.
    """
    settings = {
        **(origin or {}), "pack": f"{pack.name} {pack.version}", "pack_hash": pack.digest, "decoding": "greedy",
        "max_new_tokens": pack.max_new_tokens,
    }  # fmt: skip
    for start in range(0, len(samples), batch_size):
        numbers = range(start, min(start + batch_size, len(samples)))
        yield from _predict_batch(model, samples, numbers, pack, settings)


def _predict_batch(
    model: Any, samples: SampleList, numbers: Sequence[int], pack: Pack, settings: dict[str, Any]
) -> list[Prediction]:
    items = [samples[number] for number in numbers]
    encoded, errors = [], {}
    for sample, source in items:
        try:
            encoded.append(encode(model, sample, source, pack, target=False))
        except ValueError as error:
            errors[sample.id] = str(error)
    texts = iter(generate(model, encoded, pack.max_new_tokens) if encoded else [])
    made = []
    for sample, _ in items:
        if sample.id in errors:
            made.append(Prediction(sample.id, sample.task, error=errors[sample.id], settings=settings))
            continue
        text = next(texts)
        found = get_task(sample.task).read(text, sample, pack)
        made.append(
            Prediction(sample.id, sample.task, text, found.answer, found.reasoning, found.reason, settings=settings)
        )
    return made


@torch.inference_mode()
def generate(model: Any, encoded: Sequence[Any], max_new_tokens: int) -> list[str]:
    """Greedy texts for encoded prompts, in one left-padded batch."""
    batch = {
        key: value.to(model.device) for key, value in model.collate(encoded, side="left").items() if key != "labels"
    }
    width = batch["input_ids"].shape[1]
    tokenizer = model.processor.tokenizer
    with logits_at(model.head, None):
        out = model.thinker.generate(
            **batch, max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=model.stop_token_ids,
            pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    return [text.strip() for text in tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)]
