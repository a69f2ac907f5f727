"""UnAV-100 in miniature: a JSON made by us in the published form, pitfalls among them."""

import json
from pathlib import Path

SPEECH, CLAPS = {"label": "man speaking", "label_id": 57}, {"label": "people clapping", "label_id": 3}
DATABASE = {
    "aAbBcCdDeEf": {"subset": "Train", "duration": 12, "annotations": [{"segment": [0.0, 12.0], **SPEECH}]},
    "zZyYxXwWvVu": {"subset": "validation", "duration": 9.5, "annotations": [{"segment": [1.5, 8.0], **CLAPS}]},
    "00000000000": {
        "subset": "test", "duration": 41.5, "fps": 25,
        "annotations": [
            {"segment": [0.0, 12.3], **SPEECH}, {"segment": [10.1, 41.5], **CLAPS},
            {"segment": [0.0004, 12.3002], **SPEECH}, {"segment": [20.0, 31.0], **SPEECH},
        ],
    },
}  # fmt: skip


def make(root: Path) -> None:
    """Write the annotation file."""
    (root / "unav100_annotations.json").write_text(json.dumps({"database": DATABASE}))
