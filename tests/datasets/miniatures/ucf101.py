"""UCF-101 in miniature: class index and list files made by us in the exact published format, with pitfalls."""

from pathlib import Path

CLASSES = ["1 ApplyEyeMakeup", "3 Archery", "37 HandstandPushups", "101 YoYo"]
ROWS = {
    "trainlist01": ["ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1", "Archery/v_Archery_g09_c02.avi 3",
                    "HandstandPushups/v_HandStandPushups_g25_c07.avi 37", "YoYo/v_YoYo_g08_c01.avi 101",
                    "Archery/v_Archery_g09_c02.avi 3"],
    "testlist01": ["ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", "HandstandPushups/v_HandStandPushups_g02_c03.avi",
                   "YoYo/v_YoYo_g01_c01.avi"],
    "trainlist02": ["Archery/v_Archery_g01_c02.avi 3"],
    "testlist02": ["Archery/v_Archery_g08_c01.avi"],
}  # fmt: skip


def make(root: Path) -> None:
    """Write the class index and the lists of two of the three splits."""
    folder = root / "ucfTrainTestlist"
    folder.mkdir()
    (folder / "classInd.txt").write_text("\r\n".join(CLASSES) + "\r\n")
    for name, rows in ROWS.items():
        (folder / f"{name}.txt").write_text("\r\n".join(rows) + "\r\n")
