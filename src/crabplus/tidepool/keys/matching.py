"""Matching: which of two films a sound belongs to, and which of two sounds a film.

One half of the wrong ones are hard: the same clip but for the thing that sounds.
"""

from dataclasses import replace

import numpy as np

from crabplus.schema import ChoiceAnswer
from crabplus.tasks.matching import WORDS
from crabplus.tidepool import looks
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.scenes import make_scene
from crabplus.tidepool.words import heard, listing, named
from crabplus.tidepool.world import Scene

_NTH = ("first", "second")


def a2v(rng: np.random.Generator) -> Ask:
    """A sound, and two films of which one shows what is heard."""
    scene = make_scene(rng, unseen=False)
    (source,) = scene.sources
    free = [kind for kind in looks.KINDS if kind not in {thing.kind for thing in scene.things}]
    hard = bool(rng.random() < 0.5)  # another thing at its place
    other = _with_kind(scene, source.kind, str(rng.choice(free))) if hard else _without(rng, source.kind)
    right = int(rng.integers(2))
    films = (scene, other) if right == 0 else (other, scene)
    shown = [f"The {nth} shows {_cast(film, source.kind)}." for nth, film in zip(_NTH, films, strict=True)]
    reasoning = f"{heard(scene)} {' '.join(shown)} The {source.kind} is in the {_NTH[right]}."
    order = ("film", "film2") if right == 0 else ("film2", "film")
    return Ask(scene, ("sound", *order), ChoiceAnswer(right), None, reasoning, options=WORDS, other=other)


def v2a(rng: np.random.Generator) -> Ask:
    """A film, and two sounds of which one is that of a thing in it."""
    scene = make_scene(rng, unseen=False)
    (source,) = scene.sources
    free = [kind for kind in looks.KINDS if kind not in {thing.kind for thing in scene.things}]
    kind = str(rng.choice(free))
    # hard: at the same time and as loud; the voice alone differs
    other = _with_kind(scene, source.kind, kind) if rng.random() < 0.5 else _only(make_scene(rng, unseen=False), kind)
    right = int(rng.integers(2))
    names = (source.kind, kind) if right == 0 else (kind, source.kind)
    kinds = [f"{name} {'seen' if name == source.kind else 'not seen'}" for name in names]
    told = [f"The {nth} sound is the {name}." for nth, name in zip(_NTH, kinds, strict=True)]
    reasoning = f"I see {_cast(scene)}. {' '.join(told)} The {source.kind} is the {_NTH[right]}."
    order = ("sound", "sound2") if right == 0 else ("sound2", "sound")
    return Ask(scene, ("film", *order), ChoiceAnswer(right), None, reasoning, options=WORDS, other=other)


MATCHING = {"a2v": a2v, "v2a": v2a}


def _cast(scene: Scene, heard: str | None = None) -> str:
    """Who is in a film, from left to right; of what kind something is ``heard``, it is called so."""
    return listing([f"{named(thing)}{' heard' if thing.kind == heard else ''}" for thing in scene.visible])


def _with_kind(scene: Scene, kind: str, other: str) -> Scene:
    """The scene with one thing of another kind, and other water."""
    things = tuple(replace(thing, kind=other) if thing.kind == kind else thing for thing in scene.things)
    return replace(scene, things=things, seed=scene.seed ^ 1)


def _without(rng: np.random.Generator, kind: str) -> Scene:
    """Another scene in which no thing of this kind is."""
    while True:
        scene = make_scene(rng, unseen=False)
        if all(thing.kind != kind for thing in scene.things):
            return scene


def _only(scene: Scene, kind: str) -> Scene:
    """The scene with a source of this kind."""
    return _with_kind(scene, scene.sources[0].kind, kind)
