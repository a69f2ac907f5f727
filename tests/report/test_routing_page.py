"""The page about routing: it follows from the numbers alone, loads nothing, escapes everything, and can be read."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

from crabplus.report import heatmaps, routing_figures
from crabplus.report.routing import write_routing
from crabplus.report.routing_figures import draw_routing
from crabplus.report.routing_words import findings, routing_table
from in_a_browser import WIDTHS, opened, until

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }} $\\frac$"
KINDS = ["text", "audio", "vision", "generated"]
FAMILIES = {
    "matching": ["a2v", "v2a"], "action recognition": ["ks", "ucf"],
    "emotion recognition": ["meld", "mer24", "cremad", "mafw", "dfew"], "question answering": ["avqa", "avqa_thu"],
    "temporal localisation": ["ave", "unav", "avvp"], "spatial localisation": ["arig", "s4", "ms3", "ref_avs"],
    "captioning": ["avcap"],
}  # fmt: skip
KEYS = {key: family for family, keys in FAMILIES.items() for key in keys}
FEW = {"ave": "temporal localisation", "avqa": "question answering"}
PROJECTIONS = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]


def study(keys: dict[str, str], layers: int = 4, heads: int = 3, towers: bool = False, bands: int = 1) -> Any:
    """Numbers as analysis gives them, drawn at random."""
    generator = np.random.default_rng(0)
    places = [{"layer": f"language_model.layers.{n}.{name}", "part": "language", "number": n, "projection": name}
              for n in range(layers) for name in PROJECTIONS]  # fmt: skip
    if towers:
        places += [{"layer": f"visual.{n}.up_proj", "part": "vision", "number": n, "projection": "up_proj"}
                   for n in range(layers)]  # fmt: skip
    count = len(places)
    weights = generator.dirichlet(np.full(heads, 0.5), size=(len(keys), count, 4))
    listed = weights.tolist()
    for place, of in enumerate(places):
        for key in range(len(keys)):
            for kind in range(4):
                if (of["part"] == "vision") != (kind == 2) and of["part"] == "vision":
                    listed[key][place][kind] = [None] * heads
    variants = [{"head": head, "band": band, "layers": count}
                for band in ["all layers", *(f"language {n}" for n in range(1, bands))]
                for head in range(1, heads + 1)]  # fmt: skip
    change = {"score": 0.3, "change": -0.4, "ci95": [-0.5, -0.2], "clear": True, "other_text": 0.9, "unparsable": 1}
    mild = {"score": 0.7, "change": 0.01, "ci95": [-0.1, 0.1], "clear": False, "other_text": 0.1, "unparsable": 0}
    apart = generator.uniform(0.02, 0.05, (len(keys), len(keys)))
    np.fill_diagonal(apart, 0.001)
    return {
        "about": {"command": "crabplus routing --keys ave", "created": "2026-01-02", "data": "data", "split": "test",
                  "seed": 3, "versions": {"torch": "2.9"}, "name": "runs/mine",
                  "model": {"model": "a-model", "revision": "config abc", "adapter": "mine abc"}},
        "settings": {"reasoning": True, "ablate": "heads", "renormalise": False, "show": 1},
        "heads": heads, "kinds": KINDS, "places": places,
        "keys": {key: {"family": family, "samples": 5, "answered": 4, "tokens": [10, 20, 30, 1234],
                       "weights": listed[n], "entropy": [[0.5] * 4] * count}
                 for n, (key, family) in enumerate(keys.items())},
        "use": {
                "tokens": [90] * count, "weights": weights.mean((0, 2)).tolist(),
                "largest": weights.mean((0, 2)).tolist(), "entropy": [0.5] * count,
                "bits": {"kind": [0.2] * count, "key": [0.1] * count, "token": [0.4] * count,
                         "undecided": [0.5] * count},
                "dead": [{**places[3], "head": 2}], "dead_rule": "mean weight below 0.1 / 3, and never the largest"},
        "similarity": {"measure": "divergence of routing", "keys": list(keys), "order": sorted(keys),
                       "divergence": ((apart + apart.T) / 2).tolist()},
        "ablation": {"variants": variants, "clear_from": 6, "keys": {
            key: {"metric": "accuracy", "score": 0.7, "constant": 0.25, "ci95": [0.6, 0.8], "n": 6,
                  "changes": [{"head": one["head"], "band": one["band"], **(change if one["head"] == 1 else mild)}
                              for one in variants]} for key in keys}},
        "views": ["mean over 28 adapted layers", "layer 2, up_proj"],
        "strips": [], "failures": [],
    }  # fmt: skip


def words(generated: str = "horn") -> list[dict[str, Any]]:
    even, one = [0.34, 0.33, 0.33], [1.0, 0.0, 0.0]
    return [
        {"kind": "text", "words": [{"text": "<|im_start|>", "tokens": 1, "weights": [even, one]}]},
        {"kind": "vision", "media": 0, "tokens": 8, "grid": [2, 2, 2], "shown": [0, 1],
         "weights": [[[even] * 4] * 2, [[one] * 4] * 2]},
        {"kind": "audio", "media": 0, "tokens": 4, "start": 0.0, "end": 10.0, "weights": [[even] * 4, [one] * 4]},
        {"kind": "generated", "words": [{"text": generated, "tokens": 2, "weights": [even, one]}]},
    ]  # fmt: skip


def shown(text: str = "horn", pieces: Any = None) -> dict[str, Any]:
    sample = {"id": "clip-1", "dataset": "tidepool", "task": "ave", "split": "test", "question": text,
              "media": [{"role": "clip", "kind": "video", "path": "clip.mp4", "duration": 10.0, "size": [64, 48]}],
              "answer": {"type": "events", "events": [{"label": text, "start": 0, "end": 3}]}}  # fmt: skip
    said = {"id": "clip-1", "task": "ave", "text": text, "answer": {"type": "events", "events": []}}
    return {"sample": sample, "prediction": said, "credit": 0.5, "pieces": words(text) if pieces is None else pieces}


@pytest.fixture
def plain_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with stand-ins for their pictures, where these do not matter."""
    monkeypatch.setattr("crabplus.report.routing.draw_routing", lambda made: {"kinds.png": b"x", "ablation.png": b"x"})


