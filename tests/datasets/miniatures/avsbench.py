"""AVSBench in miniature, both releases: tables and masks made by us in the exact published format, with pitfalls."""

from pathlib import Path

import numpy as np
from PIL import Image

Areas = dict[tuple[int, int, int, int], int]
"""Value of each area x1, y1, x2, y2 of a mask, in eighths of its sides; the rest is 0."""

MAN, DOG, GUITAR = 41, 17, 28  # numbers of classes in labels_semantic
COLOURS = {DOG: (128, 64, 0), GUITAR: (64, 64, 128)}

S4 = """\
name,start,category,split
Ab1Cd2Ef3Gh,2,dog_barking,train
Zz9Yy8_Xx7W,0,horse_clip-clop,train
-b1Cd2Ef3Gh,2,playing_piano,val
Qq2Rr3Ss4Tt,0,horse_clip-clop,test
"""
MS3 = """\
video,split
Kk4Ll5_Mm6N_1,train
Kk4Ll5_Mm6N_2,val
Qq2Rr3Ss4Tt_2,test
"""
SEMANTIC = """\
vid,uid,s_min,s_sec,a_obj,split,label
Ab1Cd2Ef3Gh,Ab1Cd2Ef3Gh_0_5000,0,0,dog,train,v1s
Zz9Yy8_Xx7W,Zz9Yy8_Xx7W_12000_17000,0,12,dog,val,v1s
Qq2Rr3Ss4Tt,Qq2Rr3Ss4Tt_0_5000,0,0,guitar,test,v1s
Kk4Ll5_Mm6N,Kk4Ll5_Mm6N_1,0,0,man_guitar,train,v1m
Kk4Ll5_Mm6N,Kk4Ll5_Mm6N_2,0,0,man_guitar,val,v1m
Qq2Rr3Ss4Tt,Qq2Rr3Ss4Tt_2,0,0,man_guitar,test,v1m
Vv1Ww2Xx3Yy,Vv1Ww2Xx3Yy_0_10000,0,0,hair-dryer,train,v2
Vv1Ww2Xx3Yy,Vv1Ww2Xx3Yy_10000_20000,0,10,hair-dryer,test,v2
"""


def make(root: Path) -> None:
    """Write both releases."""
    make_object(root)
    make_semantic(root)


def make_object(root: Path) -> None:
    """Masks of S4 have one bit, those of MS3 numbers of a palette; the fourth frames are silent."""
    single, several = root / "Single-source", root / "Multi-sources"
    write(single / "s4_meta_data.csv", S4)
    write(several / "ms3_meta_data.csv", MS3)
    for row in S4.splitlines()[1:]:
        name, _, category, split = row.split(",")
        for number in range(1, 2 if split == "train" else 6):
            areas: Areas = {} if number == 4 else {(1, 2, 1 + number, 6): 255}
            put(single / "s4_data/gt_masks" / split / category / name / f"{name}_{number}.png", areas, mode="1")
    for row in MS3.splitlines()[1:]:
        name, split = row.split(",")
        for number in range(1, 6):
            areas = {} if number == 4 else {(0, 0, 2, 3): 1, (4, 2, 4 + min(number, 3), 8): 1}
            put(several / "ms3_data/gt_masks" / split / name / f"{name}_{number}.png", areas, mode="P")


def make_semantic(root: Path) -> None:
    """Masks in original resolution; the third frames are silent, and one clip has colours alone."""
    write(root / "metadata.csv", SEMANTIC)
    for row in SEMANTIC.splitlines()[1:]:
        _, uid, _, _, things, split, label = row.split(",")
        for number in range(1 if (label, split) == ("v1s", "train") else 5 if label != "v2" else 0):
            areas: Areas = {(1, 1, 4, 2 + number): DOG if things == "dog" else GUITAR}
            areas |= {(4, 0, 8, 4): MAN} if things == "man_guitar" else {}
            path, areas = root / label / uid, {} if number == 2 else areas
            if things == "guitar":
                put(path / f"labels_rgb/{number}.png", areas, (640, 360), "RGB")
            else:
                put(path / f"labels_semantic/{number}.png", areas, (640, 360))


def write(path: Path, text: str) -> None:
    """Write a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def put(path: Path, areas: Areas, size: tuple[int, int] = (224, 224), mode: str = "L") -> None:
    """Write a mask: values as they are, colours of classes where it is RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros((size[1], size[0]), np.uint8)
    for (x1, y1, x2, y2), value in areas.items():
        values[y1 * size[1] // 8 : y2 * size[1] // 8, x1 * size[0] // 8 : x2 * size[0] // 8] = value
    if mode == "RGB":
        Image.fromarray(np.array([COLOURS.get(n, (0, 0, 0)) for n in range(71)], np.uint8)[values]).save(path)
        return
    picture = Image.fromarray(values)
    if mode == "P":
        picture.putpalette([0, 0, 0, 128, 0, 0])
    (picture.convert("1") if mode == "1" else picture).save(path)
