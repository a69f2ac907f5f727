"""Tidepool: level standard is what it says, truth is exact, answers are balanced, a seed gives one world."""

from collections import Counter

import numpy as np
import pytest

from crabplus.schema import EventsAnswer, ObjectsAnswer, TextAnswer
from crabplus.tasks import get_task
from crabplus.tidepool import looks, voices
from crabplus.tidepool.build import ask
from crabplus.tidepool.keys import KEYS, box_of
from crabplus.tidepool.live import media_of, to_sample
from crabplus.tidepool.world import SECONDS, Scene, Thing, draw, make_scene, sound

N = 300


def asks(key):
    return [ask(key, "test", number, 5) for number in range(N)]


def test_level_standard():
    assert len(looks.KINDS) >= 12 and set(looks.KINDS) == set(voices.VOICES)
    hidden = 0
    for key in KEYS:
        for made in asks(key):
            seen = made.scene.visible
            assert 2 <= len(seen) <= 4
            assert 1 <= len(made.scene.sounding) <= 2
            assert any(not thing.sound for thing in seen), "a silent distractor"
            assert len({thing.kind for thing in made.scene.things}) == len(made.scene.things)
            assert all(0 <= thing.sound[0] < thing.sound[1] <= SECONDS for thing in made.scene.sounding)
            hidden += any(not thing.visible for thing in made.scene.things)
    assert hidden / (N * len(KEYS)) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("key", KEYS)
def test_best_constant_answer_is_poor(key):
    task = get_task(key)
    paths = dict.fromkeys(("clip", "film", "frame", "sound"), "x")
    samples = [to_sample(a, key, "test", str(n), media_of(a.show, paths))
               for n, a in enumerate(asks(key))]  # fmt: skip
    best = max(task.judge([(s, constant) for s in samples])[task.metric] for constant in task.constants(samples))
    assert best <= 0.35


def test_answers_are_true():
    for made in asks("ave"):
        assert isinstance(made.answer, EventsAnswer)
        (event,) = made.answer.events
        source = made.scene.source
        assert source and (event.label, (event.start, event.end)) == (source.kind, source.sound)
    for made in asks("avqa"):
        assert isinstance(made.answer, TextAnswer)
        kind = made.meta["type"][1]
        source = made.scene.source
        if kind == "Existential":
            assert (made.answer.text == "yes") == (source is not None)
        elif kind == "Attribute":
            assert source and made.answer.text == source.colour
        else:
            centres = [source.at(t)[0] for t in np.linspace(0, SECONDS, 50)]
            assert {("left", "middle", "right")[min(int(x * 3), 2)] for x in centres} == {made.answer.text}


def test_box_is_what_is_drawn():
    """The box of the answer against the pixels in which the picture differs from the same water without the thing."""
    for made in asks("arig")[:40]:
        assert isinstance(made.answer, ObjectsAnswer)
        scene, source = made.scene, made.scene.source
        others = Scene(tuple(thing for thing in scene.things if thing is not source), scene.seed)
        side = 320
        changed = (draw(scene, [made.time], side)[0][0].astype(int) - draw(others, [made.time], side)[0][0]) != 0
        rows, columns = np.flatnonzero(changed.any((1, 2))), np.flatnonzero(changed.any((0, 2)))
        shown = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / side
        box = made.answer.objects[0].box
        if all(_apart(box, box_of(scene, thing, made.time)) for thing in others.visible):
            assert np.abs(np.array(box) - shown).max() < 0.015


def _apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_sound_is_where_the_truth_says():
    for made in asks("ave")[:20]:
        scene = Scene(tuple(thing for thing in made.scene.things if thing.visible), made.scene.seed)
        start, end = scene.source.sound
        power = (sound(scene).reshape(SECONDS, -1) ** 2).mean(1)
        assert set(np.flatnonzero(power > 4e-4)) == set(range(start, end))


def test_things_move():
    scene = Scene((Thing("fish", sway=(0.06, 0.06)), Thing("crab", x=0.2, y=0.2)), 3)
    boxes = draw(scene, [1.0, 5.0], 160)[1]
    assert not np.allclose(boxes[0, 1], boxes[1, 1], atol=0.02)
    assert np.allclose(boxes[0, 0], boxes[1, 0])


def timbre(kind, seed):
    """Level and unrest of 16 bands of a voice: what is left of it when its pitch varies."""
    rng = np.random.default_rng(seed)
    wave = voices.speak(kind, 4, float(np.exp(rng.uniform(-0.16, 0.16))), 1.0, rng)
    power = np.abs(np.fft.rfft(wave.reshape(-1, 800), axis=1)) ** 2
    bands = np.searchsorted(np.geomspace(60, 8000, 17), np.fft.rfftfreq(800, 1 / voices.RATE))
    level = np.log10(np.stack([power[:, bands == band].sum(1) for band in range(1, 17)], 1) + 1e-3)
    return np.concatenate([level.mean(0), level.std(0)])


def test_voices_differ_in_timbre_not_only_in_pitch():
    """Of two takes at different pitch, the second of the same kind is nearly always the nearest one."""
    right = 0
    for seeds in ((1, 2), (3, 4), (5, 6)):
        first, second = ({kind: timbre(kind, seed) for kind in looks.KINDS} for seed in seeds)
        for kind, take in first.items():
            distance = {other: np.abs(take - second[other]).mean() for other in looks.KINDS}
            right += min(distance, key=distance.get) == kind
    assert right >= 30, f"{right} of 36"


def test_same_seed_same_world_and_splits_apart():
    assert ask("avqa", "test", 3, 5) == ask("avqa", "test", 3, 5)
    seeds = {split: {ask("ave", split, n, 5).scene.seed for n in range(50)} for split in ("train", "val", "test")}
    assert not seeds["train"] & seeds["test"] and not seeds["val"] & seeds["test"]


def test_every_kind_is_asked_for():
    assert len(Counter(made.answer.events[0].label for made in asks("ave"))) == len(looks.KINDS)


def test_scene_without_a_source_is_heard_and_not_seen():
    scene = make_scene(np.random.default_rng(0), source=False)
    assert scene.source is None and len(scene.sounding) == 1 and not scene.sounding[0].visible
