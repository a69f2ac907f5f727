"""Captioning: a sentence or two about picture and sound."""

import numpy as np

from crabplus.schema import TextAnswer
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.scenes import make_scene
from crabplus.tidepool.words import article, described, heard, listing, named, place, seen


def avcap(rng: np.random.Generator) -> Ask:
    """What sounds where, what keeps silent beside it, and what is heard out of sight."""
    scene = make_scene(rng, sources=int(rng.choice([1, 2], p=[0.7, 0.3])))
    sources = [thing for thing in scene.visible if thing.sounds]
    silent = [thing for thing in scene.visible if not thing.sounds]
    hidden = [thing for thing in scene.sounding if not thing.visible]
    loud = listing([f"{named(thing)} {place(thing)}" for thing in sources])
    quiet = listing([described(thing) for thing in silent])
    verbs = ("makes" if len(sources) == 1 else "make"), ("keeps" if len(silent) == 1 else "keep")
    caption = f"{loud} {verbs[0]} the sound while {quiet} {verbs[1]} silent."
    if hidden:
        caption += f" out of sight there is {listing([article(thing.kind) for thing in hidden])}."
    return Ask(scene, ("clip",), TextAnswer(caption), reasoning=f"{heard(scene)} {seen(scene)}")


CAPTIONS = {"avcap": avcap}
