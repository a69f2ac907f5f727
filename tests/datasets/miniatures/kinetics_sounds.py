"""Kinetics-Sounds in miniature: Kinetics files and OGM-GE lists made by us in the published formats, with pitfalls."""

from pathlib import Path

HEADER = "label,youtube_id,time_start,time_end,split"
ROWS = {
    "train": ['"playing piano",aAbBcCdDeEf,12,22,train', "bowling,-zZ_yYxXwWv,0,10,train",
              '"playing piano",aAbBcCdDeEf,12,22,train', "bowling,aAbBcCdDeEf,40,50,train",
              "abseiling,00000000000,3,13,train", "strumming guitar,11111111111,5,15,train",
              "typing,66666666666,5,15,train"],
    "validate": ["bowling,22222222222,7,17,validate", "bowling,22222222222,30,40,validate",
                 "tickling,33333333333,120,130,val", "singing,44444444444,1,11,test", ",55555555555,1,11,validate",
                 "tickling,77777777777,5,15,validate"],
}  # fmt: skip
LISTS = {
    "train": ["aAbBcCdDeEf_000012_000022,10,9", "-zZ_yYxXwWv_000000_000010,10,0", "99999999999_000002_000012,10,0"],
    "test": ["22222222222_30,10,0", "33333333333_119,10,13", "22222222222_31,10,0", "88888888888_4,10,13",
             "44444444444_1,10,13", "77777777777_5,10,13"],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the Kinetics files, and the lists of OGM-GE beside them."""
    for split, rows in ROWS.items():
        (root / f"{split}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    for split, rows in LISTS.items():
        (root / f"my_{split}.txt").write_text("\n".join(rows) + "\n")
