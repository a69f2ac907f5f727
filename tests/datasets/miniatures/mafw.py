"""MAFW in miniature: lists of two folds made by us in the exact published format, pitfalls among them."""

from pathlib import Path

ROWS = {
    ("1", "train"): ["00025.mp4 anger", "10337.mp4 disappointment", "00025.mp4 anger"],
    ("1", "test"): ["00031.mp4 helplessness"],
    ("2", "train"): ["00031.mp4 helplessness"],
    ("2", "test"): ["00025.mp4 anger"],
}


def make(root: Path) -> None:
    """Write the lists."""
    for (fold, split), rows in ROWS.items():
        folder = root / "Train & Test Set" / "single" / "no_caption" / f"set_{fold}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{split}.txt").write_text("\n".join(rows) + "\n")
