"""What conflict.json holds: prediction, pull, views; and that gradients are not computed twice."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crabplus.analysis.agreement import agreement
from crabplus.analysis.conflict import CONFLICT, ConflictError, conflict, measure, predict, total
from crabplus.analysis.transfer import Settings, compare, write_transfer
from crabplus.analysis.trust import MeasuredError
from crabplus.config import TrainConfig
from crabplus.train import check
from hand_made_gradients import draw, made
from hand_made_runs import write_suite
from short_runs import KEYS, quiet

NAMES = ("ave", "avqa", "arig", "ks", "ucf", "meld")
GROUPS = (1, 1, 2, -1, 2, 3)


def test_predicted_is_the_mean_cosine_and_pull_the_first_order_change() -> None:
    taken, weights = draw(NAMES, GROUPS, noise=0.0), np.array([0.3, 0.1, 0.2, 0.1, 0.1, 0.2])
    found = conflict(taken, list(weights))
    gram = total(taken.grams.values())[::2, ::2]
    lengths = np.sqrt(np.diag(gram))
    for number, key in enumerate(NAMES):
        others = [n for n in range(len(NAMES)) if n != number]
        cosines = gram[number] / lengths[number] / lengths
        assert found["keys"][key]["predicted"] == pytest.approx(cosines[others].mean(), abs=1e-5)
        pull = (weights * gram[number])[others].sum() / (weights[number] * gram[number, number])
        assert found["keys"][key]["pull"] == pytest.approx(pull, abs=1e-5)
    assert found["keys"]["ks"]["predicted"] < 0 < found["keys"]["arig"]["predicted"]
    assert sorted(map(sorted, found["groups"])) == [["arig", "ucf"], ["ave", "avqa"], ["ks"], ["meld"]]


def test_the_whole_is_all_pieces_laid_end_to_end_in_every_view() -> None:
    taken = draw(NAMES, GROUPS)
    found = conflict(taken, [1 / 6] * 6)
    whole = agreement(sum(taken.grams.values())).cosine
    np.testing.assert_allclose(np.array(found["whole"]["cosine"], float), whole, atol=1e-6)
    names = {view: [each["name"] for each in found[view]] for view in ("layers", "projections", "kinds")}
    assert names == {
        "layers": ["language 0", "language 1"], "projections": ["q_proj", "down_proj"],
        "kinds": ["A", "B of head 1", "B of head 2", "router"],
    }  # fmt: skip
    router = agreement(sum(gram for piece, gram in taken.grams.items() if piece.kind == "router")).cosine
    np.testing.assert_allclose(np.array(found["kinds"][3]["cosine"], float), router, atol=1e-6)
    assert len(found["pieces"]) == 16 and sum(piece["share"] for piece in found["pieces"]) == pytest.approx(1)


def test_a_key_of_noise_alone_is_neither_predicted_nor_grouped() -> None:
    taken = draw((*NAMES, "dfew"), (*GROUPS, 4), noise=0.3)
    rng = np.random.default_rng(2)
    for gram in taken.grams.values():  # rows of dfew: as long as the others, in no direction
        gram[12:] = gram[:, 12:] = 0
        gram[12:, 12:] = np.diag(60 + rng.normal(size=2))
    found = conflict(taken, [1 / 7] * 7)
    assert found["keys"]["dfew"] == {**found["keys"]["dfew"], "noisy": True, "predicted": None, "pull": None}
    assert ["dfew"] in found["groups"]
    without = conflict(draw(NAMES, GROUPS, noise=0.3), [1 / 6] * 6)
    assert found["keys"]["ave"]["noisy"] is False and found["keys"]["ave"]["predicted"] is not None
    assert without["keys"]["ave"]["noisy"] is False
    json.dumps(found, allow_nan=False)


def test_measured_is_compared_by_both(tmp_path: Path) -> None:
    content = made(NAMES, GROUPS)
    cells = [
        {"key": key, "method": "ilora", "relative": row["predicted"], "ceiling": False}
        for key, row in content["keys"].items()
    ]
    (tmp_path / "transfer.json").write_text(json.dumps({"cells": cells}))
    found = measure(content, tmp_path / "transfer.json")["measured"]
    assert found["predicted"][0]["rho"] == pytest.approx(1) and found["predicted"][0]["n"] == 6
    assert found["pull"][0]["method"] == "ilora" and content["measured"] is None


def test_the_report_from_runs_is_understood(tmp_path: Path) -> None:
    runs = write_suite(tmp_path, 10, {"avqa": (4,), "a2v": (9,)}, {"ilora": {"avqa": (7,), "a2v": (8,)}})
    write_transfer(tmp_path / "transfer.json", compare([runs], Settings(rounds=100)))
    found = measure(made(("a2v", "avqa", "ks"), (1, 1, 2)), tmp_path / "transfer.json")["measured"]["predicted"]
    measured = {key: point["measured"] for key, point in found[0]["points"].items()}
    assert found[0]["method"] == "ilora" and measured == pytest.approx({"a2v": -1 / 9, "avqa": 0.75})


@pytest.mark.parametrize("content", ["{", "[]", '{"cells": [{"key": "ave"}]}', '{"cells": []}'])
def test_a_file_that_is_no_transfer_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(MeasuredError, match=r"x\.json"):
        measure(made(NAMES, GROUPS), tmp_path / "x.json")


def test_gradients_are_taken_once(config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def taken(*given: Any) -> Any:
        calls.append(given)
        return draw(KEYS, (1, 1, 2))

    monkeypatch.setattr("crabplus.analysis.conflict.gradients", taken)
    plan, out = check(config, quiet, save=False), tmp_path / "out"
    first = predict(plan, out, 2)
    assert json.loads((out / CONFLICT).read_text()) == predict(plan, out, 2, warmup=50) == json.loads(json.dumps(first))
    assert len(calls) == 1 and calls[0][1:3] == (2, 50), "a new adapter learns first"
    assert sum(row["weight"] for row in first["keys"].values()) == pytest.approx(1)
    with pytest.raises(ConflictError, match="--fresh"):
        predict(plan, out, 2, warmup=0)
    assert predict(plan, out, 2, warmup=0, fresh=True) and len(calls) == 2
    (out / CONFLICT).write_text("{")
    with pytest.raises(ConflictError, match="damaged"):
        predict(plan, out, 2)
    assert not Path(config.out).exists()
