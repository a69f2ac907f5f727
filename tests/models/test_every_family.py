"""One battery for every family of models, on tiny random weights."""

import pickle
import re

import numpy as np
import pytest
import torch

import crabplus.ilora  # noqa: F401 - registers the method
from crabplus.config import AdapterSettings
from crabplus.generate import generate, load_adapter
from crabplus.models import family_of, load_encoder, load_model, load_skeleton
from crabplus.models.head import logits_at
from crabplus.schema import Media, Message, Part
from crabplus.train.adapters import adapted_layers, part_of, prepare
from tiny_models import FAMILIES, SIZE

CLIP = Part(kind="video", media=Media("clip", "video", "x.mp4"), frames=4)
SILENT = Part(kind="video", media=Media("clip", "video", "x.mp4", sound="none"), frames=4)
PICTURE = Part(kind="image", media=Media("frame", "image", "x.jpg"))
SOUND = Part(kind="audio", media=Media("sound", "audio", "x.wav"))
SHOWN = {"both": (CLIP,), "film": (SILENT,), "sound": (SOUND,), "picture and sound": (PICTURE, SOUND), "nothing": (),
         "two films": (SOUND, SILENT, SILENT)}  # fmt: skip


class Noise:
    """Media made of noise, other for each seed."""

    def __init__(self, seed, seconds=2.3):
        self.rng, self.seconds = np.random.default_rng(seed), seconds

    def frames(self, media, count, size):
        return self.rng.integers(0, 256, (count, size[1], size[0], 3), np.uint8), self.seconds

    def image(self, media, size):
        return self.frames(media, 1, size)[0][0]

    def wave(self, media, rate):
        return self.rng.normal(0, 0.1, round(self.seconds * rate)).astype(np.float32)


