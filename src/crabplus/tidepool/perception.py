"""Questions for the base, in wordings and forms of answers that no task key uses.

Name what sounds and when, list what is seen and where, tell a face, a voice or a movement by its features, and find in
one list what another has named.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from crabplus.schema import Event, EventsAnswer, ObjectsAnswer, TextAnswer
from crabplus.tidepool.ask import Ask, object_of
from crabplus.tidepool.looks import COLOURS, KINDS, TEXTURES
from crabplus.tidepool.scenes import (
    any_face,
    coming_and_going,
    face,
    faces_scene,
    long_scene,
    make_scene,
    moving_scene,
    two_places,
)
from crabplus.tidepool.words import PATHS, third
from crabplus.tidepool.world import SECONDS, Scene, Thing

Rng = np.random.Generator
SOUND, FRAME, FILM, PAIR = ("sound",), ("frame",), ("film",), ("frame", "sound")
CLIP = ("clip",)
INNER, OUTER = ("/", ";", ":", "-"), ("to", "and", "at", "on")


def _scene(rng: Rng) -> Scene:
    kind = rng.random()
    if kind < 0.1:
        return moving_scene(rng, int(rng.integers(1, 4)))
    return make_scene(
        rng, sources=int(rng.choice([0, 1, 2], p=[0.2, 0.5, 0.3])), unseen=bool(rng.random() < 0.5), shortest=2
    )


def hear(rng: Rng) -> Ask:
    """What sounds, and from when to when."""
    kind = rng.random()
    scene = long_scene(rng) if kind < 0.25 else coming_and_going(rng) if kind < 0.35 else _scene(rng)
    events = tuple(Event(thing.kind, *span, "audio") for thing in scene.sounding for span in thing.sounds)
    return Ask(scene, _shown(rng, SOUND, CLIP, PAIR), EventsAnswer(events))


def start(rng: Rng) -> Ask:
    """When one of the sounding things starts."""
    scene = _scene(rng)
    thing = scene.sounding[int(rng.integers(len(scene.sounding)))]
    return Ask(scene, _shown(rng, SOUND, CLIP, PAIR), TextAnswer(str(thing.sounds[0][0])), f"the {thing.kind}")


def look(rng: Rng) -> Ask:
    """Everything in a picture, with boxes; in the order from left to right in the middle of the clip."""
    scene, time = _scene(rng), float(rng.uniform(0, SECONDS))
    things = tuple(replace(object_of(scene, thing, time), label=_name(thing)) for thing in scene.visible)
    return Ask(scene, _shown(rng, FRAME, PAIR), ObjectsAnswer(things), time=time)


def find(rng: Rng) -> Ask:
    """The box of one thing in a picture, named by its kind or by its colour."""
    scene, time = _scene(rng), float(rng.uniform(0, SECONDS))
    thing = scene.visible[int(rng.integers(len(scene.visible)))]
    answer = ObjectsAnswer((object_of(scene, thing, time),))
    name = f"the {thing.kind}" if rng.random() < 0.7 else f"what is {thing.colour}"
    return Ask(scene, _shown(rng, FRAME, PAIR), answer, name, time=time)


def spot(rng: Rng) -> Ask:
    """The same with signs between the numbers: a number then has to be known by its place, not by what precedes it."""
    asked = find(rng)
    inner, outer = (str(rng.choice(signs)) for signs in (INNER, OUTER))
    return replace(asked, question=f"{inner} {outer} of {asked.question}", meta={"signs": [inner, outer]})


def both(rng: Rng) -> Ask:
    """What sounds, and everything in sight; ``there`` is said behind what has sounded."""
    scene = make_scene(rng, sources=int(rng.integers(0, 3)), unseen=bool(rng.random() < 0.5), shortest=3)
    names = [thing.kind for thing in scene.sounding]
    text = f"{', '.join(names)}: {_marked(names, [(t.colour, t.kind) for t in scene.visible])}"
    return Ask(scene, CLIP if rng.random() < 0.5 else PAIR, TextAnswer(text), time=float(rng.uniform(0, SECONDS)))


def among(rng: Rng) -> Ask:
    """Everything in sight, or all that sounds; ``there`` is said behind what the question names."""
    scene = make_scene(rng, sources=int(rng.choice([1, 2])))
    by_ear = bool(rng.random() < 0.2)
    things = [("" if by_ear else t.colour, t.kind) for t in (scene.sounding if by_ear else scene.visible)]
    name = _name_in(rng, things)
    text = f"{name}: {_marked([name], things)}"
    return Ask(scene, (SOUND if by_ear else FRAME) if rng.random() < 0.5 else CLIP, TextAnswer(text), name,
               time=float(rng.uniform(0, SECONDS)))  # fmt: skip


def pairs(rng: Rng) -> Ask:
    """The same in words alone: two lists, and ``there`` behind what both have."""
    kinds, colours = ([str(word) for word in rng.permutation(words)] for words in (KINDS, tuple(COLOURS)))
    things = [(colours[n] if rng.random() < 0.9 else "", kinds[n]) for n in range(int(rng.integers(1, 5)))]
    names = [_name_in(rng, things)]
    if rng.random() < 0.4:
        names.append(str(rng.choice([kind for kind in KINDS if kind not in names])))
    told = ", ".join(f"{colour} {kind}".strip() for colour, kind in things)
    return Ask(make_scene(rng), (), TextAnswer(f"{', '.join(names)}: {_marked(names, things)}"),
               f"{', '.join(names)} / {told}")  # fmt: skip


def watch(rng: Rng) -> Ask:
    """Everything in a film, from left to right, with the third of the picture where it moves."""
    scene = _scene(rng)
    things = ", ".join(f"{_name(thing)} {third(thing.x)}" for thing in scene.visible)
    return Ask(scene, _shown(rng, FILM, CLIP), TextAnswer(things))


def trace(rng: Rng) -> Ask:
    """Everything in a film, from left to right, with its path."""
    scene = moving_scene(rng, int(rng.integers(1, 4)))
    scene = replace(scene, murk=float(rng.uniform(0, 0.8)) if rng.random() < 0.5 else 0.0)
    things = ", ".join(f"{_name(thing)} {third(thing.x)} {PATHS[str(thing.way)]}" for thing in scene.visible)
    return Ask(scene, _shown(rng, FILM, CLIP), TextAnswer(things))


def roll(rng: Rng) -> Ask:
    """What comes into a film and leaves it, with its seconds."""
    scene = coming_and_going(rng)
    shown = sorted(scene.visible, key=lambda thing: (thing.shown, thing.kind))
    events = tuple(Event(thing.kind, *(thing.shown or (0, SECONDS)), "visual") for thing in shown)
    return Ask(scene, _shown(rng, FILM, CLIP), EventsAnswer(events))


def features(rng: Rng) -> Ask:
    """Mouth and brows of each face, from left to right."""
    scene = people(rng)
    told = [
        f"{third(t.x)} mouth {t.face.mouth} brows {t.face.brows}" for t in scene.visible if t.face
    ]  # fmt: skip
    return Ask(scene, _shown(rng, FILM, CLIP), TextAnswer(", ".join(told)))


def voice(rng: Rng) -> Ask:
    """How someone speaks."""
    scene = people(rng)
    tone = next((thing.tone for thing in scene.things if thing.tone), None)
    return Ask(scene, _shown(rng, SOUND, CLIP, PAIR), TextAnswer(tone or "no one speaks"))


def films(rng: Rng) -> Ask:
    """Everything in each of two films."""
    scene, other = _scene(rng), _scene(rng)
    if rng.random() < 0.4:  # alike but for one thing
        other = replace(scene, things=_swapped(rng, scene.things), seed=scene.seed ^ 1)
    told = [f"{nth} {', '.join(map(_name, film.visible))}" for nth, film in (("first", scene), ("second", other))]
    show = ("film", "film2")
    return Ask(scene, ("sound", *show) if rng.random() < 0.7 else show, TextAnswer("; ".join(told)), other=other)


def sounds(rng: Rng) -> Ask:
    """What sounds in each of two sounds."""
    scene, other = (make_scene(rng, unseen=bool(rng.random() < 0.2)) for _ in range(2))
    told = [
        f"{nth} {', '.join(thing.kind for thing in s.sounding)}" for nth, s in (("first", scene), ("second", other))
    ]
    show = ("sound", "sound2")
    return Ask(scene, ("film", *show) if rng.random() < 0.7 else show, TextAnswer("; ".join(told)), other=other)


PERCEPTION: dict[str, Callable[[Rng], Ask]] = {
    "hear": hear, "start": start, "look": look, "find": find, "watch": watch, "trace": trace, "roll": roll,
    "features": features, "voice": voice, "films": films, "sounds": sounds, "spot": spot, "both": both,
    "among": among, "pairs": pairs,
}  # fmt: skip


def people(rng: Rng) -> Scene:
    """One face or two, with a voice in three of four scenes, and sometimes another sound."""
    texture = str(rng.choice(TEXTURES))
    speaks = bool(rng.random() < 0.75)
    first, tone = any_face(rng)
    if rng.random() < 0.3:
        second, _ = any_face(rng)
        sizes = rng.uniform(0.4, 0.46, 2)
        places = two_places(rng)
        tones = [tone, None] if rng.random() < 0.5 else [None, tone]
        things = [
            face(rng, shown, x, y, float(size), said if speaks else None, texture)
            for shown, (x, y), size, said in zip((first, second), places, sizes, tones, strict=True)
        ]
    else:
        size = float(rng.uniform(0.4, 0.78))
        x, y = (float(value) for value in rng.uniform(size / 2 + 0.02, 0.98 - size / 2, 2))
        things = [face(rng, first, x, y, size, tone if speaks else None, texture)]
    if rng.random() < 0.3:
        things += [thing for thing in make_scene(rng, sources=0).things if not thing.visible]
    murk = float(rng.uniform(0, 0.7)) if rng.random() < 0.5 else 0.0
    return faces_scene(rng, things, murk, float(rng.uniform(0, 0.03)) if rng.random() < 0.5 else 0.0)


def _swapped(rng: Rng, things: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """The things with one visible kind changed."""
    index = int(rng.choice([n for n, thing in enumerate(things) if thing.visible]))
    free = [kind for kind in KINDS if kind not in {thing.kind for thing in things}]
    return (*things[:index], replace(things[index], kind=str(rng.choice(free))), *things[index + 1 :])


def _marked(names: Sequence[str], things: Sequence[tuple[str, str]]) -> str:
    """Colour and kind of each, with ``there`` behind those of which ``names`` has one."""
    told = [f"{c} {kind}{' there' if {c, kind} & set(names) else ''}".strip() for c, kind in things]
    return ", ".join(told) or "nothing"


def _name_in(rng: Rng, things: Sequence[tuple[str, str]]) -> str:
    """A kind or a colour, in 70 % that of one of the things."""
    kinds, colours = ({words[n] for words in things if words[n]} for n in (1, 0))
    all_words, here = (KINDS, kinds) if not colours or rng.random() < 0.7 else (tuple(COLOURS), colours)
    there = rng.random() < 0.7
    return str(rng.choice([word for word in all_words if (word in here) == there]))


def _name(thing: Thing) -> str:
    return f"{thing.colour} {thing.kind}"


def _shown(rng: Rng, alone: tuple[str, ...], *together: tuple[str, ...]) -> tuple[str, ...]:
    """The sense that is asked about alone in half of all cases, else with the other sense beside it."""
    return alone if rng.random() < 0.5 else together[int(rng.integers(len(together)))]
