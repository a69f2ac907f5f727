"""Questions with four answers to choose from, of six of the eight types of AVQA (THU).

``Why`` and ``Used For`` ask for knowledge of the world, of which a tidepool has none.
"""

from collections.abc import Callable, Sequence

import numpy as np

from crabplus.schema import ChoiceAnswer
from crabplus.tidepool import looks
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.scenes import make_scene
from crabplus.tidepool.words import explain, found, heard_when, listing, search, third, when
from crabplus.tidepool.world import Scene

Rng = np.random.Generator
Told = tuple[Scene, str, Sequence[str], str, str]
"""Scene, question, answers to choose from, the right one, and reasoning."""


def avqa_thu(rng: Rng) -> Ask:
    """A question of one of six types, with four answers in any order."""
    kind = list(TYPES)[int(rng.integers(len(TYPES)))]
    scene, question, answers, right, reasoning = TYPES[kind](rng)
    options = tuple(str(option) for option in rng.permutation(list(answers)))
    answer = ChoiceAnswer(options.index(right))
    return Ask(scene, ("clip",), answer, question, reasoning, options=options, meta={"type": kind})


def _which(rng: Rng) -> Told:
    scene = make_scene(rng, unseen=False)
    (source,) = scene.sources
    silent = [thing.kind for thing in scene.visible if not thing.sounds]
    return scene, "Which thing makes the sound?", _four(rng, source.kind, silent), source.kind, explain(scene, source)


def _come_from(rng: Rng) -> Told:
    there = bool(rng.random() < 0.75)
    scene = make_scene(rng, sources=int(there), unseen=not there)
    source = scene.sources[0] if there else None
    right = third(source.x) if source else "out of sight"
    answers = ("left", "middle", "right", "out of sight")
    return scene, "Where does the sound come from?", answers, right, explain(scene, source)


def _happening(rng: Rng) -> Told:
    """Which thing of which colour sounds; wrong answers swap kind, colour, or both."""
    scene = make_scene(rng, unseen=False)
    (source,) = scene.sources
    other = next(thing for thing in scene.visible if not thing.sounds)
    pairs = [(colour, kind) for colour in (source.colour, other.colour) for kind in (source.kind, other.kind)]
    answers = [f"a {colour} {kind} sounds" for colour, kind in pairs]
    return scene, "What is happening?", answers, answers[0], explain(scene, source)


def _where(rng: Rng) -> Told:
    scene = make_scene(rng)
    absent = [kind for kind in looks.KINDS if kind not in {thing.kind for thing in scene.visible}]
    thing = scene.visible[int(rng.integers(len(scene.visible)))]
    there = bool(rng.random() < 0.75)
    kind = thing.kind if there else str(rng.choice(absent))
    right = third(thing.x) if there else "out of sight"
    meant = thing if there else None
    told = f"{search(scene, kind, meant)} It is {found(thing) if there else 'not seen'}."
    answers = ("left", "middle", "right", "out of sight")
    return scene, f"Where is the {kind}?", answers, right, told


def _before_next(rng: Rng) -> Told:
    scene = make_scene(rng, sources=2, unseen=False, shortest=3)
    first, second = scene.sources
    if first.sounds[0][0] == second.sounds[0][0]:
        return _before_next(rng)
    word, right = ("first", first) if rng.random() < 0.5 else ("last", second)
    wrong = [thing.kind for thing in scene.things if thing is not right]
    told = f"{word}? {heard_when(scene)} The {right.kind} begins {word}."
    return scene, f"Which thing begins {word}?", _four(rng, right.kind, wrong), right.kind, told


def _when(rng: Rng) -> Told:
    scene = make_scene(rng)
    thing = scene.sounding[int(rng.integers(len(scene.sounding)))]
    start = thing.sounds[0][0]
    heard = {other.sounds[0][0] for other in scene.sounding}
    wrong: list[int] = []
    while len(wrong) < 3:  # as likely as the right one
        drawn = make_scene(rng).sounding[0].sounds[0][0]
        if drawn not in (*heard, *wrong):
            wrong.append(drawn)
    answers = [f"at {n}" for n in (start, *wrong)]
    marked = [f"the {other.kind}{' found' if other is thing else ''} {when(other)}" for other in scene.sounding]
    told = f"{thing.kind}? I hear {listing(marked)}. The {thing.kind} begins at {start}."
    return scene, f"When does the {thing.kind} begin?", answers, answers[0], told


TYPES: dict[str, Callable[[Rng], Told]] = {
    "Which": _which, "Come From": _come_from, "Happening": _happening, "Where": _where,
    "Before Next": _before_next, "When": _when,
}  # fmt: skip
CHOICES = {"avqa_thu": avqa_thu}


def _four(rng: Rng, right: str, near: Sequence[str]) -> list[str]:
    """The right kind with three wrong ones, at first those that are in the scene."""
    others = [str(kind) for kind in rng.permutation(looks.KINDS) if kind != right and kind not in near]
    return [right, *[*near, *others][:3]]
