"""Models that are put together from parts: what is refused, and how they are asked."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.models import load_encoder
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
