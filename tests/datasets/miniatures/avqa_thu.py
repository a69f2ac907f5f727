"""AVQA in miniature: JSON lists made by us in the published form, pitfalls among them."""

import json
from pathlib import Path

ITEMS = {
    "train": [{
        "id": 7, "video_name": "aAbBcCdDeEf_000030", "video_id": 12, "question_text": "What makes the noise?",
        "multi_choice": ["Train", "Dog", "rain", "Someone sings"], "answer": 1, "question_relation": "Both",
        "question_type": "Which",
    }],
    "val": [{
        "id": 8, "video_name": "zZyYxXwWvVu_000100", "video_id": 13, "question_text": "Where is it?",
        "multi_choice": ["street", None, "Sea"], "answer": 2, "question_relation": "View", "question_type": "Where",
    }],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the lists."""
    for split, items in ITEMS.items():
        (root / f"{split}_qa.json").write_text(json.dumps(items))
