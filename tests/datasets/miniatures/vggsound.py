"""VGGSound in miniature: lists made by us in the published form, quotes and Windows line ends among them."""

from pathlib import Path

ROWS = {
    "train": ['aAbBcCdDeEf_000030.mp4,"female speech, woman speaking"', "aAbBcCdDeEf_000040.mp4,playing harp",
              "zZyYxXwWvVu_000000.mp4,playing harp", "-1_2-3_4-5__000007.mp4,dog barking"],
    "test": ["00000000000_000010.mp4,playing harp", '11111111111_000100.mp4,"train horning, train"',
             "22222222222_000100.mp4,dog barking"],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the lists."""
    (root / "train.csv").write_bytes("\n".join(ROWS["train"]).encode())
    (root / "test.csv").write_bytes(("\r\n".join(ROWS["test"]) + "\r\n").encode())
