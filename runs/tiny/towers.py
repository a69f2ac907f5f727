"""Stage 1: teach the two towers what a tidepool has, from dense targets, with heads that are thrown away.

As CLIP and Whisper come trained to an audio-visual LLM, so do these: each picture token learns which thing covers its
cell, its colour, its box, its way of moving, and mouth and brows of a face; each audio token which kinds sound then and
in which tone somebody speaks. They begin as the towers of the base that is shipped.

Run: python runs/tiny/towers.py [vision] [audio]
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from shape import CANVAS, FFT, HOP, MEL_BINS, RATE, SIDE, thinker_config
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import Qwen2VLImageProcessor, WhisperFeatureExtractor
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder, Qwen2_5OmniVisionEncoder

from crabplus.models import load_model
from crabplus.tidepool import looks, perception, scenes, world
from crabplus.tidepool.faces import BROWS, MOUTHS
from crabplus.tidepool.speech import TONES
from crabplus.tidepool.ways import WAYS

SEED = 21
OUT = Path(__file__).parent / "checkpoints"
LOG = Path(__file__).parent / "logs"
GRID = 7
KINDS = [*looks.KINDS, world.FACE]
COLOURS, PATHS, VOICES = list(looks.COLOURS), [None, *WAYS], [*looks.KINDS, *TONES]
VISION_STEPS, AUDIO_STEPS = 1000, 600
VISION_BATCH, AUDIO_BATCH = 40, 24
HEAD_STEPS = 30  # steps in which only the new heads learn
SIZES = {
    "kind": len(KINDS) + 1, "colour": len(COLOURS), "way": len(PATHS), "mouth": len(MOUTHS), "brows": len(BROWS),
    "box": 4 * (CANVAS + 1),
}  # fmt: skip
WEIGHTS = {"kind": 2.0, "colour": 0.5, "way": 0.7, "mouth": 1.0, "brows": 1.0, "box": 1.0}


def blur(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """What filming does to a picture: scaled down, and compressed now lightly, now strongly."""
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        return small
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))])
    return cv2.resize(cv2.imdecode(coded, 1), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def pictured(rng: np.random.Generator) -> world.Scene:
    """A scene for a picture: things, things that move, or faces."""
    kind = rng.random()
    if kind < 0.4:
        return scenes.make_scene(rng)
    if kind < 0.7:
        murk = float(rng.uniform(0, 0.8)) if rng.random() < 0.5 else 0.0
        return replace(scenes.moving_scene(rng, int(rng.integers(1, 4))), murk=murk)
    return perception.people(rng)


class Pictures(Dataset):
    """Single frames with a label per cell; -100 where there is none."""

    def __len__(self) -> int:
        return VISION_STEPS * VISION_BATCH

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng((SEED, 1, index))
        scene = pictured(rng)
        pictures, boxes = world.draw(scene, [rng.uniform(0, world.SECONDS)], 160)
        cells = {name: np.full((GRID, GRID), -100) for name in SIZES if name != "box"}
        cells["kind"][:] = len(KINDS)
        box = np.zeros((GRID, GRID, 4), np.float32)
        centre = (np.arange(GRID) + 0.5) / GRID
        nearest = np.full((GRID, GRID), np.inf)
        for thing, (x1, y1, x2, y2) in zip(scene.visible, boxes[0], strict=True):
            distance = np.hypot(centre[None] - (x1 + x2) / 2, centre[:, None] - (y1 + y2) / 2)
            covers = (centre[None] > x1) & (centre[None] < x2) & (centre[:, None] > y1) & (centre[:, None] < y2)
            mine = covers & (distance < nearest)
            nearest[mine] = distance[mine]
            cells["kind"][mine], cells["colour"][mine] = KINDS.index(thing.kind), COLOURS.index(thing.colour)
            cells["way"][mine] = PATHS.index(thing.way)
            if thing.face:
                cells["mouth"][mine] = MOUTHS.index(thing.face.mouth)
                cells["brows"][mine] = BROWS.index(thing.face.brows)
            box[mine] = (x1, y1, x2, y2)
        return {"picture": blur(rng, pictures[0]), **cells, "box": box * CANVAS}


class Clips(Dataset):
    """Sounds of ten seconds with a label per fifth of a second and kind or tone."""

    def __len__(self) -> int:
        return AUDIO_STEPS * AUDIO_BATCH

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng((SEED, 2, index))
        if rng.random() < 0.4:
            scene = perception.people(rng)
        else:
            scene = scenes.make_scene(rng, sources=int(rng.integers(0, 3)), unseen=bool(rng.random() < 0.6), shortest=2)
            scene = replace(scene, hiss=float(rng.uniform(0, 0.03)) if rng.random() < 0.3 else 0.0)
        wave = world.sound(scene) * rng.uniform(0.3, 1.5)
        heard = np.zeros((50, len(VOICES)), np.float32)
        for thing in scene.sounding:
            for start, end in thing.sounds:
                heard[start * 5 : end * 5, VOICES.index(thing.tone or thing.kind)] = 1
        return {"wave": wave.astype(np.float32), "heard": heard}


def dummy_config():
    names = ["pad_token_id", "eos_token_id", "audio_token_id", "image_token_id", "video_token_id"]
    return thinker_config(64, {name: index for index, name in enumerate(names)})


def start(tower: nn.Module, name: str) -> None:
    """Begin with the tower of the shipped base."""
    shipped = load_model("tiny", (SIDE, SIDE), dtype="float32").thinker.get_submodule(f"model.{name}")
    tower.load_state_dict(shipped.state_dict())


def fit(model: nn.Module, loader: DataLoader, loss_of, steps: int, rate: float, log: Path) -> None:
    """Train [tower, head] by AdamW with one-cycle learning rate; a line of JSON every 25 steps."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.08)
    begun, lines = time.time(), []
    for step, batch in enumerate(loader, 1):
        model[0].requires_grad_(step > HEAD_STEPS)
        loss, facts = loss_of(batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 25 == 0:
            facts = {key: round(float(value.detach()), 4) for key, value in facts.items()}
            lines.append(json.dumps({"step": step, "seconds": round(time.time() - begun), **facts}))
            print(lines[-1], flush=True)
            log.write_text("\n".join(lines) + "\n")


def train_vision() -> None:
    config = dummy_config().vision_config
    tower = Qwen2_5OmniVisionEncoder(config)
    start(tower, "visual")
    head = nn.Linear(config.out_hidden_size, sum(SIZES.values()))
    processor = Qwen2VLImageProcessor(patch_size=8, temporal_patch_size=1, merge_size=2)

    def loss_of(batch):
        inputs = processor(images=list(batch["picture"].permute(0, 3, 1, 2)), do_resize=False, return_tensors="pt")
        tokens = tower(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]).pooler_output
        said = dict(zip(SIZES, head(tokens).split(list(SIZES.values()), -1), strict=True))
        loss, facts = 0.0, {}
        thing = batch["kind"].reshape(-1) < len(KINDS)
        for name in ("kind", "colour", "way", "mouth", "brows"):
            true = batch[name].reshape(-1)
            known = true >= 0
            loss = loss + WEIGHTS[name] * nn.functional.cross_entropy(said[name][known], true[known])
            judged = known & thing
            facts[name] = (said[name].argmax(-1) == true)[judged].float().mean()
        want = batch["box"].reshape(-1, 4)[thing]
        got = said["box"][thing].reshape(-1, 4, CANVAS + 1)
        loss_box = nn.functional.cross_entropy(got.flatten(0, 1), want.round().long().flatten())
        facts |= {"iou50": (iou(got.argmax(-1).float(), want) >= 0.5).float().mean(), "loss_box": loss_box}
        return loss + loss_box, facts

    model = nn.ModuleList([tower, head])
    loader = DataLoader(Pictures(), VISION_BATCH, num_workers=1, prefetch_factor=4)
    fit(model, loader, loss_of, VISION_STEPS, 1.2e-3, LOG / "vision.jsonl")
    save_file({f"model.visual.{key}": value for key, value in tower.state_dict().items()}, OUT / "vision.safetensors")


def iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    both = (high - low).clamp(min=0).prod(1)
    return both / ((a[:, 2:] - a[:, :2]).clamp(min=0).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - both)


def train_audio() -> None:
    config = dummy_config().audio_config
    tower = Qwen2_5OmniAudioEncoder(config)
    start(tower, "audio_tower")
    head = nn.Linear(config.output_dim, len(VOICES))
    extractor = WhisperFeatureExtractor(
        feature_size=MEL_BINS, sampling_rate=RATE, hop_length=HOP, n_fft=FFT, chunk_length=world.SECONDS
    )

    def loss_of(batch):
        inputs = extractor(list(batch["wave"].numpy()), sampling_rate=RATE, return_tensors="pt")
        features = inputs["input_features"]
        lengths = torch.full((len(features),), features.shape[2])
        tokens = tower(features.permute(1, 0, 2).flatten(1), feature_lens=lengths).last_hidden_state
        logits, true = head(tokens), batch["heard"].flatten(0, 1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, true)
        right = (logits > 0) == (true > 0.5)
        kinds = len(looks.KINDS)
        spoken = true[:, kinds:].any(-1)
        facts = {"right": right.all(-1).float().mean(), "tone": right[spoken][:, kinds:].all(-1).float().mean()}
        return 4 * loss, {**facts, "loss": loss}

    model = nn.ModuleList([tower, head])
    loader = DataLoader(Clips(), AUDIO_BATCH, num_workers=1, prefetch_factor=4)
    fit(model, loader, loss_of, AUDIO_STEPS, 1.2e-3, LOG / "audio.jsonl")
    state = {f"model.audio_tower.{key}": value for key, value in tower.state_dict().items()}
    save_file(state, OUT / "audio.safetensors")


if __name__ == "__main__":
    torch.manual_seed(SEED)
    OUT.mkdir(exist_ok=True)
    LOG.mkdir(exist_ok=True)
    for name in sys.argv[1:] or ["audio", "vision"]:
        {"vision": train_vision, "audio": train_audio}[name]()