@pytest.fixture
def write(tmp_path: Path, folder: Path, parse: Callable[[Path], Any]) -> Callable[[Any], Any]:
    def made(content: Any) -> Any:
        return parse(write_routing(tmp_path / "out", content, folder))

    return made


def test_page_loads_nothing_and_shows_all(write: Callable[[Any], Any], tmp_path: Path) -> None:
    page = write({**study(FEW), "strips": [shown()]})
    for element in page.root.every():
        for name in ("src", "href", "poster"):
            assert element.attributes.get(name, "data:").startswith(("data:", "#"))
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {f"{name}.png" for name in ("kinds", "heads", "keys", "similarity", "use", "ablation")} | {
        "routing.html"
    }
    assert len(page.root.all("img", "plot")) == 6 and len(page.root.all("video")) == 1
    text = page.root.text
    for said in ("mine abc", "crabplus routing --keys ave", "head 1", "torch", "-0.400*", "clip-1"):
        assert said in text
    names = [element["id"] for element in page.root.every() if "id" in element.attributes]
    assert len(names) == len(set(names))


@pytest.mark.usefixtures("plain_pictures")
def test_hostile_text_is_inert(write: Callable[[Any], Any]) -> None:
    made = {**study({"ave": "temporal localisation", "avqa": EVIL}), "strips": [shown(EVIL)], "views": [EVIL, EVIL]}
    made["about"] = {**made["about"], "command": EVIL, "data": EVIL}
    made["failures"] = [{"key": EVIL, "id": EVIL, "error": EVIL}]
    page = write(made)
    assert len(page.root.all("script")) == 1 and "<img src=x" not in page.source and "{{" not in page.source.replace(
        "{{ 7 * 7 }}", "")  # fmt: skip
    assert "49" not in [word.strip() for element in page.root.every() for word in element.words]


@pytest.mark.usefixtures("plain_pictures")
def test_bands_and_words_have_the_weights(write: Callable[[Any], Any]) -> None:
    page = write({**study(FEW), "strips": [shown()]})
    (bands,) = page.root.all("svg", "bands")
    assert "timeline" in bands["class"].split() and (bands["data-length"], bands["data-start"]) == ("10.0", "0.0")
    paths = [path["d"] for path in bands.all("path")]
    assert len(paths) == 6  # two views, three heads
    assert paths[3].startswith("M0 0.000L1 0.000") and "L1 1.000" in paths[3]  # the first head has it all
    assert set(paths[4].removeprefix("M").removesuffix("Z").replace("L", " ").split()[1::2]) == {"1.000"}
    chips = page.root.all("span", "chip")
    assert [chip.words[0] for chip in chips] == ["<|im_start|>", "horn"]
    assert "#0b66c3 0% 34%" in chips[0].all("i")[0]["style"] and "#0b66c3 0% 100%" in chips[0].all("i")[1]["style"]
    assert "head 1 1.00" in chips[1]["title"] and "2 tokens" in chips[1]["title"]


