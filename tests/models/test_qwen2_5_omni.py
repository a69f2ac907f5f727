"""The Qwen2.5-Omni family on the shipped tiny model: true lengths, labels, padding, special tokens, save and reload."""

import numpy as np
import pytest
import torch

from crabplus.data import encode
from crabplus.generate import generate
from crabplus.models import load_model, resolve
from crabplus.schema import Media, Message, Part
from crabplus.tasks import get_task, load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from crabplus.tidepool.perception import PERCEPTION

PACK = load_pack(resolve("tiny") + "/pack.yaml")
MAKERS = {**KEYS, **PERCEPTION}


@pytest.fixture(scope="module")
def model():
    return load_model("tiny", PACK.size, dtype="float32")


@pytest.fixture(scope="module")
def rows():
    return [LiveSamples(dict.fromkeys(MAKERS, 1.0), MAKERS, 77, 40)[n] for n in range(40)]


class Noise:
    """Media made of noise, of a wanted length."""

    def __init__(self, seconds):
        self.seconds = seconds

    def frames(self, media, count, size):
        return np.random.default_rng(0).integers(0, 256, (count, size[1], size[0], 3), np.uint8), self.seconds

    def image(self, media, size):
        return self.frames(media, 1, size)[0][0]

    def wave(self, media, rate):
        return np.random.default_rng(0).normal(0, 0.1, round(self.seconds * rate)).astype(np.float32)


def conversation(*parts):
    return [Message("user", (*parts, Part(kind="text", text="What is it?")))]


CLIP = Part(kind="video", media=Media("clip", "video", "x.mp4"), frames=3)
SOUND = Part(kind="audio", media=Media("sound", "audio", "x.wav"))


@pytest.mark.parametrize("seconds", [0.3, 1.0, 4.97, 10.0, 23.4])
def test_sound_keeps_its_true_length(model, seconds):
    encoded = model.encode(conversation(SOUND), Noise(seconds))
    frames = encoded["input_features"][0].shape[1]
    extractor = model.processor.feature_extractor
    assert frames == round(seconds * extractor.sampling_rate) // extractor.hop_length
    tokens = int((encoded["input_ids"] == model.processor.tokenizer.audio_token_id).sum())
    assert tokens == ((frames - 1) // 2 + 1 - 2) // 2 + 1
    with torch.inference_mode():  # the model finds as many features as there are places for them
        model.thinker(**model.collate([encoded]))


def test_too_short_a_sound_is_refused(model):
    with pytest.raises(ValueError, match="x.wav.*too short"):
        model.encode(conversation(SOUND), Noise(0.1))


def test_seconds_per_grid_are_those_of_the_clip(model):
    for seconds in (4.0, 10.0):
        encoded = model.encode(conversation(CLIP), Noise(seconds))
        assert encoded["video_second_per_grid"].tolist() == pytest.approx([seconds / 3])


def test_positions_per_second_follow_the_audio_rate(model):
    extractor = model.processor.feature_extractor
    tokens_per_second = extractor.sampling_rate / extractor.hop_length / 4
    assert model.thinker.config.position_id_per_seconds == tokens_per_second
    assert model.processor.position_id_per_seconds == tokens_per_second


def test_silent_video_has_no_sound_tokens(model):
    silent = Part(kind="video", media=Media("clip", "video", "x.mp4", sound="none"), frames=3)
    assert model.encode(conversation(silent), Noise(10))["input_features"] == []
    assert len(model.encode(conversation(CLIP), Noise(10))["input_features"]) == 1


def test_only_the_answer_has_labels(model, rows):
    for sample, source in rows[:8]:
        encoded = encode(model, sample, source, PACK, target=True)
        learnt = encoded["labels"][encoded["labels"] >= 0]
        text = model.processor.tokenizer.decode(learnt)
        assert text == get_task(sample.task).target(sample, PACK) + "<|im_end|>"
        prompt = encode(model, sample, source, PACK, target=False)["input_ids"]
        assert encoded["input_ids"][: len(prompt)].tolist() == prompt.tolist()


def test_special_token_in_a_question_is_refused(model):
    with pytest.raises(ValueError, match="AUDIO"):
        model.encode([Message("user", (Part(kind="text", text="Is <|AUDIO|> a sound?"),))], Noise(1))


def test_batch_of_eight_and_one_by_one_give_the_same_answers(model, rows):
    encoded = [encode(model, sample, source, PACK, target=False) for sample, source in rows[:24]]
    single = [generate(model, [item], 40)[0].text for item in encoded]
    batched = [said.text for start in range(0, 24, 8) for said in generate(model, encoded[start : start + 8], 40)]
    assert batched == single
    assert len(set(single)) > 12


def test_right_padding_in_training_changes_nothing(model, rows):
    encoded = [encode(model, sample, source, PACK, target=True) for sample, source in rows[:4]]
    batch = model.collate(encoded)
    assert batch["attention_mask"].sum(1).tolist() == [len(item["input_ids"]) for item in encoded]
    with torch.inference_mode():
        together = model.thinker(**batch).logits
        for row, item in zip(together, encoded, strict=True):
            alone = model.thinker(**model.collate([item])).logits[0]
            torch.testing.assert_close(row[: len(alone)], alone, atol=2e-4, rtol=1e-4)


def test_ids_are_equal_after_save_and_reload(model, tmp_path):
    model.processor.save_pretrained(tmp_path)
    again = type(model.processor).from_pretrained(tmp_path)
    text = "<|im_start|>user\n<|audio_bos|><|AUDIO|><|audio_eos|>Ünbekannte 77 wörds (3,14)<|im_end|>\n"
    assert again.tokenizer(text)["input_ids"] == model.processor.tokenizer(text)["input_ids"]
    assert again.tokenizer.decode(again.tokenizer(text)["input_ids"]) == text


def test_parts_are_modules(model):
    for name in model.parts.values():
        assert sum(p.numel() for p in model.thinker.get_submodule(name).parameters()) > 1000


def test_unknown_model_type_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "parrot"}')
    with pytest.raises(ValueError, match="parrot"):
        load_model(tmp_path, PACK.size)
