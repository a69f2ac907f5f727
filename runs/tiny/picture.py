"""Draws docs/demo.png: clips of a finished demo with the model's answers. Run: python runs/tiny/picture.py DEMO_FOLDER

The clips are the first ones of the demo, not chosen: at least one of every family whose clips can be drawn.
"""

import sys
from pathlib import Path

from crabplus import media
from crabplus.api import CrabPlus
from crabplus.data import WithSource
from crabplus.datasets.avuie import read
from crabplus.evaluate import credit
from crabplus.generate import predict
from crabplus.models.source import Files
from crabplus.report.card import Card
from crabplus.report.figures import draw_cards

PER_KEY = {"unav": 1, "ks": 1, "meld": 1, "avqa": 1, "ms3": 1, "ref_avs": 1, "avcap": 1}


def main(folder: Path) -> None:
    asked = [sample for key, count in PER_KEY.items() for sample in list(read(folder, key, "test"))[:count]]
    plus = CrabPlus.from_pretrained("tiny")
    said = predict(plus.model, WithSource(asked, Files(folder)), plus.pack)
    cards = [Card(a, p, folder, credit(a, p)) for a, p in zip(asked, said, strict=True)]
    pictures = []
    for sample in asked:
        shown, path = sample.media[0], folder / sample.media[0].path
        pictures.append(media.image(path)[None] if shown.kind == "image" else media.frames(path, 12).images)
    out = Path(__file__).parents[2] / "docs/demo.png"
    out.parent.mkdir(exist_ok=True)
    draw_cards(out, cards, pictures)


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "data")
