"""VALOR-32K: both releases, several captions, names with underscores and dashes."""

from pathlib import Path

import pytest
from miniatures import valor

from crabplus.datasets import DatasetError, get_dataset


def test_both_releases(tmp_path: Path) -> None:
    valor.make(tmp_path)
    train, _ = get_dataset("avcap").read(tmp_path, "train")
    assert train.answer.text == "A man hammers a nail while a dog barks."
    val, _ = get_dataset("avcap").read(tmp_path, "val")
    assert (val.id, val.media[0].path) == ("a_bB-CdDeEf_0.000_10.000", "videos/a_bB-CdDeEf_0.000_10.000.mp4")
    rain, horn = get_dataset("avcap", release="processed").read(tmp_path, "test")
    assert (rain.meta, horn.meta) == ({"references": ["It is raining."]}, {})


@pytest.mark.parametrize(
    "content", ['[{"video_id": "a"}]', '[{"desc": "a"}]', '[{"video_id": "a", "desc": " "}]', "[1]"]
)
def test_what_is_missing_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "desc_val.json").write_text(content)
    with pytest.raises(DatasetError, match="desc_val.json.*wanted"):
        list(get_dataset("avcap").read(tmp_path, "val"))


def test_a_clip_without_caption_is_named(tmp_path: Path) -> None:
    (tmp_path / "val_id.json").write_text('["a"]')
    (tmp_path / "txt_mapper_en.json").write_text("{}")
    with pytest.raises(DatasetError, match="no caption for 'a' of val_id.json"):
        list(get_dataset("avcap", release="processed").read(tmp_path, "val"))
