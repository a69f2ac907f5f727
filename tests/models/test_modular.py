"""Models that are put together from parts: what is refused, and how they are asked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.models import load_encoder
from crabplus.models.modular import compose
from crabplus.models.modular_net import ModularConfig
from crabplus.schema import Media, Message, Part
from tiny_models import SIZE, modular


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return modular(tmp_path_factory.mktemp("modular"))


class Long:
    def wave(self, media, rate):
        return np.zeros(16 * rate, np.float32)


def test_what_its_audio_encoder_cannot_take_is_refused_by_name(folder):
    turns = [Message("user", (Part(kind="audio", media=Media("sound", "audio", "x.wav")),))]
    with pytest.raises(ValueError, match="x.wav: 16.0 s of sound, and its audio encoder takes 15 s"):
        load_encoder(folder, SIZE).encode(turns, Long())


def test_unknown_connectors_and_folders_of_something_else(folder, tmp_path):
    with pytest.raises(ValueError, match="one of mlp, qformer wanted, got 'glue'"):
        ModularConfig(connector="glue")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "crabplus_modular"}))
    with pytest.raises(ValueError, match="no modular.json in there"):
        load_encoder(tmp_path, SIZE)
    parts = [f"--{name}={folder.parent / 'parts' / name}" for name in ("vision", "audio", "language")]
    run = CliRunner().invoke(app, ["compose", *parts, "--out", str(folder)])
    assert run.exit_code == 2 and "there is a model in it already" in run.output


def test_a_language_model_without_a_template_gets_one(folder):
    encoder = load_encoder(folder, SIZE)
    said = encoder.processor.apply_chat_template([
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A dog."}]},
    ], tokenize=False)  # fmt: skip
    assert said == "user: <|picture|>What is it?\nassistant: A dog.<|im_end|>\n"


def text_that_sees(parts):
    (parts / "vision" / "preprocessor_config.json").rename(parts / "language" / "preprocessor_config.json")
    shutil.rmtree(parts / "vision")
    shutil.copytree(parts / "language", parts / "vision")


def text_that_hears(parts):
    (parts / "audio" / "preprocessor_config.json").rename(parts / "language" / "preprocessor_config.json")
    shutil.rmtree(parts / "audio")
    shutil.copytree(parts / "language", parts / "audio")


def no_processor(parts):
    (parts / "vision" / "preprocessor_config.json").unlink()


def no_tokenizer(parts):
    for file in (parts / "language").glob("*token*"):
        file.unlink()


def nowhere(parts):
    shutil.rmtree(parts / "audio")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (text_that_sees, "vision: .* is a LlamaModel, which takes input_ids: no vision encoder"),
        (text_that_hears, "audio: .* is a LlamaModel, which takes input_ids: no audio encoder"),
        (no_processor, "vision: no image processor can be had from "),
        (no_tokenizer, "language: .* tokenizer "),
        (nowhere, "audio: no feature extractor can be had from .*: no such folder here; "),
    ],
)
def test_a_part_that_is_none_is_refused_before_anything_is_written(folder, tmp_path, spoil, told):
    parts = Path(shutil.copytree(folder.parent / "parts", tmp_path / "parts"))
    spoil(parts)
    with pytest.raises(ValueError, match=told):
        compose(*(str(parts / name) for name in ("vision", "audio", "language")), tmp_path / "made")
    assert not (tmp_path / "made").exists()
