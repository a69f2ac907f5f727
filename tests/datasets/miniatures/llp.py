"""LLP in miniature: tables made by us in the exact published format, pitfalls among them."""

from pathlib import Path

TABLES = {
    "AVVP_train.csv": ["filename\tevent_labels", "aAbBcCdDeEf_20_30\tSpeech,Dog"],
    "AVVP_val_pd.csv": ["filename\tevent_labels", "00000000000_101.8_111.8\tCar"],
    "AVVP_test_pd.csv": [
        "filename\tevent_labels", "11111111111_0_10\tClapping,Clapping,Speech", "22222222222_5_15\tDog",
    ],
    "AVVP_eval_audio.csv": [
        "filename\tonset\toffset\tevent_labels", "00000000000_101.8_111.8\t0\t10\tCar",
        "11111111111_0_10\t0\t4\tSpeech",
        "11111111111_0_10\t3\t6\tSpeech", "11111111111_0_10\t6\t7\tSpeech", "11111111111_0_10\t9\t9\tClapping",
        "11111111111_0_10\t9\t0\tClapping", "1111111111_0_10\t0\t5\tSpeech", "22222222222_5_15\t1\t3\tDog",
        "22222222222_5_15\t1\t3\tDog", "22222222222_5_15\t8\t10\tDog",
    ],
    "AVVP_eval_visual.csv": [
        "filename\tonset\toffset\tevent_labels", "00000000000_101.8_111.8\t2\t5\tCar", "22222222222_5_15\t0\t10\tDog",
    ],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the tables."""
    for name, rows in TABLES.items():
        (root / name).write_text("\n".join(rows) + "\n")
