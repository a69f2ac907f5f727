"""The stage that aligns the connectors of a model that was put together from parts."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from crabplus.models import load_encoder, resolve
from crabplus.tasks import load_pack
from crabplus.train import check, train
from short_runs import quiet, settings
from tiny_models import SIZE, modular


def test_the_stage_of_alignment_trains_the_connectors_alone(clips: Path, tmp_path: Path) -> None:
    folder = modular(tmp_path / "parts")
    pack = load_pack(resolve("tiny") + "/pack.yaml")
    path = tmp_path / "pack.json"
    path.write_text(pack.model_dump_json())
    config = settings(
        tmp_path / "run", clips, model=str(folder), pack=str(path), adapter={"kind": "none"},
        trained=("vision-projector", "audio-projector"), arguments={"max_steps": 2},
    )  # fmt: skip
    train(check(config, quiet))
    before, after = (load_file(place / "model.safetensors") for place in (folder, tmp_path / "run" / "final"))
    moved = {name.split(".")[0] for name in after if not np.array_equal(before[name], after[name])}
    assert before.keys() == after.keys() and moved == {"vision_projector", "audio_projector"}
    again = load_encoder(tmp_path / "run" / "final", SIZE)
    assert again.processor.grid == load_encoder(folder, SIZE).processor.grid
