"""Temporal localisation: which events happen, and when."""

import numpy as np

from crabplus.schema import Event, EventsAnswer
from crabplus.tidepool.ask import Ask
from crabplus.tidepool.scenes import coming_and_going, long_scene, make_scene
from crabplus.tidepool.words import described, explain, heard_when, listing, seen


def ave(rng: np.random.Generator) -> Ask:
    """The event that is both seen and heard, and its seconds."""
    scene = make_scene(rng)
    (source,) = scene.sources
    answer = EventsAnswer(tuple(Event(source.kind, *span) for span in source.sounds))
    return Ask(scene, ("clip",), answer, reasoning=explain(scene, source))


def unav(rng: np.random.Generator) -> Ask:
    """All events that are both seen and heard in an untrimmed clip; they may overlap and come again."""
    scene = long_scene(rng)
    answer = EventsAnswer(tuple(Event(thing.kind, *span) for thing in scene.sources for span in thing.sounds))
    sources = listing([described(thing) for thing in scene.sources])
    are = "The source is" if len(scene.sources) == 1 else "The sources are"
    return Ask(scene, ("clip",), answer, reasoning=f"{heard_when(scene)} {seen(scene)} {are} {sources}.")


def avvp(rng: np.random.Generator) -> Ask:
    """What is heard and what is seen, each with its seconds."""
    scene = coming_and_going(rng)
    heard = [Event(thing.kind, *span, "audio") for thing in scene.sounding for span in thing.sounds]
    shown = sorted(scene.visible, key=lambda thing: (thing.shown, thing.kind))
    seen = [Event(thing.kind, *(thing.shown or (0, scene.seconds)), "visual") for thing in shown]
    told = f"I see {listing([f'the {event.label}' for event in seen])}."
    names = f"I hear {listing([f'the {event.label}' for event in heard])}."
    return Ask(scene, ("clip",), EventsAnswer((*heard, *seen)), reasoning=f"{names} {told}")


EVENTS = {"ave": ave, "unav": unav, "avvp": avvp}
