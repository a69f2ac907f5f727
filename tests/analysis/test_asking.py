"""What is switched off, what is read once, and what is forgotten of a batch that did not fit."""

from typing import Any

import pytest
import torch

from crabplus import generate as module
from crabplus.analysis.asking import Asker, Kept, Variant, variants_of
from crabplus.analysis.tally import Place, places_of
from crabplus.ilora import adapted_layers
from crabplus.models.source import Files
from crabplus.schema import Media

PLACES = [
    *(Place(f"l{n}.{name}", "language", n, name) for n in range(4) for name in ("q", "v")),
    Place("v0", "vision", 0, "q"),
    Place("head", "head", None, "head"),
]


@pytest.fixture
def asker(plus: Any, folder: Any) -> Asker:
    places = places_of(adapted_layers(plus.model.base), plus.model.parts)
    return Asker(plus.model, plus.pack, Files(folder), {}, places, 3, batch=4)


def test_nothing_or_each_head() -> None:
    every = tuple(place.layer for place in PLACES)
    assert variants_of(PLACES, 2, "none") == []
    assert variants_of(PLACES, 2, "heads") == [Variant(0, "all layers", every), Variant(1, "all layers", every)]


def test_bands_of_layers_are_like_in_size_and_hold_each_layer_once() -> None:
    made = variants_of(PLACES, 2, "layers")
    assert [variant.head for variant in made] == [0, 1] * 6
    bands = {variant.band: variant.layers for variant in made if variant.band != "all layers"}
    assert bands == {
        "language 0–1": ("l0.q", "l0.v", "l1.q", "l1.v"), "language 2": ("l2.q", "l2.v"),
        "language 3": ("l3.q", "l3.v"), "vision 0": ("v0",), "head, no number": ("head",),
    }  # fmt: skip


def test_media_are_read_once_and_errors_stay() -> None:
    class Counting:
        reads: list[Any] = []

        def wave(self, media: Any, rate: int) -> Any:
            self.reads.append((media.path, rate))
            if media.path == "broken":
                raise ValueError("broken")
            return rate

    source = Kept(Counting())  # type: ignore[arg-type]
    one, broken = Media("a", "audio", "a"), Media("a", "audio", "broken")
    assert [source.wave(one, 16), source.wave(one, 16), source.wave(one, 8)] == [16, 16, 8]
    assert source.source.reads == [("a", 16), ("a", 8)]  # type: ignore[attr-defined]
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            source.wave(broken, 16)


@pytest.mark.slow
def test_a_batch_that_does_not_fit_counts_once(asker: Asker, asked: Any, folder: Any, monkeypatch: Any) -> None:
    samples = [*asked["ave"], *asked["arig"]][:4]
    said, wanted = asker.watched(samples, Files(folder))
    answer = module.generate

    def short(model: Any, encoded: Any, max_new_tokens: int, patterns: Any = None) -> Any:
        """Runs out of memory on the way, when the prompts have been read already."""
        if len(encoded) > 2:
            answer(model, encoded, 2, patterns)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.1 GiB.")
        return answer(model, encoded, max_new_tokens, patterns)

    monkeypatch.setattr(module, "generate", short)
    again, found = asker.watched(samples, Files(folder))
    assert asker.batch == 2
    assert [one.text for one in again] == [one.text for one in said]
    assert found.tokens.tolist() == wanted.tokens.tolist()


@pytest.mark.parametrize("renormalise", [False, True])
def test_what_is_off_while_the_model_answers(asker: Asker, monkeypatch: Any, renormalise: bool) -> None:
    variant = Variant(2, "one", (asker.places[5].layer,))
    layer = asker.model.base.get_submodule(variant.layers[0])
    seen = []

    def plain(samples: Any, source: Any) -> Any:
        b = layer.ilora_B["default"].detach()
        seen.append((layer.left_out, bool(b[:, 64:].any()), bool(b[:, :64].any())))

    monkeypatch.setattr(asker, "plain", plain)
    asker.renormalise = renormalise
    asker.without(variant, [], Files("."))
    assert seen == [(2, True, True) if renormalise else (None, False, True)]


def test_a_sample_that_never_fits_counts_nowhere(asker: Asker, asked: Any, folder: Any, monkeypatch: Any) -> None:
    answer = module.generate

    def none(model: Any, encoded: Any, max_new_tokens: int, patterns: Any = None) -> Any:
        answer(model, encoded, 1, patterns)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.1 GiB.")

    monkeypatch.setattr(module, "generate", none)
    said, sums = asker.watched(asked["ave"][:2], Files(folder))
    assert all("do not fit" in str(one.error) for one in said) and not sums.tokens.any()


def test_an_unreadable_sample_is_an_error_and_counts_nowhere(asker: Asker, asked: Any, tmp_path: Any) -> None:
    said, sums = asker.watched(asked["ave"][:1], Files(tmp_path))
    assert said[0].error and not sums.tokens.any()
