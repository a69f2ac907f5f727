"""The look at all samples: its token counts are those of the encoded samples, and it is saved under a mark."""

from pathlib import Path

import numpy as np
import pytest
import torch

from crabplus.data import encode
from crabplus.data.scan import TOKENS, DataError, Scan, fingerprint, load_scan, mark_of, save_scan, scan
from crabplus.datasets.avuie import write
from crabplus.models import load_encoder, resolve
from crabplus.schema import LabelAnswer, Media, Sample
from crabplus.tasks import load_pack
from crabplus.tidepool.build import MAKERS
from crabplus.tidepool.live import LiveSamples

PACK = load_pack(resolve("tiny") + "/pack.yaml")


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny", PACK.size)


def quiet(items, heading, total):
    return items


@pytest.fixture
def folder(tmp_path):
    for name in ("live", "clip", "film", "film2", "frame", "sound", "sound2"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("key", MAKERS)
@pytest.mark.parametrize("reasoning", [True, False])
def test_counts_are_those_of_the_encoded_samples(encoder, folder, key, reasoning):
    rows = [LiveSamples({key: 1.0}, MAKERS, 5, 4)[n] for n in range(4)]
    found = scan(encoder, [sample for sample, _ in rows], folder, PACK, reasoning, None, quiet)
    for counts, kinds, (sample, source) in zip(found.tokens, found.kinds, rows, strict=True):
        encoded = encode(encoder, sample, source, PACK, target=True, reasoning=reasoning)
        ids, tokenizer = encoded["input_ids"], encoder.processor.tokenizer
        by_kind = dict(zip(TOKENS, counts.tolist(), strict=True))
        assert counts.sum() == len(ids)
        assert by_kind["target"] == int((encoded["labels"] >= 0).sum())
        for kind, token in [(kind, getattr(tokenizer, f"{kind}_token_id")) for kind in ("image", "video", "audio")]:
            assert by_kind[kind] == int((ids == token).sum())
        there = [name in encoded for name in ("pixel_values", "pixel_values_videos")]
        assert kinds == there[0] + 2 * there[1] + 4 * bool(encoded["input_features"])
    assert found.lengths.tolist() == found.tokens.sum(1).tolist()


def test_a_window_counts_and_an_unknown_duration_is_the_longest_of_the_pack(encoder, folder):
    def sample(**window):
        media = Media("clip", "video", "live", **window)
        return Sample("1", "d", "avqa", "train", (media,), "What?", answer={"type": "text", "text": "yes"})

    rows = [sample(duration=4.0), sample(duration=9.0, start=1.0, end=5.0), sample(), sample(duration=10.0)]
    audio = scan(encoder, rows, folder, PACK, True, None, quiet).tokens[:, TOKENS.index("audio")]
    assert audio[0] == audio[1] < audio[2] == audio[3]


def test_what_some_samples_lack_is_counted_and_what_all_lack_is_refused(encoder, folder):
    rows = [LiveSamples({"ave": 1.0}, MAKERS, 5, 3)[n][0] for n in range(3)]
    silent = [Sample(**{**vars(row), "media": (Media("clip", "video", "live", sound="none"),)}) for row in rows]
    found = scan(encoder, [*rows, silent[0]], folder, PACK, True, None, quiet)
    assert found.lacking == {"ave": {"picture": 0, "film": 0, "sound": 1}}
    with pytest.raises(DataError, match="ave needs sound, and none of its 3 samples"):
        scan(encoder, silent, folder, PACK, True, None, quiet)


def test_problems_are_counted_and_the_first_are_named(encoder, folder):
    rows = [LiveSamples({"ave": 1.0}, MAKERS, 5, 6)[n][0] for n in range(6)]
    wrong = [Sample(**{**vars(row), "answer": LabelAnswer("dog")}) for row in rows[1:]]
    with pytest.raises(DataError, match=f"ave sample '{rows[1].id}': .*ave sample '{rows[3].id}': .*; and 2 more$"):
        scan(encoder, [rows[0], *wrong], folder, PACK, True, None, quiet)


def test_it_is_found_again_under_its_mark_alone(tmp_path: Path) -> None:
    made = Scan(np.arange(10).reshape(2, 5), {"ave": {"picture": 0, "film": 0, "sound": 1}})
    path = tmp_path / "samples.npz"
    assert load_scan(path, "a") is None
    save_scan(path, made, "a")
    found = load_scan(path, "a")
    assert found is not None and (found.tokens == made.tokens).all() and found.lacking == made.lacking
    assert load_scan(path, "b") is None and [item.name for item in tmp_path.iterdir()] == ["samples.npz"]
    save_scan(path, Scan(made.tokens), "b")
    assert load_scan(path, "a") is None
    assert (other := load_scan(path, "b")) is not None and other.lacking == {}


def test_the_mark_changes_with_the_index(tmp_path: Path) -> None:
    samples = [Sample(str(n), "own", "ks", "train", answer=LabelAnswer("a")) for n in range(3)]
    write(tmp_path, "ks", "train", samples)
    before = fingerprint(tmp_path, ["ks"], "train")
    assert before == fingerprint(tmp_path, ["ks"], "train") and list(before) == ["ks"]
    write(tmp_path, "ks", "train", samples[:2])
    after = fingerprint(tmp_path, ["ks"], "train")
    assert after != before and mark_of(after, "on") != mark_of(before, "on") != mark_of(before, "off")
    (tmp_path / "ucf").mkdir()
    (tmp_path / "ucf/train.json").write_text("[]")  # the published layout
    assert fingerprint(tmp_path, ["ucf"], "train").keys() == {"ucf"}


def test_the_encoder_reads_no_weights(encoder):
    assert not [value for value in vars(encoder).values() if isinstance(value, torch.nn.Module)]
