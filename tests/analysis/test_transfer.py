"""Transfer from runs made by hand: the numbers are those that can be counted, and nothing goes missing in silence."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from crabplus.analysis.transfer import Settings, compare
from crabplus.datasets.avuie import open_index, write
from crabplus.evaluate import evaluate, read_predictions
from crabplus.schema import Event, EventsAnswer, Sample, TextAnswer
from hand_made_runs import first, write_run, write_suite, write_training, write_truth

FAST = Settings(rounds=200)
KEYS = ("avqa", "a2v")


def cell_of(made, key, method="ilora"):
    (cell,) = [cell for cell in made["cells"] if (cell["key"], cell["method"]) == (key, method)]
    return cell


def lacks(made):
    return [(lack["key"], lack["method"], lack["seed"], lack["kind"]) for lack in made["missing"]]


def whys(made):
    return {lack["why"] for lack in made["missing"]}


def test_numbers_are_those_of_the_hand(tmp_path):
    runs = write_suite(
        tmp_path, 10, {"avqa": (4, 6), "a2v": (9, 7)}, {"ilora": {"avqa": (7, 8), "a2v": (6, 6)}}
    )  # fmt: skip
    made = compare([runs], FAST)
    better, worse = cell_of(made, "avqa"), cell_of(made, "a2v")
    assert (better["single"], better["multi"]) == pytest.approx((0.5, 0.75))
    assert better["single_by_seed"] == pytest.approx((0.4, 0.6)) and better["multi_by_seed"] == pytest.approx(
        (0.7, 0.8)
    )
    assert (better["change"], better["relative"]) == pytest.approx((0.25, 0.5))
    assert (worse["change"], worse["relative"]) == pytest.approx((-0.2, -0.25))
    assert (better["outcome"], worse["outcome"]) == ("positive", "negative")
    assert (better["metric"], better["n"], better["seeds"], better["constant"]) == ("accuracy", 10, (0, 1), 1.0)
    told = made["methods"]["ilora"]
    assert (told["keys"], told["positive"], told["share"], told["negative"]) == (2, 1, 0.5, ["a2v"])
    assert told["median_relative"] == pytest.approx(0.125) and told["mean_change"] == pytest.approx(0.025)
    assert not made["missing"] and not made["notes"]


def test_scores_are_those_of_evaluate(tmp_path):
    runs = write_suite(tmp_path, 9, {"avqa": (4,), "a2v": (5,)}, {"ilora": {"avqa": (2,), "a2v": (7,)}})
    made = compare([runs], FAST)
    said = read_predictions(runs / "ilora" / "all" / "seed0" / "predictions.jsonl")
    truth = [sample for key in ("avqa", "a2v") for sample in open_index(tmp_path / "data", key, "test")]
    for key, score in evaluate(truth, said, rounds=1).items():
        assert cell_of(made, key)["multi"] == score.score


def test_pairing_makes_the_interval_tighter(tmp_path):
    """200 samples; together right wherever alone is, and on ten more."""
    count, alone = 200, 100
    runs = write_suite(tmp_path, count, {"avqa": (alone,), "a2v": (0,)}, {"ilora": {"avqa": (110,), "a2v": (0,)}})
    cell = cell_of(compare([runs], Settings(rounds=2000)), "avqa")
    low, high = cell["change_ci95"]
    generator = np.random.default_rng(1)
    scores = [(np.arange(count) < right)[generator.integers(0, count, (2000, count))].mean(1) for right in (100, 110)]
    unpaired = np.quantile(scores[1] - scores[0], (0.025, 0.975))
    assert high - low < 0.4 * (unpaired[1] - unpaired[0])
    spread = 2 * 1.96 * np.sqrt(0.05 * 0.95 / count)  # of a mean of 200 numbers, ten of them 1
    assert high - low == pytest.approx(spread, rel=0.15)
    assert cell["significant"] and low > 0 and unpaired[0] < 0


def test_one_seed_has_no_spread_of_seeds_and_three_have(tmp_path):
    one = write_suite(tmp_path / "1", 50, {"avqa": (25,), "a2v": (1,)}, {"ilora": {"avqa": (30,), "a2v": (1,)}})
    cell = cell_of(compare([one], FAST), "avqa")
    assert cell["change_ci95"] == cell["change_ci95_samples"]
    alone, together = {"avqa": (25, 25, 25), "a2v": (1, 1, 1)}, {"avqa": (20, 30, 40), "a2v": (1, 1, 1)}
    three = write_suite(tmp_path / "3", 50, alone, {"ilora": together})
    cell = cell_of(compare([three], FAST), "avqa")
    assert cell["change"] == pytest.approx(0.1)
    (low, high), (lower, higher) = cell["change_ci95"], cell["change_ci95_samples"]
    assert low < -0.05 < lower < higher < 0.25 < high, "among the draws are some of one seed only"
    assert lower > 0 and not cell["significant"], "clear over samples, and not over seeds"


def test_seeds_are_paired(tmp_path):
    """Seeds differ by much, on both sides alike: the change is the same in each."""
    runs = write_suite(
        tmp_path, 50, {"avqa": (5, 20, 35), "a2v": (1, 1, 1)}, {"ilora": {"avqa": (10, 25, 40), "a2v": (1, 1, 1)}}
    )  # fmt: skip
    low, high = cell_of(compare([runs], FAST), "avqa")["change_ci95"]
    assert 0 < low < 0.1 < high < 0.25


def test_a_baseline_of_zero_counts_by_the_sign_of_the_change(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (0,), "a2v": (0,)}, {"ilora": {"avqa": (3,), "a2v": (0,)}})
    made = compare([runs], FAST)
    cell = cell_of(made, "avqa")
    assert cell["relative"] is None and cell["relative_ci95"] is None and cell["change"] == pytest.approx(0.3)
    assert cell["counted"] and cell_of(made, "a2v")["outcome"] == "tie"
    assert made["methods"]["ilora"]["zero_baseline"] == ["a2v", "avqa"]


def test_a_relative_interval_is_not_made_up_where_draws_have_a_baseline_of_zero(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (1,), "a2v": (9,)}, {"ilora": {"avqa": (3,), "a2v": (9,)}})
    cell = cell_of(compare([runs], FAST), "avqa")
    assert cell["relative"] == pytest.approx(2.0) and cell["relative_ci95"] is None


def test_ties_are_in_the_denominator_alone(tmp_path):
    """Equal scores, and a change by less than one answer: a tenth of one clip of twenty."""
    runs = write_suite(tmp_path, 20, {"avqa": (8,), "ave": (8,)}, {"ilora": {"avqa": (8,), "ave": (8,)}})
    nearly = EventsAnswer((Event("dog", 2, 7),))  # one second of ten too long
    said = {"avqa": first(8, 20), "ave": [*first(8, 19), nearly]}
    alone = {"ave": [*first(8, 19), EventsAnswer((Event("dog", 2, 8),))]}
    write_run(runs / "ilora" / "all" / "seed0", tmp_path / "data", "ilora", said)
    write_run(runs / "lora" / "ave" / "seed0", tmp_path / "data", "lora", alone)
    made = compare([runs], FAST)
    cell, told = cell_of(made, "ave"), made["methods"]["ilora"]
    assert cell["change"] == pytest.approx(0.005) and cell["resolution"] == pytest.approx(0.05)
    assert told["ties"] == ["avqa", "ave"] and told["share"] == 0 and told["keys"] == 2 == told["could_improve"]
    assert told["share_ci95"] == (0, 0) and not told["negative"] and not cell["significant"]


def test_one_answer_more_is_no_tie(tmp_path):
    runs = write_suite(
        tmp_path, 7, {"avqa": (3, 3, 3), "a2v": (3, 3, 3)}, {"ilora": {"avqa": (3, 4, 3), "a2v": (3, 3, 2)}}
    )
    told = compare([runs], FAST)["methods"]["ilora"]
    assert told["positive"] == 1 and told["negative"] == ["a2v"] and not told["ties"]


def test_a_key_at_the_ceiling_is_listed_and_not_counted(tmp_path):
    counts = {"avqa": (99,), "a2v": (97,), "v2a": (99,)}
    runs = write_suite(tmp_path, 100, counts, {"ilora": {"avqa": (100,), "a2v": (100,), "v2a": (90,)}})
    told = compare([runs], FAST)["methods"]["ilora"]
    assert told["ceiling"] == ["v2a", "avqa"] and told["negative"] == ["v2a"]
    assert (told["positive"], told["share"], told["share_of_could_improve"]) == (1, pytest.approx(1 / 3), 1.0)
    lower = compare([runs], Settings(ceiling=0.97, rounds=200))["methods"]["ilora"]
    assert (lower["positive"], lower["share"], lower["could_improve"], lower["share_of_could_improve"]) == (
        0,
        0,
        0,
        None,
    )


def test_a_metric_that_exceeds_one_is_full_on_its_own_way(tmp_path):
    """CIDEr-D of the truth itself is far above 1, and so may be that of poor captions."""
    data = write_truth(tmp_path / "data", 4, "a2v")
    texts = [
        "a dog barks at the red door",
        "two birds sing in an old tree",
        "rain falls on a tin roof",
        "a car passes by fast",
    ]
    write(
        data,
        "avcap",
        "test",
        [Sample(f"avcap-{n}", "m", "avcap", "test", answer=TextAnswer(t)) for n, t in enumerate(texts)],
    )
    poor, best = [TextAnswer(t) for t in [*texts[:2], "?", "?"]], [TextAnswer(t) for t in texts]
    for folder, alone in (("poor", poor), ("best", best)):
        runs = tmp_path / folder
        write_run(runs / "a", data, "lora", {"avcap": alone})
        write_run(runs / "b", data, "ilora", {"avcap": best, "a2v": first(1, 4)})
    half, full = (cell_of(compare([tmp_path / name], FAST), "avcap") for name in ("poor", "best"))
    assert half["single"] > 1 and half["perfect"] > 2 and not half["ceiling"] and half["counted"]
    assert full["single"] == full["perfect"] and full["ceiling"] and full["outcome"] == "tie"


def test_a_cell_that_its_suite_has_not_ended_is_missing_by_its_own_method(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (4, 4), "a2v": (4, 4)}, {"ilora": {"avqa": (6, 6), "a2v": (6, 6)}})
    (runs.parent / "suite.yaml").touch()
    write_training(runs / "ilora-sharp/all/seed0", "ilora", tmp_path / "data", {"avqa": 10, "a2v": 10}, model=None)
    made = compare([runs], FAST)
    assert made["methods"]["ilora"]["positive"] == 2
    begun = [lack for lack in made["missing"] if lack["key"]]
    assert [(lack["key"], lack["method"], lack["seed"]) for lack in begun] == [
        ("a2v", "ilora-sharp", 0), ("avqa", "ilora-sharp", 0),
    ]  # fmt: skip
    assert {lack["why"] for lack in begun} == {
        "the run is not finished: 'crabplus transfer run' goes on with its suite"
    }


def test_what_is_missing_is_named(tmp_path):
    alone = {"avqa": (4, 4), "a2v": (4, 4), "avqa_thu": (4, 4), "ave": (4, 4)}
    together = {key: rights for key, rights in alone.items() if key != "ave"}
    runs = write_suite(tmp_path, 10, alone, {"ilora": together})
    data = tmp_path / "data"
    (runs / "lora" / "avqa" / "seed1" / "predictions.jsonl").unlink()
    (runs / "lora" / "avqa" / "seed1" / "cell.json").unlink()  # no such run
    failed = {"status": "failed", "reason": "out of memory"}
    write_run(runs / "lora" / "a2v" / "seed0", data, "lora", {"a2v": first(4, 10)}, 0, **failed)
    write_run(runs / "ilora" / "all" / "seed0", data, "ilora", {**dict.fromkeys(together, first(4, 10)),
                                                               "avqa_thu": first(4, 9)})  # fmt: skip
    made = compare([runs], FAST)
    assert sorted(lacks(made)) == sorted([
        ("avqa", "lora", 1, "single-task"), ("a2v", "lora", 0, "single-task"), ("avqa_thu", "ilora", 0, "multi-task"),
        ("ave", "ilora", 0, "multi-task"), ("ave", "ilora", 1, "multi-task"),
    ])  # fmt: skip
    assert whys(made) == {
        "there is no such run", "the run failed: out of memory", "no run of this seed was trained on the key",
        "1 of 10 samples have no prediction, such as 'avqa_thu-9'",
    }  # fmt: skip
    assert {cell["key"]: cell["seeds"] for cell in made["cells"]} == {"avqa": (0,), "a2v": (1,), "avqa_thu": (1,)}
    assert made["methods"]["ilora"]["keys"] == 3


ASKED = (
    r"crabplus predict --adapter \S+/avqa/seed0/final --data \S+ --keys avqa --split test --out \S+predictions.jsonl$"
)


def cut_short(file: Path) -> None:
    file.write_text(file.read_text()[:-20])


def twice(file: Path) -> None:
    file.write_text(file.read_text() * 2)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda run: (run / "predictions.jsonl").unlink(), "no predictions.jsonl; make it with: " + ASKED),
        (lambda run: (run / "predictions.jsonl").write_text(""), "predictions.jsonl: no prediction in it; .*" + ASKED),
        (
            lambda run: cut_short(run / "predictions.jsonl"),
            "predictions.jsonl, line 10: Prediction: not JSON.*" + ASKED,
        ),
        (lambda run: twice(run / "predictions.jsonl"), "'avqa-0' is answered twice; make the predictions anew"),
        (lambda run: write_run(run, run, "lora", {"avqa": ()}, status="running"), "the run is running: no reason told"),
    ],
)
def test_a_run_without_answers_is_missing(tmp_path, change, why):
    runs = write_suite(tmp_path, 10, {"avqa": (4,), "a2v": (4,)}, {"ilora": {"avqa": (5,), "a2v": (5,)}})
    change(runs / "lora" / "avqa" / "seed0")
    made = compare([runs], Settings(data=str(tmp_path / "data"), rounds=200))
    (lack,) = made["missing"]
    assert re.search(why, lack["why"]) and lack["folder"].endswith("lora/avqa/seed0")
    assert [cell["key"] for cell in made["cells"]] == ["a2v"]


def test_runs_that_were_asked_about_the_first_samples_are_compared_on_these(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (4,), "a2v": (4,)}, {"ilora": {"avqa": (5,), "a2v": (5,)}})
    for key in KEYS:
        write_run(runs / "lora" / key / "seed0", tmp_path / "data", "lora", {key: first(3, 6)}, samples=6)
    cell = cell_of(compare([runs], FAST), "avqa")  # the other was asked about all ten
    assert (cell["n"], cell["single"], cell["multi"]) == (6, 0.5, pytest.approx(5 / 6))
    few = cell_of(compare([runs], Settings(samples=4, rounds=200)), "avqa")
    assert (few["n"], few["single"], few["multi"]) == (4, 0.75, 1.0)
    made = compare([runs], Settings(samples=7, rounds=200))
    assert whys(made) == {"1 of 7 samples have no prediction, such as 'avqa-6'",
                          "1 of 7 samples have no prediction, such as 'a2v-6'"}  # fmt: skip


def test_samples_that_could_not_be_asked_are_wrong_and_named(tmp_path):
    runs = write_suite(tmp_path, 4, {"avqa": (2,), "a2v": (2,)}, {"ilora": {"avqa": (2,), "a2v": (2,)}})
    file = runs / "lora" / "avqa" / "seed0" / "predictions.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1].update(answer=None, error="clip.mp4 is empty")
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = compare([runs], FAST)
    assert cell_of(made, "avqa")["single"] == 0.25 and not made["missing"]
    assert made["notes"] == [
        f"{file.parent.as_posix()}, avqa: 1 of 4 samples could not be asked and count as wrong, such as 'avqa-1' "
        "(clip.mp4 is empty); mend the media and ask again"
    ]


def test_answers_that_cannot_be_read_are_wrong_and_not_missing(tmp_path):
    runs = write_suite(tmp_path, 4, {"avqa": (2,), "a2v": (2,)}, {"ilora": {"avqa": (2,), "a2v": (2,)}})
    write_run(runs / "lora" / "avqa" / "seed0", tmp_path / "data", "lora", {"avqa": [True, None, None, None]})
    cell = cell_of(compare([runs], FAST), "avqa")
    assert cell["single"] == 0.25 and cell["unanswered"] == (3, 0)


def test_seeds_that_a_method_has_no_run_of_are_named(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (4, 4), "a2v": (4, 4)}, {"ilora": {"avqa": (5,), "a2v": (5,)}})
    made = compare([runs], FAST)
    assert lacks(made) == [(None, "ilora", 1, "multi-task")] and len(made["cells"]) == 2


def test_runs_of_training_alone_are_read_from_their_settings(tmp_path):
    data = write_truth(tmp_path / "data", 10, "avqa", "a2v")
    for name, keys, right, more in (
        ("a", ("avqa",), 4, {}), ("b", ("a2v",), 5, {}), ("c", ("avqa", "a2v"), 6, {}),
        ("d", ("avqa",), 3, {"reasoning": "off"}), ("e", ("a2v",), 3, {"reasoning": "off"}),
        ("f", ("avqa", "a2v"), 2, {"reasoning": "off"}),
    ):  # fmt: skip
        kind = "lora" if len(keys) == 1 else "ilora"
        run = write_run(tmp_path / name, data, kind, dict.fromkeys(keys, first(right, 10)))
        (run / "cell.json").unlink()
        write_training(run, kind, data, dict.fromkeys(keys, 100), **more)
    made = compare([tmp_path / name for name in "abcdef"], FAST)
    assert {(cell["method"], cell["key"]): cell["change"] for cell in made["cells"]} == pytest.approx({
        ("ilora", "avqa"): 0.2, ("ilora", "a2v"): 0.1, ("ilora without reasoning", "avqa"): -0.1,
        ("ilora without reasoning", "a2v"): -0.1,
    })  # fmt: skip
    cell = cell_of(made, "avqa")
    assert cell["seen"] == (200, 200) and cell["steps"] == (20, 20)  # 20 steps of 10 alone, of 20 together
    trained = {(row["method"], row["kind"]): row for row in made["trained"]}
    assert trained["ilora", "multi-task"]["parameters"] == [1002] and trained["lora", "single-task"]["parameters"] == [
        1001
    ]
    assert trained["lora without reasoning", "single-task"]["runs"] == 2


def test_unequal_samples_are_noted(tmp_path):
    data = write_truth(tmp_path / "data", 10, "avqa", "a2v")
    for name, keys in (("a", {"avqa": 100}), ("b", {"a2v": 200}), ("c", {"avqa": 200, "a2v": 200})):
        method = "lora" if len(keys) == 1 else "ilora"
        write_training(write_run(tmp_path / name, data, method, dict.fromkeys(keys, first(5, 10))), method, data, keys)
    notes = compare([tmp_path / name for name in "abc"], FAST)["notes"]
    assert notes == ["ilora: learned from 200 samples of a key alone and 400 together, with repeats: avqa"]


def test_another_baseline_is_chosen_by_name(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (4,), "a2v": (4,)}, {"ilora": {"avqa": (5,), "a2v": (5,)}})
    for key in ("avqa", "a2v"):
        write_run(runs / "mine" / key, tmp_path / "data", "mine", {key: first(6, 10)})
    usual = compare([runs], FAST)
    assert usual["methods"]["ilora"]["positive"] == 2
    assert usual["notes"] == ["2 single-task runs of mine are not compared; --baseline takes them as the baseline"]
    assert compare([runs], Settings(baseline="mine", rounds=200))["methods"]["ilora"]["positive"] == 0
    with pytest.raises(ValueError, match="no single-task run of 'min'; there are those of lora, mine"):
        compare([runs], Settings(baseline="min"))


def test_the_baseline_without_reasoning_may_have_a_name_of_its_own(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (4,), "a2v": (4,)}, {"ilora": {"avqa": (5,), "a2v": (5,)}})
    data, off = tmp_path / "data", {"reasoning": "off"}
    for name, kind, keys, right in (("direct", "lora", ("avqa",), 6), ("direct", "lora", ("a2v",), 6),
                                    ("ilora-direct", "ilora", ("avqa", "a2v"), 7)):  # fmt: skip
        folder = write_run(runs / name / "-".join(keys), data, name, dict.fromkeys(keys, first(right, 10)), **off)
        write_training(folder, kind, data, dict.fromkeys(keys, 100), reasoning="off")
    made = compare([runs], FAST)
    assert {cell["key"]: cell["single"] for cell in made["cells"] if cell["method"].startswith("ilora-direct")} == {
        "avqa": 0.6, "a2v": 0.6,
    }  # fmt: skip
    assert made["methods"]["ilora"]["positive"] == 2 and made["notes"] == []


def test_runs_of_two_models_are_compared_with_those_of_their_own(tmp_path):
    data, places = write_truth(tmp_path / "data", 10, "avqa", "a2v"), []
    for model, alone, together in (("tiny", 4, 6), ("my/modular", 8, 7)):
        for keys, kind, right in ((("avqa",), "lora", alone), (("a2v",), "lora", alone), (KEYS, "ilora", together)):
            places.append(tmp_path / "runs" / model / "-".join(keys))
            write_run(places[-1], data, kind, dict.fromkeys(keys, first(right, 10)))
            write_training(places[-1], kind, data, dict.fromkeys(keys, 100), model=model)
    made = compare([tmp_path / "runs"], FAST)
    assert {name: told["positive"] for name, told in made["methods"].items()} == {
        "ilora, tiny": 2, "ilora, modular": 0
    }  # fmt: skip
    assert {row["method"] for row in made["trained"] if row["kind"] == "single-task"} == {
        "lora, tiny", "lora, modular"
    }  # fmt: skip
    assert not made["notes"] and not made["missing"]
    made = compare([*places[:2], places[-1]], FAST)
    assert made["methods"]["ilora"]["positive"] == 2
    assert made["notes"] == ["ilora: it and its single-task runs start from different models: my/modular, tiny"]


def test_groups_of_keys_make_up_one_method(tmp_path):
    counts = {"avqa": (4,), "a2v": (4,), "v2a": (4,), "ave": (4,)}
    runs = write_suite(tmp_path, 10, counts, {})
    for name, keys in (("one", ("avqa", "ave")), ("two", ("a2v", "v2a"))):
        write_run(runs / name, tmp_path / "data", "groups", dict.fromkeys(keys, first(6, 10)))
    made = compare([runs], FAST)
    assert made["methods"]["groups"]["positive"] == 4 and not made["missing"]


def test_the_order_of_lines_and_folders_is_of_no_account(tmp_path):
    runs = write_suite(tmp_path, 30, {"avqa": (9, 15), "a2v": (8, 9)}, {"ilora": {"avqa": (14, 10), "a2v": (9, 9)}})
    before = compare([runs], FAST)
    for file in runs.rglob("predictions.jsonl"):
        file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    folders = [path.parent for path in sorted(runs.rglob("cell.json"), reverse=True)]
    after = compare([*folders, runs], FAST)
    assert after["cells"] == before["cells"] and after["methods"] == before["methods"]
    assert compare([runs], Settings(rounds=200, seed=1))["cells"] != before["cells"]


def test_what_lies_in_a_run_is_no_run(tmp_path):
    runs = write_suite(tmp_path, 10, {"avqa": (4,), "a2v": (4,)}, {"ilora": {"avqa": (5,), "a2v": (5,)}})
    before = compare([runs], FAST)
    write_run(
        runs / "ilora" / "all" / "seed0" / "evaluations" / "old", tmp_path / "data", "lora", {"avqa": first(9, 10)}
    )
    write_run(runs / "lora" / "avqa" / "seed0" / "kept", tmp_path / "data", "x", {"avqa": first(9, 10)}, 5)
    assert compare([runs], FAST) == before


def foreign(root: Path) -> None:
    write_truth(root / "data", 9, "avqa")


def again(root: Path) -> None:
    write_run(root / "runs" / "again", root / "data", "lora", {"avqa": first(3, 10)})


def damaged(root: Path) -> None:
    (root / "runs" / "ilora" / "all" / "seed0" / "cell.json").write_text("{")


def nameless(root: Path) -> None:
    (root / "runs" / "ilora" / "all" / "seed0" / "cell.json").unlink()


def elsewhere(root: Path) -> None:
    write_run(root / "runs" / "lora" / "avqa" / "seed0", root / "other", "lora", {"avqa": first(3, 10)})


def gone(root: Path) -> None:
    (root / "data").rename(root / "moved")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (foreign, r"avqa 'avqa-9' is answered and not in split test of .*--data and --split"),
        (again, r"are both runs of lora on avqa with seed 0; name one of them"),
        (damaged, r"cell\.json is damaged"),
        (nameless, r"nothing tells which run answered"),
        (elsewhere, r"the runs name .*other.* as their data; name the one that all were asked about: --data"),
        (gone, r"no such data folder; .*--data"),
    ],
)
def test_runs_that_do_not_belong_together_are_refused(tmp_path, spoil, told):
    write_suite(tmp_path, 10, {"avqa": (4,), "a2v": (4,)}, {"ilora": {"avqa": (5,), "a2v": (5,)}})
    spoil(tmp_path)
    with pytest.raises(ValueError, match=told):
        compare([tmp_path / "runs"], FAST)


def test_folders_without_what_is_compared_are_refused(tmp_path):
    runs = write_suite(tmp_path, 4, {"avqa": (2,), "a2v": (2,)}, {"ilora": {"avqa": (2,), "a2v": (2,)}})
    with pytest.raises(ValueError, match="single-task runs only"):
        compare([runs / "lora"], FAST)
    with pytest.raises(ValueError, match="no run was trained on one key alone"):
        compare([runs / "ilora"], FAST)
    with pytest.raises(ValueError, match="no such folder"):
        compare([runs / "x"], FAST)
    with pytest.raises(ValueError, match="no run in it"):
        compare([tmp_path / "data"], FAST)


def test_answers_to_other_keys_and_other_settings_are_noted(tmp_path):
    runs = write_suite(tmp_path, 4, {"avqa": (2,), "a2v": (2,)}, {"ilora": {"avqa": (2,), "a2v": (2,)}})
    both = {"avqa": first(2, 4), "a2v": first(2, 4)}
    run = write_run(runs / "lora" / "avqa" / "seed0", tmp_path / "data", "lora", both, keys=["avqa"])
    file = run / "predictions.jsonl"
    file.write_text(file.read_text().replace('"settings":{}', '"settings":{"constrained":true}'))
    file = runs / "ilora" / "all" / "seed0" / "predictions.jsonl"
    file.write_text(file.read_text().replace('"settings":{}', '"settings":{"constrained":false}'))
    assert compare([runs], FAST)["notes"] == [
        f"{run.as_posix()} also answered a2v, which it was not trained on; left out",
        "ilora: asked with constrained False, single-task runs with True",
    ]
