"""From original files to an index: media looked at once, counted, placed; parts joined; runs that were ended go on."""

import json
import shutil
import wave
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from miniatures import ave, llp, vggsound

from crabplus.datasets import DatasetError, get_dataset
from crabplus.datasets import medialist as media_list
from crabplus.datasets.avuie import Index, index_path, read, read_published, write
from crabplus.datasets.build import build, merge, source


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of pictures with sound."""
    return _film(tmp_path_factory.mktemp("film") / "film.mp4", True)


@pytest.fixture(scope="session")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _film(tmp_path_factory.mktemp("film") / "silent.mp4", False)


def _film(path: Path, sound: bool) -> Path:
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=8, width=64, height=48)
        audio = file.add_stream("aac", rate=16000, layout="mono") if sound else None
        for n in range(8):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 30 * n, np.uint8), "rgb24")
            file.mux(video.encode(picture))
        file.mux(video.encode())
        if audio:
            tone = np.sin(np.arange(16000) / 10, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            frame.rate = 16000
            file.mux(audio.encode(frame))
            file.mux(audio.encode())
    return path


@pytest.fixture
def root(tmp_path: Path, film: Path, silent: Path) -> Path:
    """AVE in miniature: of three training videos one is fine, one cut short and one missing; one has no sound."""
    root = tmp_path / "original"
    (root / "AVE").mkdir(parents=True)
    ave.make(root)
    shutil.copy(film, root / "AVE" / "aAbBcCdDeEf.mp4")
    (root / "AVE" / "zZyYxXwWvVu.mp4").write_bytes(film.read_bytes()[:700])
    shutil.copy(silent, root / "AVE" / "22222222222.mp4")
    shutil.copy(film, root / "AVE" / "33333333333.mp4")
    return root


def test_what_became_of_each_split(root: Path, tmp_path: Path) -> None:
    made = build(get_dataset("ave"), root, tmp_path / "out")
    train, test = made.splits["train"], made.splits["test"]
    assert (train.official, train.found, train.missing, train.unreadable, train.written) == (3339, 4, 1, 1, 2)
    assert (test.found, test.silent, test.written) == (2, 1, 2)
    broken = [error for error in made.errors if error.startswith("AVE/zZyYxXwWvVu.mp4: ")]
    assert len(broken) == 1 and broken[0].count("zZyYxXwWvVu") == 1
    assert "AVE/00000000000.mp4: is not there" in made.errors
    first, second = read(tmp_path / "out", "ave", "train")
    assert (first.id, second.id) == ("aAbBcCdDeEf", "aAbBcCdDeEf-2")
    assert (first.media[0].duration, first.media[0].fps, first.media[0].size) == (
        pytest.approx(1, abs=0.2),
        8,
        (64, 48),
    )
    assert [s.media[0].sound for s in read(tmp_path / "out", "ave", "test")] == ["none", "track"]


@pytest.mark.parametrize("place", ["reference", "link", "copy"])
def test_media_are_found_from_the_index(root: Path, tmp_path: Path, place: str) -> None:
    out = tmp_path / "deep" / "out"
    build(get_dataset("ave"), root, out, ["test"], place=place)  # type: ignore[arg-type]
    for sample in read(out, "ave", "test"):
        assert (out / sample.media[0].path).is_file()
        assert (out / sample.media[0].path).is_symlink() == (place == "link")
        assert sample.media[0].path.startswith("../") == (place == "reference")


def test_keep_and_no_probe_write_all(root: Path, tmp_path: Path) -> None:
    assert build(get_dataset("ave"), root, tmp_path / "a", ["train"], keep=True).splits["train"].written == 4
    made = build(get_dataset("ave"), root, tmp_path / "b", ["train"], probe=False).splits["train"]
    assert (made.written, made.missing) == (4, 0)


def test_published_layout_on_request(root: Path, tmp_path: Path) -> None:
    made = build(get_dataset("ave"), root, tmp_path / "out", ["val", "test"], published=True)
    assert made.notes[0] == "val: no part of the published layout: no val.json"
    own, published = (reader(tmp_path / "out", "ave", "test") for reader in (read, read_published))
    assert [(s.id, s.answer) for s in own] == [(s.id, s.answer) for s in published]


def test_a_training_split_without_answers_is_not_published(tmp_path: Path) -> None:
    llp.make(tmp_path)
    made = build(get_dataset("avvp"), tmp_path, tmp_path / "out", ["train"], published=True, probe=False)
    assert made.notes == ["train: the published layout holds true answers, and there are none: no train.json"]


def test_parts_join_to_the_whole(root: Path, tmp_path: Path) -> None:
    whole = build(get_dataset("ave"), root, tmp_path / "whole", ["train"]).splits["train"]
    parts = [build(get_dataset("ave"), root, tmp_path / "out", ["train"], shard=(n, 3)) for n in range(3)]
    assert sum(part.splits["train"].found for part in parts) == whole.found
    merge(get_dataset("ave"), tmp_path / "out", "train", published=True)
    assert (tmp_path / "out" / "ave" / "train.json").is_file()
    assert (
        index_path(tmp_path / "out", "ave", "train").read_bytes()
        == index_path(tmp_path / "whole", "ave", "train").read_bytes()
    )
    index_path(tmp_path / "out", "ave", "train.2-of-3").unlink()
    with pytest.raises(DatasetError, match="train.2-of-3.jsonl: no such part"):
        merge(get_dataset("ave"), tmp_path / "out", "train")
    with pytest.raises(DatasetError, match="shard: 1/3 to 3/3 wanted, got 4/3"):
        build(get_dataset("ave"), root, tmp_path / "out", ["train"], shard=(3, 3))


def test_a_run_that_was_ended_goes_on(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    build(get_dataset("ave"), root, whole, ["train"])

    def ended(items, heading, total):
        yield next(iter(items))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(get_dataset("ave"), root, out, ["train"], workers=1, track=ended)
    journal = out / "ave" / "journal" / "media-train.jsonl"
    assert len(journal.read_text().splitlines()) == 1 and not index_path(out, "ave", "train").exists()
    journal.write_text(journal.read_text() + '{"path": "AVE/zZyYx')  # killed while it wrote
    seen = []
    monkeypatch.setattr(media_list._Lookers, "_entry", _recorded(media_list._Lookers._entry, seen))
    build(get_dataset("ave"), root, out, ["train"])
    assert "AVE/aAbBcCdDeEf.mp4" not in seen and len(seen) == 2
    for name in ("train.jsonl", "journal/media-train.jsonl"):
        assert (out / "ave" / name).read_bytes() == (whole / "ave" / name).read_bytes()


def _recorded(function, seen):
    def call(self, path):
        seen.append(path)
        return function(self, path)

    return call


def test_a_file_that_changed_is_looked_at_again(root: Path, tmp_path: Path, film: Path) -> None:
    out = tmp_path / "out"
    build(get_dataset("ave"), root, out, ["train"])
    shutil.copy(film, root / "AVE" / "zZyYxXwWvVu.mp4")
    shutil.copy(film, root / "AVE" / "00000000000.mp4")
    assert build(get_dataset("ave"), root, out, ["train"]).splits["train"].written == 4
    entries = [json.loads(line) for line in (out / "ave" / "journal" / "media-train.jsonl").read_text().splitlines()]
    assert len({entry["hash"] for entry in entries}) == 1


def test_clips_that_splits_share_are_told(root: Path, tmp_path: Path) -> None:
    vggsound.make(root)
    build(get_dataset("ave"), root, tmp_path / "out", probe=False)
    made = build(get_dataset("a2v"), root, tmp_path / "out", probe=False)
    assert made.shared == ["1 source videos of ave/train are in a2v/test too"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a/aAbBcCdDeEf_000030.mp4", "aAbBcCdDeEf"), ("a_bB-CdDeEf_30.000_40.000.mp4", "a_bB-CdDeEf"),
        ("AVE/-_-_-_-_-_-.mp4", "-_-_-_-_-_-"), ("aAbBcCdDeEf_101.8_111.8.mp4", "aAbBcCdDeEf"),
        ("00000012.mp4", None), ("frames/0.jpg", None),
    ],
)  # fmt: skip
def test_source_of_a_clip(path: str, wanted: str | None) -> None:
    assert source(path) == wanted


def test_sound_beside_pictures_counts(tmp_path: Path, silent: Path) -> None:
    from crabplus.datasets.base import Dataset
    from crabplus.schema import LabelAnswer, Media

    class Apart(Dataset):
        key, name, splits, needs = "ks", "Apart", {"test": 1}, "x"

        def samples(self, root, split):
            media = Media("clip", "video", "a.mp4", sound="file"), Media("sound", "audio", "a.wav")
            yield self.sample("1", split, media=media, answer=LabelAnswer("x"))

    shutil.copy(silent, tmp_path / "a.mp4")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(32000))
    made = build(Apart(), tmp_path, tmp_path / "out").splits["test"]
    assert (made.silent, made.written) == (0, 1)
    assert Index(index_path(tmp_path / "out", "ks", "test"))[0].media[1].duration == pytest.approx(1)


def test_reasoning_outlives_a_new_build(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(get_dataset("ave"), root, out, ["test"])
    first = list(read(out, "ave", "test"))
    write(out, "ave", "test", [replace(first[0], reasoning="A man speaks."), *first[1:]])
    build(get_dataset("ave"), root, out, ["test"])
    assert [sample.reasoning for sample in read(out, "ave", "test")] == ["A man speaks.", None]
    (root / "testSet.txt").write_text("Bark&22222222222&good&0&10\n")
    build(get_dataset("ave"), root, out, ["test"])
    assert [sample.reasoning for sample in read(out, "ave", "test")] == [None]


def test_events_behind_the_end_are_told(root: Path, tmp_path: Path) -> None:
    made = build(get_dataset("ave"), root, tmp_path / "out", ["test"])
    assert made.notes == ["test: 2 samples with an event behind the end of their clip: kept"]