@pytest.mark.usefixtures("plain_pictures")
def test_cells_are_coloured_by_their_heads(write: Callable[[Any], Any]) -> None:
    page = write({**study(FEW), "strips": [shown()]})
    pictures = page.root.all("div", "cells")[0].all("img")
    assert len(pictures) == 6  # two frames, each as it is and for two views
    blue = np.asarray(Image.open(BytesIO(_bytes(pictures[2]["src"]))).convert("RGB")).reshape(-1, 3).mean(0)
    assert blue[2] > blue[0] + 60 and blue[2] > blue[1] + 30  # all weight on the first head, which is blue
    captions = [caption.text for caption in page.root.all("div", "cells")[0].all("figcaption")]
    assert captions == ["2.5 s", "1", "2", "7.5 s", "1", "2"]


def _bytes(uri: str) -> bytes:
    from base64 import b64decode

    return b64decode(uri.partition(",")[2])


@pytest.mark.usefixtures("plain_pictures")
def test_what_cannot_be_drawn_is_told(write: Callable[[Any], Any]) -> None:
    odd = [
        {"kind": "vision", "media": None, "tokens": 7, "grid": None, "shown": [], "weights": []},
        {"kind": "audio", "media": None, "tokens": 2, "start": None, "end": None, "weights": [[[1, 0, 0]] * 2] * 2},
    ]
    page = write({**study(FEW), "strips": [shown(pieces=odd)]})
    assert "form no grid" in page.root.text and "in their order" in page.root.text
    assert not page.root.all("svg", "bands")[0].all("text", "tick")


@pytest.mark.usefixtures("plain_pictures")
def test_failures_are_listed(write: Callable[[Any], Any]) -> None:
    failures = [{"key": "ave", "id": f"k{n}", "error": "cannot be read"} for n in range(70)]
    page = write({**study(FEW), "failures": failures})
    assert "70 answers" in page.root.text and "the first 50" in page.root.text and page.root.text.count("k49") == 1
    assert "None: with all heads on" in write(study(FEW)).root.text


def test_findings_follow_from_the_numbers() -> None:
    told = " ".join(findings(study(KEYS)))
    assert "has 1.20 bits, of at most 1.58 (mean over 28 adapted layers): 0.200 hang on the kind of token" in told
    assert "0.100 on the key beyond that, 0.400 on the single token beyond both; 0.500 are left open" in told
    assert "1 of the 84 heads is dead" in told and "head 2 of language_model.layers.0.o_proj" in told
    assert "Of 171 pairs of keys 171 are" in told
    assert "Without head 1 in all layers 19 of 19 keys score clearly lower; the median change is -57%" in told
    assert "Without head 2 in all layers 0 of 19 keys score clearly lower; the median change is +1%" in told
    same = study(KEYS)
    same["similarity"]["divergence"] = [[0.01] * 19] * 19
    assert "Of 171 pairs of keys 0 are" in " ".join(findings(same))
    same["use"]["dead"] = []
    assert "None of the 84 heads is dead" in " ".join(findings(same))


def test_findings_of_one_key_and_of_one_sample() -> None:
    one = study({"ave": "temporal localisation"})
    assert not any("alike" in sentence for sentence in findings(one))
    few = study({"ave": "temporal localisation", "avqa": "question answering"})
    few["similarity"]["divergence"] = [[None, 0.1], [0.1, None]]
    assert any("no halves" in sentence for sentence in findings(few))


def test_few_samples_and_a_single_pair_of_keys_are_told_as_such() -> None:
    made = study({"ave": "temporal localisation", "avqa": "question answering"})
    assert not any("fewer than" in sentence for sentence in findings(made))
    made["similarity"]["divergence"] = [[0.01, 0.02], [0.02, 0.01]]
    assert any(sentence.endswith("They are at least one and a half times as far apart as the two halves of either key.")
               for sentence in findings(made))  # fmt: skip
    made["similarity"]["divergence"] = [[0.01, 0.01], [0.01, 0.01]]
    made["ablation"]["keys"]["avqa"]["n"] = 5
    told = findings(made)
    assert any("That is not at least one and a half times" in sentence for sentence in told)
    assert told[-1] == "With fewer than 6 samples no change is called clear: avqa; ask for more."


