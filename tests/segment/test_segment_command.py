"""``crabplus segment`` and ``crabplus evaluate --masks``, run in this process as a user runs them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import Result
from miniatures import avsbench, ref_avs
from pycocotools import mask as coco
from pycocotools.coco import COCO
from typer.testing import CliRunner

from crabplus.cli import app
from crabplus.datasets import get_dataset
from crabplus.datasets.avuie import read
from crabplus.datasets.build import build as build_original
from crabplus.datasets.masks import read_mask
from crabplus.schema import Media, Object, ObjectsAnswer, Prediction, Reply, Sample, to_json
from crabplus.segment import GRABCUT
from crabplus.segment.grabcut import GrabCut
from crabplus.tidepool.build import build
from crabplus.tidepool.film import write_clip
from crabplus.tidepool.scenes import make_scene


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(f"{to_json(record)}\n" for record in records), encoding="utf-8")
    return path


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "masks.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def reef(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Sample]]:
    """Five pictures of Tidepool."""
    out = tmp_path_factory.mktemp("reef")
    return out, list(build(out, ("arig",), "test", 5, 31))


def told(sample: Sample) -> Prediction:
    """A prediction that is right."""
    return Prediction(sample.id, sample.task, answer=sample.answer)


def test_predictions_of_a_data_folder(reef: tuple[Path, list[Sample]], tmp_path: Path) -> None:
    data, samples = reef
    said = write(
        tmp_path / "said.jsonl",
        *map(told, samples[:3]),
        Prediction(samples[3].id, "arig", text="No idea."),
        Prediction(samples[4].id, "arig", error="decode: cut short"),
        Prediction("k1", "ave", text="<event>dog barking, (0 3)</event>"),
    )
    out = tmp_path / "masks"
    result = run("segment", said, "--data", data, "--out", out)
    assert result.exit_code == 0
    assert "5 predictions, 3 masks, 1 without an answer (empty masks), 1 errors" in result.stdout
    made = lines(out)
    assert [line["id"] for line in made] == [sample.id for sample in samples]
    for line, sample in zip(made[:3], samples, strict=False):
        (mask,) = line["masks"]
        png = cv2.imread(str(out / mask["png"]), cv2.IMREAD_UNCHANGED)
        assert png.shape == (160, 160) and png.dtype == np.uint8
        assert np.array_equal(coco.decode(mask["rle"]), png > 127) and mask["area"] == (png > 127).sum() > 0
        x1, y1, x2, y2 = mask["box"]
        assert png[y1:y2, x1:x2].max(axis=0).min() >= 0 and (png > 127).sum() == (png[y1:y2, x1:x2] > 127).sum()
        assert mask["png"] == f"masks/{sample.id}/1-{mask['label']}.png"
        assert (out / "overlays" / f"{sample.id}.jpg").is_file()
    assert "reason" in made[3] and made[3]["masks"] == [] and made[4]["error"] == "decode: cut short"
    found = COCO(out / "coco.json")
    assert len(found.anns) == 3 and np.array_equal(
        found.annToMask(found.anns[1]), coco.decode(made[0]["masks"][0]["rle"])
    )


def test_the_same_command_goes_on(
    reef: tuple[Path, list[Sample]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, samples = reef
    said, out = write(tmp_path / "said.jsonl", *map(told, samples)), tmp_path / "masks"
    command = ("segment", said, "--data", data, "--out", out, "--batch-size", 2)
    assert run(*command).exit_code == 0
    whole = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    shutil.rmtree(out)
    calls, segment = [], GrabCut.segment

    def stopped(self: GrabCut, pictures: Any, things: Any) -> Any:
        calls.append(len(pictures))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return segment(self, pictures, things)

    monkeypatch.setattr(GrabCut, "segment", stopped)
    assert run(*command).exit_code == 130 and len(lines(out)) == 2
    with (out / "masks.jsonl").open("a") as file:
        file.write('{"id":"arig-te')  # as if killed in the middle of a line
    assert run(*command).exit_code == 0 and calls == [2, 2, 2, 1]
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} == whole
    assert run(*command).exit_code == 0 and len(calls) == 4
    refused = run("segment", said, "--data", data, "--out", out, "--model", "elsewhere")
    assert refused.exit_code == 2 and "was made with model 'grabcut', and 'elsewhere' is asked for" in refused.output
    write(said, replace(told(samples[0]), answer=samples[1].answer))
    refused = run(*command)
    assert refused.exit_code == 2 and "has masks of another answer to arig" in refused.output


def test_files_of_ones_own_with_names_of_all_kinds(tmp_path: Path) -> None:
    picture = np.full((90, 120, 3), 90, np.uint8)
    cv2.circle(picture, (60, 45), 20, (30, 30, 220), -1)
    cv2.imwrite(str(tmp_path / "photo.png"), picture)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    shown = (Media("frame", "image", str(tmp_path / "photo.png")), Media("sound", "audio", "bark.wav"))
    box, names = (0.25, 0.2, 0.75, 0.8), ("../../x", "/etc/x", "a", "A", "nul", "ü" * 300, "a\0b", "", "con.txt", "..")
    things = (Object("../../Hund ü/..", box, ((0.5, 0.5),)), Object("../../Hund ü/..", box, confidence=0.5))
    said = [Reply(name or "-", "arig", answer=ObjectsAnswer(things), media=shown) for name in names]
    said.append(Reply("a", "s4", answer=ObjectsAnswer(things), media=shown))
    said.append(
        Reply(
            "broken", "arig", answer=ObjectsAnswer(things), media=(Media("f", "image", str(tmp_path / "broken.png")),)
        )
    )
    said.append(Reply("nowhere", "arig", answer=ObjectsAnswer((Object("thing"),)), media=shown))
    said.append(Reply("silent", "s4", answer=ObjectsAnswer(), media=shown))
    out = tmp_path / "deep" / "deeper" / "masks"
    result = run("segment", write(tmp_path / "said.jsonl", *said), "--out", out)
    assert result.exit_code == 0
    assert "14 predictions, 22 masks, 0 without an answer (empty masks), 2 errors" in result.stdout
    made = {(line["task"], line["id"]): line for line in lines(out)}
    pngs = [mask["png"] for line in made.values() for mask in line["masks"]]
    assert len({png.lower() for png in pngs}) == 22
    assert all((out / png).resolve().is_relative_to(out.resolve() / "masks") for png in pngs)
    assert all(set(part) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for png in pngs for part in png.split("/"))
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"deeper"}
    assert "broken.png" in made["arig", "broken"]["error"] and "'thing' has neither" in made["arig", "nowhere"]["error"]
    assert made["arig", "a"]["masks"][1]["confidence"] == 0.5
    assert made["arig", "a"]["masks"][0]["area"] == pytest.approx(np.pi * 400, rel=0.2)


def test_of_a_video_the_picture_of_each_thing_is_taken(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip, make_scene(np.random.default_rng(5)))
    box = (0.2, 0.2, 0.6, 0.6)
    things = Object("late", box, time=9.0), Object("middle", box), Object("late too", box, time=9.0)
    said = Reply("clip.mp4", "arig", answer=ObjectsAnswer(things), media=(Media("clip", "video", str(clip)),))
    out = tmp_path / "masks"
    assert run("segment", write(tmp_path / "said.jsonl", said), "--out", out).exit_code == 0
    (line,) = lines(out)
    assert [(mask["label"], mask.get("time")) for mask in line["masks"]] == [
        ("late", 9.0), ("middle", None), ("late too", 9.0),
    ]  # fmt: skip
    assert line["masks"][0]["rle"] == line["masks"][2]["rle"] != line["masks"][1]["rle"]
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["clip.mp4-2.jpg", "clip.mp4.jpg"]
    assert len(json.loads((out / "coco.json").read_text())["images"]) == 2
    refused = run("segment", tmp_path / "said.jsonl", "--out", tmp_path / "video", "--video")
    assert refused.exit_code == 2 and f"{GRABCUT} sees one picture at a time" in refused.output


@pytest.mark.parametrize(
    ("record", "options", "words"),
    [
        (Prediction("1", "arig"), (), "names no file of its own: name the data folder (--data)"),
        (Prediction("1", "ave"), (), "no prediction of a key whose answers have boxes or points"),
        (Prediction("1", "arig"), ("--data", "nowhere"), "nowhere: no such data folder"),
    ],
)
def test_what_cannot_be_segmented_is_told(tmp_path: Path, record: Any, options: tuple[str, ...], words: str) -> None:
    refused = run("segment", write(tmp_path / "said.jsonl", record), "--out", tmp_path / "masks", *options)
    assert refused.exit_code == 2 and words in refused.output


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of s4 and ref_avs in miniature, whose pictures show their masks in red."""
    root = tmp_path_factory.mktemp("original")
    avsbench.make_object(root / "avs")
    ref_avs.make(root / "ref")
    out = root / "data"
    for key, place, splits in (("s4", "avs", ("test",)), ("ref_avs", "ref", ("test_s", "test_u", "test_n"))):
        dataset = get_dataset(key)
        for split in splits:
            build_original(dataset, root / place, out, (split,), probe=False)
            for sample in read(out, key, split):
                picture = out / sample.media[0].path
                picture.parent.mkdir(parents=True, exist_ok=True)
                found = read_mask(out / sample.meta["mask"]) if "mask" in sample.meta else np.zeros((90, 160), bool)
                cv2.imwrite(str(picture), np.where(found[..., None], (40, 40, 220), (150, 120, 60)).astype(np.uint8))
    return out


