"""Ref-AVS in miniature: rows and masks made by us in the exact published format, pitfalls among them."""

from pathlib import Path

from miniatures.avsbench import put, write

HEADER = "vid,uid,split,fid,exp"
CAT, DRYER, NULL = "Ab1Cd_Ef3Gh_14000_24000", "Zz9Yy8Xx7Ww_0_10000", "null_m-Zz9Yy8Xx7Ww_0_10000"
ROWS = (
    f"{CAT},{CAT}_cat_1,train,0,The sounding object on the sofa.",
    f"{CAT},{CAT}_cat_2,train,0,The cat’s sound is louder",
    f"{DRYER},{NULL}_null_1,train,0,The object making the loudest sound",
    f'{CAT},{CAT}_cat_3,val,0,"The furry one, heard before the dog"',
    f"{DRYER},{DRYER}_hair-dryer_1,test_s,3,The object in use",
    f"{DRYER},{DRYER}_hair-dryer_1,test_s,3,The object in use",
    f"{CAT},{CAT}_cat_4,test_u,0,The object at the left",
    f"{DRYER},null_c-{DRYER}_null_2,test_n,0,The object making the loudest sound",
    f"{DRYER},{DRYER}_hair-dryer_2,TODO,3,",
)


def make(root: Path) -> None:
    """Write table and masks: the cat is gone from the sixth second on, ``null_c-`` has no masks at all."""
    write(root / "metadata.csv", "\r\n".join((HEADER, *ROWS)) + "\r\n")
    for second in range(10):
        place = f"0000{second}.png"
        cat = {(1, 2, 3 + second % 5, 6): 255} if second < 6 else {}
        put(root / "gt_mask" / CAT / "fid_0" / place, cat, (320, 180))
        put(root / "gt_mask" / DRYER / "fid_3" / place, {(0, 0, 8, 4): 1}, (320, 180))
        put(root / "gt_mask" / NULL / "fid_0" / place, {}, (320, 180))
