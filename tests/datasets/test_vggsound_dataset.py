"""VGGSound as matching: pairs by class, from a seed, on either side."""

from pathlib import Path

import pytest
from miniatures import vggsound

from crabplus.datasets import DatasetError, get_dataset
from crabplus.schema import Sample


def read(root: Path, key: str, split: str = "train", **options: str) -> list[Sample]:
    vggsound.make(root)
    return list(get_dataset(key, **options).read(root, split))


def test_media_of_both_keys(tmp_path: Path) -> None:
    (sound,) = [s for s in read(tmp_path, "a2v") if s.id == "aAbBcCdDeEf_000040"]
    assert [(item.role, item.kind) for item in sound.media] == [
        ("given", "audio"),
        ("first", "video"),
        ("second", "video"),
    ]
    assert sound.media[1 + sound.answer.index].path == sound.media[0].path == "video/aAbBcCdDeEf_000040.mp4"
    assert sound.meta["audio_event"] == sound.meta[f"video{sound.answer.index + 1}_event"] == "playing harp"
    (video,) = [s for s in read(tmp_path, "v2a") if s.id == "aAbBcCdDeEf_000030"]
    assert [(item.role, item.kind) for item in video.media] == [
        ("given", "video"),
        ("first", "audio"),
        ("second", "audio"),
    ]
    assert video.meta["video_event"] == "female speech, woman speaking"


def test_a_sound_file_is_taken_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "aAbBcCdDeEf_000040.wav").touch()
    (sample,) = [s for s in read(tmp_path, "a2v") if s.id == "aAbBcCdDeEf_000040"]
    assert sample.media[0].path == "audio/aAbBcCdDeEf_000040.wav"


def labels(sample: Sample) -> tuple[str, str]:
    return sample.meta["video1_event"], sample.meta["video2_event"]


def test_negatives(tmp_path: Path) -> None:
    for seed in map(str, range(10)):
        assert all(one != two for one, two in map(labels, read(tmp_path, "a2v", seed=seed)))
        same = read(tmp_path, "a2v", negative="same class", seed=seed)
        harps = [s for s in same if s.meta["audio_event"] == "playing harp"]
        assert all(labels(s) == ("playing harp", "playing harp") and s.media[1].path != s.media[2].path for s in harps)
        assert len(same) == 4  # a class of one clip takes any other


def test_pairs_depend_on_the_seed_alone(tmp_path: Path) -> None:
    assert read(tmp_path, "v2a", "test") == read(tmp_path, "v2a", "test")
    assert len({str(read(tmp_path, "v2a", "test", seed=str(seed))) for seed in range(10)}) > 3
    sides = [s.answer.index for seed in map(str, range(10)) for s in read(tmp_path, "a2v", seed=seed)]
    assert 0.2 < sum(sides) / len(sides) < 0.8


def test_rows_that_are_no_clips(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("00000000000_10.mp4,dog\n")
    with pytest.raises(DatasetError, match="line 1: <11 characters>_<6 digits>.mp4 wanted, got '00000000000_10.mp4'"):
        list(get_dataset("a2v").read(tmp_path, "test"))
    (tmp_path / "test.csv").write_text("00000000000_000010.mp4,dog\n")
    dataset = get_dataset("a2v")
    assert list(dataset.read(tmp_path, "test")) == []
    assert dataset.notes == ["1 clips without another one to stand beside: left out"]