def scored(masked: Path, key: str, split: str, out: Path, said: list[Prediction]) -> dict[str, Any]:
    file = write(out / "said.jsonl", *said)
    for command in (
        ("segment", file, "--data", masked, "--split", split, "--out", out / "masks"),
        ("evaluate", file, "--data", masked, "--split", split, "--masks", out / "masks", "--out", out / "scores.json"),
    ):
        result = run(*command)
        assert result.exit_code == 0, result.output
    score: dict[str, Any] = json.loads((out / "scores.json").read_text())[key]
    return score


def test_masks_are_scored_against_the_true_ones(masked: Path, tmp_path: Path) -> None:
    samples = list(read(masked, "s4", "test"))
    score = scored(masked, "s4", "test", tmp_path, [told(sample) for sample in samples])
    assert score["metric"] == "J" and score["score"] > 0.97 and score["others"]["F"] > 0.97
    assert score["others"]["box_jaccard"] == 1 and score["constant"] < 0.6 and score["n"] == 5
    assert score["ci95"][0] > 0.9 and "in batches of 20 frames" in score["notes"][-1]


def test_no_answer_is_an_empty_mask_and_nothing_is_dropped(masked: Path, tmp_path: Path) -> None:
    """Of five frames, of which the fourth shows nothing, two are answered; the others count as empty masks."""
    samples = list(read(masked, "s4", "test"))
    said = [told(samples[0]), *(Prediction(sample.id, "s4", text="?") for sample in samples[1:])]
    score = scored(masked, "s4", "test", tmp_path, said)
    assert score["score"] == pytest.approx(2 / 5, abs=0.02) and score["unparsable"] == 4
    assert score["others"]["masks_missing"] == 0
    assert score["notes"][-1] == "1 frames without a mask show nothing, where an empty mask is right"
    kept = (tmp_path / "masks" / "masks.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "masks" / "masks.jsonl").write_text("".join(kept[1:]))
    command = ("evaluate", tmp_path / "said.jsonl", "--data", masked, "--masks", tmp_path / "masks", "--out")
    assert run(*command, tmp_path / "scores.json").exit_code == 0
    score = json.loads((tmp_path / "scores.json").read_text())["s4"]
    assert score["score"] == pytest.approx(1 / 5) and score["others"]["masks_missing"] == 1


def test_masks_of_other_predictions_are_refused(masked: Path, tmp_path: Path) -> None:
    samples = list(read(masked, "s4", "test"))
    scored(masked, "s4", "test", tmp_path, [told(sample) for sample in samples])
    write(tmp_path / "said.jsonl", *(Prediction(sample.id, "s4", answer=ObjectsAnswer()) for sample in samples))
    command = ("evaluate", tmp_path / "said.jsonl", "--data", masked, "--masks", tmp_path / "masks")
    refused = run(*command, "--out", tmp_path / "other.json")
    assert refused.exit_code == 2 and "were made from another answer" in refused.output
    refused = run(*command[:-1], tmp_path / "none", "--out", tmp_path / "other.json")
    assert refused.exit_code == 2 and "make masks first: crabplus segment" in refused.output


def test_references_to_something_and_to_nothing(masked: Path, tmp_path: Path) -> None:
    for split in ("test_s", "test_u", "test_n"):
        (tmp_path / split).mkdir()
    there = list(read(masked, "ref_avs", "test_s"))
    score = scored(masked, "ref_avs", "test_s", tmp_path / "test_s", [told(sample) for sample in there])
    assert score["metric"] == "J" and score["score"] > 0.97 and "S" not in score["others"]
    half = list(read(masked, "ref_avs", "test_u"))  # the cat is gone after six seconds
    score = scored(masked, "ref_avs", "test_u", tmp_path / "test_u", [told(sample) for sample in half])
    assert score["score"] > 0.97 and score["others"]["F"] > 0.97
    none = list(read(masked, "ref_avs", "test_n"))
    said = [told(none[0]), Prediction(none[1].id, "ref_avs", text="?"), *map(told, none[2:])]
    score = scored(masked, "ref_avs", "test_n", tmp_path / "test_n", said)
    assert score["metric"] == "box_jaccard" and score["others"]["S"] == pytest.approx((1 / 10) ** 0.5)


def test_a_video_is_followed(sam2_folders: dict[str, Path], tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip, make_scene(np.random.default_rng(5)))
    things = Object("one", (0.2, 0.2, 0.6, 0.6), time=2.0), Object("two", (0.2, 0.2, 0.6, 0.6), time=9.0)
    said = write(
        tmp_path / "said.jsonl",
        Reply("clip", "arig", answer=ObjectsAnswer(things), media=(Media("clip", "video", str(clip)),)),
        Reply(
            "gone", "arig", answer=ObjectsAnswer(things), media=(Media("clip", "video", str(tmp_path / "gone.mp4")),)
        ),
    )
    out = tmp_path / "masks"
    result = run("segment", said, "--out", out, "--model", sam2_folders["sam2_video"], "--device", "cpu", "--video")
    assert result.exit_code == 0 and "2 predictions, 160 masks" in result.stdout and "1 errors" in result.stdout
    first = lines(out)[0]["masks"]
    assert [mask["label"] for mask in first] == ["one"] * 80 + ["two"] * 80
    assert first[0]["png"] == "masks/clip/1-one/000002.000.png" and (out / first[0]["png"]).is_file()
    assert sorted({mask["time"] for mask in first[:80]}) == pytest.approx([n / 8 for n in range(80)])
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["clip-2.jpg", "clip.jpg"]
