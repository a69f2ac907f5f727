"""CREMA-D in miniature: the lists of OGM-GE and the table of all clips, few of them, in the exact published formats."""

from pathlib import Path

LISTS = {
    "train": ["1001_IEO_ANG_HI,ANG", "1040_ITH_SAD_X,SAD", "1064_TIE_SAD_XX,SAD", "1091_WSI_FEA_XX,FEA",
              "1001_IEO_ANG_HI,ANG"],
    "test": ["1001_TAI_NEU_XX,NEU", "1019_DFA_HAP_XX,HAP"],
}  # fmt: skip
CLIPS = ["1001_IEO_ANG_HI", "1018_IEO_DIS_LO", "1019_DFA_HAP_XX", "1040_ITH_SAD_XX", "1040_ITH_SAD_XX",
         "1054_ITS_NEU_XX", "1055_TSI_FEA_XX", "1064_IEO_DIS_MD", "1072_IWW_ANG_XX", "1073_IWL_SAD_XX",
         "1076_MTI_NEU_XX", "1091_WSI_FEA_XX"]  # fmt: skip


def make(root: Path) -> None:
    """Write the lists, with the mark of byte order that one of the originals has, and the table."""
    for split, rows in LISTS.items():
        (root / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    rows = [f'{number},"{clip}"' for number, clip in enumerate(CLIPS, 1)]
    (root / "SentenceFilenames.csv").write_text("\n".join(['"Stimulus_Number","Filename"', *rows]) + "\n")
