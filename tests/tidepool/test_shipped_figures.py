"""The figures of the shipped model: they follow from its recorded answers, and the README shows these."""

import json
import lzma
import re
from pathlib import Path

import pytest

from crabplus.evaluate import evaluate
from crabplus.schema import Prediction, from_json
from crabplus.tidepool.build import ask
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import media_of, to_sample

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results():
    return json.loads((ROOT / "runs/tiny/results.json").read_text())


def test_figures_follow_from_the_answers(results):
    with lzma.open(ROOT / "runs/tiny/predictions.jsonl.xz", "rt", encoding="utf-8") as file:
        said = [from_json(json.loads(line), Prediction) for line in file]
    asked = []
    for prediction in said:
        made = ask(prediction.task, "test", int(prediction.id.rsplit("-", 1)[1]), results["seed"])
        media = media_of(made, {role: role for role in made.show})
        asked.append(to_sample(made, prediction.task, "test", prediction.id, media))
    scores = evaluate(asked, said, rounds=2)
    assert {key: round(scores[key].score, 4) for key in KEYS} == {key: results[key]["adapter_on"] for key in KEYS}
    assert {key: scores[key].n for key in KEYS} == dict.fromkeys(KEYS, results["n"])


@pytest.mark.parametrize("key", KEYS)
def test_the_readme_shows_them(results, key):
    row = re.search(rf"^\| `{key}` .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert row, key
    behind = row[0].split("|", 3)[3]  # the name of a metric may hold a number
    told = [float(number) for number in re.findall(r"-?\d+\.\d+", behind)]
    names = ("adapter_on", "adapter_off", "constant", "muted", "blanked", "way")
    on, off, constant, muted, blanked, way = (results[key][name] for name in names)
    expected = [on, *results[key]["ci95"], off, constant, muted, blanked, way]
    places = [3, 2, 2, 3, 3, 3, 3, 2]
    assert told == [float(f"{value:.{n}f}") for value, n in zip(expected, places, strict=True)]
