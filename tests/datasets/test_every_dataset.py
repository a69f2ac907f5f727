"""Every dataset found, in miniature: built, read back, prompted, answered with its own target, parsed and scored."""

import importlib
from pathlib import Path

import pytest

from crabplus.datasets import DATASETS, Dataset, DatasetError, add_plugin, avuie, get_dataset
from crabplus.datasets.build import build
from crabplus.evaluate import evaluate
from crabplus.schema import Prediction, Sample, from_json, to_json
from crabplus.tasks import get_task

FILES = {key: made.__module__.rsplit(".", 1)[1] for key, made in DATASETS.items()}


@pytest.fixture(params=sorted(DATASETS))
def read(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, list[Sample]]:
    """The samples of each split of a dataset in miniature, out of the index that was built of them."""
    key, root, out = request.param, tmp_path / "original", tmp_path / "out"
    root.mkdir()
    importlib.import_module(f"miniatures.{FILES[key]}").make(root)
    dataset = get_dataset(key)
    made = build(dataset, root, out, probe=False)
    assert all(counts.found == counts.written > 0 for counts in made.splits.values())
    return {split: list(avuie.read(out, key, split)) for split in dataset.splits}


def test_its_own_targets_score_perfectly(read: dict[str, list[Sample]]) -> None:
    for split, samples in read.items():
        asked = [sample for sample in samples if sample.answer is not None]
        assert samples and bool(asked) == (split not in DATASETS[samples[0].task].untold), split
        if not asked:
            continue
        task = get_task(asked[0].task)
        said = [Prediction(s.id, s.task, answer=task.parse(task.target(s), s)) for s in asked]
        score = evaluate(asked, said)[task.key]
        assert (score.unparsable, score.missing) == (0, 0)
        assert score.score == pytest.approx(best(score.metric), abs=1e-6), split


def best(metric: str) -> float:
    """CIDEr-D of perfect captions is 10."""
    return 10.0 if metric == "cider_d" else 1.0


def test_samples_are_well_formed(read: dict[str, list[Sample]]) -> None:
    for split, samples in read.items():
        assert len({sample.id for sample in samples}) == len(samples)
        for sample in samples:
            assert sample.split == split and from_json(to_json(sample)) == sample
            assert get_task(sample.task).prompt(sample)
            assert all(not Path(item.path).is_absolute() for item in sample.media)


@pytest.mark.parametrize("key", sorted(DATASETS))
def test_where_it_comes_from_is_said(key: str, tmp_path: Path) -> None:
    dataset = get_dataset(key)
    assert dataset.name and dataset.homepage.startswith("http") and dataset.paper and dataset.licence
    assert set(dataset.splits) and dataset.__class__.__doc__
    with pytest.raises(DatasetError, match="has no split 'tset'"):
        list(dataset.read(tmp_path, "tset"))
    with pytest.raises(DatasetError, match="is no folder"):
        list(dataset.read(tmp_path / "x", next(iter(dataset.splits))))
    with pytest.raises(DatasetError, match="is not in|holds no"):
        list(dataset.read(tmp_path, next(iter(dataset.splits))))


def test_options_are_checked() -> None:
    with pytest.raises(DatasetError, match="no option 'flod'"):
        get_dataset("ave", flod="1")
    with pytest.raises(KeyError, match="did you mean 'ave'"):
        get_dataset("avee")


def test_a_plugin_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "barks.py"
    path.write_text(
        "from crabplus.datasets import Dataset\n"
        "class Barks(Dataset):\n"
        "    key, name = 'barks', 'Barks'\n"
        "    def samples(self, root, split): yield from ()\n"
    )
    monkeypatch.delitem(DATASETS, "barks", raising=False)
    assert add_plugin(path) == ["barks"]
    assert isinstance(DATASETS.pop("barks")(), Dataset)
    path.write_text("x = 1\n")
    with pytest.raises(DatasetError, match="no subclass"):
        add_plugin(path)
    path.write_text("import nothing_of_that_name")
    with pytest.raises(DatasetError, match="cannot be taken: ModuleNotFoundError"):
        add_plugin(path)
    with pytest.raises(DatasetError, match="no Python file"):
        add_plugin(tmp_path / "none.py")