def test_table_on_the_terminal() -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(routing_table(study(KEYS)))
    text = console.export_text()
    assert "head 3 off" in text and "-0.400*" in text and "ref_avs" in text and "+0.010" in text


SIZES = [
    ({"ave": "temporal localisation"}, 4, 3, False, 1),
    (KEYS, 28, 3, True, 4),
    (FEW, 4, 8, False, 3),
    (FEW, 1, 2, False, 1),
]


@pytest.mark.parametrize("size", SIZES, ids=["one key", "7B with towers", "eight heads", "one layer"])
def test_labels_lie_inside_and_apart(size: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text of every picture lies within it, and no two names of rows or columns lie over each other."""
    drawn: list[Figure] = []
    monkeypatch.setattr(routing_figures, "_png", lambda figure: drawn.append(figure) or b"")
    keys, layers, heads, towers, bands = size
    files = draw_routing(json.loads(json.dumps(study(keys, layers, heads, towers, bands))))
    assert len(drawn) == len(files) == (5 if len(keys) == 1 else 6)
    for figure in drawn:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        width, height = canvas.get_width_height()
        for axes in figure.axes:
            labels = [text for axis in (axes.xaxis, axes.yaxis) for text in _seen(axis)]
            texts = [
                text for text in (*labels, *axes.texts, axes.xaxis.label) if text.get_text() and text.get_visible()
            ]
            for text in texts:
                box = text.get_window_extent(renderer)
                assert box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1, text
            for side in (_seen(axes.yaxis), _seen(axes.xaxis) if not _turned(axes) else []):
                boxes = [text.get_window_extent(renderer) for text in side if text.get_text()]
                assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False)), side
            for edge in (0, 1):  # names below and above the map
                names = [text for text in axes.texts if hasattr(text, "xyann") and text.xy[1] == edge]
                boxes = [text.get_window_extent(renderer) for text in names]
                assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False)), names


def _seen(axis: Any) -> list[Any]:
    """Labels of ticks within the limits; those beyond are not drawn."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible() and label.get_text()]


def _turned(axes: Any) -> bool:
    return any(label.get_rotation() for label in axes.get_xticklabels())


def test_numbers_of_a_map_stand_in_their_cells() -> None:
    figure, (axes,) = heatmaps.sheet("title", "note", 4.0, [1.0])
    heatmaps.heat(axes, np.array([[0.0, 1.0], [np.nan, 0.5]]), ["a", "b"], "YlGnBu", 0, 1)
    heatmaps.numbers(axes, np.array([[0.0, 1.0], [np.nan, 0.5]]), "{:.1f}", np.array([[True, False], [False, False]]))
    found = {
        (round(t.get_position()[1]), round(t.get_position()[0])): (t.get_text(), t.get_color()) for t in axes.texts
    }
    assert found[0, 0][0] == "0.0*" and found[0, 1] == ("1.0", "white") and (1, 0) not in found


def test_a_grid_lays_layers_by_number_and_projection() -> None:
    made = study({"ave": "x"}, layers=2, heads=2, towers=True)
    grid = heatmaps.Grid(made)
    values = np.arange(len(made["places"]) * 2, dtype=float).reshape(-1, 2)
    laid = grid.lay(values)
    assert grid.rows == ["language 0", "language 1", "vision 0", "vision 1"] and laid.shape == (4, 14)
    assert laid[1, 4:6].tolist() == [18, 19]  # v_proj of layer 1
    assert np.isnan(laid[2]).sum() == 12 and laid[2, 10:12].tolist() == [28, 29]


@pytest.mark.slow
@WIDTHS
def test_page_at_any_width_in_a_browser(browser: Any, folder: Path, tmp_path: Path, width: int) -> None:
    made = {**study(KEYS, bands=4), "strips": [shown(), shown("a" * 200)]}
    with opened(browser, write_routing(tmp_path, made, folder), width) as tab:
        tab.evaluate("() => { document.querySelector('video').currentTime = 1; }")
        until(tab, "document.querySelector('.bands .playhead').getAttribute('x1') === '10%'")
        bands = tab.locator("svg.bands").first
        bands.click(position={"x": bands.bounding_box()["width"] / 20, "y": 30})  # half a second of ten
        until(tab, "Math.abs(document.querySelector('video').currentTime - 0.5) < 0.1")
