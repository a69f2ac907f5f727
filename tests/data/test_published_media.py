"""The media rules of the published model: what of a sound is heard, what is joined, and that none is the default."""

from dataclasses import replace

import numpy as np
import pytest

from crabplus.data import encode
from crabplus.data.published import PublishedMedia, as_published, heard
from crabplus.models import load_encoder, resolve
from crabplus.schema import Media
from crabplus.tasks import TASKS, get_task, load_pack
from crabplus.tidepool.build import ask
from crabplus.tidepool.live import LiveMedia, media_of, to_sample

RATE = 1000
PACK = load_pack(resolve("tiny") + "/pack.yaml")


def seconds(count):
    """A sound whose values are its seconds."""
    return np.arange(count * RATE, dtype=np.float32) / RATE


@pytest.mark.parametrize("task", ["meld", "mer24", "cremad", "mafw", "dfew"])
def test_of_emotion_sets_four_seconds_are_heard(task):
    assert np.array_equal(heard(task, seconds(12), RATE), seconds(4))
    short = heard(task, seconds(3), RATE)
    assert len(short) == 4 * RATE and np.array_equal(short[: 3 * RATE], seconds(3)) and not short[3 * RATE :].any()


def test_of_avqa_two_of_every_six_parts_are_heard():
    made = heard("avqa", seconds(60), RATE)
    assert len(made) == 20 * RATE
    assert not made[: RATE // 2].any() and made[RATE // 2] == 0 and made[RATE] == 0.5  # half a part of silence before
    starts = made[:: 2 * RATE][1:]
    assert starts.tolist() == [5.5, 11.5, 17.5, 23.5, 29.5, 35.5, 41.5, 47.5, 53.5]
    assert len(heard("avqa", seconds(10), RATE)) == 20 * (10 * RATE // 60)


@pytest.mark.parametrize(("task", "count", "length"), [("s4", 5, 5), ("ms3", 5, 5), ("ref_avs", 10, 10)])
def test_of_pictures_the_part_of_their_second_is_heard(task, count, length):
    for number in range(count):
        assert np.array_equal(heard(task, seconds(length), RATE, number), seconds(length)[number * RATE :][:RATE])


def test_else_all_of_it_but_what_ten_parts_leave_and_at_least_a_second():
    assert np.array_equal(heard("ave", seconds(10)[:-3], RATE), seconds(10)[: 10 * (9997 // 10)])
    assert len(heard("arig", seconds(1)[:300], RATE)) == RATE


class Given:
    """Media whose values tell where they come from."""

    def frames(self, media, count, size):
        return np.full((count, 2, 2, 3), int(media.path), np.uint8), 7.0

    def wave(self, media, rate):
        return np.full(rate, float(media.path), np.float32)


def test_the_sound_of_a_window_is_its_part_of_the_whole():
    class Whole(Given):
        def wave(self, media, rate):
            assert media.start is None and media.end is None
            return seconds(5)

    made = PublishedMedia("s4", Whole()).wave(Media("sound", "audio", "1", 3, 4), RATE)
    assert np.array_equal(made, seconds(5)[3 * RATE : 4 * RATE])


@pytest.mark.parametrize(("task", "kind"), [("a2v", "video"), ("v2a", "audio")])
def test_pairs_are_joined(task, kind):
    made = ask(task, "test", 0, 5)
    sample = to_sample(made, task, "test", "0", media_of(made, {entry: entry for entry in made.show}))
    pair = [replace(item, path=str(n)) for n, item in enumerate(sample.media)]
    sample = replace(sample, media=tuple(pair))
    messages, source = as_published(sample, get_task(task).prompt(sample, PACK), Given())
    shown = [part for part in messages[-1].parts if part.media]
    assert [part.kind for part in shown] == (["audio", "video"] if kind == "video" else ["video", "audio"])
    both = shown[1]
    if kind == "video":
        pictures, span = source.frames(both.media, both.frames, (2, 2))
        assert pictures[:, 0, 0, 0].tolist() == [1] * PACK.frames_of("a2v") + [2] * PACK.frames_of("a2v")
        assert span == both.frames  # two pictures, two seconds
    else:
        wave = source.wave(both.media, RATE)
        assert wave[0] == 1 and wave[-1] == 2 and len(wave) == 2 * RATE
    half = replace(sample, media=sample.media[:2])
    with pytest.raises(ValueError, match="two of kind"):
        as_published(half, get_task(task).prompt(half, PACK), Given())


def test_no_pack_asks_for_them_unless_told_and_then_every_key_is_encoded_by_them():
    from crabplus.tasks import default_pack

    assert default_pack().media == PACK.media == "whole"
    encoder = load_encoder("tiny", PACK.size)
    published = PACK.model_copy(update={"media": "published"})
    changed = set()
    for key in TASKS:
        made = ask(key, "test", 0, 5)
        sample = to_sample(made, key, "test", "0", media_of(made, {entry: entry for entry in made.show}))
        one, other = (
            encode(encoder, sample, LiveMedia(made, np.random.default_rng(0)), pack, target=True)
            for pack in (PACK, published)
        )
        assert (other["labels"] >= 0).sum() == (one["labels"] >= 0).sum()
        if len(one["input_ids"]) != len(other["input_ids"]):
            changed.add(key)
    assert changed >= {"meld", "mer24", "cremad", "mafw", "dfew", "avqa", "s4", "ms3", "ref_avs", "a2v", "v2a"}
