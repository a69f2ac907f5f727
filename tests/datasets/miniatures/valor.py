"""VALOR-32K in miniature: both releases, made by us in the published form."""

import json
from pathlib import Path

CAPTIONS = {
    "train": {"aAbBcCdDeEf_30.000_40.000": "A man hammers a nail\nwhile a dog barks.",
              "22222222222_0.000_10.000": "Waves break on rocks below."},
    "val": {"a_bB-CdDeEf_0.000_10.000": "Two women sing on a stage to piano music.",
            "33333333333_0.000_10.000": "An engine starts and idles."},
    "test": {"00000000000_5.000_15.000": "Rain falls on a street.", "11111111111_0.000_8.000": "A horn sounds twice."},
}  # fmt: skip


def make(root: Path) -> None:
    """Write the lists of both releases; the processed one gives a clip two captions."""
    mapper: dict[str, object] = {}
    for split, captions in CAPTIONS.items():
        items = [{"video_id": video, "desc": text} for video, text in captions.items()]
        (root / f"desc_{split}.json").write_text(json.dumps(items))
        (root / f"{split}_id.json").write_text(json.dumps(list(captions)))
        mapper.update(captions)
    mapper["00000000000_5.000_15.000"] = ["Rain falls on a street.", "It is raining."]
    (root / "txt_mapper_en.json").write_text(json.dumps(mapper))
