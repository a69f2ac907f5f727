"""What docs/add-a-model.md says: the family in it, outside the package, is found, loaded, and hears 30 seconds."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from crabplus import models
from crabplus.cli import app
from crabplus.models import family_of, load_encoder, load_model, load_skeleton, take
from crabplus.plugins import load
from crabplus.schema import Media, Message, Part
from tiny_models import SIZE, qwen2_5_omni

PAGE = Path(__file__).parents[2] / "docs" / "add-a-model.md"
CODE = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


class Long:
    """A sound of some length."""

    def __init__(self, seconds):
        self.seconds = seconds

    def wave(self, media, rate):
        return np.zeros(self.seconds * rate, np.float32)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "_TAKEN", {})
    path = tmp_path / "quiet.py"
    path.write_text(CODE[1], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = qwen2_5_omni(tmp_path_factory.mktemp("quiet"))
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps({**config, "model_type": "quiet_omni"}))
    return made


def test_what_the_page_says(plugin, folder):
    with pytest.raises(ValueError, match="no family of models takes type 'quiet_omni'.*add-a-model"):
        family_of(folder)
    assert take(load(plugin)) == ["quiet_omni"]
    encoder, model = load_encoder(folder, SIZE), load_model(folder, SIZE, dtype="float32")
    assert load_skeleton(folder).num_parameters() == model.thinker.num_parameters()
    turns = [Message("user", (Part(kind="audio", media=Media("sound", "audio", "x.wav")),))]
    assert encoder.encode(turns, Long(3))["input_ids"].tolist() == model.encode(turns, Long(3))["input_ids"].tolist()
    with pytest.raises(ValueError, match=r"x.wav: 31.0 s of sound, and this model hears 30"):
        encoder.encode(turns, Long(31))


def test_it_is_listed_with_what_is_proven(plugin):
    run = CliRunner().invoke(app, ["ls", "models", "--plugin", str(plugin)], env={"COLUMNS": "200"})
    assert run.exit_code == 0 and "quiet_omni" in run.output and "gemma4" in run.output, run.output
    assert "the battery on tiny random weights" in run.output


def test_half_a_family_is_refused(tmp_path):
    path = tmp_path / "half.py"
    path.write_text("MODEL_TYPES = ('half',)\n")
    with pytest.raises(ValueError, match="a family of models also has PARTS, UNUSED, PROVEN, load"):
        take(load(path))
    path.write_text("x = 1\n")
    run = CliRunner().invoke(app, ["ls", "models", "--plugin", str(path)])
    assert run.exit_code == 2 and "no MODEL_TYPES of a family" in run.output
