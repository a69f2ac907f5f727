"""AVE in miniature: rows made by us in the exact published format, pitfalls among them."""

from pathlib import Path

ROWS = {
    "train": ["Church bell&aAbBcCdDeEf&good&0&10", "Violin, fiddle&zZyYxXwWvVu&good&3&8",
              "Frying (food)&aAbBcCdDeEf&good&0&4", "Bark&00000000000&good&0&0"],
    "val": ["Cat&11111111111&good&2&9"],
    "test": ["Male speech, man speaking&22222222222&good&1&7", "Bark&33333333333&good&0&10"],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the annotation files."""
    for split, rows in ROWS.items():
        (root / f"{split}Set.txt").write_text("\n".join(rows) + "\n")