def asked(encoder, name, seed=0, target=None, seconds=2.3):
    turns = [Message("user", (*SHOWN[name], Part(kind="text", text="What is it?")))]
    return encoder.encode(turns, Noise(seed, seconds), target)


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory):
    return FAMILIES[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture
def model(folder):
    return load_model(folder, SIZE, dtype="float32")


@pytest.fixture
def adapted(model):
    prepare(model, AdapterSettings(kind="ilora", r=4, alpha=8, heads=2, dropout=0.0), ())
    return model


def logits(model, items):
    batch = model.collate(items)
    del batch["labels"]
    with torch.inference_mode():
        return model.thinker(**batch).logits


@pytest.mark.parametrize("seconds", [0.2, 1.0, 2.37, 5.0, 12.1])
def test_places_are_as_many_as_features(model, seconds):
    for name in SHOWN:
        logits(model, [asked(model, name, seconds=seconds)])  # transformers counts them


def test_tokens_are_counted_without_reading(model):
    for name, parts in SHOWN.items():
        turns = [Message("user", (*parts, Part(kind="text", text="What is it?")))]
        assert sum(model.count(turns, "a dog", 2.3).values()) == len(asked(model, name, target="a dog")["input_ids"])


def test_every_medium_changes_the_answer(model):
    for name in SHOWN:
        one, other = (logits(model, [asked(model, name, seed)])[0, -1] for seed in (1, 2))
        assert torch.allclose(one, other) == (name == "nothing")


def test_some_lack_sound_or_pictures(model):
    """Right-padded together as alone; and left-padded the same words are generated."""
    items = [asked(model, name, n, "it is", seconds=2.3 + 0.37 * n) for n, name in enumerate(SHOWN)]
    together = logits(model, items)
    for row, item in zip(together, items, strict=True):
        torch.testing.assert_close(row[: len(item["input_ids"])], logits(model, [item])[0], atol=2e-4, rtol=1e-3)
    items = [asked(model, name, n, seconds=2.3 + 0.37 * n) for n, name in enumerate(SHOWN)]
    single = [generate(model, [item], 12)[0].text for item in items]
    assert [said.text for said in generate(model, items, 12)] == single and len(set(single)) > 2


def test_cached_generation_is_that_without_a_cache(model):
    item = asked(model, "both")
    said = generate(model, [item], 6)[0].text
    ids = item["input_ids"]
    for _ in range(6):
        made = {**item, "input_ids": ids, "labels": torch.full_like(ids, -100)}
        ids = torch.cat([ids, logits(model, [made])[0, -1:].argmax(-1)])
    assert model.processor.tokenizer.decode(ids[len(item["input_ids"]) :], skip_special_tokens=True).strip() == said


def test_logits_only_where_they_are_needed(model):
    item = asked(model, "both", target="a dog")
    whole = logits(model, [item])
    where = (item["labels"] >= 0)[None]
    with logits_at(model.head, where):
        some = logits(model, [item])
    assert some.shape[1] == int(where.sum()) < whole.shape[1]
    torch.testing.assert_close(some[0], whole[0, where[0]], atol=1e-5, rtol=1e-4)


def test_a_step_with_an_adapter_lowers_the_loss_and_its_heads_move(adapted, tmp_path):
    items = [asked(adapted, name, seed, "a dog barks") for seed, name in enumerate(SHOWN)]
    batch = adapted.collate(items)
    chosen = [p for p in adapted.thinker.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=1e-2)
    losses = []
    for _ in range(4):
        loss = adapted.thinker(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    layers = list(adapted_layers(adapted.thinker))
    assert layers and {part_of(name, adapted.parts) for name in layers} >= {"language"}
    heads = {n: p for n, p in adapted.thinker.named_parameters() if "ilora_B" in n}
    assert len(heads) == len(layers) and all(p.abs().max() > 0 for p in heads.values())
    wanted = logits(adapted, items)
    adapted.thinker.save_pretrained(tmp_path)
    again = load_adapter(load_model(adapted.base.config._name_or_path, SIZE, dtype="float32"), tmp_path)
    assert torch.equal(logits(again, items), wanted)


def test_processor_and_weights_come_back_the_same(model, tmp_path):
    model.thinker.save_pretrained(tmp_path)
    model.processor.save_pretrained(tmp_path)
    again = load_model(tmp_path, SIZE, dtype="float32")
    for name in SHOWN:
        one, other = asked(model, name), asked(again, name)
        assert one["input_ids"].tolist() == other["input_ids"].tolist()
        assert torch.equal(logits(model, [one]), logits(again, [other]))


def test_what_makes_tensors_needs_no_weights_and_travels(folder, model):
    encoder = pickle.loads(pickle.dumps(load_encoder(folder, SIZE)))
    assert asked(encoder, "both")["input_ids"].tolist() == asked(model, "both")["input_ids"].tolist()
    assert pickle.loads(pickle.dumps(model.encoder)).stop_token_ids == model.stop_token_ids


def test_the_skeleton_has_the_parts(folder, model):
    skeleton = load_skeleton(folder)
    names = {name for name, _ in skeleton.named_parameters()}
    assert names == {name for name, _ in model.thinker.named_parameters()}
    family = family_of(folder)
    for part, path in family.PARTS.items():
        assert list(skeleton.get_submodule(path).parameters()), part
    assert all(name in names for name in family.UNUSED)
    assert family.saved_dtype(folder) == torch.float32


def test_every_tower_runs_whatever_a_batch_holds(adapted):
    adapted.thinker.requires_grad_(True)
    for name in adapted.unused:
        adapted.base.get_parameter(name).requires_grad_(False)
    adapted.run_every_tower()
    adapted.thinker.train()

    def reached(*names):
        adapted.thinker.zero_grad()
        adapted.thinker(**adapted.collate([asked(adapted, name, target="a dog") for name in names])).loss.backward()
        return {n for n, p in adapted.thinker.named_parameters() if p.grad is not None}

    everything, nothing = reached("both", "picture and sound"), reached("nothing")
    assert all("experts" in name or ".gate." in name for name in everything - nothing)
    assert len(nothing) > 20


def test_layers_of_the_stacks_are_those_of_the_model(folder, model):
    made = {stack.part: stack for stack in family_of(folder).stacks(model.base.config, SIZE)}
    assert set(made) == {"language", "vision", "audio"}
    layer = re.compile(rf"{model.parts['language']}\.(?:model\.)?layers\.\d+")
    assert made["language"].layers == sum(bool(layer.fullmatch(name)) for name, _ in model.base.named_modules())
