"""Draws docs/tidepool.png: one sample of each task key, with what is shown, what sounds when, and the answer.

Run: python docs/tidepool.py
"""

import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

from crabplus.models import resolve
from crabplus.tasks import get_task, load_pack
from crabplus.tidepool.build import ask
from crabplus.tidepool.film import SIDE
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import media_of, to_sample
from crabplus.tidepool.world import draw

SEED, COLUMNS, FRAMES = 4, 4, 2
LOUD, QUIET = "#1f6f78", "#b9c6c9"


def main() -> None:
    """Draw the sheet."""
    rows = -(-len(KEYS) // COLUMNS)
    sheet = plt.figure(figsize=(COLUMNS * 3.5, rows * 2.5), dpi=110)
    grid = sheet.add_gridspec(rows, COLUMNS, left=0.01, right=0.99, top=0.975, bottom=0.035, hspace=0.42, wspace=0.06)
    for place, key in zip(grid, KEYS, strict=False):
        above, below = place.subgridspec(2, 1, height_ratios=[3, 1], hspace=0.04)
        sample_of(sheet.add_subplot(above), sheet.add_subplot(below), key)
    sheet.savefig(Path(__file__).with_suffix(".png"), pil_kwargs={"optimize": True})


def sample_of(above: plt.Axes, below: plt.Axes, key: str) -> None:
    """One sample: pictures above, spans of sound below, question and answer around them."""
    pack, made = load_pack(resolve("tiny") + "/pack.yaml"), ask(key, "test", 0, SEED)
    sample = to_sample(made, key, "test", "0", media_of(made, {entry: entry for entry in made.show}))
    asked = get_task(key).prompt(sample, pack)[-1].parts[-1].text
    answer = get_task(key).target(sample, pack, reasoning=False)
    pictures = [picture for entry in made.show for picture in pictures_of(made, entry)]
    strip = np.concatenate([np.pad(picture, ((0, 0), (2, 2), (0, 0)), constant_values=255) for picture in pictures], 1)
    above.imshow(strip)
    above.set_anchor("W")
    above.axis("off")
    above.set_title(f"{key}: " + textwrap.shorten(asked, 48, placeholder=" ..."), fontsize=8, loc="left")
    heard = [entry for entry in made.show if entry.startswith(("sound", "clip"))]
    told = [(made.scene_of(entry), thing) for entry in heard for thing in made.scene_of(entry).sounding]
    for row, (scene, thing) in enumerate(told):
        line(below, scene, thing, -row)
    below.set(xlim=(0, 20), ylim=(-2.6, 0.9))
    below.axis("off")
    below.text(0, -0.05, "\n".join(textwrap.wrap(answer, 58)[:2]), fontsize=6.6, va="top", family="monospace",
               transform=below.transAxes)  # fmt: skip


def pictures_of(made, entry: str) -> list[np.ndarray]:
    """What an entry shows: two pictures of a film, or one."""
    scene = made.scene_of(entry)
    if entry.startswith("sound"):
        return []
    times = [made.time] if entry.startswith("frame") else [(n + 0.5) * scene.seconds / FRAMES for n in range(FRAMES)]
    return list(draw(scene, times, SIDE)[0])


def line(axes: plt.Axes, scene, thing, y: float) -> None:
    """When a thing sounds, in seconds from the left; darker if it is in sight."""
    for start, end in thing.sounds:
        axes.plot([start, end], [y, y], lw=5, color=LOUD if thing.visible else QUIET, solid_capstyle="butt")
    axes.text(max(end for _, end in thing.sounds) + 0.2, y, thing.tone or thing.kind, fontsize=6.5, va="center")


if __name__ == "__main__":
    main()
