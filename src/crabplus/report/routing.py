"""The page about the routing of an adapter: pictures, what to read out of them, samples token by token, failures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crabplus.report.embed import png_uri
from crabplus.report.page import render
from crabplus.report.routing_figures import draw_routing
from crabplus.report.routing_strips import head_colour, strip
from crabplus.report.routing_words import change_words, findings
from crabplus.whole import write_whole

__all__ = ["PAGE", "write_routing"]

PAGE = "routing.html"
_FAILURES = 50
"""So many failures are named."""
_FIGURES = {
    "kinds": (
        "Which head for which kind of token",
        "Look for cells that are dark in one panel and pale in another: there the router tells sound, pictures and "
        "words apart. A row of a projection with one dark cell has one head at work; three like shades mean a mixture.",
    ),
    "heads": (
        "Mean weight of each head",
        "Numbers near the even share in every column do not mean that nothing is chosen: heads are numbered layer by "
        "layer, and opposite choices of two layers cancel in this mean.",
    ),
    "keys": (
        "Where keys differ",
        "Mind the scale: it is that of the largest differences, which may be small. A column that is red for the keys "
        "of one family and blue for others is a head that serves this family.",
    ),
    "similarity": (
        "Which keys are routed alike",
        "This is correlation: keys with like prompts, like media and like answers are routed alike, whatever the heads "
        "do.",
    ),
    "use": (
        "What routers react to, and which heads are used",
        "Long blue bars: the kind of token decides. Long orange ones would mean that heads serve keys. Grey is what no "
        "token decides, because the heads are mixed. A head that is dead could be left out of its layer.",
    ),
    "ablation": (
        "What each head does",
        "This is cause: one head is switched off and the same samples are asked again. A head with large weights whose "
        "loss changes nothing is not needed; one whose loss takes a key down to its constant answer, or below, is. A "
        "head that is off in all layers takes a part from every one of them, so that answers may lose their very form.",
    ),
}  # fmt: skip
"""In the order of the page: a heading, and how the picture is read."""


@dataclass(frozen=True)
class _Figure:
    name: str
    title: str
    uri: str
    words: str


def write_routing(out: Path, made: Mapping[str, Any], folder: Path, *, file_limit: int = 8 * 2**20) -> Path:
    """Write the pictures and ``routing.html``, one page that needs nothing beside it.

    Args:
        out: folder for them. made: the content of ``routing.json``, with ``about`` it: command, model, data, versions.
        folder: the media paths of the samples are relative to it.
        file_limit: larger media files, in bytes, are not embedded; pictures of a video stand in.

    Returns:
        The page.

    Raises:
        ReportError: a file of a shown sample is not there.
    """
    pictures = draw_routing(made)
    for name, png in pictures.items():
        write_whole(out / name, png)
    figures = [
        _Figure(name, title, png_uri(pictures[f"{name}.png"]), words)
        for name, (title, words) in _FIGURES.items() if f"{name}.png" in pictures
    ]  # fmt: skip
    about = made["about"]
    page = render(
        "routing.html.j2", title=f"Routing of {about['name']}", about=about, facts=_facts(made),
        findings=findings(made), figures=figures, changes=_changes(made), views=made["views"],
        colours=[head_colour(n) for n in range(made["heads"])], failures=made["failures"][:_FAILURES],
        failed=len(made["failures"]), sections=_sections(made, folder, file_limit), pictures=sorted(pictures),
    )  # fmt: skip
    write_whole(out / PAGE, page.encode())
    return out / PAGE


def _facts(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    about, settings = made["about"], made["settings"]
    parts = dict.fromkeys(place["part"] for place in made["places"])
    counts = {part: sum(place["part"] == part for place in made["places"]) for part in parts}
    kinds = [sum(key["tokens"][n] for key in made["keys"].values()) for n in range(len(made["kinds"]))]
    switched = {
        "none": "nothing",
        "heads": "each head in all layers",
        "layers": "each head in all layers, and in bands",
    }
    how = ", its weight shared among the others" if settings["renormalise"] else ""
    return [
        ("model", f"{about['model']['model']}, {about['model']['revision']}"),
        ("adapter", f"{about['name']} ({about['model']['adapter']})"),
        ("adapted layers", ", ".join(f"{count} {part}" for part, count in counts.items())),
        ("heads", str(made["heads"])),
        ("data", f"{about['data']}, split {about['split']}"),
        ("samples", f"{sum(key['samples'] for key in made['keys'].values())} of {len(made['keys'])} keys, drawn with "
                    f"seed {about['seed']}"),
        ("tokens", ", ".join(f"{count:,} {kind}" for kind, count in zip(made["kinds"], kinds, strict=True))),
        ("reasoning", "on" if settings["reasoning"] else "off"),
        ("switched off", f"{switched[settings['ablate']]}{how}"),
        ("made", about["created"]),
    ]  # fmt: skip


def _changes(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each key and each thing that was switched off."""
    return [
        {"key": key, "metric": of["metric"].replace("_", " "), "n": of["n"], "before": of["score"],
         "constant": of["constant"], "head": change["head"], "band": change["band"], "after": change["score"],
         "change": change_words(change), "low": change["ci95"][0], "high": change["ci95"][1],
         "other": change["other_text"], "unparsable": change["unparsable"]}
        for key, of in made["ablation"]["keys"].items() for change in of["changes"]
    ]  # fmt: skip


def _sections(made: Mapping[str, Any], folder: Path, file_limit: int) -> list[tuple[str, Sequence[Any]]]:
    """The shown samples of each key."""
    strips = [strip(told, made["views"], folder, file_limit) for told in made["strips"]]
    keys = dict.fromkeys(one.key for one in strips)
    return [(key, [one for one in strips if one.key == key]) for key in keys]
