"""GrabCut on Tidepool: masks from true boxes and points, and from the shipped model's own answers, against true masks.

The true mask of a thing is what its sprite covers by more than half, less what lies before it; its box and three points
are those that a model is asked for (:mod:`crabplus.datasets.masks`). The shipped model answers ``arig``, which asks for
a box alone. A picture that is not answered has an empty mask. Nothing was tuned on these pictures.
Results go to ``benchmarks/results/segment.json``.
Run: python benchmarks/segment.py [--samples N] [--seed N]
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "segment"))
from machine import processor  # noqa: E402
from reefs import Reef, reefs  # noqa: E402

from crabplus.api import CrabPlus  # noqa: E402
from crabplus.data import WithSource  # noqa: E402
from crabplus.generate import predict  # noqa: E402
from crabplus.models.source import Files  # noqa: E402
from crabplus.schema import Object, ObjectsAnswer  # noqa: E402
from crabplus.segment import load_segmenter  # noqa: E402
from crabplus.tidepool.build import build  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "segment.json"
SIZES = (0.24, 0.30, 0.36, 0.42)  # width of a thing, as a share of the picture's


def ious(pictures: Sequence[Reef], things: Sequence[Object | None]) -> tuple[NDArray[np.float64], float]:
    """(N,) of the masks of these things, 0 where there is none, and milliseconds that a mask took."""
    segmenter, values = load_segmenter("grabcut"), []
    start = time.perf_counter()
    masks = segmenter.segment([one.picture for one in pictures], [[thing] if thing else [] for thing in things])
    took = 1000 * (time.perf_counter() - start) / len(pictures)
    for one, found in zip(pictures, masks, strict=True):
        mask = found[0] > 0.5 if found else np.zeros_like(one.mask)
        values.append(np.count_nonzero(mask & one.mask) / np.count_nonzero(mask | one.mask))
    return np.array(values), took


def row(values: NDArray[np.float64], pictures: Sequence[Reef]) -> dict[str, Any]:
    """Mean IoU with its spread, by size and by kind of thing."""
    sizes = {
        f"{low:.2f}-{high:.2f}": [v for v, one in zip(values, pictures, strict=True) if low <= one.size < high]
        for low, high in zip(SIZES, SIZES[1:], strict=False)
    }
    kinds = defaultdict(list)
    for value, one in zip(values, pictures, strict=True):
        kinds[one.kind].append(value)
    return {
        "mean_iou": round(float(values.mean()), 4), "iou_10th_percentile": round(float(np.quantile(values, 0.1)), 4),
        "share_above_half": round(float((values > 0.5).mean()), 4),
        "by_width": {name: [round(float(np.mean(found)), 4), len(found)] for name, found in sizes.items() if found},
        "by_kind": {name: [round(float(np.mean(found)), 4), len(found)] for name, found in sorted(kinds.items())},
    }  # fmt: skip


def answered(count: int, seed: int) -> list[Object | None]:
    """What the shipped model says of the same pictures; None where nothing can be read."""
    plus = CrabPlus.from_pretrained("tiny", device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        data = WithSource(list(build(Path(folder), ("arig",), "test", count, seed)), Files(folder))
        said = list(predict(plus.model, data, plus.pack, 16, plus.origin))
    return [one.answer.objects[0] if isinstance(one.answer, ObjectsAnswer) else None for one in said]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=300, help="pictures")
    parser.add_argument("--seed", type=int, default=4000)
    options = parser.parse_args()
    pictures = list(reefs(options.samples, options.seed))
    rows, answers = {}, answered(options.samples, options.seed)
    asked: dict[str, list[Object | None]] = {
        "true_box_and_points": [one.thing for one in pictures],
        "true_box": [replace(one.thing, points=()) for one in pictures],
        "true_points": [replace(one.thing, box=None) for one in pictures],
        "answers_of_tiny": answers,
    }
    for name, things in asked.items():
        values, took = ious(pictures, things)
        rows[name] = {**row(values, pictures), "ms_per_mask": round(took, 1)}
        print(f"{name:>20}: mean IoU {rows[name]['mean_iou']:.3f}, {took:.0f} ms a mask")
    facts = {
        "command": f"python benchmarks/segment.py --samples {options.samples} --seed {options.seed}",
        "data": f"tidepool, level standard, arig, split test, seed {options.seed}, 160 x 160",
        "unparsable": sum(answer is None for answer in answers), "opencv": cv2.__version__,
        "python": platform.python_version(), "machine": processor(),
    }  # fmt: skip
    RESULTS.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
