"""Scenes: level standard is what it says, pictures and sound are what the truth says, a seed gives one world."""

import numpy as np
import pytest

from crabplus.tidepool import looks, voices
from crabplus.tidepool.build import ask
from crabplus.tidepool.faces import BROWS, MOUTHS, Face
from crabplus.tidepool.scenes import coming_and_going, long_scene, make_scene, moving_scene
from crabplus.tidepool.speech import TONES, babble
from crabplus.tidepool.ways import WAYS
from crabplus.tidepool.world import SECONDS, Scene, Thing, draw, masks, sound

N = 300


def scenes(make, count=N):
    return [make(np.random.default_rng((5, n))) for n in range(count)]


def test_level_standard():
    assert len(looks.KINDS) >= 12 and set(looks.KINDS) == set(voices.VOICES)
    hidden = 0
    for scene in scenes(make_scene):
        seen = scene.visible
        assert 2 <= len(seen) <= 4
        assert 1 <= len(scene.sounding) <= 2
        assert any(not thing.sounds for thing in seen), "a silent distractor"
        assert len({thing.kind for thing in scene.things}) == len(scene.things)
        assert all(0 <= start < end <= SECONDS for thing in scene.sounding for start, end in thing.sounds)
        hidden += any(not thing.visible for thing in scene.things)
    assert hidden / N == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("sources", [0, 1, 2])
def test_as_many_sources_as_asked_for(sources):
    for scene in scenes(lambda rng: make_scene(rng, sources=sources), 50):
        assert len(scene.sources) == sources and scene.sounding


def test_things_that_move_do_so_each_in_its_own_way():
    for scene in scenes(lambda rng: moving_scene(rng, 3), 50):
        assert len({thing.way for thing in scene.visible}) == 3 and len(scene.sources) == 1
        for time in np.linspace(0, SECONDS, 9):
            places = [thing.at(time) for thing in scene.visible]
            assert all(-0.01 <= value <= 1.01 for x, y, *_ in places for value in (x, y))


@pytest.mark.parametrize("way", WAYS)
def test_a_way_moves_and_leaves_its_marks(way):
    still, moving = (Thing("fish", size=0.25, way=name, turns=3.0) for name in (None, way))
    poses = {tuple(np.round(moving.at(time), 3)) for time in np.linspace(0, SECONDS, 60)}
    assert len(poses) > 10
    plain, marked = (draw(Scene((thing,), 3), [1.3], 160)[0][0].astype(int) for thing in (still, moving))
    box = draw(Scene((moving,), 3), [1.3], 160)[1][0, 0] * 160
    outside = np.ones((160, 160), bool)
    outside[int(box[1]) - 1 : int(box[3]) + 2, int(box[0]) - 1 : int(box[2]) + 2] = False
    still_box = draw(Scene((still,), 3), [1.3], 160)[1][0, 0] * 160
    outside[int(still_box[1]) - 1 : int(still_box[3]) + 2, int(still_box[0]) - 1 : int(still_box[2]) + 2] = False
    assert (np.abs(plain - marked).max(axis=2)[outside] > 40).sum() > 20, "marks around the thing"


def test_marks_of_ways_differ():
    drawn = {way: draw(Scene((Thing("fish", size=0.25, way=way),), 3), [0.0], 160)[0][0] for way in WAYS}
    flat = [picture.tobytes() for picture in drawn.values()]
    assert len(set(flat)) == len(WAYS)


def test_long_scenes_hold_events_that_come_again_and_overlap():
    found = scenes(long_scene)
    assert {scene.seconds for scene in found} == set(range(8, 21))
    spans = [[span for thing in scene.sources for span in thing.sounds] for scene in found]
    assert all(
        a >= 0 and a + 3 <= b <= scene.seconds for scene, all_ in zip(found, spans, strict=True) for a, b in all_
    )
    assert any(len(thing.sounds) == 2 for scene in found for thing in scene.sources)
    assert any(a < d and c < b for all_ in spans for n, (a, b) in enumerate(all_) for c, d in all_[:n])
    assert len(sound(found[0])) == found[0].seconds * voices.RATE


