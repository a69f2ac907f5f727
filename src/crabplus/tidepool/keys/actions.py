"""Action recognition: a way of moving is the action. The two sets differ in labels, cast and clearness."""

from dataclasses import replace

import numpy as np

from crabplus.schema import LabelAnswer
from crabplus.tidepool import looks
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.scenes import moving_scene
from crabplus.tidepool.ways import WAYS
from crabplus.tidepool.words import described, explain, heard

KS_LABELS = tuple(WAYS)
UCF_LABELS = tuple(f"{who} {way}" for who in ("creature", "instrument") for way in WAYS)


def ks(rng: np.random.Generator) -> Ask:
    """What the thing that sounds is doing, beside one or two others that do something else."""
    scene = moving_scene(rng, int(rng.integers(2, 4)))
    (source,) = scene.sources
    return Ask(scene, ("clip",), LabelAnswer(str(source.way)), None, explain(scene, source), options=KS_LABELS)


def ucf(rng: np.random.Generator) -> Ask:
    """What the one thing in sight is and does, in murky water and with noise."""
    scene = moving_scene(rng, 1)
    scene = replace(scene, murk=float(rng.uniform(0, 0.8)), hiss=float(rng.uniform(0, 0.03)))
    (thing,) = scene.visible
    who = "creature" if thing.kind in looks.CREATURES else "instrument"
    article = "a" if who == "creature" else "an"
    reasoning = f"{heard(scene)} I see {described(thing)}. The {thing.kind} is {article} {who}."
    return Ask(scene, ("clip",), LabelAnswer(f"{who} {thing.way}"), None, reasoning, options=UCF_LABELS)


ACTIONS = {"ks": ks, "ucf": ucf}
