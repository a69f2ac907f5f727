"""Token by token: every token is in one piece, at its second, in its cell, in its word."""

from typing import Any

import numpy as np
import pytest
import torch

from crabplus.analysis.strips import BINS, TokenWeights, View, grid_of, pieces
from crabplus.analysis.tally import Tokens
from crabplus.data import WithSource
from crabplus.generate import predict
from crabplus.ilora import Pass, adapted_layers, record_routing, watch_routing
from crabplus.models.source import Files
from crabplus.schema import Media, Message, Part, Sample
from crabplus.tasks import get_task

TEXT, AUDIO, VIDEO = 7, 5, 4


class Letters:
    """A tokenizer in which a token is a letter, and 0 a special token."""

    all_special_ids = (0,)

    def decode(self, ids: list[int]) -> str:
        return "".join("<s>" if n == 0 else chr(n) for n in ids)


def watched(ids: list[int], generated: list[int] = (), heads: int = 2) -> TokenWeights:  # type: ignore[assignment]
    """Weights (1 / n, 1 - 1 / n) of the n-th token, from 1, in the one layer of the one view."""
    watcher = TokenWeights([View("all", frozenset(["layer"]))], Tokens({AUDIO: "audio", VIDEO: "video"}, [2]))
    shares = 1 / torch.arange(1.0, len(ids) + len(generated) + 1)
    weights = torch.stack([shares, 1 - shares], dim=-1)
    watcher.begin(Pass(torch.tensor([ids]), None, 0))
    watcher.see("layer", weights[None, : len(ids)])
    watcher.see("tower", torch.zeros(3, 2))
    for n, token in enumerate(generated, start=len(ids)):
        watcher.begin(Pass(torch.tensor([[token]]), None, 0, goes_on=True))
        watcher.see("layer", weights[None, n : n + 1])
    return watcher


def told(ids: list[int], media: tuple[Media, ...] = (), generated: list[int] = (), frames: int = 1) -> Any:  # type: ignore[assignment]
    sample = Sample("s", "mine", "ave", "test", media=media)
    shown = tuple(Part("video" if item.kind == "video" else item.kind, media=item,
                       frames=frames if item.kind == "video" else None) for item in media)  # fmt: skip
    return pieces(sample, [Message("user", shown)], watched(ids, generated), Letters(), (100, 100))


def test_words_are_cut_at_white_space_and_special_tokens() -> None:
    (made,) = told([0, *map(ord, "to be"), 0, ord("x")])
    assert [(word["text"], word["tokens"]) for word in made["words"]] == [
        ("<s>", 1), ("to", 2), ("be", 3), ("<s>", 1), ("x", 1)
    ]  # fmt: skip
    assert made["words"][1]["weights"] == [
        [pytest.approx((1 / 2 + 1 / 3) / 2, abs=1e-3), pytest.approx(7 / 12, abs=1e-3)]
    ]


def test_a_long_word_is_cut() -> None:
    (made,) = told(list(map(ord, "a" * 20)))
    assert [word["tokens"] for word in made["words"]] == [8, 8, 4]


def test_pieces_stand_in_the_order_of_the_tokens() -> None:
    clip = Media("clip", "video", "c.mp4", duration=8.0)
    made = told([TEXT, *[VIDEO] * 8, TEXT, *[AUDIO] * 4, TEXT], (clip,), [ord("h"), ord("i"), 2, 0], frames=2)
    assert [piece["kind"] for piece in made] == ["text", "vision", "text", "audio", "text", "generated"]
    vision, audio, said = made[1], made[3], made[5]
    assert (vision["grid"], vision["shown"], vision["media"]) == ([2, 2, 2], [0, 1], 0)
    assert vision["weights"][0][1][3][0] == pytest.approx(1 / 9, abs=1e-3)  # last cell of the second frame
    assert (audio["start"], audio["end"], len(audio["weights"][0])) == (0.0, 8.0, 4)
    assert [word["text"] for word in said["words"]] == ["hi"]  # what follows the end of the answer is no part of it
    assert said["words"][0]["weights"][0][0] == pytest.approx((1 / 16 + 1 / 17) / 2, abs=1e-3)


