"""Questions with an answer of one word, in the nine cells of MUSIC-AVQA: a modality and a kind of question."""

from collections.abc import Callable

import numpy as np

from crabplus.schema import TextAnswer
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.scenes import make_scene
from crabplus.tidepool.words import (
    NUMBERS,
    explain,
    found,
    heard,
    heard_long,
    heard_when,
    length,
    search,
    seen,
    third,
)
from crabplus.tidepool.world import Scene, Thing

Rng = np.random.Generator
Told = tuple[Scene, str, str, str]
"""Scene, question, answer and reasoning."""


def avqa(rng: Rng) -> Ask:
    """A question of one of the nine cells."""
    cell = list(CELLS)[int(rng.integers(len(CELLS)))]
    scene, question, word, reasoning = CELLS[cell](rng)
    return Ask(scene, ("clip",), TextAnswer(word), question, reasoning, meta={"type": list(cell)})


def _how_many_sound(rng: Rng) -> Told:
    scene = make_scene(rng, sources=int(rng.integers(1, 3)), unseen=bool(rng.random() < 0.5), shortest=3)
    count = NUMBERS[len(scene.sounding)]
    return scene, "How many things sound?", count, f"{heard(scene)} That makes {count}."


def _longer(rng: Rng) -> Told:
    """Two things of which one sounds longer by at least two seconds, seen or not."""
    scene = make_scene(rng, sources=1, unseen=True, shortest=2)
    one, two = (scene.sounding[int(n)] for n in rng.permutation(2))
    if abs(length(one) - length(two)) < 2:
        return _longer(rng)
    said = "yes" if length(one) > length(two) else "no"
    question = f"Does the {one.kind} sound longer than the {two.kind}?"
    return scene, question, said, f"{one.kind}, {two.kind}? {heard_long(scene)} {_lengths(one, two)}"


def _how_many_seen(rng: Rng) -> Told:
    scene = make_scene(rng)
    count = NUMBERS[len(scene.visible)]
    return scene, "How many things can be seen?", count, f"{seen(scene)} That makes {count}."


def _where_is(rng: Rng) -> Told:
    scene = make_scene(rng)
    thing = scene.visible[int(rng.integers(len(scene.visible)))]
    told = f"{search(scene, thing.kind, thing)} It is {found(thing)}."
    return scene, f"Where is the {thing.kind}?", third(thing.x), told


def _source_in_sight(rng: Rng) -> Told:
    there = bool(rng.random() < 0.5)
    scene = make_scene(rng, sources=int(there), unseen=not there)
    source = scene.sources[0] if there else None
    return scene, "Can you see the thing that makes the sound?", "yes" if there else "no", explain(scene, source)


def _how_many_in_sight(rng: Rng) -> Told:
    scene = make_scene(rng, sources=int(rng.integers(0, 3)), unseen=bool(rng.random() < 0.5), shortest=3)
    count = NUMBERS[len(scene.sources)]
    question = "How many of the things that sound can be seen?"
    return scene, question, count, f"{heard(scene)} {seen(scene)} That makes {count}."


def _where_is_the_source(rng: Rng) -> Told:
    scene = make_scene(rng, unseen=False)
    (source,) = scene.sources
    return scene, "Where is the thing that makes the sound?", third(source.x), explain(scene, source)


def _left_or_right(rng: Rng) -> Told:
    """Two sources, one on the left and one on the right, of which one sounds longer by at least two seconds."""
    scene = make_scene(rng, sources=2, unseen=False, shortest=3)
    left, right = sorted(scene.sources, key=lambda thing: thing.x)
    apart = third(left.x) == "left" and third(right.x) == "right"
    if not apart or abs(length(left) - length(right)) < 2:
        return _left_or_right(rng)
    said = "yes" if length(left) > length(right) else "no"
    question = "Does what sounds on the left last longer than what sounds on the right?"
    return scene, question, said, f"{heard_long(scene)} {seen(scene)} {_lengths(left, right)}"


def _first_in_sight(rng: Rng) -> Told:
    scene = make_scene(rng, sources=2, shortest=3)
    first, second = scene.sources
    if first.sounds[0][0] == second.sounds[0][0]:
        return _first_in_sight(rng)
    question = "Which of the things in sight sounds first?"
    return scene, question, first.kind, f"{heard_when(scene)} {seen(scene)} The first in sight is the {first.kind}."


CELLS: dict[tuple[str, str], Callable[[Rng], Told]] = {
    ("Audio", "Counting"): _how_many_sound, ("Audio", "Comparative"): _longer,
    ("Visual", "Counting"): _how_many_seen, ("Visual", "Location"): _where_is,
    ("Audio-Visual", "Existential"): _source_in_sight, ("Audio-Visual", "Counting"): _how_many_in_sight,
    ("Audio-Visual", "Location"): _where_is_the_source, ("Audio-Visual", "Comparative"): _left_or_right,
    ("Audio-Visual", "Temporal"): _first_in_sight,
}  # fmt: skip
QUESTIONS = {"avqa": avqa}


def _lengths(one: Thing, two: Thing) -> str:
    return f"The {one.kind} lasts {length(one)} and the {two.kind} {length(two)}."
