"""MUSIC-AVQA in miniature: JSON lists made by us in the published form, pitfalls among them."""

import json
from pathlib import Path
from typing import Any


def item(number: int, template: str, values: list[str], answer: str, **more: Any) -> dict[str, Any]:
    """One question as published, its lists written as text."""
    return {
        "video_id": f"{number:08d}", "question_id": number, "type": '["Audio-Visual", "Temporal"]',
        "question_content": template, "templ_values": json.dumps(values), "question_deleted": 0, "anser": answer,
        **more,
    }  # fmt: skip


ITEMS = {
    "train": [item(1, "Which <Object> makes the sound <FL>?", ["violin", "last"], "left")],
    "val": [item(2, "Are there <Object> and <Object> sound? ", ["erhu", "tuba"], "no")],
    "test": [
        item(3, "How many sounding <Object> in the video\uff1f", ["pipa"], "more than ten"),
        item(4, "What is the <TH> instrument that comes in?", ["first"], "acoustic_guitar"),
        item(5, "Is there a voiceover?", [], "yes", question_deleted=1),
    ],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the lists of both versions; the first one doubles a question with another answer."""
    for version in ("json_update", "json"):
        folder = root / "data" / version
        folder.mkdir(parents=True)
        for split, items in ITEMS.items():
            doubled = [{**items[0], "anser": "two"}] if version == "json" else []
            (folder / f"avqa-{split}.json").write_text(json.dumps(items + doubled))
            if version == "json":
                (folder / f"avqa-{split}_real.json").write_text(json.dumps(items[:1]))
