"""MELD in miniature: utterances made by us in the exact published format, pitfalls among them."""

from pathlib import Path

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
ROWS = {
    "train": ['1,"Well, I didn\N{RIGHT SINGLE QUOTATION MARK}t see that coming.",Dana,surprise,negative,0,0,3,4,'
              '"00:01:02,003","00:01:04,120"',
              '2,Fine.,Lee,neutral,neutral,0,1,3,4,"00:01:04,300","00:01:05,000"',
              '3,Again.,Lee,joy,positive,125,3,3,4,"00:01:04,300","00:01:05,000"'],
    "dev": ['1,Who?,Dana,fear,negative,0,0,1,2,"00:00:01,000","00:00:02,500"',
            '2,Him.,Lee,anger,negative,110,7,1,2,"00:00:01,000","00:00:02,500"'],
    "test": ['1,No!,Lee,disgust,negative,0,0,9,9,"00:10:01,000","00:10:02,000"',
             '2,Oh.,Dana,sadness,negative,38,4,9,9,"00:10:01,000","00:10:02,000"'],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the three tables."""
    for split, rows in ROWS.items():
        (root / f"{split}_sent_emo.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