def test_what_comes_and_goes_is_there_only_then():
    for scene in scenes(coming_and_going, 40):
        assert scene.visible and scene.sounding
        boxes = draw(scene, [t + 0.5 for t in range(SECONDS)], 80)[1]
        for v, thing in enumerate(scene.visible):
            start, end = thing.shown
            assert start % 2 == end % 2 == 0
            assert [bool(box.any()) for box in boxes[:, v]] == [start <= t < end for t in range(SECONDS)]


def test_box_is_what_is_drawn():
    thing = Thing("crab", "red", x=0.4, y=0.6, size=0.3)
    picture, boxes = draw(Scene((thing,), 3), [0.0], 160)
    empty = draw(Scene((), 3), [0.0], 160)[0][0].astype(int)
    changed = np.abs(picture[0].astype(int) - empty).max(axis=2) > 30
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    drawn = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 160
    assert np.abs(boxes[0, 0] - drawn).max() <= 2 / 160


def test_masks_lie_in_their_boxes_and_the_front_thing_hides_the_other():
    near = (Thing("drum", "red", x=0.45, y=0.5, size=0.4), Thing("crab", "blue", x=0.55, y=0.5, size=0.4))
    found, boxes = masks(Scene(near, 3), 0.0, 160), draw(Scene(near, 3), [0.0], 160)[1][0]
    assert not (found[0] & found[1]).any()
    for mask, box in zip(found, boxes, strict=True):
        rows, columns = np.nonzero(mask)
        x1, y1, x2, y2 = box * 160
        assert x1 - 1 <= columns.min() and columns.max() <= x2 and y1 - 1 <= rows.min() and rows.max() <= y2
    assert found[1].sum() > 0.5 * (boxes[1, 2] - boxes[1, 0]) * (boxes[1, 3] - boxes[1, 1]) * 160**2 * 0.7


def test_sound_is_where_the_truth_says():
    for n in range(20):
        whole = make_scene(np.random.default_rng((6, n)))
        scene = Scene(tuple(thing for thing in whole.things if thing.visible), whole.seed)
        ((start, end),) = scene.sources[0].sounds
        power = (sound(scene).reshape(SECONDS, -1) ** 2).mean(1)
        assert set(np.flatnonzero(power > 4e-4)) == set(range(start, end))


def test_things_sway():
    scene = Scene((Thing("fish", sway=(0.06, 0.06)), Thing("crab", x=0.2, y=0.2)), 3)
    boxes = draw(scene, [1.0, 5.0], 160)[1]
    assert not np.allclose(boxes[0, 1], boxes[1, 1], atol=0.02)
    assert np.allclose(boxes[0, 0], boxes[1, 0])


def test_every_mouth_and_brow_looks_different():
    shown = [looks.face_sprite(Face(mouth, brows), "red", "plain").tobytes() for mouth in MOUTHS for brows in BROWS]
    assert len(set(shown)) == len(MOUTHS) * len(BROWS)


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


@pytest.mark.parametrize("tone", TONES)
def test_a_tone_has_its_pitch_and_its_pace(tone):
    wave = babble(tone, 4, 1.0, np.random.default_rng(1))
    power = np.abs(np.fft.rfft(wave)) ** 2
    hertz = np.fft.rfftfreq(len(wave), 1 / voices.RATE)
    loudest = hertz[hertz < 360][np.argmax(power[hertz < 360])]
    assert loudest == pytest.approx(TONES[tone].hertz, rel=0.25)
    level = np.sqrt((wave[: len(wave) // 320 * 320].reshape(-1, 320) ** 2).mean(1))
    beats = np.abs(np.fft.rfft(level - level.mean()))
    assert np.argmax(beats) / 4 == pytest.approx(TONES[tone].pace, abs=0.3)


def test_same_seed_same_world_and_splits_apart():
    assert ask("avqa", "test", 3, 5) == ask("avqa", "test", 3, 5)
    seeds = {split: {ask("ave", split, n, 5).scene.seed for n in range(50)} for split in ("train", "val", "test")}
    assert len(seeds["train"] | seeds["val"] | seeds["test"]) == 150
