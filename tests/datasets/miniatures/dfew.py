"""DFEW in miniature: lists of two folds made by us in the exact published format, pitfalls among them."""

from pathlib import Path

ROWS = {
    ("1", "train"): ["12,3", "15980,6", "16372,1", "12,3"],
    ("1", "test"): ["7,7"],
    ("2", "train"): ["7,7", "12,3"],
    ("2", "test"): ["15980,6"],
}


def make(root: Path) -> None:
    """Write the lists."""
    for (fold, split), rows in ROWS.items():
        folder = root / "EmoLabel_DataSplit" / f"{split}(single-labeled)"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"set_{fold}.csv").write_text("\n".join(["video_name,label", *rows]) + "\n")
