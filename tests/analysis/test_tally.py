"""Router weights are summed over the right tokens: padding, and what a finished answer is fed, count nowhere."""

from typing import Any

import numpy as np
import pytest
import torch
from peft import get_peft_model

from crabplus.analysis.tally import KINDS, Sums, Tally, Tokens, kind_of, places_of
from crabplus.data import WithSource
from crabplus.generate import predict
from crabplus.ilora import ILoraConfig, Pass, adapted_layers, record_routing, watch_routing
from crabplus.models import load_model
from crabplus.models.source import Files

PROMPT = torch.tensor([[0, 0, 7, 5, 5, 4, 8], [7, 3, 3, 3, 5, 9, 8]])
ATTENDED = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]]).bool()
TEXT, AUDIO, VISION, SAID, NONE = 0, 1, 2, 3, -1


def tokens() -> Tokens:
    return Tokens({3: "image", 4: "video", 5: "audio"}, stops=[9])


def test_kinds_of_the_prompt_without_its_padding() -> None:
    codes = tokens().read(Pass(PROMPT, ATTENDED, 0))
    assert codes is not None and codes.tolist() == [
        [NONE, NONE, TEXT, AUDIO, AUDIO, VISION, TEXT],
        [TEXT, VISION, VISION, VISION, AUDIO, TEXT, TEXT],
    ]


def test_what_follows_the_end_of_an_answer_does_not_count() -> None:
    reader = tokens()
    reader.read(Pass(PROMPT, ATTENDED, 0))
    steps = [[7, 8], [9, 7], [0, 7], [0, 9]]  # the first answer ends with the second step, and is fed padding
    codes = [reader.read(Pass(torch.tensor(step)[:, None], None, 0, goes_on=True)) for step in steps]
    assert [code.flatten().tolist() for code in codes if code is not None] == [
        [SAID, SAID], [NONE, SAID], [NONE, SAID], [NONE, NONE]
    ]  # fmt: skip
    again = reader.read(Pass(PROMPT[:, -1:], None, 2))
    assert again is not None and (again == TEXT).all()  # a new prompt begins anew


def test_sums_by_hand() -> None:
    places = places_of(["model.language_model.layers.3.q_proj", "model.visual.blocks.0.up"], {"vision": "model.visual"})
    assert [(p.part, p.number, p.projection) for p in places] == [("other", 3, "q_proj"), ("vision", 0, "up")]
    tally = Tally(places, 2, tokens())
    tally.begin(Pass(PROMPT, ATTENDED, 0))
    weights = torch.tensor([0.75, 0.25]).expand(2, 7, 2).clone()
    weights[1, 1] = torch.tensor([0.0, 1.0])
    tally.see(places[0].layer, weights)
    tally.see(places[1].layer, torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]]))  # a tower: rows of its own
    sums = tally.sums()
    assert sums.tokens.tolist() == [[5, 3, 4, 0], [0, 0, 3, 0]]
    assert sums.weights[0].tolist() == [[3.75, 1.25], [2.25, 0.75], [2.25, 1.75], [0, 0]]
    assert sums.largest[0].tolist() == [[5, 0], [3, 0], [3, 1], [0, 0]]
    assert sums.weights[1, VISION].tolist() == [1.75, 1.25] and sums.largest[1, VISION].tolist() == [2, 1]
    assert sums.entropy[0, VISION] == pytest.approx(3 * -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert (sums + Sums.empty(2, 2)).tokens.tolist() == sums.tokens.tolist() and tally.answered == 2


@pytest.mark.parametrize(("name", "kind"), [("image", "vision"), ("vision-merger", "vision"), ("audio-projector",
                         "audio"), ("language", "text"), ("head", "text")])  # fmt: skip
def test_kind_by_name(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@pytest.mark.slow
def test_a_batch_adds_up_to_its_samples(plus: Any, asked: Any, folder: Any) -> None:
    """Prompts and answers of other lengths in one batch: as if each were asked alone, and as it was recorded."""
    samples = [*asked["ave"], *asked["arig"]]
    places = places_of(adapted_layers(plus.model.base), plus.model.parts)
    reader = Tokens(plus.model.token_kinds, plus.model.stop_token_ids)

    def ask(chosen: Any) -> Sums:
        tally = Tally(places, 3, reader)
        with watch_routing(plus.model.thinker, tally):
            list(predict(plus.model, WithSource(chosen, Files(folder)), plus.pack, len(chosen)))
        assert tally.answered == len(chosen)
        return tally.sums()

    together, alone = ask(samples), Sums.empty(len(places), 3)
    for sample in samples:
        alone = alone + ask([sample])
    assert together.tokens.tolist() == alone.tokens.tolist()
    np.testing.assert_allclose(together.weights, alone.weights, atol=1e-2)
    with record_routing(plus.model.thinker, plus.model.token_kinds) as routing:
        list(predict(plus.model, WithSource(samples[:1], Files(folder)), plus.pack, 1))
    one, layer = ask(samples[:1]), places[9].layer
    passes = routing.passes
    generated = torch.cat(routing.calls[layer][1:], dim=1)[0]
    np.testing.assert_allclose(one.weights[9, SAID], generated.double().sum(0), atol=1e-3)
    assert one.tokens[9].sum() == passes[0].ids.shape[1] + len(passes) - 1
    audio = routing.by_kind(layer)["audio"].double()
    np.testing.assert_allclose(one.weights[9, AUDIO] / one.tokens[9, AUDIO], audio, atol=1e-5)


def test_layers_of_the_towers_count_their_own_rows(asked: Any, folder: Any, plus: Any) -> None:
    model = load_model("tiny", plus.pack.size, dtype="float32")
    config = ILoraConfig(r=2, num_heads=2, target_modules="as-published", init_weights=False)
    model.thinker = get_peft_model(model.thinker, config).eval()
    places = places_of(adapted_layers(model.base), model.parts)
    assert {place.part for place in places} == {"language", "audio", "vision"}
    tally = Tally(places, 2, Tokens(model.token_kinds, model.stop_token_ids))
    with watch_routing(model.thinker, tally):
        list(predict(model, WithSource(asked["ave"][:1], Files(folder)), plus.pack, 1))
    for place, counts in zip(places, tally.sums().tokens, strict=True):
        kinds = {kind for kind, count in zip(KINDS, counts, strict=True) if count}
        assert kinds == ({place.part} if place.part != "language" else set(KINDS)), place
