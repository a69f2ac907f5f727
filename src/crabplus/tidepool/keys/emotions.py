"""Emotion recognition: the mood of a face with a voice. Five sets that differ in labels, noise and style.

========  ======  ====================================================================================
cremad    6       one plain face that speaks, clean
dfew      7       striped, small and dim; something else sounds, too; in 30 % nobody speaks
mafw      11      spotted; some moods have the same face, and only the voice tells
meld      7       two faces, one voice: the mood is that of the face which the voice belongs to; uneven
mer24     6       either the mouth is hidden, or nobody speaks
========  ======  ====================================================================================
"""

from collections.abc import Mapping

import numpy as np

from crabplus.schema import LabelAnswer
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.faces import Face
from crabplus.tidepool.scenes import FACE_SWAY, face, faces_scene, make_scene, room_aside, two_places
from crabplus.tidepool.words import PLACES, features, listing, third
from crabplus.tidepool.world import Scene

Rng = np.random.Generator
MOODS: dict[str, tuple[Face, str]] = {
    "happy": (Face("up", "level"), "high and quick"), "sad": (Face("down", "slanted"), "low and slow"),
    "angry": (Face("down", "knit"), "low and quick"), "afraid": (Face("open", "slanted"), "high and quick"),
    "surprised": (Face("open", "high"), "high and slow"), "disgusted": (Face("skewed", "knit"), "low and slow"),
    "neutral": (Face("flat", "level"), "even"), "scornful": (Face("skewed", "level"), "even"),
    "worried": (Face("flat", "slanted"), "high and quick"), "anxious": (Face("open", "slanted"), "low and quick"),
    "helpless": (Face("down", "slanted"), "high and slow"), "disappointed": (Face("down", "slanted"), "even"),
}  # fmt: skip
"""Face and voice of each mood."""

CREMAD = {"anger": "angry", "disgust": "disgusted", "fear": "afraid", "happy": "happy", "neutral": "neutral",
          "sad": "sad"}  # fmt: skip
DFEW = {"happy": "happy", "sad": "sad", "neutral": "neutral", "angry": "angry", "surprise": "surprised",
        "disgust": "disgusted", "fear": "afraid"}  # fmt: skip
MAFW = {
    "anger": "angry", "disgust": "disgusted", "fear": "afraid", "happiness": "happy", "neutral": "neutral",
    "sadness": "sad", "surprise": "surprised", "contempt": "scornful", "anxiety": "anxious",
    "helplessness": "helpless", "disappointment": "disappointed",
}  # fmt: skip
MELD = {"neutral": "neutral", "joy": "happy", "surprise": "surprised", "anger": "angry", "sadness": "sad",
        "disgust": "disgusted", "fear": "afraid"}  # fmt: skip
MELD_SHARES = (0.3, 0.2, 0.15, 0.13, 0.1, 0.06, 0.06)
MER24 = {"neutral": "neutral", "angry": "angry", "happy": "happy", "sad": "sad", "worried": "worried",
         "surprise": "surprised"}  # fmt: skip


def cremad(rng: Rng) -> Ask:
    """One plain face that speaks, clean."""
    label = str(rng.choice(tuple(CREMAD)))
    shown, tone = MOODS[CREMAD[label]]
    x, y, size = _middle(rng)
    return _ask(faces_scene(rng, [face(rng, shown, x, y, size, tone)]), label, CREMAD)


def dfew(rng: Rng) -> Ask:
    """A small face in dim light, with another sound, and sometimes without a voice."""
    label = str(rng.choice(tuple(DFEW)))
    shown, tone = MOODS[DFEW[label]]
    size = float(rng.uniform(0.4, 0.55))
    x = y = 1 / 3
    while room_aside(x) < FACE_SWAY:
        x, y = (float(value) for value in rng.uniform(size / 2 + 0.03, 0.97 - size / 2, 2))
    speaker = face(rng, shown, x, y, size, tone if rng.random() < 0.7 else None, "striped")
    noise = [thing for thing in make_scene(rng, sources=0).things if not thing.visible]
    return _ask(faces_scene(rng, [speaker, *noise], murk=float(rng.uniform(0.2, 0.7))), label, DFEW)


def mafw(rng: Rng) -> Ask:
    """Eleven moods, of which some differ in the voice alone."""
    label = str(rng.choice(tuple(MAFW)))
    shown, tone = MOODS[MAFW[label]]
    x, y, size = _middle(rng)
    scene = faces_scene(rng, [face(rng, shown, x, y, size, tone, "spotted")], hiss=float(rng.uniform(0, 0.02)))
    return _ask(scene, label, MAFW)


def meld(rng: Rng) -> Ask:
    """Two faces and one voice."""
    label = str(rng.choice(tuple(MELD), p=MELD_SHARES))
    shown, tone = MOODS[MELD[label]]
    others = [mood for mood in MELD.values() if MOODS[mood][1] != tone]
    silent, _ = MOODS[str(rng.choice(others))]
    left = bool(rng.random() < 0.5)
    size = [float(rng.uniform(0.4, 0.46)) for _ in range(2)]
    mine, theirs = two_places(rng)[:: 1 if left else -1]
    speaker = face(rng, shown, *mine, size[0], tone)
    scene = faces_scene(rng, [speaker, face(rng, silent, *theirs, size[1], None)], hiss=float(rng.uniform(0, 0.03)))
    return _ask(scene, label, MELD, f" The voice goes with the face {PLACES[third(speaker.x)]}: {features(speaker)}.")


def mer24(rng: Rng) -> Ask:
    """Either the mouth is hidden, or nobody speaks."""
    label = str(rng.choice(tuple(MER24)))
    shown, tone = MOODS[MER24[label]]
    hidden = bool(rng.random() < 0.5)
    x, y, size = _middle(rng)
    speaker = face(rng, Face("hidden", shown.brows) if hidden else shown, x, y, size, tone if hidden else None)
    return _ask(faces_scene(rng, [speaker], hiss=float(rng.uniform(0, 0.02))), label, MER24)


EMOTIONS = {"meld": meld, "mer24": mer24, "cremad": cremad, "mafw": mafw, "dfew": dfew}


def _middle(rng: Rng) -> tuple[float, float, float]:
    """A large face near the middle: x, y and size."""
    return float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.6, 0.78))


def _ask(scene: Scene, label: str, labels: Mapping[str, str], conclusion: str = "") -> Ask:
    faces = [f"a face {PLACES[third(thing.x)]} with {features(thing)}" for thing in scene.visible]
    tone = next((thing.tone for thing in scene.visible if thing.tone), None)
    voice = f"The voice is {tone}." if tone else "No voice is heard."
    reasoning = f"I see {listing(faces)}. {voice}{conclusion}"
    return Ask(scene, ("clip",), LabelAnswer(label), None, reasoning, options=tuple(labels))
