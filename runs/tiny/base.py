"""Stage 2: the perception base. Its language model learns to name what the towers of stage 1 hear and see, in the words
of the perception prompts; no task key is among them.

Five phases, each from the last checkpoint of the one before:

a. AdamW. Hearing came soon; which thing in the picture is meant came slowly, so it was stopped.
b. Muon, one sense at a time in short prompts, larger batches; the merger of the vision tower is trained along.
c. As b, with random text to say again. Words that no perception prompt uses would else be nothing but wrong to the
   base, and an adapter, which leaves the vocabulary alone, could hardly bring them out.
d. As c, with both senses in three of four prompts: after b and c a sound beside the picture threw the base off.
e. From the base shipped after d, with the towers of ``towers.py --more``, for much longer and with the towers trained
   along: after d it boxed a named thing with IoU of at least 0.5 only in half of all pictures.

Run: python runs/tiny/base.py a|b|c|d|e   (after towers.py and create.py)
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from live import learn
from muon import Muon
from safetensors.torch import load_file
from transformers import Qwen2_5OmniProcessor, TrainerCallback

from crabplus.models import load_model
from crabplus.schema import TextAnswer
from crabplus.tasks import load_pack
from crabplus.tidepool.keys import Ask
from crabplus.tidepool.live import LiveSamples
from crabplus.tidepool.perception import PERCEPTION
from crabplus.tidepool.world import make_scene

CHECKPOINTS = Path(__file__).parent / "checkpoints"
PACK = Path(__file__).parents[2] / "src/crabplus/assets/tiny/pack.yaml"
ALONE = {"hear": "sound", "start": "sound", "look": "frame", "find": "frame", "watch": "film"}
PAIR = ("frame", "sound")
TOGETHER = {"hear": [("clip",), PAIR], "start": [("clip",), PAIR], "look": [PAIR], "find": [PAIR], "watch": [("clip",)]}


@dataclass(frozen=True)
class Phase:
    """One phase; ``steps`` is what the schedule was made for, ``stop`` the step after which it ended.

    ``alone`` is the share of prompts that show nothing but the sense that is asked about; ``whole`` trains the towers
    too, from those of ``towers.py --more``.
    """

    start: str
    seed: int
    steps: int
    stop: int
    batch: int
    rate: float
    save: int
    alone: float
    mixture: dict[str, float]
    first: bool = False
    whole: bool = False


PHASES = {
    "a": Phase("start", 2, 2000, 1200, 16, 1.5e-3, 300, 0.5,
               {"hear": 0.22, "start": 0.06, "look": 0.36, "find": 0.20, "watch": 0.16}, first=True),
    "b": Phase("base_a/checkpoints/checkpoint-1200", 4, 1100, 500, 24, 3e-3, 250, 1.0,
               {"hear": 0.10, "start": 0.04, "look": 0.38, "find": 0.34, "watch": 0.14}),
    "c": Phase("base_b/checkpoints/checkpoint-500", 5, 650, 500, 24, 3e-3, 250, 1.0,
               {"hear": 0.10, "start": 0.03, "look": 0.34, "find": 0.30, "watch": 0.13, "repeat": 0.10}),
    "d": Phase("base_c/checkpoints/checkpoint-500", 6, 420, 420, 16, 2.5e-3, 210, 0.25,
               {"hear": 0.16, "start": 0.04, "look": 0.32, "find": 0.28, "watch": 0.15, "repeat": 0.05}),
    "e": Phase("tiny", 8, 3000, 3000, 16, 2e-3, 250, 0.3,
               {"hear": 0.16, "start": 0.04, "look": 0.29, "find": 0.33, "watch": 0.13, "repeat": 0.05}, whole=True),
}  # fmt: skip


class StopAt(TrainerCallback):
    """Ends training after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = control.should_training_stop or state.global_step >= self.step


def shown(key, alone):
    """The perception prompt of a key, with one sense in a share of ``alone``, else with both."""

    def make(rng):
        ask = PERCEPTION[key](rng)
        both = TOGETHER[key][int(rng.integers(len(TOGETHER[key])))]
        return replace(ask, show=(ALONE[key],) if rng.random() < alone else both)

    return make


def repeat(tokenizer):
    """Random tokens of the whole vocabulary, special ones apart, to be said again."""
    ids = [n for n in range(len(tokenizer)) if n not in tokenizer.all_special_ids]

    def make(rng):
        text = tokenizer.decode([int(n) for n in rng.choice(ids, int(rng.integers(4, 14)))])
        text = text.replace("\ufffd", "").strip() or "?"
        return Ask(make_scene(rng), (), TextAnswer(text), text)

    return make


def start(phase, size):
    """The model that a phase starts from, with what it trains set to be trained."""
    if phase.whole:
        model = load_model("tiny", size, dtype="float32")
        for name in ("vision", "audio"):
            _, unexpected = model.thinker.load_state_dict(load_file(CHECKPOINTS / f"{name}.safetensors"), strict=False)
            assert not unexpected, unexpected
        return model
    Qwen2_5OmniProcessor.from_pretrained(CHECKPOINTS / "start").save_pretrained(CHECKPOINTS / phase.start)
    model = load_model(CHECKPOINTS / phase.start, size, dtype="float32")
    for part in ("vision", "audio"):
        model.thinker.get_submodule(model.parts[part]).requires_grad_(False)
    model.thinker.model.visual.merger.requires_grad_(not phase.first)
    return model


def main(name):
    phase, pack = PHASES[name], load_pack(PACK)
    model = start(phase, pack.size)
    makers = {"repeat": repeat(model.processor.tokenizer), **{key: shown(key, phase.alone) for key in ALONE}}
    samples = LiveSamples(phase.mixture, makers, phase.seed, phase.steps * phase.batch)
    optimizer = None if phase.first else lambda thinker: Muon(thinker, phase.rate)
    rule = dict(weight_decay=0.02, adam_beta2=0.98, warmup_steps=80) if phase.first else dict(warmup_steps=40)
    out = learn(
        model, samples, pack, CHECKPOINTS / f"base_{name}", steps=phase.steps, batch=phase.batch, seed=phase.seed,
        learning_rate=phase.rate, save_steps=phase.save, optimizer=optimizer, callbacks=[StopAt(phase.stop)], **rule,
    )  # fmt: skip
    model.processor.save_pretrained(out)


if __name__ == "__main__":
    main(sys.argv[1])
