"""Stage 3: the perception base. Its language model learns to name what the towers hear and see, in the words of the
perception prompts; no task key is among them.

The towers stay as stage 1 left them, but for the merger of the vision tower. Phase b draws more of what was slow to
learn in a, and was ended before its time; c lets the learning rate fall. Then d teaches to find the words of one list
in another, which comes within minutes from text and hardly at all from pictures with sound; e does it with media.

Run: torchrun --nproc-per-node 2 runs/tiny/base.py a   (then b to e; after towers.py and create.py checkpoints/start)
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from live import learn
from transformers import Qwen2_5OmniProcessor, TrainerCallback

from crabplus.models import load_model
from crabplus.schema import TextAnswer
from crabplus.tasks import load_pack
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.live import LiveSamples
from crabplus.tidepool.perception import PERCEPTION
from crabplus.tidepool.scenes import make_scene
from crabplus.train.muon import Muon

CHECKPOINTS = Path(__file__).parent / "checkpoints"
PACK = Path(__file__).parents[2] / "src/crabplus/assets/tiny/pack.yaml"


@dataclass(frozen=True)
class Phase:
    """One phase, from the folder ``start``; with ``stop`` it ends after that step of its schedule."""

    start: str
    seed: int
    steps: int
    rate: float
    mixture: dict[str, float]
    batch: int = 16
    stop: int | None = None


SLOW = {
    "hear": 0.19, "start": 0.03, "look": 0.12, "find": 0.22, "watch": 0.03, "trace": 0.12, "roll": 0.16,
    "features": 0.03, "voice": 0.02, "films": 0.05, "sounds": 0.02, "repeat": 0.01,
}  # fmt: skip
"""More of what was slow to learn in phase a: times, boxes and several things at once."""
PHASES = {
    "a": Phase("start", 31, 2000, 2.5e-3, {
        "hear": 0.12, "start": 0.02, "look": 0.15, "find": 0.18, "watch": 0.08, "trace": 0.1, "roll": 0.1,
        "features": 0.08, "voice": 0.04, "films": 0.06, "sounds": 0.03, "repeat": 0.04,
    }),
    "b": Phase("base_a/final", 32, 2800, 2.5e-3, SLOW, stop=1600),
    "c": Phase("base_b/final", 33, 550, 1.3e-3, SLOW),
    "d": Phase("base_c/final", 34, 400, 2.5e-3, {"pairs": 0.9, "repeat": 0.1}, batch=64),
    "e": Phase("base_d/final", 35, 1200, 2e-3, {
        **{key: 0.23 * share for key, share in SLOW.items()}, "both": 0.2, "among": 0.1, "spot": 0.12, "pairs": 0.35,
    }, batch=24),
}  # fmt: skip


def repeat(tokenizer):
    """Random tokens of the whole vocabulary, special ones apart, to be said again.

    Words that no perception prompt uses would else be nothing but wrong to the base, and an adapter, which leaves the
    vocabulary alone, could hardly bring them out.
    """
    ids = [n for n in range(len(tokenizer)) if n not in tokenizer.all_special_ids]

    def make(rng):
        text = tokenizer.decode([int(n) for n in rng.choice(ids, int(rng.integers(4, 14)))])
        text = text.replace("\ufffd", "").strip() or "?"
        return Ask(make_scene(rng), (), TextAnswer(text), text)

    return make


class StopAfter(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = control.should_training_stop or state.global_step == self.step


def main(name):
    phase, pack = PHASES[name], load_pack(PACK)
    Qwen2_5OmniProcessor.from_pretrained(CHECKPOINTS / "start").save_pretrained(CHECKPOINTS / phase.start)
    model = load_model(CHECKPOINTS / phase.start, pack.size, dtype="float32")
    for part in ("vision", "audio"):
        model.thinker.get_submodule(model.parts[part]).requires_grad_(False)
    model.thinker.model.visual.merger.requires_grad_(True)
    makers = {"repeat": repeat(model.processor.tokenizer), **PERCEPTION}
    samples = LiveSamples(phase.mixture, makers, phase.seed, phase.steps * phase.batch)
    out = learn(
        model, samples, pack, CHECKPOINTS / f"base_{name}", steps=phase.steps, batch=phase.batch, seed=phase.seed,
        learning_rate=phase.rate, save_steps=200, optimizer=lambda thinker: Muon(thinker, phase.rate), warmup_steps=40,
        callbacks=[StopAfter(phase.stop)],
    )  # fmt: skip
    model.processor.save_pretrained(out)


if __name__ == "__main__":
    main(sys.argv[1])
