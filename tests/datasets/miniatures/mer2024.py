"""MER2024 in miniature: labels made by us in the published format; the name of the third column is our invention."""

from pathlib import Path

ROWS = ["sample_00000001,worried,-1.2", "sample_00000002,happy,3.0", "sample_00000003,neutral,0.1",
        "sample_00000002,happy,3.0"]  # fmt: skip


def make(root: Path) -> None:
    """Write the table of labels."""
    (root / "label-disdim.csv").write_text("\n".join(["name,discrete,made_up", *ROWS]) + "\n")