def test_the_window_of_a_clip() -> None:
    (_, audio) = told([TEXT, AUDIO], (Media("c", "audio", "c.wav", start=3.0, end=5.0, duration=60.0),))
    assert (audio["start"], audio["end"]) == (3.0, 5.0)


def test_a_long_sound_is_pooled() -> None:
    (audio,) = told([AUDIO] * 250, (Media("c", "audio", "c.wav", duration=10.0),))
    assert len(audio["weights"][0]) == BINS and audio["tokens"] == 250


def test_several_media_of_a_kind() -> None:
    first, second = Media("first", "audio", "a.wav", duration=1.0), Media("second", "audio", "b.wav", duration=2.0)
    made = told([AUDIO, AUDIO, TEXT, AUDIO], (first, second))
    assert [(piece["media"], piece["end"]) for piece in made if piece["kind"] == "audio"] == [(0, 1.0), (1, 2.0)]


def test_one_file_in_several_runs_is_joined_and_several_are_left_alone() -> None:
    """As families have it that show sound and picture in turns."""
    one = Media("one", "audio", "a.wav", duration=2.0)
    made = told([AUDIO, TEXT, AUDIO, AUDIO], (one,))
    assert [(piece["kind"], piece.get("tokens")) for piece in made] == [("audio", 3), ("text", None)]
    made = told([AUDIO, TEXT, AUDIO, TEXT, AUDIO], (one, one))
    assert [piece["media"] for piece in made if piece["kind"] == "audio"] == [None, None, None]


@pytest.mark.parametrize(
    ("tokens", "frames", "size", "grid"),
    [(98, 2, (112, 112), [2, 7, 7]), (49, 1, (112, 112), [1, 7, 7]), (4 * 8 * 14, 8, (392, 224), [4, 8, 14]),
     (8 * 8 * 14, 8, (392, 224), [8, 8, 14]), (7, 1, (112, 112), None), (52, 2, (112, 112), None),
     (16, 1, (224, 112), None)],
)  # fmt: skip
def test_grids(tokens: int, frames: int, size: tuple[int, int], grid: list[int] | None) -> None:
    assert grid_of(tokens, frames, size) == grid


def test_cells_that_are_no_grid_are_told_as_such() -> None:
    (made,) = told([VIDEO] * 7, (Media("clip", "video", "c.mp4"),))
    assert made["grid"] is None and made["weights"] == []


def test_of_the_shipped_model_as_it_was_recorded(plus: Any, asked: Any, folder: Any) -> None:
    sample, model = asked["ave"][0], plus.model
    layers = adapted_layers(model.base)
    views = [View("all", frozenset(layers)), View("one", frozenset(layers[:1]))]
    watcher = TokenWeights(views, Tokens(model.token_kinds, model.stop_token_ids))
    with watch_routing(model.thinker, watcher):
        (said,) = predict(model, WithSource([sample], Files(folder)), plus.pack, 1)
    made = pieces(sample, get_task("ave").prompt(sample, plus.pack), watcher, model.processor.tokenizer, model.size)
    with record_routing(model.thinker) as routing:
        list(predict(model, WithSource([sample], Files(folder)), plus.pack, 1))
    _, _, weights = watcher.read()
    np.testing.assert_allclose(weights[1], routing.weights(layers[0])[0], atol=1e-5)
    mean = torch.stack([routing.weights(layer)[0] for layer in layers]).mean(0)
    np.testing.assert_allclose(weights[0], mean, atol=1e-5)
    assert [piece["kind"] for piece in made] == ["text", "vision", "text", "audio", "text", "generated"]
    assert "".join(word["text"] for word in made[-1]["words"]) == said.text.replace(" ", "")
    counted = sum(piece.get("tokens", 0) or sum(word["tokens"] for word in piece["words"]) for piece in made)
    assert counted == weights.shape[1]
